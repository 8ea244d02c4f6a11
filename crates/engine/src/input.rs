//! What the outside may ask of the engine.
//!
//! A *ticket* is the caller's number for a call; the engine answers it exactly once.

use std::sync::Arc;

use tasker_core::id::{AddKey, TaskId};
use tasker_core::rules::Settled;
use tasker_core::task::{AbortReason, Json, Level, NewTask, OnStop, Priority, Progress};
use tasker_core::time::WallMs;

/// The caller's number for a call.
pub type Ticket = u64;

/// A live run's number in this process: 1, 2, 3 … Shorter than its id, which the store keeps.
pub type RunNo = u64;

/// One call.
#[derive(Debug)]
pub enum Input {
    /// Adds one task.
    Add(Ticket, NewTask),
    /// Adds tasks, all or none.
    AddMany(Ticket, Vec<NewTask>),
    /// Adds tasks by their keys, all or none; one whose key is known is not added again.
    AddOnce(Ticket, Vec<(AddKey, NewTask)>),
    /// Which task was added under this key, if any.
    Keyed(Ticket, AddKey),
    /// A runner has settled.
    Settle(RunNo, Settled),
    /// A run tells something; comes before its `Settle`.
    Record(RunNo, Record),
    /// Ends a task: a waiting one at once, a running one by its signal.
    Abort(Ticket, TaskId, AbortReason),
    /// Gives a waiting task another priority.
    Prioritize(Ticket, TaskId, Priority),
    /// Answers when the task has ended.
    Watch(Ticket, TaskId),
    /// Forgets a watch; it is not answered.
    Unwatch(Ticket, Ticket),
    /// Gives an operation its runner, with the most runs at once of it here.
    Assign(Ticket, Arc<str>, Option<u32>),
    /// Takes the runner away; live runs go on.
    Unassign(Ticket, Arc<str>),
    /// Begins to start tasks.
    Start(Ticket),
    /// Ceases to start tasks; answered when no run is live.
    Stop(Ticket, StopOptions),
    /// Stops, then releases everything.
    Close(Ticket, StopOptions),
    /// What to tell beside answers and runs.
    Listen(Ticket, Listen),
    /// What was told of other owners has been heard.
    Heard(Ticket),
    /// Answered as soon as the store is open.
    Ready(Ticket),
}

/// What a run tells while it is live.
#[derive(Clone, Debug)]
pub enum Record {
    /// A line of its logger.
    Log {
        /// How grave.
        level: Level,
        /// When, by its own clock.
        at: WallMs,
        /// The text.
        message: Box<str>,
        /// A JSON object.
        fields: Option<Json>,
    },
    /// How far it is.
    Progress(Progress),
}

/// How to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopOptions {
    /// What to do with every running task, whatever it or the tasker says.
    pub on_stop: Option<OnStop>,
    /// How long to wait for them.
    pub timeout_ms: Option<u64>,
}

/// What to tell beside answers and runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// That log lines are stored.
    pub logs: bool,
    /// That progress is stored.
    pub progress: bool,
    /// What other owners do.
    pub follow: Follow,
}

/// What to tell of other owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Nothing.
    #[default]
    Nothing,
    /// Which tasks end.
    Ends,
    /// All that is an event.
    All,
}

impl Input {
    /// The ticket to answer; a settle and a record have none.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Input::Settle(..) | Input::Record(..) => None,
            Input::Add(ticket, _)
            | Input::AddMany(ticket, _)
            | Input::AddOnce(ticket, _)
            | Input::Keyed(ticket, _)
            | Input::Abort(ticket, ..)
            | Input::Prioritize(ticket, ..)
            | Input::Watch(ticket, _)
            | Input::Unwatch(ticket, _)
            | Input::Assign(ticket, ..)
            | Input::Unassign(ticket, _)
            | Input::Start(ticket)
            | Input::Stop(ticket, _)
            | Input::Close(ticket, _)
            | Input::Listen(ticket, _)
            | Input::Heard(ticket)
            | Input::Ready(ticket) => Some(*ticket),
        }
    }

    /// How much of a turn it takes, in tasks.
    pub fn weight(&self) -> usize {
        match self {
            Input::AddMany(_, tasks) => tasks.len(),
            Input::AddOnce(_, tasks) => tasks.len(),
            _ => 1,
        }
    }
}
