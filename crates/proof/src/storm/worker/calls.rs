//! Calls about tasks that are there.

use tasker_core::argument;
use tasker_core::error::{Error, Result};
use tasker_core::hold::{HeldBy, HoldQuery};
use tasker_core::id::TaskId;
use tasker_core::operation::{OperationOptions, QueueWait, RunTimeout, WHOLE_STORE};
use tasker_core::patch::{self, Patch};
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::rules::{abort_reason, engine_error};
use tasker_core::task::{Cause, OnInterrupted, OnStop};
use tasker_engine::clock::{Clock as _, SystemClock};
use tasker_engine::input::{Input, PostponeOptions, RetryOptions, StopOptions, Update};
use tasker_engine::thread::Read;

use super::super::OPERATIONS;
use super::super::line::Line;
use super::{Call, FOUND, OPEN, UNENDED, Worker};

impl Worker {
    /// Pauses or resumes an operation.
    pub(super) fn pause(&mut self, operation: &str, pauses: bool) {
        self.call(Call::Flag, |ticket| Input::PauseOperation(ticket, operation.into(), pauses));
    }

    /// Says something of an operation: a limit that is not above its own, and what its tasks take.
    pub(super) fn define(&mut self) {
        let (operation, limit) = self.rng.one_of(&OPERATIONS[..3]);
        let options = OperationOptions {
            retention: None,
            conditions: None,
            concurrency: limit.map(|limit| 1 + self.rng.below(limit as usize) as u32),
            priority: self.rng.once_in(2).then(|| self.rng.priority()),
            on_interrupted: self.rng.once_in(2).then_some(OnInterrupted::Retry),
            on_stop: self.rng.pick(OnStop::ALL).copied(),
            on_stop_waiting: None,
            run_timeout: self.rng.once_in(4).then_some(RunTimeout::Ms(1_000)),
            queue_timeout: self.rng.once_in(8).then_some(QueueWait::Off),
            retry: self.rng.once_in(4).then(|| self.rng.retry_policy().into()),
            rate_limit: None,
            circuit_breaker: None,
            executor: None,
        };
        self.call(Call::Other, |ticket| Input::Define(ticket, operation.into(), options));
    }

    /// Says what holds for the tasks that anybody adds from now on.
    pub(super) fn define_all(&mut self) -> Result<()> {
        let options = self.rng.conditions_of_all()?;
        self.call(Call::Other, |ticket| Input::Define(ticket, WHOLE_STORE.into(), options));
        Ok(())
    }

    pub(super) fn prioritize(&mut self, id: TaskId) {
        let to = self.rng.priority();
        self.tell(Line::TryPriority(id, to.get()));
        self.try_call(Call::Prioritize(id, to.get()), |t| Input::Prioritize(t, id, to));
    }

    /// Gives it another priority, if it has not a certain one.
    pub(super) fn update(&mut self, id: TaskId) {
        let to = self.rng.priority();
        let text = argument::priority_text(to);
        let Ok(patch) = Patch::read(&format!(r#"{{"priority":{text}}}"#)) else { return };
        let Ok(only_if) = patch::condition(r#"{"priority":{"$ne":1}}"#) else { return };
        self.tell(Line::TryPriority(id, to.get()));
        let update = Box::new(Update { patch, only_if: Some(only_if) });
        self.try_call(Call::Prioritize(id, to.get()), |t| Input::Update(t, id, update));
    }

    pub(super) fn retry(&mut self, id: TaskId) {
        self.tell(Line::TryRetry(id));
        let delay_ms = self.rng.once_in(2).then(|| 1 + self.rng.below(20) as u64);
        let priority = self.rng.once_in(4).then(|| self.rng.priority());
        if let Some(to) = priority {
            self.tell(Line::TryPriority(id, to.get()));
        }
        let options = RetryOptions { delay_ms, priority };
        self.try_call(Call::Other, |ticket| Input::Retry(ticket, id, options));
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        self.tell(Line::TryRemove(id));
        self.try_call(Call::Flag, |ticket| Input::Remove(ticket, id));
    }

    pub(super) fn postpone(&mut self, id: TaskId) {
        let delay_ms = self.rng.once_in(2).then(|| 1 + self.rng.below(20) as u64);
        let options = PostponeOptions { delay_ms, reason: engine_error("Error", "later") };
        self.call(Call::Flag, |ticket| Input::PostponeTask(ticket, id, options));
    }

    /// Holds some of the tasks that have names for a moment, or releases a hold before its time.
    pub(super) fn hold_or_release(&mut self) {
        if let Some(id) = self.rng.pick(&self.holds).copied().filter(|_| self.rng.once_in(2)) {
            self.holds.retain(|other| *other != id);
            return self.call(Call::Flag, |ticket| Input::ReleaseHold(ticket, id));
        }
        let worker = 1 + self.rng.below(9);
        let texts =
            [r#"{"tags":{"$exists":true}}"#.into(), format!(r#"{{"tags":"worker {worker}"}}"#)];
        let Some(query) = self.rng.pick(&texts).and_then(|text| HoldQuery::read(text).ok()) else {
            return;
        };
        let until = SystemClock::new().now().wall.plus(1 + self.rng.below(200) as u64);
        let by = HeldBy { pid: std::process::id(), task: None };
        self.call(Call::Hold, |ticket| Input::Hold(ticket, query, until, by));
    }

    /// Stops, and starts again once that is answered.
    pub(super) fn stop(&mut self) {
        let on_stop = self.rng.pick(OnStop::ALL).copied();
        let options = StopOptions { on_stop, timeout_ms: Some(20) };
        for slot in self.runs.keys().copied().collect::<Vec<_>>() {
            self.mark_over(slot);
        }
        self.try_call(Call::Stop, |ticket| Input::Stop(ticket, options));
    }

    pub(super) fn abort(&mut self, id: TaskId) {
        let reason = abort_reason(Cause::User, "not now");
        self.call(Call::Abort(id), |ticket| Input::Abort(ticket, id, reason));
    }

    /// Looks for tasks that wait or run, whoever added them.
    pub(super) fn find(&mut self) {
        let (skip, limit) = (self.rng.below(OPEN) as u64, Some(FOUND as u64));
        let Ok(query) = Query::parse(UNENDED) else { return };
        let find = Find { skip, limit, ..Find::all(query) };
        self.read(Call::Find, Read::Find(Box::new(find)));
    }
}

/// The tasks of an array of documents.
pub(super) fn uuids(text: &str) -> Result<Vec<TaskId>> {
    let read = serde_json::from_str::<Vec<serde_json::Value>>(text);
    let tasks = read.map_err(|e| Error::bug("a read gave no array").with_source(e))?;
    let uuid = |task: &serde_json::Value| task["uuid"].as_str()?.parse().ok().map(TaskId);
    Ok(tasks.iter().filter_map(uuid).collect())
}
