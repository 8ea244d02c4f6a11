//! Tasks with handlers of their own: results, errors, cancellation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use task::{ErrorKind, RetryPolicy, Task, TaskError, TaskExecutor, Value, value};
use tokio::sync::{Notify, oneshot};

fn named(name: &str) -> task::TaskBuilder {
    Task::builder().name(name)
}

/// A handler that says when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(());
        }
    }
}

#[tokio::test]
async fn a_handler_may_return_a_text_a_number_a_value_or_nothing() {
    let executor = TaskExecutor::new();
    let run = |task| executor.execute(task);
    let text = run(named("a").handler(async { "done" }).build()).await.unwrap();
    assert_eq!((text.as_str(), text.to_string()), (Some("done"), "\"done\"".to_owned()));
    assert_eq!(run(named("a").handler(async { 7 }).build()).await.unwrap(), 7);
    assert_eq!(run(named("a").handler(async { true }).build()).await.unwrap(), true);
    assert_eq!(run(named("a").handler(async {}).build()).await.unwrap(), Value::Null);
    let owned = named("a").handler(async { String::from("own") }).build();
    assert_eq!(run(owned).await.unwrap(), "own");
    let list = named("a").handler(async { value(&[1, 2]) }).build();
    assert_eq!(run(list).await.unwrap(), json!([1, 2]));
}

#[tokio::test]
async fn an_error_and_a_panic_fail_the_task_with_their_words() {
    let executor = TaskExecutor::new();
    let fails = named("a").handler(async { Err::<Value, _>(TaskError::new("no disk")) }).build();
    let error = executor.execute(fails).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Failed, "no disk"));
    let panics = named("a")
        .handler_fn(|_| async {
            if true {
                panic!("at {}", 7)
            }
        })
        .build();
    let error = executor.execute(panics).await.unwrap_err();
    assert_eq!(error.message(), "the handler panicked: at 7");
}

#[tokio::test]
async fn results_come_in_the_order_given_and_errors_in_their_places() {
    let executor = TaskExecutor::builder().concurrency(2).build().unwrap();
    let gate = Arc::new(Notify::new());
    let (first, open) = (Arc::clone(&gate), Arc::clone(&gate));
    let tasks = vec![
        named("a").handler(async move { first.notified().await }).build(),
        named("b").handler(async { Err::<Value, _>("wrong".into()) }).build(),
        Task::builder().handler(async { "nameless" }).build(),
        named("c").priority(f64::NEG_INFINITY).handler(async move { open.notify_one() }).build(),
    ];
    let results = executor.execute_all(tasks).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap(), &Value::Null);
    assert_eq!(results[1].as_ref().unwrap_err().message(), "wrong");
    assert_eq!(
        results[2].as_ref().unwrap_err().message(),
        "name: is missing; say it to the builder"
    );
    assert!(results[3].is_ok());
    assert!(executor.execute_all(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_outer_error_is_for_a_call_that_added_nothing() {
    let executor = TaskExecutor::new();
    let wrong = || named("a").timeout(Duration::ZERO).handler(async {}).build();
    let error = executor.execute_all(vec![wrong(), wrong()]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some("TASKER_INVALID")));
    assert!(error.message().starts_with("runTimeout: must be a duration"), "{error}");
    executor.close().await.unwrap();
    let closed = executor.execute(named("a").handler(async {}).build()).await.unwrap_err();
    assert_eq!(closed.code(), Some("TASKER_CLOSED"));
}

#[tokio::test]
async fn tasks_start_after_those_that_they_depend_on() {
    let executor = TaskExecutor::new();
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let step = |name: &'static str, after: &[usize]| {
        let order = Arc::clone(&order);
        let run = async move { order.lock().push(name) };
        named(name).after(after.iter().copied()).handler(run).build()
    };
    let tasks = vec![step("link", &[]), step("compile", &[0]), step("test", &[0, 1])];
    assert!(executor.execute_all(tasks).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(*order.lock(), ["link", "compile", "test"]);

    let broken = named("a").handler(async { Err::<Value, _>("broken".into()) }).build();
    let wrong = Task::builder().handler(async {}).build();
    let tasks = vec![broken, wrong, step("b", &[0]), step("c", &[1]), step("d", &[9])];
    let results = executor.execute_all(tasks).await.unwrap();
    assert_eq!(results[2].as_ref().unwrap_err().kind(), ErrorKind::Aborted);
    let refused = results[3].as_ref().unwrap_err();
    assert_eq!(refused.message(), "after: names a task that was refused");
    let unknown = results[4].as_ref().unwrap_err();
    assert_eq!(unknown.message(), "after: names no earlier task of the same `execute_all`");
}

#[tokio::test]
async fn one_future_that_would_run_again_says_so() {
    let executor = TaskExecutor::with_retry(RetryPolicy::fixed(3, Duration::from_secs(3_600)));
    let fails = named("a").handler(async { Err::<Value, _>("HTTP 503".into()) }).build();
    let error = executor.execute(fails).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HandlerConsumed);
    assert!(error.message().contains("it failed: HTTP 503"), "{error}");
    let gone = named("a").handler(async { Err::<Value, _>(TaskError::unrecoverable("404")) });
    assert_eq!(executor.execute(gone.build()).await.unwrap_err().kind(), ErrorKind::Failed);
}

#[tokio::test]
async fn a_future_that_is_dropped_aborts_its_tasks() {
    let executor = TaskExecutor::new();
    let (started, starts) = oneshot::channel();
    let (dropped, drops) = oneshot::channel();
    let guard = Dropped(Some(dropped));
    let endless = async move {
        let _guard = guard;
        started.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    let tasks = vec![
        named("a").handler(endless).build(),
        named("b").delay(Duration::from_secs(3_600)).handler(async {}).build(),
    ];
    {
        let all = executor.execute_all(tasks);
        tokio::select! {
            _ = all => panic!("it never ends"),
            started = starts => started.unwrap(),
        }
    }
    drops.await.unwrap();
    executor.close().await.unwrap();
}

#[tokio::test]
async fn when_the_last_clone_goes_what_runs_is_dropped() {
    let executor = TaskExecutor::new();
    let (started, starts) = oneshot::channel();
    let (dropped, drops) = oneshot::channel();
    let guard = Dropped(Some(dropped));
    let endless = async move {
        let _guard = guard;
        started.send(()).unwrap();
        std::future::pending::<()>().await;
    };
    executor.add_task(named("a").handler(endless).build()).await.unwrap();
    starts.await.unwrap();
    let clone = executor.clone();
    drop(executor);
    assert!(clone.find_tasks(&json!({})).await.is_ok());
    drop(clone);
    drops.await.unwrap();
}

#[tokio::test]
async fn the_tasks_of_a_dropped_call_are_aborted_with_their_reason() {
    let executor = TaskExecutor::new();
    let later = named("b").delay(Duration::from_secs(3_600)).handler(async {}).build();
    let mut call = Box::pin(executor.execute(later));
    let all = loop {
        tokio::select! {
            biased;
            _ = &mut call => panic!("it waits for an hour"),
            () = tokio::task::yield_now() => {}
        }
        let all = executor.find_tasks(&json!({ "operation": "b" })).await.unwrap();
        if !all.is_empty() {
            break all;
        }
    };
    drop(call);
    let uuid = all[0]["uuid"].as_str().unwrap();
    let error = executor.wait_for_task_output_data(uuid).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert_eq!(error.message(), "nobody waits for the task any more");
}

#[tokio::test]
async fn a_higher_priority_starts_sooner() {
    let executor = TaskExecutor::builder().concurrency(1).build().unwrap();
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let task = |priority: f64| {
        let order = Arc::clone(&order);
        named("a").priority(priority).handler(async move { order.lock().push(priority) }).build()
    };
    let tasks = vec![task(-1.0), task(2.5), task(f64::INFINITY), task(0.0)];
    executor.execute_all(tasks).await.unwrap();
    assert_eq!(*order.lock(), [f64::INFINITY, 2.5, 0.0, -1.0]);
}

#[test]
fn an_executor_is_made_without_a_runtime_and_outlives_one() {
    let executor = TaskExecutor::new();
    let count = Arc::new(AtomicU32::new(0));
    for n in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let counted = Arc::clone(&count);
        let run = async move { counted.fetch_add(1, Ordering::Relaxed) + 1 };
        let task = named("a").handler(run).build();
        assert_eq!(runtime.block_on(executor.execute(task)).unwrap(), n);
    }
}

#[test]
fn a_runtime_that_ends_takes_its_runs_along() {
    let executor = TaskExecutor::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let endless = named("a").handler(std::future::pending::<()>()).build();
    let uuid = runtime.block_on(async {
        let uuid = executor.add_task(endless).await.unwrap();
        while executor.get_task(&uuid).await.unwrap()["status"] != "running" {}
        uuid
    });
    runtime.shutdown_background();
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = other.block_on(executor.wait_for_task_output_data(&uuid)).unwrap_err();
    assert_eq!(error.message(), "the runtime has ended on which the handler ran");
}

#[tokio::test]
async fn a_handler_may_run_tasks_itself() {
    let executor = TaskExecutor::builder().concurrency(2).build().unwrap();
    let inner = executor.clone();
    let outer = async move {
        let task = Task::builder().name("inner").handler(async { 1 }).build();
        inner.execute(task).await
    };
    assert_eq!(executor.execute(named("outer").handler(outer).build()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_task_is_told_with_its_path() {
    let executor = TaskExecutor::new();
    let run = |task| executor.execute(task);
    let name = "x".repeat(256);
    for (builder, words) in [
        (named("a").schedule("* * * * *"), "schedule: is for `TaskScheduler::schedule`"),
        (named(&name), "operation: is longer than 255 bytes"),
        (named("a").priority(f64::NAN), "priority: must be a number"),
        (named("a").depends_on(["7"]), "dependsOn[0]: must be"),
        (named("a").tags([""]), "tags[0]: must be a string that is not empty"),
        (named("a").data(&f64::NAN).data(&Unwritable), "data: makes no JSON"),
        (
            named("a").retry(RetryPolicy::fixed(1, Duration::from_secs(1)).jitter(2.0)),
            "retry.backoff.jitter",
        ),
    ] {
        let error = run(builder.handler(async {}).build()).await.unwrap_err();
        assert!(error.message().starts_with(words), "{error}");
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
    let custom = RetryPolicy::custom(1, |_, _| None);
    let error = run(named("a").retry(custom).build()).await.unwrap_err();
    assert_eq!(error.code(), Some("TASKER_UNSUPPORTED"));
    for uuid in ["", "7"] {
        assert_eq!(executor.get_task(uuid).await.unwrap_err().code(), Some("TASKER_INVALID"));
    }
    let unknown = "018f0000-0000-7000-8000-000000000001";
    assert_eq!(executor.abort_task(unknown).await.unwrap_err().code(), Some("TASKER_NOT_FOUND"));
    let query = executor.find_tasks(&json!({ "$no": 1 })).await.unwrap_err();
    assert_eq!(query.code(), Some("TASKER_INVALID_QUERY"));
}

struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_be_awaited_in_a_task_of_the_runtime() {
    let executor = TaskExecutor::new();
    let all = tokio::spawn(async move {
        let run = |_context, n: u32| async move { Ok(n + 1) };
        executor.assign_runner("next", run).await?;
        let one = executor.execute(named("next").data(&1).build()).await?;
        let tasks = (0..100).map(|n: i32| named("n").handler(async move { n }).build()).collect();
        let many = executor.execute_all(tasks).await?;
        let task = named("hourly").schedule("0 * * * *").handler(async {}).build();
        let schedule = task::TaskScheduler::of(&executor).schedule(task).await?;
        assert!(schedule.stop().await?);
        executor.close().await?;
        Ok::<_, TaskError>((one, many))
    });
    let (one, many) = all.await.unwrap().unwrap();
    assert_eq!(one, 2);
    assert!(many.iter().enumerate().all(|(n, result)| result.as_ref().unwrap() == n));
}
