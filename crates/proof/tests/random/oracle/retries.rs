//! What tries tasks again: their policy, counted once more by the simplest means, and calls.

use std::collections::VecDeque;

use tasker_core::backoff::{Backoff, BackoffKind};
use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Attempt, AttemptEnd, Cause, TaskEnd};
use tasker_core::time::WallMs;
use tasker_engine::input::RetryOptions;

use super::updates::Later;
use super::{Oracle, Task};

/// The shortest and the longest pause, in milliseconds.
pub(super) type Pause = (u64, u64);

/// How long a task pauses before it is tried again, if it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chances {
    pub(super) on_error: Option<Pause>,
    pub(super) on_timeout: Option<Pause>,
}

/// A call that opened a task again, and is yet to be told.
#[derive(Debug)]
pub(super) struct Reopening {
    options: RetryOptions,
    /// Whether the task had ended when the call was answered, so that it has been opened.
    is_carried_out: bool,
    /// What later calls have changed.
    later: Later,
}

impl Task {
    /// Whether it is tried again if its run fails now; not if its abort is asked for.
    pub(super) fn chances(&self, is_abort_asked: bool) -> Chances {
        let Some(policy) = self.def.options.retry.as_deref() else { return Chances::default() };
        if is_abort_asked || self.failures + 1 >= policy.attempts {
            return Chances::default();
        }
        let pause = policy.backoff.map_or((0, 0), |backoff| pause(backoff, self.failures));
        Chances {
            on_error: policy.on_error.then_some(pause),
            on_timeout: policy.on_timeout.then_some(pause),
        }
    }

    /// It waits for another run after one that failed.
    pub(super) fn try_again(&mut self, at: WallMs, (shortest, longest): Pause, now: WallMs) {
        self.failures += 1;
        self.losses = 0;
        if longest == 0 {
            assert!(at >= now, "{self:?}");
            self.state = State::Ready;
            return;
        }
        assert!((now.plus(shortest)..=now.plus(longest)).contains(&at), "{at:?} {self:?}");
        self.delay(at);
    }

    /// It waits for a moment.
    pub(super) fn delay(&mut self, at: WallMs) {
        self.state = State::Delayed;
        self.def.options.wait_until(at);
    }

    /// It has not ended any more.
    fn reopen(&mut self, options: RetryOptions, now: WallMs) {
        // It does not look at its dependencies again.
        self.waits.clear();
        self.doomed_by = None;
        assert!(self.state.is_final() && self.run.is_none(), "I-3: {self:?}");
        self.earlier.push((self.state, self.outcome.take()));
        (self.state, self.cause, self.abort, self.image) = (State::Ready, None, None, None);
        (self.failures, self.losses, self.reopened_at) = (0, 0, self.starts);
        if self.starts == 0 {
            self.forget_queue_timeout();
        }
        if let Some(ms) = options.delay_ms {
            self.delay(now.plus(ms));
        }
    }

    /// How often it has failed since it was added or opened again, by its history.
    pub(super) fn failures_in(&self, attempts: &[Attempt]) -> u32 {
        let failed = |attempt: &&Attempt| match attempt.end {
            Some(AttemptEnd::Failed) => true,
            Some(AttemptEnd::Aborted) => {
                attempt.error.as_ref().is_some_and(|error| error.cause == Cause::RunTimeout)
            }
            _ => false,
        };
        attempts.iter().skip(self.reopened_at).filter(failed).count() as u32
    }

    /// Whether it ended so before it was opened again.
    pub(super) fn has_ended_as(&self, outcome: &TaskEnd) -> bool {
        self.earlier.iter().any(|(state, known)| {
            *state == outcome.state() && known.as_ref().is_none_or(|known| known == outcome)
        })
    }
}

impl Oracle {
    /// A call to run a task again was answered: whether it does so.
    pub(super) fn asked_again(&mut self, id: TaskId, options: RetryOptions, does: bool) {
        let task = self.tasks.get_mut(&id).unwrap();
        let is_carried_out = task.state.is_final();
        if let Some(priority) = options.priority.filter(|_| does) {
            // At once: what is called after that in this turn may give it another one.
            task.def.priority = priority;
            task.priorities.push(priority);
        }
        if !does {
            assert!(!is_carried_out, "it has ended: {task:?}");
            return;
        }
        self.take_key_again(id);
        let task = self.tasks.get_mut(&id).unwrap();
        if is_carried_out {
            task.reopen(options, self.wall);
        }
        let reopening = Reopening { options, is_carried_out, later: Later::new() };
        self.reopenings.entry(id).or_default().push_back(reopening);
    }

    /// It is told that a task runs again because a call asked for it.
    pub(super) fn told_again(&mut self, id: TaskId, run_at: WallMs) {
        let open = self.reopenings.get_mut(&id).and_then(VecDeque::pop_front);
        let reopening = open.expect("somebody asked for it");
        let Reopening { options, is_carried_out, later } = reopening;
        assert_eq!(run_at, self.wall.plus(options.delay_ms.unwrap_or(0)));
        let task = self.tasks.get_mut(&id).unwrap();
        if !is_carried_out {
            task.reopen(options, self.wall);
            task.change_later(later, self.wall);
        }
        if self.reopenings[&id].is_empty() {
            self.stays_replaced(id);
        }
    }

    /// What becomes later of a task that another call of this turn has opened, of which it is not
    /// told yet that it ended, if there is such a one.
    pub(super) fn later_of_reopened(&mut self, id: TaskId) -> Option<&mut Later> {
        let last = self.reopenings.get_mut(&id).and_then(VecDeque::back_mut);
        last.filter(|last| !last.is_carried_out).map(|last| &mut last.later)
    }

    /// Whether a call has opened a task in this turn of which it is not told yet that it ended.
    pub(super) fn is_reopening(&self, id: TaskId) -> bool {
        self.reopenings.get(&id).is_some_and(|open| open.iter().any(|it| !it.is_carried_out))
    }
}

/// The pause of a task that has failed so often before.
fn pause(backoff: Backoff, before: u32) -> Pause {
    let mut steps = vec![1_u64, 1];
    for n in 2..=before as usize {
        steps.push(steps[n - 1] + steps[n - 2]);
    }
    let times = match backoff.kind {
        BackoffKind::Fixed => 1,
        BackoffKind::Linear => u64::from(before) + 1,
        BackoffKind::Exponential => 1 << before,
        BackoffKind::Fibonacci => steps[before as usize],
    };
    let longest = (backoff.delay_ms * times).min(backoff.max_ms.unwrap_or(u64::MAX));
    let shortest = (longest as f64 * (1.0 - backoff.jitter)).floor() as u64;
    (shortest, longest)
}
