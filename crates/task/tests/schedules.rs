//! Schedules, by the clock of a test.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use task::testing::TaskTest;
use task::{OnStop, Overlap, Task, TaskBuilder, TaskContext, TaskExecutor, TaskScheduler};

const HOUR: Duration = Duration::from_secs(3_600);

fn counting(count: &Arc<AtomicU32>) -> TaskBuilder {
    let count = Arc::clone(count);
    Task::builder().name("clean").handler_fn(move |_| {
        let count = Arc::clone(&count);
        async move { count.fetch_add(1, Ordering::Relaxed) }
    })
}

#[tokio::test]
async fn a_cron_of_five_fields_runs_each_hour_until_it_is_stopped() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let count = Arc::default();
    let task = counting(&count).schedule("0 * * * *").build();
    let schedule = TaskScheduler::of(&executor).schedule(task).await.unwrap();
    assert_eq!(schedule.id(), "clean");
    test.advance(HOUR / 2).await.unwrap();
    let at_first = count.load(Ordering::Relaxed);
    test.advance(3 * HOUR).await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), at_first + 3);
    assert!(schedule.trigger().await.unwrap().is_some());
    assert!(schedule.stop().await.unwrap());
    test.advance(5 * HOUR).await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), at_first + 4);
    assert!(!schedule.stop().await.unwrap(), "it is stopped already");
}

#[tokio::test]
async fn dropping_the_handle_changes_nothing() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let count = Arc::default();
    let task = counting(&count).every(HOUR).build();
    drop(TaskScheduler::of(&executor).schedule(task).await.unwrap());
    test.advance(2 * HOUR).await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_second_tick_of_one_future_says_so_and_stops_the_schedule() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let task = Task::builder().name("once").every(HOUR).handler(async { "first" }).build();
    let schedule = TaskScheduler::of(&executor).schedule(task).await.unwrap();
    test.advance(9 * HOUR).await.unwrap();
    let all = executor.find_tasks(&json!({ "operation": "once" })).await.unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    let done = all.iter().find(|task| task["status"] == "done").unwrap();
    assert_eq!(done["result"], "first");
    let failed = all.iter().find(|task| task["status"] == "failed").unwrap();
    assert_eq!(failed["error"]["name"], "HandlerConsumed");
    assert!(!schedule.stop().await.unwrap(), "it is stopped already");
}

#[tokio::test]
async fn a_schedule_in_a_file_runs_by_the_runner_of_its_operation() {
    let test = TaskTest::new().unwrap();
    let file = || TaskExecutor::builder().path("of the test");
    let executor = test.executor(file()).unwrap();
    let scheduler = TaskScheduler::of(&executor);
    let count = Arc::default();
    let refused = scheduler.schedule(counting(&count).every(HOUR).build()).await.unwrap_err();
    assert_eq!(refused.code(), Some("TASKER_UNSUPPORTED"));
    let task = Task::builder().name("clean").data(&7).every(HOUR).build();
    scheduler.schedule(task).await.unwrap();
    drop((executor, scheduler));

    let executor = test.executor(file()).unwrap();
    let run = |_context, n: u32| async move { Ok(n + 1) };
    executor.assign_runner("clean", run).await.unwrap();
    test.advance(2 * HOUR).await.unwrap();
    let all = executor.find_tasks(&json!({ "scheduleId": "clean" })).await.unwrap();
    assert_eq!(all.iter().map(|task| &task["result"]).collect::<Vec<_>>(), [8, 8]);
}

#[tokio::test]
async fn what_is_wrong_with_a_schedule_is_told() {
    let scheduler = TaskScheduler::new();
    for (builder, words) in [
        (Task::builder().name("a"), "schedule: is missing"),
        (Task::builder().name("a").schedule("every noon"), "cron: "),
        (Task::builder().name("a").schedule("* * * * *").timezone("Moon"), "timezone: "),
        (Task::builder().schedule("* * * * *"), "name: is missing"),
        (Task::builder().name("a").every(HOUR).after([0]), "after: is for the tasks of one"),
    ] {
        let error = scheduler.schedule(builder.handler(async {}).build()).await.unwrap_err();
        assert!(error.message().starts_with(words), "{error}");
    }
}

#[tokio::test]
async fn overlap_says_what_a_tick_does_beside_a_task_that_has_not_ended() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let choices = [
        ("skip", Overlap::Skip, [0, 1, 0]),
        ("queue", Overlap::Queue, [1, 1, 0]),
        ("replace", Overlap::Replace, [0, 1, 2]),
        ("allow", Overlap::Allow, [0, 3, 0]),
    ];
    for (name, overlap, _) in choices {
        let hangs = Task::builder().name(name).handler_fn(|_| std::future::pending::<()>());
        let task = hangs.every(HOUR).overlap(overlap).build();
        TaskScheduler::of(&executor).schedule(task).await.unwrap();
    }
    test.advance(3 * HOUR).await.unwrap();
    for (name, _, expected) in choices {
        let tasks = executor.find_tasks(&json!({ "operation": name })).await.unwrap();
        let are = |status| tasks.iter().filter(|task| task["status"] == status).count();
        assert_eq!(["new", "running", "aborted"].map(are), expected, "{name}");
    }
}

#[tokio::test]
async fn run_at_says_when_a_task_may_start() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let at = |hours| std::time::SystemTime::UNIX_EPOCH + test.now() + hours * HOUR;
    let task = || Task::builder().name("a").handler(async { "done" });
    let uuid = executor.add_task(task().run_at(at(2)).build()).await.unwrap();
    test.advance(2 * HOUR - Duration::from_millis(1)).await.unwrap();
    assert_eq!(executor.get_task(&uuid).await.unwrap()["state"], "delayed");
    test.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(executor.get_task(&uuid).await.unwrap()["result"], "done");
    let long_ago = std::time::SystemTime::UNIX_EPOCH - HOUR;
    assert_eq!(executor.execute(task().run_at(long_ago).build()).await.unwrap(), "done");
    let both = task().run_at(at(1)).delay(HOUR).build();
    let error = executor.execute(both).await.unwrap_err();
    assert!(error.message().starts_with("delay: give runAt or delay"), "{error}");
}

#[tokio::test]
async fn on_stop_says_what_a_close_does_with_a_run() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let run = |context: TaskContext, _: serde_json::Value| async move {
        context.cancellation().cancelled().await;
        Err::<(), _>(task::TaskError::new("the run was cancelled"))
    };
    executor.assign_runner("a", run).await.unwrap();
    let mut uuids = Vec::new();
    for on_stop in [OnStop::Postpone, OnStop::Abort] {
        let task = Task::builder().name("a").on_stop(on_stop).build();
        uuids.push(executor.add_task(task).await.unwrap());
    }
    test.advance(HOUR).await.unwrap();
    executor.close().await.unwrap();
    let next = test.executor(TaskExecutor::builder()).unwrap();
    let mut states = Vec::new();
    for uuid in &uuids {
        states.push(next.get_task(uuid).await.unwrap()["status"].clone());
    }
    assert_eq!(states, ["new", "aborted"]);
}
