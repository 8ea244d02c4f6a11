//! Reading for users over a backend that gives pages: search, filter and bounded sort.
//!
//! A backend implements [`Pages`]; all that a query, a sort and a limit mean is done here, once for
//! every backend. A search holds nothing of the backend between two pages.
//!
//! # Promises
//! - A read sees what was committed before the call (I-16).
//! - Sorting with a limit keeps no more than twice the limit in memory.
//! - A query about states alone is answered by the counters, and one about operations too by the
//!   totals, whatever its form.
//!
//! # Left to others
//! What matches is [`crate::query`]'s, what a document is [`crate::document`]'s. Which read goes on
//! when, and when one is given up, is the caller's.
//!
//! Proof: `conformance::reader` and `conformance::order` on every backend, beside the model, which
//! reads by looking at every task; `crates/sqlite/tests/read.rs`.

#[allow(clippy::wildcard_enum_match_arm, reason = "what it does not know narrows nothing")]
mod filter;
mod outline;
mod pages;
mod load;
mod counting;
mod queues;
mod numbers;
mod indexed;
mod candidates;
mod scan;
mod top_k;
mod steps;
mod changes;

use crate::changes::Looking;
use crate::error::Result;
use crate::id::TaskId;
use crate::query::{Field, Query};
use crate::read::{Found, LogsPart, LogsRead, ReadBudget, Step, WithLogs};
use crate::schedules::Schedule;
use crate::state::{Counts, State};
use crate::store::Operation;

pub use crate::range::Range;
use changes::OneState;
pub use filter::Filter;
pub use outline::{Outline, Outlines};
pub use pages::{Columns, EntriesPart, NumbersPart, Pages, Place, QueueHead, QueuePart, Snapshot};
pub use steps::Search;

/// The reading side of a backend that gives pages.
#[derive(Debug)]
pub struct PageReader<P>(P);

impl<P: Pages> PageReader<P> {
    /// A reader of these pages.
    pub fn new(pages: P) -> Self {
        Self(pages)
    }
}

impl<P: Pages> PageReader<P> {
    fn get_in_snapshot(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let seq = self.0.id_key().seq_of(id);
        let mut snapshot = self.0.snapshot()?;
        match snapshot.task(seq, Columns::Wide)? {
            Some(mut task) if task.id == id => {
                load::load_attempts(&mut snapshot, &mut task)?;
                let budget = &mut ReadBudget::new(bytes_max);
                load::found(&mut snapshot, task, logs, budget).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn step_in_snapshot(&mut self, search: &mut Search) -> Result<Step> {
        if let Some(query) = search.of_states() {
            let (counts, halted) = self.counts_for(query)?;
            return Ok(search.answer_of(&counts, halted));
        }
        let id_key = self.0.id_key();
        if let Some(query) = search.of_operations() {
            let count = counting::count_by_totals(query, &mut self.0.snapshot()?, id_key)?;
            if let Some(count) = count {
                return Ok(search.answer_count(count));
            }
        }
        search.step(&mut self.0.snapshot()?, id_key)
    }

    pub(crate) fn pages(&mut self) -> &mut P {
        &mut self.0
    }

    pub(crate) fn another(&self) -> Option<PageReader<P>> {
        self.0.another().map(PageReader)
    }

    pub(crate) fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let found = self.get_in_snapshot(id, logs, bytes_max);
        self.0.end();
        found
    }

    pub(crate) fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        let read = self.logs_in_snapshot(id, part);
        self.0.end();
        read
    }

    fn logs_in_snapshot(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        let seq = self.0.id_key().seq_of(id);
        let mut snapshot = self.0.snapshot()?;
        let task = snapshot.task(seq, Columns::Narrow)?.filter(|task| task.id == id);
        let Some(task) = task else { return Ok(None) };
        let mut lines = Vec::new();
        snapshot.logs(seq, part, &mut |line| {
            lines.push(line);
            Ok(())
        })?;
        let last = snapshot.last_log(seq)?;
        Ok(Some(LogsRead { lines, last, is_over: task.state.is_final() }))
    }

    pub(crate) fn step(&mut self, search: &mut Search) -> Result<Step> {
        let stepped = self.step_in_snapshot(search);
        if !matches!(stepped, Ok(Step::More(_))) {
            self.0.end();
        }
        stepped
    }

    pub(crate) fn rest(&mut self, search: Option<&mut Search>) {
        self.0.end();
        if let Some(search) = search {
            search.rest();
        }
    }

    pub(crate) fn changes(&mut self, look: Looking<'_>) -> Result<()> {
        let looked = self.0.snapshot().and_then(|snapshot| look(&mut OneState(snapshot)));
        self.0.end();
        looked
    }

    pub(crate) fn operations(&mut self) -> Result<Vec<Operation>> {
        let operations = self.0.snapshot().and_then(|mut snapshot| snapshot.operations());
        self.0.end();
        let mut operations = operations?;
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(operations)
    }

    pub(crate) fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        let schedules = self.0.snapshot().and_then(|mut snapshot| snapshot.schedules(from, max));
        self.0.end();
        schedules
    }
}

impl<P: Pages> PageReader<P> {
    /// How many tasks are in each state, and how many of the paused ones have a live run, if the
    /// query asks for that.
    fn counts_for(&mut self, query: &Query) -> Result<(Counts, u64)> {
        let counts = self.0.head()?.counts;
        if counts.get(State::Paused) == 0 || !query.fields().has(Field::Status) {
            return Ok((counts, 0));
        }
        let mut snapshot = self.0.snapshot()?;
        let counts = snapshot.head()?.counts;
        let started = snapshot.running()?.len() as u64;
        let halted = started.saturating_sub(counts.get(State::Running));
        debug_assert!(halted <= counts.get(State::Paused), "more have halted than are paused");
        Ok((counts, halted))
    }
}
