//! Removing ended tasks: one that a caller names, and those whose retention is over.
//!
//! # Promises
//! - Only what has ended is removed, and never before its retention is over, nor while a task that
//!   depends on it has not ended.
//! - With a task goes all that is of it, in the same commit; the key of an outbox stays (I-20).
//!
//! # Left to others
//! Which tasks to look at when a timer fires: `timers`. How long a task is kept:
//! [`tasker_core::retention`].
//!
//! Proof: `proof/tests/engine/removals.rs`, `conformance::removal`.

use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::retention::{Retention, timer_again};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change, Expired, Note};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
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

    /// Whether a task that has not ended depends on this one, in the store or among the new ones.
    pub(crate) fn is_needed(&self, seq: Seq, brief: &Brief) -> bool {
        (brief.is_needed || self.draft.needed.contains(&seq))
            && !is_on(Fault::RemovalForgetsDependents)
    }

    /// Removes a task if it has ended and nobody needs it; whether it was.
    pub(crate) fn remove_task(&mut self, seq: Seq, brief: &Brief) -> bool {
        let may = Self::allows(TransitionKind::Purge, brief.state) && !self.is_needed(seq, brief);
        if may {
            let Brief { id, lane, priority, state, .. } = *brief;
            self.purge_task((seq, lane), Note { state, priority: Some(priority), id: Some(id) });
        }
        may
    }

    /// Removes the tasks whose retention is over, unless a verb of this turn has opened one again.
    pub(crate) fn purge(&mut self, expired: &[Expired]) {
        for Expired { seq, lane, state, id, priority, kept_ms, is_needed } in expired {
            if self.draft.removed.contains(seq) || self.draft.reopened.contains(seq) {
                continue;
            }
            if *is_needed || self.draft.needed.contains(seq) {
                // Those who need it may end at any moment, and nobody counts them.
                self.look_again(timer_again(*seq, *kept_ms, self.now.wall), *lane);
            } else {
                let note = Note { state: *state, priority: Some(*priority), id: Some(*id) };
                self.purge_task((*seq, *lane), note);
            }
        }
    }

    fn purge_task(&mut self, (seq, lane): (Seq, LaneId), note: Note) {
        if self.draft.removed.is_empty() {
            // What is kept of removed tasks has an end too, and this is when the file has time.
            self.draft.purges.push(Change::SweepKeys(self.now.wall));
        }
        // Behind the keys that tasks take in this turn: what it has taken goes with it.
        let purge = Change::Purge { seq, lane, from: note.state, at: self.now.wall };
        self.note(Some(note.state), &purge);
        self.draft.purges.push(purge);
        self.draft.purge_notes.push(note);
    }

    /// Nothing of this turn finds a removed task any more.
    pub(crate) fn note_removal(&mut self, seq: Seq) {
        self.note_log_news(seq);
        self.facts.briefs.remove(&seq);
        self.facts.states.remove(&seq);
        let is_new = self.draft.removed.insert(seq);
        debug_assert!(is_new, "task {} is removed twice", seq.0);
    }

    /// A task ends that is not kept for ever: something looks at it when that is over.
    pub(crate) fn retain(
        &mut self,
        of: &Retention,
        (seq, lane): (Seq, LaneId),
        state: State,
        ended_at: WallMs,
    ) {
        if let Some(timer) = of.timer(seq, state, ended_at) {
            self.look_again(timer, lane);
        }
    }

    fn look_again(&mut self, timer: Timer, lane: LaneId) {
        if self.draft.purge_timers.insert(timer) {
            self.draft.changes.push(Change::Timer { timer, lane });
            self.wake_at(Some(timer.at));
        }
    }
}
