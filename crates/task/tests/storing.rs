//! Tasks in a file: they outlive their process, and several share them.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use task::{ErrorKind, Task, TaskContext, TaskExecutor};
use tokio::sync::{mpsc, oneshot};

#[derive(Serialize, Deserialize)]
struct Email {
    to: String,
}

fn open(file: &Path) -> TaskExecutor {
    TaskExecutor::builder().path(file).build().unwrap()
}

fn email(to: &str) -> Task {
    Task::builder().name("send").data(&Email { to: to.into() }).build()
}

/// The variable that names the file to the process that is killed.
const FILE: &str = "TASK_TEST_FILE";

/// Not a test of its own: what the process does that `what_a_killed_process_had_begun` kills.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let executor = open(Path::new(&file));
    let (sender, mut begun) = mpsc::unbounded_channel();
    let run = move |context: TaskContext, _: Email| {
        let sender = sender.clone();
        async move {
            sender.send(context.uuid().to_owned()).unwrap();
            std::future::pending::<Result<(), _>>().await
        }
    };
    executor.assign_runner("send", run).await.unwrap();
    executor.add_task(email("ada")).await.unwrap();
    let uuid = begun.recv().await.unwrap();
    let own = Task::builder().name("own").handler(std::future::pending::<()>()).build();
    let own = executor.add_task(own).await.unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nbegun {uuid} {own}").unwrap();
    out.flush().unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn what_a_killed_process_had_begun_runs_again_but_for_closures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["the_process_that_is_killed", "--exact", "--nocapture"])
        .env(FILE, &file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let begun = lines.find_map(|line| line.strip_prefix("begun ").map(str::to_owned)).unwrap();
    let (uuid, own) = begun.split_once(' ').unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let executor = open(&file);
        let run = |context: TaskContext, email: Email| async move {
            Ok(json!({ "to": email.to, "attempt": context.attempt() }))
        };
        executor.assign_runner("send", run).await.unwrap();
        let result = executor.wait_for_task_output_data(uuid).await.unwrap();
        assert_eq!(result, json!({ "to": "ada", "attempt": 2 }));
        let error = executor.wait_for_task_output_data(own).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
        executor.close().await.unwrap();
    });
}

#[tokio::test]
async fn two_executors_share_one_queue_and_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let (one, two) = (open(&file), open(&file));
    let running = Arc::new(Mutex::new((0, 0, [0, 0])));
    for (n, executor) in [&one, &two].into_iter().enumerate() {
        let running = Arc::clone(&running);
        let run = move |_context, _data: Value| {
            let running = Arc::clone(&running);
            async move {
                {
                    let mut running = running.lock();
                    running.0 += 1;
                    running.1 = running.0.max(running.1);
                    running.2[n] += 1;
                }
                tokio::task::yield_now().await;
                running.lock().0 -= 1;
                Ok(n)
            }
        };
        executor.assign_runner_with("a", &json!({ "concurrency": 1 }), run).await.unwrap();
    }
    let tasks = (0..20).map(|_| Task::builder().name("a").build()).collect();
    assert!(one.execute_all(tasks).await.unwrap().iter().all(Result::is_ok));
    let (left, most, each) = *running.lock();
    assert_eq!((left, most, each.iter().sum::<u32>()), (0, 1, 20));
    one.close().await.unwrap();
    two.close().await.unwrap();
}

#[tokio::test]
async fn a_task_with_a_handler_is_run_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let (one, two) = (open(&file), open(&file));
    let stolen = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&stolen);
    let run = move |_context, _data: Value| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok("stolen") }
    };
    two.assign_runner("a", run).await.unwrap();
    for _ in 0..5 {
        let task = Task::builder().name("a").handler(async { "own" }).build();
        assert_eq!(one.execute(task).await.unwrap(), "own");
    }
    assert_eq!(stolen.load(Ordering::Relaxed), 0);
    // And a task without one goes to whoever has the runner.
    let task = Task::builder().name("a").build();
    assert_eq!(one.execute(task).await.unwrap(), "stolen");
}

#[tokio::test]
async fn a_task_of_another_process_waits_for_a_runner_and_not_for_a_closure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let (one, two) = (open(&file), open(&file));
    let (release, released) = oneshot::channel::<()>();
    let own = async move { released.await.map_or("gone", |()| "own") };
    let own = one.add_task(Task::builder().name("a").handler(own).build()).await.unwrap();
    let other = two.add_task(Task::builder().name("a").build()).await.unwrap();
    two.assign_runner("a", |_context, _data: Value| async { Ok("other") }).await.unwrap();
    assert_eq!(two.wait_for_task_output_data(&other).await.unwrap(), "other");
    release.send(()).unwrap();
    assert_eq!(one.wait_for_task_output_data(&own).await.unwrap(), "own");
}

#[tokio::test]
async fn data_that_is_no_such_thing_fails_the_task_for_good() {
    let executor = TaskExecutor::new();
    executor
        .assign_runner("send", |_context, email: Email| async move { Ok(email.to) })
        .await
        .unwrap();
    let task = Task::builder().name("send").data(&7).build();
    let error = executor.execute(task).await.unwrap_err();
    assert!(error.message().starts_with("data: invalid type: integer `7`"), "{error}");
    assert_eq!(executor.execute(email("ada")).await.unwrap(), "ada");
}

#[tokio::test]
async fn a_close_waits_for_what_runs_and_leaves_the_rest_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let executor = TaskExecutor::builder().path(&file).concurrency(1).build().unwrap();
    let (sender, started) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let run = move |_context, email: Email| {
        if let Some(sender) = sender.lock().take() {
            sender.send(()).unwrap();
        }
        async move { Ok(email.to) }
    };
    executor.assign_runner("send", run).await.unwrap();
    let first = executor.add_task(email("ada")).await.unwrap();
    started.await.unwrap();
    executor.close().await.unwrap();
    let next = open(&file);
    assert_eq!(next.wait_for_task_output_data(&first).await.unwrap(), "ada");
    next.close().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_the_file_is_told_by_the_first_call() {
    let folder = tempfile::tempdir().unwrap();
    let executor = open(&folder.path().join("missing").join("tasks.db"));
    let error = executor.execute(email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some("TASKER_IO")));
    let unknown = TaskExecutor::with_persistence("redis").unwrap_err();
    assert_eq!(unknown.code(), Some("TASKER_UNSUPPORTED"));
    assert!(unknown.message().contains("there is 'sqlite'"), "{unknown}");
}
