//! A runner has returned or thrown: the run ends.
//!
//! # Promises
//! - A run settles once; a second or late settlement changes nothing and is told `Fenced`
//!   (I-3, I-4).
//!
//! Proof: `proof/tests/engine`.

use tasker_core::fault::{Fault, is_on};
use tasker_core::retry::{self, AfterRun};
use tasker_core::rules::Settlement;
use tasker_core::task::{AbortReason, TaskEnd};

use crate::draft::Planner;
use crate::effect::RunEnd;
use crate::input::RunSlot;
use crate::live::Run;

impl Planner<'_> {
    /// A runner has settled.
    pub(crate) fn settle(&mut self, slot: RunSlot, settlement: Settlement) {
        let Some(run) = self.live(slot) else { return };
        let fired = self.fired(run).filter(|_| !is_on(Fault::SettleForgetsSignal));
        let after = retry::after_run(settlement, fired.as_ref(), self.tries(run));
        self.judge_run(run, &after);
        match after {
            AfterRun::End(outcome) => {
                self.free(run, run_end(&outcome));
                self.end_run(run, outcome);
            }
            AfterRun::Again(again) => self.try_again(run, again),
        }
    }

    /// Why the run's signal has fired, or fires in this very turn.
    pub(crate) fn fired(&self, run: &Run) -> Option<AbortReason> {
        let fires = || self.draft.fired.iter().find(|(slot, _)| *slot == run.slot);
        run.fired.clone().or_else(|| fires().map(|(_, reason)| reason.clone()))
    }
}

fn run_end(outcome: &TaskEnd) -> RunEnd {
    match outcome {
        TaskEnd::Done(_) => RunEnd::Done,
        TaskEnd::Failed(cause, _) => RunEnd::Failed(*cause),
        TaskEnd::Aborted(cause, reason) => {
            RunEnd::Aborted(AbortReason { cause: *cause, reason: reason.clone() })
        }
    }
}
