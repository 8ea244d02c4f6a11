//! Aborting a task that the caller names.
//!
//! # Promises
//! - A task aborted before it started never runs; an ended one does not change (I-3).
//!
//! Proof: `proof/tests/engine`.

use tasker_core::dispatch::QueueKey;
use tasker_core::id::{Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AbortReason, TaskEnd};

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Ends a ready task at once and fires the signal of a running one.
    pub(crate) fn abort(&mut self, ticket: Ticket, id: TaskId, reason: &AbortReason) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_open = match brief.state {
            State::Ready if self.draft.turnover.gone.contains(&seq) => false,
            State::Ready => {
                self.abort_ready(seq, brief, reason.clone());
                true
            }
            State::Running => self.abort_running(seq, brief, reason.clone()),
            _ => false,
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(is_open)));
    }

    fn abort_ready(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) {
        let outcome = TaskEnd::Aborted(abort.cause, abort.reason);
        self.draft.counts.shift(State::Ready, State::Aborted);
        self.draft.turnover.gone.insert(seq);
        self.draft.departures.push((brief.lane, QueueKey::new(brief.priority, seq)));
        self.note_end(seq, &outcome);
        self.draft.task_ends.push((brief.id, outcome.clone()));
        let (lane, priority) = (brief.lane, self.priority(seq, brief));
        let at = self.now_or(brief.latest_at);
        self.draft.changes.push(Change::End { seq, lane, priority, run: None, outcome, at });
    }

    /// The request is stored with the run, so that it reaches the owner of the run and outlives it.
    fn abort_running(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) -> bool {
        let Some(run) = brief.run else { return false };
        if let Some(live) = self.memory.live.of_task(seq) {
            if self.live(live.slot).is_none() {
                return false;
            }
            if self.fired(live).is_none() {
                self.draft.fired.push((live.slot, abort.clone()));
            }
        }
        self.draft.changes.push(Change::RequestAbort { seq, lane: brief.lane, run, abort });
        true
    }
}
