//! What a store answers to the lookups of a plan, where that is no task.

use std::sync::Arc;

use super::{PauseWish, WindowQuery};
use crate::dependency::OnFailure;
use crate::id::{LaneId, RunId, Seq, TaskId};
use crate::key::{Key, KeyKind, Unique};
use crate::queue::QueueKey;
use crate::retention::Retention;
use crate::schedules::ScheduleName;
use crate::state::State;
use crate::task::{
    AbortReason, AttemptEnd, OnInterrupted, Postponement, Priority, QueueTimeout, TaskEnd,
};
use crate::time::WallMs;

/// What a turn is going to look up, as far as it is known before it begins.
#[derive(Debug, Default)]
pub struct Lookups {
    /// For [`super::ReadTransaction::briefs`].
    pub seqs: Vec<Seq>,
    /// For [`super::ReadTransaction::find_by_keys`].
    pub keys: Vec<Key>,
    /// For [`super::ReadTransaction::windows`].
    pub windows: Vec<WindowQuery>,
    /// For [`super::ReadTransaction::states`].
    pub dependencies: Vec<Seq>,
    /// For [`super::ReadTransaction::schedules`].
    pub schedules: Vec<ScheduleName>,
    /// For [`super::ReadTransaction::timers`]: until when.
    pub timers_until: Option<WallMs>,
}

/// Says what a turn is going to look up. A store that is far away asks, and brings the answers
/// along; for one that is near it costs nothing.
pub type Preview<'a> = &'a dyn Fn() -> Lookups;

/// The task that was added under a key, or took it over last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// Its number.
    pub seq: Seq,
    /// Its identity.
    pub id: TaskId,
    /// How long it holds the key.
    pub kind: KeyKind,
    /// Until when at the longest.
    pub until: Option<WallMs>,
}

/// An ended task whose retention is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Which task.
    pub seq: Seq,
    /// Its lane.
    pub lane: LaneId,
    /// How it ended.
    pub state: State,
    /// Its identity.
    pub id: TaskId,
    /// Its priority.
    pub priority: Priority,
    /// How long it was to be kept, in milliseconds.
    pub kept_ms: u64,
    /// Whether a task that has not ended depends on it: so long it stays.
    pub is_needed: bool,
}

/// To whom tasks are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// To the owner that asks.
    Ours,
    /// To owners that are dead.
    OfTheDead,
}

/// What an explanation needs of a task beside its brief.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Background {
    /// When it ended, if it did.
    pub ended_at: Option<WallMs>,
    /// How its last attempt ended that another one follows, if there was one.
    pub last_end: Option<AttemptEnd>,
    /// The first of the tasks that it waits for, by number.
    pub open: Vec<TaskId>,
}

/// A part of the queue of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePart {
    /// The lane.
    pub lane: LaneId,
    /// Its tasks from this position on.
    pub from: QueueKey,
    /// And before this one.
    pub to: QueueKey,
}

/// A task waits for another one to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// For which.
    pub dependency: Seq,
    /// Which one waits.
    pub dependent: Seq,
}

/// A live run whose owner is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Which task.
    pub seq: Seq,
    /// Its lane.
    pub lane: LaneId,
    /// Its priority.
    pub priority: Priority,
    /// Its identity.
    pub id: TaskId,
    /// The run that is lost.
    pub run: RunId,
    /// When it began.
    pub started_at: WallMs,
    /// The attempt that is lost.
    pub attempt: u32,
    /// Failures before this run.
    pub failures: u32,
    /// Losses in a row before this one.
    pub losses: u32,
    /// What its definition says about a crash.
    pub on_interrupted: OnInterrupted,
    /// Whether it has dependencies.
    pub has_dependencies: bool,
    /// Whether its task lapses when the last owner stops that offers its operation.
    pub lapses: bool,
    /// Why it was to be aborted, if it was.
    pub abort: Option<AbortReason>,
    /// Until when it was to be given back, if it was.
    pub postponement: Option<Postponement>,
    /// How long it is kept after its end, if not for ever.
    pub retention: Option<Arc<Retention>>,
    /// What is wanted of it, if somebody has paused its task.
    pub wish: Option<PauseWish>,
    /// Whether it has halted.
    pub is_paused: bool,
}

/// What aborting, prioritizing and awaiting need to know of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// Its identity, to compare with what was asked for.
    pub id: TaskId,
    /// The lane it waits in.
    pub lane: LaneId,
    /// Where it is.
    pub state: State,
    /// How soon it runs.
    pub priority: Priority,
    /// When it may start at the earliest, if that was said.
    pub run_at: Option<WallMs>,
    /// How long it may wait for its first start, if that was said.
    pub queue_timeout: Option<QueueTimeout>,
    /// Whether a run of it ever began.
    pub has_started: bool,
    /// What the failure of a dependency means, if it has dependencies.
    pub on_failure: Option<OnFailure>,
    /// Whether that moment came of a delay, so that it shifts while the task is paused.
    pub has_delay: bool,
    /// Whether a hold keeps it, or has kept it last.
    pub is_held: bool,
    /// Whether it lapses when the last owner stops that offers its operation.
    pub lapses: bool,
    /// Since when it is paused, if it is so and has no run.
    pub paused_at: Option<WallMs>,
    /// Its live run, or its claim, if it has one.
    pub run: Option<RunId>,
    /// Whether that is of an executor outside.
    pub is_outside: bool,
    /// When it was added or last started, whichever is later.
    pub latest_at: WallMs,
    /// How it ended, if it did.
    pub outcome: Option<TaskEnd>,
    /// When it was added.
    pub created_at: WallMs,
    /// What it says of a key of its own.
    pub unique: Option<Arc<Unique>>,
    /// How long it is kept after its end, if not for ever.
    pub retention: Option<Arc<Retention>>,
    /// Whether a task that has not ended depends on it.
    pub is_needed: bool,
}
