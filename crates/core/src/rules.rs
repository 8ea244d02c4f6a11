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
}

/// How a run ends: a return is done even after an abort; a throw after an abort is aborted with the
/// signal's reason; any other throw is failed.
pub fn outcome(settled: Settlement, fired: Option<&AbortReason>) -> TaskEnd {
    match (settled, fired) {
        (Settlement::Returned(result), _) => TaskEnd::Done(result),
        (Settlement::Threw(_), Some(abort)) => TaskEnd::Aborted(abort.cause, abort.reason.clone()),
        (Settlement::Threw(error), None) => TaskEnd::Failed(Cause::Error, error),
        (Settlement::Unstorable(error), _) => TaskEnd::Failed(Cause::Unstorable, error),
    }
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
        assert_eq!(done, TaskEnd::Done(None));
        let aborted = outcome(Settlement::Threw(json("1")), Some(&fired));
        assert_eq!(aborted, TaskEnd::Aborted(Cause::User, json("{}")));
        let failed = outcome(Settlement::Threw(json("1")), None);
        assert_eq!(failed, TaskEnd::Failed(Cause::Error, json("1")));
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
    fn a_log_line_at_its_limit_is_kept_and_one_above_is_cut() {
        let fits = "é".repeat(limits::LOG_LINE_BYTES_MAX / 2);
        assert_eq!(log_line(&fits, None), (fits.as_str().into(), None));
        let (message, fields) = log_line(&fits, Some("{}"));
        assert!(message.len() < limits::LOG_LINE_BYTES_MAX && message.contains("cut"));
        assert_eq!(fields, None);
    }
}
