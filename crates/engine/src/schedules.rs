//! Schedules: what is said of them, and their ticks.
//!
//! The store has a row for each schedule, and a timer at its next tick; memory has none of them. A
//! turn reads those that its calls name and those that are due, changes them as its calls and
//! ticks say, and writes each that has changed once, behind all else.
//!
//! # Promises
//! - A tick is dealt with in the commit that moves its schedule on: so it makes one task at most,
//!   whichever process finds it due (I-2), and what it could not make is not made later.
//! - A tick whose task the store refuses is used up, and that is told; its schedule goes on.
//! - A turn makes no more than about a thousand tasks of schedules; what is left stays due.
//! - A program without schedules pays a look at an empty list in a turn that fires timers.
//!
//! # Left to others
//! Which ticks are due, and what overlap means: [`tasker_core::schedules`].
//!
//! Proof: `proof/tests/engine/schedules.rs`, `conformance::schedules`, `proof/tests/random`.

use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::json::write_string;
use tasker_core::limits::SCHEDULES_MAX;
use tasker_core::rules;
use tasker_core::schedule::{Overlap, ScheduleSpec};
use tasker_core::schedules::{
    LastState, LastTask, Schedule, ScheduleNo, TickRule, Wanted, check_length, tick_rule,
};
use tasker_core::store::Change;
use tasker_core::task::{Cause, Json, NewTask, StartTime};
use tasker_core::time::WallMs;

use crate::draft::{Planner, TaskNews};
use crate::effect::{Added, Answer};
use crate::input::{NewSchedule, ScheduleUpdate, Ticket};
use crate::known_schedules::task_of;

/// With so many tasks made by ticks a turn leaves the rest to the next one.
const MADE_MAX: usize = 1_024;

impl Planner<'_> {
    /// Makes a schedule, or says something else of it. The answer says whether that changed
    /// anything.
    pub(crate) fn add_schedule(&mut self, ticket: Ticket, id: &Arc<str>, new: &NewSchedule) {
        let NewSchedule { wanted, task } = new;
        let now = self.now.wall;
        let known = self.facts.schedules.no_of(id);
        let changed = match known {
            Some(no) => {
                let change = |one: &mut Schedule| one.change(wanted.clone(), now);
                let changes = self.facts.schedules.change(no, change);
                if changes {
                    self.facts.schedules.set_task(no, task.clone());
                    self.wake_for(no);
                }
                Ok(changes)
            }
            None => self.make_schedule(id, new).map(|()| true),
        };
        self.reply(ticket, changed.map(Answer::Flag));
    }

    fn make_schedule(&mut self, id: &Arc<str>, new: &NewSchedule) -> Result<()> {
        if self.facts.schedules.count >= SCHEDULES_MAX {
            let text = format!(
                "there are {SCHEDULES_MAX} schedules already; remove one with removeSchedule"
            );
            return Err(Error::at(Code::Limit, "id", text));
        }
        let no = ScheduleNo::new(self.memory.number + 1, self.draft.schedules_made);
        self.draft.schedules_made += 1;
        let schedule = Schedule::new(no, id.clone(), new.wanted.clone(), self.now.wall);
        self.facts.schedules.insert(schedule, new.task.clone());
        self.wake_for(no);
        Ok(())
    }

    /// A turn comes for its next tick.
    fn wake_for(&mut self, no: ScheduleNo) {
        let timer = self.facts.schedules.get(no).and_then(Schedule::timer);
        self.wake_at(timer.map(|timer| timer.at));
    }

    /// The schedule that a caller names.
    fn schedule_of(&self, id: &str) -> Result<ScheduleNo> {
        self.facts.schedules.no_of(id).ok_or_else(|| {
            let text = format!("there is no schedule {id:?}; addSchedule makes one");
            Error::at(Code::NotFound, "id", text)
        })
    }

    /// Changes what is said of a schedule. The answer says whether that changed anything.
    pub(crate) fn update_schedule(&mut self, ticket: Ticket, id: &str, update: &ScheduleUpdate) {
        let changed = self.schedule_of(id).and_then(|no| self.try_update_schedule(no, update));
        self.reply(ticket, changed.map(Answer::Flag));
    }

    fn try_update_schedule(&mut self, no: ScheduleNo, update: &ScheduleUpdate) -> Result<bool> {
        let Some(schedule) = self.facts.schedules.get(no) else { return Ok(false) };
        let text = update.patch.applied_to(schedule.spec());
        check_length(&text)?;
        let spec = ScheduleSpec::read(&text)?;
        let defaults = if update.task.is_some() {
            update.defaults.clone()
        } else {
            schedule.wanted.defaults.clone()
        };
        let (wanted, now) = (Wanted { spec, defaults }, self.now.wall);
        let task = task_of(&wanted)?;
        let changes = self.facts.schedules.change(no, |one| one.change(wanted, now));
        if changes {
            self.facts.schedules.set_task(no, task);
            self.wake_for(no);
        }
        Ok(changes)
    }

    /// Lets the ticks of a schedule pass, or lets it go on. The answer says whether that changed
    /// anything.
    pub(crate) fn pause_schedule(&mut self, ticket: Ticket, id: &str, pauses: bool) {
        let now = self.now.wall;
        let changed = self.schedule_of(id).map(|no| {
            let change = |one: &mut Schedule| if pauses { one.pause(now) } else { one.resume(now) };
            let changes = self.facts.schedules.change(no, change);
            self.wake_for(no);
            changes
        });
        self.reply(ticket, changed.map(Answer::Flag));
    }

    /// A schedule goes; its tasks stay. The answer says whether it was there.
    pub(crate) fn remove_schedule(&mut self, ticket: Ticket, id: &str) {
        let no = self.facts.schedules.no_of(id);
        no.into_iter().for_each(|no| self.facts.schedules.remove(no));
        self.reply(ticket, Ok(Answer::Flag(no.is_some())));
    }

    /// Adds the task of a schedule now, and uses no tick. The answer is that task, or nothing if
    /// the overlap let none be added.
    pub(crate) fn trigger_schedule(&mut self, ticket: Ticket, id: &str, overlap: Option<Overlap>) {
        let made = self.schedule_of(id).and_then(|no| self.make_task(no, None, overlap));
        self.reply(ticket, made.map(Answer::Found));
    }

    /// What is due of these schedules. Stands behind the change that forgets their timers.
    pub(crate) fn tick(&mut self, due: impl Iterator<Item = ScheduleNo>) {
        let mut made = 0;
        for no in due {
            if made < MADE_MAX {
                made += self.tick_one(no);
            } else {
                // Written once more, with the timer that has fired.
                self.facts.schedules.change(no, |_| true);
                self.wake_for(no);
            }
        }
    }

    /// How many tasks that made.
    fn tick_one(&mut self, no: ScheduleNo) -> usize {
        let Some(schedule) = self.facts.schedules.get(no) else { return 0 };
        let Some(due) = schedule.due(self.now.wall) else { return 0 };
        let (id, overlap) = (schedule.id.clone(), schedule.spec().overlap);
        // Each would replace the one before in this very commit.
        let is_last = |at: &usize| overlap != Overlap::Replace || at + 1 == due.ticks.len();
        let mut made = 0;
        for at in (0..due.ticks.len()).filter(is_last) {
            let tick = due.ticks[at];
            if self.facts.schedules.get(no).is_none_or(Schedule::is_used_up) {
                break;
            }
            match self.make_task(no, Some(tick), None) {
                Ok(task) => made += usize::from(task.is_some()),
                Err(error) => {
                    self.draft.task_news.push(TaskNews::TickRefused(id.clone(), tick, error));
                }
            }
        }
        self.facts.schedules.change(no, |one| {
            one.move_on(due.next_at);
            true
        });
        self.wake_for(no);
        made
    }

    /// Makes the task of a tick, or of a trigger; which one, if there is one. A duplicate is the
    /// earlier one.
    fn make_task(
        &mut self,
        no: ScheduleNo,
        tick: Option<WallMs>,
        overlap: Option<Overlap>,
    ) -> Result<Option<TaskId>> {
        let known = &self.facts.schedules;
        let (Some(schedule), Some(task)) = (known.get(no), known.task(no)) else {
            return Ok(None);
        };
        let mut task = task.clone()?;
        let overlap = overlap.unwrap_or(schedule.spec().overlap);
        let last = schedule.last.map(|last| last.id);
        mark(&mut task, schedule, (tick, self.now.wall));
        let rule = tick_rule(overlap, last.map_or(LastState::Over, |id| self.last_state(id)));
        match rule {
            TickRule::Skip => return Ok(None),
            // What this very commit has made is as new as it could be.
            TickRule::MakeInstead if last.is_some_and(|id| self.is_new(id)) => return Ok(last),
            TickRule::MakeBehind => depend_on(&mut task, last)?,
            TickRule::Make | TickRule::MakeInstead => {}
        }
        let (id, added) = self.admit(task)?;
        if added == Added::New {
            self.draft.task_news.push(TaskNews::Added(id));
            if let Some(last) = last.filter(|_| rule == TickRule::MakeInstead) {
                self.replace_last(last);
            }
            let last = LastTask { at: tick.unwrap_or(self.now.wall), id };
            self.facts.schedules.change(no, |one| {
                one.made(last, tick.is_some());
                true
            });
        }
        Ok(Some(id))
    }

    fn is_new(&self, id: TaskId) -> bool {
        self.addition(self.ids.key().seq_of(id)).is_some()
    }

    /// What has become of the last task of a schedule.
    fn last_state(&self, id: TaskId) -> LastState {
        let seq = self.ids.key().seq_of(id);
        let (is_over, has_begun) = match (self.addition(seq), self.facts.briefs.get(&seq)) {
            (Some(add), _) => (add.state().is_final(), false),
            (None, Some(brief)) => (brief.state.is_final(), brief.has_started),
            (None, None) => (true, false),
        };
        if is_over {
            LastState::Over
        } else if has_begun {
            LastState::Begun
        } else {
            LastState::Waiting
        }
    }

    /// The last task of a schedule gives way to the next one.
    fn replace_last(&mut self, id: TaskId) {
        let seq = self.ids.key().seq_of(id);
        let Some(brief) = self.facts.briefs.get(&seq).cloned() else { return };
        let reason =
            rules::abort_reason(Cause::Replaced, "the next task of its schedule took its place");
        self.write_due_of(seq);
        self.abort_task(seq, &brief, &reason);
    }

    /// Writes the schedules that have changed.
    pub(crate) fn write_schedules(&mut self) {
        let changes = std::mem::take(&mut self.facts.schedules).changes();
        self.draft.changes.extend(changes.map(Change::Schedule));
    }
}

/// Says of a task which schedule adds it and for which tick, and when it may start.
fn mark(task: &mut NewTask, schedule: &Schedule, (tick, now): (Option<WallMs>, WallMs)) {
    let mut id = String::new();
    write_string(&schedule.id, &mut id);
    let delay = match task.options.start_time {
        Some(StartTime::After(ms)) => ms,
        Some(StartTime::At(_) | StartTime::Delayed(_) | StartTime::Held(_)) | None => 0,
    };
    let jitter = tick.map_or(0, |tick| schedule.spec().jitter(&schedule.id, tick));
    let wait = delay.saturating_add(jitter);
    let options = &mut *task.options;
    (options.schedule_id, options.scheduled_at) = (Some(Json::trusted(&id)), tick);
    let moment = || StartTime::After(wait).moment(tick.unwrap_or(now));
    options.start_time = (wait > 0).then(|| StartTime::Delayed(moment()));
}

/// The task waits until the last one of its schedule has ended, however it ends.
fn depend_on(task: &mut NewTask, last: Option<TaskId>) -> Result<()> {
    // Else it says so itself, and a caller wants `queue` for this one time.
    if task.options.depends_on.is_some() {
        let text = "'queue' is not taken together with dependsOn in the task of the schedule";
        return Err(Error::at(Code::Unsupported, "overlap", text));
    }
    let on = last.into_iter().map(Dependency::Task).collect();
    let all = Dependencies { on, on_failure: OnFailure::Run, is_list: false };
    task.options.depends_on = Some(all.into());
    Ok(())
}
