//! Ending, prioritising and watching a task that the caller names.
//!
//! # Promises
//! - A task aborted before it started never runs; an ended one does not change (I-3).
//! - A watch is answered once its task has ended, also one that had ended before.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::dispatch::QueueKey;
use tasker_core::error::{Code, Error};
use tasker_core::id::{Seq, TaskId};
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AbortReason, Outcome, Priority};

use crate::draft::Planner;
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

fn not_found(id: TaskId) -> Error {
    Error::new(Code::NotFound, format!("there is no task {}", id.0))
}

impl<'a> Planner<'a> {
    fn find(&mut self, ticket: Ticket, id: TaskId) -> Option<(Seq, &'a Brief)> {
        let found = self.brief(id);
        if found.is_none() {
            self.answer(Effect::Refuse(ticket, not_found(id)));
        }
        found
    }

    /// Ends a waiting task at once and fires the signal of a running one.
    pub(crate) fn abort(&mut self, ticket: Ticket, id: TaskId, reason: &AbortReason) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_open = match brief.state {
            State::Ready if self.draft.turnover.gone.contains(&seq) => false,
            State::Ready => {
                self.abort_waiting(seq, brief, reason.clone());
                true
            }
            State::Running => self.abort_running(seq, brief, reason.clone()),
            _ => false,
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(is_open)));
    }

    fn abort_waiting(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) {
        let outcome = Outcome::Aborted(abort.cause, abort.reason);
        self.draft.counts.shift(State::Ready, State::Aborted);
        self.draft.turnover.gone.insert(seq);
        self.draft.left.push((brief.lane, QueueKey::new(brief.priority, seq)));
        self.note_end(seq, &outcome);
        self.draft.ended.push((brief.id, outcome.clone()));
        let (lane, at) = (brief.lane, self.now.wall);
        self.draft.changes.push(Change::End { seq, lane, run: None, outcome, at });
    }

    /// The wish is stored with the run, so that it reaches the owner of the run and outlives it.
    fn abort_running(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) -> bool {
        let Some(run) = brief.run else { return false };
        if let Some(live) = self.memory.live.of_task(seq) {
            if self.live(live.no).is_none() {
                return false;
            }
            if self.fired(live).is_none() {
                self.draft.fired.push((live.no, abort.clone()));
            }
        }
        self.draft.changes.push(Change::AskAbort { seq, lane: brief.lane, run, abort });
        true
    }

    /// Gives a waiting task another priority; any other is left as it is.
    pub(crate) fn prioritize(&mut self, ticket: Ticket, id: TaskId, priority: Priority) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_waiting = brief.state == State::Ready && !self.draft.turnover.gone.contains(&seq);
        if is_waiting {
            let lane = brief.lane;
            self.draft.changes.push(Change::Prioritize { seq, lane, priority });
            self.draft.stale.push(brief.lane);
        }
        self.answer(Effect::Answer(ticket, Answer::Flag(is_waiting)));
    }

    /// Answers when the task has ended.
    pub(crate) fn watch(&mut self, ticket: Ticket, id: TaskId) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        match &brief.outcome {
            Some(outcome) => {
                self.answer(Effect::Answer(ticket, Answer::Ended(outcome.clone())));
            }
            None => self.note_watch(seq, ticket),
        }
    }
}
