//! How many tasks of each operation are in which state, so that counting them looks at none; and
//! how large a store is.
//!
//! A backend stores the totals and brings them up to date from its journal, many commits at a time,
//! together with the outlines; what the journal says since then is added when somebody asks. So no
//! commit pays for them.
//!
//! # Promises
//! - Totals that took every batch once are those of a recount.
//!
//! # Left to others
//! What a batch brought from one state into another: `journal_notes`.
//!
//! Proof: `conformance::head`; the audit compares them with a recount.

use std::collections::BTreeMap;

use crate::id::OperationId;
use crate::state::State;

/// How many tasks of an operation are in each state; less than nothing in what a batch adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total([i64; State::ALL.len()]);

impl Total {
    /// How many are in this state.
    pub fn of(&self, state: State) -> i64 {
        self.0[place(state)]
    }

    /// So many more are in this state.
    pub fn add(&mut self, state: State, count: i64) {
        self.0[place(state)] += count;
    }

    /// Those of another operation are counted with these.
    pub fn merge(&mut self, other: &Total) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }
}

/// Who has a store open, and how large it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many owners live, this one too, as far as `refresh_owners` has found.
    pub owners: u64,
    /// How many bytes it takes; nothing if it is in no file.
    pub bytes: Option<Bytes>,
}

/// How many bytes a store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Its file, when all of the log is in it.
    pub file: u64,
    /// The log beside it.
    pub wal: u64,
    /// Of its file what is free for what comes next.
    pub free: u64,
}

fn place(state: State) -> usize {
    usize::from(state.code()) - 1
}

/// The totals of operations, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<OperationId, Total>);

impl Totals {
    /// So many tasks of an operation have moved: from nothing if they entered, to nothing if they
    /// were removed.
    pub fn shift(
        &mut self,
        operation: OperationId,
        (from, to): (Option<State>, Option<State>),
        count: i64,
    ) {
        if from == to {
            return;
        }
        let total = self.0.entry(operation).or_default();
        from.into_iter().for_each(|state| total.add(state, -count));
        to.into_iter().for_each(|state| total.add(state, count));
    }
}
