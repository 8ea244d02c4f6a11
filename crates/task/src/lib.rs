//! Durable tasks in a Rust program: retries, schedules, limits, and a SQLite file that Node.js
//! processes share.
//!
//! A *task* is a piece of work with a name, its *operation*. An [executor](TaskExecutor) adds
//! tasks, runs them side by side on your tokio runtime, and waits for their results. It is the
//! engine of the Node.js class `Tasker`, with the same words and the same file.
//!
//! # Basic task execution
//!
//! ```
//! use task::{Task, TaskExecutor};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let executor = TaskExecutor::new();
//!
//!     let task = Task::builder()
//!         .name("Process Data")
//!         .handler(async { "processed" })
//!         .build();
//!
//!     let result = executor.execute(task).await?;
//!
//!     println!("Result: {}", result);
//!
//!     Ok(())
//! }
//! ```
//!
//! A result is a JSON [`Value`], so this prints `"processed"` with its quotes; `result.as_str()`
//! is the text.
//!
//! # Creating tasks
//!
//! ```
//! use task::Task;
//!
//! let task = Task::builder()
//!     .name("Task 1")
//!     .description("Process user data")
//!     .handler(async { "result" })
//!     .build();
//! ```
//!
//! `build` never fails. What is wrong with a task is told by the call that is given it.
//!
//! | the builder's word | of `addTask` | default |
//! |---|---|---|
//! | `name` | `operation` | required |
//! | `description` | `label` | none |
//! | `data`, `priority`, `delay`, `tags`, `retention` | the same | none, 0, none, none, for ever |
//! | `timeout` | `runTimeout` | no limit |
//! | `queue_timeout` | `queueTimeout` | no limit |
//! | `run_at` | `runAt` | at once |
//! | `on_stop` | `onStop` | [`OnStop::Wait`] |
//! | `retry` | `retry`, which counts attempts | never |
//! | `depends_on`, `after` | `dependsOn` | none |
//! | `schedule` (a cron), `every`, `timezone` | those of `addSchedule` | none, none, UTC |
//! | `overlap` | `overlap` of `addSchedule` | [`Overlap::Skip`] |
//!
//! # Handlers
//!
//! There are three ways to say what a task does:
//!
//! | | runs | the task |
//! |---|---|---|
//! | `.handler(future)` | once | belongs to this process |
//! | `.handler_fn(function)` | for each attempt and tick | belongs to this process |
//! | no handler, and a [runner](TaskExecutor::assign_runner) of its name | the same | outlives it |
//!
//! One future can run once. If a retry or a schedule would have to run it again, the task fails
//! with [`ErrorKind::HandlerConsumed`]. No future and no closure can be stored: a task with a
//! handler ends with its process, also in a file, and no other process runs it.
//!
//! In a file, give a name either to tasks with handlers or to a runner. An executor whose own task
//! of a name has not ended takes others of that name too, if it has no runner for them, and puts
//! each off for a second.
//!
//! A handler returns a text, a number, a `bool`, nothing or a [`Value`], or `Result<Value,
//! TaskError>`. [`value`] makes that of anything that serde can write. A handler that panics
//! fails its task.
//!
//! # Task scheduling
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use task::{Task, TaskScheduler};
//!
//! let scheduler = TaskScheduler::new();
//!
//! let task = Task::builder()
//!     .name("Scheduled Task")
//!     .schedule("0 * * * *") // Every hour
//!     .handler(async { "executed" })
//!     .build();
//!
//! scheduler.schedule(task).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A cron has five fields, or six with seconds in front; its time zone is UTC unless `timezone`
//! says another. The answer is a [handle](ScheduleHandle) with `stop` and `trigger`. Dropping it
//! changes nothing. [`TaskScheduler::new`] keeps its schedules in memory; those [of an
//! executor](TaskScheduler::of) with a file are stored.
//!
//! # Parallel execution
//!
//! ```
//! # use task::Task;
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let made = |n: i32| Task::builder().name("n").handler(async move { n }).build();
//! # let [task1, task2, task3] = [1, 2, 3].map(made);
//! use task::TaskExecutor;
//!
//! let executor = TaskExecutor::new();
//!
//! let tasks = vec![task1, task2, task3];
//! let results = executor.execute_all(tasks).await?;
//! # let results: Vec<_> = results.into_iter().map(|result| result.unwrap()).collect();
//! # assert_eq!(results, [1, 2, 3]);
//! # Ok(())
//! # }
//! ```
//!
//! Each task has its own result, in the order given. The `?` is for the call: it fails only if no
//! task could be added.
//!
//! # Persistence
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! use task::TaskExecutor;
//!
//! let executor = TaskExecutor::with_persistence("sqlite")?;
//! # executor.close().await?;
//! # assert!(std::path::Path::new("tasker.db").exists());
//! # Ok(())
//! # }
//! ```
//!
//! The file is `tasker.db` in the working directory; [`TaskExecutorBuilder::path`] names another
//! one. A task that outlives its process has data instead of a closure, and a runner of its name:
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # std::env::set_current_dir(&folder)?;
//! use serde::{Deserialize, Serialize};
//! use task::{Task, TaskContext, TaskExecutor};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Email {
//!     to: String,
//! }
//!
//! let executor = TaskExecutor::builder().path("tasks.db").build()?;
//!
//! // From here on it also carries out what an earlier run of this program has left.
//! executor
//!     .assign_runner("send", |_context: TaskContext, email: Email| async move {
//!         Ok(format!("sent to {}", email.to))
//!     })
//!     .await?;
//!
//! let email = Email { to: "ada@example.com".into() };
//! let uuid = executor.add_task(Task::builder().name("send").data(&email).build()).await?;
//! let result = executor.wait_for_task_output_data(&uuid).await?;
//! assert_eq!(result, "sent to ada@example.com");
//! executor.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! When `add_task` resolves, the task is on disk. A process that dies leaves its runs to the next
//! one that opens the file: they run again, so a runner should be *idempotent*. Several processes
//! may have the file open, Rust and Node.js mixed: they share one queue and all limits.
//!
//! # Metrics
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use task::TaskExecutor;
//!
//! let executor = TaskExecutor::new();
//! executor.enable_metrics().await?;
//!
//! let metrics = executor.get_metrics().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What the executor does is counted from `enable_metrics` on, and is told by [`Metrics`] for each
//! operation: tasks added and ended, runs by how they ended, how long tasks waited and ran. How the
//! store stands is told beside it, over all processes. `println!("{metrics}")` writes a line for
//! each operation, [`Metrics::to_prometheus`] the text that Prometheus scrapes, with the names that
//! Node.js has for it, and [`Metrics::to_json`] what `metrics()` of the class gives.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use task::{Task, TaskExecutor};
//! # let executor = TaskExecutor::new();
//! executor.enable_metrics().await?;
//! let resize = || Task::builder().name("resize").handler(async { "small" }).build();
//! executor.execute_all(vec![resize(), resize()]).await?;
//!
//! let metrics = executor.get_metrics().await?;
//! let resize = &metrics.operations["resize"];
//! assert_eq!((resize.added, resize.ended["done"]), (2, 2));
//! assert_eq!(resize.duration.count, 2);
//! assert!(resize.duration.p99 <= resize.duration.max);
//! let line = r#"tasker_tasks_ended_total{operation="resize",status="done"} 2"#;
//! assert!(metrics.to_prometheus().lines().any(|one| one == line));
//! # Ok(())
//! # }
//! ```
//!
//! Before `enable_metrics`, `get_metrics` is refused.
//!
//! # Example 1: simple task with retry
//!
//! ```
//! use std::time::Duration;
//! use task::{Task, TaskExecutor, RetryPolicy};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let retry_policy = RetryPolicy::exponential_backoff(3, Duration::from_secs(1));
//!     let executor = TaskExecutor::with_retry(retry_policy);
//!
//!     let task = Task::builder()
//!         .name("Data Processing")
//!         .handler(async {
//!             // Your task logic here
//!             Ok::<_, task::TaskError>("processed".into())
//!         })
//!         .build();
//!
//!     let result = executor.execute(task).await?;
//!     println!("Result: {:?}", result);
//!
//!     Ok(())
//! }
//! ```
//!
//! 3 is the number of **retries**: four attempts in all. This handler is one future, so if it
//! fails the task fails at once, with [`ErrorKind::HandlerConsumed`]; `handler_fn` with a
//! function is tried again. There are `fixed`, `linear`, `exponential_backoff`, `fibonacci`, and
//! `custom`, where code decides.
//!
//! # Example 2: parallel task execution
//!
//! ```
//! use std::time::Duration;
//! use task::{Task, TaskExecutor};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let executor = TaskExecutor::new();
//!
//!     let tasks = (0..10)
//!         .map(|i| {
//!             Task::builder()
//!                 .name(format!("Task {}", i))
//!                 .handler(async move {
//!                     tokio::time::sleep(Duration::from_millis(100)).await;
//!                     Ok::<_, task::TaskError>(format!("Result {}", i).into())
//!                 })
//!                 .build()
//!         })
//!         .collect();
//!
//!     let results = executor.execute_all(tasks).await?;
//!     println!("Completed {} tasks", results.len());
//! #   assert_eq!(results[9].as_ref().unwrap(), "Result 9");
//!
//!     Ok(())
//! }
//! ```
//!
//! # Example 3: scheduled task
//!
//! ```
//! use task::{Task, TaskScheduler};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let scheduler = TaskScheduler::new();
//!
//!     let task = Task::builder()
//!         .name("Hourly Cleanup")
//!         .schedule("0 * * * *") // Every hour
//!         .handler(async {
//!             // Cleanup logic here
//!             Ok::<_, task::TaskError>("cleanup complete".into())
//!         })
//!         .build();
//!
//!     scheduler.schedule(task).await?;
//!     println!("Task scheduled successfully");
//!
//!     Ok(())
//! }
//! ```
//!
//! # Example 4: task with rate limiting
//!
//! ```
//! use task::{Task, TaskExecutor, RateLimiter};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let rate_limiter = RateLimiter::with_defaults();
//!     let executor = TaskExecutor::with_rate_limiter(rate_limiter);
//!
//!     let task = Task::builder()
//!         .name("API Request")
//!         .handler(async {
//!             // Make API request
//!             Ok::<_, task::TaskError>("response".into())
//!         })
//!         .build();
//!
//!     let result = executor.execute(task).await?;
//!     println!("Result: {:?}", result);
//!
//!     Ok(())
//! }
//! ```
//!
//! The limit is 100 starts per second **for each operation**: tasks with one name share it, in a
//! file over all processes. A [`CircuitBreaker`] is given in the same way. Both work alone,
//! without an executor.
//!
//! # Cancellation
//!
//! Dropping the future of `execute` or `execute_all` aborts the tasks that it waits for. So does
//! `abort_task`, and the `timeout` of a task. A handler hears of it by
//! [`TaskContext::cancellation`]: it is polled once more, and what it returns then counts; if it
//! does not return, it is dropped.
//!
//! # Testing
//!
//! [`testing::TaskTest`] opens executors on a clock that stands until the test moves it.
//!
//! # Promises
//!
//! - Tasks, limits and schedules are those of the engine that Node.js uses: no rule is written
//!   twice.
//! - The crate starts no runtime, and blocks none: the engine has threads of its own.
//!
//! Proof: `task/tests`, the doctests of each page.
//!
//! Modules stand in dependency order.

mod duration;
mod choices;
mod error;
mod output;
mod retry;
mod rate;
mod circuit;
mod context;
mod handler;
mod definition;
mod run;
mod router;
mod engine;
mod metrics;
mod executor;
mod scheduler;
#[cfg(feature = "http")]
mod http;
pub mod testing;

pub use choices::{OnStop, Overlap};
pub use circuit::CircuitBreaker;
pub use context::{TaskContext, TaskLogger};
pub use definition::{Task, TaskBuilder};
pub use error::{ErrorKind, TaskError};
pub use executor::{TaskExecutor, TaskExecutorBuilder};
#[cfg(feature = "http")]
pub use http::HttpServer;
pub use metrics::{
    Distribution, Metrics, OperationMetrics, OperationStoreMetrics, ProcessMetrics, RunMetrics,
    StoreBytes, StoreMetrics,
};
pub use output::{Output, value};
pub use rate::RateLimiter;
pub use retry::RetryPolicy;
pub use scheduler::{ScheduleHandle, TaskScheduler};
pub use serde_json::Value;

/// The programs of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
