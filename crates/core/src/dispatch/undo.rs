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

use super::breaker::Breaker;
use super::bucket::Bucket;
use super::counter::Run;
use super::slot::{GateSlot, OperationSlot, TakerId};
use crate::circuit::Turned;
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
    /// A task of this operation was taken, by this one.
    Claim(OperationSlot, Seq, TakerId),
    /// A run of this operation that an executor had is over.
    EndOutside(OperationSlot, Seq),
    /// A run of this operation that was live here is over.
    End(OperationSlot, Seq),
    /// A run that is live here has given its place up.
    GivePlace,
    /// A run that was live here without a place has taken one.
    TakePlace,
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
    /// What each `Step::End` and `Step::EndOutside` has ended, if it was known.
    ended: Vec<Option<Run>>,
    /// What tokens each `Step::Begin` has taken: behind how many steps, where, and what was there.
    tokens: Vec<(usize, GateSlot, Bucket)>,
    /// What each `Step::Begin` of a probe has changed.
    probes: Vec<Probe>,
}

/// A probe has begun: behind how many steps, where, what was there, and what became of it by that.
type Probe = (usize, GateSlot, Box<Breaker>, Option<Turned>);

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

    /// The same of a run that an executor had.
    pub(super) fn push_outside_end(&mut self, slot: OperationSlot, seq: Seq, run: Option<Run>) {
        self.ended.push(run);
        self.push(Step::EndOutside(slot, seq));
    }

    /// What the last of these steps has ended, if it was known.
    pub(super) fn pop_end(&mut self) -> Option<Run> {
        self.ended.pop().flatten()
    }

    /// The run that has just begun has taken a token.
    pub(super) fn push_token(&mut self, gate: GateSlot, before: Bucket) {
        let begins = matches!(self.steps.last(), Some(Step::Begin(..) | Step::Claim(..)));
        debug_assert!(begins, "a token of no start");
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

    /// The run that has just begun is a probe.
    pub(super) fn push_probe(&mut self, gate: GateSlot, before: Breaker, turned: Option<Turned>) {
        debug_assert!(matches!(self.steps.last(), Some(Step::Begin(..))), "a probe of no start");
        self.probes.push((self.steps.len(), gate, Box::new(before), turned));
    }

    /// Where the `Step::Begin` that was the last one a moment ago has begun a probe, if it has.
    pub(super) fn pop_probe(&mut self) -> Option<(GateSlot, Breaker)> {
        let steps = self.steps.len() + 1;
        let probe = self.probes.pop_if(|(behind, ..)| *behind == steps);
        probe.map(|(_, gate, before, _)| (gate, *before))
    }

    /// The circuits to which probes were added, once for each, and what has become of them by that.
    pub(super) fn probes(&self) -> impl Iterator<Item = (GateSlot, Option<Turned>)> {
        self.probes.iter().map(|(_, gate, _, turned)| (*gate, *turned))
    }

    /// The tasks that have entered the queue in this turn.
    pub(super) fn entered(&self) -> BTreeSet<Seq> {
        let seq = |step: &Step| match step {
            Step::Enter(_, key) => Some(key.seq),
            Step::Leave(..)
            | Step::Begin(..)
            | Step::Claim(..)
            | Step::EndOutside(..)
            | Step::End(..)
            | Step::Lane(_)
            | Step::GivePlace
            | Step::TakePlace
            | Step::Number(_)
            | Step::Offered(_)
            | Step::Record(_) => None,
        };
        self.steps.iter().filter_map(seq).collect()
    }

    /// Whether a run has begun or ended in this turn.
    pub(super) fn has_runs(&self) -> bool {
        let is_of_run = |step: &Step| {
            matches!(step, Step::Begin(..) | Step::End(..) | Step::Claim(..) | Step::EndOutside(..))
        };
        self.steps.iter().any(is_of_run)
    }

    pub(super) fn pop(&mut self) -> Option<Step> {
        self.steps.pop()
    }

    /// Takes off what was done since this task was picked: others were picked that were held back,
    /// and left the queue. What they did is done, and makes no difference to the pick.
    pub(super) fn take_off_behind_pick(&mut self, lane: LaneId, key: QueueKey) -> Vec<Step> {
        let is_pick = |steps: &[Step]| {
            matches!(steps, [Step::Leave(l, k), Step::Begin(_, seq) | Step::Claim(_, seq, _)]
                if (*l, *k, *seq) == (lane, key, key.seq))
        };
        let at = self.steps.windows(STEPS_PER_PICK).rposition(is_pick);
        debug_assert!(at.is_some(), "{key:?} is taken back and was not picked");
        let behind = at.map_or(self.steps.len(), |at| at + STEPS_PER_PICK);
        let steps = self.steps.split_off(behind);
        debug_assert!(
            steps.iter().all(|step| matches!(step, Step::Leave(..))),
            "{key:?} is not the last that was picked: {steps:?}"
        );
        steps
    }

    /// These steps have been done too.
    pub(super) fn append(&mut self, mut steps: Vec<Step>) {
        self.steps.append(&mut steps);
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.records.clear();
        self.ended.clear();
        self.tokens.clear();
        self.probes.clear();
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
                | Step::Claim(..)
                | Step::EndOutside(..)
                | Step::End(..)
                | Step::Lane(_)
                | Step::GivePlace
                | Step::TakePlace
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
