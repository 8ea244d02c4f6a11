//! What a live run reports: log lines and progress.
//!
//! # Promises
//! - Log lines that came before the settlement are stored with it, in order, at most
//!   [`limits::LOGS_PER_TASK_MAX`] per task (I-19). Only stored lines are confirmed (I-11).
//!
//! Proof: `proof/tests/engine`.

use std::cmp::Ordering;

use tasker_core::id::Seq;
use tasker_core::limits;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{Level, LogLine};

use crate::draft::Planner;
use crate::input::{Record, RunSlot};

impl Planner<'_> {
    /// Stores a log line or the progress of a run.
    pub(crate) fn record(&mut self, slot: RunSlot, record: &Record) {
        let Some(run) = self.live(slot) else { return };
        let state = if self.has_halted(run) { State::Paused } else { State::Running };
        let (lines, reports) = self.draft.recorded.entry(slot).or_default();
        let (seq, lane, id) = (run.seq, run.lane, run.run);
        match record.clone() {
            Record::Progress(progress) => {
                *reports += 1;
                self.transition(Some(state), Change::Progress { seq, lane, run: id, progress });
            }
            Record::Log { level, at, message, fields } => {
                let (n, attempt) = (run.logs + *lines + 1, run.attempt);
                let at = at.unwrap_or(self.now.wall);
                if let Some(line) = kept(LogLine { n, attempt, level, at, message, fields }) {
                    *lines += 1;
                    self.transition(Some(state), Change::Log { seq, lane, run: id, line });
                    self.note_log_news(seq);
                }
            }
        }
    }

    /// Those who listen to the logs of a task have something to read, or nothing more.
    pub(crate) fn note_log_news(&mut self, seq: Seq) {
        if self.memory.log_listeners.has(seq) {
            self.draft.log_news.push(seq);
        }
    }
}

/// A line as it is kept; nothing if the task has as many as it may have.
pub(crate) fn kept(line: LogLine) -> Option<LogLine> {
    match line.n.cmp(&limits::LOGS_PER_TASK_MAX) {
        Ordering::Less => Some(line),
        Ordering::Equal => Some(mark(&line)),
        Ordering::Greater => None,
    }
}

/// What stands in the place of the last line that a task may keep: more may be missing.
fn mark(line: &LogLine) -> LogLine {
    let message = "no more lines of this task are kept".into();
    LogLine { level: Level::Warning, message, fields: None, ..*line }
}
