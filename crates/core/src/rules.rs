//! Small rules that decide how runs end: each a pure function with its table in the tests.
//!
//! Source: `docs/promises.md`; the outcome of a run depends on how it settled and on whether its
//! signal had fired, and on nothing else.

use crate::argument;
use crate::error::Code;
use crate::limits;
use crate::task::{AbortReason, Cause, Json, OnInterrupted, TaskEnd};

/// How a runner settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It returned this; absent for `undefined`.
    Returned(Option<Json>),
    /// It threw this.
    Threw(Json),
    /// What it returned cannot be stored, for this reason.
    Unstorable(Json),
    /// It threw this, and no other attempt is to follow.
    Unrecoverable(Json),
    /// It threw this, and asks for a pause of so many milliseconds before the next attempt.
    RetryLater(Json, u64),
    /// It wants to go on in so many milliseconds; that is no failure.
    Snoozed(u64),
}

/// How a run ends: a return is done even after an abort; a throw after an abort is aborted with the
/// signal's reason, and so is a wish to go on later; any other throw is failed. Nothing if it ends
/// by that wish.
pub fn outcome(settled: Settlement, fired: Option<&AbortReason>) -> Option<TaskEnd> {
    Some(match (settled, fired) {
        (Settlement::Returned(result), _) => TaskEnd::Done(result),
        (Settlement::Unstorable(error), _) => TaskEnd::Failed(Cause::Unstorable, error),
        (
            Settlement::Threw(_)
            | Settlement::Unrecoverable(_)
            | Settlement::RetryLater(..)
            | Settlement::Snoozed(_),
            Some(abort),
        ) => TaskEnd::Aborted(abort.cause, abort.reason.clone()),
        (
            Settlement::Threw(error)
            | Settlement::Unrecoverable(error)
            | Settlement::RetryLater(error, _),
            None,
        ) => TaskEnd::Failed(Cause::Error, error),
        (Settlement::Snoozed(_), None) => return None,
    })
}

/// What becomes of a run whose process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It runs again; this is the number of losses in a row.
    Retry(u32),
    /// It ends so.
    End(TaskEnd),
}

/// Losses have a budget of their own: after [`limits::LOSSES_MAX`] in a row the task fails as
/// poison, so one that kills its process cannot do so for ever (I-10).
pub fn loss(on_interrupted: OnInterrupted, losses_before: u32) -> Loss {
    debug_assert!(losses_before < limits::LOSSES_MAX, "it should have ended as poison (I-10)");
    let losses = losses_before + 1;
    match on_interrupted {
        OnInterrupted::Retry if losses < limits::LOSSES_MAX => Loss::Retry(losses),
        OnInterrupted::Retry => {
            let text = format!("lost its process {losses} times in a row");
            Loss::End(TaskEnd::Failed(Cause::Poison, engine_error("PoisonError", &text)))
        }
        OnInterrupted::Fail => {
            Loss::End(TaskEnd::Failed(Cause::Lost, engine_error("InterruptedError", LOST)))
        }
        OnInterrupted::Abort => {
            let AbortReason { cause, reason } = abort_reason(Cause::Lost, LOST);
            Loss::End(TaskEnd::Aborted(cause, reason))
        }
    }
}

const LOST: &str = "the process of this run died";

/// An error that the engine itself gives a task, in the form in which runners' errors are stored.
pub fn engine_error(name: &str, message: &str) -> Json {
    Json::trusted(&serde_json::json!({ "name": name, "message": message }).to_string())
}

/// Why the engine itself aborts: an error as Node would make it, whose `cause` is our word.
pub fn abort_reason(cause: Cause, message: &str) -> AbortReason {
    let error = serde_json::json!({
        "name": "AbortError", "message": message, "code": "ABORT_ERR", "cause": cause.as_str()
    });
    AbortReason { cause, reason: Json::trusted(&error.to_string()) }
}

/// The failure of a run whose result breaks a limit.
pub fn unstorable(code: Code, message: &str) -> Json {
    let error = serde_json::json!({
        "name": "TaskerError", "message": message, "code": code.as_str()
    });
    Json::trusted(&error.to_string())
}

/// What is kept of how a task ended that is run again: its error, or a result of that size.
pub fn kept_outcome(end: &TaskEnd) -> Option<Json> {
    match end {
        TaskEnd::Done(result) => {
            result.clone().filter(|json| json.as_str().len() <= limits::ATTEMPT_BYTES_MAX)
        }
        TaskEnd::Failed(_, error) | TaskEnd::Aborted(_, error) => {
            Some(attempt_error(error.clone()))
        }
    }
}

/// The error of an attempt that another one follows, within its limit: one that is too long keeps
/// what names it, and loses the end of its texts.
pub fn attempt_error(error: Json) -> Json {
    let max = limits::ATTEMPT_BYTES_MAX;
    if error.as_str().len() <= max {
        return error;
    }
    let whole: serde_json::Value = serde_json::from_str(error.as_str()).unwrap_or_default();
    let mut kept = serde_json::Map::new();
    for (name, part) in [("name", 16), ("code", 16), ("message", 4), ("stack", 4)] {
        let Some(text) = whole.get(name).and_then(serde_json::Value::as_str) else { continue };
        // An escape makes six bytes of one.
        let text = &text[..text.floor_char_boundary(max / 6 / part)];
        kept.insert(name.to_owned(), text.into());
    }
    Json::trusted(&serde_json::Value::Object(kept).to_string())
}

/// A log line within its limit: one that is too long loses its fields and the end of its message,
/// and says so. A runner must not fail for what it logs.
pub fn log_line(message: &str, fields: Option<&str>) -> (Box<str>, Option<Json>) {
    let max = limits::LOG_LINE_BYTES_MAX;
    if message.len() + fields.map_or(0, str::len) <= max {
        let fields = fields.and_then(|text| argument::payload(text, "fields", max).ok());
        return (message.into(), fields);
    }
    let kept = &message[..message.floor_char_boundary(max / 2)];
    let cut: Box<str> = format!("{kept} … (cut: the line is longer than {max} bytes)").into();
    debug_assert!(cut.len() <= max, "a line that was cut is still too long (I-17)");
    (cut, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::trusted(text)
    }

    #[test]
    fn a_return_is_done_even_after_an_abort_and_a_throw_after_one_has_its_reason() {
        let fired = AbortReason { cause: Cause::User, reason: json("{}") };
        let done = outcome(Settlement::Returned(None), Some(&fired));
        assert_eq!(done, Some(TaskEnd::Done(None)));
        let aborted = outcome(Settlement::Threw(json("1")), Some(&fired));
        assert_eq!(aborted, Some(TaskEnd::Aborted(Cause::User, json("{}"))));
        let failed = outcome(Settlement::Threw(json("1")), None);
        assert_eq!(failed, Some(TaskEnd::Failed(Cause::Error, json("1"))));
    }

    #[test]
    fn the_third_loss_in_a_row_is_poison() {
        assert_eq!(loss(OnInterrupted::Retry, 0), Loss::Retry(1));
        assert_eq!(loss(OnInterrupted::Retry, 1), Loss::Retry(2));
        let Loss::End(TaskEnd::Failed(Cause::Poison, _)) = loss(OnInterrupted::Retry, 2) else {
            panic!("the third loss must end the task")
        };
    }

    #[test]
    fn a_loss_follows_on_interrupted() {
        let Loss::End(TaskEnd::Aborted(Cause::Lost, _)) = loss(OnInterrupted::Abort, 0) else {
            panic!("abort")
        };
        let Loss::End(TaskEnd::Failed(Cause::Lost, _)) = loss(OnInterrupted::Fail, 0) else {
            panic!("fail")
        };
    }

    #[test]
    fn every_abort_of_the_engine_is_an_abort_error_with_our_word_as_cause() {
        let lost = match loss(OnInterrupted::Abort, 0) {
            Loss::End(TaskEnd::Aborted(cause, reason)) => AbortReason { cause, reason },
            other => panic!("{other:?}"),
        };
        for abort in [lost, abort_reason(Cause::Stop, "x"), abort_reason(Cause::RunTimeout, "x")] {
            let read: serde_json::Value = serde_json::from_str(abort.reason.as_str()).unwrap();
            assert_eq!((&read["name"], &read["code"]), (&"AbortError".into(), &"ABORT_ERR".into()));
            assert_eq!(read["cause"], abort.cause.as_str());
        }
    }

    #[test]
    fn the_error_of_an_attempt_is_kept_at_its_limit_and_cut_above() {
        let error = |bytes: usize| {
            let rest = r#"{"name":"E","message":"","stack":"\n","code":"X","own":1}"#.len();
            let message = "\u{1}".repeat(10) + &"é".repeat((bytes - rest - 60) / 2);
            let error = serde_json::json!({
                "name": "E", "message": message, "stack": "\n", "code": "X", "own": 1
            });
            json(&error.to_string())
        };
        let fits = error(limits::ATTEMPT_BYTES_MAX);
        assert_eq!(attempt_error(fits.clone()), fits);
        let cut = attempt_error(error(limits::ATTEMPT_BYTES_MAX + 2));
        assert!(cut.as_str().len() <= limits::ATTEMPT_BYTES_MAX);
        let read: serde_json::Value = serde_json::from_str(cut.as_str()).unwrap();
        assert_eq!((&read["name"], &read["code"]), (&"E".into(), &"X".into()));
        assert!(read["message"].as_str().is_some_and(|text| text.ends_with('é')));
        assert_eq!(read.get("own"), None);
        let thrown = json(&format!("\"{}\"", "x".repeat(limits::ATTEMPT_BYTES_MAX)));
        assert_eq!(attempt_error(thrown).as_str(), "{}");
    }

    #[test]
    fn a_log_line_at_its_limit_is_kept_and_one_above_is_cut() {
        let fits = "é".repeat(limits::LOG_LINE_BYTES_MAX / 2);
        assert_eq!(log_line(&fits, None), (fits.as_str().into(), None));
        let (message, fields) = log_line(&fits, Some("{}"));
        assert!(message.len() < limits::LOG_LINE_BYTES_MAX && message.contains("cut"));
        assert_eq!(fields, None);
    }
}
