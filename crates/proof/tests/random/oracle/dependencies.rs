//! What waits for what, by looking at everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::id::TaskId;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask, TaskEnd};

use super::{Asked, Oracle, Task};

/// A stored definition names all that it depends on by uuid; `ids` are those of its call.
pub(super) fn name_all(def: &mut NewTask, ids: &[TaskId]) {
    let Some(all) = def.options.depends_on.clone() else { return };
    let named = all.on.iter().map(|one| match one {
        Dependency::Task(id) => Dependency::Task(*id),
        Dependency::Earlier(n) => Dependency::Task(ids[*n]),
    });
    let all = Dependencies { on: named.collect(), is_list: false, on_failure: all.on_failure };
    def.options.depends_on = Some(Arc::new(all));
}

impl Task {
    fn dependencies(&self) -> Option<&Dependencies> {
        self.def.options.depends_on.as_deref()
    }

    /// Whether it waits for others, also while it is paused.
    fn is_waiting(&self) -> bool {
        let is_out = self.state == State::Paused && self.run.is_none() && !self.waits.is_empty();
        self.state == State::Blocked || is_out
    }
}

impl Oracle {
    /// What a new task has to wait for; nothing if it need not. What has failed is told later.
    pub(super) fn waits_of(&self, def: &NewTask) -> Option<BTreeSet<TaskId>> {
        let all = def.options.depends_on.as_deref()?;
        let waits = all.tasks().filter(|id| !self.is_met(all, *id));
        Some(waits.collect()).filter(|waits: &BTreeSet<_>| !waits.is_empty())
    }

    /// Whether something that a definition depends on has not ended.
    pub(super) fn is_open(&self, def: &NewTask) -> bool {
        let state = |id| self.tasks.get(&id).map(|task| task.state);
        let all = def.options.depends_on.as_deref();
        all.is_some_and(|all| all.tasks().filter_map(state).any(|state| !state.is_final()))
    }

    fn is_met(&self, all: &Dependencies, id: TaskId) -> bool {
        let state = self.tasks.get(&id).expect("what is not there refuses the add").state;
        state == State::Done || (state.is_final() && all.on_failure == OnFailure::Run)
    }

    /// Whether a call may be told that a task is not there.
    pub(super) fn may_be_unknown(&self, asked: &Asked) -> bool {
        let is_unknown = |def: &NewTask| {
            let all = def.options.depends_on.as_deref();
            all.is_some_and(|all| all.tasks().any(|id| self.may_be_gone(id)))
        };
        match asked {
            Asked::Add(defs) => defs.iter().any(is_unknown),
            Asked::Once(defs) => {
                let new = defs.iter().filter(|(key, _)| !self.keys.contains_key(key));
                new.map(|(_, def)| def).any(is_unknown)
            }
            _ => false,
        }
    }

    /// Whether a task certainly waits for this one.
    pub(super) fn is_waited_for(&self, id: TaskId) -> bool {
        let names =
            |task: &Task| task.dependencies().is_some_and(|all| all.tasks().any(|on| on == id));
        let waits = |(one, task): (&TaskId, &Task)| {
            let may_end = self.is_doomed(*one) || self.was_attached_before(task);
            task.state == State::Blocked && names(task) && !may_end
        };
        self.tasks.iter().any(waits)
    }

    /// Which of these has failed or was aborted.
    pub(super) fn failed_of(&self, waits: &BTreeSet<TaskId>) -> Option<TaskId> {
        let has_failed =
            |id: &&TaskId| matches!(self.tasks[*id].state, State::Failed | State::Aborted);
        waits.iter().find(has_failed).copied()
    }

    /// Which of those that a blocked task waits for ends it.
    fn breaker(&self, task: &Task) -> Option<TaskId> {
        let aborts = |all: &&Dependencies| all.on_failure == OnFailure::Abort;
        task.dependencies().filter(aborts)?;
        task.doomed_by.or_else(|| self.failed_of(&task.waits))
    }

    /// Whether a task of this turn has ended as it came, which is told later.
    pub(super) fn is_doomed(&self, id: TaskId) -> bool {
        let blocked = self.tasks.get(&id).filter(|task| task.state == State::Blocked);
        let Some(task) = blocked else { return false };
        let aborts = |all: &Dependencies| all.on_failure == OnFailure::Abort;
        task.dependencies().is_some_and(aborts)
            && (task.doomed_by.is_some() || task.waits.iter().any(|wait| self.is_doomed(*wait)))
    }

    /// A task was told to have ended because of a dependency.
    pub(super) fn assert_orphan(&mut self, id: TaskId, outcome: &TaskEnd) {
        let task = &self.tasks[&id];
        assert!(task.is_waiting(), "{task:?}");
        assert!(self.breaker(task).is_some(), "none of its dependencies failed: {task:?}");
        let text = outcome.payload().map_or("", |reason| reason.as_str());
        let is_named = |wait: &TaskId| text.contains(&wait.0.to_string());
        assert!(task.waits.iter().any(is_named), "{text} names none of {:?}", task.waits);
        self.meet_end_of_dependency("orphan");
    }

    /// What has ended is waited for no more. Whoever depends on what has failed has ended by now,
    /// or `is_stored` and so told to nobody.
    pub(super) fn reach_dependents(&mut self, is_stored: bool) {
        let blocked = self.tasks.iter().filter(|(_, task)| task.is_waiting());
        let blocked: Vec<TaskId> = blocked.map(|(id, _)| *id).collect();
        for id in blocked {
            let task = &self.tasks[&id];
            assert_eq!(self.breaker(task), None, "it ends with its dependency: {task:?}");
            let all = task.dependencies().expect("it is blocked");
            let is_open = |wait: &&TaskId| !self.is_met(all, **wait);
            let waits: BTreeSet<TaskId> = task.waits.iter().filter(is_open).copied().collect();
            let is_blocked = task.state == State::Blocked;
            if waits.is_empty() && is_blocked {
                assert!(!is_stored, "it is stored as blocked: {task:?}");
                self.meet_end_of_dependency("unblock");
            }
            let task = self.tasks.get_mut(&id).unwrap();
            task.waits = waits;
            if task.waits.is_empty() && is_blocked {
                task.unblock();
            }
        }
    }

    /// The dead, or a turn that told nobody, have ended tasks that others wait for; `is_told` if
    /// one that lives will say so.
    pub(crate) fn reach_after_death(&mut self, is_told: bool) {
        loop {
            let broken = self
                .tasks
                .iter()
                .find(|(_, task)| task.is_waiting() && self.breaker(task).is_some());
            let Some(id) = broken.map(|(id, _)| *id) else { break };
            let task = self.tasks.get_mut(&id).unwrap();
            (task.state, task.cause) = (State::Aborted, Some(Cause::Dependency));
            task.def.options.forget_pause();
            task.is_end_owed = is_told;
        }
        self.reach_dependents(false);
    }
}

impl Task {
    /// Its last dependency is met. If its start time has come, it is due in the same turn.
    fn unblock(&mut self) {
        let is_timed = self.def.options.start_time.is_some();
        self.state = if is_timed { State::Delayed } else { State::Ready };
    }
}
