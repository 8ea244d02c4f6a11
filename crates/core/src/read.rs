//! What users may ask of the tasks, and what a read of them may bring.
//!
//! Proof: `conformance::read`, `conformance::reader`.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::id::Seq;
use crate::index::IndexPath;
use crate::json;
use crate::query::{Field, Projection, Query, Sort};
use crate::range::Range;
use crate::task::{Attempt, Json, Level, LogLine, TaskRecord};

/// Which logs come with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithLogs {
    /// This level and graver ones.
    pub level_max: Level,
}

/// Every number that a task may have.
pub const EVERY_SEQ: Range<Seq> = Range { low: Seq(1), high: Seq(u64::MAX) };

/// What to find.
#[derive(Clone, Debug)]
pub struct Find {
    /// Which tasks.
    pub query: Query,
    /// Only those with these numbers.
    pub seqs: Range<Seq>,
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
            seqs: EVERY_SEQ,
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
        let attempts: usize = task.attempts.iter().flat_map(Attempt::texts).map(Json::len).sum();
        self.take(task.bytes() + attempts)
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
    let message = format!(
        "the answer is longer than {max} bytes; ask for fewer tasks with `limit`, for less of each \
         with `fields`, or go through them with `for await (const task of tasker.tasks(query))`"
    );
    Error::at(Code::TooLarge, "limit", message)
}

/// What is asked of all tasks.
#[derive(Clone, Debug)]
pub enum Request {
    /// The tasks that match, sorted, cut.
    Find(Box<Find>),
    /// Whether a task matches; reads no further than to the first one.
    Exists(Box<Query>),
    /// How many match.
    Count(Box<Query>),
    /// The numbers of those that match.
    Matching(Box<Query>),
    /// How the tasks that match are found.
    Explain(Box<Query>),
}

/// What left out tasks before they were compared with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchedBy {
    /// The query names uuids.
    Uuid,
    /// The query names numbers.
    Seq,
    /// The index of an own field.
    Index(IndexPath),
    /// Its status or state: only tasks that have not ended were looked at.
    Status,
    /// What is known of 4,096 tasks at once, or bounds of their numbers.
    Blocks,
}

impl SearchedBy {
    /// What names the tasks of a query that names some.
    pub(crate) fn exact(query: &Query) -> SearchedBy {
        let fields = query.conjuncts().filter_map(|predicate| predicate.path.whole_field());
        let names_uuids = fields.into_iter().any(|field| field == Field::Uuid);
        if names_uuids { SearchedBy::Uuid } else { SearchedBy::Seq }
    }

    /// Its word; of an index its path.
    pub fn as_str(&self) -> &str {
        match self {
            SearchedBy::Uuid => Field::Uuid.as_str(),
            SearchedBy::Seq => Field::Seq.as_str(),
            SearchedBy::Index(path) => path.as_str(),
            SearchedBy::Status => Field::Status.as_str(),
            SearchedBy::Blocks => "blocks",
        }
    }
}

/// How a search was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryExplanation {
    /// What left out tasks; nothing if every task was looked at.
    pub by: Option<SearchedBy>,
    /// Rows and entries of indexes that were looked at.
    pub read: u64,
    /// Tasks that were compared with the query.
    pub decided: u64,
    /// Tasks that match.
    pub matched: u64,
    /// Own fields of which an index would help and is not there.
    pub declare: Vec<IndexPath>,
}

impl QueryExplanation {
    /// Its JSON text.
    pub fn to_json(&self) -> String {
        let QueryExplanation { by, read, decided, matched, declare } = self;
        let text = |text: &str| {
            let mut out = String::new();
            json::write_string(text, &mut out);
            out
        };
        let index = by.as_ref().map_or_else(|| "null".into(), |by| text(by.as_str()));
        let declare: Vec<_> = declare.iter().map(|path| text(path.as_str())).collect();
        let counts = format!(r#""read":{read},"decided":{decided},"matched":{matched}"#);
        format!(r#"{{"index":{index},{counts},"declare":[{}]}}"#, declare.join(","))
    }
}

/// What a step of a search has brought.
#[derive(Debug)]
pub enum Step {
    /// These are found, in order; the search goes on.
    More(Vec<Found>),
    /// These are the last that are found.
    Found(Vec<Found>),
    /// Whether a task matches.
    Exists(bool),
    /// How many match.
    Count(u64),
    /// How the search was made.
    Explained(Box<QueryExplanation>),
    /// The numbers of those that match and were added before, in order.
    Matching(Vec<Seq>),
}

/// The error of a read that its caller gave up.
pub fn cancelled_read() -> Error {
    Error::new(Code::Closed, "the read was cancelled")
}

/// A part of the logs of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogsPart {
    /// Lines behind this one.
    pub after: u32,
    /// This level and graver ones.
    pub level_max: Level,
    /// So many at most.
    pub lines_max: usize,
}

impl LogsPart {
    /// All lines up to a level.
    pub fn all(with: WithLogs) -> LogsPart {
        LogsPart { after: 0, level_max: with.level_max, lines_max: usize::MAX }
    }
}

/// What is read of the logs of a task at once.
#[derive(Clone, Debug, PartialEq)]
pub struct LogsRead {
    /// The lines, in order.
    pub lines: Vec<LogLine>,
    /// The number of the last line that the task has, of whatever level; 0 if it has none.
    pub last: u32,
    /// Whether the task has ended, so that no more will come.
    pub is_over: bool,
}

/// Asked again and again while the whole store is gone through; `true` ends that with `Closed`.
pub type Interrupted = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a check of the whole store has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many tasks there are.
    pub tasks: u64,
    /// What is wrong, a sentence each; nothing in a sound store.
    pub faults: Vec<String>,
}
