//! What can go wrong, for whoever awaits a task and for handlers.
//!
//! # Promises
//! - One type for both: an error that a handler gives comes out of `execute` with its message.
//! - A fault of a call has the code that `docs/reference/errors.md` lists, such as
//!   `TASKER_INVALID`.
//!
//! Proof: `task/tests/execute.rs`, the tests below.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::error::{Code, Error};
use tasker_core::task::{Cause, Json, TaskEnd};

/// The name of the error of a handler that is one future and would have to run again.
const CONSUMED: &str = "HandlerConsumed";

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The handler gave an error, or panicked.
    Failed,
    /// The task was aborted: by `abort_task`, by a stop, or because one that it depends on was not
    /// done.
    Aborted,
    /// A run took longer than the task's `timeout`.
    TimedOut,
    /// The handler is one future, which has run, and would have to run again.
    HandlerConsumed,
    /// The process died that ran the task, or to which it was attached.
    Lost,
    /// The call was refused; [`TaskError::code`] says why. Nothing of it was done.
    Refused,
}

/// Whether a task is tried again after this error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// As its retry policy says.
    AsPolicy,
    /// Never.
    Never,
    /// After this pause, if the policy has attempts left.
    After(Duration),
}

/// Why a task, or a call, did not end well.
#[derive(Clone)]
pub struct TaskError(Box<Facts>);

#[derive(Clone)]
struct Facts {
    kind: ErrorKind,
    message: String,
    again: Again,
    /// The stored error.
    json: Option<Value>,
    source: Option<Error>,
}

impl TaskError {
    fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (message, again) = (message.into(), Again::AsPolicy);
        Self(Box::new(Facts { kind, message, again, json: None, source: None }))
    }

    /// The error of a handler: the task is tried again as its retry policy says.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::of(ErrorKind::Failed, message.to_string())
    }

    /// The same, but the task is not tried again, whatever its policy says.
    pub fn unrecoverable(message: impl fmt::Display) -> Self {
        Self::new(message).again(Again::Never)
    }

    /// The same, but the pause before the next attempt is this one, at least a millisecond. It
    /// counts as a failure: without attempts left the task fails.
    pub fn retry_later(message: impl fmt::Display, pause: Duration) -> Self {
        Self::new(message).again(Again::After(pause))
    }

    pub(crate) fn again(mut self, again: Again) -> Self {
        self.0.again = again;
        self
    }

    pub(crate) fn how_again(&self) -> Again {
        self.0.again
    }

    /// A handler that is one future would have to run again, after this error if it gave one.
    pub(crate) fn consumed(after: Option<&TaskError>) -> Self {
        let why = match after {
            Some(error) => format!("it failed: {}; ", error.message()),
            None => "it has run; ".to_owned(),
        };
        let message = format!(
            "the handler is one future, which runs once: {why}give `handler_fn` a function that \
             makes one for each run"
        );
        Self::of(ErrorKind::HandlerConsumed, message).again(Again::Never)
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The code of a refused call, such as `TASKER_INVALID`; nothing for the error of a task.
    pub fn code(&self) -> Option<&'static str> {
        self.0.source.as_ref().map(|error| error.code().as_str())
    }

    /// The error as it is stored, with all that its runner gave it: what a Node.js process reads
    /// as `task.error`, or as `task.abortReason`. Nothing for a refused call.
    pub fn stored(&self) -> Option<&Value> {
        self.0.json.as_ref()
    }

    /// The JSON that is stored for the error of a handler.
    pub(crate) fn to_json(&self) -> String {
        let name = match self.kind() {
            ErrorKind::HandlerConsumed => CONSUMED,
            _ => "TaskError",
        };
        json!({ "name": name, "message": self.message() }).to_string()
    }

    fn stored_as(kind: ErrorKind, json: &Json) -> Self {
        let value: Value = serde_json::from_str(json.as_str()).unwrap_or_default();
        let is_consumed = value.get("name").and_then(Value::as_str) == Some(CONSUMED);
        let kind = if is_consumed { ErrorKind::HandlerConsumed } else { kind };
        let message = match value.get("message").and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => value.to_string(),
        };
        let mut error = Self::of(kind, message);
        error.0.json = Some(value);
        error
    }

    pub(crate) fn invalid(path: &'static str, message: &str) -> Self {
        Error::invalid(path, message).into()
    }

    pub(crate) fn unsupported(path: &'static str, message: &str) -> Self {
        Error::at(Code::Unsupported, path, message).into()
    }

    pub(crate) fn closed() -> Self {
        Error::new(Code::Closed, "the executor is closed; make a new one").into()
    }
}

/// The result of a task that has ended so; JSON `null` where its runner returned nothing.
pub(crate) fn result_of(end: &TaskEnd) -> Result<Value, TaskError> {
    let (kind, json) = match end {
        TaskEnd::Done(None) => return Ok(Value::Null),
        TaskEnd::Done(Some(json)) => {
            return serde_json::from_str(json.as_str()).map_err(TaskError::from);
        }
        TaskEnd::Failed(Cause::Lost | Cause::Poison, json)
        | TaskEnd::Aborted(Cause::Lost, json) => (ErrorKind::Lost, json),
        TaskEnd::Failed(_, json) => (ErrorKind::Failed, json),
        TaskEnd::Aborted(Cause::RunTimeout, json) => (ErrorKind::TimedOut, json),
        TaskEnd::Aborted(_, json) => (ErrorKind::Aborted, json),
    };
    Err(TaskError::stored_as(kind, json))
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind(), self.message())
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        let mut refused = Self::of(ErrorKind::Refused, error.message());
        refused.0.source = Some(error);
        refused
    }
}

macro_rules! from_text {
    ($($text:ty),*) => {
        $(impl From<$text> for TaskError {
            fn from(text: $text) -> Self {
                Self::new(text)
            }
        })*
    };
}

from_text!(&str, String, Cow<'_, str>, std::io::Error, serde_json::Error, fmt::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_handler_gives_comes_back_with_its_message() {
        let given = TaskError::new("no disk");
        let end = TaskEnd::Failed(Cause::Error, Json::trusted(&given.to_json()));
        let error = result_of(&end).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Failed, "no disk"));
        assert_eq!(error.stored().unwrap()["name"], "TaskError");
        assert_eq!(error.code(), None);
    }

    #[test]
    fn each_end_has_its_kind() {
        let json = || Json::trusted(r#"{"name":"AbortError","message":"m"}"#);
        let consumed = TaskError::consumed(None).to_json();
        for (end, kind) in [
            (TaskEnd::Failed(Cause::Error, Json::trusted(&consumed)), ErrorKind::HandlerConsumed),
            (TaskEnd::Failed(Cause::Poison, json()), ErrorKind::Lost),
            (TaskEnd::Aborted(Cause::Lost, json()), ErrorKind::Lost),
            (TaskEnd::Aborted(Cause::RunTimeout, json()), ErrorKind::TimedOut),
            (TaskEnd::Aborted(Cause::User, json()), ErrorKind::Aborted),
            (TaskEnd::Aborted(Cause::Dependency, json()), ErrorKind::Aborted),
        ] {
            assert_eq!(result_of(&end).unwrap_err().kind(), kind);
        }
        let text = TaskEnd::Failed(Cause::Error, Json::trusted("\"only text\""));
        assert_eq!(result_of(&text).unwrap_err().message(), "\"only text\"");
        assert_eq!(result_of(&TaskEnd::Done(None)).unwrap(), Value::Null);
    }

    #[test]
    fn a_refused_call_has_its_code() {
        let error = TaskError::invalid("name", "is missing");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some("TASKER_INVALID")));
        assert_eq!(error.to_string(), "name: is missing");
    }
}
