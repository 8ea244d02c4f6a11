//! What a handler may return.
//!
//! # Promises
//! - A text, a number, a `bool`, nothing, or a [`Value`]; or a [`Value`] or an error. A few types
//!   only: with more of them, `"text".into()` in a handler would have no one type.
//!
//! Proof: the doctests of the crate, `task/tests/execute.rs`.

use serde::Serialize;
use serde_json::Value;

use crate::error::TaskError;

/// What a handler may return. A value of another type becomes one with [`crate::value`].
pub trait Output {
    /// The result of the task.
    ///
    /// # Errors
    /// The error with which the task fails.
    fn output(self) -> Result<Value, TaskError>;
}

impl Output for Result<Value, TaskError> {
    fn output(self) -> Result<Value, TaskError> {
        self
    }
}

impl Output for () {
    fn output(self) -> Result<Value, TaskError> {
        Ok(Value::Null)
    }
}

macro_rules! outputs {
    ($($name:ty),*) => {
        $(impl Output for $name {
            fn output(self) -> Result<Value, TaskError> {
                Ok(self.into())
            }
        })*
    };
}

outputs!(Value, String, &'static str, bool, f64, i8, i16, i32, i64, u8, u16, u32, u64);

/// A result that a handler may return, of any value that serde can write.
///
/// ```
/// # use task::{Task, TaskExecutor, value};
/// # #[tokio::main]
/// # async fn main() -> Result<(), task::TaskError> {
/// let task = Task::builder()
///     .name("Count")
///     .handler(async { value(&vec![1, 2, 3]) })
///     .build();
/// assert_eq!(TaskExecutor::new().execute(task).await?[1], 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`TaskError`] if it makes no JSON, such as a map whose keys are no texts. A task that fails for
/// that is not tried again.
pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<Value, TaskError> {
    serde_json::to_value(value).map_err(TaskError::unrecoverable)
}
