//! What other owners of the store committed since memory was last brought up to date.
//!
//! # Promises
//! - Memory then mirrors the store as it stands in the open transaction: counters, numbers, lanes,
//!   windows, remote runs (I-6, I-7, I-8).
//! - Waiters are answered and signals fire also for what another owner did (I-11, I-12).
//! - Where the journal does not reach back far enough, everything is read anew instead.
//!
//! # Left to others
//! Telling what others did as events: `forward`. Recovering the dead: `recover`.
//!
//! Proof: `proof/tests/engine/shared.rs`, `proof/tests/random`, the storm.

use rustc_hash::FxHashSet;
use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal::{self, Transition, TransitionKind};
use tasker_core::store::{Entry, Store};

use crate::effect::{AbortSignal, Answer, Effect};
use crate::memory::Memory;

/// Brings memory up to date, inside a transaction.
pub(crate) fn catch_up(
    store: &mut dyn Store,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let head = store.head()?;
    if head.number == memory.number {
        return Ok(());
    }
    let entries = store.journal(memory.number, usize::MAX)?;
    if entries.first().is_some_and(|entry| entry.number == memory.number + 1) {
        RemoteChanges::of(&entries, memory)?.apply(store, memory, effects)?;
    } else {
        reload(store, memory, effects)?;
    }
    (memory.number, memory.seq_next, memory.counts) = (head.number, head.seq_next, head.counts);
    Ok(())
}

/// Reads everything anew that memory mirrors, inside a transaction.
pub(crate) fn reload(
    store: &mut dyn Store,
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let head = store.head()?;
    load_lanes(store, memory)?;
    memory.dispatch.forget_windows();
    load_remote_runs(store, memory)?;
    for seq in memory.waiters.tasks() {
        answer_waiters(store, memory, seq, effects)?;
    }
    let live: Vec<Seq> = memory.live.in_order().iter().map(|run| run.seq).collect();
    for seq in live {
        fire_if_asked(store, memory, seq, effects)?;
    }
    // Last: a reading that failed half-way must be made again.
    (memory.number, memory.seq_next, memory.counts) = (head.number, head.seq_next, head.counts);
    Ok(())
}

/// Counts the live runs of other owners.
pub(crate) fn load_remote_runs(store: &mut dyn Store, memory: &mut Memory) -> Result<()> {
    memory.dispatch.clear_remote_runs();
    for (lane, runs) in store.remote_runs()? {
        memory.dispatch.add_remote_runs(lane, runs);
    }
    Ok(())
}

/// Makes the lanes known that are not yet.
pub(crate) fn load_lanes(store: &mut dyn Store, memory: &mut Memory) -> Result<()> {
    for lane in store.lanes()? {
        memory.next_lane = memory.next_lane.max(lane.id.0 + 1);
        if memory.dispatch.lane(lane.id).is_none() {
            memory.dispatch.add_lane(&lane, false);
        }
    }
    Ok(())
}

/// What concerns us in the batches of others.
#[derive(Default)]
struct RemoteChanges {
    has_new_lanes: bool,
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
        self.has_new_lanes |= memory.dispatch.lane(lane).is_none();
        match kind {
            TransitionKind::Start | TransitionKind::AddStart => self.runs.push((lane, true)),
            TransitionKind::Done
            | TransitionKind::Fail
            | TransitionKind::Abort
            | TransitionKind::Postpone
            | TransitionKind::Lost => {
                self.runs.push((lane, false));
            }
            TransitionKind::RequestAbort if memory.live.of_task(seq).is_some() => {
                self.asked.push(seq);
            }
            TransitionKind::Add
            | TransitionKind::Prioritize
            | TransitionKind::Withdraw
            | TransitionKind::Leave
            | TransitionKind::RequestAbort => {}
        }
        if kind.changes_queue() {
            self.stale.insert(lane);
        }
        let is_end = kind.state().is_some_and(|state| state.is_final());
        if is_end && memory.waiters.has(seq) {
            self.ended.push(seq);
        }
    }

    fn apply(
        self,
        store: &mut dyn Store,
        memory: &mut Memory,
        effects: &mut Vec<Effect>,
    ) -> Result<()> {
        // First what may fail, which does no harm when it is done again.
        if self.has_new_lanes {
            load_lanes(store, memory)?;
        }
        for seq in self.ended {
            answer_waiters(store, memory, seq, effects)?;
        }
        for seq in self.asked {
            fire_if_asked(store, memory, seq, effects)?;
        }
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
        Ok(())
    }
}

/// Answers those who wait for a task, if it has ended.
fn answer_waiters(
    store: &mut dyn Store,
    memory: &mut Memory,
    seq: Seq,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let Some(outcome) = store.brief(seq)?.and_then(|brief| brief.outcome) else { return Ok(()) };
    for ticket in memory.waiters.take(seq) {
        effects.push(Effect::Answer(ticket, Answer::Ended(outcome.clone())));
    }
    Ok(())
}

/// Fires the signal of our run of a task, if somebody asked for that.
fn fire_if_asked(
    store: &mut dyn Store,
    memory: &mut Memory,
    seq: Seq,
    effects: &mut Vec<Effect>,
) -> Result<()> {
    let Some(run) = memory.live.of_task(seq).filter(|run| run.fired.is_none()) else {
        return Ok(());
    };
    let slot = run.slot;
    if let Some(reason) = store.abort_request(seq, run.run)? {
        memory.live.fire(slot, reason.clone());
        effects.push(Effect::Abort(slot, AbortSignal::Abort(reason)));
    }
    Ok(())
}
