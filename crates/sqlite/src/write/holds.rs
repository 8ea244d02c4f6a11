//! Writes holds, and which tasks they hold.

use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::Seq;
use tasker_core::store::{Change, HoldChange};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::{Kind, Rows, Writing};
use crate::sql;

impl Writing<'_> {
    /// What becomes of a hold, and of the tasks that it holds.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`change` hands over no other")]
    pub(super) fn held(&mut self, change: &Change) -> Rows {
        match change {
            Change::HoldBack { seq, hold, until, .. } => self.hold_back(*seq, *hold, *until),
            Change::Free { seq, at, .. } => self.free(*seq, *at),
            Change::Hold(change) => self.hold(change),
            _ => Ok(0),
        }
    }

    /// What becomes of a hold. Rare, so its statements are looked up each time.
    fn hold(&mut self, change: &HoldChange) -> Rows {
        match change {
            HoldChange::Make(hold) => self.make_hold(hold),
            HoldChange::Release(id) => {
                self.connection.prepare_cached(sql::HOLD_RELEASE)?.execute([id.0 as i64])
            }
            HoldChange::Sweep(id, last) => {
                let row = (id.0 as i64, last.map_or(i64::MAX, |seq| seq.0 as i64));
                self.connection.prepare_cached(sql::HELD_FORGET)?.execute(row)?;
                if last.is_none() {
                    self.connection.prepare_cached(sql::HOLD_FORGET)?.execute([id.0 as i64])?;
                }
                Ok(1)
            }
        }
    }

    fn make_hold(&mut self, hold: &Hold) -> Rows {
        let Hold { id, query, since, until, by, .. } = hold;
        let timer = Timer { at: *until, kind: TimerKind::Hold, seq: Seq(id.0) };
        self.timer(timer)?;
        let uuid = by.task.as_ref().map(|task| task.0.as_bytes());
        let row = (id.0 as i64, query.text(), since.0, until.0, by.pid, uuid);
        self.connection.prepare_cached(sql::HOLD)?.execute(row)
    }

    fn hold_back(&mut self, seq: Seq, hold: HoldId, until: WallMs) -> Rows {
        self.timer(Timer { at: until, kind: TimerKind::Due, seq })?;
        self.statement(Kind::HeldPut)?.execute((hold.0 as i64, seq.0 as i64))?;
        let options = self.options_with(seq, |options| options.hold_until(until))?;
        self.statement(Kind::HoldBack)?.execute((options, seq.0 as i64))
    }

    fn free(&mut self, seq: Seq, at: WallMs) -> Rows {
        let options = self.options_until(seq, at)?;
        self.statement(Kind::Free)?.execute((options, seq.0 as i64))
    }
}
