//! Keys of the rows of an outbox: which task each has made.

use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::task::NewTask;

use super::Oracle;

impl Oracle {
    /// A key makes one task (I-2).
    pub(super) fn enter_once(
        &mut self,
        key: IdempotencyKey,
        def: NewTask,
        id: TaskId,
        is_new: bool,
    ) {
        if !is_new {
            return self.see_key(key, Some(id));
        }
        self.name(key, id);
        self.enter(id, def);
    }

    /// A key that was not known leads to this task.
    pub(super) fn name(&mut self, key: IdempotencyKey, id: TaskId) {
        self.forget_key(key);
        assert!(!self.keys.contains_key(&key), "I-2: a second task of {key:?}");
        assert_ne!(self.open_keys.remove(&key), Some(true), "I-2: {key:?} was committed");
        self.keys.insert(key, id);
    }

    /// The store says which task a key has made.
    pub(super) fn see_key(&mut self, key: IdempotencyKey, id: Option<TaskId>) {
        if let (Some(is_committed), Some(id)) = (self.open_keys.get(&key), id) {
            let is_known = self.tasks.contains_key(&id) || self.removed.contains_key(&id);
            assert!(*is_committed && is_known, "I-2: from nowhere");
            self.open_keys.remove(&key);
            self.keys.insert(key, id);
        }
        if id.is_none() {
            self.forget_key(key);
        }
        assert_ne!(self.open_keys.get(&key), Some(&true), "I-1: the store forgot {key:?}");
        assert_eq!(self.keys.get(&key), id.as_ref(), "I-2: {key:?}");
    }
}
