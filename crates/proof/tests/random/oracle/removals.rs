//! What is removed: by hand, which is answered, and by time, which nobody is told.

use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::limits::KEYS_KEPT_MS;
use tasker_core::read::Found;
use tasker_core::time::WallMs;

use super::{Oracle, Task};

impl Oracle {
    /// A call to remove a task was answered. What it says of a task that ends in this turn is seen
    /// when that is told.
    pub(super) fn asked_to_remove(&mut self, id: TaskId, does: bool) {
        let (is_named, is_waited_for) = (self.named.contains(&id), self.is_waited_for(id));
        let task = self.tasks.get_mut(&id).expect("it was there");
        assert!(does || is_named || !task.state.is_final(), "it has ended: {task:?}");
        assert!(!does || !is_waited_for, "another one depends on it: {task:?}");
        task.is_leaving = does;
    }

    /// All is told of a turn: what was removed by hand has ended, and is gone.
    pub(super) fn let_go(&mut self) {
        let gone = self.tasks.extract_if(.., |_, task| task.is_leaving);
        for (id, task) in gone {
            assert!(task.state.is_final(), "it was removed and had not ended: {task:?}");
            self.removed.insert(id, self.wall);
        }
    }

    /// The tasks that may be removed by this moment, or have been.
    pub(crate) fn expired(&self, wall: WallMs) -> Vec<TaskId> {
        let over = self.tasks.iter().filter(|(_, task)| task.is_over(wall));
        over.map(|(id, _)| *id).collect()
    }

    /// Whether such a task is still there.
    pub(crate) fn see_over(&mut self, id: TaskId, is_there: bool, wall: WallMs) {
        if is_there {
            self.tasks.get_mut(&id).unwrap().is_doubtful = false;
            return;
        }
        assert!(!self.is_waited_for(id), "another one depends on {id:?}");
        let task = self.tasks.remove(&id);
        assert!(task.is_some_and(|task| task.is_over(wall)), "removed too early");
        self.removed.insert(id, wall);
    }

    /// Whether a task is not there, or may be removed in this very turn.
    pub(super) fn may_be_gone(&self, id: TaskId) -> bool {
        self.tasks.get(&id).is_none_or(|task| task.is_leaving || task.is_over(self.wall))
    }

    /// The key of a removed task may be forgotten when its time is over by any clock.
    pub(super) fn forget_key(&mut self, key: IdempotencyKey) {
        let removed_at = self.keys.get(&key).and_then(|id| self.removed.get(id));
        if removed_at.is_some_and(|at| at.plus(KEYS_KEPT_MS) <= self.latest) {
            self.keys.remove(&key);
        }
        // Of a commit with an open fate it is not known which task has the key.
        let is_over = |at: &WallMs| at.plus(KEYS_KEPT_MS) <= self.latest;
        if self.open_keys.contains_key(&key) && self.removed.values().any(is_over) {
            self.open_keys.remove(&key);
        }
    }
}

impl Task {
    /// Whether it may be removed at a moment: never before its retention is over, counted from the
    /// earliest moment at which it may have ended.
    pub(super) fn is_over(&self, wall: WallMs) -> bool {
        if self.is_doubtful {
            return true;
        }
        let retention = self.def.options.retention.as_ref();
        let seen = self.image.as_ref().and_then(|task| task.ended_at);
        let ended_at = seen.unwrap_or(self.ended_from);
        retention.is_some_and(|retention| retention.is_over(self.state, ended_at, wall))
    }
}

/// What is still there at this moment is not to be removed much earlier.
pub(crate) fn assert_not_late(Found { task, .. }: &Found, wall: WallMs) {
    let retention = task.def.options.retention.as_ref();
    let Some(ms) = retention.and_then(|retention| retention.ms(task.state)) else { return };
    let over_at = task.ended_at.unwrap_or_default().plus(ms);
    assert!(over_at.plus((ms / 20).max(500)) > wall, "kept too long: {task:?}");
}
