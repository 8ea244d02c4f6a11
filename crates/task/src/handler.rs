//! What a task does: one future, or a function that makes one for each run.
//!
//! # Promises
//! - One future runs once. Who asks for it again gets nothing.
//!
//! Proof: `task/tests/execute.rs`.

use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::TaskContext;
use crate::error::TaskError;
use crate::output::Output;

/// The run of a handler.
pub(crate) type Run = Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send>>;

/// What a task does.
#[derive(Clone)]
pub(crate) struct Handler(Kind);

#[derive(Clone)]
enum Kind {
    /// Taken when it runs.
    Once(Arc<parking_lot::Mutex<Option<Run>>>),
    Each(Arc<dyn Fn(TaskContext) -> Run + Send + Sync>),
}

impl Handler {
    pub(crate) fn once<F>(future: F) -> Self
    where
        F: Future + Send + 'static,
        F::Output: Output,
    {
        let run: Run = Box::pin(async move { future.await.output() });
        Self(Kind::Once(Arc::new(parking_lot::Mutex::new(Some(run)))))
    }

    pub(crate) fn each<H, F>(make: H) -> Self
    where
        H: Fn(TaskContext) -> F + Send + Sync + 'static,
        F: Future + Send + 'static,
        F::Output: Output,
    {
        Self(Kind::Each(Arc::new(move |context| -> Run {
            let future = make(context);
            Box::pin(async move { future.await.output() })
        })))
    }

    /// One that reads the data of its task.
    pub(crate) fn reading<H, D, F, T>(run: H) -> Self
    where
        H: Fn(TaskContext, D) -> F + Send + Sync + 'static,
        D: DeserializeOwned + 'static,
        F: Future<Output = Result<T, TaskError>> + Send + 'static,
        T: Serialize + 'static,
    {
        Self(Kind::Each(Arc::new(move |context: TaskContext| -> Run {
            let data = D::deserialize(context.data());
            let future = data.map(|data| run(context, data));
            Box::pin(async move {
                let wrong =
                    |error: serde_json::Error| TaskError::unrecoverable(format!("data: {error}"));
                crate::output::value(&future.map_err(wrong)?.await?)
            })
        })))
    }

    /// Whether it is one future.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self.0, Kind::Once(_))
    }

    /// The next run; nothing if it was one future, which has run.
    pub(crate) fn run(&self, context: TaskContext) -> Option<Run> {
        match &self.0 {
            Kind::Once(future) => future.lock().take(),
            Kind::Each(make) => {
                // Called when it is polled first: what it does until its first `await` is the
                // user's work, and not for the thread of the engine.
                let make = Arc::clone(make);
                Some(Box::pin(async move { make(context).await }))
            }
        }
    }
}
