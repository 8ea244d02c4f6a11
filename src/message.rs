//! The text of one message to JavaScript; the table is in `docs/internals/bridge.md`.
//!
//! Stored JSON is spliced in byte for byte; nothing is parsed or encoded again.

use std::fmt::Write;

use tasker_core::id::TaskId;
use tasker_core::task::{Cause, Json, Priority, TaskEnd};
use tasker_engine::effect::{
    AbortSignal, Answer, Effect, RemoteEvent, RunEnd, RunStart, TaskEvent,
};
use uuid::Uuid;

use crate::error;

/// Appends the message of one effect.
pub(crate) fn write(effect: &Effect, out: &mut String) {
    match effect {
        Effect::Answer(ticket, answer) => {
            number(out, r#"["a","#, *ticket);
            out.push(',');
            write_answer(answer, out);
        }
        Effect::Refuse(ticket, error) => {
            number(out, r#"["n","#, *ticket);
            out.push(',');
            out.push_str(&error::text(error));
        }
        Effect::RunEnded(slot, end) => {
            number(out, r#"["s","#, *slot);
            write_run_end(*end, out);
        }
        Effect::TaskEnded(id, outcome) => {
            out.push_str(r#"["e","#);
            uuid(out, id.0);
            out.push(',');
            write_task_end(outcome, out);
        }
        Effect::Recorded(slot, logs, progress) => {
            write_recorded(*slot, (*logs, *progress), out);
            return;
        }
        Effect::Start(started) => write_start(started, out),
        Effect::Abort(slot, signal) => {
            number(out, r#"["x","#, *slot);
            write_signal(signal, out);
        }
        Effect::Remote(event) => write_remote(event, out),
        Effect::Closed(error) => {
            out.push_str(r#"["z","closed""#);
            if let Some(error) = error {
                out.push(',');
                out.push_str(&error::text(error));
            }
        }
    }
    out.push(']');
}

/// Appends the message that JavaScript did not listen for so long.
pub(crate) fn write_blocked(ms: u64, out: &mut String) {
    number(out, r#",["w","event-loop-blocked","#, ms);
    out.push(']');
}

fn write_answer(answer: &Answer, out: &mut String) {
    match answer {
        Answer::Done | Answer::Found(None) => out.push_str("null"),
        Answer::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Answer::Task(id) | Answer::Found(Some(id)) => uuid(out, id.0),
        Answer::Tasks(ids) => write_ids(ids, out),
        Answer::Idempotent(tasks) => write_idempotent(tasks, out),
        Answer::Ended(outcome) => {
            out.push('[');
            write_task_end(outcome, out);
            out.push(']');
        }
        Answer::Json(text) => out.push_str(text),
    }
}

fn write_ids(ids: &[TaskId], out: &mut String) {
    out.push('[');
    for (i, id) in ids.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        uuid(out, id.0);
    }
    out.push(']');
}

/// `[[uuid, is new], …]`
fn write_idempotent(tasks: &[(TaskId, bool)], out: &mut String) {
    out.push('[');
    for (i, (id, is_new)) in tasks.iter().enumerate() {
        out.push_str(if i > 0 { ",[" } else { "[" });
        uuid(out, id.0);
        out.push_str(if *is_new { ",true]" } else { ",false]" });
    }
    out.push(']');
}

/// `status, cause or null, payload?`
fn write_task_end(outcome: &TaskEnd, out: &mut String) {
    word(out, outcome.state().status().as_str());
    out.push(',');
    cause(out, outcome.cause());
    if let Some(payload) = outcome.payload() {
        out.push(',');
        out.push_str(payload.as_str());
    }
}

fn write_run_end(end: RunEnd, out: &mut String) {
    let (status, why) = match end {
        RunEnd::Done => ("done", None),
        RunEnd::Failed(cause) => ("failed", Some(cause)),
        RunEnd::Aborted(cause) => ("aborted", Some(cause)),
        RunEnd::Postponed => ("postponed", None),
        RunEnd::Fenced => ("fenced", None),
    };
    out.push(',');
    word(out, status);
    if why.is_some() {
        out.push(',');
        cause(out, why);
    }
}

fn write_recorded(slot: u64, (logs, progress): (u32, u32), out: &mut String) {
    for (what, count) in [("l", logs), ("p", progress)] {
        if count > 0 {
            let comma = if what == "p" && logs > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(out, r#"{comma}["{what}",{slot},{count}]"#);
        }
    }
}

fn write_start(started: &RunStart, out: &mut String) {
    number(out, r#"["r","#, started.slot);
    out.push(',');
    uuid(out, started.id.0);
    out.push(',');
    uuid(out, started.run.0);
    out.push(',');
    text(out, &started.operation);
    number(out, ",", u64::from(started.attempt));
    out.push(',');
    priority(out, started.priority);
    let _ = write!(out, ",{},{}", started.created_at.0, started.started_at.0);
    if let Some(data) = &started.data {
        out.push(',');
        out.push_str(data.as_str());
    }
}

/// `["o", uuid, event, …]`, `["w","events-missed", batches]` or `["h"`.
fn write_remote(event: &RemoteEvent, out: &mut String) {
    match event {
        RemoteEvent::Task(id, event) => {
            out.push_str(r#"["o","#);
            uuid(out, id.0);
            out.push(',');
            write_event(event, out);
        }
        RemoteEvent::Missed(batches) => number(out, r#"["w","events-missed","#, *batches),
        RemoteEvent::AwaitAck => out.push_str(r#"["h""#),
    }
}

fn write_event(event: &TaskEvent, out: &mut String) {
    match event {
        TaskEvent::Added { has_started: false } => word(out, "added"),
        TaskEvent::Added { has_started: true } => word(out, "added-and-run"),
        TaskEvent::Run => word(out, "run"),
        TaskEvent::Prioritized(to) => {
            word(out, "prioritized");
            out.push(',');
            priority(out, *to);
        }
        TaskEvent::Ended(outcome) => write_task_end(outcome, out),
    }
}

fn write_signal(signal: &AbortSignal, out: &mut String) {
    let (name, reason): (&str, Option<&Json>) = match signal {
        AbortSignal::Abort(abort) => (abort.cause.as_str(), Some(&abort.reason)),
        AbortSignal::Shutdown => ("shutdown", None),
        AbortSignal::Fenced => ("fenced", None),
    };
    out.push(',');
    word(out, name);
    out.push(',');
    out.push_str(reason.map_or("null", Json::as_str));
}

fn number(out: &mut String, before: &str, number: u64) {
    out.push_str(before);
    let _ = write!(out, "{number}");
}

fn word(out: &mut String, word: &str) {
    out.push('"');
    out.push_str(word);
    out.push('"');
}

fn cause(out: &mut String, cause: Option<Cause>) {
    match cause {
        Some(cause) => word(out, cause.as_str()),
        None => out.push_str("null"),
    }
}

fn uuid(out: &mut String, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    word(out, id.hyphenated().encode_lower(&mut buffer));
}

/// Any text as a JSON string; names of operations mostly need no escape.
fn text(out: &mut String, text: &str) {
    let is_plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
    if is_plain {
        word(out, text);
    } else if let Ok(escaped) = serde_json::to_string(text) {
        out.push_str(&escaped);
    }
}

fn priority(out: &mut String, priority: Priority) {
    let value = priority.get();
    let _ = match value {
        f64::INFINITY => out.write_str(r#""Infinity""#),
        f64::NEG_INFINITY => out.write_str(r#""-Infinity""#),
        _ => write!(out, "{value}"),
    };
}
