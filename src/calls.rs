//! The hot calls from JavaScript: new tasks, outcomes, records.
//!
//! Each takes one text for a whole batch, one entry a line: `JSON.stringify` writes no line breaks.
//! The envelope is read here; payloads stay text.
//!
//! # Promises
//! - An entry that cannot be read harms no other: a definition refuses its own call, an outcome
//!   fails its own run, a record is left out.
//!
//! Proof: `__test__/border/native.test.mjs`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tasker_core::argument::{self, payload};
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::IdempotencyKey;
use tasker_core::limits;
use tasker_core::rules::{self, Settlement};
use tasker_core::task::{Json, Level, NewTask, Progress};
use tasker_core::time::{DATE_MS_MAX, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, Record, RunSlot, Ticket};
use uuid::Uuid;

/// What came of reading a batch: calls for the engine, and refusals that need no engine.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) inputs: Vec<Input>,
    pub(crate) refused: Vec<Effect>,
}

/// `add`: a definition a line, one ticket each.
pub(crate) fn adds(
    first: Ticket,
    text: &str,
    defaults: &Defaults,
    names: &mut Operations,
) -> Calls {
    let mut calls = Calls::default();
    for (ticket, line) in (first..).zip(text.split('\n')) {
        match definition::task(line, defaults, names) {
            Ok(task) => calls.inputs.push(Input::Add(ticket, task)),
            Err(error) => calls.refused.push(Effect::Refuse(ticket, error)),
        }
    }
    calls
}

/// `addIdempotent`: keys, each with the moment from which a delay counts and a definition; the
/// first that is wrong refuses all.
pub(crate) fn idempotent_adds(
    text: &str,
    defaults: &Defaults,
    names: &mut Operations,
) -> Result<Vec<(IdempotencyKey, NewTask)>> {
    let read: Vec<(&str, i64, &RawValue)> = envelope(text)?;
    let task = |(key, at, text): (&str, i64, &RawValue)| {
        let key = Uuid::try_parse(key).map_err(|_| malformed())?;
        let mut task = definition::row(text.get(), defaults, names)?;
        task.options.fix_start_time(WallMs(at));
        Ok((IdempotencyKey(key), task))
    };
    read.into_iter().map(task).collect()
}

/// `[slot, how, value?, delay?]`
#[derive(Deserialize)]
struct Completion<'a>(
    RunSlot,
    How,
    #[serde(borrow, default, deserialize_with = "present")] Option<&'a RawValue>,
    #[serde(default)] u64,
);

/// How a run settled; `ts/commands.ts` has the same words.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum How {
    Returned,
    Threw,
    Unstorable,
    Unrecoverable,
    RetryLater,
    Snoozed,
    Postponed,
}

/// A member that is there, also if it is `null`: a result may be.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// `complete`: how runs settled.
pub(crate) fn completions(text: &str) -> Vec<Input> {
    text.split('\n').filter_map(completion).collect()
}

fn completion(line: &str) -> Option<Input> {
    match envelope(line) {
        Ok(Completion(slot, how, value, delay_ms)) => Some(settle(slot, how, value, delay_ms)),
        Err(error) => {
            let text = "what the runner returned or threw cannot be read";
            let settlement = Settlement::Unstorable(rules::unstorable(error.code(), text));
            // Without its slot nobody knows which run it was: a stop gives that run back.
            slot_of(line).map(|slot| Input::Settle(slot, settlement))
        }
    }
}

/// The slot with which an entry begins, also if the rest cannot be read.
fn slot_of(line: &str) -> Option<RunSlot> {
    let line = line.strip_prefix('[')?;
    let end = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    line[..end].parse().ok()
}

fn settle(slot: RunSlot, how: How, value: Option<&RawValue>, delay_ms: u64) -> Input {
    let value = value.map(RawValue::get);
    let settled = match how {
        How::Returned => returned(value),
        How::Threw => thrown(value).map_or_else(Settlement::Unstorable, Settlement::Threw),
        How::Unstorable => {
            thrown(value).map_or_else(Settlement::Unstorable, Settlement::Unstorable)
        }
        How::Unrecoverable => {
            thrown(value).map_or_else(Settlement::Unstorable, Settlement::Unrecoverable)
        }
        How::RetryLater => thrown(value).map_or_else(Settlement::Unstorable, |error| {
            Settlement::RetryLater(error, delay_ms.min(limits::DURATION_MS_MAX))
        }),
        How::Snoozed => Settlement::Snoozed(delay_ms.min(limits::DURATION_MS_MAX)),
        How::Postponed => return Input::Postpone(slot),
    };
    Input::Settle(slot, settled)
}

fn returned(value: Option<&str>) -> Settlement {
    let stored = value.map(|text| payload(text, "result", limits::RESULT_BYTES_MAX)).transpose();
    match stored {
        Ok(result) => Settlement::Returned(result),
        Err(error) => Settlement::Unstorable(rules::unstorable(error.code(), error.message())),
    }
}

fn thrown(value: Option<&str>) -> std::result::Result<Json, Json> {
    let text = value.unwrap_or("null");
    payload(text, "error", limits::ERROR_BYTES_MAX)
        .map_err(|error| rules::unstorable(error.code(), error.message()))
}

/// `record`: log lines and progress of live runs, and that one waits at a checkpoint.
pub(crate) fn records(text: &str) -> Vec<Input> {
    let read = |line| record(line).map_err(|error| tracing::warn!(%error, "a record is left out"));
    text.split('\n').filter_map(|line| read(line).ok()).collect()
}

fn record(line: &str) -> Result<Input> {
    let parts: Vec<&RawValue> = envelope(line)?;
    let parts: Vec<&str> = parts.iter().map(|part| part.get()).collect();
    let (slot, record) = match parts.as_slice() {
        [slot, "\"halt\""] => return Ok(Input::Halt(envelope(slot)?)),
        [slot, "\"log\"", level, at, message, rest @ ..] => {
            (slot, log(level, at, (message, rest.first().copied())))
        }
        [slot, "\"progress\"", current, total, rest @ ..] => {
            (slot, progress(current, total, rest.first().copied())?)
        }
        _ => return Err(malformed()),
    };
    Ok(Input::Record(envelope(slot)?, record))
}

fn log(level: &str, at: &str, (message, fields): (&str, Option<&str>)) -> Record {
    let level = argument::word(level, "level", Level::WORDS).unwrap_or(Level::Info);
    let message = argument::as_text(message).unwrap_or_default();
    let (message, fields) = rules::log_line(&message, fields);
    Record::Log { level, at: time(at), message, fields }
}

/// A time of JavaScript's clock, which tests replace by what they like; nothing if it is no date.
fn time(at: &str) -> Option<WallMs> {
    let at: f64 = serde_json::from_str(at).ok()?;
    (at.abs() <= DATE_MS_MAX).then(|| WallMs(at.floor() as i64))
}

fn progress(current: &str, total: &str, unit: Option<&str>) -> Result<Record> {
    // `ts/` refuses a unit that is too long when the runner gives it.
    let unit = unit.and_then(|text| argument::unit(text).ok());
    Ok(Record::Progress(Progress { current: envelope(current)?, total: envelope(total)?, unit }))
}

/// Reads what `ts/` itself wrote; anything else is a fault of ours.
fn envelope<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| malformed().with_source(e))
}

fn malformed() -> Error {
    Error::new(Code::Bug, "a message from JavaScript is malformed")
}
