//! A task as data: what its caller defines, how it ended, and the whole record.

use std::cmp::Ordering;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::backoff::RetryPolicy;
use crate::condition::Conditions;
use crate::dependency::Dependencies;
use crate::error::{Error, Result};
use crate::id::{RunId, Seq, TaskId};
use crate::key::Unique;
use crate::retention::Retention;
use crate::state::{Phase, State, Status};
use crate::time::{DATE_MS_MAX, WallMs};
use crate::words::words;

mod unsaid;

pub use unsaid::Unsaid;

/// JSON text that passed the checks of [`crate::json`]: stored and returned byte for byte, never
/// re-encoded. In the file a TEXT value is JSON; BLOB is reserved for raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(Arc<str>);

impl Json {
    /// Text that is known to be one JSON value.
    pub fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes it has; never none.
    #[allow(clippy::len_without_is_empty, reason = "no JSON text is empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// How soon a task runs: greater first. Not NaN; the infinities are allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Priority(f64);

impl Priority {
    /// The lowest of all.
    pub const MIN: Priority = Priority(f64::NEG_INFINITY);
    /// The greatest of all.
    pub const MAX: Priority = Priority(f64::INFINITY);

    /// A priority, unless it is NaN.
    ///
    /// # Errors
    /// [`crate::error::Code::Invalid`] for NaN.
    pub fn new(value: f64) -> Result<Self> {
        if value.is_nan() {
            return Err(Error::invalid("priority", "NaN is not a priority"));
        }
        Ok(Self(value + 0.0)) // -0 becomes 0, so that equal priorities are equal
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Priority {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Priority {}
impl PartialOrd for Priority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Priority {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What becomes of a run whose process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnInterrupted {
    /// It runs again, at most [`crate::limits::LOSSES_MAX`] losses in a row.
    #[default]
    Retry = 0,
    /// It ends as aborted, cause `lost`.
    Abort = 1,
    /// It ends as failed, cause `lost`.
    Fail = 2,
}

/// What a stop does with a running task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnStop {
    /// Waits for it, then postpones.
    #[default]
    Wait = 0,
    /// Gives it back to the queue; the attempt is not counted.
    Postpone = 1,
    /// Aborts it.
    Abort = 2,
}

/// What becomes of a task that waits when the last tasker stops that offers its operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnStopWaiting {
    /// It waits on.
    #[default]
    Keep = 0,
    /// It lapses: it ends as aborted, cause `stop`.
    Abort = 1,
}

words!(OnInterrupted { Retry "retry", Abort "abort", Fail "fail" });
words!(OnStop { Wait "wait", Postpone "postpone", Abort "abort" });
words!(OnStopWaiting { Keep "keep", Abort "abort" });
words!(Cause {
    Error "error", User "user", Signal "signal", Stop "stop", RunTimeout "run-timeout", Lost "lost",
    Poison "poison", Unstorable "unstorable", QueueTimeout "queue-timeout",
    Dependency "dependency", Replaced "replaced", Lease "lease",
});
words!(Level {
    Crit "crit", Error "error", Warning "warning", Notice "notice", Info "info", Debug "debug",
});
words!(AttemptEnd {
    Lost "lost", Postponed "postponed", Done "done", Failed "failed", Aborted "aborted",
    Snoozed "snoozed",
});

/// Why a task ended as it did, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The runner threw.
    Error = 1,
    /// `abortTask`.
    User = 2,
    /// The `abortSignal` of its `addTask`.
    Signal = 3,
    /// `stop` or `close`.
    Stop = 4,
    /// Its `runTimeout`.
    RunTimeout = 5,
    /// Its process died and `onInterrupted` says to end it.
    Lost = 6,
    /// Its process died too often in a row.
    Poison = 7,
    /// Its result or error cannot be stored.
    Unstorable = 8,
    /// Its `queueTimeout`.
    QueueTimeout = 9,
    /// A task that it depends on failed or was aborted.
    Dependency = 10,
    /// The next task of its schedule took its place.
    Replaced = 11,
    /// Nothing was heard in time of the executor outside that had it.
    Lease = 12,
}

/// How grave a log line is; a smaller code is graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// The task or the system cannot go on.
    Crit = 0,
    /// Something failed.
    Error = 1,
    /// Something may be wrong.
    Warning = 2,
    /// Normal but worth a look.
    Notice = 3,
    /// Normal.
    Info = 4,
    /// For developers.
    Debug = 5,
}

/// How one attempt of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AttemptEnd {
    /// Its process died.
    Lost = 1,
    /// A stop gave it back.
    Postponed = 2,
    /// The runner returned.
    Done = 3,
    /// The runner threw.
    Failed = 4,
    /// It was aborted.
    Aborted = 5,
    /// Its runner asked to go on later.
    Snoozed = 6,
}

/// When a task may start at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTime {
    /// At this moment.
    At(WallMs),
    /// So many milliseconds after it was added. A stored task has the moment in its place.
    After(u64),
    /// At the moment to which a delay or a backoff leads. While the task is paused it stands still.
    Delayed(WallMs),
    /// A hold keeps it until this moment, unless it is released before.
    Held(WallMs),
}

impl StartTime {
    /// The moment, for a task that was added then.
    pub fn moment(self, added_at: WallMs) -> WallMs {
        match self {
            StartTime::At(at) | StartTime::Delayed(at) | StartTime::Held(at) => at,
            // No later than the last moment that a date can say, wherever the clock stands.
            StartTime::After(ms) => added_at.plus(ms).min(WallMs(DATE_MS_MAX as i64)),
        }
    }
}

/// How long a task may wait for its first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTimeout {
    /// How long, in milliseconds.
    pub after_ms: u64,
    /// What becomes of it then.
    pub then: AfterQueueTimeout,
    /// The moment at which the time of a stored task is over; nothing while it does not count, and
    /// once that has had its effect.
    pub ends_at: Option<WallMs>,
}

/// What becomes of a task that has waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterQueueTimeout {
    /// It ends as aborted.
    Abort,
    /// It gets this priority, once.
    Prioritize(Priority),
}

impl QueueTimeout {
    /// The moment at which it is over if it counts from `since`.
    pub fn end(&self, since: WallMs) -> WallMs {
        StartTime::After(self.after_ms).moment(since)
    }
}

/// A task as its caller defines it, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Which runner takes it.
    pub operation: Arc<str>,
    /// What the runner gets; absent if the caller gave none.
    pub data: Option<Json>,
    /// How soon it runs.
    pub priority: Priority,
    /// What few tasks say.
    pub options: SharedOptions,
    /// What its operation decides when it is added; its other fields have what holds if that says
    /// nothing. Nothing in a stored task.
    pub unsaid: Unsaid,
    /// Whether it hangs on something in the memory of the process that adds it. Of a stored task
    /// its lane says so.
    pub is_attached: bool,
}

/// What a task may say besides; `crate::option` has a row for each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskOptions {
    /// The caller's own identity of the task: any JSON.
    pub id: Option<Json>,
    /// What people call it: a JSON text.
    pub label: Option<Json>,
    /// Words to find it by: a JSON list of texts, not empty.
    pub tags: Option<Json>,
    /// The trace in which it was added: JSON.
    pub trace: Option<Json>,
    /// When it may start at the earliest; at once if absent.
    pub start_time: Option<StartTime>,
    /// The tasks that must have ended before it starts.
    pub depends_on: Option<Arc<Dependencies>>,
    /// The task whose run added it.
    pub parent: Option<TaskId>,
    /// The schedule that added it: a JSON text.
    pub schedule_id: Option<Json>,
    /// The tick for which that was.
    pub scheduled_at: Option<WallMs>,
    /// The longest a run may take, from its start.
    pub run_timeout_ms: Option<u64>,
    /// The longest it may wait for its first start.
    pub queue_timeout: Option<QueueTimeout>,
    /// How often it is tried after a failure; once if absent.
    pub retry: Option<Arc<RetryPolicy>>,
    /// How long it is kept after its end; for ever if absent.
    pub retention: Option<Arc<Retention>>,
    /// What a crash means.
    pub on_interrupted: OnInterrupted,
    /// What a stop does while it runs; its operation's or the stop's own choice if absent.
    pub on_stop: Option<OnStop>,
    /// What it means while it waits that the last tasker stops that offers its operation.
    pub on_stop_waiting: OnStopWaiting,
    /// The key that no other task of its operation has meanwhile.
    pub unique: Option<Arc<Unique>>,
    /// What must hold at its start, besides.
    pub conditions: Conditions,
    /// How many of them, the last ones, are the task's own, where others come from its operation
    /// or the store; absent if all are.
    pub own_conditions: Option<usize>,
    /// Since when a stored task is paused that has no run; for any other it says nothing.
    pub paused_at: Option<WallMs>,
}

impl TaskOptions {
    /// What holds for a task that says nothing.
    const DEFAULT: TaskOptions = TaskOptions {
        id: None,
        label: None,
        tags: None,
        trace: None,
        start_time: None,
        depends_on: None,
        parent: None,
        schedule_id: None,
        scheduled_at: None,
        run_timeout_ms: None,
        queue_timeout: None,
        retry: None,
        retention: None,
        on_interrupted: OnInterrupted::Retry,
        on_stop: None,
        on_stop_waiting: OnStopWaiting::Keep,
        unique: None,
        conditions: Conditions::NONE,
        own_conditions: None,
        paused_at: None,
    };

    /// The moment at which a stored task may start at the earliest, if it has one.
    pub fn run_at(&self) -> Option<WallMs> {
        match self.start_time {
            Some(StartTime::At(at) | StartTime::Delayed(at) | StartTime::Held(at)) => Some(at),
            Some(StartTime::After(_)) | None => None,
        }
    }
}

/// The options of a task. Most tasks have none, and these cost them one word; those that come from
/// one default share it. Written to, they become the task's own.
#[derive(Clone, Debug, Default)]
pub struct SharedOptions(Option<Arc<TaskOptions>>);

impl SharedOptions {
    /// Whether nothing was ever said.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// What is left of an earlier pause says nothing of a task that is not paused now.
    pub fn forget_pause(&mut self) {
        if self.paused_at.is_some() {
            self.paused_at = None;
        }
    }

    /// Makes a moment of a start time that counts from `added_at`, and says which it is.
    pub fn fix_start_time(&mut self, added_at: WallMs) -> Option<WallMs> {
        let start_time = self.start_time?;
        let at = start_time.moment(added_at);
        if let StartTime::After(_) = start_time {
            self.start_time = Some(StartTime::Delayed(at));
        }
        Some(at)
    }

    /// Makes a moment of a `queueTimeout` that counts from `since`.
    pub fn begin_queue_timeout(&mut self, since: WallMs) {
        if let Some(timeout) = self.queue_timeout {
            let ends_at = Some(timeout.end(since));
            self.queue_timeout = Some(QueueTimeout { ends_at, ..timeout });
        }
    }
}

impl TaskOptions {
    /// Whether it lapses when the last tasker stops that offers its operation.
    pub fn lapses(&self) -> bool {
        self.on_stop_waiting == OnStopWaiting::Abort
    }

    /// It waits until this moment. If that is its start time, it stays what it is.
    pub fn wait_until(&mut self, at: WallMs) {
        if self.run_at() != Some(at) || self.is_held() {
            self.start_time = Some(StartTime::Delayed(at));
        }
    }
}

impl From<TaskOptions> for SharedOptions {
    fn from(options: TaskOptions) -> Self {
        Self((options != TaskOptions::DEFAULT).then(|| Arc::new(options)))
    }
}

impl Deref for SharedOptions {
    type Target = TaskOptions;

    fn deref(&self) -> &TaskOptions {
        self.0.as_deref().unwrap_or(&TaskOptions::DEFAULT)
    }
}

impl DerefMut for SharedOptions {
    fn deref_mut(&mut self) -> &mut TaskOptions {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl PartialEq for SharedOptions {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Bytes of a uuid in a list.
const DEPENDENCY_BYTES: usize = 39;

impl NewTask {
    /// A task of this operation that has what holds where nobody says anything.
    pub fn new(operation: impl Into<Arc<str>>) -> Self {
        Self {
            operation: operation.into(),
            data: None,
            priority: Priority::default(),
            options: SharedOptions::default(),
            unsaid: Unsaid::NONE,
            is_attached: false,
        }
    }

    /// What must hold when it starts.
    pub fn conditions(&self) -> &Conditions {
        if self.options.is_none() { &Conditions::NONE } else { &self.options.conditions }
    }

    /// Whether it says a key of its own.
    pub fn is_unique(&self) -> bool {
        !self.options.is_none() && self.options.unique.is_some()
    }

    /// Whether it lapses when the last tasker stops that offers its operation.
    pub fn lapses(&self) -> bool {
        !self.options.is_none() && self.options.lapses()
    }

    /// How many bytes of the caller's its start has to bring along.
    pub fn bytes(&self) -> usize {
        let data = self.data.as_ref().map_or(0, Json::len);
        if self.options.is_none() {
            return data;
        }
        let TaskOptions { id, label, tags, trace, schedule_id, .. } = &*self.options;
        let TaskOptions { depends_on, conditions, .. } = &*self.options;
        let dependencies = depends_on.as_ref().map_or(0, |all| all.on.len() * DEPENDENCY_BYTES);
        let texts = [id, label, tags, trace, schedule_id];
        let texts = texts.into_iter().flatten().map(Json::len).sum::<usize>();
        data + texts + dependencies + conditions.bytes()
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// The runner returned this; absent for `undefined`.
    Done(Option<Json>),
    /// The runner threw this error, or the engine gave up.
    Failed(Cause, Json),
    /// It was ended for this reason.
    Aborted(Cause, Json),
}

impl TaskEnd {
    /// The final state.
    pub fn state(&self) -> State {
        match self {
            TaskEnd::Done(_) => State::Done,
            TaskEnd::Failed(..) => State::Failed,
            TaskEnd::Aborted(..) => State::Aborted,
        }
    }

    /// Why, for programs; a task that is done needs no cause.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            TaskEnd::Done(_) => None,
            TaskEnd::Failed(cause, _) | TaskEnd::Aborted(cause, _) => Some(*cause),
        }
    }

    /// How the attempt ended that the task ended with.
    pub fn attempt_end(&self) -> AttemptEnd {
        match (self, self.cause()) {
            (_, Some(Cause::Lost | Cause::Poison)) => AttemptEnd::Lost,
            (TaskEnd::Done(_), _) => AttemptEnd::Done,
            (TaskEnd::Failed(..), _) => AttemptEnd::Failed,
            (TaskEnd::Aborted(..), _) => AttemptEnd::Aborted,
        }
    }

    /// The result, error or reason.
    pub fn payload(&self) -> Option<&Json> {
        match self {
            TaskEnd::Done(result) => result.as_ref(),
            TaskEnd::Failed(_, json) | TaskEnd::Aborted(_, json) => Some(json),
        }
    }
}

/// Why a task is aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortReason {
    /// For programs.
    pub cause: Cause,
    /// What the runner sees as the signal's reason: a JSON error object.
    pub reason: Json,
}

/// A running task that is to go back to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postponement {
    /// When it may start again; at once if absent.
    pub due_at: Option<WallMs>,
    /// What the runner sees as the signal's reason: a JSON error object.
    pub reason: Json,
}

/// How far a run says it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How much is done.
    pub current: f64,
    /// Of how much, if known.
    pub total: Option<f64>,
    /// Of what.
    pub unit: Option<Box<str>>,
}

/// One stored line of a runner's logger.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// Its number among the lines of the task: 1, 2, 3 …
    pub n: u32,
    /// Which attempt wrote it.
    pub attempt: u32,
    /// How grave.
    pub level: Level,
    /// When, by the clock of the runner's process.
    pub at: WallMs,
    /// The text.
    pub message: Box<str>,
    /// The fields, a JSON object.
    pub fields: Option<Json>,
}

/// How often a task has been tried, as far as it counts for what comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts.
    pub attempt: u32,
    /// Failures.
    pub failures: u32,
    /// Losses in a row.
    pub losses: u32,
}

/// What went wrong with an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptError {
    /// Why, for programs.
    pub cause: Cause,
    /// What the runner threw, or the reason of its signal: a JSON error object.
    pub error: Json,
}

impl AttemptError {
    /// Of an attempt that would end its task so.
    pub fn of(end: &TaskEnd) -> Option<Self> {
        match end {
            TaskEnd::Done(_) => None,
            TaskEnd::Failed(cause, error) | TaskEnd::Aborted(cause, error) => {
                Some(Self { cause: *cause, error: error.clone() })
            }
        }
    }
}

/// One attempt of a task, live or over.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// 1, 2, 3 …
    pub attempt: u32,
    /// Its run.
    pub run: RunId,
    /// When it started.
    pub started_at: WallMs,
    /// When it ended, unless it is live.
    pub ended_at: Option<WallMs>,
    /// How it ended, unless it is live.
    pub end: Option<AttemptEnd>,
    /// What went wrong, if something did.
    pub error: Option<AttemptError>,
    /// What the runner returned, if the task was run again after that. The result of the attempt
    /// that ended a task is the task's.
    pub result: Option<Json>,
}

impl Attempt {
    /// Its stored texts.
    pub fn texts(&self) -> impl Iterator<Item = &Json> {
        self.error.as_ref().map(|error| &error.error).into_iter().chain(&self.result)
    }
}

/// A task as it lies in the store, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// Its number in commit order.
    pub seq: Seq,
    /// Its identity.
    pub id: TaskId,
    /// What the caller defined.
    pub def: NewTask,
    /// Where it is.
    pub state: State,
    /// When its `addTask` was committed.
    pub created_at: WallMs,
    /// When its last run started.
    pub started_at: Option<WallMs>,
    /// When it ended.
    pub ended_at: Option<WallMs>,
    /// Attempts started and counted.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Option<TaskEnd>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Whether it runs, and is to pause at its next checkpoint.
    pub is_pausing: bool,
    /// The last attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts before them are not kept.
    pub attempts_left_out: u32,
    /// How often it has changed since an executor outside took it first.
    pub version: u32,
}

impl TaskRecord {
    /// Bytes of its stored texts, but for those of earlier attempts.
    pub fn bytes(&self) -> usize {
        let payload = self.outcome.as_ref().and_then(TaskEnd::payload);
        self.def.bytes() + payload.map_or(0, Json::len)
    }

    /// Whether it has halted at a checkpoint of a live run.
    pub fn has_halted(&self) -> bool {
        let is_live = || self.attempts.last().is_some_and(|attempt| attempt.end.is_none());
        self.state == State::Paused && is_live()
    }

    /// In which part of its life it is.
    pub fn phase(&self) -> Phase {
        if self.has_halted() { Phase::Running } else { self.state.phase() }
    }

    /// The word for `task.status`.
    pub fn status(&self) -> Status {
        if self.has_halted() { Status::Running } else { self.state.status() }
    }
}
