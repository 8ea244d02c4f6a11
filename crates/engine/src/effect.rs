//! What the engine tells the outside, after the commit that makes it true (I-11).

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::error::Error;
use tasker_core::id::{RunId, TaskId};
use tasker_core::task::{
    AbortReason, Cause, Json, LogLine, Priority, Progress, SharedOptions, TaskEnd,
};
use tasker_core::time::WallMs;

use crate::client_id::ClientId;
use crate::guarded::CircuitNews;
use crate::input::{RunSlot, Ticket};
use crate::metrics::Figures;
pub use crate::poll::Claim;

/// One thing to tell.
#[derive(Debug)]
pub enum Effect {
    /// A call succeeded and is on disk.
    Answer(Ticket, Answer),
    /// A call was refused; nothing of it was done.
    Refuse(Ticket, Error),
    /// A run ended.
    RunEnded(RunSlot, RunEnd),
    /// A task ended although its runner did not settle.
    TaskEnded(TaskId, TaskEnd),
    /// An ended task runs again because somebody asked for it: when, and its error so far.
    Retrying(TaskId, WallMs, Option<Json>),
    /// A task got this priority because its `queueTimeout` is over.
    Prioritized(TaskId, Priority),
    /// A task got another definition.
    Updated(TaskId),
    /// A schedule has added a task.
    Added(TaskId),
    /// An executor outside has begun with a task.
    Began(TaskId),
    /// An executor outside said this of a run, for a client that has asked for it.
    Heard(ClientId, TaskId, Heard),
    /// This tick of a schedule is used up, for the store refuses its task.
    TickRefused(Arc<str>, WallMs, Error),
    /// A circuit has opened, is tried, or has closed again.
    Circuit(CircuitNews),
    /// So many more log lines and progress reports of a run are on disk.
    Recorded(RunSlot, u32, u32),
    /// The runs that follow, so many from this number on, have one runner, which is called once.
    Batch(RunSlot, u32),
    /// A run has started: call the runner.
    Start(RunStart),
    /// A run is to halt at its next checkpoint. If it is not to any more, it hears so there.
    Halt(RunSlot),
    /// A run that waits at a checkpoint goes on.
    GoOn(RunSlot),
    /// Fire the signal of a run.
    Abort(RunSlot, AbortSignal),
    /// What another owner of the store did, for a client that has subscribed to it.
    Remote(ClientId, RemoteEvent),
    /// Another process has assigned the runner of this operation with other options than this
    /// client, and those hold now: the version of the record that had ours, and that which has
    /// theirs.
    OperationChanged(ClientId, Arc<str>, (u32, u32)),
    /// No run is live any more, and nothing can start here: for a client that has asked for this.
    Idle(ClientId),
    /// All tasks have ended: for a client that has asked for this.
    Drained(ClientId),
    /// Nothing follows: the engine closed, by itself if there is an error.
    Closed(Option<Error>),
}

impl Effect {
    /// Whether it only tells what has happened: whoever listens to nothing does nothing about it.
    pub(crate) fn is_news(&self) -> bool {
        match self {
            Effect::RunEnded(..)
            | Effect::TaskEnded(..)
            | Effect::Retrying(..)
            | Effect::Prioritized(..)
            | Effect::Updated(_)
            | Effect::Added(_)
            | Effect::Began(_)
            | Effect::TickRefused(..)
            | Effect::Circuit(_)
            | Effect::Heard(..)
            | Effect::Recorded(..) => true,
            Effect::Answer(..)
            | Effect::Refuse(..)
            | Effect::Batch(..)
            | Effect::Start(_)
            | Effect::Halt(_)
            | Effect::GoOn(_)
            | Effect::Abort(..)
            | Effect::Remote(..)
            | Effect::OperationChanged(..)
            | Effect::Idle(_)
            | Effect::Drained(_)
            | Effect::Closed(_) => false,
        }
    }

    /// Its place among the effects of one turn.
    pub(crate) fn place(&self) -> u8 {
        match self {
            Effect::Answer(_, Answer::Ended(_)) => 4,
            Effect::Answer(..)
            | Effect::Refuse(..)
            | Effect::OperationChanged(..)
            | Effect::Halt(..) => 0,
            Effect::Recorded(..) | Effect::Heard(..) => 1,
            Effect::RunEnded(..) => 2,
            Effect::TaskEnded(..)
            | Effect::Retrying(..)
            | Effect::Prioritized(..)
            | Effect::Updated(_)
            | Effect::Added(_)
            | Effect::Circuit(_)
            | Effect::Began(_)
            | Effect::TickRefused(..) => 3,
            Effect::GoOn(_) | Effect::Batch(..) | Effect::Start(_) => 5,
            Effect::Abort(..) => 6,
            Effect::Remote(..) => 7,
            Effect::Idle(_) | Effect::Drained(_) => 8,
            Effect::Closed(_) => 9,
        }
    }
}

/// What an executor outside said of its run; it is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A line of its log.
    Log(LogLine),
    /// How far it is.
    Progress(Progress),
}

/// What another owner of the store did.
#[derive(Debug)]
pub enum RemoteEvent {
    /// Something happened to a task.
    Task(TaskId, TaskEvent),
    /// So many batches are left out: they were trimmed before we came to them.
    Missed(u64),
    /// The portion is complete; the next one comes after `Input::Ack`.
    AwaitAck,
}

/// What happened to a task.
#[derive(Debug)]
pub enum TaskEvent {
    /// It entered; in the same commit it may have started.
    Added {
        /// Whether it did.
        has_started: bool,
    },
    /// A run began.
    Run,
    /// It got this priority, or one after it.
    Prioritized(Priority),
    /// It got another definition.
    Updated,
    /// It is tried again: when, and the error of its last attempt.
    Retrying(WallMs, Option<Json>),
    /// It ended.
    Ended(TaskEnd),
}

/// What a call gets.
#[derive(Debug)]
pub enum Answer {
    /// Nothing but that it is done.
    Done,
    /// Whether it had an effect.
    Flag(bool),
    /// The number of what it made.
    Number(u64),
    /// The task it made.
    Task(TaskId),
    /// The tasks it made, in order.
    Tasks(Vec<TaskId>),
    /// For each idempotency key its task, in order, and whether this call added it.
    Idempotent(Vec<(TaskId, bool)>),
    /// For each task of a call in which some have a key of their own, in order: which one it is,
    /// and what became of it.
    Adds(Vec<(TaskId, Added)>),
    /// The task that was asked for, if there is one.
    Found(Option<TaskId>),
    /// What was done to many tasks.
    Bulk(BulkOutcome),
    /// How the task ended.
    Ended(TaskEnd),
    /// The tasks that a poll has got.
    Claims(Vec<Claim>),
    /// Until when the executor of a run must be heard of.
    Lease(WallMs),
    /// The JSON text that a read found.
    Json(String),
    /// All figures of a moment.
    Figures(Box<Figures>),
}

/// What became of a task that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    New,
    /// It had been added under its idempotency key.
    Known,
    /// An earlier task has its key, and stays as it is.
    Duplicate,
    /// An earlier task had its key, and has its definition now.
    Replaced,
}

/// What was done to many tasks, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkOutcome {
    /// To how many.
    pub changed: u64,
    /// To how many not, and why.
    pub skipped: BTreeMap<Skipped, u64>,
}

/// Why nothing was done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// It has been removed meanwhile.
    NotFound,
    /// It has not ended.
    NotEnded,
    /// It has ended.
    Ended,
    /// A task that has not ended depends on it.
    Needed,
    /// Another task has its unique key.
    Duplicate,
    /// It was attached to a process, and what it was given is gone.
    Attached,
}

impl Skipped {
    /// Every reason.
    pub const ALL: &[Skipped] = &[
        Skipped::NotFound,
        Skipped::NotEnded,
        Skipped::Ended,
        Skipped::Needed,
        Skipped::Duplicate,
        Skipped::Attached,
    ];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Skipped::NotFound => "not-found",
            Skipped::NotEnded => "not-ended",
            Skipped::Ended => "ended",
            Skipped::Needed => "needed",
            Skipped::Duplicate => "duplicate",
            Skipped::Attached => "attached",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The task is done.
    Done,
    /// The task failed.
    Failed(Cause),
    /// The task was aborted, for the reason of its signal, which may be told only after this.
    Aborted(AbortReason),
    /// The task is tried again at this moment. The reason of its signal stands here if that is what
    /// ended the run.
    Retrying(WallMs, Option<Json>),
    /// Its runner asked to go on later.
    Snoozed,
    /// The run was given back to the queue, by a stop or for this reason.
    Postponed(Option<Json>),
    /// The run was replaced: what it returned counts for nothing.
    Fenced,
}

/// A run to carry out.
#[derive(Debug)]
pub struct RunStart {
    /// Its number in this handle.
    pub slot: RunSlot,
    /// Its task.
    pub id: TaskId,
    /// Its identity.
    pub run: RunId,
    /// Which runner.
    pub operation: Arc<str>,
    /// Which attempt.
    pub attempt: u32,
    /// The task's priority.
    pub priority: Priority,
    /// When the task was added.
    pub created_at: WallMs,
    /// When the run began.
    pub started_at: WallMs,
    /// What the runner gets.
    pub data: Option<Json>,
    /// What few tasks say.
    pub options: SharedOptions,
}

/// Why a run's signal fires.
#[derive(Clone, Debug)]
pub enum AbortSignal {
    /// The task is being aborted.
    Abort(AbortReason),
    /// The run was given back to the queue.
    Shutdown,
    /// The run was replaced.
    Fenced,
}

/// Where the effects for a client go. Called from the engine's thread and the reader's; must not
/// block.
pub trait Sink: Send + Sync {
    /// Takes what is to be told, in order.
    fn deliver(&self, effects: Vec<Effect>);
}
