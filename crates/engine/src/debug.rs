//! What the engine does, in words for a person: a tasker's `logger` gets it, `TASKER_DEBUG=1`
//! prints it. Payloads are left out, for they may be secret.

use tasker_core::task::OnStop;

use crate::effect::{Effect, RemoteEvent};
use crate::guarded::CircuitNews;
use crate::input::{Input, StopOptions};

/// Says what a turn was asked to do.
#[expect(clippy::wildcard_enum_match_arm, reason = "not everything is worth a line")]
pub(crate) fn trace_inputs(inputs: &[Input]) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    for input in inputs {
        match input {
            Input::Start(_) => tracing::info!("start"),
            Input::Stop(_, options) => say_stop("stop", options),
            Input::Close(_, options) => say_stop("close", options),
            _ => {}
        }
    }
    trace_small_inputs(inputs);
}

fn say_stop(what: &str, options: &StopOptions) {
    let StopOptions { on_stop, timeout_ms } = *options;
    let on_stop = on_stop.map(OnStop::as_str);
    tracing::info!("onStop" = on_stop, "timeoutMs" = timeout_ms, "{what}");
}

/// Says those of which there may be thousands in a second.
#[expect(clippy::wildcard_enum_match_arm, reason = "not everything is worth a line")]
fn trace_small_inputs(inputs: &[Input]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for input in inputs {
        match input {
            Input::Assign(_, operation, _) | Input::AssignBatch(_, operation, ..) => {
                tracing::debug!(%operation, "runner assigned");
            }
            Input::Threads(_, operation, threads) => {
                tracing::debug!(%operation, threads, "threads");
            }
            Input::Unassign(_, operation) => tracing::debug!(%operation, "runner unassigned"),
            Input::Define(_, operation, options) => {
                tracing::debug!(%operation, ?options, "define operation");
            }
            Input::PauseOperation(_, operation, pauses) => {
                tracing::debug!(%operation, pauses, "pause or resume operation");
            }
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
    if !tracing::enabled!(tracing::Level::ERROR) {
        return;
    }
    for effect in effects {
        match effect {
            Effect::Closed(Some(error)) => {
                tracing::error!(code = error.code().as_str(), "closed: {}", error.message());
            }
            Effect::Closed(None) => tracing::info!("closed"),
            Effect::Remote(_, RemoteEvent::Missed(commits)) => {
                tracing::warn!(commits, "events of other processes missed");
            }
            Effect::Circuit(CircuitNews { operation, turned, .. }) => {
                let word = turned.as_str();
                tracing::warn!(%operation, "the circuit is {word}");
            }
            Effect::OperationChanged(_, operation, ..) => {
                tracing::warn!(%operation, "another process assigns it with other options");
            }
            _ => {}
        }
    }
    trace_small_effects(effects);
}

/// Says those of which there may be thousands in a second.
#[expect(clippy::wildcard_enum_match_arm, reason = "not everything is worth a line")]
fn trace_small_effects(effects: &[Effect]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for effect in effects {
        match effect {
            Effect::Start(run) => {
                let (slot, uuid, attempt) = (run.slot, run.id.0, run.attempt);
                tracing::debug!(slot, %uuid, operation = %run.operation, attempt, "run started");
            }
            Effect::Batch(slot, tasks) => tracing::debug!(slot, tasks, "a batch follows"),
            Effect::RunEnded(slot, how) => tracing::debug!(slot, ?how, "run ended"),
            Effect::TaskEnded(id, _) => {
                tracing::debug!(uuid = %id.0, "task ended without its runner");
            }
            Effect::Abort(slot, _) => tracing::debug!(slot, "signal fired"),
            Effect::Refuse(_, error) => {
                tracing::debug!(code = error.code().as_str(), "refused: {}", error.message());
            }
            _ => {}
        }
    }
}
