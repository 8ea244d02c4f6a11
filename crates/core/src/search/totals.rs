//! How many tasks each operation has, and how many of them have ended how, so that counting them
//! looks at none.
//!
//! A backend stores the totals and brings them up to date from its journal, many commits at a time,
//! together with the outlines; what the journal says since then is added when a search asks. So no
//! commit pays for them. The one thing that the journal does not say, in which end a task was that
//! is opened again or removed, stands beside it.
//!
//! # Promises
//! - Totals that took every batch once are those of a recount.
//!
//! Proof: `conformance::head`; the audit compares them with a recount.

use std::collections::BTreeMap;

use crate::error::{Code, Error, Result};
use crate::id::OperationId;
use crate::journal::{self, put_varint, take_varint};
use crate::state::State;
use crate::store::Change;
use crate::transition::After;

/// How many tasks an operation has; less than nothing in what a batch adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// In any state.
    pub all: i64,
    /// That are done.
    pub done: i64,
    /// That have failed.
    pub failed: i64,
    /// That were aborted.
    pub aborted: i64,
}

impl Total {
    /// Adds another one.
    pub fn add(&mut self, other: &Total) {
        let Total { all, done, failed, aborted } = other;
        self.all += all;
        self.done += done;
        self.failed += failed;
        self.aborted += aborted;
    }

    fn ended(&mut self, state: State) -> Option<&mut i64> {
        match state {
            State::Done => Some(&mut self.done),
            State::Failed => Some(&mut self.failed),
            State::Aborted => Some(&mut self.aborted),
            State::Blocked
            | State::Delayed
            | State::Ready
            | State::Paused
            | State::Claimed
            | State::Running => None,
        }
    }
}

/// The totals of operations, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<OperationId, Total>);

impl Totals {
    /// Takes what a batch did: its journal entry, and what left which end by it.
    ///
    /// # Errors
    /// `Corrupt` for what cannot be read.
    pub fn take_batch(&mut self, entry: &[u8], mut left: &[u8]) -> Result<()> {
        for group in journal::unpack_groups(entry) {
            let (first, count) = group?;
            let rule = first.kind.rule();
            if !rule.is_of_task() {
                continue;
            }
            let total = self.0.entry(first.lane.operation()).or_default();
            let count = count as i64;
            if rule.leads_from(None) {
                total.all += count;
            }
            match rule.after {
                After::Becomes(state) => {
                    total.ended(state).into_iter().for_each(|ended| *ended += count);
                }
                After::Removed => total.all -= count,
                After::Stays => {}
            }
        }
        while !left.is_empty() {
            let (operation, state, count) = take_left(&mut left).ok_or_else(unreadable)?;
            let total = self.0.entry(operation).or_default();
            *total.ended(state).ok_or_else(unreadable)? -= count;
        }
        Ok(())
    }
}

fn unreadable() -> Error {
    Error::new(Code::Corrupt, "what left which end cannot be read")
}

/// How many tasks leave which end by these changes, to be stored beside their journal entry;
/// nothing if none does.
pub fn left_ends(changes: &[Change]) -> Option<Vec<u8>> {
    let mut left: BTreeMap<(OperationId, u8), u64> = BTreeMap::new();
    for change in changes {
        match change {
            // A task that leaves its end has to say here which one it was.
            Change::Reopen { lane, from, .. } | Change::Purge { lane, from, .. } => {
                *left.entry((lane.operation(), from.code())).or_default() += 1;
            }
            Change::Add { .. }
            | Change::AddDelayed { .. }
            | Change::AddBlocked { .. }
            | Change::End { .. }
            | Change::Operation(_)
            | Change::Key { .. }
            | Change::Due { .. }
            | Change::Fired(_)
            | Change::Start { .. }
            | Change::Release { .. }
            | Change::Delay { .. }
            | Change::HoldBack { .. }
            | Change::Free { .. }
            | Change::Hold(_)
            | Change::Schedule(_)
            | Change::Prioritize { .. }
            | Change::Update { .. }
            | Change::SetQueueTimeout { .. }
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::Unblock { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::SweepKeys(_)
            | Change::Gate(_)
            | Change::Outside(_)
            | Change::Sort { .. }
            | Change::Offer(_)
            | Change::Bury(_)
            | Change::Timer { .. }
            | Change::RequestAbort { .. }
            | Change::Progress { .. }
            | Change::RequestPostpone { .. }
            | Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. }
            | Change::Log { .. } => {}
        }
    }
    let mut bytes = Vec::new();
    for ((operation, state), count) in &left {
        for value in [u64::from(operation.0), u64::from(*state), *count] {
            put_varint(&mut bytes, value);
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

fn take_left(bytes: &mut &[u8]) -> Option<(OperationId, State, i64)> {
    let operation = OperationId(take_varint(bytes)?.try_into().ok()?);
    let state = State::from_code(take_varint(bytes)?.try_into().ok()?)?;
    Some((operation, state, take_varint(bytes)?.try_into().ok()?))
}
