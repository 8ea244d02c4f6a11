//! A program that dies in the middle, and goes on when it is started again: its tasks lie in the
//! file that it is given. Start it twice.

#![expect(clippy::print_stdout, reason = "it shows what it does")]

use serde_json::json;
use task::{Task, TaskContext, TaskError, TaskExecutor};

#[tokio::main]
async fn main() -> Result<(), TaskError> {
    let Some(file) = std::env::args().nth(1) else {
        return Err(TaskError::new("name a file, such as tasks.db"));
    };
    let executor = TaskExecutor::builder().path(file).concurrency(1).build()?;
    let unfinished = executor.find_tasks(&json!({ "status": { "$ne": "done" } })).await?;
    let uuids: Vec<String> = if unfinished.is_empty() {
        let mut uuids = Vec::new();
        for part in 1..=4 {
            let task = Task::builder().name("import").data(&part).build();
            uuids.push(executor.add_task(task).await?);
        }
        println!("4 tasks are in the file");
        uuids
    } else {
        println!("{} tasks are left", unfinished.len());
        unfinished.iter().filter_map(|task| Some(task["uuid"].as_str()?.to_owned())).collect()
    };
    let (die, mut dies) = tokio::sync::mpsc::unbounded_channel();
    let import = move |context: TaskContext, part: u32| {
        let die = die.clone();
        async move {
            println!("part {part}, attempt {}", context.attempt());
            if part == 3 && context.attempt() == 1 && die.send(()).is_ok() {
                std::future::pending::<()>().await;
            }
            Ok(part)
        }
    };
    executor.assign_runner("import", import).await?;
    let all = async {
        for uuid in uuids {
            executor.wait_for_task_output_data(&uuid).await?;
        }
        Ok::<_, TaskError>(())
    };
    tokio::select! {
        // Nothing is closed: to the file it is as if the process had been killed.
        Some(()) = dies.recv() => return Err(TaskError::new("dead in the middle of part 3")),
        done = all => done?,
    }
    println!("all parts are imported");
    executor.close().await
}
