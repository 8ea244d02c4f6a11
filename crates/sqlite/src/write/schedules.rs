//! Writes schedules. Rare, so the statements are looked up each time.

use rusqlite::Error::ToSqlConversionFailure;
use tasker_core::schedules::{LastTask, Schedule};
use tasker_core::store::ScheduleChange;
use tasker_core::stored;

use super::{Rows, Writing};
use crate::sql;

impl Writing<'_> {
    /// What becomes of a schedule.
    pub(super) fn schedule(&mut self, change: &ScheduleChange) -> Rows {
        match change {
            ScheduleChange::Make(schedule) => self.put_schedule(schedule, sql::SCHEDULE),
            ScheduleChange::Change(schedule) => self.put_schedule(schedule, sql::SCHEDULE_CHANGE),
            ScheduleChange::Remove(no, version) => {
                let row = (no.0 as i64, version);
                self.connection.prepare_cached(sql::SCHEDULE_REMOVE)?.execute(row)
            }
        }
    }

    /// Writes a schedule, and its timer. The statements have the same parameters by name.
    fn put_schedule(&mut self, schedule: &Schedule, statement: &'static str) -> Rows {
        if let Some(timer) = schedule.timer() {
            self.timer(timer)?;
        }
        let Schedule { no, id, version, wanted, anchor, next_at, last, made, paused_at } = schedule;
        let made = i64::try_from(*made).map_err(|error| ToSqlConversionFailure(error.into()))?;
        let (last_at, last_id) = (last.map(|LastTask { at, .. }| at.0), last.map(|last| last.id.0));
        self.connection.prepare_cached(statement)?.execute(rusqlite::named_params! {
            ":no": no.0 as i64,
            ":id": &**id,
            ":version": version,
            ":spec": wanted.spec.text(),
            ":defaults": stored::options(&wanted.defaults),
            ":anchor_at": anchor.0,
            ":next_at": next_at.map(|at| at.0),
            ":last_at": last_at,
            ":last_uuid": last_id.as_ref().map(|uuid| uuid.as_bytes()),
            ":made": made,
            ":paused_at": paused_at.map(|at| at.0),
        })
    }
}
