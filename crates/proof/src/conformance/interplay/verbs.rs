//! Every verb that is built, and how it is used on a task in whatever state.

use tasker_core::backoff::{Backoff, BackoffKind, RetryPolicy};
use tasker_core::error::Result;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::limits;
use tasker_core::operation::{OperationOptions, QueueWait, RunTimeout};
use tasker_core::patch::{self, Patch};
use tasker_core::retention::Retention;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Json, NewTask, OnInterrupted, OnStop, OnStopWaiting, Priority, QueueTimeout,
    StartTime,
};
use tasker_engine::input::{Input, PostponeOptions, RetryOptions, StopOptions, Ticket, Update};

use super::stage::{LEASE_MS, Stage, aborting};

const TIMEOUT_MS: u64 = 1_000;
const RETENTION_MS: u64 = 1_000;
/// A start time that no other verb reaches.
pub(super) const DELAY_MS: u64 = 1_000_000;

/// Changes a task that waits, if it is one whose number is above 0.
fn update(stage: &mut Stage, patch: &str) -> Result<Option<Ticket>> {
    let only_if = Some(patch::condition(r#"{"seq":{"$gt":0}}"#)?);
    let (id, update) = (stage.id(), Update { patch: Patch::read(patch)?, only_if });
    stage.call(|ticket| Input::Update(ticket, id, Box::new(update))).map(Some)
}

/// A verb that is built.
pub(super) struct BuiltVerb {
    /// The name of its row.
    pub(super) name: &'static str,
    /// What the task must be like for it.
    pub(super) define: fn(&mut NewTask),
    /// How many runs in a row the task has lost before.
    pub(super) losses: u32,
    /// Whether the task depends on another one, in whatever state it is.
    pub(super) is_dependent: bool,
    /// Whether the task is attached to its tasker.
    pub(super) is_attached: bool,
    /// Uses it; the ticket of the call, if it is one.
    pub(super) act: fn(&mut Stage) -> Result<Option<Ticket>>,
}

const fn verb(name: &'static str, act: fn(&mut Stage) -> Result<Option<Ticket>>) -> BuiltVerb {
    let define = |_: &mut NewTask| ();
    BuiltVerb { name, define, losses: 0, is_dependent: false, is_attached: false, act }
}

impl BuiltVerb {
    const fn of(self, define: fn(&mut NewTask)) -> Self {
        Self { define, ..self }
    }

    const fn dependent(self) -> Self {
        Self { is_dependent: true, ..self }
    }

    const fn attached(self) -> Self {
        Self { is_attached: true, ..self }
    }

    const fn after(self, losses: u32) -> Self {
        Self { losses, ..self }
    }
}

pub(super) const VERBS: &[BuiltVerb] = &[
    verb("add", |stage| {
        let def = stage.definition();
        stage.call(|ticket| Input::Add(ticket, def)).map(Some)
    }),
    verb("add, start time", |stage| {
        let mut def = stage.definition();
        def.options.start_time = Some(StartTime::After(DELAY_MS));
        stage.call(|ticket| Input::Add(ticket, def)).map(Some)
    }),
    verb("add, dependencies", |stage| {
        let mut def = stage.definition();
        stage.depend(&mut def, false)?;
        stage.forget();
        stage.call(|ticket| Input::Add(ticket, def)).map(Some)
    }),
    verb("unblock", |stage| silent(stage.end_dependency(Settlement::Returned(None)))).dependent(),
    verb("orphan", |stage| silent(stage.end_dependency(Settlement::Unrecoverable(error()))))
        .dependent(),
    verb("add, known key", |stage| stage.add_under_key(stage.definition()).map(Some)),
    verb("add, unique", |stage| add_unique(stage, OnConflict::Return)).of(unique),
    verb("add, unique, replace", |stage| add_unique(stage, OnConflict::Replace)).of(unique),
    verb("add, unique, reject", |stage| add_unique(stage, OnConflict::Reject)).of(unique),
    verb("abort", |stage| {
        let id = stage.id();
        stage.call(|ticket| aborting(ticket, id)).map(Some)
    }),
    verb("prioritize", |stage| {
        let (id, priority) = (stage.id(), Priority::new(7.0)?);
        stage.call(|ticket| Input::Prioritize(ticket, id, priority)).map(Some)
    }),
    verb("update", |stage| update(stage, r#"{"label":"new","priority":7}"#)),
    verb("update, delay", |stage| update(stage, r#"{"delay":1000000}"#)),
    verb("update, at once", |stage| update(stage, r#"{"runAt":-5}"#)),
    verb("await end", |stage| {
        let id = stage.id();
        stage.call(|ticket| Input::AwaitEnd(ticket, id)).map(Some)
    }),
    verb("define operation", |stage| {
        stage.say(|ticket, name| Input::Define(ticket, name, said())).map(Some)
    }),
    verb("pause operation", |stage| {
        let ticket = stage.say(|ticket, name| Input::PauseOperation(ticket, name, true))?;
        stage.assign()?;
        Ok(Some(ticket))
    }),
    verb("resume operation", |stage| {
        stage.say(|ticket, name| Input::PauseOperation(ticket, name, true))?;
        stage.assign()?;
        stage.say(|ticket, name| Input::PauseOperation(ticket, name, false)).map(Some)
    }),
    verb("pause", |stage| {
        let ticket = pause(stage)?;
        stage.reach_checkpoint()?;
        Ok(Some(ticket))
    }),
    verb("resume", |stage| {
        let id = stage.id();
        stage.call(|ticket| Input::Resume(ticket, id)).map(Some)
    }),
    verb("start", |stage| silent(stage.begin())),
    verb("return", |stage| silent(stage.settle(Settlement::Returned(None)))),
    verb("throw", |stage| silent(stage.settle(Settlement::Threw(error())))),
    verb("throw, attempts left", |stage| silent(stage.settle(Settlement::Threw(error()))))
        .of(tried),
    verb("snooze", |stage| silent(stage.settle(Settlement::Snoozed(DELAY_MS)))),
    verb("retry", |stage| {
        let id = stage.id();
        stage.call(|ticket| Input::Retry(ticket, id, RetryOptions::default())).map(Some)
    }),
    verb("postpone task", |stage| {
        let id = stage.id();
        let options = PostponeOptions { delay_ms: Some(2 * DELAY_MS), reason: error() };
        stage.call(|ticket| Input::PostponeTask(ticket, id, options)).map(Some)
    }),
    verb("postpone task, at once", |stage| {
        let id = stage.id();
        let options = PostponeOptions { delay_ms: None, reason: error() };
        stage.call(|ticket| Input::PostponeTask(ticket, id, options)).map(Some)
    }),
    verb("remove", |stage| {
        let id = stage.id();
        stage.call(|ticket| Input::Remove(ticket, id)).map(Some)
    }),
    verb("purge", |stage| silent(stage.advance(2 * RETENTION_MS)))
        .of(|def| def.options.retention = Retention::after(RETENTION_MS).shared()),
    verb("unstorable", |stage| silent(stage.settle(Settlement::Unstorable(error())))),
    verb("postpone", |stage| silent(stage.turn(vec![Input::Postpone(stage.slot())]))),
    verb("stop, wait", |stage| stop(stage, OnStop::Wait)),
    verb("stop, postpone", |stage| stop(stage, OnStop::Postpone)),
    verb("stop, abort", |stage| stop(stage, OnStop::Abort)),
    verb("stop, wait, time over", |stage| stop_in_time(stage, OnStop::Wait)),
    verb("stop, abort, time over", |stage| stop_in_time(stage, OnStop::Abort)),
    verb("stop, abort waiting", |stage| {
        // It is offered, and nothing of it starts.
        stage.say(|ticket, name| Input::PauseOperation(ticket, name, true))?;
        stage.assign()?;
        stop(stage, OnStop::Wait)
    })
    .of(|def| def.options.on_stop_waiting = OnStopWaiting::Abort),
    verb("run timeout", |stage| silent(stage.advance(TIMEOUT_MS))).of(short),
    verb("run timeout, grace over", |stage| {
        stage.advance(TIMEOUT_MS)?;
        silent(stage.advance(limits::RUN_TIMEOUT_GRACE_MS))
    })
    .of(short),
    verb("run timeout, attempts left", |stage| {
        stage.advance(TIMEOUT_MS)?;
        silent(stage.advance(limits::RUN_TIMEOUT_GRACE_MS))
    })
    .of(|def| {
        short(def);
        tried(def);
    }),
    verb("claim", |stage| silent(stage.claim())),
    verb("start, outside", |stage| stage.begin_outside().map(Some)),
    verb("report, outside", |stage| {
        let (id, run) = (stage.id(), stage.outside());
        stage.call(|ticket| Input::Renew(ticket, id, run, None)).map(Some)
    }),
    verb("return, outside", |stage| settle_outside(stage, Settlement::Returned(None))),
    verb("throw, outside", |stage| settle_outside(stage, Settlement::Threw(error()))),
    verb("unclaim", |stage| {
        let claims = vec![(stage.id(), stage.outside())];
        silent(stage.turn(vec![Input::GiveBack(claims)]))
    }),
    // Nothing else is to be due.
    verb("lease over", |stage| {
        if stage.has_outside() {
            stage.advance(LEASE_MS)?;
        }
        Ok(None)
    }),
    verb("due", |stage| silent(stage.advance(DELAY_MS))),
    verb("due, place free", |stage| {
        // What is ready has no place, or it would run already.
        if stage.record()?.is_some_and(|task| task.state == State::Delayed) {
            stage.assign()?;
        }
        silent(stage.advance(DELAY_MS))
    }),
    verb("hold", |stage| {
        stage.hold(DELAY_MS)?;
        silent(stage.assign())
    }),
    verb("release hold", |stage| {
        stage.hold(DELAY_MS)?;
        silent(stage.release())
    }),
    verb("queue timeout", |stage| silent(stage.advance(2 * TIMEOUT_MS))).of(|def| {
        queued_shortly(def, AfterQueueTimeout::Abort);
    }),
    verb("queue timeout, priority", |stage| silent(stage.advance(2 * TIMEOUT_MS))).of(|def| {
        queued_shortly(def, AfterQueueTimeout::Prioritize(Priority::MAX));
    }),
    verb("lost", lose).of(|def| def.options.on_interrupted = OnInterrupted::Retry),
    verb("lost, abort", lose).of(|def| def.options.on_interrupted = OnInterrupted::Abort),
    verb("lost, fail", lose).of(|def| def.options.on_interrupted = OnInterrupted::Fail),
    verb("lost, third time", lose)
        .of(|def| def.options.on_interrupted = OnInterrupted::Retry)
        .after(limits::LOSSES_MAX - 1),
    verb("lost, attached", lose).attached(),
    verb("close, attached", |stage| {
        let options = StopOptions { on_stop: Some(OnStop::Wait), timeout_ms: Some(TIMEOUT_MS) };
        stage.call(|ticket| Input::Close(ticket, options)).map(Some)
    })
    .attached(),
];

fn settle_outside(stage: &mut Stage, settlement: Settlement) -> Result<Option<Ticket>> {
    let (id, run) = (stage.id(), stage.outside());
    stage.call(|ticket| Input::SettleOutside(ticket, id, run, settlement)).map(Some)
}

/// Pauses the task of the stage.
pub(super) fn pause(stage: &mut Stage) -> Result<Ticket> {
    let id = stage.id();
    stage.call(|ticket| Input::Pause(ticket, id))
}

/// A verb that nobody called.
fn silent(done: Result<()>) -> Result<Option<Ticket>> {
    done.map(|()| None)
}

/// With a key of its own until it ends.
fn unique(def: &mut NewTask) {
    say_key(def, OnConflict::Return);
}

fn say_key(def: &mut NewTask, on_conflict: OnConflict) {
    let (key, hold, ttl_ms) = ("key".into(), UniqueWhile::Unfinished, None);
    def.options.unique = Some(Unique { key, hold, ttl_ms, on_conflict }.into());
}

fn add_unique(stage: &mut Stage, on_conflict: OnConflict) -> Result<Option<Ticket>> {
    let mut def = stage.definition();
    say_key(&mut def, on_conflict);
    stage.call(|ticket| Input::Add(ticket, def)).map(Some)
}

fn error() -> Json {
    Json::trusted("{}")
}

/// Something of each option.
fn said() -> OperationOptions {
    OperationOptions {
        priority: Some(Priority::MAX),
        run_timeout: Some(RunTimeout::Ms(1)),
        queue_timeout: Some(QueueWait::Off),
        retry: retry::read("3", "retry").ok().map(Into::into),
        on_interrupted: Some(OnInterrupted::Fail),
        on_stop: Some(OnStop::Abort),
        ..OperationOptions::at_once(1)
    }
}

fn short(def: &mut NewTask) {
    def.options.run_timeout_ms = Some(TIMEOUT_MS);
}

/// It may wait for one `TIMEOUT_MS`, and its start time is no further away.
fn queued_shortly(def: &mut NewTask, then: AfterQueueTimeout) {
    if def.options.start_time.is_some() {
        def.options.start_time = Some(StartTime::After(TIMEOUT_MS));
    }
    let (after_ms, ends_at) = (TIMEOUT_MS, None);
    def.options.queue_timeout = Some(QueueTimeout { after_ms, then, ends_at });
}

/// Tried again after whatever fails, but not soon.
fn tried(def: &mut NewTask) {
    let (kind, delay_ms, jitter) = (BackoffKind::Fixed, DELAY_MS, 0.0);
    let backoff = Some(Backoff { kind, delay_ms, factor: None, max_ms: None, jitter });
    let (on_error, on_timeout) = (true, true);
    def.options.retry = Some(RetryPolicy { attempts: 2, backoff, on_error, on_timeout }.into());
}

fn stop(stage: &mut Stage, on_stop: OnStop) -> Result<Option<Ticket>> {
    let options = StopOptions { on_stop: Some(on_stop), timeout_ms: Some(TIMEOUT_MS) };
    stage.call(|ticket| Input::Stop(ticket, options)).map(Some)
}

fn stop_in_time(stage: &mut Stage, on_stop: OnStop) -> Result<Option<Ticket>> {
    let ticket = stop(stage, on_stop)?;
    stage.advance(TIMEOUT_MS)?;
    Ok(ticket)
}

fn lose(stage: &mut Stage) -> Result<Option<Ticket>> {
    stage.die();
    Ok(None)
}
