//! The port through which users read: what is asked of it, what it answers.
//!
//! A backend that gives [pages](crate::search::Pages) has its reader from [`crate::search`].
//!
//! # Promises of an implementation
//! - A read sees what was committed before the call (I-16).
//!
//! Proof: `proof::conformance`, run on the model and on SQLite.

use std::path::Path;

use crate::changes::Looking;
use crate::error::{Code, Error, Result};
use crate::id::{Seq, TaskId};
use crate::query::Query;
use crate::read::{
    Find, Found, LogsPart, LogsRead, QueryExplanation, Request, Step, WithLogs, cancelled_read,
};
pub use crate::read::{Interrupted, Verified};
use crate::schedules::Schedule;
pub use crate::search::Search;
use crate::search::{PageReader, Pages};
use crate::store::Operation;

/// Asked between the steps of a long read; `true` ends it with `Closed`.
pub type Cancelled<'a> = &'a (dyn Fn() -> bool + Sync);

/// The reading side of a backend: one connection, and at most one search on it at a time.
pub trait Reader: Send {
    /// One more reader of the same store, with a connection of its own; nothing if that cannot be.
    fn another(&self) -> Option<Box<dyn Reader>>;

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

    /// A part of the logs of a task, or nothing if there is no such task.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>>;

    /// Every operation with its record, by name.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn operations(&mut self) -> Result<Vec<Operation>>;

    /// The first `max` schedules by id, from this one on, in the order of the bytes of their ids.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>>;

    /// Goes on with a search, by a bounded piece of work. All steps see one snapshot of the store,
    /// until the search is long or rests. It is over with anything but `More`, and with an error.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, or `TooLarge` if what is found has more than `bytes_max` bytes of stored
    /// texts.
    fn step(&mut self, search: &mut Search) -> Result<Step>;

    /// Looks at what has changed, in one state of the store.
    ///
    /// # Errors
    /// `Corrupt` or `Io`, or what `look` says.
    fn changes(&mut self, look: Looking<'_>) -> Result<()>;

    /// Lets go of the snapshot, and of what the search holds of it: that may go on later, in a
    /// newer snapshot and with another reader, or never.
    fn rest(&mut self, search: Option<&mut Search>);

    /// Copies what is committed now into a file of its own, whole or not at all: it has its name
    /// when it is on disk and was checked. Writers go on meanwhile.
    ///
    /// # Errors
    /// `Unsupported` if the store is no file, `Io`, `Full`, `ReadOnly`, `Corrupt` if the copy is
    /// not sound, `Closed` if interrupted.
    fn back_up(&mut self, _to: &Path, _interrupted: Interrupted) -> Result<()> {
        Err(Error::new(Code::Unsupported, "this store is no file"))
    }

    /// Goes through the whole store and looks for what is wrong.
    ///
    /// # Errors
    /// `Unsupported` if the store is no file, `Corrupt` or `Io` if it cannot be read, `Closed` if
    /// interrupted.
    fn verify(&mut self, _interrupted: Interrupted) -> Result<Verified> {
        Err(Error::new(Code::Unsupported, "this store is no file"))
    }

    /// All steps of a find.
    ///
    /// # Errors
    /// As `step`, or `Closed` if cancelled.
    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        let request = Request::Find(Box::new(find.clone()));
        take_steps(self, request, cancelled, &mut all)?;
        Ok(all)
    }

    /// All steps of a search whether a task matches.
    ///
    /// # Errors
    /// As `step`, or `Closed` if cancelled.
    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool> {
        let request = Request::Exists(Box::new(query.clone()));
        let last = take_steps(self, request, cancelled, &mut Vec::new())?;
        Ok(matches!(last, Step::Exists(true)))
    }

    /// All steps of a search that says how it was made.
    ///
    /// # Errors
    /// As `step`, or `Closed` if cancelled.
    fn explain(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<QueryExplanation> {
        let request = Request::Explain(Box::new(query.clone()));
        match take_steps(self, request, cancelled, &mut Vec::new())? {
            Step::Explained(explanation) => Ok(*explanation),
            Step::More(_)
            | Step::Found(_)
            | Step::Exists(_)
            | Step::Matching(_)
            | Step::Count(_) => Err(Error::bug("no explanation")),
        }
    }

    /// All steps of a count.
    ///
    /// # Errors
    /// As `step`, or `Closed` if cancelled.
    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        let request = Request::Count(Box::new(query.clone()));
        match take_steps(self, request, cancelled, &mut Vec::new())? {
            Step::Count(count) => Ok(count),
            Step::More(_)
            | Step::Found(_)
            | Step::Exists(_)
            | Step::Explained(_)
            | Step::Matching(_) => Err(Error::bug("no count")),
        }
    }

    /// All steps of a search for the numbers of the tasks that match and were added before, in
    /// order.
    ///
    /// # Errors
    /// As `step`, or `Closed` if cancelled.
    fn matching(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Seq>> {
        let request = Request::Matching(Box::new(query.clone()));
        match take_steps(self, request, cancelled, &mut Vec::new())? {
            Step::Matching(seqs) => Ok(seqs),
            Step::More(_)
            | Step::Found(_)
            | Step::Exists(_)
            | Step::Explained(_)
            | Step::Count(_) => Err(Error::bug("no numbers")),
        }
    }
}

/// Takes all steps of a search; gives the last one, and puts what is found into `all`.
fn take_steps<R: Reader + ?Sized>(
    reader: &mut R,
    request: Request,
    cancelled: Cancelled<'_>,
    all: &mut Vec<Found>,
) -> Result<Step> {
    let mut search = Search::new(request);
    loop {
        if cancelled() {
            reader.rest(Some(&mut search));
            return Err(cancelled_read());
        }
        match reader.step(&mut search)? {
            Step::More(found) => all.extend(found),
            Step::Found(found) => {
                all.extend(found);
                return Ok(Step::Found(Vec::new()));
            }
            last @ (Step::Exists(_) | Step::Count(_) | Step::Explained(_) | Step::Matching(_)) => {
                return Ok(last);
            }
        }
    }
}

impl<P: Pages + 'static> Reader for PageReader<P> {
    fn another(&self) -> Option<Box<dyn Reader>> {
        PageReader::another(self).map(|reader| Box::new(reader) as Box<dyn Reader>)
    }

    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        PageReader::get(self, id, logs, bytes_max)
    }

    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        PageReader::logs(self, id, part)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        PageReader::operations(self)
    }

    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        PageReader::schedules(self, from, max)
    }

    fn step(&mut self, search: &mut Search) -> Result<Step> {
        PageReader::step(self, search)
    }

    fn changes(&mut self, look: Looking<'_>) -> Result<()> {
        PageReader::changes(self, look)
    }

    fn rest(&mut self, search: Option<&mut Search>) {
        PageReader::rest(self, search);
    }

    fn back_up(&mut self, to: &Path, interrupted: Interrupted) -> Result<()> {
        PageReader::pages(self).back_up(to, interrupted)
    }

    fn verify(&mut self, interrupted: Interrupted) -> Result<Verified> {
        PageReader::pages(self).verify(interrupted)
    }
}
