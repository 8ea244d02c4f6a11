//! Runs whose time is up.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::limits;
use tasker_core::rules;
use tasker_core::task::{Cause, TaskEnd};

use crate::draft::Planner;
use crate::effect::RunEnd;
use crate::live::{Deadline, Run};

impl Planner<'_> {
    /// Runs whose time is over: first the signal fires, after the grace the run is fenced.
    pub(crate) fn time_out(&mut self) {
        for slot in self.memory.live.due(self.now.mono) {
            let Some(run) = self.live(slot) else { continue };
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

    /// Ends the task of a run that does not settle; whatever the run does later is fenced.
    pub(crate) fn reclaim(&mut self, run: &Run) {
        let stopped = || rules::abort_reason(Cause::Stop, "the run did not end in time");
        let reason = self.fired(run).unwrap_or_else(stopped);
        let outcome = TaskEnd::Aborted(reason.cause, reason.reason);
        self.draft.task_ends.push((run.id, outcome.clone()));
        self.free(run, RunEnd::Fenced);
        self.end_run(run, outcome);
    }
}
