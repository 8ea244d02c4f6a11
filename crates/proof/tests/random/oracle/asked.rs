//! What calls ask for, until they are answered.

use std::sync::Arc;

use tasker_core::hold::{HoldId, HoldQuery};
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::patch::Patch;
use tasker_core::task::{Cause, NewTask, Priority};
use tasker_core::time::WallMs;
use tasker_engine::input::{Input, Question, RetryOptions};

/// What a call asked for, until it is answered.
#[derive(Debug)]
pub(crate) enum Asked {
    Add(Vec<NewTask>),
    Once(Vec<(IdempotencyKey, NewTask)>),
    Keyed(IdempotencyKey),
    Abort(TaskId, Cause),
    Prioritize(TaskId, Priority),
    Retry(TaskId, RetryOptions),
    /// How long the task is to wait.
    Postpone(TaskId, Option<u64>),
    Remove(TaskId),
    Update(TaskId, Patch),
    PauseTask(TaskId),
    ResumeTask(TaskId),
    Watch(TaskId),
    /// It waits until nothing is left to do here.
    Rest,
    Explain(TaskId),
    Figures,
    Hold(HoldQuery, WallMs),
    ReleaseHold(HoldId),
    /// A runner with options.
    Assign(Arc<str>, OperationOptions),
    Define(Arc<str>, OperationOptions),
    Pause(Arc<str>, bool),
    Else,
}

impl Asked {
    /// What this input asks for.
    pub(super) fn of(input: &Input) -> Self {
        match input {
            Input::Add(_, def) => Self::Add(vec![def.clone()]),
            Input::AddMany(_, defs) => Self::Add(defs.clone()),
            Input::AddIdempotent(_, defs) => Self::Once(defs.clone()),
            Input::FindByKey(_, key) => Self::Keyed(*key),
            Input::Abort(_, id, reason) => Self::Abort(*id, reason.cause),
            Input::Prioritize(_, id, priority) => Self::Prioritize(*id, *priority),
            Input::Retry(_, id, options) => Self::Retry(*id, *options),
            Input::PostponeTask(_, id, options) => Self::Postpone(*id, options.delay_ms),
            Input::Remove(_, id) => Self::Remove(*id),
            Input::Update(_, id, update) => Self::Update(*id, update.patch.clone()),
            Input::Pause(_, id) => Self::PauseTask(*id),
            Input::Resume(_, id) => Self::ResumeTask(*id),
            Input::AwaitEnd(_, id) => Self::Watch(*id),
            Input::AwaitIdle(_) => Self::Rest,
            Input::Ask(_, Question::Task(id)) => Self::Explain(*id),
            Input::Ask(_, Question::Metrics { .. }) => Self::Figures,
            Input::Hold(_, query, until, _) => Self::Hold(query.clone(), *until),
            Input::ReleaseHold(_, id) => Self::ReleaseHold(*id),
            Input::Assign(_, name, Some(options)) => Self::Assign(name.clone(), options.clone()),
            Input::Define(_, name, options) => Self::Define(name.clone(), options.clone()),
            Input::PauseOperation(_, name, pauses) => Self::Pause(name.clone(), *pauses),
            _ => Self::Else,
        }
    }

    /// Whether it may be withdrawn.
    pub(super) fn is_wait(&self) -> bool {
        matches!(self, Self::Watch(_) | Self::Rest)
    }
}
