//! What the start of a task needs, as far as memory holds it: a cache, bounded in all.

use rustc_hash::FxHashMap;

use crate::id::Seq;
use crate::store::ReadyTask;

/// How many tasks it holds.
const TASKS_MAX: usize = 8_192;
/// How many bytes of data it holds; a single larger task fits.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Contents {
    tasks: FxHashMap<Seq, ReadyTask>,
    bytes: usize,
}

impl Contents {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ReadyTask> {
        self.tasks.values()
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&ReadyTask> {
        self.tasks.get(&seq)
    }

    /// Forgets everything if what comes in does not fit beside it.
    pub(super) fn make_room(&mut self, tasks: usize, bytes: usize) {
        if self.tasks.len() + tasks > TASKS_MAX || self.bytes + bytes > BYTES_MAX {
            self.clear();
        }
        debug_assert!(self.tasks.len() <= TASKS_MAX, "more tasks are kept than promised");
    }

    pub(super) fn clear(&mut self) {
        self.tasks.clear();
        self.bytes = 0;
    }

    /// Keeps a task if there is room.
    pub(super) fn offer(&mut self, task: ReadyTask) {
        let bytes = self.bytes + bytes_of(&task);
        let has_room = self.tasks.len() < TASKS_MAX && bytes <= BYTES_MAX;
        if has_room || self.tasks.is_empty() {
            self.bytes = bytes;
            let id = task.id;
            let old = self.tasks.insert(task.seq, task);
            debug_assert!(
                old.as_ref().is_none_or(|old| old.id == id),
                "two tasks have one number (I-8)"
            );
            self.bytes -= old.as_ref().map_or(0, bytes_of);
        }
    }

    /// Takes a task out: it starts, or is not as it was.
    pub(super) fn take(&mut self, seq: Seq) -> Option<ReadyTask> {
        let task = self.tasks.remove(&seq)?;
        self.bytes -= bytes_of(&task);
        debug_assert!(!self.tasks.is_empty() || self.bytes == 0, "nothing is kept and has bytes");
        Some(task)
    }
}

/// How much memory what its caller gave a task takes.
pub(super) fn bytes_of(task: &ReadyTask) -> usize {
    task.def.bytes()
}
