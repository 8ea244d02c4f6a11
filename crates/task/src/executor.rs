//! What runs tasks: an engine in this process, with the runtime of whoever awaits it.
//!
//! # Promises
//! - Making one starts no runtime and needs none: handlers run on that of the call that brings
//!   them.
//! - A call that is dropped aborts the tasks that it waits for.
//!
//! Proof: `task/tests/execute.rs`, `task/tests/storing.rs`, the doctests of the crate.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tasker_core::error::Error;
use tasker_core::id::TaskId;
use tasker_core::limits::{CONCURRENCY_DEFAULT, CONCURRENCY_MAX, READ_BYTES_MAX};
use tasker_core::operation::OperationOptions;
use tasker_core::query::Query;
use tasker_core::read::{Find, WithLogs};
use tasker_core::task::{Cause, Level, OnStop, TaskOptions};
use tasker_core::{retry, rules};
use tasker_engine::effect::Answer;
use tasker_engine::input::{Input, StopOptions};
use tasker_engine::memory::Settings;
use tasker_engine::thread::Read;
use tasker_engine::virtual_clock::VirtualClock;
use tasker_sqlite::Location;
use uuid::Uuid;

use crate::circuit::CircuitBreaker;
use crate::context::TaskContext;
use crate::definition::Task;
use crate::engine::{Engine, Opening};
use crate::error::{TaskError, result_of};
use crate::handler::Handler;
use crate::metrics::Metrics;
use crate::rate::RateLimiter;
use crate::retry::RetryPolicy;

/// The file of [`TaskExecutor::with_persistence`].
#[cfg(feature = "sqlite")]
const FILE: &str = "tasker.db";

/// Runs tasks. Clones are the same executor; when the last one is dropped, what runs is dropped.
#[derive(Clone)]
pub struct TaskExecutor {
    engine: Result<Arc<Engine>, TaskError>,
}

/// Makes a [`TaskExecutor`] of several parts.
#[must_use = "`build` makes the executor"]
#[derive(Debug)]
pub struct TaskExecutorBuilder {
    /// Where its tasks are; in memory if absent.
    file: Option<PathBuf>,
    backend: Result<(), TaskError>,
    concurrency: u32,
    retry: Option<RetryPolicy>,
    rate_limiter: Option<RateLimiter>,
    circuit_breaker: Option<CircuitBreaker>,
    clock: Option<(Arc<VirtualClock>, u64, Location)>,
}

impl TaskExecutorBuilder {
    /// Its tasks are stored by this backend, in `tasker.db` of the working directory, and outlive
    /// the process. There is `"sqlite"`; another one is refused by `build`.
    #[cfg(feature = "sqlite")]
    pub fn persistence(mut self, backend: &str) -> Self {
        if backend == "sqlite" {
            self.file.get_or_insert_with(|| FILE.into());
        } else {
            let message = format!("'{backend}' is not one of this version; there is 'sqlite'");
            self.backend = Err(TaskError::unsupported("persistence", &message));
        }
        self
    }

    /// Its tasks are stored in this SQLite file, which is made if it is missing; its folder is not.
    #[cfg(feature = "sqlite")]
    pub fn path(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// So many tasks run at once at most, 1 to 100,000; 100 by default.
    pub fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = most;
        self
    }

    /// How often tasks are tried again that say nothing; never by default.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// How many tasks of each operation start in a time; any number by default.
    pub fn rate_limiter(mut self, limiter: RateLimiter) -> Self {
        self.rate_limiter = Some(limiter);
        self
    }

    /// After how many failures of an operation nothing of it starts for a time; no number by
    /// default.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.circuit_breaker = Some(breaker);
        self
    }

    /// Its time is that of a test, and its file too.
    pub(crate) fn in_test(
        mut self,
        clock: Arc<VirtualClock>,
        seed: u64,
        location: Location,
    ) -> Self {
        self.clock = Some((clock, seed, location));
        self
    }

    /// The executor.
    ///
    /// # Errors
    /// Kind `Refused`, with the path of what is wrong, or `TASKER_IO` if the system gives no
    /// thread. The file is opened in the background: what is wrong with that, the first call tells.
    pub fn build(self) -> Result<TaskExecutor, TaskError> {
        self.backend?;
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            let message = format!("must be a number from 1 to {CONCURRENCY_MAX}");
            return Err(TaskError::invalid("concurrency", &message));
        }
        let is_file = self.file.is_some();
        let (clock, location) = match (self.clock, self.file) {
            (Some((clock, seed, location)), _) => (Some((clock, seed)), location),
            (None, Some(file)) => (None, Location::file(file)?),
            (None, None) => (None, Location::memory()),
        };
        let stored = |policy: &RetryPolicy| retry::read(&policy.to_json().to_string(), "retry");
        let defaults = TaskOptions {
            retry: self.retry.as_ref().map(stored).transpose()?.map(Arc::new),
            ..TaskOptions::default()
        };
        let rate_limit = self.rate_limiter.map(|limiter| limiter.stored()).transpose()?;
        let circuit_breaker = self.circuit_breaker.map(|breaker| breaker.stored()).transpose()?;
        let options = OperationOptions {
            rate_limit: rate_limit.map(Arc::new),
            circuit_breaker: circuit_breaker.map(Arc::new),
            ..OperationOptions::default()
        };
        let engine = Engine::open(Opening {
            location,
            is_file,
            settings: Settings { concurrency: self.concurrency, on_stop: OnStop::Wait },
            defaults: defaults.into(),
            options: (!options.is_empty()).then_some(options),
            policy: self.retry.filter(RetryPolicy::is_custom),
            clock,
        })?;
        Ok(TaskExecutor { engine: Ok(Arc::new(engine)) })
    }
}

impl TaskExecutor {
    /// One whose tasks live in memory, and end with it.
    pub fn new() -> Self {
        Self::of(Self::builder())
    }

    /// The same; its tasks are tried again.
    pub fn with_retry(policy: RetryPolicy) -> Self {
        Self::of(Self::builder().retry(policy))
    }

    /// The same; its tasks start no faster than this: for each name, those of one name.
    pub fn with_rate_limiter(limiter: RateLimiter) -> Self {
        Self::of(Self::builder().rate_limiter(limiter))
    }

    /// One whose tasks are stored by this backend and outlive the process: `"sqlite"`, in the file
    /// `tasker.db` of the working directory. Another file: [`TaskExecutorBuilder::path`].
    ///
    /// # Errors
    /// Kind `Refused` for another backend.
    #[cfg(feature = "sqlite")]
    pub fn with_persistence(backend: &str) -> Result<Self, TaskError> {
        Self::builder().persistence(backend).build()
    }

    /// Combines what the others make, with a path.
    pub fn builder() -> TaskExecutorBuilder {
        TaskExecutorBuilder {
            file: None,
            backend: Ok(()),
            concurrency: CONCURRENCY_DEFAULT,
            retry: None,
            rate_limiter: None,
            circuit_breaker: None,
            clock: None,
        }
    }

    /// What is wrong is told by every call.
    fn of(builder: TaskExecutorBuilder) -> Self {
        builder.build().unwrap_or_else(|error| Self { engine: Err(error) })
    }

    pub(crate) fn engine(&self) -> Result<&Arc<Engine>, TaskError> {
        self.engine.as_ref().map_err(Clone::clone)
    }

    /// Adds a task, and waits for its result. A future that is dropped before aborts the task.
    ///
    /// A task without a handler waits until an executor, or a tasker of Node.js on the same file,
    /// has a runner of its name.
    ///
    /// # Errors
    /// That of its handler, or why it did not end well: see [`ErrorKind`](crate::ErrorKind).
    pub async fn execute(&self, task: Task) -> Result<Value, TaskError> {
        let pending = self.engine()?.add(vec![task], true).await?;
        pending.results().await.pop().unwrap_or_else(|| Err(TaskError::closed()))
    }

    /// Adds tasks in one commit, at most 10,000, and waits for all; their results in the order
    /// given. They run side by side. A future that is dropped before aborts those that have not
    /// ended.
    ///
    /// A task that is refused, or does not end well, has its error in its place.
    ///
    /// # Errors
    /// Why none of them could be added.
    pub async fn execute_all(
        &self,
        tasks: Vec<Task>,
    ) -> Result<Vec<Result<Value, TaskError>>, TaskError> {
        Ok(self.engine()?.add(tasks, true).await?.results().await)
    }

    /// Adds a task and does not wait: its uuid. When this resolves, a task in a file is on disk.
    ///
    /// # Errors
    /// Why it could not be added.
    pub async fn add_task(&self, task: Task) -> Result<String, TaskError> {
        let pending = self.engine()?.add(vec![task], false).await?;
        let id = pending.ids.first().ok_or_else(TaskError::closed)?;
        Ok(id.0.to_string())
    }

    /// Waits for the result of a task that anybody has added. Dropping the future changes nothing.
    ///
    /// # Errors
    /// Why it did not end well; `TASKER_NOT_FOUND` if there is none with this uuid.
    pub async fn wait_for_task_output_data(&self, uuid: &str) -> Result<Value, TaskError> {
        let id = task_id(uuid)?;
        match self.engine()?.call(|ticket| Input::AwaitEnd(ticket, id)).await? {
            Answer::Ended(end) => result_of(&end),
            other => Err(Error::bug(format!("a wait got another answer: {other:?}")).into()),
        }
    }

    /// Aborts a task: one that waits at once, one that runs by its cancellation. One that has ended
    /// stays as it is.
    ///
    /// # Errors
    /// `TASKER_NOT_FOUND` if there is none with this uuid.
    pub async fn abort_task(&self, uuid: &str) -> Result<(), TaskError> {
        let id = task_id(uuid)?;
        let reason = rules::abort_reason(Cause::User, "the task was aborted");
        self.engine()?.call(|ticket| Input::Abort(ticket, id, reason)).await?;
        Ok(())
    }

    /// A task as a document, with its log: the one that `getTask` of the Node.js class gives, with
    /// times in milliseconds since 1970.
    ///
    /// # Errors
    /// `TASKER_NOT_FOUND` if there is none with this uuid.
    pub async fn get_task(&self, uuid: &str) -> Result<Value, TaskError> {
        let logs = WithLogs { level_max: Level::Debug };
        let text = self.engine()?.read(Read::Get(task_id(uuid)?, Some(logs), None)).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The tasks that match a query, as documents: `{"status": "failed"}`. The query is that of
    /// `findTasks` of the Node.js class.
    ///
    /// # Errors
    /// `TASKER_INVALID_QUERY` with the place of what is wrong.
    pub async fn find_tasks(&self, query: &Value) -> Result<Vec<Value>, TaskError> {
        let query = Query::parse(&query.to_string())?;
        let find = Find { bytes_max: READ_BYTES_MAX, ..Find::all(query) };
        let text = self.engine()?.read(Read::Find(Box::new(find))).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Gives an operation its runner: it carries out the tasks with this name that have no handler
    /// of their own, in whatever process they were added, those of an earlier run of this program
    /// too. It runs on the runtime of this call, and gets the data of each task as `D`; a task
    /// whose data is no `D` fails, and is not tried again.
    ///
    /// A runner that captures this executor keeps it open: [`TaskExecutor::close`] it in the end.
    ///
    /// # Errors
    /// `TASKER_CONFLICT` if the operation has a runner here, or executors over HTTP.
    pub async fn assign_runner<D, H, F, T>(&self, operation: &str, run: H) -> Result<(), TaskError>
    where
        H: Fn(TaskContext, D) -> F + Send + Sync + 'static,
        D: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Serialize + 'static,
    {
        self.engine()?.assign(operation, Handler::reading(run), None).await
    }

    /// The same with options of the operation, which are stored and hold for all processes, such as
    /// `{"concurrency": 2}`; they are those of `assignRunner` of the Node.js class.
    ///
    /// # Errors
    /// The same, and `TASKER_INVALID` with the path of an option that is wrong.
    pub async fn assign_runner_with<D, H, F, T>(
        &self,
        operation: &str,
        options: &Value,
        run: H,
    ) -> Result<(), TaskError>
    where
        H: Fn(TaskContext, D) -> F + Send + Sync + 'static,
        D: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Serialize + 'static,
    {
        let options = OperationOptions::read(&options.to_string())?;
        self.engine()?.assign(operation, Handler::reading(run), Some(options)).await
    }

    /// Takes the runner of an operation away; whether it had one here. What runs goes on.
    ///
    /// # Errors
    /// Why the executor could not be made.
    pub async fn unassign_runner(&self, operation: &str) -> Result<bool, TaskError> {
        Ok(self.engine()?.unassign(operation).await)
    }

    /// Begins to count for [`TaskExecutor::get_metrics`] what this executor does; what it did
    /// before is not counted. It stays enabled as long as the executor is open: another call
    /// changes nothing.
    ///
    /// Counting costs a few additions for each task. `GET /metrics` of a server that listens tells
    /// what was done since the file was opened, enabled or not.
    ///
    /// # Errors
    /// Why the file could not be opened; `TASKER_CLOSED` if the executor is closed.
    pub async fn enable_metrics(&self) -> Result<(), TaskError> {
        Ok(self.engine()?.count().await?)
    }

    /// What this executor has done since metrics were enabled, and how its store stands. How many
    /// tasks there are costs nothing.
    ///
    /// # Errors
    /// `TASKER_INVALID` with the path `metrics` if [`TaskExecutor::enable_metrics`] was not called;
    /// `TASKER_CLOSED` if the executor is closed.
    pub async fn get_metrics(&self) -> Result<Metrics, TaskError> {
        let figures = self.engine()?.figures().await?;
        let figures = figures.ok_or_else(|| {
            TaskError::invalid("metrics", "are not enabled; call `enable_metrics` before the work")
        })?;
        Ok(Metrics::of(figures))
    }

    /// Closes the executor: nothing more starts, what runs is waited for, for 30 seconds at most.
    /// What has not ended then goes back to the queue of a file.
    ///
    /// # Errors
    /// `TASKER_CLOSED` if it is closed already.
    pub async fn close(&self) -> Result<(), TaskError> {
        self.engine()?.call(|ticket| Input::Close(ticket, StopOptions::default())).await?;
        Ok(())
    }
}

fn task_id(uuid: &str) -> Result<TaskId, TaskError> {
    let uuid = Uuid::parse_str(uuid);
    let id = uuid.map_err(|_| TaskError::invalid("uuid", "must be the uuid of a task"))?;
    Ok(TaskId(id))
}

impl Default for TaskExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TaskExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.engine {
            Ok(engine) if engine.is_file => f.write_str("TaskExecutor(a file)"),
            Ok(_) => f.write_str("TaskExecutor(memory)"),
            Err(error) => write!(f, "TaskExecutor({error})"),
        }
    }
}
