//! The port through which users read: what is asked of it, what it answers.
//!
//! A backend that gives [pages](crate::search::Pages) has its reader from [`crate::search`].
//!
//! # Promises of an implementation
//! - A read sees what was committed before the call (I-16).
//!
//! Proof: `proof::conformance`, run on the model and on SQLite.

use crate::error::{Code, Error, Result};
use crate::id::{Seq, TaskId};
use crate::query::{Projection, Query, Sort};
use crate::store::Operation;
use crate::task::{Attempt, Json, Level, LogLine, TaskEnd, TaskRecord};

/// Which logs come with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithLogs {
    /// This level and graver ones.
    pub level_max: Level,
}

/// What to find.
#[derive(Clone, Debug)]
pub struct Find {
    /// Which tasks.
    pub query: Query,
    /// In which order; the default order if absent: waiting in queue order, then running by start,
    /// then ended by end.
    pub sort: Option<Sort>,
    /// How many to leave out at the front.
    pub skip: u64,
    /// How many at most; all if absent.
    pub limit: Option<u64>,
    /// Their logs, if asked for.
    pub logs: Option<WithLogs>,
    /// Which of their fields; all if absent. What is not asked for need not be read.
    pub fields: Option<Projection>,
    /// The most bytes of stored texts that may be read for the answer.
    pub bytes_max: usize,
}

impl Find {
    /// All that match, whole, without logs and without a bound.
    pub fn all(query: Query) -> Self {
        Self {
            query,
            sort: None,
            skip: 0,
            limit: None,
            logs: None,
            fields: None,
            bytes_max: usize::MAX,
        }
    }
}

/// A task as a reader finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The task.
    pub task: TaskRecord,
    /// Its logs, if asked for.
    pub logs: Option<Vec<LogLine>>,
}

/// What a read may still bring into memory, so that no answer is built that is refused in the end.
#[derive(Debug)]
pub struct ReadBudget {
    left: usize,
    max: usize,
}

impl ReadBudget {
    /// So many bytes.
    pub fn new(max: usize) -> Self {
        Self { left: max, max }
    }

    /// Takes the stored texts of a task.
    ///
    /// # Errors
    /// `TooLarge` if they no longer fit.
    pub fn take_task(&mut self, task: &TaskRecord) -> Result<()> {
        let payload = task.outcome.as_ref().and_then(TaskEnd::payload);
        let attempts = task.attempts.iter().flat_map(Attempt::texts).map(Json::len);
        let attempts: usize = attempts.sum();
        self.take(task.def.bytes() + payload.map_or(0, Json::len) + attempts)
    }

    /// Takes a log line.
    ///
    /// # Errors
    /// `TooLarge` if it no longer fits.
    pub fn take_line(&mut self, line: &LogLine) -> Result<()> {
        self.take(line.message.len() + line.fields.as_ref().map_or(0, |json| json.as_str().len()))
    }

    fn take(&mut self, bytes: usize) -> Result<()> {
        debug_assert!(self.left <= self.max, "more may be read than at the beginning");
        self.left = self.left.checked_sub(bytes).ok_or_else(|| too_much(self.max))?;
        Ok(())
    }
}

/// The error of a read whose answer is longer than `max` bytes.
pub fn too_much(max: usize) -> Error {
    let message = format!("the answer is longer than {max} bytes; ask for fewer tasks or logs");
    Error::at(Code::TooLarge, "limit", message)
}

/// Asked between pages of a long read; `true` ends it with `Closed`.
pub type Cancelled<'a> = &'a (dyn Fn() -> bool + Sync);

/// The reading side of a backend: one connection, one thread.
pub trait Reader: Send {
    /// One task, or nothing.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, or `TooLarge` before more than `bytes_max` bytes of stored texts are read.
    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>>;

    /// The tasks that match, sorted, cut.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, `Closed` if cancelled, or `TooLarge` if they have more than `bytes_max`
    /// bytes of stored texts.
    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>>;

    /// Whether a task matches; reads no further than to the first one.
    ///
    /// # Errors
    /// As `count`.
    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool>;

    /// How many tasks match.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, or `Closed` if cancelled.
    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64>;

    /// The numbers of the tasks that match and were added before the call, in order.
    ///
    /// # Errors
    /// As `count`.
    fn matching(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Seq>>;

    /// Every operation with its record, by name.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn operations(&mut self) -> Result<Vec<Operation>>;
}
