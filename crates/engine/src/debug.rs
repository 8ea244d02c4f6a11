//! What the engine does, in words for a person who looks for a fault: `TASKER_DEBUG=1` prints it.
//! Payloads are left out, for they may be secret.

use crate::effect::{Effect, RemoteEvent};
use crate::input::Input;

/// Says what a turn was asked to do.
#[expect(clippy::wildcard_enum_match_arm, reason = "not everything is worth a line")]
pub(crate) fn trace_inputs(inputs: &[Input]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for input in inputs {
        match input {
            Input::Assign(_, operation, _) => tracing::debug!(%operation, "runner assigned"),
            Input::Unassign(_, operation) => tracing::debug!(%operation, "runner unassigned"),
            Input::Define(_, operation, options) => {
                tracing::debug!(%operation, ?options, "define operation");
            }
            Input::PauseOperation(_, operation, pauses) => {
                tracing::debug!(%operation, pauses, "pause or resume operation");
            }
            Input::Start(_) => tracing::debug!("start"),
            Input::Stop(_, options) => tracing::debug!(?options, "stop"),
            Input::Close(_, options) => tracing::debug!(?options, "close"),
            Input::Add(_, task) => tracing::debug!(operation = %task.operation, "add"),
            Input::AddMany(_, tasks) => tracing::debug!(tasks = tasks.len(), "add many"),
            Input::AddIdempotent(_, tasks) => tracing::debug!(tasks = tasks.len(), "add by key"),
            Input::Abort(_, id, reason) => {
                tracing::debug!(uuid = %id.0, cause = reason.cause.as_str(), "abort");
            }
            Input::Retry(_, id, _) => tracing::debug!(uuid = %id.0, "retry"),
            Input::PostponeTask(_, id, _) => tracing::debug!(uuid = %id.0, "postpone"),
            Input::Update(_, id, _) => tracing::debug!(uuid = %id.0, "update"),
            Input::Bulk(_, bulk) => tracing::debug!(tasks = bulk.seqs.len(), "bulk"),
            Input::Remove(_, id) => tracing::debug!(uuid = %id.0, "remove"),
            Input::Leave(client) => tracing::debug!(?client, "a client has gone"),
            Input::AwaitEnd(_, id) => tracing::debug!(uuid = %id.0, "wait"),
            _ => {}
        }
    }
}

/// Says what is told.
#[expect(clippy::wildcard_enum_match_arm, reason = "not everything is worth a line")]
pub(crate) fn trace_effects(effects: &[Effect]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for effect in effects {
        match effect {
            Effect::Start(run) => {
                let (slot, uuid, attempt) = (run.slot, run.id.0, run.attempt);
                tracing::debug!(slot, %uuid, operation = %run.operation, attempt, "run started");
            }
            Effect::RunEnded(slot, how) => tracing::debug!(slot, ?how, "run ended"),
            Effect::TaskEnded(id, _) => {
                tracing::debug!(uuid = %id.0, "task ended without its runner");
            }
            Effect::Abort(slot, _) => tracing::debug!(slot, "signal fired"),
            Effect::Refuse(_, error) => {
                tracing::debug!(code = error.code().as_str(), "refused: {}", error.message());
            }
            Effect::Remote(_, RemoteEvent::Missed(batches)) => {
                tracing::debug!(batches, "events of other processes missed");
            }
            Effect::Closed(Some(error)) => {
                tracing::error!(code = error.code().as_str(), "closed: {}", error.message());
            }
            Effect::Closed(None) => tracing::debug!("closed"),
            _ => {}
        }
    }
}
