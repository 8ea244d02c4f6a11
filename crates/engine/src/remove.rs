//! Removing ended tasks: one that a caller names, and those whose retention is over.
//!
//! # Promises
//! - Only what has ended is removed, and never before its retention is over.
//! - With a task goes all that is of it, in the same commit; the key of an outbox stays (I-20).
//!
//! # Left to others
//! Which tasks to look at when a timer fires: `timers`. How long a task is kept:
//! [`tasker_core::retention`].
//!
//! Proof: `proof/tests/engine/removals.rs`, `conformance::removal`.

use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::retention::Retention;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, Expired};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Removes a task if it has ended.
    pub(crate) fn remove(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_removed = self.remove_task(seq, &brief);
        self.answer(Effect::Answer(ticket, Answer::Flag(is_removed)));
    }

    /// Removes a task if it has ended; whether it has.
    pub(crate) fn remove_task(&mut self, seq: Seq, brief: &Brief) -> bool {
        let may = Self::allows(TransitionKind::Purge, brief.state);
        if may {
            self.purge_task(seq, brief.lane, brief.state);
        }
        may
    }

    /// Removes the tasks whose retention is over, unless a verb of this turn has opened one again.
    pub(crate) fn purge(&mut self, expired: &[Expired]) {
        for Expired { seq, lane, state } in expired {
            let is_gone = self.draft.removed.contains(seq) || self.draft.reopened.contains(seq);
            if !is_gone {
                self.purge_task(*seq, *lane, *state);
            }
        }
    }

    fn purge_task(&mut self, seq: Seq, lane: LaneId, state: State) {
        if self.draft.removed.is_empty() {
            // What is kept of removed tasks has an end too, and this is when the file has time.
            self.draft.changes.push(Change::SweepKeys(self.now.wall));
        }
        self.transition(Some(state), Change::Purge { seq, lane, at: self.now.wall });
    }

    /// Nothing of this turn finds a removed task any more.
    pub(crate) fn note_removal(&mut self, seq: Seq) {
        self.facts.briefs.remove(&seq);
        let is_new = self.draft.removed.insert(seq);
        debug_assert!(is_new, "task {} is removed twice", seq.0);
    }

    /// A task ends that is not kept for ever: something looks at it when that is over.
    pub(crate) fn retain(&mut self, of: &Retention, seq: Seq, state: State, ended_at: WallMs) {
        let Some(timer) = of.timer(seq, state, ended_at) else { return };
        if self.draft.purge_timers.insert(timer) {
            self.draft.changes.push(Change::Wake(timer));
            self.wake_at(Some(timer.at));
        }
    }
}
