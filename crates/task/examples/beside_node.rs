//! A worker beside a Node.js process on one file: it runs `double` for both, one at a time in all,
//! and lets Node.js run `greet` for it. Ends when its input does.

#![expect(clippy::print_stdout, reason = "whoever started it reads what comes")]

use std::io::Read;

use serde_json::json;
use task::{Task, TaskContext, TaskError, TaskExecutor};

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let Some(file) = std::env::args().nth(1) else {
        return Err(TaskError::new("name the file that Node.js has open"));
    };
    let executor = TaskExecutor::builder().path(file).build()?;
    let double = |_: TaskContext, n: f64| async move { Ok(json!({ "by": "rust", "is": 2.0 * n })) };
    executor.assign_runner_with("double", &json!({ "concurrency": 1 }), double).await?;

    let greeting = executor.execute(Task::builder().name("greet").data("Rust").build()).await?;
    println!("{greeting}");

    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.map_err(|error| TaskError::new(error.to_string()))??;
    executor.close().await
}
