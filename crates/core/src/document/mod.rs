//! The task document: what users see of a task, and what queries look at.
//!
//! A member that has no value is absent, never `null`. Stored JSON texts are spliced in byte for
//! byte; dates are whole milliseconds and an infinite priority is text, which `ts/` turns back.
//!
//! # Promises
//! - What was stored as JSON comes out as the same bytes (F-23).
//! - A stored text is read only if a query or a sort looks at its field.
//! - A query sees exactly the members that the document has.
//!
//! # Left to others
//! Loading the parts is the reader's work: it may leave empty what [`value`] is not asked for.
//!
//! Proof: the tests below; `__test__/contract/queries.test.mjs`.

mod for_conditions;

use std::cmp::Ordering;
use std::fmt::{Display, Write};

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::json;
use crate::option::{OptionValue, TaskOption};
use crate::query::projection::Part;
use crate::query::{Field, Fields, Object, Projection, Value};
use crate::read::{Found, too_much};
use crate::state::Phase;
use crate::task::{Attempt, AttemptError, Json, LogLine, Progress, TaskEnd, TaskRecord};
use crate::time::WallMs;

pub use for_conditions::{for_conditions, for_parts, gate_key, rate_key};

/// The document of a task, with those of its members that are in `fields`.
///
/// # Errors
/// `Corrupt` if a stored text is not JSON.
pub fn value(task: &TaskRecord, fields: Fields) -> Result<Value> {
    let mut members = Vec::new();
    for field in fields.iter() {
        if let Some(value) = member(task, field)? {
            members.push((field.as_str().into(), value));
        }
    }
    Ok(Value::Object(Object::new(members)))
}

#[allow(clippy::wildcard_enum_match_arm, reason = "a test finds a field without an arm")]
fn member(task: &TaskRecord, field: Field) -> Result<Option<Value>> {
    Ok(match field {
        Field::Uuid => Some(Value::text(hyphenated(task.id.0, &mut Uuid::encode_buffer()))),
        Field::Seq => Some(number(task.seq.0)),
        Field::Operation => Some(Value::text(&task.def.operation)),
        Field::Priority => Some(Value::Number(task.def.priority.get())),
        Field::Status => Some(Value::text(task.status().as_str())),
        Field::State => Some(Value::text(task.state.as_str())),
        Field::IsPausing => is_pausing(task).map(Value::Bool),
        Field::IsHeld => task.is_held().then_some(Value::Bool(true)),
        Field::Cause => cause(task).map(Value::text),
        Field::CreatedAt => Some(date(task.created_at)),
        Field::StartedAt => task.started_at.map(date),
        Field::EndedAt => task.ended_at.map(date),
        Field::Attempt => Some(number(task.attempt.into())),
        Field::Attempts => {
            let attempts = task.attempts.iter().map(attempt).collect::<Result<_>>()?;
            Some(Value::Array(attempts))
        }
        Field::Progress => task.progress.as_ref().map(progress),
        Field::AttemptsLeftOut => attempts_left_out(task).map(|count| number(count.into())),
        Field::Version => version(task).map(|count| number(count.into())),
        Field::Data | Field::Result | Field::Error | Field::AbortReason => {
            stored(task, field).map(|json| read(json, field)).transpose()?
        }
        _ => option(task, field).map(|value| option_value(value, field)).transpose()?,
    })
}

/// What the task says in an option.
fn option(task: &TaskRecord, field: Field) -> Option<OptionValue<'_>> {
    if task.def.options.is_none() {
        return None;
    }
    TaskOption::of(field)?.value(&task.def.options)
}

fn option_value(value: OptionValue<'_>, field: Field) -> Result<Value> {
    Ok(match value {
        OptionValue::Number(of) => number(of),
        OptionValue::Date(at) => date(at),
        OptionValue::Word(word) => Value::text(word),
        OptionValue::QueueTimeout(timeout) => Value::from_json(&timeout.to_string())?,
        OptionValue::Retry(policy) => Value::from_json(&policy.to_json())?,
        OptionValue::Dependencies(all) => Value::from_json(&all.to_string())?,
        OptionValue::Task(id) => Value::text(hyphenated(id.0, &mut Uuid::encode_buffer())),
        OptionValue::Unique(unique) => Value::from_json(&unique.to_json())?,
        OptionValue::Retention(retention) => Value::from_json(&retention.to_json())?,
        OptionValue::Conditions(conditions) => Value::from_json(conditions.text())?,
        OptionValue::Json(json) => read(json, field)?,
    })
}

/// The stored text of a field, if the task has one there.
fn stored(task: &TaskRecord, field: Field) -> Option<&Json> {
    match (field, &task.outcome) {
        (Field::Data, _) => task.def.data.as_ref(),
        (Field::Result, Some(TaskEnd::Done(result))) => result.as_ref(),
        (Field::Error, Some(TaskEnd::Failed(_, error))) => Some(error),
        (Field::AbortReason, Some(TaskEnd::Aborted(_, reason))) => Some(reason),
        _ => None,
    }
}

fn read(json: &Json, field: Field) -> Result<Value> {
    Value::from_json(json.as_str()).map_err(|error| unreadable(field, error))
}

fn unreadable(field: Field, error: Error) -> Error {
    let message = format!("the stored {} of a task cannot be read", field.as_str());
    Error::new(Code::Corrupt, message).with_source(error)
}

fn cause(task: &TaskRecord) -> Option<&'static str> {
    task.outcome.as_ref()?.cause().map(|cause| cause.as_str())
}

fn is_pausing(task: &TaskRecord) -> Option<bool> {
    task.is_pausing.then_some(true)
}

fn number(value: u64) -> Value {
    debug_assert!(value <= 1 << 53, "{value} is not exact as a number of JavaScript");
    Value::Number(value as f64)
}

fn date(at: WallMs) -> Value {
    Value::Date(at.0)
}

fn attempts_left_out(task: &TaskRecord) -> Option<u32> {
    Some(task.attempts_left_out).filter(|count| *count > 0)
}

fn version(task: &TaskRecord) -> Option<u32> {
    Some(task.version).filter(|count| *count > 0)
}

fn attempt(attempt: &Attempt) -> Result<Value> {
    let run = Value::text(hyphenated(attempt.run.0, &mut Uuid::encode_buffer()));
    let mut members = vec![("runId".into(), run), ("startedAt".into(), date(attempt.started_at))];
    members.extend(attempt.ended_at.map(|at| ("endedAt".into(), date(at))));
    members.extend(attempt.end.map(|end| ("outcome".into(), Value::text(end.as_str()))));
    if let Some(AttemptError { cause, error }) = &attempt.error {
        members.push(("cause".into(), Value::text(cause.as_str())));
        members.push(("error".into(), read(error, Field::Attempts)?));
    }
    if let Some(result) = &attempt.result {
        members.push(("result".into(), read(result, Field::Attempts)?));
    }
    Ok(Value::Object(Object::new(members)))
}

fn progress(progress: &Progress) -> Value {
    let mut members = vec![("current".into(), Value::Number(progress.current))];
    members.extend(progress.total.map(|total| ("total".into(), Value::Number(total))));
    members.extend(progress.unit.as_deref().map(|unit| ("unit".into(), Value::text(unit))));
    Value::Object(Object::new(members))
}

fn hyphenated(uuid: Uuid, buffer: &mut [u8]) -> &str {
    uuid.hyphenated().encode_lower(buffer)
}

/// Appends the JSON text of the document of a task, in one line, with the fields that are asked
/// for. Logs come if they were read.
///
/// # Errors
/// `TooLarge` as soon as `out` has more than `bytes_max` bytes.
pub fn write_json(
    found: &Found,
    fields: Option<&Projection>,
    out: &mut String,
    bytes_max: usize,
) -> Result<()> {
    let task = &found.task;
    let mut members = Members::begin(out);
    for field in Field::ALL.iter().copied() {
        match fields.map(|fields| fields.part(field)) {
            None | Some(Some(Part::Whole)) => write_member(task, field, &mut members),
            Some(Some(part)) => write_part(task, field, part, &mut members),
            Some(None) => {}
        }
    }
    if let Some(logs) = &found.logs {
        write_logs(logs, members.name("logs"), bytes_max)?;
    }
    members.end();
    check_size(out, bytes_max)
}

/// The lines of a log, as an array. Escapes can make a line six times as long, so that what was
/// small enough to be read may not be small enough to be written.
///
/// # Errors
/// `TooLarge` if they have more than so many bytes.
pub fn write_logs(logs: &[LogLine], out: &mut String, bytes_max: usize) -> Result<()> {
    out.push('[');
    for (index, line) in logs.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_log(line, out);
        check_size(out, bytes_max)?;
    }
    out.push(']');
    Ok(())
}

fn check_size(text: &str, bytes_max: usize) -> Result<()> {
    if text.len() <= bytes_max { Ok(()) } else { Err(too_much(bytes_max)) }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "a test finds a field without an arm")]
fn write_member(task: &TaskRecord, field: Field, members: &mut Members<'_>) {
    let name = field.as_str();
    match field {
        Field::Uuid => members.uuid(name, task.id.0),
        Field::Seq => members.plain(name, task.seq.0),
        Field::Operation => members.text(name, &task.def.operation),
        Field::Priority => members.float(name, task.def.priority.get()),
        Field::Status => members.text(name, task.status().as_str()),
        Field::State => members.text(name, task.state.as_str()),
        Field::IsPausing => members.maybe(name, is_pausing(task), Members::plain),
        Field::IsHeld => members.maybe(name, task.is_held().then_some(true), Members::plain),
        Field::Cause => members.maybe(name, cause(task), Members::text),
        Field::CreatedAt => members.plain(name, task.created_at.0),
        Field::StartedAt => members.maybe(name, task.started_at, Members::date),
        Field::EndedAt => members.maybe(name, task.ended_at, Members::date),
        Field::Attempt => members.plain(name, task.attempt),
        Field::Attempts => write_list(&task.attempts, members.name(name), write_attempt),
        Field::Progress => members.maybe(name, task.progress.as_ref(), write_progress),
        Field::AttemptsLeftOut => members.maybe(name, attempts_left_out(task), Members::plain),
        Field::Version => members.maybe(name, version(task), Members::plain),
        Field::Data | Field::Result | Field::Error | Field::AbortReason => {
            members.maybe(name, stored(task, field), Members::json);
        }
        _ => members.maybe(name, option(task, field), Members::plain),
    }
}

/// Writes what is asked for of a member: nothing if that is nothing.
fn write_part(task: &TaskRecord, field: Field, part: &Part, members: &mut Members<'_>) {
    let (mut whole, mut kept) = (String::new(), String::new());
    let json = match stored(task, field) {
        Some(json) => json.as_str(),
        None => {
            write_member(task, field, &mut Members::begin(&mut whole));
            whole.split_once(':').map_or("", |(_, value)| value)
        }
    };
    if part.write(json, &mut kept) {
        members.name(field.as_str()).push_str(&kept);
    }
}

fn write_attempt(attempt: &Attempt, out: &mut String) {
    let mut members = Members::begin(out);
    members.uuid("runId", attempt.run.0);
    members.date("startedAt", attempt.started_at);
    members.maybe("endedAt", attempt.ended_at, Members::date);
    members.maybe("outcome", attempt.end.map(|end| end.as_str()), Members::text);
    members.maybe("cause", attempt.error.as_ref().map(|it| it.cause.as_str()), Members::text);
    members.maybe("error", attempt.error.as_ref().map(|it| &it.error), Members::json);
    members.maybe("result", attempt.result.as_ref(), Members::json);
    members.end();
}

fn write_progress(outer: &mut Members<'_>, name: &str, progress: &Progress) {
    let mut members = Members::begin(outer.name(name));
    members.float("current", progress.current);
    members.maybe("total", progress.total, Members::float);
    members.maybe("unit", progress.unit.as_deref(), Members::text);
    members.end();
}

fn write_log(line: &LogLine, out: &mut String) {
    let mut members = Members::begin(out);
    members.text("level", line.level.as_str());
    members.text("message", &line.message);
    members.date("at", line.at);
    members.plain("attempt", line.attempt);
    members.maybe("fields", line.fields.as_ref(), Members::json);
    members.end();
}

fn write_list<T>(items: &[T], out: &mut String, write: fn(&T, &mut String)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// An object of JSON text that is being written.
struct Members<'o> {
    out: &'o mut String,
    /// What stands before the next member.
    mark: char,
}

impl<'o> Members<'o> {
    fn begin(out: &'o mut String) -> Self {
        Self { out, mark: '{' }
    }

    fn end(self) {
        if self.mark == '{' {
            self.out.push('{');
        }
        self.out.push('}');
    }

    /// Begins a member; its value is to be appended. Names are our own and need no escapes.
    fn name(&mut self, name: &str) -> &mut String {
        debug_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "{name} needs an escape");
        self.out.push(self.mark);
        self.mark = ',';
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    fn maybe<T>(&mut self, name: &str, value: Option<T>, write: impl Fn(&mut Self, &str, T)) {
        if let Some(value) = value {
            write(self, name, value);
        }
    }

    fn plain(&mut self, name: &str, value: impl Display) {
        let out = self.name(name);
        // Writing to a String cannot fail.
        let _ = write!(out, "{value}");
    }

    /// A number as JavaScript reads it back; JSON has no infinities, so they are texts.
    fn float(&mut self, name: &str, value: f64) {
        debug_assert!(!value.is_nan(), "JSON has no word for the {name}");
        match value {
            f64::INFINITY => self.text(name, "Infinity"),
            f64::NEG_INFINITY => self.text(name, "-Infinity"),
            _ if value.abs() < 1e15 => self.plain(name, value),
            _ => self.plain(name, format_args!("{value:e}")),
        }
    }

    fn date(&mut self, name: &str, at: WallMs) {
        self.plain(name, at.0);
    }

    fn uuid(&mut self, name: &str, uuid: Uuid) {
        self.text(name, hyphenated(uuid, &mut Uuid::encode_buffer()));
    }

    fn text(&mut self, name: &str, text: &str) {
        json::write_string(text, self.name(name));
    }

    fn json(&mut self, name: &str, json: &Json) {
        self.name(name).push_str(json.as_str());
    }
}

/// The order in which tasks are found if the caller gives none: those that wait in queue order,
/// whatever they wait for, then running ones by their start, then ended ones by their end. Total:
/// ties are broken by `seq`.
pub fn default_order(a: &TaskRecord, b: &TaskRecord) -> Ordering {
    let by_phase = a.phase().cmp(&b.phase());
    let within = || match a.phase() {
        Phase::Waiting => b.def.priority.cmp(&a.def.priority),
        Phase::Running => a.started_at.cmp(&b.started_at),
        Phase::Ended => a.ended_at.cmp(&b.ended_at),
    };
    by_phase.then_with(within).then_with(|| a.seq.cmp(&b.seq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{RunId, Seq, TaskId};
    use crate::query::Query;
    use crate::retention::Retention;
    use crate::state::State;
    use crate::task::{
        AttemptEnd, Cause, Level, NewTask, OnInterrupted, OnStop, OnStopWaiting, Priority,
        StartTime, TaskOptions,
    };

    const CONDITIONS: &str = r#"[{"scope":"running","query":{"data.n":1},"limit":2}]"#;

    fn ready() -> TaskRecord {
        TaskRecord {
            seq: Seq(7),
            id: TaskId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0abc)),
            def: NewTask { priority: Priority::new(0.5).unwrap(), ..NewTask::new("read-\"book\"") },
            state: State::Ready,
            created_at: WallMs(1_700_000_000_000),
            started_at: None,
            ended_at: None,
            attempt: 0,
            outcome: None,
            progress: None,
            is_pausing: false,
            attempts: Vec::new(),
            attempts_left_out: 0,
            version: 0,
        }
    }

    const DEPENDENCIES: &str =
        r#"{"uuids":["00000000-0000-0000-0000-000000000008"],"onFailure":"run"}"#;

    /// A task with every member that can stand together.
    fn failed() -> TaskRecord {
        let run = |n| RunId(Uuid::from_u128(n));
        let mut task = ready();
        task.def.data = Some(Json::trusted(r#"{ "n":1.0, "s":"\ud800" }"#));
        task.def.options = TaskOptions {
            id: Some(Json::trusted("{ \"order\":[7] }")),
            label: Some(Json::trusted("\"\\u0041\"")),
            tags: Some(Json::trusted("[\"red\", \"wet\"]")),
            trace: Some(Json::trusted("{\"traceparent\":\"00\"}")),
            start_time: Some(StartTime::At(WallMs(5))),
            depends_on: crate::standing::read(DEPENDENCIES, "dependsOn").unwrap().map(Into::into),
            parent: Some(TaskId(Uuid::from_u128(9))),
            schedule_id: Some(Json::trusted("\"daily\"")),
            scheduled_at: Some(WallMs(4)),
            run_timeout_ms: Some(300_000),
            queue_timeout: crate::queue_timeout::read("500", "queueTimeout").unwrap(),
            retry: crate::retry::read("5", "retry").ok().map(Into::into),
            retention: Retention::after(7).shared(),
            on_interrupted: OnInterrupted::Fail,
            on_stop: Some(OnStop::Wait),
            on_stop_waiting: OnStopWaiting::Abort,
            conditions: crate::condition::Conditions::read(CONDITIONS, "x").unwrap(),
            unique: crate::unique::read(r#"{"key":"k"}"#, "unique").ok().map(Into::into),
            ..TaskOptions::default()
        }
        .into();
        task.def.priority = Priority::new(f64::NEG_INFINITY).unwrap();
        task.state = State::Failed;
        task.started_at = Some(WallMs(20));
        task.ended_at = Some(WallMs(30));
        task.attempt = 2;
        task.outcome = Some(TaskEnd::Failed(Cause::Error, Json::trusted(r#"{"name":"E"}"#)));
        task.progress =
            Some(Progress { current: 1e300, total: Some(-0.0), unit: Some("é".into()) });
        let over = |attempt, end| Attempt {
            attempt,
            run: run(attempt.into()),
            started_at: WallMs(10),
            ended_at: Some(WallMs(15)),
            end: Some(end),
            error: None,
            result: None,
        };
        task.attempts = vec![over(1, AttemptEnd::Lost), over(2, AttemptEnd::Failed)];
        let error = Json::trusted(r#"{"name":"E"}"#);
        task.attempts[1].error = Some(AttemptError { cause: Cause::Error, error });
        task.attempts_left_out = 3;
        task
    }

    fn text(task: TaskRecord, logs: Option<Vec<LogLine>>) -> String {
        let mut out = String::new();
        write_json(&Found { task, logs }, None, &mut out, usize::MAX).unwrap();
        out
    }

    #[test]
    fn a_waiting_task_has_only_the_members_that_have_a_value() {
        let expected = concat!(
            r#"{"uuid":"01900000-0000-7000-8000-000000000abc","seq":7,"#,
            r#""operation":"read-\"book\"","priority":0.5,"status":"new","state":"ready","#,
            r#""createdAt":1700000000000,"attempt":0,"attempts":[]}"#,
        );
        assert_eq!(text(ready(), None), expected);
    }

    #[test]
    fn stored_texts_come_out_byte_for_byte() {
        let expected = concat!(
            r#"{"uuid":"01900000-0000-7000-8000-000000000abc","seq":7,"#,
            r#""operation":"read-\"book\"","data":{ "n":1.0, "s":"\ud800" },"#,
            r#""id":{ "order":[7] },"label":"\u0041","tags":["red", "wet"],"#,
            r#""trace":{"traceparent":"00"},"priority":"-Infinity","status":"failed","#,
            r#""state":"failed","cause":"error","createdAt":1700000000000,"runAt":5,"#,
            r#""startedAt":20,"endedAt":30,"attempt":2,"attempts":["#,
            r#"{"runId":"00000000-0000-0000-0000-000000000001","startedAt":10,"endedAt":15,"#,
            r#""outcome":"lost"},{"runId":"00000000-0000-0000-0000-000000000002","#,
            r#""startedAt":10,"endedAt":15,"outcome":"failed","cause":"error","#,
            r#""error":{"name":"E"}}],"attemptsLeftOut":3,"error":{"name":"E"},"#,
            r#""progress":{"current":1e300,"total":-0,"unit":"é"},"dependsOn":"#,
            r#"{"uuids":["00000000-0000-0000-0000-000000000008"],"onFailure":"run"},"#,
            r#""parent":"00000000-0000-0000-0000-000000000009","#,
            r#""scheduleId":"daily","scheduledAt":4,"#,
            r#""runTimeout":300000,"queueTimeout":500,"retry":{"attempts":5,"on":["error"]},"#,
            r#""retention":7,"onInterrupted":"fail","onStop":"wait","#,
            r#""onStopWaiting":"abort","#,
            r#""concurrency":[{"scope":"running","query":{"data.n":1},"limit":2}],"#,
            r#""unique":{"key":"k","while":"unfinished","onConflict":"return"},"logs":[]}"#,
        );
        assert_eq!(text(failed(), Some(Vec::new())), expected);
    }

    #[test]
    fn a_result_and_an_abort_reason_stand_under_their_own_names() {
        let mut task = ready();
        let json = Json::trusted("[1]");
        let cases = [
            (TaskEnd::Done(Some(json.clone())), r#""result":[1]"#),
            (TaskEnd::Aborted(Cause::User, json), r#""abortReason":[1]"#),
        ];
        for (outcome, member) in cases {
            task.state = outcome.state();
            task.outcome = Some(outcome);
            assert!(text(task.clone(), None).contains(member));
            assert!(!text(task.clone(), None).contains("error"));
        }
        task.outcome = Some(TaskEnd::Done(None));
        assert!(!text(task, None).contains("result"));
    }

    #[test]
    fn a_log_line_carries_its_fields_under_their_own_name() {
        let line = |fields: Option<&str>| LogLine {
            n: 1,
            attempt: 2,
            level: Level::Warning,
            at: WallMs(5),
            message: "a\nb".into(),
            fields: fields.map(Json::trusted),
        };
        let written = text(ready(), Some(vec![line(Some(r#"{"at":0}"#)), line(None)]));
        let expected = concat!(
            r#","logs":[{"level":"warning","message":"a\nb","at":5,"attempt":2,"#,
            r#""fields":{"at":0}},{"level":"warning","message":"a\nb","at":5,"attempt":2}]}"#,
        );
        assert!(written.ends_with(expected), "{written}");
    }

    /// What is left when dates are numbers and infinities texts, as in the written form.
    fn as_written(value: Value) -> Value {
        match value {
            Value::Date(ms) => Value::Number(ms as f64),
            Value::Number(n) if n.is_infinite() && n > 0.0 => Value::text("Infinity"),
            Value::Number(n) if n.is_infinite() => Value::text("-Infinity"),
            Value::Array(items) => Value::Array(items.into_iter().map(as_written).collect()),
            Value::Object(object) => {
                let members = object.iter().map(|(k, v)| (k.into(), as_written(v.clone())));
                Value::Object(Object::new(members.collect()))
            }
            other => other,
        }
    }

    #[test]
    fn a_projection_leaves_out_all_that_is_not_asked_for() {
        let written = |task, paths: &str| {
            let fields = Projection::parse(paths).unwrap();
            let mut out = String::new();
            let found = Found { task, logs: None };
            write_json(&found, Some(&fields), &mut out, usize::MAX).unwrap();
            out
        };
        let cases = [
            (r#"["seq","status"]"#, r#"{"seq":7,"status":"failed"}"#),
            (r#"["status","seq","seq"]"#, r#"{"seq":7,"status":"failed"}"#),
            (r#"["data.s"]"#, r#"{"data":{"s":"\ud800"}}"#),
            (r#"["data.x","seq.x","result.x"]"#, r#"{"data":{}}"#),
            (
                r#"["attempts.outcome","progress.unit","error.name"]"#,
                concat!(
                    r#"{"attempts":[{"outcome":"lost"},{"outcome":"failed"}],"#,
                    r#""error":{"name":"E"},"progress":{"unit":"é"}}"#,
                ),
            ),
            (
                r#"["priority","data"]"#,
                r#"{"data":{ "n":1.0, "s":"\ud800" },"priority":"-Infinity"}"#,
            ),
        ];
        for (paths, expected) in cases {
            assert_eq!(written(failed(), paths), expected, "{paths}");
        }
        let absent = r#"["cause","data.x","attempts.outcome"]"#;
        assert_eq!(written(ready(), absent), r#"{"attempts":[]}"#);
        assert_eq!(written(ready(), r#"["cause"]"#), "{}");
    }

    #[test]
    fn a_query_sees_exactly_what_is_written() {
        let mut aborted = failed();
        aborted.outcome = Some(TaskEnd::Aborted(Cause::RunTimeout, Json::trusted("{}")));
        let mut done = failed();
        done.outcome = Some(TaskEnd::Done(Some(Json::trusted("null"))));
        for task in [ready(), failed(), aborted, done] {
            let seen = as_written(value(&task, Fields::ALL).unwrap());
            assert_eq!(seen, Value::from_json(&text(task, None)).unwrap());
        }
    }

    #[test]
    fn every_field_is_an_option_or_a_member_of_its_own() {
        let json = Json::trusted("1");
        let done = TaskEnd::Done(Some(json.clone()));
        let ends = [done, TaskEnd::Aborted(Cause::User, json)];
        let ended = ends.map(|outcome| TaskRecord { outcome: Some(outcome), ..failed() });
        let has = |field: &Field| {
            let is_shown = |task: &TaskRecord| member(task, *field).unwrap().is_some();
            let pausing = TaskRecord { is_pausing: true, version: 1, ..failed() };
            let mut held = TaskRecord { state: State::Delayed, ..ready() };
            held.def.options.hold_until(WallMs(7));
            ended.iter().any(is_shown) || is_shown(&pausing) || is_shown(&held)
        };
        let missing: Vec<_> = Field::ALL.iter().filter(|field| !has(field)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_stored_text_is_read_only_if_it_is_asked_for() {
        let mut task = ready();
        task.def.data = Some(Json::trusted("not json"));
        let query = Query::parse(r#"{"status":"new","createdAt":{"$gt":{"$date":0}}}"#).unwrap();
        assert!(query.matches(&value(&task, query.fields()).unwrap()));
        let error = value(&task, Fields::ALL).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt);
    }

    #[test]
    fn engine_fields_are_found_by_their_types() {
        let queries = [
            r#"{"uuid":"01900000-0000-7000-8000-000000000abc","seq":{"$lt":8}}"#,
            r#"{"attempts.outcome":{"$in":["lost"]},"attempt":2,"cause":"error"}"#,
            r#"{"attempts.error.name":"E","attempts.cause":"error","attemptsLeftOut":3}"#,
            r#"{"retry.attempts":{"$gt":4},"retry.on":"error","queueTimeout":500}"#,
            r#"{"concurrency.limit":2,"concurrency.scope":"running"}"#,
            r#"{"unique.key":"k","unique.while":"unfinished","unique.ttl":null}"#,
            r#"{"attempts.0.startedAt":{"$lte":{"$date":10}},"endedAt":{"$date":30}}"#,
            r#"{"priority":"-Infinity","progress.unit":"é","error.name":"E"}"#,
            r#"{"data.n":1,"data.s":"\ufffd","result":null,"runTimeout":{"$gte":300000}}"#,
            r#"{"scheduleId":"daily","scheduledAt":{"$lt":{"$date":5}}}"#,
            r#"{"id":{"order":[7]},"id.order":7,"label":"A","tags":"wet","tags.0":"red"}"#,
        ];
        for text in queries {
            let query = Query::parse(text).unwrap();
            assert!(query.matches(&value(&failed(), query.fields()).unwrap()), "{text}");
        }
    }

    #[test]
    fn the_default_order_is_queue_then_start_then_end() {
        let task = |seq, state, priority, at| {
            let mut task = ready();
            task.seq = Seq(seq);
            task.state = state;
            task.def.priority = Priority::new(priority).unwrap();
            task.started_at = (state != State::Ready).then_some(WallMs(at));
            task.ended_at = state.is_final().then_some(WallMs(at));
            task
        };
        let mut tasks = [
            task(1, State::Done, 9.0, 40),
            task(2, State::Aborted, 0.0, 30),
            task(3, State::Failed, 0.0, 40),
            task(4, State::Running, 0.0, 25),
            task(5, State::Running, 9.0, 25),
            task(6, State::Running, 0.0, 20),
            task(7, State::Ready, 0.0, 0),
            task(8, State::Ready, f64::INFINITY, 0),
            task(9, State::Ready, 0.0, 0),
        ];
        tasks.sort_by(default_order);
        assert_eq!(tasks.map(|task| task.seq.0), [8, 7, 9, 6, 4, 5, 2, 1, 3]);
    }
}
