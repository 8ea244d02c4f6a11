//! What a live run reports: log lines and progress.
//!
//! # Promises
//! - Log lines that came before the settlement are stored with it, in order, at most
//!   [`limits::LOGS_PER_TASK_MAX`] per task (I-19). Only stored lines are confirmed (I-11).
//!
//! Proof: `proof/tests/engine`.

use tasker_core::limits;
use tasker_core::store::Change;
use tasker_core::task::LogLine;

use crate::draft::Planner;
use crate::input::{Record, RunSlot};

impl Planner<'_> {
    /// Stores a log line or the progress of a run.
    pub(crate) fn record(&mut self, slot: RunSlot, record: &Record) {
        let Some(run) = self.live(slot) else { return };
        let (lines, reports) = self.draft.recorded.entry(slot).or_default();
        let (seq, id) = (run.seq, run.run);
        match record.clone() {
            Record::Progress(progress) => {
                *reports += 1;
                self.draft.changes.push(Change::Progress { seq, run: id, progress });
            }
            Record::Log { level, at, message, fields } => {
                let n = run.logs + *lines + 1;
                if n <= limits::LOGS_PER_TASK_MAX {
                    *lines += 1;
                    let attempt = run.attempt;
                    let at = at.unwrap_or(self.now.wall);
                    let line = LogLine { n, attempt, level, at, message, fields };
                    self.draft.changes.push(Change::Log { seq, run: id, line });
                }
            }
        }
    }
}
