//! What other owners of the store committed since memory was last brought up to date.
//!
//! # Promises
//! - Memory then mirrors the store as it stands in the open transaction: counters, numbers,
//!   operations,
//!   windows, remote runs (I-6, I-7, I-8).
//! - Waiters are answered and signals fire also for what another owner did (I-11, I-12).
//! - Where the journal does not reach back far enough, or memory was found to be wrong, everything
//!   is read anew instead.
//! - What could not be read changes nothing, so that it can be read again.
//!
//! # Left to others
//! Telling what others did as events: `forward`. Recovering the dead: `recover`.
//!
//! Proof: `proof/tests/engine/shared.rs`, `proof/tests/random`, the storm.

use rustc_hash::FxHashSet;
use tasker_core::error::Result;
use tasker_core::id::{LaneId, RunId, Seq};
use tasker_core::journal::{self, Transition};
use tasker_core::store::{Entry, Lane, Operation, ReadTransaction};
use tasker_core::task::{AbortReason, TaskEnd};
use tasker_core::transition::{RunEffect, TransitionKind};

use crate::effect::{AbortSignal, Answer, Effect};
use crate::input::RunSlot;
use crate::live::Run;
use crate::memory::{Freshness, Memory};

/// Brings memory up to date. What may fail comes first: until everything is read, nothing changes
/// but that memory knows that it is behind.
pub(crate) fn catch_up(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    if transaction.has_news() {
        memory.freshness = memory.freshness.max(Freshness::Behind);
    }
    if memory.freshness == Freshness::Current {
        return Ok(());
    }
    let head = transaction.head()?;
    if memory.freshness == Freshness::Wrong {
        reload(transaction, memory, effects)?;
    } else if head.number != memory.number {
        let entries = transaction.journal(memory.number, usize::MAX)?;
        if entries.first().is_some_and(|entry| entry.number == memory.number + 1) {
            RemoteChanges::of(&entries, memory)?.apply(transaction, memory, effects)?;
        } else {
            reload(transaction, memory, effects)?;
        }
    }
    (memory.number, memory.seq_next, memory.counts) = (head.number, head.seq_next, head.counts);
    memory.freshness = Freshness::Current;
    Ok(())
}

/// Reads everything anew that memory mirrors.
fn reload(
    transaction: &mut dyn ReadTransaction,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let operations = transaction.operations()?;
    let remote_runs = transaction.remote_runs()?;
    let live: Vec<Seq> = memory.live.in_order().iter().map(|run| run.seq).collect();
    let tidings = Tidings::read(transaction, memory, memory.waiters.tasks(), &live)?;

    memory.learn_operations(&operations);
    memory.dispatch.forget_windows();
    memory.dispatch.clear_remote_runs();
    for (lane, runs) in remote_runs {
        memory.dispatch.add_remote_runs(lane, runs);
    }
    tidings.tell(memory, effects);
    Ok(())
}

impl Memory {
    /// Makes the operations known that are not yet.
    fn learn_operations(&mut self, operations: &[Operation]) {
        for operation in operations {
            if self.dispatch.lane_of(&operation.name).is_none() {
                self.add_operation(operation, false);
            }
        }
    }

    /// Makes an operation known; one that is new has no task yet.
    pub(crate) fn add_operation(&mut self, operation: &Operation, is_new: bool) {
        self.next_operation = self.next_operation.max(usize::from(operation.id.0) + 1);
        let (id, operation) = (LaneId::new(operation.id, 0), operation.name.clone());
        self.dispatch.add_lane(&Lane { id, operation }, is_new);
    }
}

/// What others did to tasks that somebody waits for, and to runs of ours.
struct Tidings {
    ended: Vec<(Seq, TaskEnd)>,
    aborted: Vec<(RunSlot, AbortReason)>,
}

impl Tidings {
    /// Of these awaited tasks those that have ended, and of the live runs of these tasks those that
    /// are to be aborted and do not know it.
    fn read(
        transaction: &mut dyn ReadTransaction,
        memory: &Memory,
        awaited: Vec<Seq>,
        live: &[Seq],
    ) -> Result<Tidings> {
        let briefs = transaction.briefs(&awaited)?;
        let ends = briefs.into_iter().map(|brief| brief.and_then(|brief| brief.outcome));
        let ended = awaited.into_iter().zip(ends).filter_map(|(seq, end)| Some((seq, end?)));

        let runs = live.iter().filter_map(|seq| memory.live.of_task(*seq));
        let runs: Vec<&Run> = runs.filter(|run| run.fired.is_none()).collect();
        let names: Vec<(Seq, RunId)> = runs.iter().map(|run| (run.seq, run.run)).collect();
        let reasons = transaction.abort_requests(&names)?;
        let aborted = runs.iter().zip(reasons).filter_map(|(run, why)| Some((run.slot, why?)));
        Ok(Tidings { ended: ended.collect(), aborted: aborted.collect() })
    }

    /// Answers those who wait, and fires the signals.
    fn tell(self, memory: &mut Memory, effects: &mut Vec<Effect>) {
        for (seq, end) in self.ended {
            for ticket in memory.waiters.take(seq) {
                effects.push(Effect::Answer(ticket, Answer::Ended(end.clone())));
            }
        }
        for (slot, reason) in self.aborted {
            memory.live.fire(slot, reason.clone());
            effects.push(Effect::Abort(slot, AbortSignal::Abort(reason)));
        }
    }
}

/// What concerns us in the batches of others.
#[derive(Default)]
struct RemoteChanges {
    has_new_operations: bool,
    /// Lanes whose queue has changed.
    stale: FxHashSet<LaneId>,
    /// Runs that began and are over, in order.
    runs: Vec<(LaneId, bool)>,
    /// Tasks that ended while somebody here waits for that.
    ended: Vec<Seq>,
    /// Our runs that are to be aborted.
    asked: Vec<Seq>,
}

impl RemoteChanges {
    fn of(entries: &[Entry], memory: &Memory) -> Result<RemoteChanges> {
        let mut changes = RemoteChanges::default();
        for entry in entries {
            for transition in journal::unpack(&entry.transitions) {
                changes.note(transition?, memory);
            }
        }
        Ok(changes)
    }

    fn note(&mut self, Transition { seq, lane, kind, .. }: Transition, memory: &Memory) {
        self.has_new_operations |= memory.dispatch.lane(lane).is_none();
        let rule = kind.rule();
        match rule.runs {
            RunEffect::Begins => self.runs.push((lane, true)),
            RunEffect::Ends => self.runs.push((lane, false)),
            RunEffect::Keeps => {}
        }
        if rule.changes_queue() {
            self.stale.insert(lane);
        }
        if kind == TransitionKind::RequestAbort && memory.live.of_task(seq).is_some() {
            self.asked.push(seq);
        }
        if rule.is_end() && memory.waiters.has(seq) {
            self.ended.push(seq);
        }
    }

    fn apply(
        self,
        transaction: &mut dyn ReadTransaction,
        memory: &mut Memory,
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        let operations =
            if self.has_new_operations { transaction.operations()? } else { Vec::new() };
        let tidings = Tidings::read(transaction, memory, self.ended, &self.asked)?;

        memory.learn_operations(&operations);
        for lane in self.stale {
            memory.dispatch.forget_window(lane);
        }
        for (lane, has_begun) in self.runs {
            if has_begun {
                memory.dispatch.add_remote_runs(lane, 1);
            } else {
                memory.dispatch.remove_remote_runs(lane, 1);
            }
        }
        tidings.tell(memory, effects);
        Ok(())
    }
}
