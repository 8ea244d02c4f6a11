//! A worker beside others on one file, of Rust or of Node.js, that may be killed at any time. It
//! runs `many`, three at a time in all processes, and `one`, one at a time, and says which run has
//! begun. A run goes on until its input says `go`; the worker ends with its input.

#![expect(clippy::print_stdout, reason = "whoever started it reads what comes")]

use serde_json::{Value, json};
use task::{TaskContext, TaskError, TaskExecutor};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let Some(file) = std::env::args().nth(1) else {
        return Err(TaskError::new("name a file, such as tasks.db"));
    };
    let executor = TaskExecutor::builder().path(file).concurrency(2).build()?;
    let (go, _) = watch::channel(());
    for (operation, concurrency) in [("many", 3), ("one", 1)] {
        let go = go.clone();
        let run = move |context: TaskContext, _: Value| {
            let mut gone = go.subscribe();
            async move {
                println!("began {} {}", context.operation(), context.uuid());
                gone.changed().await.map_err(|error| TaskError::new(error.to_string()))?;
                Ok(json!({ "by": "rust", "attempt": context.attempt() }))
            }
        };
        let options = json!({ "concurrency": concurrency });
        executor.assign_runner_with(operation, &options, run).await?;
    }
    println!("ready");
    let read = move || {
        for line in std::io::stdin().lines() {
            if line? == "go" {
                go.send_replace(());
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let ended = tokio::task::spawn_blocking(read);
    ended.await.map_err(|error| TaskError::new(error.to_string()))??;
    executor.close().await
}
