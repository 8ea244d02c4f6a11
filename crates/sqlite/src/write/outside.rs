//! Writes what becomes of tasks that executors outside take.

use tasker_core::id::Seq;
use tasker_core::store::{OutsideChange, Start};
use tasker_core::time::WallMs;

use super::{Kind, Rows, Writing};
use crate::padding;

impl Writing<'_> {
    pub(super) fn outside(&mut self, change: &OutsideChange) -> Rows {
        match change {
            OutsideChange::Claim { seq, lease, at, .. } => {
                let number = seq.0 as i64;
                let claimed = self.statement(Kind::Claim)?.execute([number])?;
                if claimed > 0 {
                    let (run, until) = (lease.run.0.as_bytes(), lease.until.0);
                    let row = (number, at.0, run, until, lease.executor.as_deref());
                    self.statement(Kind::ClaimPut)?.execute(row)?;
                }
                Ok(claimed)
            }
            OutsideChange::Begin { seq, start, until, .. } => self.begin(*seq, *start, *until),
            OutsideChange::Unclaim { seq, run, .. } => {
                self.statement(Kind::Unclaim)?.execute((seq.0 as i64, run.0.as_bytes()))
            }
            OutsideChange::Renew { seq, run, until } => {
                let row = (until.0, seq.0 as i64, run.0.as_bytes());
                self.statement(Kind::Renew)?.execute(row)
            }
            OutsideChange::Touch { seq, at } => {
                self.statement(Kind::Touch)?.execute((at.0, seq.0 as i64))?;
                Ok(1)
            }
        }
    }

    fn begin(&mut self, seq: Seq, start: Start, until: WallMs) -> Rows {
        let Start { run, attempt, at } = start;
        debug_assert!(attempt > 0, "an attempt is counted before its code runs (I-10)");
        let (number, run) = (seq.0 as i64, run.0.as_bytes());
        let row = (run, attempt, at.0, padding::RUNNING_OUTSIDE, number);
        let begun = self.statement(Kind::Begin)?.execute(row)?;
        if begun > 0 {
            self.statement(Kind::Renew)?.execute((until.0, number, run))?;
        }
        Ok(begun)
    }
}
