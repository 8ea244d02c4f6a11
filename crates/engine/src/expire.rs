//! Tasks that have waited too long for their first start.
//!
//! # Promises
//! - The time begins with the add, with the start time or with the end of the last dependency,
//!   whichever is last, and a task that has ever started is left alone.
//! - A timer acts only if it stands at the very moment that the task says: so a task that was given
//!   another one is not met by the old, and one is moved once.
//!
//! # Left to others
//! Which timers fire: `timers`.
//!
//! Proof: `proof/tests/engine/queue_timeouts.rs`, `proof/tests/random`, `conformance::interplay`.

use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{LaneId, Seq};
use tasker_core::rules;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AfterQueueTimeout, Cause, Priority, TaskEnd};
use tasker_core::time::WallMs;
use tasker_core::timer::Timer;
use tasker_core::transition::TransitionKind;

use crate::draft::{Planner, TaskNews};

impl Planner<'_> {
    /// From now on the `queueTimeout` of a task that has never started ends at this moment; it does
    /// not count if that is absent.
    pub(crate) fn set_queue_timeout(
        &mut self,
        (seq, state): (Seq, State),
        lane: LaneId,
        ends_at: Option<WallMs>,
    ) {
        self.wake_at(ends_at);
        self.transition(Some(state), Change::SetQueueTimeout { seq, lane, ends_at });
    }

    /// The time of a task is over, unless its timer is an old one or a run has begun.
    pub(crate) fn expire(&mut self, timer: Timer) {
        let seq = timer.seq;
        // One that was removed has left its timer.
        let Some(brief) = self.facts.briefs.get(&seq) else { return };
        let is_its = |at: Option<WallMs>| at == Some(timer.at) || is_on(Fault::ExpireForgetsMoment);
        let Some(timeout) = brief.queue_timeout.filter(|timeout| is_its(timeout.ends_at)) else {
            return;
        };
        // What is paused has time: it gets another timer when it is put back.
        let is_out = brief.state == State::Paused;
        let has_started = brief.has_started && !is_on(Fault::ExpireForgetsRuns);
        if has_started || is_out || !Self::allows(TransitionKind::Expire, brief.state) {
            return;
        }
        let brief = brief.clone();
        self.write_due_of(seq);
        match timeout.then {
            AfterQueueTimeout::Abort => self.end_expired(seq, &brief),
            AfterQueueTimeout::Prioritize(to) => self.move_expired(seq, &brief, to),
        }
    }

    pub(crate) fn end_expired(&mut self, seq: Seq, brief: &Brief) {
        let text = "the task waited longer than its queueTimeout";
        let abort = rules::abort_reason(Cause::QueueTimeout, text);
        let outcome = TaskEnd::Aborted(abort.cause, abort.reason);
        self.draft.task_news.push(TaskNews::Ended(brief.id, outcome.clone()));
        let (lane, priority) = (brief.lane, brief.priority);
        let at = self.now_or(brief.latest_at);
        let end = Change::End { seq, lane, priority, run: None, outcome, at };
        self.transition(Some(brief.state), end);
        self.let_go(seq, brief.on_failure.is_some());
        self.note_lapses((seq, lane.operation()), brief.lapses, false);
    }

    pub(crate) fn move_expired(&mut self, seq: Seq, brief: &Brief, to: Priority) {
        let (lane, from) = (brief.lane, brief.priority);
        self.set_queue_timeout((seq, brief.state), lane, None);
        let is_queued = Self::allows(TransitionKind::Prioritize, brief.state);
        let change = Change::Prioritize { seq, lane, from, to, is_queued };
        self.transition(Some(brief.state), change);
        self.draft.task_news.push(TaskNews::Prioritized(brief.id, to));
    }
}
