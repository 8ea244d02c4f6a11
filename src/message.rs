//! The messages to JavaScript, all of them: `ts/messages.ts` has the same list.
//!
//! Stored JSON is spliced in byte for byte; nothing is parsed or encoded again.
//!
//! # Promises
//! - A message crosses as its word and then its members in the order in which they stand here. One
//!   that is an `Option` and absent is left out, so only the last may be, and all behind it are.
//!
//! Proof: `tidy::both_sides_of_the_bridge_know_the_same_messages`, `__test__/contract`.

use std::fmt::Write;
use std::iter::repeat;

use serde_json::json;
use tasker_core::error::Error;
use tasker_core::id::{RunId, TaskId};
use tasker_core::json::is_json;
use tasker_core::option::{self, OptionValue};
use tasker_core::task::{Cause, Json, LogLine, Priority, Progress, TaskEnd, TaskOptions};
use tasker_core::time::WallMs;
use tasker_engine::effect::{
    AbortSignal, Added, Answer, BulkOutcome, Effect, Heard, RemoteEvent, RunEnd, RunStart, Skipped,
    TaskEvent,
};
use tasker_engine::guarded::CircuitNews;
use tasker_engine::input::{RunSlot, Ticket};
use tasker_engine::metrics;
use uuid::Uuid;

use crate::error;
use crate::line::Line;

macro_rules! messages {
    (
        $(#[$about:meta])*
        pub(crate) enum $type:ident<$life:lifetime> {
            $($(#[$doc:meta])* $name:ident $word:literal { $($member:ident: $of:ty),* $(,)? },)*
        }
    ) => {
        $(#[$about])*
        pub(crate) enum $type<$life> {
            $($(#[$doc])* $name { $($member: $of),* },)*
        }

        impl $type<'_> {
            /// Appends a comma and the message.
            pub(crate) fn write(&self, out: &mut String) {
                match self {
                    $($type::$name { $($member),* } => {
                        out.push_str(concat!(r#",[""#, $word, r#"""#));
                        $($member.write(out);)*
                    })*
                }
                out.push(']');
            }
        }
    };
}

messages! {
    /// One message: its word, and its members in order.
    pub(crate) enum Message<'a> {
        /// The call succeeded and is on disk.
        Answer "answer" { ticket: Ticket, value: &'a Answer },
        /// The call was refused; nothing of it was done.
        Refusal "refusal" { ticket: Ticket, error: &'a Error },
        /// The runs that follow, so many from this one on, have one runner, which is called once.
        Batch "batch" { slot: RunSlot, runs: u32 },
        /// A run has started: call the runner.
        Start "start" {
            slot: RunSlot, uuid: TaskId, run_id: RunId, operation: &'a str, attempt: u32,
            priority: Priority, created_at: Elapsed, started_at: Elapsed,
            data: Option<Nullable<&'a Json>>, rest: Option<Rest<'a>>,
        },
        /// Fire the signal of the run.
        Signal "signal" { slot: RunSlot, cause: Word, reason: Nullable<&'a Json> },
        /// The run is to halt at its next checkpoint.
        Halt "halt" { slot: RunSlot },
        /// The run that waits at a checkpoint goes on.
        GoOn "goOn" { slot: RunSlot },
        /// The run is over, and that is on disk.
        RunEnd "runEnd" { slot: RunSlot, status: Word, abort: Option<Abort<'a>> },
        /// The task ended although its runner did not settle.
        TaskEnd "taskEnd" {
            uuid: TaskId, status: Word, cause: Nullable<Word>, payload: Option<&'a Json>,
        },
        /// The run is over and its task is tried again, from this moment on; the reason is that of
        /// its signal, if that ended the run.
        RunRetry "runRetry" { slot: RunSlot, run_at: WallMs, reason: Option<&'a Json> },
        /// An ended task runs again because somebody asked for it.
        TaskRetry "taskRetry" { uuid: TaskId, run_at: WallMs, error: Option<&'a Json> },
        /// The task got this priority because its `queueTimeout` is over.
        TaskPriority "taskPriority" { uuid: TaskId, priority: Priority },
        /// The task got another definition.
        TaskUpdate "taskUpdate" { uuid: TaskId },
        /// A schedule has added the task.
        TaskAdded "taskAdded" { uuid: TaskId },
        /// An executor outside has begun with the task.
        TaskRun "taskRun" { uuid: TaskId },
        /// The executor of the task has written this line of its log.
        TaskLog "taskLog" { uuid: TaskId, line: &'a Json },
        /// The executor of the task is so far.
        TaskProgress "taskProgress" { uuid: TaskId, report: &'a Json },
        /// The tick of the schedule is used up, for the store refuses its task.
        TickRefused "tickRefused" { schedule: &'a str, at: WallMs, error: &'a Error },
        /// The circuit of the operation, or of this value of its tasks, has opened until this
        /// moment because of this error, has its first probe, or has closed again.
        Circuit "circuit" {
            operation: &'a str, turned: Word, key: Nullable<&'a Json>, until: Option<WallMs>,
            error: Option<&'a Json>,
        },
        /// So many more log lines of the run are on disk.
        Logs "logs" { slot: RunSlot, count: u32 },
        /// So many more progress reports of the run are on disk.
        Progress "progress" { slot: RunSlot, count: u32 },
        /// What another owner did to a task.
        RemoteEvent "remoteEvent" { uuid: TaskId, event: Word },
        /// Another owner gave the task this priority.
        RemotePriority "remotePriority" { uuid: TaskId, priority: Priority },
        /// Another owner tries the task again.
        RemoteRetry "remoteRetry" { uuid: TaskId, run_at: WallMs, error: Option<&'a Json> },
        /// Another owner ended the task.
        RemoteEnd "remoteEnd" {
            uuid: TaskId, status: Word, cause: Nullable<Word>, payload: Option<&'a Json>,
        },
        /// The portion of remote events is complete; the next comes after the command `ack`.
        AwaitAck "awaitAck" {},
        /// So many commits of other owners were trimmed before they were told.
        EventsMissed "eventsMissed" { commits: u64 },
        /// Another owner has assigned the runner of the operation with other options than we: the
        /// versions of the record that had ours, and that has theirs.
        OperationChanged "operationChanged" { operation: &'a str, ours: u32, theirs: u32 },
        /// No run is live any more, and nothing can start here.
        Idle "idle" {},
        /// All tasks have ended.
        Drained "drained" {},
        /// A line for the logger: its level, and what belongs to it.
        Log "log" { level: &'a str, message: &'a str, fields: Option<&'a Json> },
        /// JavaScript did not drain for so long.
        LoopBlocked "loopBlocked" { ms: u64 },
        /// Nothing follows: the engine closed, by itself if there is an error.
        Closed "closed" { error: Option<&'a Error> },
    }
}

/// Appends a line for the logger.
pub(crate) fn write_line(line: &Line, out: &mut String) {
    let Line { level, message, fields } = line;
    let fields = (!fields.is_empty()).then(|| Json::trusted(&json!(fields).to_string()));
    Message::Log { level, message, fields: fields.as_ref() }.write(out);
}

/// Appends what tells of one effect; the text counts times from `since`.
pub(crate) fn write(effect: &Effect, since: WallMs, out: &mut String) {
    let message = match effect {
        Effect::Answer(ticket, value) => Message::Answer { ticket: *ticket, value },
        Effect::Refuse(ticket, error) => Message::Refusal { ticket: *ticket, error },
        Effect::RunEnded(slot, end) => run_end(*slot, end),
        Effect::Retrying(id, run_at, error) => {
            Message::TaskRetry { uuid: *id, run_at: *run_at, error: error.as_ref() }
        }
        Effect::Prioritized(id, to) => Message::TaskPriority { uuid: *id, priority: *to },
        Effect::Updated(id) => Message::TaskUpdate { uuid: *id },
        Effect::Added(id) => Message::TaskAdded { uuid: *id },
        Effect::Began(id) => Message::TaskRun { uuid: *id },
        Effect::TickRefused(schedule, at, error) => {
            Message::TickRefused { schedule, at: *at, error }
        }
        Effect::Heard(_, id, heard) => return write_heard(*id, heard, out),
        Effect::Circuit(news) => return write_circuit(news, out),
        Effect::TaskEnded(id, end) => {
            let (status, cause, payload) = parts(end);
            Message::TaskEnd { uuid: *id, status, cause, payload }
        }
        Effect::Recorded(slot, logs, progress) => {
            return write_recorded(*slot, *logs, *progress, out);
        }
        Effect::Batch(slot, runs) => Message::Batch { slot: *slot, runs: *runs },
        Effect::Start(started) => start(started, since),
        Effect::Abort(slot, signal) => self::signal(*slot, signal),
        Effect::Halt(slot) => Message::Halt { slot: *slot },
        Effect::GoOn(slot) => Message::GoOn { slot: *slot },
        Effect::Remote(_, event) => remote(event),
        Effect::OperationChanged(_, operation, (ours, theirs)) => {
            Message::OperationChanged { operation, ours: *ours, theirs: *theirs }
        }
        Effect::Idle(_) => Message::Idle {},
        Effect::Drained(_) => Message::Drained {},
        Effect::Closed(error) => Message::Closed { error: error.as_ref() },
    };
    message.write(out);
}

fn write_heard(uuid: TaskId, heard: &Heard, out: &mut String) {
    match heard {
        Heard::Log(LogLine { attempt, level, at, message, fields, .. }) => {
            let mut line = json!({ "level": level.as_str(), "message": &**message }).to_string();
            line.pop();
            line.push_str(&format!(r#","at":{},"attempt":{attempt}"#, at.0));
            fields
                .iter()
                .for_each(|fields| line.push_str(&format!(r#","fields":{}"#, fields.as_str())));
            line.push('}');
            Message::TaskLog { uuid, line: &Json::trusted(&line) }.write(out);
        }
        Heard::Progress(Progress { current, total, unit }) => {
            let all = [("current", Some(json!(current))), ("total", total.map(|it| json!(it)))];
            let unit = ("unit", unit.as_ref().map(|unit| json!(&**unit)));
            let all = all.into_iter().chain([unit]).filter_map(|(name, it)| Some((name, it?)));
            let all: serde_json::Map<_, _> = all.map(|(name, it)| (name.to_owned(), it)).collect();
            let report = Json::trusted(&json!(all).to_string());
            Message::TaskProgress { uuid, report: &report }.write(out);
        }
    }
}

fn write_circuit(news: &CircuitNews, out: &mut String) {
    let CircuitNews { operation, key, turned, until, error } = news;
    let key = (!key.is_empty()).then(|| {
        // One that was cut is a text.
        if is_json(key) { Json::trusted(key) } else { Json::trusted(&json!(&**key).to_string()) }
    });
    let (turned, key, error) = (Word(turned.as_str()), Nullable(key.as_ref()), error.as_ref());
    Message::Circuit { operation, turned, key, until: *until, error }.write(out);
}

fn write_recorded(slot: RunSlot, logs: u32, progress: u32, out: &mut String) {
    if logs > 0 {
        Message::Logs { slot, count: logs }.write(out);
    }
    if progress > 0 {
        Message::Progress { slot, count: progress }.write(out);
    }
}

fn start(started: &RunStart, since: WallMs) -> Message<'_> {
    let (data, rest) = (started.data.as_ref(), Rest::of(started));
    Message::Start {
        slot: started.slot,
        uuid: started.id,
        run_id: started.run,
        operation: &started.operation,
        attempt: started.attempt,
        priority: started.priority,
        created_at: Elapsed::between(since, started.created_at),
        started_at: Elapsed::between(since, started.started_at),
        data: if rest.is_some() {
            Some(Nullable(None))
        } else {
            data.map(|data| Nullable(Some(data)))
        },
        rest,
    }
}

fn run_end(slot: RunSlot, end: &RunEnd) -> Message<'_> {
    let (status, abort) = match end {
        RunEnd::Done => ("done", None),
        RunEnd::Failed(_) => ("failed", None),
        RunEnd::Aborted(abort) => ("aborted", Some(Abort(word(abort.cause), &abort.reason))),
        RunEnd::Retrying(run_at, reason) => {
            return Message::RunRetry { slot, run_at: *run_at, reason: reason.as_ref() };
        }
        RunEnd::Snoozed => ("snoozed", None),
        RunEnd::Postponed(reason) => {
            ("postponed", reason.as_ref().map(|reason| Abort(Word("shutdown"), reason)))
        }
        RunEnd::Fenced => ("fenced", None),
    };
    Message::RunEnd { slot, status: Word(status), abort }
}

fn signal(slot: RunSlot, signal: &AbortSignal) -> Message<'_> {
    let (cause, reason) = match signal {
        AbortSignal::Abort(abort) => (word(abort.cause), Some(&abort.reason)),
        AbortSignal::Shutdown => (Word("shutdown"), None),
        AbortSignal::Fenced => (Word("fenced"), None),
    };
    Message::Signal { slot, cause, reason: Nullable(reason) }
}

fn remote(event: &RemoteEvent) -> Message<'_> {
    match event {
        RemoteEvent::Task(id, event) => task_event(*id, event),
        RemoteEvent::Missed(commits) => Message::EventsMissed { commits: *commits },
        RemoteEvent::AwaitAck => Message::AwaitAck {},
    }
}

fn task_event(uuid: TaskId, event: &TaskEvent) -> Message<'_> {
    let event = match event {
        TaskEvent::Added { has_started: false } => "added",
        TaskEvent::Added { has_started: true } => "added-and-run",
        TaskEvent::Run => "run",
        TaskEvent::Updated => "updated",
        TaskEvent::Prioritized(to) => return Message::RemotePriority { uuid, priority: *to },
        TaskEvent::Retrying(run_at, error) => {
            return Message::RemoteRetry { uuid, run_at: *run_at, error: error.as_ref() };
        }
        TaskEvent::Ended(end) => {
            let (status, cause, payload) = parts(end);
            return Message::RemoteEnd { uuid, status, cause, payload };
        }
    };
    Message::RemoteEvent { uuid, event: Word(event) }
}

/// The status, cause and payload of an end.
fn parts(end: &TaskEnd) -> (Word, Nullable<Word>, Option<&Json>) {
    let status = Word(end.state().status().as_str());
    (status, Nullable(end.cause().map(word)), end.payload())
}

fn word(cause: Cause) -> Word {
    Word(cause.as_str())
}

/// What a message may hold: it appends a comma and its JSON text.
trait Member {
    fn write(&self, out: &mut String);
}

/// A word of ours, which needs no escape.
#[derive(Clone, Copy)]
pub(crate) struct Word(&'static str);

/// Milliseconds after the moment from which a text counts. JavaScript reads small whole numbers
/// faster than moments, and they take no memory there.
#[derive(Clone, Copy)]
pub(crate) struct Elapsed(i64);

impl Elapsed {
    fn between(since: WallMs, moment: WallMs) -> Self {
        Self(moment.0.saturating_sub(since.0))
    }
}

/// A member that is `null` where it is absent.
pub(crate) struct Nullable<T>(Option<T>);

impl<T: Member> Member for Nullable<T> {
    fn write(&self, out: &mut String) {
        match &self.0 {
            Some(value) => value.write(out),
            None => out.push_str(",null"),
        }
    }
}

impl<T: Member> Member for Option<T> {
    fn write(&self, out: &mut String) {
        if let Some(value) = self {
            value.write(out);
        }
    }
}

impl Member for Word {
    fn write(&self, out: &mut String) {
        out.push(',');
        quoted(self.0, out);
    }
}

/// Any text; names of operations mostly need no escape.
impl Member for &str {
    fn write(&self, out: &mut String) {
        out.push(',');
        let is_plain = self.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
        if is_plain {
            quoted(self, out);
        } else if let Ok(escaped) = serde_json::to_string(self) {
            out.push_str(&escaped);
        }
    }
}

impl Member for &Json {
    fn write(&self, out: &mut String) {
        out.push(',');
        out.push_str(self.as_str());
    }
}

/// What few tasks have of their caller. Their data stands in it too: it may be absent.
pub(crate) struct Rest<'a> {
    data: Option<&'a Json>,
    options: &'a TaskOptions,
}

impl<'a> Rest<'a> {
    fn of(started: &'a RunStart) -> Option<Self> {
        let rest = Self { data: started.data.as_ref(), options: &started.options };
        let is_said = !started.options.is_none() && rest.own().next().is_some();
        is_said.then_some(rest)
    }

    /// The options that are JSON of the caller's.
    fn own(&self) -> impl Iterator<Item = (&'static str, &Json)> {
        option::values(self.options).filter_map(|(word, value)| match value {
            OptionValue::Json(json) => Some((word, json)),
            OptionValue::Number(_)
            | OptionValue::Date(_)
            | OptionValue::Word(_)
            | OptionValue::QueueTimeout(_)
            | OptionValue::Dependencies(_)
            | OptionValue::Task(_)
            | OptionValue::Retry(_)
            | OptionValue::Retention(_)
            | OptionValue::Conditions(_)
            | OptionValue::Unique(_) => None,
        })
    }
}

impl Member for Rest<'_> {
    fn write(&self, out: &mut String) {
        let data = self.data.map(|data| ("data", data));
        for (mark, (word, json)) in
            [",{"].into_iter().chain(repeat(",")).zip(data.into_iter().chain(self.own()))
        {
            out.push_str(mark);
            quoted(word, out);
            out.push(':');
            out.push_str(json.as_str());
        }
        // Behind the id of its schedule.
        if let Some(at) = self.options.scheduled_at {
            out.push_str(r#","scheduledAt":"#);
            integer(at.0, out);
        }
        out.push('}');
    }
}

impl Member for &Error {
    fn write(&self, out: &mut String) {
        out.push(',');
        out.push_str(&error::text(self));
    }
}

macro_rules! numbers {
    ($($type:ty: $of:ident => $number:expr,)*) => {
        $(impl Member for $type {
            fn write(&self, out: &mut String) {
                let $of = *self;
                out.push(',');
                integer($number, out);
            }
        })*
    };
}

numbers! {
    u32: of => i64::from(of),
    // Tickets, slots, commits and milliseconds: no process counts so far.
    u64: of => i64::try_from(of).unwrap_or(i64::MAX),
    Elapsed: of => of.0,
    WallMs: of => of.0,
}

/// Whole numbers from here on are not exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Member for Priority {
    fn write(&self, out: &mut String) {
        out.push(',');
        match self.get() {
            f64::INFINITY => out.push_str(r#""Infinity""#),
            f64::NEG_INFINITY => out.push_str(r#""-Infinity""#),
            value if value.fract() == 0.0 && value.abs() < EXACT_MAX => integer(value as i64, out),
            // Writing to a String cannot fail.
            value => drop(write!(out, "{value}")),
        }
    }
}

impl Member for TaskId {
    fn write(&self, out: &mut String) {
        out.push(',');
        uuid(self.0, out);
    }
}

impl Member for RunId {
    fn write(&self, out: &mut String) {
        out.push(',');
        uuid(self.0, out);
    }
}

/// The cause and the reason of a signal.
#[derive(Clone, Copy)]
pub(crate) struct Abort<'a>(Word, &'a Json);

impl Member for Abort<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(",[");
        quoted(self.0.0, out);
        self.1.write(out);
        out.push(']');
    }
}

/// The value of an answer; which call it belongs to says what it is.
impl Member for &Answer {
    fn write(&self, out: &mut String) {
        out.push(',');
        match self {
            Answer::Done | Answer::Found(None) => out.push_str("null"),
            Answer::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Answer::Number(number) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{number}");
            }
            Answer::Task(id) | Answer::Found(Some(id)) => uuid(id.0, out),
            Answer::Tasks(ids) => list(ids, out, |id, out| uuid(id.0, out)),
            Answer::Idempotent(tasks) => list(tasks, out, |(id, is_new), out| {
                out.push('[');
                uuid(id.0, out);
                out.push_str(if *is_new { ",true]" } else { ",false]" });
            }),
            Answer::Adds(tasks) => list(tasks, out, |(id, added), out| {
                out.push('[');
                uuid(id.0, out);
                out.push_str(match added {
                    Added::New => ",true]",
                    Added::Known => ",false]",
                    Added::Duplicate => r#","duplicate"]"#,
                    Added::Replaced => r#","replaced"]"#,
                });
            }),
            Answer::Bulk(BulkOutcome { changed, skipped }) => {
                let each = |(why, count): (&Skipped, &u64)| format!("\"{}\":{count}", why.as_str());
                let skipped: Vec<_> = skipped.iter().map(each).collect();
                let skipped = skipped.join(",");
                out.push_str(&format!("{{\"changed\":{changed},\"skipped\":{{{skipped}}}}}"));
            }
            Answer::Ended(end) => {
                let (status, cause, payload) = parts(end);
                out.push('[');
                quoted(status.0, out);
                cause.write(out);
                payload.write(out);
                out.push(']');
            }
            Answer::Json(text) => out.push_str(text),
            Answer::Figures(figures) => out.push_str(&metrics::json::write(figures)),
            // JavaScript has no executors of its own.
            Answer::Claims(_) => out.push_str("[]"),
            Answer::Lease(until) => out.push_str(&until.0.to_string()),
        }
    }
}

fn list<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

/// Appends a whole number, a short one in a third of the time that `write!` takes.
fn integer(number: i64, out: &mut String) {
    if number < 0 {
        out.push('-');
    }
    let (mut digits, mut first, mut rest) = ([b'0'; 20], 20, number.unsigned_abs());
    loop {
        first -= 1;
        digits[first] += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push_str(str::from_utf8(&digits[first..]).unwrap_or_default());
}

fn uuid(id: Uuid, out: &mut String) {
    quoted(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), out);
}

fn quoted(text: &str, out: &mut String) {
    debug_assert!(!text.contains(['"', '\\']), "{text} needs an escape");
    out.push('"');
    out.push_str(text);
    out.push('"');
}
