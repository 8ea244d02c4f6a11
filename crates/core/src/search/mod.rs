//! Reading for users over a backend that gives pages: search, filter and bounded sort.
//!
//! A backend implements [`Pages`]; all that a query, a sort and a limit mean is done here, once for
//! every backend. A search holds nothing of the backend between two pages.
//!
//! # Promises
//! - A read sees what was committed before the call (I-16).
//! - Sorting with a limit keeps no more than twice the limit in memory.
//! - A query about states alone is answered by the counters, whatever its form.
//!
//! # Left to others
//! What matches is [`crate::query`]'s, what a document is [`crate::document`]'s. When a read is
//! given up is the caller's: it is asked between pages.
//!
//! Proof: `conformance::reader` and `conformance::order` on every backend, beside the model, which
//! reads by looking at every task; `crates/sqlite/tests/read.rs`.

#[allow(clippy::wildcard_enum_match_arm, reason = "what it does not know narrows nothing")]
mod filter;
mod pages;
mod load;
mod queues;
mod candidates;
mod scan;
mod top_k;

use crate::error::Result;
use crate::id::{Seq, TaskId};
use crate::query::{Field, Object, Query, Value};
use crate::read::{Cancelled, Find, Found, ReadBudget, Reader, WithLogs};
use crate::state::{Counts, State};
use crate::store::Operation;

pub use filter::{Filter, Range};
pub use pages::{Columns, Pages, Place, QueueHead, QueuePart, Snapshot};
use scan::{Scan, Wanted};
use top_k::TopK;

/// The reading side of a backend that gives pages.
#[derive(Debug)]
pub struct PageReader<P>(P);

impl<P: Pages> PageReader<P> {
    /// A reader of these pages.
    pub fn new(pages: P) -> Self {
        Self(pages)
    }
}

impl<P: Pages> Reader for PageReader<P> {
    fn get(
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

    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>> {
        let id_key = self.0.id_key();
        let mut snapshot = self.0.snapshot()?;
        let mut scan = Scan::begin(&mut snapshot, id_key, Wanted::to_find(find))?;
        let mut top = TopK::new(find);
        // All that matches is returned: what is too much need not be read to its end.
        let returns_all = find.limit.is_none() && find.skip == 0;
        let mut budget = ReadBudget::new(find.bytes_max);
        while !top.is_complete()
            && let Some(matches) = scan.page(&mut snapshot, cancelled)?
        {
            if returns_all {
                matches.tasks.iter().try_for_each(|(task, _)| budget.take_task(task))?;
            }
            top.take(matches.tasks, matches.is_ordered);
        }
        scan.complete(&mut snapshot, top.finish(), find, cancelled)
    }

    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool> {
        if asks_states_only(query) {
            return Ok(count_states(query, &self.0.head()?.counts) > 0);
        }
        let id_key = self.0.id_key();
        let mut snapshot = self.0.snapshot()?;
        let mut scan = Scan::begin(&mut snapshot, id_key, Wanted::by(query))?;
        while let Some(matches) = scan.page(&mut snapshot, cancelled)? {
            if !matches.tasks.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        if asks_states_only(query) {
            return Ok(count_states(query, &self.0.head()?.counts));
        }
        let id_key = self.0.id_key();
        let mut snapshot = self.0.snapshot()?;
        let mut scan = Scan::begin(&mut snapshot, id_key, Wanted::by(query))?;
        let mut count = 0;
        while let Some(matches) = scan.page(&mut snapshot, cancelled)? {
            count += matches.tasks.len() as u64;
        }
        Ok(count)
    }

    fn matching(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Seq>> {
        let id_key = self.0.id_key();
        let mut snapshot = self.0.snapshot()?;
        let next = snapshot.head()?.seq_next;
        let mut scan = Scan::begin(&mut snapshot, id_key, Wanted::by(query))?;
        let mut seqs = Vec::new();
        while let Some(matches) = scan.page(&mut snapshot, cancelled)? {
            let found = matches.tasks.iter().map(|(task, _)| task.seq);
            seqs.extend(found.filter(|seq| *seq < next));
        }
        seqs.sort_unstable();
        debug_assert!(seqs.is_sorted_by(|one, next| one < next), "a task is found twice");
        Ok(seqs)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut operations = self.0.snapshot()?.operations()?;
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(operations)
    }
}

fn asks_states_only(query: &Query) -> bool {
    query.fields().iter().all(|field| matches!(field, Field::Status | Field::State))
}

/// How many tasks are in the states that match.
fn count_states(query: &Query, counts: &Counts) -> u64 {
    let matches = |state: &&State| {
        query.matches(&Value::Object(Object::new(vec![
            (Field::Status.as_str().into(), Value::text(state.status().as_str())),
            (Field::State.as_str().into(), Value::text(state.as_str())),
        ])))
    };
    State::ALL.iter().filter(matches).map(|state| counts.get(*state)).sum()
}
