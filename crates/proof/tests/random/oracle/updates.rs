//! Calls that change what a task says while it waits.

use tasker_core::id::TaskId;
use tasker_core::patch::Patch;
use tasker_core::state::State;
use tasker_core::task::{NewTask, QueueTimeout, StartTime};
use tasker_core::time::WallMs;

use super::{Oracle, Task};

/// What calls made of a task of which it is told later that it waits again, one after the other.
pub(super) type Later = Vec<Change>;

/// What a call changes of when a task starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// It is put off.
    PutOff(WallMs),
    /// It gets other times.
    Times(Times),
}

/// The times that an update names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    start: Option<Option<StartTime>>,
    queue_timeout: Option<Option<QueueTimeout>>,
}

impl Times {
    fn named_by(patch: &Patch) -> Option<Self> {
        let mut def = NewTask::new("any");
        patch.apply(&mut def).unwrap();
        let start = patch.has_start_time().then_some(def.options.start_time);
        let queue_timeout = patch.has_queue_timeout().then_some(def.options.queue_timeout);
        (start.is_some() || queue_timeout.is_some()).then_some(Self { start, queue_timeout })
    }
}

impl Task {
    /// Makes these changes, now that it waits.
    pub(super) fn change_later(&mut self, changes: Later, wall: WallMs) {
        for change in changes {
            match change {
                Change::PutOff(at) => self.wait_until(at),
                Change::Times(times) => self.set_times(times, wall),
            }
        }
    }

    /// What is named counts from now, or from its pause.
    fn set_times(&mut self, times: Times, wall: WallMs) {
        assert!(!self.is_paused_somewhen, "nobody knows since when: {self:?}");
        let since = self.def.options.paused_at.unwrap_or(wall);
        if let Some(start) = times.start {
            self.def.options.start_time = start;
        }
        if let Some(queue_timeout) = times.queue_timeout {
            self.def.options.queue_timeout = queue_timeout;
        }
        let run_at = self.def.options.fix_start_time(since);
        let run_at = run_at.filter(|_| !self.def.options.is_held());
        if self.starts == 0 && self.state != State::Blocked {
            self.def.options.begin_queue_timeout(run_at.map_or(since, |at| at.max(since)));
        }
        if times.start.is_some() && matches!(self.state, State::Delayed | State::Ready) {
            let is_delayed = run_at.is_some_and(|at| at > wall);
            self.state = if is_delayed { State::Delayed } else { State::Ready };
        }
    }
}

impl Oracle {
    /// A call has changed what a task says: its conditions follow what they may look at.
    pub(super) fn updated(&mut self, id: TaskId, patch: &Patch) {
        let (given_back, wall) = (self.given_back(), self.wall);
        let is_reopening = self.is_reopening(id);
        let task = &self.tasks[&id];
        let waits = is_reopening || task.run.is_none_or(|run| given_back.contains(&run));
        assert!(waits && !task.state.is_final(), "{task:?}");
        let (mut def, is_attached) = (task.def.clone(), task.attached_to.is_some());
        let before = (def.options.start_time, def.options.queue_timeout);
        patch.apply(&mut def).unwrap();
        (def.options.start_time, def.options.queue_timeout) = before;
        if patch.may_change_conditions() && !is_attached {
            if let Some(own) = def.options.own_conditions {
                def.options.conditions = def.options.conditions.last(own);
                def.options.own_conditions = None;
            }
            self.complete(&mut def);
        }
        let task = self.tasks.get_mut(&id).unwrap();
        task.priorities.push(def.priority);
        task.def = def;
        if let Some(times) = Times::named_by(patch) {
            self.change(id, Change::Times(times), wall);
        }
        self.keep_replaced(id);
        *self.updates_owed.entry(id).or_default() += 1;
    }

    /// A call changes when a task starts: now, or as soon as it is told that it waits again.
    pub(super) fn change(&mut self, id: TaskId, change: Change, wall: WallMs) {
        let is_replaced = self.replaced.contains_key(&id);
        if let Some(later) = self.later_of_reopened(id).filter(|_| !is_replaced) {
            return later.push(change);
        }
        let task = self.tasks.get_mut(&id).unwrap();
        match task.run {
            Some(_) => task.later.push(change),
            None => task.change_later(vec![change], wall),
        }
        self.keep_replaced(id);
    }

    /// What has replaced a definition stays, whatever is told later of what was before.
    fn keep_replaced(&mut self, id: TaskId) {
        let task = &self.tasks[&id];
        if let Some(replaced) = self.replaced.get_mut(&id) {
            *replaced = (task.def.clone(), task.state);
        }
    }
}
