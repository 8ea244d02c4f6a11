//! Trying a task again: after a run of it, or by hand after its end.
//!
//! # Promises
//! - What a task is tried again after is told as no end of it: waiters go on waiting (I-3).
//! - A pause is a start time like any other: it outlives the process, and what has no pause is
//!   ready in the same commit.
//! - A task keeps its number, and so its place among those of its priority (I-7).
//!
//! # Left to others
//! Whether it is tried again, and when, is decided by [`tasker_core::retry`].
//!
//! Proof: `proof/tests/engine/retries.rs`, `conformance::interplay`.

use tasker_core::error::{Code, Error, Result};
use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{Seq, TaskId};
use tasker_core::retry::{Again, Tries};
use tasker_core::rules;
use tasker_core::state::State;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AttemptEnd, AttemptError, QueueTimeout, StartTime, Tally};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;

use crate::draft::{GivenBack, Planner, TaskNews};
use crate::effect::{Answer, Effect, RunEnd};
use crate::input::{RetryOptions, Ticket};
use crate::live::Run;

impl Planner<'_> {
    /// What decides whether the task of a run is tried again: never if somebody has aborted it.
    pub(crate) fn tries<'r>(&self, run: &'r Run) -> Tries<'r> {
        let is_aborted = run.is_abort_asked || self.draft.abort_asked.contains(&run.slot);
        let policy = run.retry.as_deref().filter(|_| !is_aborted);
        Tries { policy, failures: run.failures, run: run.run }
    }

    /// A run is over, and its task waits for another one.
    pub(crate) fn try_again(&mut self, run: &Run, again: Again) {
        let Again { end, error, delay_ms } = again;
        let is_snoozed = end == AttemptEnd::Snoozed;
        let at = self.now_or(run.started_at);
        let due_at = (is_snoozed || delay_ms > 0 && !is_on(Fault::RetryForgetsItsPause))
            .then(|| self.after(delay_ms));
        self.free(
            run,
            if is_snoozed {
                RunEnd::Snoozed
            } else {
                // What the runner threw its client knows, but not what fired the signal.
                let reason = error.as_ref().filter(|_| end == AttemptEnd::Aborted);
                let reason = reason.map(|error| error.error.clone());
                RunEnd::Retrying(due_at.unwrap_or(at), reason)
            },
        );
        let tally = Tally {
            attempt: run.attempt - u32::from(is_snoozed && !is_on(Fault::SnoozeIsCounted)),
            failures: run.failures + u32::from(!is_snoozed),
            losses: 0,
        };
        self.note_given_back(run, tally);
        self.wake_at(due_at);
        let wants_halt = self.forget_pause(run);
        let release = Change::Release {
            seq: run.seq,
            lane: run.lane,
            priority: run.priority,
            run: run.run,
            end,
            error,
            tally,
            due_at,
            at,
        };
        self.release(wants_halt, release);
    }

    /// What the task of a run that is given back brings to its next one, if that begins in this
    /// very turn.
    pub(crate) fn note_given_back(&mut self, run: &Run, tally: Tally) {
        let given_back = self.given_back(run, tally);
        let old = self.draft.given_back.insert(run.seq, given_back);
        debug_assert!(old.is_none(), "task {} is given back twice in a turn", run.seq.0);
    }

    fn given_back(&self, run: &Run, tally: Tally) -> GivenBack {
        let lines = self.draft.recorded.get(&run.slot).map_or(0, |(lines, _)| *lines);
        GivenBack { tally, logs: run.logs + lines }
    }

    /// So many milliseconds from now.
    pub(crate) fn after(&self, ms: u64) -> WallMs {
        StartTime::After(ms).moment(self.now.wall)
    }

    /// A turn looks at what is due then.
    pub(crate) fn wake_at(&mut self, at: Option<WallMs>) {
        let times = [self.draft.next_timer, at];
        self.draft.next_timer = times.into_iter().flatten().min();
    }

    /// Runs an ended task again; any other is left as it is.
    pub(crate) fn retry(&mut self, ticket: Ticket, id: TaskId, options: RetryOptions) {
        let Some((seq, brief)) = self.find(ticket, id) else { return };
        let may = match self.retry_task(seq, &brief, options) {
            Ok(may) => may,
            Err(error) => return self.answer(Effect::Refuse(ticket, error)),
        };
        self.answer(Effect::Answer(ticket, Answer::Flag(may)));
    }

    /// The same for a task that is there; whether it had ended.
    ///
    /// # Errors
    /// `Duplicate` if another task has its unique key; `Unsupported` if it was attached.
    pub(crate) fn retry_task(
        &mut self,
        seq: Seq,
        brief: &Brief,
        options: RetryOptions,
    ) -> Result<bool> {
        let Some(outcome) =
            brief.outcome.as_ref().filter(|_| Self::allows(TransitionKind::Reopen, brief.state))
        else {
            return Ok(false);
        };
        if brief.lane.attached_to().is_some() {
            let text = "the task was attached to a process, and what it was given is gone";
            return Err(Error::new(Code::Unsupported, text).with_uuid(brief.id.0.to_string()));
        }
        self.take_key_again(seq, brief)?;
        let (id, lane, from) = (brief.id, brief.lane, brief.priority);
        if let Some(run) = self.memory.live.of_task(seq) {
            // It has ended in this very turn, with its run or after that was given back.
            let before = self.draft.given_back.get(&seq);
            let attempt = before.map_or(run.attempt, |given_back| given_back.tally.attempt);
            let given_back = self.given_back(run, Tally { attempt, failures: 0, losses: 0 });
            self.draft.given_back.insert(seq, given_back);
        } else {
            self.draft.reopened.insert(seq);
        }
        let (end, kept) = (outcome.attempt_end(), rules::kept_outcome(outcome));
        let state = brief.state;
        let reopen = Change::Reopen { seq, lane, priority: from, from: state, end, kept };
        self.transition(Some(state), reopen);
        self.note_lapses((seq, lane.operation()), false, brief.lapses);
        let is_counting = |timeout: &QueueTimeout| timeout.ends_at.is_some();
        if !brief.has_started && brief.queue_timeout.as_ref().is_some_and(is_counting) {
            // What is asked for by hand waits as long as it takes.
            self.set_queue_timeout((seq, State::Ready), lane, None);
        }
        let to = options.priority.unwrap_or(from);
        if to != from {
            let change = Change::Prioritize { seq, lane, from, to, is_queued: true };
            self.transition(Some(State::Ready), change);
        }
        let due_at = options.delay_ms.map(|ms| self.after(ms));
        if let Some(due_at) = due_at {
            self.wake_at(Some(due_at));
            self.transition(Some(State::Ready), Change::Delay { seq, lane, priority: to, due_at });
        }
        let error = AttemptError::of(outcome).map(|error| error.error);
        let run_at = due_at.unwrap_or(self.now.wall);
        self.draft.task_news.push(TaskNews::Retrying(id, run_at, error));
        Ok(true)
    }
}
