//! Views for people and programs that look into the file with SQLite itself.
//!
//! # Promises
//! - Every task, every attempt that has begun and every log line is a row, once.
//! - A word comes from its type, so a view knows every state and every cause.
//!
//! Proof: `tests/views.rs`, which also holds `docs/guide/looking-inside.md` to the columns.

use std::fmt::Write;

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::task::{AttemptEnd, Cause, Level};

use crate::code_words::with_codes;
use crate::error;

const VIEWS: &str = with_codes!(include_str!("../migrations/views.sql"));

/// Makes them in a new file.
pub(crate) fn make(writer: &Connection) -> Result<()> {
    writer.execute_batch(&with_moments(&with_words(VIEWS))).map_err(error::of)
}

fn with_words(text: &str) -> String {
    let causes = || Cause::ALL.iter().map(|cause| (cause.code(), cause.as_str()));
    let statuses = State::ALL.iter().map(|state| (state.code(), state.status().as_str()));
    let states = State::ALL.iter().map(|state| (state.code(), state.as_str()));
    let ends = AttemptEnd::ALL.iter().map(|end| (end.code(), end.as_str()));
    let levels = Level::ALL.iter().map(|level| (level.code(), level.as_str()));
    let words = [
        ("{uuid}", uuid()),
        ("{status}", case("tasks.state", statuses)),
        ("{state}", case("tasks.state", states)),
        ("{cause}", case("tasks.cause", causes())),
        ("{attempt_cause}", case("attempts.cause", causes())),
        ("{end}", case("attempts.end_code", ends)),
        ("{level}", case("logs.level", levels)),
    ];
    words.iter().fold(text.to_owned(), |text, (name, words)| text.replace(name, words))
}

/// Moments in milliseconds as text; NULL stays NULL.
fn with_moments(text: &str) -> String {
    let mut parts = text.split("iso(");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (ms, rest) = part.split_once(')').unwrap_or((part, ""));
        let seconds = format!("strftime('%Y-%m-%dT%H:%M:%S', ({ms}) / 1000, 'unixepoch')");
        all += &format!("{seconds} || printf('.%03dZ', ({ms}) % 1000){rest}");
    }
    all
}

/// The uuid of a task as text.
fn uuid() -> String {
    let parts = [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)];
    let parts = parts.map(|(from, len)| format!("substr(hex(tasks.uuid), {from}, {len})"));
    format!("lower({})", parts.join(" || '-' || "))
}

/// The word of a code; NULL for none.
fn case(column: &str, words: impl Iterator<Item = (u8, &'static str)>) -> String {
    let mut text = format!("CASE {column}");
    for (code, word) in words {
        // Writing to a text cannot fail.
        let _ = write!(text, " WHEN {code} THEN '{word}'");
    }
    text + " END"
}
