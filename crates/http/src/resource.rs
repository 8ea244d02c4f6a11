//! A task in the words of the Task Executor API: an `AidboxTask`.
//!
//! # Promises
//! - Stored JSON stands in it byte for byte.
//! - `meta.versionId` grows with each change of the task.
//!
//! Proof: `__test__/contract/http.test.mjs`.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::error::Result;
use tasker_core::json::write_string;
use tasker_core::state::State;
use tasker_core::time::WallMs;

use crate::moment;
use crate::task::{Attempt, Line, Task};

/// The name of the error that is stored for an executor's.
pub(crate) const EXECUTOR_ERROR: &str = "ExecutorError";

/// An object of JSON that is being written.
pub(crate) struct Object<'o> {
    out: &'o mut String,
    mark: char,
}

impl<'o> Object<'o> {
    pub(crate) fn begin(out: &'o mut String) -> Self {
        Self { out, mark: '{' }
    }

    /// Begins a member, whose value is to be appended.
    pub(crate) fn name(&mut self, name: &str) -> &mut String {
        self.out.push(std::mem::replace(&mut self.mark, ','));
        write_string(name, self.out);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        write_string(text, self.name(name));
    }

    pub(crate) fn json(&mut self, name: &str, json: &str) {
        self.name(name).push_str(json);
    }

    pub(crate) fn number(&mut self, name: &str, number: u64) {
        // Writing to a String cannot fail.
        let _ = write!(self.name(name), "{number}");
    }

    pub(crate) fn moment(&mut self, name: &str, ms: i64) {
        self.text(name, &moment::write(WallMs(ms)));
    }

    pub(crate) fn end(self) {
        self.out.push_str(if self.mark == '{' { "{}" } else { "}" });
    }
}

/// Appends a task; `id` is what its clients call it, `claim` the run under which it was given out
/// just now.
///
/// # Errors
/// `Bug` if the document makes no sense.
pub(crate) fn write(
    task: &Task<'_>,
    (id, claim): (&str, Option<&str>),
    out: &mut String,
) -> Result<()> {
    let state = task.state()?;
    let has_ended = state.is_final();
    let mut object = Object::begin(out);
    object.text("resourceType", "AidboxTask");
    object.text("id", id);
    claim.or(task.last_run()).inspect(|run| object.text("execId", run));
    object.text("definition", &task.operation);
    object.text("status", status(state, task.status == "running"));
    let outcome = outcome(state);
    outcome.inspect(|outcome| object.text("outcome", outcome));
    object.json("params", task.data.map_or("{}", RawValue::get));
    task.label.inspect(|label| object.json("label", label.get()));
    task.run_at.inspect(|at| object.moment("executeAt", *at));
    if task.attempt > 0 {
        object.number("retryCount", task.attempt.into());
    }
    if state == State::Done {
        task.result.inspect(|result| object.json("result", result.get()));
    }
    task.error.inspect(|error| object.json("error", &given_error(error)));
    if has_ended {
        write_reason(task, state, &mut object);
    }
    let mut meta = Object::begin(object.name("meta"));
    meta.moment("createdAt", task.created_at);
    meta.moment("lastUpdated", changed_at(task));
    meta.text("versionId", &version(task, state).to_string());
    meta.end();
    object.end();
    Ok(())
}

fn status(state: State, is_running: bool) -> &'static str {
    match state {
        State::Blocked => "created",
        State::Paused if is_running => "in-progress",
        State::Delayed | State::Paused => "waiting",
        State::Ready => "ready",
        State::Claimed => "requested",
        State::Running => "in-progress",
        State::Done | State::Failed | State::Aborted => "done",
    }
}

fn outcome(state: State) -> Option<&'static str> {
    match state {
        State::Blocked
        | State::Delayed
        | State::Paused
        | State::Claimed
        | State::Running
        | State::Ready => None,
        State::Done => Some("succeeded"),
        State::Failed => Some("failed"),
        State::Aborted => Some("canceled"),
    }
}

/// What is stored of an error.
#[derive(Deserialize, Default)]
struct StoredError<'a> {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The error that an executor gave; what a runner of this process threw, as it is.
fn given_error(stored: &RawValue) -> String {
    let read: StoredError<'_> = serde_json::from_str(stored.get()).unwrap_or_default();
    match read.error {
        Some(given) if read.name == EXECUTOR_ERROR => given.get().to_owned(),
        _ if read.name == EXECUTOR_ERROR => {
            let mut out = String::new();
            let mut object = Object::begin(&mut out);
            object.text("message", &read.message);
            object.end();
            out
        }
        _ => stored.get().to_owned(),
    }
}

/// Why it failed or was ended.
fn write_reason(task: &Task<'_>, state: State, object: &mut Object<'_>) {
    let stored = task.error.or(task.abort_reason);
    let read: StoredError<'_> =
        stored.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default();
    let (kind, message) = match (state, task.cause) {
        (State::Done, _) => return,
        (State::Failed, Some("lease")) => {
            ("awf.task/failed-due-to-in-progress-timeout", "The executor gave no sign of life")
        }
        (State::Failed, Some("error")) if read.name == EXECUTOR_ERROR => {
            ("awf.task/failed-by-executor", "Failed by executor")
        }
        (State::Failed, Some("error")) => ("awf.task/failed-by-executor", &*read.message),
        (State::Failed, _) => ("awf.executor/unknown-error", &*read.message),
        _ => ("awf.task/canceled", &*read.message),
    };
    let mut reason = Object::begin(object.name("outcomeReason"));
    reason.text("type", kind);
    reason.text("message", message);
    if let Some(cause) = task.cause.filter(|cause| *cause != "error") {
        let mut data = Object::begin(reason.name("data"));
        data.text("cause", cause);
        data.end();
    }
    reason.end();
}

/// When it changed last.
pub(crate) fn changed_at(task: &Task<'_>) -> i64 {
    let last = task.attempts.last().and_then(|attempt| attempt.ended_at);
    [task.started_at, task.ended_at, last].into_iter().flatten().fold(task.created_at, i64::max)
}

/// A number that grows with each change once an executor has taken it: what is counted since then
/// outweighs what else may go back, as the end does when it runs again.
fn version(task: &Task<'_>, state: State) -> u64 {
    let attempts = task.attempts.len() as u64 + u64::from(task.attempts_left_out);
    let is_over = task.attempts.last().is_some_and(|attempt| attempt.ended_at.is_some());
    let steps = [is_over, state.is_final()].map(u64::from);
    1 + 3 * attempts + steps.iter().sum::<u64>() + 3 * u64::from(task.version)
}

/// Appends what was written down of a task: its attempts and the lines of its log, by time.
pub(crate) fn write_log(task: &Task<'_>, id: &str, out: &mut String) {
    // At one moment an attempt starts, writes its lines, and ends, before the next one starts.
    let mut entries = Vec::new();
    for (n, attempt) in task.attempts.iter().enumerate() {
        entries.push(((attempt.started_at, n, 0), started(attempt, id)));
        entries.extend(attempt.ended_at.map(|at| ((at, n, 2), ended(attempt, at, id))));
    }
    entries.extend(task.logs.iter().map(|line| {
        let is_over = |attempt: &Attempt<'_>| attempt.ended_at.is_some_and(|at| at < line.at);
        let n = task.attempts.partition_point(is_over);
        ((line.at, n, 1), noted(line, id))
    }));
    // Stable: the lines of an attempt stay in their order.
    entries.sort_by_key(|(order, _)| *order);
    let texts: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
    let _ = write!(out, "[{}]", texts.join(","));
}

fn entry(id: &str, action: &str, at: i64, more: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.text("resourceType", "AidboxTaskLog");
    let mut subject = Object::begin(object.name("subject"));
    subject.text("resourceType", "AidboxTask");
    subject.text("id", id);
    subject.end();
    object.text("action", action);
    object.moment("at", at);
    more(&mut object);
    object.end();
    out
}

fn started(attempt: &Attempt<'_>, id: &str) -> String {
    entry(id, "awf.task/start", attempt.started_at, |entry| {
        let mut params = Object::begin(entry.name("action-params"));
        params.text("execId", attempt.run_id);
        params.end();
        entry.text("status-after", "in-progress");
    })
}

fn ended(attempt: &Attempt<'_>, at: i64, id: &str) -> String {
    let (action, after) = match attempt.outcome {
        Some("done") => ("awf.task/success", "done"),
        Some("failed") => ("awf.task/fail", "done"),
        Some("aborted") => ("awf.task/cancel", "done"),
        _ => ("awf.task/retry", "waiting"),
    };
    entry(id, action, at, |entry| {
        let mut params = Object::begin(entry.name("action-params"));
        params.text("execId", attempt.run_id);
        attempt.cause.inspect(|cause| params.text("cause", cause));
        params.end();
        entry.text("status-before", "in-progress");
        entry.text("status-after", after);
    })
}

fn noted(line: &Line<'_>, id: &str) -> String {
    entry(id, "awf.task/notify", line.at, |entry| {
        let mut params = Object::begin(entry.name("action-params"));
        params.text("notification", "awf.task/heartbeat");
        params.text("message", &line.message);
        params.text("level", line.level);
        line.fields.inspect(|fields| params.json("fields", fields.get()));
        params.end();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_at_one_moment_is_told_in_the_order_in_which_it_happened() {
        let attempt = |end: &str, outcome: &str| {
            format!(r#"{{"runId":"r","startedAt":5,"endedAt":{end},"outcome":"{outcome}"}}"#)
        };
        let line =
            |message: &str, at| format!(r#"{{"level":"info","message":"{message}","at":{at}}}"#);
        let document = format!(
            r#"{{"uuid":"u","operation":"a","state":"done","status":"done","createdAt":5,
            "attempt":2,"attempts":[{},{}],"logs":[{},{},{}]}}"#,
            attempt("5", "failed"),
            attempt("6", "done"),
            line("one", 5),
            line("two", 5),
            line("three", 6),
        );
        let mut out = String::new();
        write_log(&Task::read(&document).unwrap(), "id", &mut out);
        let entries: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| entry["action-params"]["message"].as_str().or(entry["action"].as_str()))
            .map(Option::unwrap)
            .collect();
        assert_eq!(
            told,
            [
                "awf.task/start",
                "one",
                "two",
                "awf.task/fail",
                "awf.task/start",
                "three",
                "awf.task/success"
            ]
        );
    }
}
