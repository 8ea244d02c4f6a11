//! What is asked when an executor outside asks for tasks, and what it gets.

use std::sync::Arc;

use tasker_core::id::{RunId, TaskId};
use tasker_core::task::{Json, Priority, SharedOptions};
use tasker_core::time::WallMs;

/// How long after a poll its operations pass for served.
pub const POLLED_MS: u64 = 60_000;
/// The most tasks that one poll may take.
pub const POLL_TASKS_MAX: usize = 1_000;
/// The longest that a poll may wait, in milliseconds.
pub const POLL_WAIT_MS_MAX: u64 = 600_000;
/// The most polls that wait at once.
pub const POLLS_MAX: usize = 10_000;

/// Asks for tasks, to take them to an executor outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Of these operations; of all that have an executor if that is absent.
    pub operations: Option<Vec<Arc<str>>>,
    /// So many at most.
    pub max: usize,
    /// How long to wait for the first one.
    pub wait_ms: u64,
    /// Who asks, as it calls itself.
    pub name: Option<Arc<str>>,
}

/// A task that a poll has got.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// Which task.
    pub id: TaskId,
    /// Its run, which the executor names in each call.
    pub run: RunId,
    /// Its operation.
    pub operation: Arc<str>,
    /// Attempts that have begun so far.
    pub attempt: u32,
    /// How soon it runs.
    pub priority: Priority,
    /// When it was added.
    pub created_at: WallMs,
    /// Until when it must begin.
    pub until: WallMs,
    /// What the caller gave.
    pub data: Option<Json>,
    /// What few tasks say.
    pub options: SharedOptions,
}
