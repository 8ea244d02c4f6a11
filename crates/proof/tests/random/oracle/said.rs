//! What is said of runs, and how a run ends of which it was said.

use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::task::{Cause, TaskEnd};
use tasker_core::time::WallMs;
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::RunEnd;
use tasker_engine::input::{Input, Record, RunSlot};

use super::retries::{Chances, Pause};

/// What a runner or an abort says of a run, in the order in which it was said.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Settle(RunSlot, Settlement),
    Postpone(RunSlot),
    Halt(RunSlot),
    Line(RunSlot, String),
    Abort(TaskId, Cause),
    PutOff(TaskId, Option<u64>),
    Leave(ClientId),
}

/// What an input says of a run.
pub(super) fn said(input: &Input) -> Option<Said> {
    match input {
        Input::Settle(slot, settled) => Some(Said::Settle(*slot, settled.clone())),
        Input::Postpone(slot) => Some(Said::Postpone(*slot)),
        Input::Halt(slot) => Some(Said::Halt(*slot)),
        Input::Record(slot, Record::Log { message, .. }) => {
            Some(Said::Line(*slot, message.to_string()))
        }
        Input::Abort(_, id, reason) => Some(Said::Abort(*id, reason.cause)),
        Input::PostponeTask(_, id, options) => Some(Said::PutOff(*id, options.delay_ms)),
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
    Retrying(Pause),
    Snoozed(u64),
    Postponed,
    /// Given back because a call asked for it: until when.
    PutOff(Option<WallMs>),
    Fenced,
}

impl Expected {
    /// Whether a run has ended so.
    pub(super) fn is_met_by(self, end: &RunEnd) -> bool {
        match end {
            RunEnd::Done => self == Self::Done,
            RunEnd::Failed(cause) => self == Self::Failed(*cause),
            RunEnd::Aborted(abort) => self == Self::Aborted(abort.cause),
            // When is told, and compared, by itself.
            RunEnd::Retrying(..) => matches!(self, Self::Retrying(_)),
            RunEnd::Snoozed => matches!(self, Self::Snoozed(_)),
            RunEnd::Postponed(None) => self == Self::Postponed,
            RunEnd::Postponed(Some(_)) => matches!(self, Self::PutOff(_)),
            RunEnd::Fenced => self == Self::Fenced,
        }
    }

    /// Whether the task waits again after such an end.
    pub(super) fn is_wait(self) -> bool {
        matches!(self, Self::Retrying(_) | Self::Snoozed(_) | Self::Postponed | Self::PutOff(_))
    }
}

/// How a run ends of which this was said, after its signal fired for this cause.
pub(super) fn end_of(
    said: Said,
    fired: Option<Cause>,
    chances: Chances,
) -> (Expected, Option<TaskEnd>) {
    let after_timeout = chances.on_timeout.filter(|_| fired == Some(Cause::RunTimeout));
    let settled = match (said, fired) {
        (Said::Settle(_, settled), _) => settled,
        (_, Some(_)) => {
            return (after_timeout.map_or(Expected::Fenced, Expected::Retrying), None);
        }
        (_, None) => return (Expected::Postponed, None),
    };
    let own_pause = match settled {
        Settlement::RetryLater(_, ms) | Settlement::Snoozed(ms) => Some((ms, ms)),
        _ => None,
    };
    match (settled, fired) {
        (Settlement::Returned(result), _) => (Expected::Done, Some(TaskEnd::Done(result))),
        (Settlement::Unstorable(error), _) => {
            let cause = Cause::Unstorable;
            (Expected::Failed(cause), Some(TaskEnd::Failed(cause, error)))
        }
        (Settlement::Unrecoverable(_), Some(cause)) => (Expected::Aborted(cause), None),
        (_, Some(cause)) => match after_timeout {
            Some(pause) => (Expected::Retrying(own_pause.unwrap_or(pause)), None),
            None => (Expected::Aborted(cause), None),
        },
        (Settlement::Snoozed(ms), None) => (Expected::Snoozed(ms), None),
        (Settlement::Unrecoverable(error), None) => failed(error),
        (Settlement::Threw(error) | Settlement::RetryLater(error, _), None) => {
            match chances.on_error {
                Some(pause) => (Expected::Retrying(own_pause.unwrap_or(pause)), None),
                None => failed(error),
            }
        }
    }
}

fn failed(error: tasker_core::task::Json) -> (Expected, Option<TaskEnd>) {
    (Expected::Failed(Cause::Error), Some(TaskEnd::Failed(Cause::Error, error)))
}
