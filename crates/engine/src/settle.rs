//! What a runner's word means: the end of a run, its logs, its progress, its timeout.
//!
//! # Promises
//! - A run settles once; a second or late word changes nothing and is told `Fenced` (I-3, I-4).
//! - Log lines that came before the settle are stored with it, in order, at most
//!   [`limits::LOGS_PER_TASK_MAX`] per task (I-19).
//!
//! Proof: `proof/tests/engine`.

use tasker_core::limits;
use tasker_core::rules::{self, Settled};
use tasker_core::store::Change;
use tasker_core::task::{AbortReason, Cause, LogLine, Outcome};

use crate::draft::Planner;
use crate::effect::Over;
use crate::input::{Record, RunNo};
use crate::live::{Deadline, Live};

impl Planner<'_> {
    /// A runner has settled.
    pub(crate) fn settle(&mut self, no: RunNo, settled: Settled) {
        let Some(run) = self.live(no) else { return };
        let outcome = rules::outcome(settled, self.fired(run).as_ref());
        self.free(run, over(&outcome));
        self.end_run(run, outcome);
    }

    /// Why the run's signal has fired, or fires in this very turn.
    pub(crate) fn fired(&self, run: &Live) -> Option<AbortReason> {
        let fires = || self.draft.fired.iter().find(|(no, _)| *no == run.no);
        run.fired.clone().or_else(|| fires().map(|(_, reason)| reason.clone()))
    }

    /// A run tells something.
    pub(crate) fn record(&mut self, no: RunNo, record: &Record) {
        let Some(run) = self.live(no) else { return };
        let (lines, reports) = self.draft.recorded.entry(no).or_default();
        let (seq, id) = (run.seq, run.run);
        match record.clone() {
            Record::Progress(progress) => {
                *reports += 1;
                self.draft.changes.push(Change::Progress { seq, run: id, progress });
            }
            Record::Log { level, at: wall, message, fields } => {
                *lines += 1;
                let n = run.logs + *lines;
                if n <= limits::LOGS_PER_TASK_MAX {
                    let attempt = run.attempt;
                    let line = LogLine { n, attempt, level, at: wall, message, fields };
                    self.draft.changes.push(Change::Log { seq, run: id, line });
                }
            }
        }
    }

    /// Runs whose time is over: first the signal, after the grace the place.
    pub(crate) fn time_out(&mut self) {
        for no in self.memory.live.due(self.now.mono) {
            let Some(run) = self.live(no) else { continue };
            match run.deadline {
                Some((_, Deadline::Timeout)) => self.fire_timeout(run),
                Some((_, Deadline::Grace)) => self.take_place(run),
                None => {}
            }
        }
    }

    fn fire_timeout(&mut self, run: &Live) {
        if self.fired(run).is_none() {
            let reason = rules::abort_error("the task ran longer than its runTimeout");
            self.draft.fired.push((run.no, AbortReason { cause: Cause::RunTimeout, reason }));
        }
        let until = self.now.mono.plus(limits::RUN_TIMEOUT_GRACE_MS);
        self.draft.deadlines.push((run.no, until, Deadline::Grace));
    }

    /// Ends the task of a run that does not settle; whatever the run does later is fenced.
    pub(crate) fn take_place(&mut self, run: &Live) {
        let reason = self.fired(run).unwrap_or_else(|| AbortReason {
            cause: Cause::Stop,
            reason: rules::abort_error("the run did not end in time"),
        });
        let outcome = Outcome::Aborted(reason.cause, reason.reason);
        self.draft.ended.push((run.id, outcome.clone()));
        self.free(run, Over::Fenced);
        self.end_run(run, outcome);
    }
}

fn over(outcome: &Outcome) -> Over {
    match outcome {
        Outcome::Done(_) => Over::Done,
        Outcome::Failed(cause, _) => Over::Failed(*cause),
        Outcome::Aborted(cause, _) => Over::Aborted(*cause),
    }
}
