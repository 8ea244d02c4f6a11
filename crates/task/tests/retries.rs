//! Retries and timeouts, by the clock of a test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use task::testing::TaskTest;
use task::{ErrorKind, RetryPolicy, Task, TaskBuilder, TaskError, TaskExecutor, Value};

const SECOND: Duration = Duration::from_secs(1);

/// A handler that fails so often, and notes at which second of the test it ran.
fn failing(test: &Arc<TaskTest>, failures: u32, seconds: &Arc<Mutex<Vec<u64>>>) -> TaskBuilder {
    let (test, seconds, count) = (Arc::clone(test), Arc::clone(seconds), AtomicU32::new(0));
    let begin = test.now();
    Task::builder().name("a").handler_fn(move |context| {
        seconds.lock().push((test.now() - begin).as_secs());
        let n = count.fetch_add(1, Ordering::Relaxed);
        async move {
            assert_eq!(context.attempt(), n + 1);
            if n < failures { Err(TaskError::new("HTTP 503")) } else { Ok(Value::from(n)) }
        }
    })
}

/// At which seconds a task runs that always fails, and its error.
async fn pauses(policy: RetryPolicy) -> (Vec<u64>, TaskError) {
    let test = Arc::new(TaskTest::new().unwrap());
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let seconds = Arc::default();
    let task = failing(&test, u32::MAX, &seconds).retry(policy).build();
    let uuid = executor.add_task(task).await.unwrap();
    test.advance(1_000 * SECOND).await.unwrap();
    let error = executor.wait_for_task_output_data(&uuid).await.unwrap_err();
    let seconds = seconds.lock().clone();
    (seconds, error)
}

#[tokio::test]
async fn three_retries_are_four_attempts_with_the_pauses_of_their_kind() {
    for (policy, expected) in [
        (RetryPolicy::fixed(3, SECOND), vec![0, 1, 2, 3]),
        (RetryPolicy::linear(3, SECOND), vec![0, 1, 3, 6]),
        (RetryPolicy::exponential_backoff(3, SECOND), vec![0, 1, 3, 7]),
        (RetryPolicy::fibonacci(4, SECOND), vec![0, 1, 2, 4, 7]),
        (RetryPolicy::exponential_backoff(3, SECOND).max_delay(2 * SECOND), vec![0, 1, 3, 5]),
        (RetryPolicy::fixed(2, Duration::ZERO), vec![0, 0, 0]),
        (RetryPolicy::custom(3, |n, _| Some(n * 10 * SECOND)), vec![0, 10, 30, 60]),
        (RetryPolicy::custom(9, |n, _| (n < 2).then_some(SECOND)), vec![0, 1]),
    ] {
        let (seconds, error) = pauses(policy.clone()).await;
        assert_eq!(seconds, expected, "{policy:?}");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Failed, "HTTP 503"));
    }
}

#[tokio::test]
async fn the_policy_of_the_executor_is_for_tasks_that_say_nothing() {
    let test = Arc::new(TaskTest::new().unwrap());
    let builder = TaskExecutor::builder().retry(RetryPolicy::custom(5, |_, _| Some(SECOND)));
    let executor = test.executor(builder).unwrap();
    let (said, unsaid) = (Arc::default(), Arc::default());
    let task = failing(&test, 2, &said).retry(RetryPolicy::fixed(1, 5 * SECOND)).build();
    let said_uuid = executor.add_task(task).await.unwrap();
    let uuid = executor.add_task(failing(&test, 2, &unsaid).build()).await.unwrap();
    test.advance(60 * SECOND).await.unwrap();
    assert_eq!(executor.wait_for_task_output_data(&uuid).await.unwrap(), 2);
    assert!(executor.wait_for_task_output_data(&said_uuid).await.is_err());
    assert_eq!((said.lock().clone(), unsaid.lock().clone()), (vec![0, 5], vec![0, 1, 2]));
}

#[tokio::test]
async fn an_error_may_end_the_attempts_or_choose_its_pause() {
    let test = TaskTest::new().unwrap();
    let builder = TaskExecutor::builder().retry(RetryPolicy::fixed(3, SECOND));
    let executor = test.executor(builder).unwrap();
    let task = Task::builder().name("a").handler_fn(|context| async move {
        match context.attempt() {
            1 => Err::<Value, _>(TaskError::retry_later("HTTP 429", 100 * SECOND)),
            _ => Err(TaskError::unrecoverable("HTTP 404")),
        }
    });
    let uuid = executor.add_task(task.build()).await.unwrap();
    test.advance(99 * SECOND).await.unwrap();
    assert_eq!(executor.get_task(&uuid).await.unwrap()["attempt"], 1);
    test.advance(SECOND).await.unwrap();
    let document = executor.get_task(&uuid).await.unwrap();
    assert_eq!((&document["attempt"], &document["status"]), (&2.into(), &"failed".into()));
    assert_eq!(document["error"]["message"], "HTTP 404");
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_cancelled_and_dropped() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let task = Task::builder().name("a").timeout(SECOND).handler_fn(move |context| {
        let sender = sender.clone();
        async move {
            sender.send(context.cancellation().clone()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    let uuid = executor.add_task(task.build()).await.unwrap();
    let token = receiver.recv().await.unwrap();
    assert!(!token.is_cancelled());
    test.advance(SECOND).await.unwrap();
    token.cancelled().await;
    let error = executor.wait_for_task_output_data(&uuid).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_task_that_waits_too_long_ends_as_aborted() {
    let test = TaskTest::new().unwrap();
    let executor = test.executor(TaskExecutor::builder()).unwrap();
    let task = Task::builder().name("nobody has a runner").queue_timeout(SECOND).build();
    let uuid = executor.add_task(task).await.unwrap();
    test.advance(SECOND).await.unwrap();
    let error = executor.wait_for_task_output_data(&uuid).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
}
