//! Keys of unique tasks: which task took each last, and what that says of those that come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::key::{KeyKind, OnConflict, Unique};
use tasker_core::state::State;
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;
use tasker_engine::effect::Added;

use super::dependencies::name_all;
use super::{Asked, Oracle, Task};

/// An operation and a key.
pub(super) type UniqueKey = (Arc<str>, Box<str>);

pub(super) fn key_of(def: &NewTask) -> Option<(UniqueKey, Arc<Unique>)> {
    let unique = def.options.unique.clone()?;
    Some(((def.operation.clone(), unique.key.clone()), unique))
}

impl Task {
    /// Whether it holds its key by its state, whatever its ttl says.
    fn holds_by_state(&self) -> bool {
        let kind = |unique: &Unique| KeyKind::Unique(unique.hold);
        let unique = self.def.options.unique.as_deref();
        unique.is_some_and(|unique| kind(unique).is_held(self.state, self.starts > 0))
    }

    fn has_let_go(&self, wall: WallMs) -> bool {
        let unique = self.def.options.unique.as_deref();
        let until = unique.and_then(|unique| unique.until(self.created_at));
        until.is_some_and(|until| until <= wall)
    }

    /// It gets another definition, and keeps what makes it this task.
    fn redefine(&mut self, def: NewTask, run_at: Option<WallMs>, wall: WallMs) {
        assert!(self.starts == 0 && self.run.is_none() && !self.state.is_final(), "{self:?}");
        let is_delayed = run_at.is_some_and(|at| at > wall);
        self.state = if is_delayed { State::Delayed } else { State::Ready };
        // It depends on nothing any more.
        (self.doomed_by, self.waits) = (None, BTreeSet::new());
        self.priorities.push(def.priority);
        self.def = def;
    }
}

impl Oracle {
    /// What became of a task that a call was to add.
    pub(super) fn enter_as(&mut self, def: NewTask, id: TaskId, added: Added) {
        match added {
            Added::New => self.enter(id, def),
            Added::Known => assert!(self.tasks.contains_key(&id), "I-2: from nowhere"),
            Added::Duplicate => {
                let on_conflict = self.meet_holder(&def, id);
                assert_ne!(on_conflict, OnConflict::Reject);
                let task = &self.tasks[&id];
                let is_new = task.starts == 0 && !task.state.is_final();
                let is_new = is_new && task.attached_to.is_none();
                let may_replace = is_new && !self.withdrawn.contains(&id) && !self.is_doomed(id);
                let is_right = !may_replace || on_conflict != OnConflict::Replace;
                assert!(is_right, "it was to be replaced: {task:?}");
            }
            Added::Replaced => {
                assert_eq!(self.meet_holder(&def, id), OnConflict::Replace);
                self.replace(def, id);
            }
        }
    }

    /// What became of the tasks of a call, some of which say a unique key.
    pub(super) fn enter_list(&mut self, defs: Vec<NewTask>, tasks: &[(TaskId, Added)]) {
        assert_eq!(tasks.len(), defs.len());
        let ids: Vec<TaskId> = tasks.iter().map(|(id, _)| *id).collect();
        for ((id, added), mut def) in tasks.iter().zip(defs) {
            name_all(&mut def, &ids);
            self.enter_as(def, *id, *added);
        }
    }

    /// What became of the rows of an outbox, some of which say a unique key.
    pub(super) fn enter_rows(
        &mut self,
        defs: Vec<(IdempotencyKey, NewTask)>,
        tasks: &[(TaskId, Added)],
    ) {
        assert_eq!(tasks.len(), defs.len());
        for ((key, def), (id, added)) in defs.into_iter().zip(tasks) {
            match added {
                Added::New => self.enter_once(key, def, *id, true),
                Added::Known => self.see_key(key, Some(*id)),
                Added::Duplicate | Added::Replaced => {
                    self.name(key, *id);
                    self.enter_as(def, *id, *added);
                }
            }
        }
    }

    fn replace(&mut self, mut def: NewTask, id: TaskId) {
        self.complete(&mut def);
        let run_at = def.options.fix_start_time(self.wall);
        def.options.begin_queue_timeout(run_at.map_or(self.wall, |at| at.max(self.wall)));
        let wall = self.wall;
        let task = self.tasks.get_mut(&id).unwrap();
        task.redefine(def.clone(), run_at, wall);
        self.replaced.insert(id, (def, task.state));
        *self.updates_owed.entry(id).or_default() += 1;
    }

    /// The task with this id holds the key of this definition.
    fn meet_holder(&self, def: &NewTask, id: TaskId) -> OnConflict {
        let (key, unique) = key_of(def).expect("only a unique task is a duplicate");
        assert_eq!(self.takers.get(&key), Some(&id), "another task had {key:?} last");
        let task = &self.tasks[&id];
        let is_held =
            (task.holds_by_state() || self.is_reopening(id)) && !task.has_let_go(self.wall);
        assert!(is_held, "it does not hold its key: {task:?}");
        unique.on_conflict
    }

    /// A task has its key from now on; who had it before must not hold it when the turn is over.
    pub(super) fn take_key(&mut self, id: TaskId) {
        let task = &self.tasks[&id];
        let Some((key, _)) = key_of(&task.def) else { return };
        let before = self.takers.insert(key, id).filter(|before| *before != id);
        self.dispossessed.retain(|other| *other != id);
        let is_over =
            |id: &TaskId| self.tasks.get(id).is_none_or(|task| task.has_let_go(self.wall));
        self.dispossessed.extend(before.filter(|before| !is_over(before)));
    }

    /// A task is opened again, and takes its key if it holds it then.
    pub(super) fn take_key_again(&mut self, id: TaskId) {
        let task = &self.tasks[&id];
        let unique = task.def.options.unique.as_deref();
        let kind = unique.map(|unique| KeyKind::Unique(unique.hold));
        let is_held = kind.is_some_and(|kind| kind.is_held(State::Ready, task.starts > 0));
        if is_held && !task.has_let_go(self.wall) {
            self.take_key(id);
        }
    }

    /// Whether a call may be refused because a task has a key.
    pub(super) fn may_be_duplicate(&self, asked: &Asked) -> bool {
        let is_taken = |def: &NewTask| {
            let rejects = |unique: &Unique| unique.on_conflict == OnConflict::Reject;
            key_of(def).is_some_and(|(_, unique)| rejects(&unique))
        };
        match asked {
            Asked::Add(defs) => defs.iter().any(is_taken),
            Asked::Once(defs) => defs.iter().any(|(_, def)| is_taken(def)),
            Asked::Retry(id, _) => {
                let key = key_of(&self.tasks[id].def).map(|(key, _)| key);
                let taker = key.and_then(|key| self.takers.get(&key));
                taker.is_some_and(|taker| taker != id)
            }
            _ => false,
        }
    }

    /// It is told of a task that it ended and was opened again, and it was replaced after that.
    pub(super) fn stays_replaced(&mut self, id: TaskId) {
        if let (Some((def, state)), Some(task)) = (self.replaced.get(&id), self.tasks.get_mut(&id))
        {
            (task.def, task.state) = (def.clone(), *state);
        }
    }

    /// It is told that a task got another definition.
    pub(super) fn told_update(&mut self, id: TaskId) {
        let owed = self.updates_owed.get_mut(&id).filter(|owed| **owed > 0);
        *owed.expect("somebody replaced it") -= 1;
    }

    /// After a turn: whoever holds a key by its state had it last, so no two hold the same (I-2).
    pub(super) fn settle_keys(&mut self) {
        assert!(self.updates_owed.values().all(|owed| *owed == 0), "{:?}", self.updates_owed);
        (self.updates_owed, self.replaced) = (BTreeMap::new(), BTreeMap::new());
        self.withdrawn.clear();
        for id in std::mem::take(&mut self.dispossessed) {
            let task = self.tasks.get(&id).filter(|task| task.holds_by_state());
            assert!(task.is_none(), "I-2: its key was taken: {task:?}");
        }
        for (id, task) in &self.tasks {
            let Some((key, unique)) = key_of(&task.def) else { continue };
            let is_taker = self.takers.get(&key) == Some(id);
            assert!(is_taker || unique.ttl_ms.is_some() || !task.holds_by_state(), "I-2: {task:?}");
        }
    }
}
