//! Pages within limits: two at once, ten in a second, tried again when they fail, and nothing for a
//! while when too many fail. The pages are made up; a real one would be fetched in `fetch`.

#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::time::Duration;

use serde_json::{Value, json};
use task::{CircuitBreaker, RateLimiter, RetryPolicy, Task, TaskContext, TaskError, TaskExecutor};

async fn fetch(context: TaskContext, url: String) -> Result<Value, TaskError> {
    let page: u32 = url.rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or_default();
    if page == 3 && context.attempt() == 1 {
        return Err(TaskError::new("HTTP 503"));
    }
    if page == 5 {
        return Err(TaskError::unrecoverable("HTTP 404"));
    }
    context.logger().info(format!("read {url}"));
    Ok(json!({ "bytes": 1_000 + page }))
}

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let executor = TaskExecutor::builder()
        .retry(RetryPolicy::exponential_backoff(3, Duration::from_millis(50)).jitter(0.2))
        .rate_limiter(RateLimiter::new(10, Duration::from_secs(1)).burst(5))
        .circuit_breaker(CircuitBreaker::with_defaults())
        .build()?;
    executor.assign_runner_with("fetch", &json!({ "concurrency": 2 }), fetch).await?;

    let urls: Vec<String> = (1..=6).map(|n| format!("https://example.com/{n}")).collect();
    let tasks = urls.iter().map(|url| Task::builder().name("fetch").data(url).build());
    let results = executor.execute_all(tasks.collect()).await?;
    for (url, result) in urls.iter().zip(results) {
        match result {
            Ok(page) => println!("{url}: {} bytes", page["bytes"]),
            Err(error) => println!("{url}: {error}"),
        }
    }
    executor.close().await
}
