//! How long a task may wait for its first start, and what becomes of it then.
//!
//! The time counts from the add, from the start time, or from the end of the last dependency,
//! whichever is last. It ends at the first start: what is tried again is not affected.
//!
//! # Left to others
//! Acting on it: the engine's `expire`.
//!
//! Proof: the tests below, `proof/tests/engine/queue_timeouts.rs`, `conformance::queue_timeout`.

use std::fmt;

use crate::argument;
use crate::error::Result;
use crate::members::Members;
use crate::task::{AfterQueueTimeout, QueueTimeout};

impl fmt::Display for QueueTimeout {
    /// Its JSON text, which [`read`] reads again: as a store keeps it and as users see it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.then {
            AfterQueueTimeout::Abort => write!(f, "{}", self.after_ms),
            AfterQueueTimeout::Prioritize(to) => {
                let to = argument::priority_text(to);
                write!(f, r#"{{"after":{},"then":{{"priority":{to}}}}}"#, self.after_ms)
            }
        }
    }
}

/// Reads what a user gives for `queueTimeout`: a duration, `false`, or an object.
///
/// # Errors
/// `Invalid` with the path of the member.
pub fn read(text: &str, path: &str) -> Result<Option<QueueTimeout>> {
    let (after_ms, then) = if text.starts_with('{') {
        let mut members = Members::read(text, path, "must be { after, then }")?;
        let after_ms = members.required("after", argument::duration)?;
        let then = members.optional("then", read_then)?;
        members.end("after, then")?;
        (after_ms, then.unwrap_or(AfterQueueTimeout::Abort))
    } else {
        let Some(after_ms) = argument::duration_or_off(text, path)? else { return Ok(None) };
        (after_ms, AfterQueueTimeout::Abort)
    };
    Ok(Some(QueueTimeout { after_ms, then, ends_at: None }))
}

fn read_then(text: &str, path: &str) -> Result<AfterQueueTimeout> {
    if argument::as_text(text).as_deref() == Some("abort") {
        return Ok(AfterQueueTimeout::Abort);
    }
    let mut members = Members::read(text, path, "must be 'abort' or { priority }")?;
    let priority = |text: &str, _: &str| argument::priority(text).map_err(|e| e.within(path));
    let to = members.required("priority", priority)?;
    members.end("priority")?;
    Ok(AfterQueueTimeout::Prioritize(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn what_was_written_is_read_again() {
        for (text, written) in [
            ("1500", "1500"),
            (r#""30s""#, "30000"),
            (r#"{"after":"1m"}"#, "60000"),
            (r#"{"after":1,"then":"abort"}"#, "1"),
            (r#"{"then":{"priority":-1.5},"after":7}"#, r#"{"after":7,"then":{"priority":-1.5}}"#),
            (
                r#"{"after":7,"then":{"priority":"Infinity"}}"#,
                r#"{"after":7,"then":{"priority":"Infinity"}}"#,
            ),
        ] {
            let timeout = read(text, "queueTimeout").unwrap().unwrap();
            assert_eq!(timeout.to_string(), written);
            assert_eq!(read(written, "queueTimeout").unwrap(), Some(timeout));
        }
        assert_eq!(read("false", "queueTimeout").unwrap(), None);
    }

    #[test]
    fn every_wrong_member_is_named() {
        for (text, path) in [
            ("0", "queueTimeout"),
            ("true", "queueTimeout"),
            ("[1]", "queueTimeout"),
            (r#""5 m""#, "queueTimeout"),
            ("{}", "queueTimeout.after"),
            (r#"{"after":false}"#, "queueTimeout.after"),
            (r#"{"after":1,"then":"fail"}"#, "queueTimeout.then"),
            (r#"{"after":1,"then":null}"#, "queueTimeout.then"),
            (r#"{"after":1,"then":{}}"#, "queueTimeout.then.priority"),
            (r#"{"after":1,"then":{"priority":"5"}}"#, "queueTimeout.then.priority"),
            (r#"{"after":1,"then":{"priority":1,"x":1}}"#, "queueTimeout.then.x"),
            (r#"{"after":1,"at":1}"#, "queueTimeout.at"),
        ] {
            let error = read(text, "queueTimeout").unwrap_err();
            let facts = (error.code(), error.facts().path.as_deref());
            assert_eq!(facts, (Code::Invalid, Some(path)), "{text}");
        }
    }
}
