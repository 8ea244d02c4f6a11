//! A build: each step starts when those are done that it needs, and as many as may run side by
//! side. A step that fails ends those that need it.

#![expect(clippy::print_stdout, reason = "it shows what it does")]

use task::{Task, TaskError, TaskExecutor, Value};

/// A step, and the places of those that it needs.
const STEPS: [(&str, &[usize]); 6] = [
    ("fetch", &[]),
    ("compile core", &[0]),
    ("compile app", &[0, 1]),
    ("test core", &[1]),
    ("test app", &[2]),
    ("package", &[3, 4]),
];

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let executor = TaskExecutor::builder().concurrency(2).build()?;
    let broken = std::env::args().nth(1);
    let tasks = STEPS.iter().map(|(name, needs)| {
        let is_broken = broken.as_deref() == Some(*name);
        let step = async move {
            println!("{name}");
            if is_broken { Err(TaskError::new("it is broken")) } else { Ok(Value::Null) }
        };
        Task::builder().name(*name).after(needs.iter().copied()).handler(step).build()
    });
    let results = executor.execute_all(tasks.collect()).await?;
    for ((name, _), result) in STEPS.iter().zip(results) {
        match result {
            Ok(_) => println!("ok       {name}"),
            Err(error) => println!("{:8?} {name}: {error}", error.kind()),
        }
    }
    executor.close().await
}
