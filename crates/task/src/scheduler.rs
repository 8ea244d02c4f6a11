//! What adds tasks by the clock.
//!
//! # Promises
//! - A schedule goes on until it is stopped, whatever becomes of its handle.
//! - A schedule in a file has no code: what its tasks do is the runner of their operation.
//!
//! Proof: `task/tests/schedules.rs`.

use std::fmt;
use std::sync::Arc;

use tasker_engine::effect::Answer;
use tasker_engine::input::Input;

use crate::definition::Task;
use crate::engine::Engine;
use crate::error::TaskError;
use crate::executor::TaskExecutor;

/// Adds tasks by the clock. Clones are the same scheduler.
#[derive(Clone, Debug)]
pub struct TaskScheduler {
    executor: TaskExecutor,
}

impl TaskScheduler {
    /// One with an executor of its own, in memory: its schedules end with it.
    pub fn new() -> Self {
        Self::of(&TaskExecutor::new())
    }

    /// The schedules of an executor. In a file they outlive the process.
    pub fn of(executor: &TaskExecutor) -> Self {
        Self { executor: executor.clone() }
    }

    /// Adds this task whenever its `schedule`, or its `every`, says. The id of the schedule is the
    /// task's name: one with the same id takes the place of the earlier one. A tick is passed over
    /// while the last task has not ended.
    ///
    /// A handler that is one future runs at the first tick. The task of the second one ends as
    /// [`ErrorKind::HandlerConsumed`], and the schedule stops. Give `handler_fn` a function.
    ///
    /// In a file the task has no handler: the runner of its operation carries it out.
    ///
    /// # Errors
    /// Kind `Refused`, with the path of what is wrong: a task without a schedule, a cron that is
    /// none, a handler in a file.
    ///
    /// [`ErrorKind::HandlerConsumed`]: crate::ErrorKind::HandlerConsumed
    pub async fn schedule(&self, mut task: Task) -> Result<ScheduleHandle, TaskError> {
        let engine = self.executor.engine()?;
        let id = task.name()?;
        let new = engine.with_names(|names| task.read_schedule(&engine.defaults, names))?;
        let handler = task.handler.take();
        if handler.is_some() && engine.is_file {
            let message = "is code, and a schedule in a file outlives this process; give the \
                           operation a runner with `assign_runner`";
            return Err(TaskError::unsupported("handler", message));
        }
        let policy = task.policy.take();
        if policy.is_some() && handler.is_none() {
            let message = "is code, which cannot be stored; give it to the executor";
            return Err(TaskError::unsupported("retry", message));
        }
        let runner = handler.map(|handler| engine.runner(handler, policy)).transpose()?;
        let offer = match &runner {
            Some(_) => Some(engine.offer(vec![Arc::clone(&id)]).await?),
            None => None,
        };
        engine.call(|ticket| Input::AddSchedule(ticket, Arc::clone(&id), Box::new(new))).await?;
        // A tick that comes before this waits for a second.
        let old = engine.router.set_schedule(Arc::clone(&id), runner);
        if let (Some(offer), None) = (offer, old) {
            // What it has added may run after it was stopped.
            offer.keep();
        }
        Ok(ScheduleHandle { engine: Arc::clone(engine), id })
    }
}

impl Default for TaskScheduler {
    fn default() -> Self {
        Self::new()
    }
}

/// A schedule. Dropping it changes nothing: the schedule goes on.
#[derive(Clone)]
pub struct ScheduleHandle {
    engine: Arc<Engine>,
    id: Arc<str>,
}

impl ScheduleHandle {
    /// Its id: the name of its task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds its task now, besides its ticks; the uuid of the task. Nothing if the last one has not
    /// ended.
    ///
    /// # Errors
    /// `TASKER_NOT_FOUND` if it has been stopped.
    pub async fn trigger(&self) -> Result<Option<String>, TaskError> {
        let trigger = |ticket| Input::TriggerSchedule(ticket, Arc::clone(&self.id), None);
        match self.engine.call(trigger).await? {
            Answer::Found(id) => Ok(id.map(|id| id.0.to_string())),
            _ => Ok(None),
        }
    }

    /// Stops it: no tick comes any more. What it has added goes on. Whether it was there.
    ///
    /// # Errors
    /// `TASKER_CLOSED` if its executor is closed.
    pub async fn stop(&self) -> Result<bool, TaskError> {
        let stop = |ticket| Input::RemoveSchedule(ticket, Arc::clone(&self.id));
        Ok(matches!(self.engine.call(stop).await?, Answer::Flag(true)))
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduleHandle({})", self.id)
    }
}
