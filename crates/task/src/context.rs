//! What a handler gets of its task.
//!
//! # Promises
//! - What a handler logs and reports is on disk before its end is.
//! - A run that is over can write nothing any more.
//!
//! Proof: `task/tests/context.rs`.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tasker_core::limits::PROGRESS_UNIT_BYTES_MAX;
use tasker_core::rules;
use tasker_core::task::{Level, Progress};
use tasker_core::time::WallMs;
use tasker_engine::effect::RunStart;
use tasker_engine::input::{Input, Record, RunSlot};
use tasker_engine::thread::Client;
use tokio_util::sync::CancellationToken;

/// A run of a task, as its handler sees it. Clones are the same run.
#[derive(Clone)]
pub struct TaskContext {
    facts: Arc<Facts>,
}

struct Facts {
    slot: RunSlot,
    uuid: String,
    operation: Arc<str>,
    attempt: u32,
    created_at: WallMs,
    data: Value,
    token: CancellationToken,
    client: Weak<Client>,
}

impl TaskContext {
    pub(crate) fn new(run: &RunStart, token: CancellationToken, client: Weak<Client>) -> Self {
        let data = run.data.as_ref().map(|json| serde_json::from_str(json.as_str()));
        let facts = Facts {
            slot: run.slot,
            uuid: run.id.0.to_string(),
            operation: Arc::clone(&run.operation),
            attempt: run.attempt,
            created_at: run.created_at,
            data: data.and_then(Result::ok).unwrap_or_default(),
            token,
            client,
        };
        Self { facts: Arc::new(facts) }
    }

    /// The uuid of the task.
    pub fn uuid(&self) -> &str {
        &self.facts.uuid
    }

    /// Its operation: the name that was given to the builder.
    pub fn operation(&self) -> &str {
        &self.facts.operation
    }

    /// Which attempt this is: 1, 2, 3 …
    pub fn attempt(&self) -> u32 {
        self.facts.attempt
    }

    /// When the task was added, as time since 1970.
    pub fn created_at(&self) -> Duration {
        Duration::from_millis(self.facts.created_at.ms_since(WallMs(0)))
    }

    /// The data of the task; JSON `null` if it has none.
    pub fn data(&self) -> &Value {
        &self.facts.data
    }

    /// Fires when the run is to end: the task was aborted, its timeout is over, or the executor
    /// stops. The handler is polled once more then, and dropped if it has not returned.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.facts.token
    }

    /// Says how far the run is: so much is done, of so much if that is known. Others find it as
    /// `progress` of the task.
    pub fn progress(&self, current: f64, total: Option<f64>) {
        self.report(current, total, None);
    }

    /// The same, of something: `files`, `bytes`. A unit of more than 64 bytes is left out.
    pub fn progress_of(&self, current: f64, total: Option<f64>, unit: &str) {
        let unit = (unit.len() <= PROGRESS_UNIT_BYTES_MAX).then(|| unit.into());
        self.report(current, total, unit);
    }

    fn report(&self, current: f64, total: Option<f64>, unit: Option<Box<str>>) {
        if current.is_finite() && total.is_none_or(f64::is_finite) {
            self.record(Record::Progress(Progress { current, total, unit }));
        }
    }

    /// The logger of the task: its lines are stored with it.
    pub fn logger(&self) -> TaskLogger<'_> {
        TaskLogger { context: self }
    }

    fn record(&self, record: Record) {
        if let Some(client) = self.facts.client.upgrade() {
            client.submit([Input::Record(self.facts.slot, record)]);
        }
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskContext({}, attempt {})", self.uuid(), self.attempt())
    }
}

/// Writes the log of a task. A line of more than 64 KiB is cut.
#[derive(Clone, Copy, Debug)]
pub struct TaskLogger<'c> {
    context: &'c TaskContext,
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident $level:ident;)*) => {
        impl TaskLogger<'_> {
            $($(#[$doc])* pub fn $name(&self, message: impl fmt::Display) {
                self.line(Level::$level, &message.to_string(), None);
            })*
        }
    };
}

levels! {
    /// The task or the system cannot go on.
    crit Crit;
    /// Something failed.
    error Error;
    /// Something may be wrong.
    warning Warning;
    /// Normal but worth a look.
    notice Notice;
    /// Normal.
    info Info;
    /// For developers.
    debug Debug;
}

impl TaskLogger<'_> {
    /// A line of level `info` with fields, a JSON object; anything else is left out.
    pub fn info_with(&self, message: impl fmt::Display, fields: &Value) {
        self.line(Level::Info, &message.to_string(), Some(fields));
    }

    fn line(&self, level: Level, message: &str, fields: Option<&Value>) {
        let fields = fields.filter(|fields| fields.is_object()).map(Value::to_string);
        let (message, fields) = rules::log_line(message, fields.as_deref());
        self.context.record(Record::Log { level, at: None, message, fields });
    }
}
