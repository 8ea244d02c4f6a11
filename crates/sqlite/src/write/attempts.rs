//! Writes what becomes of the last attempt of a task that goes on: it goes to the history.

use rusqlite::Params;
use tasker_core::id::Seq;
use tasker_core::limits::ATTEMPTS_KEPT_MAX;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{AttemptEnd, Json, Tally};
use tasker_core::timer::{Timer, TimerKind};

use super::{Kind, Rows, Writing, text};
use crate::padding;

/// Attempts of a task in its history; one more stands in its row.
const HISTORY_MAX: u32 = ATTEMPTS_KEPT_MAX - 1;

impl Writing<'_> {
    pub(super) fn release(&mut self, change: &Change) -> Rows {
        let Change::Release { seq, run, end, error, tally, due_at, at, .. } = change else {
            return Ok(0);
        };
        let (number, run) = (seq.0 as i64, run.0.as_bytes());
        let Tally { attempt, failures, losses } = *tally;
        debug_assert_eq!(
            *end == AttemptEnd::Lost,
            losses > 0,
            "a run that was not lost counts as a loss, or one that was does not (I-10)"
        );
        let cause = error.as_ref().map(|error| error.cause.code());
        let text = error.as_ref().map(|error| error.error.as_str());
        let row = (number, at.0, end.code(), failures, losses, cause, text, run);
        self.history(Kind::ReleaseHistory, *seq, row)?;
        let Some(due_at) = due_at else {
            let row = (attempt, padding::READY_AGAIN, number, run);
            return self.statement(Kind::Release)?.execute(row);
        };
        self.timer(Timer { at: *due_at, kind: TimerKind::Due, seq: *seq })?;
        let options = self.options_until(*seq, *due_at)?;
        let row = (attempt, padding::READY_AGAIN, options, number, run);
        self.statement(Kind::ReleaseDelayed)?.execute(row)
    }

    /// The last attempt of a task goes to its history, which keeps so many.
    fn history(&mut self, kind: Kind, seq: Seq, row: impl Params) -> rusqlite::Result<()> {
        let mut rows = self.statement(kind)?.query(row)?;
        let n: Option<u32> = rows.next()?.map(|row| row.get(0)).transpose()?;
        drop(rows);
        let excess = n.map_or(0, |n| n.saturating_sub(HISTORY_MAX));
        if excess > 0 {
            self.statement(Kind::AttemptsTrim)?.execute((seq.0 as i64, excess))?;
        }
        Ok(())
    }

    pub(super) fn reopen(
        &mut self,
        seq: Seq,
        from: State,
        end: AttemptEnd,
        kept: &Option<Json>,
    ) -> Rows {
        let number = seq.0 as i64;
        self.history(Kind::ReopenHistory, seq, (number, end.code(), text(kept.as_ref())))?;
        self.statement(Kind::ReopenTally)?.execute([number])?;
        self.statement(Kind::Reopen)?.execute((padding::READY_AGAIN, number, from.code()))
    }
}
