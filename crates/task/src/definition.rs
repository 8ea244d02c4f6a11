//! A task, and the builder that makes one.
//!
//! # Promises
//! - `build` never fails: what is wrong with a task is told by the call that is given it, with the
//!   path of the field, and nothing is added.
//! - What a task says is read as `addTask` of the Node.js class reads it.
//!
//! Proof: `task/tests/execute.rs`, the tests below.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::schedule::ScheduleSpec;
use tasker_core::schedules::Wanted;
use tasker_core::task::NewTask;
use tasker_engine::input::NewSchedule;

use crate::choices::{OnStop, Overlap};
use crate::context::TaskContext;
use crate::duration::ms;
use crate::error::TaskError;
use crate::handler::Handler;
use crate::output::Output;
use crate::retry::RetryPolicy;

/// A task: what is to be done, and how. See [`Task::builder`].
pub struct Task {
    /// What `addTask` takes.
    members: Map<String, Value>,
    /// What `addSchedule` takes besides.
    schedule: Map<String, Value>,
    /// Places of earlier tasks of the same call.
    after: Vec<usize>,
    pub(crate) handler: Option<Handler>,
    /// Its retry policy, if that is code.
    pub(crate) policy: Option<RetryPolicy>,
    fault: Option<TaskError>,
}

/// Makes a [`Task`].
#[must_use = "`build` makes the task"]
pub struct TaskBuilder(Task);

impl Task {
    /// A task about which nothing is said yet.
    ///
    /// ```
    /// use std::time::Duration;
    /// use task::Task;
    ///
    /// let task = Task::builder()
    ///     .name("resize")
    ///     .description("Resize the picture of user 7")
    ///     .priority(10.0)
    ///     .timeout(Duration::from_secs(60))
    ///     .handler(async { "done" })
    ///     .build();
    /// ```
    pub fn builder() -> TaskBuilder {
        TaskBuilder(Self {
            members: Map::new(),
            schedule: Map::new(),
            after: Vec::new(),
            handler: None,
            policy: None,
            fault: None,
        })
    }

    /// Its name: the operation that it is a task of.
    pub(crate) fn name(&self) -> Result<Arc<str>, TaskError> {
        let name = self.members.get("operation").and_then(Value::as_str).map(Arc::from);
        name.ok_or_else(|| TaskError::invalid("name", "is missing; say it to the builder"))
    }

    /// What the builder was given must make a task.
    fn check(&self) -> Result<(), TaskError> {
        self.name()?;
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// Reads it as the one at this place of its call.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(crate) fn read(
        &self,
        places: &[Option<usize>],
        defaults: &Defaults,
        names: &mut Operations,
    ) -> Result<NewTask, TaskError> {
        self.check()?;
        if !self.schedule.is_empty() {
            let message = "is for `TaskScheduler::schedule`; `execute` runs a task once, now";
            return Err(TaskError::invalid("schedule", message));
        }
        let text = Value::Object(self.members.clone()).to_string();
        let mut task = definition::task(&text, defaults, names)?;
        if !self.after.is_empty() {
            task.options.depends_on = Some(Arc::new(self.dependencies(&task, places)?));
        }
        task.is_attached = self.handler.is_some();
        Ok(task)
    }

    /// What it depends on, by uuids and by places, of which some were refused.
    fn dependencies(
        &self,
        task: &NewTask,
        places: &[Option<usize>],
    ) -> Result<Dependencies, TaskError> {
        let mut on = task.options.depends_on.as_ref().map_or(Vec::new(), |all| all.on.clone());
        for place in &self.after {
            let earlier = places.get(*place).copied().ok_or_else(|| {
                let message = "names no earlier task of the same `execute_all`";
                TaskError::invalid("after", message)
            })?;
            let refused = || TaskError::invalid("after", "names a task that was refused");
            on.push(Dependency::Earlier(earlier.ok_or_else(refused)?));
        }
        Ok(Dependencies { on, on_failure: OnFailure::default(), is_list: true })
    }

    /// Reads it as what a schedule makes.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub(crate) fn read_schedule(
        &self,
        defaults: &Defaults,
        names: &mut Operations,
    ) -> Result<NewSchedule, TaskError> {
        self.check()?;
        if self.schedule.is_empty() {
            let message = "is missing; say when: `.schedule(\"0 * * * *\")` or `.every(…)`";
            return Err(TaskError::invalid("schedule", message));
        }
        if !self.after.is_empty() {
            let message = "is for the tasks of one `execute_all`";
            return Err(TaskError::invalid("after", message));
        }
        let mut schedule = self.schedule.clone();
        schedule.insert("task".to_owned(), Value::Object(self.members.clone()));
        let spec = ScheduleSpec::read(&Value::Object(schedule).to_string())?;
        let task = definition::of_schedule(&spec.task, false, defaults, names)?;
        Ok(NewSchedule { wanted: Wanted { spec, defaults: defaults.clone() }, task })
    }
}

impl TaskBuilder {
    fn say(mut self, word: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(word.to_owned(), value.into());
        self
    }

    fn when(mut self, word: &str, value: impl Into<Value>) -> Self {
        self.0.schedule.insert(word.to_owned(), value.into());
        self
    }

    /// Its operation: which runner takes it, whose limits it counts for. Required; at most 255
    /// bytes.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.say("operation", name.into())
    }

    /// What people call it, its label; at most 1 KiB of JSON. Nothing by default.
    pub fn description(self, description: impl Into<String>) -> Self {
        self.say("label", description.into())
    }

    /// What it does, as one future, which runs once: if a retry or a schedule would have to run it
    /// again, the task fails with [`ErrorKind::HandlerConsumed`]. Its data is what it captures, so
    /// the task belongs to this process: it ends with it, and no other one runs it.
    ///
    /// [`ErrorKind::HandlerConsumed`]: crate::ErrorKind::HandlerConsumed
    pub fn handler<F>(mut self, future: F) -> Self
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        self.0.handler = Some(Handler::once(future));
        self
    }

    /// What it does, as a function that makes a future for each run: for retries and schedules.
    /// Such a task belongs to this process too. One that is to outlive it has no handler, but the
    /// name of an operation with a runner: [`TaskExecutor::assign_runner`].
    ///
    /// [`TaskExecutor::assign_runner`]: crate::TaskExecutor::assign_runner
    pub fn handler_fn<H, F>(mut self, make: H) -> Self
    where
        H: Fn(TaskContext) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Output,
    {
        self.0.handler = Some(Handler::each(make));
        self
    }

    /// What its runner gets: anything that serde makes JSON of, at most 16 MiB. Nothing by default.
    pub fn data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => self.say("data", data),
            Err(error) => {
                let message = format!("makes no JSON: {error}");
                self.0.fault = Some(TaskError::invalid("data", &message));
                self
            }
        }
    }

    /// How soon it runs: higher starts sooner, equal ones by age. 0 by default, or what its
    /// operation says; the infinities are allowed.
    pub fn priority(self, priority: f64) -> Self {
        match priority {
            f64::INFINITY => self.say("priority", "Infinity"),
            f64::NEG_INFINITY => self.say("priority", "-Infinity"),
            _ => self.say("priority", json!(priority)),
        }
    }

    /// How often it is tried again; as its operation or its executor says by default, which is
    /// never.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        let json = policy.to_json();
        self.0.policy = policy.is_custom().then_some(policy);
        self.say("retry", json)
    }

    /// The longest a run may take, its `runTimeout`, to the millisecond; no limit by default. Then
    /// its cancellation fires, and it ends as aborted.
    pub fn timeout(self, longest: Duration) -> Self {
        self.say("runTimeout", ms(longest))
    }

    /// The longest it may wait for its first start, to the millisecond; no limit by default. Then
    /// it ends as aborted.
    pub fn queue_timeout(self, longest: Duration) -> Self {
        self.say("queueTimeout", ms(longest))
    }

    /// How long after the add it may start at the earliest, to the millisecond; at once by default.
    pub fn delay(self, delay: Duration) -> Self {
        self.say("delay", ms(delay))
    }

    /// When it may start at the earliest, to the millisecond; at once by default. Give this or
    /// `delay`, not both.
    pub fn run_at(self, moment: SystemTime) -> Self {
        let since = moment.duration_since(SystemTime::UNIX_EPOCH);
        let at = since.map_or_else(|before| -(ms(before.duration()) as f64), |at| ms(at) as f64);
        self.say("runAt", at)
    }

    /// What a close does with a run of it; [`OnStop::Wait`] by default.
    pub fn on_stop(self, on_stop: OnStop) -> Self {
        self.say("onStop", on_stop.as_str())
    }

    /// How long it is kept after its end, to the millisecond; for ever by default.
    pub fn retention(self, kept: Duration) -> Self {
        self.say("retention", ms(kept))
    }

    /// Words to find it by: at most 64, each not empty and at most 256 bytes. None by default.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.say("tags", tags.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// The tasks, by their uuids, that must be done before it starts; if one is not done, it ends
    /// as aborted. None by default.
    pub fn depends_on<T: Into<String>>(self, uuids: impl IntoIterator<Item = T>) -> Self {
        self.say("dependsOn", uuids.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// The same for tasks of the same `execute_all`, by their places in it, from 0: it starts after
    /// them.
    pub fn after(mut self, places: impl IntoIterator<Item = usize>) -> Self {
        self.0.after.extend(places);
        self
    }

    /// A cron of five fields, or six with seconds in front: when a [`TaskScheduler`] adds it.
    ///
    /// [`TaskScheduler`]: crate::TaskScheduler
    pub fn schedule(self, cron: impl Into<String>) -> Self {
        self.when("cron", cron.into())
    }

    /// Instead of a cron: an interval of a second or more, to the millisecond.
    pub fn every(self, interval: Duration) -> Self {
        self.when("every", ms(interval))
    }

    /// The time zone of the cron, such as `Europe/Berlin`; UTC by default.
    pub fn timezone(self, zone: impl Into<String>) -> Self {
        self.when("timezone", zone.into())
    }

    /// What a tick does while the last task of the schedule has not ended; [`Overlap::Skip`] by
    /// default.
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.when("overlap", overlap.as_str())
    }

    /// The task.
    pub fn build(self) -> Task {
        self.0
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", Value::Object(self.members.clone()))
    }
}

impl fmt::Debug for TaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
