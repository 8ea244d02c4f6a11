//! The order in which ready tasks start.

use std::cmp::Reverse;

use crate::id::Seq;
use crate::task::Priority;

/// The position of a task in the queue: greater priority first, then the older one (I-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    priority: Reverse<Priority>,
    /// The task.
    pub seq: Seq,
}

impl QueueKey {
    /// The first position that there is.
    pub const FIRST: Self = Self { priority: Reverse(Priority::MAX), seq: Seq(0) };

    /// A position behind every task.
    pub const LAST: Self = Self { priority: Reverse(Priority::MIN), seq: Seq(i64::MAX as u64) };

    /// The position of a task with this priority.
    pub fn new(priority: Priority, seq: Seq) -> Self {
        Self { priority: Reverse(priority), seq }
    }

    /// The priority of the task.
    pub fn priority(self) -> Priority {
        self.priority.0
    }

    /// The first position behind this one.
    #[must_use]
    pub fn after(self) -> Self {
        Self { seq: Seq(self.seq.0 + 1), ..self }
    }
}
