//! What memory mirrors of a store: operations, lanes and their windows, and where the store stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::id::{LaneId, OperationId, Seq, TaskId};
use crate::operation::OperationRecord;
use crate::queue::QueueKey;
use crate::state::Counts;
use crate::task::NewTask;
use crate::time::WallMs;

/// An operation that has, or had, tasks, or of which something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number, a part of each of its lanes' numbers.
    pub id: OperationId,
    /// Its name.
    pub name: Arc<str>,
    /// What is said of it, for all processes.
    pub record: OperationRecord,
}

impl Operation {
    /// One that is stored for the first time, and of which nothing is said.
    pub fn new(id: OperationId, name: impl Into<Arc<str>>) -> Self {
        Self { id, name: name.into(), record: OperationRecord::first() }
    }
}

/// All tasks with the same operation and the same resolved conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its number, stored with each of its tasks.
    pub id: LaneId,
    /// Its operation.
    pub operation: Arc<str>,
}

/// A run that is live, of whichever owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveRun {
    /// Its task.
    pub seq: Seq,
    /// The lane of that.
    pub lane: LaneId,
}
/// The operations of which an owner starts tasks: it has a runner for each, and is started.
pub type Offers = Arc<BTreeSet<Arc<str>>>;

/// Where the store stands: the facts of its last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last batch; 0 for a new store.
    pub number: u64,
    /// The next free sequence number; 1 for a new store.
    pub seq_next: Seq,
    /// The next free number of a lane, for any operation; 1 for a new store.
    pub lane_next: u64,
    /// How many tasks are in each state.
    pub counts: Counts,
}

/// A ready task with all that its start needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadyTask {
    /// Its number in commit order.
    pub seq: Seq,
    /// Its identity.
    pub id: TaskId,
    /// When it was added.
    pub created_at: WallMs,
    /// What the caller defined.
    pub def: NewTask,
    /// Attempts so far.
    pub attempt: u32,
    /// Failures so far.
    pub failures: u32,
    /// Losses in a row so far.
    pub losses: u32,
    /// Log lines kept so far; the next one has the number after it.
    pub logs: u32,
}

/// The first ready tasks of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// In queue order: greater priority first, then smaller sequence number (I-7).
    pub tasks: Vec<ReadyTask>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// The first ready task of a lane, and where the next one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneHead {
    /// The lane.
    pub lane: LaneId,
    /// The position of its first task.
    pub first: QueueKey,
    /// The position of its second task, if it has one.
    pub next: Option<QueueKey>,
}

/// Which ready tasks of a lane to load.
#[derive(Clone, Debug)]
pub struct WindowQuery {
    /// The lane.
    pub lane: Lane,
    /// Those from this position on.
    pub from: QueueKey,
    /// At most this many.
    pub tasks_max: usize,
}
