//! Words of which a task says one.
//!
//! # Promises
//! - Each has the word that `addTask` and `addSchedule` of the Node.js class take.
//!
//! Proof: `task/tests/execute.rs`, `task/tests/schedules.rs`.

use tasker_core::schedule;
use tasker_core::task;

/// What a close does with a run of the task that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStop {
    /// It waits for the run, for 30 seconds at most; then the task goes back to the queue.
    Wait,
    /// The task goes back to the queue; the attempt does not count.
    Postpone,
    /// The task is aborted.
    Abort,
}

impl OnStop {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OnStop::Wait => task::OnStop::Wait.as_str(),
            OnStop::Postpone => task::OnStop::Postpone.as_str(),
            OnStop::Abort => task::OnStop::Abort.as_str(),
        }
    }
}

/// What a tick of a schedule does while the last task of it has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// It makes no task.
    Skip,
    /// Its task waits for the end of that one; one waits at most.
    Queue,
    /// It aborts that one.
    Replace,
    /// Its task runs beside that one.
    Allow,
}

impl Overlap {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Overlap::Skip => schedule::Overlap::Skip.as_str(),
            Overlap::Queue => schedule::Overlap::Queue.as_str(),
            Overlap::Replace => schedule::Overlap::Replace.as_str(),
            Overlap::Allow => schedule::Overlap::Allow.as_str(),
        }
    }
}
