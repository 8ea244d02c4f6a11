//! The text of one message to JavaScript; the table is in `docs/internals/bridge.md`.
//!
//! Stored JSON is spliced in byte for byte; nothing is parsed or encoded again.

use std::fmt::Write;

use tasker_core::id::TaskId;
use tasker_core::task::{Cause, Json, Outcome, Priority};
use tasker_engine::effect::{AbortSignal, Answer, Effect, Elsewhere, News, Over, Started};
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
        Effect::Over(no, over) => {
            number(out, r#"["s","#, *no);
            write_over(*over, out);
        }
        Effect::Ended(id, outcome) => {
            out.push_str(r#"["e","#);
            uuid(out, id.0);
            out.push(',');
            write_ended(outcome, out);
        }
        Effect::Recorded(no, logs, progress) => {
            write_recorded(*no, (*logs, *progress), out);
            return;
        }
        Effect::Start(started) => write_start(started, out),
        Effect::Abort(no, signal) => {
            number(out, r#"["x","#, *no);
            write_signal(signal, out);
        }
        Effect::Elsewhere(elsewhere) => write_elsewhere(elsewhere, out),
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
        Answer::Once(tasks) => write_once(tasks, out),
        Answer::Ended(outcome) => {
            out.push('[');
            write_ended(outcome, out);
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
fn write_once(tasks: &[(TaskId, bool)], out: &mut String) {
    out.push('[');
    for (i, (id, is_new)) in tasks.iter().enumerate() {
        out.push_str(if i > 0 { ",[" } else { "[" });
        uuid(out, id.0);
        out.push_str(if *is_new { ",true]" } else { ",false]" });
    }
    out.push(']');
}

/// `status, cause or null, payload?`
fn write_ended(outcome: &Outcome, out: &mut String) {
    word(out, outcome.state().status().as_str());
    out.push(',');
    cause(out, outcome.cause());
    if let Some(payload) = outcome.payload() {
        out.push(',');
        out.push_str(payload.as_str());
    }
}

fn write_over(over: Over, out: &mut String) {
    let (status, why) = match over {
        Over::Done => ("done", None),
        Over::Failed(cause) => ("failed", Some(cause)),
        Over::Aborted(cause) => ("aborted", Some(cause)),
        Over::Postponed => ("postponed", None),
        Over::Fenced => ("fenced", None),
    };
    out.push(',');
    word(out, status);
    if why.is_some() {
        out.push(',');
        cause(out, why);
    }
}

fn write_recorded(no: u64, (logs, progress): (u32, u32), out: &mut String) {
    for (what, count) in [("l", logs), ("p", progress)] {
        if count > 0 {
            let comma = if what == "p" && logs > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(out, r#"{comma}["{what}",{no},{count}]"#);
        }
    }
}

fn write_start(started: &Started, out: &mut String) {
    number(out, r#"["r","#, started.no);
    out.push(',');
    uuid(out, started.id.0);
    out.push(',');
    uuid(out, started.run.0);
    out.push(',');
    text(out, &started.operation);
    number(out, ",", u64::from(started.attempt));
    out.push(',');
    priority(out, started.priority);
    if let Some(data) = &started.data {
        out.push(',');
        out.push_str(data.as_str());
    }
}

/// `["o", uuid, event, …]`, `["w","events-missed", batches]` or `["h"`.
fn write_elsewhere(elsewhere: &Elsewhere, out: &mut String) {
    match elsewhere {
        Elsewhere::Task(id, news) => {
            out.push_str(r#"["o","#);
            uuid(out, id.0);
            out.push(',');
            write_news(news, out);
        }
        Elsewhere::Missed(batches) => number(out, r#"["w","events-missed","#, *batches),
        Elsewhere::Pause => out.push_str(r#"["h""#),
    }
}

fn write_news(news: &News, out: &mut String) {
    match news {
        News::Added { has_started: false } => word(out, "added"),
        News::Added { has_started: true } => word(out, "added-and-run"),
        News::Run => word(out, "run"),
        News::Prioritized(to) => {
            word(out, "prioritized");
            out.push(',');
            priority(out, *to);
        }
        News::Ended(outcome) => write_ended(outcome, out),
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
