//! Schedules, by the clock of a test.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use task::testing::TaskTest;
use task::{Task, TaskBuilder, TaskExecutor, TaskScheduler};

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
