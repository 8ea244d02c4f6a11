//! What is said of runs, and how a run ends of which it was said.

use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::task::{Cause, TaskEnd};
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::RunEnd;
use tasker_engine::input::{Input, Record, RunSlot};

/// What a runner or an abort says of a run, in the order in which it was said.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Settle(RunSlot, Settlement),
    Postpone(RunSlot),
    Line(RunSlot, String),
    Abort(TaskId, Cause),
    Leave(ClientId),
}

/// What an input says of a run.
pub(super) fn said(input: &Input) -> Option<Said> {
    match input {
        Input::Settle(slot, settled) => Some(Said::Settle(*slot, settled.clone())),
        Input::Postpone(slot) => Some(Said::Postpone(*slot)),
        Input::Record(slot, Record::Log { message, .. }) => {
            Some(Said::Line(*slot, message.to_string()))
        }
        Input::Abort(_, id, reason) => Some(Said::Abort(*id, reason.cause)),
        Input::Leave(client) => Some(Said::Leave(*client)),
        _ => None,
    }
}

/// How a run must end. The reason of an abort is whatever its signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Done,
    Failed(Cause),
    Aborted(Cause),
    Postponed,
    Fenced,
}

impl Expected {
    pub(super) fn of(end: &RunEnd) -> Self {
        match end {
            RunEnd::Done => Self::Done,
            RunEnd::Failed(cause) => Self::Failed(*cause),
            RunEnd::Aborted(abort) => Self::Aborted(abort.cause),
            RunEnd::Postponed => Self::Postponed,
            RunEnd::Fenced => Self::Fenced,
        }
    }
}

/// How a run ends of which this was said, after its signal fired for this cause.
pub(super) fn end_of(said: Said, fired: Option<Cause>) -> (Expected, Option<TaskEnd>) {
    let settled = match (said, fired) {
        (Said::Settle(_, settled), _) => settled,
        (_, Some(_)) => return (Expected::Fenced, None),
        (_, None) => return (Expected::Postponed, None),
    };
    match (settled, fired) {
        (Settlement::Returned(result), _) => (Expected::Done, Some(TaskEnd::Done(result))),
        (Settlement::Threw(_), Some(cause)) => (Expected::Aborted(cause), None),
        (Settlement::Threw(error), None) => {
            (Expected::Failed(Cause::Error), Some(TaskEnd::Failed(Cause::Error, error)))
        }
        (Settlement::Unstorable(error), _) => {
            let cause = Cause::Unstorable;
            (Expected::Failed(cause), Some(TaskEnd::Failed(cause, error)))
        }
    }
}
