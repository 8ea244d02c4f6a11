//! What an executor counts, and tells of its store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::future::pending;
use std::time::Duration;

use serde_json::{Value, json};
use task::testing::TaskTest;
use task::{RetryPolicy, Task, TaskError, TaskExecutor, TaskScheduler};

const SECOND: Duration = Duration::from_secs(1);

fn failing(name: &str) -> Task {
    Task::builder()
        .name(name)
        .handler_fn(|_| async { Err::<Value, _>(TaskError::new("no")) })
        .build()
}

fn quick(name: &str) -> Task {
    Task::builder().name(name).handler(async { "done" }).build()
}

#[tokio::test]
async fn nothing_is_told_before_it_is_asked_to_count() {
    let executor = TaskExecutor::new();
    let error = executor.get_metrics().await.unwrap_err();
    assert_eq!(error.code(), Some("TASKER_INVALID"));
    assert!(error.message().starts_with("metrics: are not enabled"), "{error}");
    executor.enable_metrics().await.unwrap();
    assert!(executor.get_metrics().await.unwrap().operations.is_empty());
    executor.close().await.unwrap();
    assert_eq!(executor.get_metrics().await.unwrap_err().code(), Some("TASKER_CLOSED"));
    let other = TaskExecutor::new();
    other.close().await.unwrap();
    assert_eq!(other.enable_metrics().await.unwrap_err().code(), Some("TASKER_CLOSED"));
}

#[tokio::test]
async fn what_was_done_before_is_not_counted_and_another_call_changes_nothing() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    executor.execute(quick("a")).await.unwrap();
    test.advance(SECOND).await.unwrap();
    let (enabled, _) = (test.now(), executor.enable_metrics().await.unwrap());
    let metrics = executor.get_metrics().await.unwrap();
    let a = &metrics.operations["a"];
    assert_eq!((a.added, a.runs.started, a.ended["done"]), (0, 0, 0));
    assert_eq!((a.wait.count, a.duration.count), (0, 0));
    assert_eq!((metrics.store.tasks["done"], a.store.tasks["done"]), (1, 1));
    executor.execute(quick("a")).await.unwrap();
    executor.execute(quick("b")).await.unwrap();
    test.advance(SECOND).await.unwrap();
    executor.enable_metrics().await.unwrap();
    let metrics = executor.get_metrics().await.unwrap();
    assert_eq!(metrics.since.duration_since(std::time::UNIX_EPOCH).unwrap(), enabled);
    assert_eq!(metrics.at.duration_since(metrics.since).unwrap(), SECOND);
    for (name, kept) in [("a", 2), ("b", 1)] {
        let one = &metrics.operations[name];
        assert_eq!((one.added, one.runs.started, one.ended["done"]), (1, 1, 1), "{name}");
        assert_eq!((one.wait.count, one.duration.count), (1, 1), "{name}");
        assert_eq!(one.store.tasks["done"], kept, "{name}");
    }
}

#[tokio::test]
async fn each_operation_says_how_its_tasks_and_runs_ended_and_how_long_they_waited() {
    let test = TaskTest::new().unwrap();
    let policy = RetryPolicy::fixed(2, SECOND);
    let executor = test.executor(TaskExecutor::builder().retry(policy)).unwrap();
    executor.enable_metrics().await.unwrap();
    executor.add_task(failing("call")).await.unwrap();
    executor.add_task(quick("call")).await.unwrap();
    let hangs = || Task::builder().name("hang").handler(pending::<()>()).build();
    let hanging = executor.add_task(hangs()).await.unwrap();
    executor.add_task(hangs()).await.unwrap();
    let later = Task::builder().name("later").delay(60 * SECOND).build();
    executor.add_task(later).await.unwrap();
    test.advance(10 * SECOND).await.unwrap();
    executor.abort_task(&hanging).await.unwrap();
    test.advance(SECOND).await.unwrap();

    let metrics = executor.get_metrics().await.unwrap();
    let call = &metrics.operations["call"];
    assert_eq!((call.added, call.ended["done"], call.ended["failed"]), (2, 1, 1));
    assert_eq!(
        (call.runs.started, call.runs.ended["retried"], call.runs.ended["failed"]),
        (4, 2, 1)
    );
    let hang = &metrics.operations["hang"];
    assert_eq!((hang.ended["aborted"], hang.runs.ended["aborted"], hang.runs.running), (1, 1, 1));
    assert_eq!((hang.duration.count, hang.duration.max), (1, 10 * SECOND));
    assert_eq!(metrics.process.running, 1);
    let later = &metrics.operations["later"].store;
    assert_eq!((later.tasks["delayed"], later.waiting["start-time"], later.runners), (1, 1, 0));

    let told = metrics.to_json().unwrap();
    assert_eq!(told["operations"]["call"]["runs"]["ended"], json!(call.runs.ended));
    assert_eq!(told["operations"]["later"]["store"]["waiting"], json!({ "start-time": 1 }));
    let text = metrics.to_prometheus();
    let line = r#"tasker_runs_ended_total{operation="call",outcome="retried"} 2"#;
    assert!(text.lines().any(|one| one == line), "{text}");
    let shown = metrics.to_string();
    let line = "call: added 2, skipped 0, ended done 1 failed 1, runs started 4 running 0 ended \
                done 1 failed 1 retried 2, wait 2 (p50 0ns p90 0ns p99 0ns max 0ns)";
    assert!(shown.contains(line), "{shown}");
}

#[tokio::test]
async fn the_text_names_a_hundred_operations_and_the_map_all() {
    let executor = TaskExecutor::new();
    executor.enable_metrics().await.unwrap();
    let tasks = (0..120).map(|n| quick(&format!("Task {n}"))).collect();
    assert!(executor.execute_all(tasks).await.unwrap().iter().all(Result::is_ok));
    let metrics = executor.get_metrics().await.unwrap();
    assert_eq!(metrics.operations.len(), 120);
    let text = metrics.to_prometheus();
    let added = text.lines().filter(|line| line.starts_with("tasker_tasks_added_total{"));
    assert_eq!(added.count(), 101);
    assert!(text.contains(r#"tasker_tasks_added_total{operation="_other"} 20"#), "{text}");
}

#[tokio::test]
async fn of_two_executors_on_a_file_each_counts_its_own_and_tells_the_same_of_the_store() {
    let test = TaskTest::new().unwrap();
    let one = test.executor(TaskExecutor::builder()).unwrap();
    let two = test.executor(TaskExecutor::builder()).unwrap();
    for executor in [&one, &two] {
        executor.enable_metrics().await.unwrap();
    }
    let options = json!({ "concurrency": 1 });
    let hangs = |_context, _data: Value| pending::<Result<(), TaskError>>();
    one.assign_runner_with("a", &options, hangs).await.unwrap();
    for executor in [&one, &two, &two] {
        executor.add_task(Task::builder().name("a").build()).await.unwrap();
    }
    test.advance(SECOND).await.unwrap();
    let (own, its) = (one.get_metrics().await.unwrap(), two.get_metrics().await.unwrap());
    let (own, its) = (&own.operations["a"], &its.operations["a"]);
    assert_eq!((own.added, own.runs.started, own.runs.running), (1, 1, 1));
    assert_eq!((its.added, its.runs.started, its.runs.running), (2, 0, 0));
    assert_eq!(one.get_metrics().await.unwrap().store.processes, 2);
    for store in [&own.store, &its.store] {
        assert_eq!((store.tasks["running"], store.waiting["limit"], store.runners), (1, 2, 1));
        assert!(store.next_ready_at.is_some() && !store.paused && !store.circuit_open);
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_says_how_large_it_is_who_has_it_open_and_how_many_schedules_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let executor = TaskExecutor::builder().path(&file).build().unwrap();
    executor.enable_metrics().await.unwrap();
    let before = executor.get_metrics().await.unwrap().store;
    assert_eq!((before.processes, before.schedules), (1, 0));
    let large = Task::builder().name("a").delay(60 * SECOND).data(&"x".repeat(1 << 20)).build();
    executor.add_task(large).await.unwrap();
    let hourly = Task::builder().name("a").schedule("0 * * * *").build();
    TaskScheduler::of(&executor).schedule(hourly).await.unwrap();
    let after = executor.get_metrics().await.unwrap().store;
    assert_eq!(after.schedules, 1);
    let (before, after) = (before.bytes.unwrap(), after.bytes.unwrap());
    assert!(after.file >= before.file + (1 << 20), "{before:?} {after:?}");
    assert!(after.free < after.file && before.file % 512 == 0, "{before:?} {after:?}");
    executor.close().await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), after.file);
    let memory = TaskExecutor::new();
    memory.enable_metrics().await.unwrap();
    assert_eq!(memory.get_metrics().await.unwrap().store.bytes, None);
}
