//! Runs whose time is up.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::limits;
use tasker_core::retry::AfterRun;
use tasker_core::rules;
use tasker_core::task::{Cause, TaskEnd};

use crate::draft::{Planner, TaskNews};
use crate::effect::RunEnd;
use crate::live::{Deadline, Run};

impl Planner<'_> {
    /// Runs whose time is over: first the signal fires, after the grace the run is fenced.
    pub(crate) fn time_out(&mut self) {
        let fired: Vec<_> = self.memory.live.to_bound().iter().copied().collect();
        for slot in fired {
            let Some(run) = self.live(slot) else { continue };
            self.bound(run);
        }
        for slot in self.memory.live.due(self.now.mono) {
            let Some(run) = self.live(slot) else { continue };
            if self.has_halted(run) && !self.is_ending(run) {
                // In this very turn: its time stands still from now on.
                continue;
            }
            match run.deadline {
                Some((_, Deadline::Timeout)) => self.fire_timeout(run),
                Some((_, Deadline::Grace)) => self.reclaim(run),
                None => debug_assert!(false, "the time of run {slot} is up, which has none"),
            }
        }
    }

    fn fire_timeout(&mut self, run: &Run) {
        if self.fired(run).is_none() {
            let text = "the task ran longer than its runTimeout";
            let reason = rules::abort_reason(Cause::RunTimeout, text);
            self.draft.fired.push((run.slot, reason));
        }
        let until = self.now.mono.plus(limits::RUN_TIMEOUT_GRACE_MS);
        self.draft.deadlines.push((run.slot, until, Deadline::Grace));
    }

    /// The signal of a run has fired. If it has a thread of its own, that is ended after the grace.
    pub(crate) fn bound(&mut self, run: &Run) {
        if self.is_ending(run) || !self.dispatch.has_threads(run.lane.operation()) {
            return;
        }
        let until = self.now.mono.plus(limits::RUN_TIMEOUT_GRACE_MS);
        self.draft.deadlines.push((run.slot, until, Deadline::Grace));
    }

    /// Whether a run is over after its grace.
    fn is_ending(&self, run: &Run) -> bool {
        matches!(run.deadline, Some((_, Deadline::Grace)))
    }

    /// Ends the task of a run that does not settle, or tries it again if its timeout is to be
    /// retried; whatever the run does later is fenced.
    pub(crate) fn reclaim(&mut self, run: &Run) {
        let stopped = || rules::abort_reason(Cause::Stop, "the run did not end in time");
        let reason = self.fired(run).unwrap_or_else(stopped);
        let after = self.tries(run).follow(TaskEnd::Aborted(reason.cause, reason.reason), None);
        self.judge_run(run, &after);
        match after {
            AfterRun::End(outcome) => {
                self.draft.task_news.push(TaskNews::Ended(run.id, outcome.clone()));
                self.free(run, RunEnd::Fenced);
                self.end_run(run, outcome);
            }
            AfterRun::Again(again) => self.try_again(run, again),
        }
    }
}
