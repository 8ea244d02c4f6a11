//! The schedules that a turn knows: those that its calls name, and those that are due.
//!
//! They are as they will be after what is drafted so far, and each that has changed is written
//! once.
//!
//! Proof: `proof/tests/engine/schedules.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::definition::{self, Operations};
use tasker_core::error::Result;
use tasker_core::id::TaskId;
use tasker_core::schedule::Overlap;
use tasker_core::schedules::{Schedule, ScheduleName, ScheduleNo, Wanted};
use tasker_core::store::{ReadTransaction, ScheduleChange};
use tasker_core::task::NewTask;

use crate::input::Input;
use crate::timers::Fired;

/// The schedules that a turn knows, as they are after what is drafted so far.
#[derive(Debug, Default)]
pub(crate) struct KnownSchedules {
    by_no: BTreeMap<ScheduleNo, Known>,
    by_id: FxHashMap<Arc<str>, ScheduleNo>,
    /// How many the store has, if the turn may make one.
    pub(crate) count: usize,
}

#[derive(Debug)]
struct Known {
    /// The version that the store has, if it has one.
    stored: Option<u32>,
    /// Nothing once it is removed.
    now: Option<Schedule>,
    is_changed: bool,
    /// What its ticks add, or why they can add nothing.
    task: Result<NewTask>,
}

/// What the ticks of a schedule add.
pub(crate) fn task_of(Wanted { spec, defaults }: &Wanted) -> Result<NewTask> {
    let queues = spec.overlap == Overlap::Queue;
    definition::of_schedule(&spec.task, queues, defaults, &mut Operations::default())
}

impl KnownSchedules {
    /// Reads those that calls name and those that are due.
    pub(crate) fn read(
        transaction: &mut dyn ReadTransaction,
        mut names: Vec<ScheduleName>,
        inputs: &[Input],
        fired: Option<&Fired>,
    ) -> Result<Self> {
        names.extend(fired.into_iter().flat_map(Fired::schedules).map(ScheduleName::No));
        let mut known = Self::default();
        if names.is_empty() {
            return Ok(known);
        }
        names.sort_unstable();
        names.dedup();
        let found = transaction.schedules(&names)?;
        debug_assert_eq!(found.len(), names.len(), "a lookup gives one answer for each item");
        for schedule in found.into_iter().flatten() {
            let task = task_of(&schedule.wanted);
            let stored = Some(schedule.version);
            known.by_id.insert(schedule.id.clone(), schedule.no);
            let one = Known { stored, now: Some(schedule), is_changed: false, task };
            known.by_no.insert(one.now.as_ref().map_or(ScheduleNo(0), |now| now.no), one);
        }
        let is_new = |id: &Arc<str>| !known.by_id.contains_key(id);
        let makes = |input: &Input| matches!(input, Input::AddSchedule(_, id, _) if is_new(id));
        if inputs.iter().any(makes) {
            known.count = transaction.count_schedules()?;
        }
        Ok(known)
    }

    /// The last tasks of all.
    pub(crate) fn last_tasks(&self) -> impl Iterator<Item = TaskId> {
        let schedules = self.by_no.values().filter_map(|known| known.now.as_ref());
        schedules.filter_map(|schedule| Some(schedule.last?.id))
    }

    /// What their ticks may add.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &NewTask> {
        self.by_no.values().filter_map(|known| known.task.as_ref().ok())
    }

    pub(crate) fn no_of(&self, id: &str) -> Option<ScheduleNo> {
        let no = self.by_id.get(id)?;
        self.get(*no).map(|_| *no)
    }

    pub(crate) fn get(&self, no: ScheduleNo) -> Option<&Schedule> {
        self.by_no.get(&no)?.now.as_ref()
    }

    /// Changes one; `change` says whether it did.
    pub(crate) fn change(
        &mut self,
        no: ScheduleNo,
        change: impl FnOnce(&mut Schedule) -> bool,
    ) -> bool {
        let Some(Known { now: Some(schedule), is_changed, .. }) = self.by_no.get_mut(&no) else {
            return false;
        };
        let changes = change(schedule);
        *is_changed |= changes;
        changes
    }

    pub(crate) fn insert(&mut self, schedule: Schedule, task: NewTask) {
        let no = schedule.no;
        self.by_id.insert(schedule.id.clone(), no);
        let one = Known { stored: None, now: Some(schedule), is_changed: true, task: Ok(task) };
        let old = self.by_no.insert(no, one);
        debug_assert!(old.is_none(), "schedule {} is made twice", no.0);
        self.count += 1;
    }

    /// What its ticks add, or why they can add nothing.
    pub(crate) fn task(&self, no: ScheduleNo) -> Option<&Result<NewTask>> {
        Some(&self.by_no.get(&no)?.task)
    }

    pub(crate) fn set_task(&mut self, no: ScheduleNo, task: NewTask) {
        if let Some(known) = self.by_no.get_mut(&no) {
            known.task = Ok(task);
        }
    }

    pub(crate) fn remove(&mut self, no: ScheduleNo) {
        if let Some(known) = self.by_no.get_mut(&no) {
            known.now = None;
            self.count = self.count.saturating_sub(1);
        }
    }

    /// What is to be written, each schedule once, by number: so one that is removed is gone before
    /// another one has its id.
    pub(crate) fn changes(self) -> impl Iterator<Item = ScheduleChange> {
        self.by_no.into_iter().filter_map(|(no, known)| match (known.stored, known.now) {
            (Some(version), Some(now)) if known.is_changed => {
                let next = Schedule { version: version.wrapping_add(1), ..now };
                Some(ScheduleChange::Change(next.into()))
            }
            (None, Some(now)) => Some(ScheduleChange::Make(now.into())),
            (Some(version), None) => Some(ScheduleChange::Remove(no, version)),
            (Some(_), Some(_)) | (None, None) => None,
        })
    }
}
