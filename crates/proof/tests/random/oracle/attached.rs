//! Tasks that run only in the process that added them, and end with it.

use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask};

use super::{Asked, Oracle, Task};

impl Oracle {
    /// Whether a task may start, perhaps only when its own process looks.
    pub(crate) fn has_ready(&self) -> bool {
        self.tasks.values().any(|task| task.state == State::Ready)
    }

    /// Whether a task may run in the process that turns.
    pub(crate) fn may_run(&self, task: &Task) -> bool {
        task.attached_to.is_none_or(|process| process == self.me)
    }

    /// The process is gone, and with it what was attached to it; `is_told` if one that lives will
    /// tell of it.
    pub(super) fn lose_attached(&mut self, is_told: bool) {
        let me = self.me;
        let is_left = |task: &&mut Task| {
            task.attached_to == Some(me) && task.run.is_none() && !task.state.is_final()
        };
        for task in self.tasks.values_mut().filter(is_left) {
            (task.state, task.cause) = (State::Aborted, Some(Cause::Lost));
            task.def.options.forget_pause();
            task.is_end_owed = is_told;
        }
    }

    /// Whether a task hangs on an earlier life of the process that turns, which closed in a turn
    /// whose fate was open. So it has ended, or is not there.
    pub(super) fn was_attached_before(&self, task: &Task) -> bool {
        task.attached_to == Some(self.me) && !self.me().has_attached
    }

    /// A task was told to have ended, perhaps because a process closes or stops.
    pub(super) fn assert_gone_with_process(&self, id: TaskId, cause: Option<Cause>) {
        match cause {
            Some(Cause::Lost) => self.assert_detached(id),
            Some(Cause::Stop) if !self.me().taken.contains(&id) => self.assert_lapsed(id),
            _ => {}
        }
    }

    /// A task was told to have ended because its process is gone: it is the one that closes.
    fn assert_detached(&self, id: TaskId) {
        let task = &self.tasks[&id];
        assert_eq!(task.attached_to, Some(self.me), "{task:?}");
        assert!(self.me().closes(), "its process goes on: {task:?}");
    }

    /// Whether a call asks for what cannot be: an attached task with conditions, or what an ended
    /// task was attached to is gone. Of one whose add had an open fate it is not known.
    pub(super) fn may_be_unsupported(&self, asked: &Asked) -> bool {
        let has_conditions = |def: &NewTask| {
            let mut def = def.clone();
            let is_attached = def.is_attached;
            self.complete(&mut def);
            is_attached && !def.conditions().is_none()
        };
        let id = match asked {
            Asked::Retry(id, _) | Asked::Update(id, _) => id,
            Asked::Add(defs) => return defs.iter().any(has_conditions),
            Asked::Once(defs) => return defs.iter().any(|(_, def)| has_conditions(def)),
            _ => return false,
        };
        let never_ran = |task: &Task| task.starts == 0 && task.state == State::Aborted;
        self.tasks.get(id).is_some_and(|task| task.attached_to.is_some() || never_ran(task))
    }
}
