//! What is stored of an operation, for all processes: its record.
//!
//! A record has layers. The first that says something of an option wins: `pauseOperation`, then
//! `defineOperation`, then `assignRunner` with options. A task's own word goes before all of them,
//! and the options of `new Tasker` come after them.
//!
//! An option of operations is a row of the table below. If tasks take it when they are added, it is
//! also a bit of [`Unsaid`], named in its row of `crate::option`, and a line of
//! [`OperationOptions::complete`].
//!
//! # Promises
//! - What is written comes back, and anything else is an error with the path of the option.
//!
//! Proof: the tests below, `conformance::operations`, `__test__/contract/operations.test.mjs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::argument;
use crate::backoff::RetryPolicy;
use crate::circuit::CircuitBreaker;
use crate::condition::Template;
use crate::error::{Code, Error, Result};
use crate::executor::Executor;
use crate::json::write_string;
use crate::limits;
use crate::queue_timeout;
use crate::rate::RateLimit;
use crate::retention::Retention;
use crate::retry;
use crate::task::{NewTask, OnInterrupted, OnStop, OnStopWaiting, Priority, QueueTimeout, Unsaid};
use crate::time::WallMs;

/// The longest that a run may take, where somebody has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunTimeout {
    /// As long as it likes.
    Off,
    /// So many milliseconds.
    Ms(u64),
}

impl RunTimeout {
    /// In milliseconds, if there is one.
    pub fn ms(self) -> Option<u64> {
        match self {
            RunTimeout::Off => None,
            RunTimeout::Ms(ms) => Some(ms),
        }
    }
}

/// How long a task may wait for its first start, where somebody has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueWait {
    /// As long as it takes.
    Off,
    /// No longer than this.
    AtMost(QueueTimeout),
}

impl QueueWait {
    /// The most, if there is one.
    pub fn at_most(self) -> Option<QueueTimeout> {
        match self {
            QueueWait::Off => None,
            QueueWait::AtMost(most) => Some(most),
        }
    }
}

/// Sets one option from its JSON text; the last text is its path.
type Reader = fn(&mut OperationOptions, &str, &str) -> Result<()>;
/// The JSON text of an option, if it is said.
type Writer = fn(&OperationOptions) -> Option<String>;

macro_rules! options {
    ($($(#[$doc:meta])* $field:ident $word:literal: $type:ty, $read:expr, $write:expr;)*) => {
        /// What a layer says of an operation, or all layers together.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct OperationOptions {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        /// The word of each option, and how it is read and written.
        const OPTIONS: &[(&str, Reader, Writer)] = &[$((
            $word,
            |options, text, path| {
                let read: fn(&str, &str) -> Result<$type> = $read;
                options.$field = Some(read(text, path)?);
                Ok(())
            },
            |options| {
                let write: fn(&$type) -> String = $write;
                options.$field.as_ref().map(write)
            },
        )),*];

        impl OperationOptions {
            /// What this layer says, and where it says nothing what the lower one says.
            pub fn or(&self, lower: &Self) -> Self {
                Self { $($field: self.$field.clone().or_else(|| lower.$field.clone())),* }
            }
        }
    };
}

options! {
    /// Most runs at once, over all processes.
    concurrency "concurrency": u32,
        |text, path| concurrency(text, path), ToString::to_string;
    /// How many may start in a time, over all processes.
    rate_limit "rateLimit": Arc<RateLimit>,
        |text, path| RateLimit::read(text, path).map(Arc::new), |rate| rate.to_json();
    /// After how many failures nothing of it starts for a time, over all processes.
    circuit_breaker "circuitBreaker": Arc<CircuitBreaker>,
        |text, path| CircuitBreaker::read(text, path).map(Arc::new), |breaker| breaker.to_json();
    /// That executors outside take its tasks, and how.
    executor "executor": Executor,
        |text, path| Executor::read(text, path), Executor::to_json;
    /// How soon its tasks run.
    priority "priority": Priority,
        |text, _| argument::priority(text), |priority| argument::priority_text(*priority);
    /// The longest that a run of its tasks may take.
    run_timeout "runTimeout": RunTimeout,
        |text, path| {
            argument::duration_or_off(text, path)
                .map(|ms| ms.map_or(RunTimeout::Off, RunTimeout::Ms))
        },
        |timeout| timeout.ms().map_or_else(|| "false".to_owned(), |ms| ms.to_string());
    /// How long its tasks may wait for their first start.
    queue_timeout "queueTimeout": QueueWait,
        |text, path| {
            queue_timeout::read(text, path)
                .map(|timeout| timeout.map_or(QueueWait::Off, QueueWait::AtMost))
        },
        |wait| wait.at_most().map_or_else(|| "false".to_owned(), |most| most.to_string());
    /// How often its tasks are tried.
    retry "retry": Arc<RetryPolicy>,
        |text, path| retry::read(text, path).map(Arc::new), |policy| policy.to_json();
    /// What must hold at the start of its tasks, besides what each of them says.
    conditions "conditions": Template,
        Template::read, |template| template.text().to_owned();
    /// How long its tasks are kept after their end.
    retention "retention": Retention,
        |text, path| Retention::read(text, path), Retention::to_json;
    /// What a crash means to its tasks.
    on_interrupted "onInterrupted": OnInterrupted,
        |text, path| argument::word(text, path, OnInterrupted::WORDS),
        |word| quoted(word.as_str());
    /// What a stop does while one of its tasks runs.
    on_stop "onStop": OnStop,
        |text, path| argument::word(text, path, OnStop::WORDS), |word| quoted(word.as_str());
    /// What it means to its waiting tasks that the last tasker stops that offers it.
    on_stop_waiting "onStopWaiting": OnStopWaiting,
        |text, path| argument::word(text, path, OnStopWaiting::WORDS),
        |word| quoted(word.as_str());
}

fn concurrency(text: &str, path: &str) -> Result<u32> {
    if text.starts_with('{') {
        let message = "so many at once for each value of a path comes later; give a number";
        return Err(Error::at(Code::Unsupported, path, message));
    }
    argument::count(text, path, limits::CONCURRENCY_MAX)
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    write_string(text, &mut json);
    json
}

/// Every word that an operation takes, in the order of the table. What a `schema` and a `batch` say
/// stays where it was said: it never comes here.
pub fn words() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(word, ..)| *word).chain(["schema", "batch"])
}

impl OperationOptions {
    /// At most so many runs at once, and nothing else.
    pub fn at_once(concurrency: u32) -> Self {
        Self { concurrency: Some(concurrency), ..Self::default() }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether its tasks pass gates of which the store is asked.
    pub fn has_gates(&self) -> bool {
        self.rate_limit.is_some() || self.circuit_breaker.is_some()
    }

    /// The path to the value by which its rate limit or its circuit breaker holds, if one does.
    pub fn key_path(&self) -> Option<&str> {
        let rate = self.rate_limit.as_ref().and_then(|rate| rate.by.as_deref());
        rate.or_else(|| self.circuit_breaker.as_ref().and_then(|breaker| breaker.by.as_deref()))
    }

    /// Refuses a rate limit by one value and a circuit breaker by another one: the tasks of an
    /// operation wait by one value.
    ///
    /// # Errors
    /// `Invalid` with the path `circuitBreaker.by`.
    pub fn check_paths(&self) -> Result<()> {
        let breaker = self.circuit_breaker.as_ref().and_then(|breaker| breaker.by.as_deref());
        let Some((by, rate)) = breaker.zip(self.key_path()).filter(|(by, rate)| by != rate) else {
            return Ok(());
        };
        let message = format!(
            "is '{by}', and rateLimit.by is '{rate}'; both must be the same path, or one of them \
             left out"
        );
        Err(Error::invalid("circuitBreaker.by", message))
    }

    /// Reads the JSON object of a layer.
    ///
    /// # Errors
    /// `Invalid` with the path of the option; `Unsupported` for what comes later.
    pub fn read(text: &str) -> Result<Self> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)
            .map_err(|e| Error::invalid("options", "must be an object").with_source(e))?;
        let mut options = Self::default();
        for (word, value) in members {
            let known = OPTIONS.iter().find(|(known, ..)| *known == word);
            let (_, read, _) = known.ok_or_else(|| refused(&word))?;
            read(&mut options, value.get(), &word)?;
        }
        options.check_paths()?;
        Ok(options)
    }

    /// The JSON object that `read` reads.
    pub fn to_json(&self) -> String {
        let said = OPTIONS.iter().filter_map(|(word, _, write)| Some((word, write(self)?)));
        let members: Vec<_> = said.map(|(word, value)| format!("\"{word}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// How often its tasks are tried, if that is said. What executors outside take is tried twice
    /// where nobody says it.
    fn retry_policy(&self) -> Option<Arc<RetryPolicy>> {
        self.retry.clone().or_else(|| self.executor.map(|executor| executor.retry()))
    }

    /// Gives a task what its caller did not say.
    pub fn complete(&self, task: &mut NewTask) {
        let unsaid = std::mem::take(&mut task.unsaid);
        if let Some(priority) = self.priority.filter(|_| unsaid.has(Unsaid::PRIORITY)) {
            task.priority = priority;
        }
        if let Some(timeout) = self.run_timeout.filter(|_| unsaid.has(Unsaid::RUN_TIMEOUT)) {
            task.options.run_timeout_ms = timeout.ms();
        }
        if let Some(wait) = self.queue_timeout.filter(|_| unsaid.has(Unsaid::QUEUE_TIMEOUT)) {
            task.options.queue_timeout = wait.at_most();
        }
        if unsaid.has(Unsaid::RETRY)
            && let Some(policy) = self.retry_policy()
        {
            task.options.retry = Some(policy);
        }
        if let Some(retention) = self.retention.filter(|_| unsaid.has(Unsaid::RETENTION)) {
            task.options.retention = retention.shared();
        }
        let word = self.on_interrupted.filter(|_| unsaid.has(Unsaid::ON_INTERRUPTED));
        if let Some(word) = word {
            task.options.on_interrupted = word;
        }
        let word = self.on_stop_waiting.filter(|_| unsaid.has(Unsaid::ON_STOP_WAITING));
        if let Some(word) = word {
            task.options.on_stop_waiting = word;
        }
    }
}

/// Why a word is refused that is not in the table.
fn refused(word: &str) -> Error {
    let known = words().collect::<Vec<_>>().join(", ");
    Error::invalid(word, format!("is not an option of an operation; there are {known}"))
}

/// The name under which the record of the whole store lies; no operation can have it.
pub const WHOLE_STORE: &str = "";

/// Which layer a call writes; `pauseOperation` has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// That of `defineOperation`.
    Defined,
    /// That of `assignRunner`.
    Assigned,
}

const DEFINED: &str = "defineOperation";
const ASSIGNED: &str = "assignRunner";
const LANES_FROM: &str = "lanesFrom";
const CIRCUIT_FROM: &str = "circuitFrom";

/// What is stored of an operation besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationRecord {
    /// 1 when it is stored for the first time, one more with each change; 0 before.
    pub version: u32,
    /// Since when it is paused, if it is.
    pub paused_at: Option<WallMs>,
    /// What `defineOperation` says.
    pub defined: OperationOptions,
    /// What `assignRunner` says.
    pub assigned: OperationOptions,
    /// The tasks of one lane, from this number on, have one value where the rate limit or the
    /// circuit breaker is by value; 0 if none ever was. Lanes before it are older than the path.
    pub lanes_from: u64,
    /// The batch in which its circuit breaker was first said, with this path; 0 if it never was.
    /// What is stored of older circuits counts no more.
    pub circuit_from: u64,
}

impl OperationRecord {
    /// That of an operation of which nothing is said.
    pub fn first() -> Self {
        Self { version: 1, ..Self::default() }
    }

    /// What holds of what is said.
    pub fn in_force(&self) -> OperationOptions {
        self.defined.or(&self.assigned)
    }

    /// Replaces a layer whole.
    pub fn set(&mut self, layer: Layer, options: OperationOptions) {
        match layer {
            Layer::Defined => self.defined = options,
            Layer::Assigned => self.assigned = options,
        }
    }

    /// The JSON text of its layers; nothing if they say nothing.
    pub fn settings(&self) -> Option<String> {
        let mut members = self.layers();
        if self.lanes_from > 0 {
            members.push(format!("\"{LANES_FROM}\":{}", self.lanes_from));
        }
        if self.circuit_from > 0 {
            members.push(format!("\"{CIRCUIT_FROM}\":{}", self.circuit_from));
        }
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }

    /// A member of JSON for each layer that says something.
    fn layers(&self) -> Vec<String> {
        let layers = [(DEFINED, &self.defined), (ASSIGNED, &self.assigned)];
        let said = layers.into_iter().filter(|(_, options)| !options.is_empty());
        said.map(|(name, options)| format!("\"{name}\":{}", options.to_json())).collect()
    }

    /// It takes the place of an older one, in this batch, and tasks get lanes from this one on.
    pub fn follow(&mut self, old: &Self, batch: u64, lane_next: u64) {
        let (before, now) = (old.in_force(), self.in_force());
        if now.key_path().is_some() && now.key_path() != before.key_path() {
            // What waits in older lanes was not put there by this path.
            self.lanes_from = lane_next;
        }
        let path = |options: &OperationOptions| {
            options.circuit_breaker.as_ref().map(|breaker| breaker.by.clone())
        };
        if path(&now).is_some() && path(&now) != path(&before) {
            self.circuit_from = batch;
        }
    }

    /// Reads what [`OperationRecord::settings`] wrote.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn with_settings(mut self, text: &str) -> Result<Self> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)
            .map_err(|e| Error::invalid("settings", "must be an object").with_source(e))?;
        for (name, options) in members {
            if name == LANES_FROM {
                let wrong = |_| Error::invalid(LANES_FROM, "must be the number of a lane");
                self.lanes_from = options.get().parse().map_err(wrong)?;
                continue;
            }
            if name == CIRCUIT_FROM {
                let wrong = |_| Error::invalid(CIRCUIT_FROM, "must be the number of a batch");
                self.circuit_from = options.get().parse().map_err(wrong)?;
                continue;
            }
            let options = OperationOptions::read(options.get())?;
            match name.as_str() {
                DEFINED => self.defined = options,
                ASSIGNED => self.assigned = options,
                _ => return Err(Error::invalid(name, "is not a layer")),
            }
        }
        Ok(self)
    }
}

/// The JSON document of an operation, as `findOperations` gives it.
pub fn document(name: &str, record: &OperationRecord) -> String {
    let OperationRecord { version, paused_at, .. } = record;
    let paused_at = paused_at.map(|at| format!(",\"pausedAt\":{}", at.0)).unwrap_or_default();
    let (name, options) = (quoted(name), record.in_force().to_json());
    let layers = record.layers().join(",");
    format!(
        "{{\"name\":{name},\"version\":{version}{paused_at},\"options\":{options},\
         \"layers\":{{{layers}}}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskOptions;

    const CONDITIONS: &str =
        r#"[{"limit":0,"query":{"data.a":{"$task":"data.a"}},"scope":"running"}]"#;

    /// One that says everything.
    fn whole() -> OperationOptions {
        OperationOptions {
            concurrency: Some(3),
            rate_limit: RateLimit::read(r#"{"limit":7,"per":1,"by":"data.a"}"#, "x")
                .ok()
                .map(Arc::new),
            circuit_breaker: CircuitBreaker::read(
                r#"{"failures":7,"within":1,"openFor":2,"by":"data.a","when":{"a.b":{"$gt":1}}}"#,
                "x",
            )
            .ok()
            .map(Arc::new),
            executor: Some(Executor { claim_ms: 3, lease_ms: 4, retry_on_fail: true }),
            priority: Some(Priority::new(-1.5).unwrap()),
            run_timeout: Some(RunTimeout::Ms(300_000)),
            queue_timeout: queue_timeout::read("7", "x").unwrap().map(QueueWait::AtMost),
            retry: retry::read("3", "retry").ok().map(Arc::new),
            conditions: Template::read(CONDITIONS, "conditions").ok(),
            retention: Retention::read(r#"{"done":7}"#, "retention").ok(),
            on_interrupted: Some(OnInterrupted::Fail),
            on_stop: Some(OnStop::Postpone),
            on_stop_waiting: Some(OnStopWaiting::Abort),
        }
    }

    #[test]
    fn what_was_written_comes_back() {
        let mut infinite = whole();
        infinite.priority = Some(Priority::MIN);
        infinite.run_timeout = Some(RunTimeout::Off);
        infinite.queue_timeout = Some(QueueWait::Off);
        infinite.retention = Some(Retention::default());
        for options in [whole(), infinite, OperationOptions::default()] {
            assert_eq!(OperationOptions::read(&options.to_json()).unwrap(), options);
            let record = OperationRecord {
                version: 7,
                paused_at: Some(WallMs(-5)),
                defined: options.clone(),
                assigned: OperationOptions::at_once(1),
                lanes_from: 9,
                circuit_from: 8,
            };
            let bare = OperationRecord {
                defined: OperationOptions::default(),
                assigned: OperationOptions::default(),
                lanes_from: 0,
                circuit_from: 0,
                ..record.clone()
            };
            assert_eq!(bare.settings(), None);
            assert_eq!(bare.with_settings(&record.settings().unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn the_first_layer_that_says_something_wins() {
        let timeout = Some(RunTimeout::Off);
        let defined = OperationOptions { run_timeout: timeout, ..OperationOptions::at_once(1) };
        let record = OperationRecord { defined, assigned: whole(), ..OperationRecord::first() };
        let expected = OperationOptions {
            concurrency: Some(1),
            run_timeout: Some(RunTimeout::Off),
            ..whole()
        };
        assert_eq!(record.in_force(), expected);
    }

    #[test]
    fn a_task_takes_what_its_caller_left_open_and_once() {
        let options = TaskOptions { run_timeout_ms: Some(7), ..TaskOptions::default() };
        let kept = NewTask { options: options.clone().into(), ..NewTask::new("a") };
        let with = |options: TaskOptions| NewTask { options: options.into(), ..kept.clone() };
        for (unsaid, expected) in [
            (Unsaid::NONE, kept.clone()),
            (Unsaid::PRIORITY, NewTask { priority: whole().priority.unwrap(), ..kept.clone() }),
            (
                Unsaid::RUN_TIMEOUT,
                with(TaskOptions { run_timeout_ms: Some(300_000), ..options.clone() }),
            ),
            (
                Unsaid::QUEUE_TIMEOUT,
                with(TaskOptions {
                    queue_timeout: whole().queue_timeout.unwrap().at_most(),
                    ..options.clone()
                }),
            ),
            (
                Unsaid::ON_INTERRUPTED,
                with(TaskOptions { on_interrupted: OnInterrupted::Fail, ..options.clone() }),
            ),
            (
                Unsaid::ON_STOP_WAITING,
                with(TaskOptions { on_stop_waiting: OnStopWaiting::Abort, ..options }),
            ),
        ] {
            let mut task = NewTask { unsaid, ..kept.clone() };
            whole().complete(&mut task);
            assert_eq!(task, expected);
        }
        let mut task = NewTask { unsaid: Unsaid::ALL, ..kept.clone() };
        OperationOptions::default().complete(&mut task);
        assert_eq!(task, kept);
    }

    #[test]
    fn every_wrong_option_is_named() {
        for (text, path) in [
            ("7", "options"),
            (r#"{"concurrency":0}"#, "concurrency"),
            (r#"{"concurrency":1.5}"#, "concurrency"),
            (r#"{"rateLimit":{"limit":1}}"#, "rateLimit.per"),
            (r#"{"executor":{"lease":0}}"#, "executor.lease"),
            (r#"{"priority":null}"#, "priority"),
            (r#"{"runTimeout":0}"#, "runTimeout"),
            (r#"{"onInterrupted":"x"}"#, "onInterrupted"),
            (r#"{"onStop":7}"#, "onStop"),
            (r#"{"onStopWaiting":"wait"}"#, "onStopWaiting"),
            (r#"{"conditions":[7]}"#, "conditions[0]"),
            (r#"{"limit":7}"#, "limit"),
        ] {
            let error = OperationOptions::read(text).unwrap_err();
            assert_eq!((error.code(), error.facts().path.as_deref()), (Code::Invalid, Some(path)));
        }
        let by = r#"{"concurrency":{"limit":1,"by":"data.key"}}"#;
        let error = OperationOptions::read(by).unwrap_err();
        let facts = (error.code(), error.facts().path.as_deref());
        assert_eq!(facts, (Code::Unsupported, Some("concurrency")));
    }
}
