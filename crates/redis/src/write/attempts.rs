//! Runs that are over: their tasks end, or go on, or are opened again.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::limits::ATTEMPTS_KEPT_MAX;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{Attempt, AttemptEnd, AttemptError, Json, TaskEnd};
use tasker_core::time::WallMs;

use super::Held;
use crate::keys;
use crate::overlay::Overlay;
use crate::packed;
use crate::row::Asked;

/// Attempts of a task in its history; one more stands in its row.
const HISTORY_MAX: u32 = ATTEMPTS_KEPT_MAX - 1;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn end_attempt(&mut self, change: &Change) -> Held {
        match change {
            Change::End { seq, run, outcome, at, .. } => {
                let row = match run {
                    Some(run) => self.running(*seq, *run)?,
                    None => self.waiting(*seq)?,
                };
                let Some(row) = row else { return Ok(false) };
                (row.state, row.ended_at) = (outcome.state(), Some(*at));
                (row.cause, row.owner) = (outcome.cause(), None);
                row.asked = Asked::default();
                self.end(*seq, outcome);
                Ok(true)
            }
            Change::Release { .. } => self.release(change),
            Change::Reopen { seq, from, end, kept, .. } => {
                self.reopen(*seq, *from, (*end, kept.as_ref()))
            }
            _ => Ok(false),
        }
    }

    fn end(&mut self, seq: Seq, outcome: &TaskEnd) {
        if let Some(payload) = outcome.payload() {
            self.set_outcome(seq, Some(payload));
        }
    }

    fn release(&mut self, change: &Change) -> Held {
        let Change::Release { seq, run, end, error, tally, due_at, at, .. } = change else {
            return Ok(false);
        };
        if self.running(*seq, *run)?.is_none() {
            return Ok(false);
        }
        self.keep_attempt(*seq, (Some(*end), Some(*at)), (error.clone(), None))?;
        if let Some(row) = self.row(*seq)? {
            row.go_on();
            (row.attempt, row.failures, row.losses) = (tally.attempt, tally.failures, tally.losses);
        }
        due_at.map_or(Ok(()), |due_at| self.delay(*seq, due_at))?;
        Ok(true)
    }

    fn reopen(&mut self, seq: Seq, from: State, (end, kept): (AttemptEnd, Option<&Json>)) -> Held {
        let outcome = self.outcome(seq).cloned();
        let Some(row) = self.in_state(seq, from)?.filter(|row| row.state.is_final()) else {
            return Ok(false);
        };
        let (has_run, ended_at, cause) = (row.run.is_some(), row.ended_at, row.cause);
        if has_run {
            let text = || kept.cloned().or(outcome).unwrap_or_else(|| Json::trusted("null"));
            let error = cause.map(|cause| AttemptError { cause, error: text() });
            let result = if error.is_none() { kept.cloned() } else { None };
            self.keep_attempt(seq, (Some(end), ended_at), (error, result))?;
        }
        if let Some(row) = self.row(seq)? {
            row.go_on();
            (row.failures, row.losses) = (0, 0);
        }
        self.set_outcome(seq, None);
        Ok(true)
    }

    /// The last attempt of a task goes to its history, which keeps so many.
    fn keep_attempt(
        &mut self,
        seq: Seq,
        (end, ended_at): (Option<AttemptEnd>, Option<WallMs>),
        (error, result): (Option<AttemptError>, Option<Json>),
    ) -> Result<()> {
        let Some(row) = self.row(seq)? else { return Ok(()) };
        let Some(run) = row.run else { return Ok(()) };
        row.history += 1;
        let (attempt, history) = (row.attempt, row.history);
        let started_at = row.started_at.unwrap_or_default();
        let over = Attempt { attempt, run, started_at, ended_at, end, error, result };
        let key = keys::attempts(seq);
        self.write("RPUSH", &key, vec![packed::attempt(&over)]);
        if history > HISTORY_MAX {
            let first = format!("-{HISTORY_MAX}").into_bytes();
            self.write("LTRIM", &key, vec![first, b"-1".to_vec()]);
        }
        Ok(())
    }
}
