//! What a store keeps of tasks that executors outside take: who has each, and until when.
//!
//! Only such tasks have a row. It comes with the first claim and goes with the task, and counts the
//! changes of that. The run of an executor has no owner, so no death takes it along; its lease is
//! the only thing that ends it from without.

use std::sync::Arc;

use super::Start;
use crate::backoff::RetryPolicy;
use crate::executor::Lease;
use crate::id::{LaneId, RunId, Seq, TaskId};
use crate::state::State;
use crate::task::Priority;
use crate::time::WallMs;

/// A change of a task that executors outside take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutsideChange {
    /// An executor takes a task. Stands behind the `Add` of its task if both are in one batch.
    /// Guard: it is ready.
    Claim {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// Its run, which is of no owner, and until when it must begin.
        lease: Lease,
        /// When.
        at: WallMs,
    },
    /// The executor begins with it. Guard: it is claimed under the run of `start`.
    Begin {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// Its run.
        start: Start,
        /// Until when the executor must be heard of.
        until: WallMs,
    },
    /// The executor did not begin in time, or gives the task back. Guard: it is claimed under
    /// `run`.
    Unclaim {
        /// Which task.
        seq: Seq,
        /// Its lane.
        lane: LaneId,
        /// Its priority.
        priority: Priority,
        /// The claim.
        run: RunId,
    },
    /// The executor was heard of. Guard: the task runs under `run`, which is of an executor.
    Renew {
        /// Which task.
        seq: Seq,
        /// Its run.
        run: RunId,
        /// Until when the executor must be heard of again.
        until: WallMs,
    },
    /// A task was changed, by these changes or by others of the batch. If an executor has ever
    /// taken it, it gets its next version, and if its run is over so is its lease. No guard.
    Touch {
        /// Which task.
        seq: Seq,
        /// When.
        at: WallMs,
    },
}

/// A live run, or a claim, of an executor outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideRun {
    /// Its task.
    pub seq: Seq,
    /// The identity of that.
    pub id: TaskId,
    /// Its lane.
    pub lane: LaneId,
    /// Claimed or running.
    pub state: State,
    /// The run, and until when.
    pub lease: Lease,
    /// When it began, if it did.
    pub started_at: Option<WallMs>,
    /// Attempts that have begun, this one with them if it has.
    pub attempt: u32,
    /// Failures before it.
    pub failures: u32,
    /// Log lines of the task.
    pub logs: u32,
    /// How often the task is tried.
    pub retry: Option<Arc<RetryPolicy>>,
    /// The longest that the run may take, in milliseconds.
    pub run_timeout_ms: Option<u64>,
}
