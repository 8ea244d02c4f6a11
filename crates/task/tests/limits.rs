//! Limits of an executor: each operation has them, stored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use task::testing::TaskTest;
use task::{CircuitBreaker, RateLimiter, Task, TaskError, TaskExecutor};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn tasks_of_one_name_start_no_faster_than_the_rate_limiter_says() {
    let test = Arc::new(TaskTest::new().unwrap());
    let limiter = RateLimiter::new(2, 10 * SECOND);
    let executor = test.executor(TaskExecutor::builder().rate_limiter(limiter)).unwrap();
    let (begin, seconds) = (test.now(), Arc::new(Mutex::new(Vec::new())));
    for name in ["a", "a", "a", "b"] {
        let (test, seconds) = (Arc::clone(&test), Arc::clone(&seconds));
        let run = async move { seconds.lock().push((name, (test.now() - begin).as_secs())) };
        executor.add_task(Task::builder().name(name).handler(run).build()).await.unwrap();
    }
    test.advance(60 * SECOND).await.unwrap();
    let mut seconds = seconds.lock().clone();
    seconds.sort_unstable();
    assert_eq!(seconds, [("a", 0), ("a", 5), ("a", 10), ("b", 0)]);
}

#[tokio::test]
async fn a_circuit_that_is_open_lets_nothing_start() {
    let test = TaskTest::new().unwrap();
    let breaker = CircuitBreaker::new(2, 60 * SECOND, 30 * SECOND);
    let executor = test.executor(TaskExecutor::builder().circuit_breaker(breaker)).unwrap();
    let failing = || {
        let failed = async { Err::<Value, _>(TaskError::new("HTTP 503")) };
        Task::builder().name("call").handler(failed).build()
    };
    let results = executor.execute_all(vec![failing(), failing()]).await.unwrap();
    assert!(results.iter().all(Result::is_err));
    let task = Task::builder().name("call").handler(async { "answer" }).build();
    let uuid = executor.add_task(task).await.unwrap();
    test.advance(29 * SECOND).await.unwrap();
    assert_eq!(executor.get_task(&uuid).await.unwrap()["status"], "new");
    test.advance(SECOND).await.unwrap();
    assert_eq!(executor.get_task(&uuid).await.unwrap()["result"], "answer");
}

#[tokio::test]
async fn limits_that_the_engine_cannot_count_are_refused() {
    let limiter = RateLimiter::new(u32::MAX, SECOND);
    let builder = TaskExecutor::builder().rate_limiter(limiter);
    assert_eq!(builder.build().unwrap_err().code(), Some("TASKER_INVALID"));
    let none = TaskExecutor::builder().concurrency(0).build().unwrap_err();
    assert!(none.message().starts_with("concurrency: must be a number from 1"));
    let executor = TaskExecutor::with_rate_limiter(RateLimiter::new(u32::MAX, SECOND));
    let task = Task::builder().name("a").handler(async {}).build();
    let error = executor.execute(task).await.unwrap_err();
    assert!(error.message().starts_with("rateLimit.limit"), "{error}");
}

#[tokio::test]
async fn a_runner_may_bring_limits_for_all_processes() {
    let executor = TaskExecutor::builder().concurrency(10).build().unwrap();
    let running = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&running);
    let run = move |_context, _data: Value| {
        let running = Arc::clone(&counted);
        async move {
            {
                let mut running = running.lock();
                running.0 += 1;
                running.1 = running.0.max(running.1);
            }
            tokio::task::yield_now().await;
            running.lock().0 -= 1;
            Ok(())
        }
    };
    let options = json!({ "concurrency": 2 });
    executor.assign_runner_with("a", &options, run.clone()).await.unwrap();
    let again = executor.assign_runner("a", run).await.unwrap_err();
    assert_eq!(again.code(), Some("TASKER_CONFLICT"));
    let tasks = (0..8).map(|_| Task::builder().name("a").build()).collect();
    assert!(executor.execute_all(tasks).await.unwrap().iter().all(Result::is_ok));
    assert!((1..=2).contains(&running.lock().1), "two run at once at most");
    assert!(executor.unassign_runner("a").await.unwrap());
    assert!(!executor.unassign_runner("a").await.unwrap());
}
