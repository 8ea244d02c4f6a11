//! What a turn has changed in the queue, so that it can be taken back.
//!
//! A turn plans in the queue itself: it takes tasks out that end or start, puts those in that
//! enter, and counts runs. If its commit fails, each of these steps is undone, the last one first.
//!
//! # Promises
//! - After a rollback the queue says of the store what it said before (D6). It may know more of it:
//!   what was read meanwhile stays, for that was true before the turn as well.
//!
//! Proof: `tests/dispatch_oracle.rs`; `docs/adr/0006-plan-in-memory.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::bucket::Bucket;
use super::counter::Run;
use super::slot::{GateSlot, OperationSlot};
use crate::fault::{Fault, is_on};
use crate::id::{LaneId, Seq};
use crate::operation::OperationRecord;
use crate::queue::QueueKey;

/// One step of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A task took this position.
    Enter(LaneId, QueueKey),
    /// The task in this position left.
    Leave(LaneId, QueueKey),
    /// A run of this operation began here.
    Begin(OperationSlot, Seq),
    /// A run of this operation that was live here is over.
    End(OperationSlot, Seq),
    /// A run that is live here has halted.
    Halt,
    /// A run that had halted goes on.
    GoOn,
    /// The operation got its number.
    Number(OperationSlot),
    /// The operation got another record.
    Record(OperationSlot),
    /// There is a lane with conditions that was not there before.
    Lane(LaneId),
    /// The operation is offered by another owner, or is not any more.
    Offered(OperationSlot),
}

/// A pick leaves the queue, and its run begins.
pub(super) const STEPS_PER_PICK: usize = 2;

/// The steps of a turn that is neither committed nor rolled back.
#[derive(Debug, Default)]
pub(super) struct Undo {
    steps: Vec<Step>,
    /// What each `Step::Record` has replaced.
    records: Vec<OperationRecord>,
    /// What each `Step::End` has ended, if it was known.
    ended: Vec<Option<Run>>,
    /// What tokens each `Step::Begin` has taken: behind how many steps, where, and what was there.
    tokens: Vec<(usize, GateSlot, Bucket)>,
}

/// What a turn has done behind the window of some lanes: whether a task is in a position now.
pub(super) type Overlay = BTreeMap<(LaneId, QueueKey), bool>;

impl Undo {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// An operation got another record in the place of this one.
    pub(super) fn push_record(&mut self, slot: OperationSlot, replaced: OperationRecord) {
        self.records.push(replaced);
        self.push(Step::Record(slot));
    }

    /// What the last `Step::Record` has replaced.
    pub(super) fn pop_record(&mut self) -> Option<OperationRecord> {
        self.records.pop()
    }

    /// A run of an operation is over.
    pub(super) fn push_end(&mut self, slot: OperationSlot, seq: Seq, run: Option<Run>) {
        self.ended.push(run);
        self.push(Step::End(slot, seq));
    }

    /// What the last `Step::End` has ended, if it was known.
    pub(super) fn pop_end(&mut self) -> Option<Run> {
        self.ended.pop().flatten()
    }

    /// The run that has just begun has taken a token.
    pub(super) fn push_token(&mut self, gate: GateSlot, before: Bucket) {
        debug_assert!(matches!(self.steps.last(), Some(Step::Begin(..))), "a token of no start");
        self.tokens.push((self.steps.len(), gate, before));
    }

    /// What the `Step::Begin` has taken that was the last one a moment ago, if it has.
    pub(super) fn pop_token(&mut self) -> Option<(GateSlot, Bucket)> {
        let steps = self.steps.len() + 1;
        let token = self.tokens.pop_if(|(behind, ..)| *behind == steps);
        token.map(|(_, gate, before)| (gate, before))
    }

    /// Where tokens were taken, once for each.
    pub(super) fn tokens(&self) -> impl Iterator<Item = GateSlot> {
        self.tokens.iter().map(|(_, gate, _)| *gate)
    }

    /// The tasks that have entered the queue in this turn.
    pub(super) fn entered(&self) -> BTreeSet<Seq> {
        let seq = |step: &Step| match step {
            Step::Enter(_, key) => Some(key.seq),
            Step::Leave(..)
            | Step::Begin(..)
            | Step::End(..)
            | Step::Lane(_)
            | Step::Halt
            | Step::GoOn
            | Step::Number(_)
            | Step::Offered(_)
            | Step::Record(_) => None,
        };
        self.steps.iter().filter_map(seq).collect()
    }

    /// Whether a run has begun or ended in this turn.
    pub(super) fn has_runs(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Begin(..) | Step::End(..)))
    }

    pub(super) fn pop(&mut self) -> Option<Step> {
        self.steps.pop()
    }

    /// Whether the last thing that was done was to pick this task.
    pub(super) fn ends_with_pick(&self, lane: LaneId, key: QueueKey) -> bool {
        matches!(self.steps[..], [.., Step::Leave(l, k), Step::Begin(..)] if (l, k) == (lane, key))
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.records.clear();
        self.ended.clear();
        self.tokens.clear();
    }

    /// What the turn has done in these lanes from these positions on.
    pub(super) fn overlay(&self, from: &BTreeMap<LaneId, QueueKey>) -> Overlay {
        let mut overlay = Overlay::new();
        let steps = if is_on(Fault::LoadForgetsTurn) { &[] } else { self.steps.as_slice() };
        for step in steps {
            let (lane, key, is_there) = match *step {
                Step::Enter(lane, key) => (lane, key, true),
                Step::Leave(lane, key) => (lane, key, false),
                Step::Begin(..)
                | Step::End(..)
                | Step::Lane(_)
                | Step::Halt
                | Step::GoOn
                | Step::Number(_)
                | Step::Record(_)
                | Step::Offered(_) => continue,
            };
            if from.get(&lane).is_some_and(|from| *from <= key) {
                overlay.insert((lane, key), is_there);
            }
        }
        overlay
    }
}
