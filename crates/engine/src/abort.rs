//! Aborting a task that the caller names.
//!
//! # Promises
//! - A task aborted before it started never runs; an ended one does not change (I-3).
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::{RunId, Seq, TaskId};
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AbortReason, TaskEnd};
use tasker_core::transition::TransitionKind;

use crate::draft::{Planner, TaskNews};
use crate::effect::{Answer, Effect};
use crate::input::Ticket;

impl Planner<'_> {
    /// Ends a waiting task at once and fires the signal of a running one.
    pub(crate) fn abort(&mut self, ticket: Ticket, id: TaskId, reason: &AbortReason) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let is_open = self.abort_task(seq, &brief, reason);
        self.answer(Effect::Answer(ticket, Answer::Flag(is_open)));
    }

    /// The same for a task that is there; whether it had not ended.
    pub(crate) fn abort_task(&mut self, seq: Seq, brief: &Brief, reason: &AbortReason) -> bool {
        let allows = |kind| Self::allows(kind, brief.state);
        if brief.is_outside {
            self.abort_outside(seq, brief, reason.clone());
            return true;
        }
        match brief.run {
            None if allows(TransitionKind::Withdraw) => {
                self.withdraw(seq, brief, reason.clone());
                true
            }
            Some(run) if allows(TransitionKind::RequestAbort) => {
                self.request_abort(seq, brief, run, reason.clone())
            }
            None | Some(_) => false,
        }
    }

    /// A task that waits, for whatever, ends.
    pub(crate) fn withdraw(&mut self, seq: Seq, brief: &Brief, abort: AbortReason) {
        debug_assert!(brief.outcome.is_none(), "task {} has ended already (I-3)", seq.0);
        let outcome = TaskEnd::Aborted(abort.cause, abort.reason);
        self.draft.task_news.push(TaskNews::Ended(brief.id, outcome.clone()));
        let (lane, priority) = (brief.lane, brief.priority);
        let at = self.now_or(brief.latest_at);
        let end = Change::End { seq, lane, priority, run: None, outcome, at };
        self.transition(Some(brief.state), end);
        self.let_go(seq, brief.on_failure.is_some());
        self.note_lapses((seq, lane.operation()), brief.lapses, false);
    }

    /// The request is stored with the run, so that it reaches the owner of the run and outlives it.
    fn request_abort(&mut self, seq: Seq, brief: &Brief, run: RunId, abort: AbortReason) -> bool {
        if let Some(live) = self.memory.live.of_task(seq) {
            if self.live(live.slot).is_none() {
                return false;
            }
            self.draft.abort_asked.insert(live.slot);
            if self.fired(live).is_none() {
                self.draft.fired.push((live.slot, abort.clone()));
                self.bound(live);
            }
        }
        self.facts.abort_asked.insert(seq);
        let request = Change::RequestAbort { seq, lane: brief.lane, run, abort };
        self.transition(Some(brief.state), request);
        true
    }
}
