//! What the outside may ask of the engine.
//!
//! A *ticket* is the client's number for a call; the engine answers it exactly once.

use std::sync::Arc;

use tasker_core::batching::Batching;
use tasker_core::hold::{HeldBy, HoldId, HoldQuery};
use tasker_core::id::{IdempotencyKey, RunId, Seq, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::patch::Patch;
use tasker_core::query::Query;
use tasker_core::rules::Settlement;
use tasker_core::schedule::Overlap;
use tasker_core::schedules::{SchedulePatch, Wanted};
use tasker_core::task::{
    AbortReason, Json, Level, NewTask, OnStop, Priority, Progress, SharedOptions,
};
use tasker_core::time::WallMs;

use crate::client_id::ClientId;
use crate::metrics::Format;
pub use crate::poll::Poll;

/// The client's number for a call.
pub type Ticket = u64;

/// The number of a live run in this handle: 1, 2, 3 … Shorter than the run's id, which the store
/// keeps. Never used twice; the client of its runner alone knows it.
pub type RunSlot = u64;

/// One call.
#[derive(Debug)]
pub enum Input {
    /// Adds one task.
    Add(Ticket, NewTask),
    /// Adds tasks, all or none.
    AddMany(Ticket, Vec<NewTask>),
    /// Adds tasks under idempotency keys, all or none; one whose key is known is not added again.
    AddIdempotent(Ticket, Vec<(IdempotencyKey, NewTask)>),
    /// Which task was added under this key, if any.
    FindByKey(Ticket, IdempotencyKey),
    /// A runner has settled.
    Settle(RunSlot, Settlement),
    /// A run cannot go on, for the handle closes: its task goes back to the queue.
    Postpone(RunSlot),
    /// A runner waits at a checkpoint, because it was told to halt there.
    Halt(RunSlot),
    /// A run reports something; comes before its `Settle`.
    Record(RunSlot, Record),
    /// Ends a task: a ready one at once, a running one by its signal.
    Abort(Ticket, TaskId, AbortReason),
    /// Gives a ready task another priority.
    Prioritize(Ticket, TaskId, Priority),
    /// Takes a task out until it is put back: one that waits at once, one that runs at its next
    /// checkpoint.
    Pause(Ticket, TaskId),
    /// Puts a task back that was taken out.
    Resume(Ticket, TaskId),
    /// Runs an ended task again.
    Retry(Ticket, TaskId, RetryOptions),
    /// Lets a task wait, and gives its run back to the queue if it has one.
    PostponeTask(Ticket, TaskId, PostponeOptions),
    /// Changes the definition of a task that waits.
    Update(Ticket, TaskId, Box<Update>),
    /// Removes an ended task.
    Remove(Ticket, TaskId),
    /// Does the same to many tasks.
    Bulk(Ticket, Bulk),
    /// Answers when the task has ended.
    AwaitEnd(Ticket, TaskId),
    /// Waits until no run is live here and nothing can start.
    AwaitIdle(Ticket),
    /// Forgets the `AwaitEnd`, the `AwaitIdle` or the listener with the second ticket; it is not
    /// answered.
    CancelAwait(Ticket, Ticket),
    /// Waits until there may be more of the logs of a task than a listener has read. The second
    /// ticket is that of its first wait, which is answered at once.
    AwaitLogs(Ticket, TaskId, Ticket),
    /// Gives an operation its runner; with options, that replaces the layer of `assignRunner` in
    /// the record of the operation, and if it cannot be written there is no runner.
    Assign(Ticket, Arc<str>, Option<OperationOptions>),
    /// The runner that the operation is given next runs each task in a thread of its own, and has
    /// so many at most. A thread can be ended: a run whose signal has fired, but for a stop, is
    /// over after a grace.
    Threads(Ticket, Arc<str>, u32),
    /// The same for a runner that takes several tasks at once.
    AssignBatch(Ticket, Arc<str>, Option<OperationOptions>, Batching),
    /// Takes the runner away; live runs go on.
    Unassign(Ticket, Arc<str>),
    /// Replaces the layer of `defineOperation` in the record of an operation.
    Define(Ticket, Arc<str>, OperationOptions),
    /// Lets no task start that matches, until a moment.
    Hold(Ticket, HoldQuery, WallMs, HeldBy),
    /// Ends such a hold before its time.
    ReleaseHold(Ticket, HoldId),
    /// Makes the schedule with this id, or says something else of it.
    AddSchedule(Ticket, Arc<str>, Box<NewSchedule>),
    /// Changes what is said of a schedule.
    UpdateSchedule(Ticket, Arc<str>, Box<ScheduleUpdate>),
    /// Lets the ticks of a schedule pass without tasks, or lets it go on.
    PauseSchedule(Ticket, Arc<str>, bool),
    /// Adds the task of a schedule now, perhaps with another overlap for this one time.
    TriggerSchedule(Ticket, Arc<str>, Option<Overlap>),
    /// Removes a schedule.
    RemoveSchedule(Ticket, Arc<str>),
    /// Lets no task of an operation start in any process, or lets them start again.
    PauseOperation(Ticket, Arc<str>, bool),
    /// Begins to start tasks.
    Start(Ticket),
    /// Ceases to start tasks; answered when no run is live.
    Stop(Ticket, StopOptions),
    /// Stops, then releases everything. Until no run is live, calls are served as under a stop.
    Close(Ticket, StopOptions),
    /// Says what to tell besides answers and runs.
    Subscribe(Ticket, Subscription),
    /// The last portion of remote events has arrived.
    Ack(Ticket),
    /// Answered as soon as the store is open.
    Ready(Ticket),
    /// Whether another owner has the store open.
    IsShared(Ticket),
    /// Where the store stands before this turn: the position of a watch behind what is committed.
    Stand(Ticket),
    /// A question about what waits; the answer is JSON.
    Ask(Ticket, Question),
    /// Asks for tasks of operations with an executor. Answered in the turn that gives it some, or
    /// with none when its time is over.
    Poll(Ticket, Poll),
    /// Forgets the poll with the second ticket; it is not answered.
    Unpoll(Ticket, Ticket),
    /// Makes tasks ready again that were given out under these runs, and have not begun: whoever
    /// asked for them is gone.
    GiveBack(Vec<(TaskId, RunId)>),
    /// An executor begins with the task that it was given under this run.
    Begin(Ticket, TaskId, RunId),
    /// The executor of a run goes on, and may say how far it is.
    Renew(Ticket, TaskId, RunId, Option<Record>),
    /// The executor of a run is through.
    SettleOutside(Ticket, TaskId, RunId, Settlement),
    /// The client has gone: nothing is owed to it any more, and its runs go back to the queue.
    Leave(ClientId),
}

/// A schedule as somebody wants it.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// When, and what.
    pub wanted: Wanted,
    /// The task of its spec, read with its defaults.
    pub task: NewTask,
}

/// How to change what is said of a schedule.
#[derive(Clone, Debug)]
pub struct ScheduleUpdate {
    /// What changes.
    pub patch: SchedulePatch,
    /// What holds for its task from now on where that says nothing, if it gets another one.
    pub defaults: SharedOptions,
    /// That task, read with these.
    pub task: Option<NewTask>,
}

/// What a run reports while it is live.
#[derive(Clone, Debug)]
pub enum Record {
    /// A line of its logger.
    Log {
        /// How grave.
        level: Level,
        /// When, by its own clock; the time of the turn if absent.
        at: Option<WallMs>,
        /// The text.
        message: Box<str>,
        /// A JSON object.
        fields: Option<Json>,
    },
    /// How far it is.
    Progress(Progress),
}

/// How to run an ended task again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOptions {
    /// How long to wait before, in milliseconds.
    pub delay_ms: Option<u64>,
    /// Its new priority; the old one if absent.
    pub priority: Option<Priority>,
}

/// How to change the definition of a task.
#[derive(Debug)]
pub struct Update {
    /// What changes.
    pub patch: Patch,
    /// It changes only if the task matches this.
    pub only_if: Option<Query>,
}

/// How to put a task off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostponeOptions {
    /// How long it waits from now on at least, in milliseconds.
    pub delay_ms: Option<u64>,
    /// What its runner sees as the signal's reason: a JSON error object.
    pub reason: Json,
}

/// What is to be done to many tasks, each as if it had been named alone.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// Which tasks.
    pub seqs: Vec<Seq>,
    /// What.
    pub verb: BulkVerb,
    /// Whether it is only asked what would be done.
    pub is_dry: bool,
}

/// What can be done to many tasks at once.
#[derive(Clone, Debug)]
pub enum BulkVerb {
    /// As `Abort`.
    Abort(AbortReason),
    /// As `Retry`.
    Retry(RetryOptions),
    /// As `Remove`.
    Remove,
}

/// What somebody wants to know of what waits. It is answered from what is committed when the turn
/// is over, so it costs no other call anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Why a task does not run.
    Task(TaskId),
    /// Why the ready tasks of an operation do not.
    Operation(Arc<str>),
    /// Which holds there are that hold tasks.
    Holds,
    /// All figures of this moment, of every operation, for who goes on with them.
    Figures,
    /// The same in writing.
    Metrics {
        /// How they are written.
        format: Format,
        /// How many operations are told by name.
        operations_max: usize,
    },
    /// Why the store has refused a commit a moment ago, if it has taken none since.
    Refused,
    /// Which operations nobody starts, of those that are named, and of all with ready tasks if
    /// that is asked for. Paused ones are none: their tasks are meant to wait.
    Unserved {
        /// Those that are named.
        names: Vec<Arc<str>>,
        /// Whether of all with ready tasks.
        of_all: bool,
    },
}

/// How to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// What to do with every running task, whatever it or the tasker says.
    pub on_stop: Option<OnStop>,
    /// How long to wait for them.
    pub timeout_ms: Option<u64>,
}

/// What to tell besides answers and runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Whether to confirm that log lines are stored.
    pub logs: bool,
    /// Whether to confirm that progress is stored.
    pub progress: bool,
    /// Which events of other owners.
    pub remote: RemoteFilter,
    /// Whether to tell when no run is live here any more and nothing can start.
    pub idle: bool,
    /// Whether to tell when all tasks have ended.
    pub drained: bool,
}

/// Which events of other owners to forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoteFilter {
    /// Nothing.
    #[default]
    Nothing,
    /// The ends of tasks.
    Ends,
    /// Every event.
    All,
}

impl Input {
    /// The ticket to answer; what is said of a run has none, and who has gone hears none.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Input::Settle(..)
            | Input::Postpone(_)
            | Input::Halt(_)
            | Input::Record(..)
            | Input::GiveBack(_)
            | Input::Leave(_) => None,
            Input::Add(ticket, _)
            | Input::AddMany(ticket, _)
            | Input::AddIdempotent(ticket, _)
            | Input::FindByKey(ticket, _)
            | Input::Abort(ticket, ..)
            | Input::Prioritize(ticket, ..)
            | Input::Pause(ticket, _)
            | Input::Resume(ticket, _)
            | Input::Retry(ticket, ..)
            | Input::PostponeTask(ticket, ..)
            | Input::Update(ticket, ..)
            | Input::Remove(ticket, _)
            | Input::Bulk(ticket, _)
            | Input::AwaitEnd(ticket, _)
            | Input::AwaitIdle(ticket)
            | Input::AwaitLogs(ticket, ..)
            | Input::CancelAwait(ticket, _)
            | Input::Assign(ticket, ..)
            | Input::Threads(ticket, ..)
            | Input::AssignBatch(ticket, ..)
            | Input::Define(ticket, ..)
            | Input::PauseOperation(ticket, ..)
            | Input::Hold(ticket, ..)
            | Input::ReleaseHold(ticket, _)
            | Input::AddSchedule(ticket, ..)
            | Input::UpdateSchedule(ticket, ..)
            | Input::PauseSchedule(ticket, ..)
            | Input::TriggerSchedule(ticket, ..)
            | Input::RemoveSchedule(ticket, _)
            | Input::Poll(ticket, _)
            | Input::Unpoll(ticket, _)
            | Input::Begin(ticket, ..)
            | Input::Renew(ticket, ..)
            | Input::SettleOutside(ticket, ..)
            | Input::Unassign(ticket, _)
            | Input::Start(ticket)
            | Input::Stop(ticket, _)
            | Input::Close(ticket, _)
            | Input::Subscribe(ticket, _)
            | Input::Ack(ticket)
            | Input::Ready(ticket)
            | Input::IsShared(ticket)
            | Input::Stand(ticket)
            | Input::Ask(ticket, _) => Some(*ticket),
        }
    }

    /// Its numbers become those of this client.
    pub(crate) fn enter(&mut self, client: ClientId) {
        match self {
            Input::CancelAwait(ticket, waiter) | Input::Unpoll(ticket, waiter) => {
                (*ticket, *waiter) = (client.inside(*ticket), client.inside(*waiter));
            }
            Input::AwaitLogs(ticket, _, listener) => {
                (*ticket, *listener) = (client.inside(*ticket), client.inside(*listener));
            }
            Input::Settle(number, _)
            | Input::Postpone(number)
            | Input::Halt(number)
            | Input::Record(number, _)
            | Input::Add(number, _)
            | Input::AddMany(number, _)
            | Input::AddIdempotent(number, _)
            | Input::FindByKey(number, _)
            | Input::Abort(number, ..)
            | Input::Prioritize(number, ..)
            | Input::Pause(number, _)
            | Input::Resume(number, _)
            | Input::Retry(number, ..)
            | Input::PostponeTask(number, ..)
            | Input::Update(number, ..)
            | Input::Remove(number, _)
            | Input::Bulk(number, _)
            | Input::AwaitEnd(number, _)
            | Input::AwaitIdle(number)
            | Input::Assign(number, ..)
            | Input::Threads(number, ..)
            | Input::AssignBatch(number, ..)
            | Input::Define(number, ..)
            | Input::PauseOperation(number, ..)
            | Input::Hold(number, ..)
            | Input::ReleaseHold(number, _)
            | Input::AddSchedule(number, ..)
            | Input::UpdateSchedule(number, ..)
            | Input::PauseSchedule(number, ..)
            | Input::TriggerSchedule(number, ..)
            | Input::RemoveSchedule(number, _)
            | Input::Poll(number, _)
            | Input::Begin(number, ..)
            | Input::Renew(number, ..)
            | Input::SettleOutside(number, ..)
            | Input::Unassign(number, _)
            | Input::Start(number)
            | Input::Stop(number, _)
            | Input::Close(number, _)
            | Input::Subscribe(number, _)
            | Input::Ack(number)
            | Input::Ready(number)
            | Input::IsShared(number)
            | Input::Stand(number)
            | Input::Ask(number, _) => *number = client.inside(*number),
            Input::GiveBack(_) | Input::Leave(_) => {}
        }
    }

    /// How much of a turn it takes, in tasks.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a call without tasks weighs as one")]
    pub fn weight(&self) -> usize {
        match self {
            Input::AddMany(_, tasks) => tasks.len(),
            Input::AddIdempotent(_, tasks) => tasks.len(),
            Input::Bulk(_, bulk) => bulk.seqs.len(),
            Input::GiveBack(claims) => claims.len(),
            _ => 1,
        }
    }
}

/// Where the inputs of a turn come from. A turn takes them when it has the right to write: what
/// comes while it waits for that joins it.
pub trait Inputs {
    /// Shows each one that is there by now.
    fn each(&self, see: &mut dyn FnMut(&Input));

    /// Takes as many as one turn should take; fewer if other owners wait meanwhile.
    fn take(&mut self, is_shared: bool) -> Vec<Input>;
}

impl Inputs for Vec<Input> {
    fn each(&self, see: &mut dyn FnMut(&Input)) {
        self.iter().for_each(see);
    }

    fn take(&mut self, _is_shared: bool) -> Vec<Input> {
        std::mem::take(self)
    }
}
