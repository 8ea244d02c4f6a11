//! What a handler gets of its task.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use serde_json::json;
use task::{ErrorKind, Task, TaskExecutor, Value};
use tokio::sync::oneshot;

#[tokio::test]
async fn a_handler_knows_its_task_and_what_it_says_is_stored() {
    let executor = TaskExecutor::new();
    let task = Task::builder().name("count").description("Count to 2").data(&json!({ "to": 2 }));
    let task = task.tags(["numbers"]).handler_fn(|context| async move {
        context.progress(1.0, Some(2.0));
        context.progress_of(2.0, Some(2.0), "numbers");
        context.progress(f64::NAN, None);
        context.logger().info("counted");
        context.logger().info_with("counted", &json!({ "to": 2 }));
        context.logger().error("no more");
        let words = [context.operation(), context.uuid()].map(str::len);
        json!({ "data": context.data(), "attempt": context.attempt(), "words": words })
    });
    let uuid = executor.add_task(task.build()).await.unwrap();
    let result = executor.wait_for_task_output_data(&uuid).await.unwrap();
    assert_eq!(result, json!({ "data": { "to": 2 }, "attempt": 1, "words": [5, 36] }));
    let document = executor.get_task(&uuid).await.unwrap();
    assert_eq!(document["label"], "Count to 2");
    assert_eq!(document["tags"], json!(["numbers"]));
    assert_eq!(document["progress"], json!({ "current": 2, "total": 2, "unit": "numbers" }));
    let logs = document["logs"].as_array().unwrap();
    let lines: Vec<_> = logs.iter().map(|line| (&line["level"], &line["message"])).collect();
    assert_eq!(lines[0], (&json!("info"), &json!("counted")));
    assert_eq!(logs[1]["fields"]["to"], 2);
    assert_eq!(lines[2], (&json!("error"), &json!("no more")));
}

#[tokio::test]
async fn a_run_that_is_aborted_may_return_and_is_done_then() {
    let executor = TaskExecutor::new();
    let (sender, started) = oneshot::channel();
    let sender = parking_lot::Mutex::new(Some(sender));
    let task = Task::builder().name("a").handler_fn(move |context| {
        let sender = sender.lock().take().unwrap();
        async move {
            sender.send(()).unwrap();
            context.cancellation().cancelled().await;
            "as far as it came"
        }
    });
    let uuid = executor.add_task(task.build()).await.unwrap();
    started.await.unwrap();
    executor.abort_task(&uuid).await.unwrap();
    let result = executor.wait_for_task_output_data(&uuid).await.unwrap();
    assert_eq!(result, "as far as it came");
}

#[tokio::test]
async fn a_run_that_is_aborted_and_does_not_return_ends_as_aborted() {
    let executor = TaskExecutor::new();
    let (sender, started) = oneshot::channel();
    let endless = async move {
        sender.send(()).unwrap();
        std::future::pending::<Value>().await
    };
    let task = Task::builder().name("a").handler(endless).build();
    let uuid = executor.add_task(task).await.unwrap();
    started.await.unwrap();
    executor.abort_task(&uuid).await.unwrap();
    let error = executor.wait_for_task_output_data(&uuid).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Aborted, "the task was aborted"));
    assert_eq!(error.stored().unwrap()["name"], "AbortError");
}
