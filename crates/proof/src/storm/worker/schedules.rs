//! Schedules that all workers share, with a tick in each second.

use tasker_core::definition::{self, Operations};
use tasker_core::error::Result;
use tasker_core::schedule::{Overlap, ScheduleSpec};
use tasker_core::schedules::{SchedulePatch, Wanted};
use tasker_core::task::SharedOptions;
use tasker_engine::input::{Input, NewSchedule, ScheduleUpdate};

use super::super::schedules::{NEVER_TWO, SCHEDULES, TICK_MS};
use super::{Call, Worker};

impl Worker {
    /// What each says as it comes; the last one lets nothing tick any more.
    pub(super) fn begin_schedules(&mut self) -> Result<()> {
        for (id, overlap) in SCHEDULES {
            if self.orders.drains {
                self.call(Call::Flag, |ticket| Input::RemoveSchedule(ticket, id.into()));
            } else {
                self.add_schedule(id, overlap, false)?;
            }
        }
        Ok(())
    }

    fn add_schedule(&mut self, id: &str, overlap: Overlap, has_jitter: bool) -> Result<()> {
        let jitter = if has_jitter { r#","jitter":300"# } else { "" };
        let task = r#"{"operation":"read","data":"a tick"}"#;
        let overlap = overlap.as_str();
        let text = format!(r#"{{"every":{TICK_MS}{jitter},"overlap":"{overlap}","task":{task}}}"#);
        let (spec, defaults) = (ScheduleSpec::read(&text)?, SharedOptions::default());
        let task = definition::of_schedule(task, false, &defaults, &mut Operations::default())?;
        let new = Box::new(NewSchedule { wanted: Wanted { spec, defaults }, task });
        self.call(Call::Flag, |ticket| Input::AddSchedule(ticket, id.into(), new));
        Ok(())
    }

    /// Says something of a schedule. What was removed comes back with the next worker, or here.
    pub(super) fn change_schedule(&mut self) -> Result<()> {
        let (id, overlap) = self.rng.one_of(&SCHEDULES);
        match self.rng.below(9) {
            0 if id != NEVER_TWO => {
                self.call(Call::Flag, |ticket| Input::RemoveSchedule(ticket, id.into()));
            }
            1 => self.call(Call::Flag, |ticket| Input::PauseSchedule(ticket, id.into(), true)),
            2 | 3 => {
                self.call(Call::Flag, |ticket| Input::PauseSchedule(ticket, id.into(), false));
            }
            4 => {
                let patch = SchedulePatch::read(r#"{"missed":"all","jitter":200}"#)?;
                let update =
                    ScheduleUpdate { patch, defaults: SharedOptions::default(), task: None };
                let update = Box::new(update);
                self.call(Call::Flag, |ticket| Input::UpdateSchedule(ticket, id.into(), update));
            }
            5 => {
                let other = (id != NEVER_TWO && self.rng.once_in(2)).then_some(Overlap::Allow);
                self.call(Call::Other, |ticket| Input::TriggerSchedule(ticket, id.into(), other));
            }
            _ => {
                let has_jitter = self.rng.once_in(2);
                self.add_schedule(id, overlap, has_jitter)?;
            }
        }
        Ok(())
    }
}
