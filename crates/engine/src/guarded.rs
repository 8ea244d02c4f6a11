//! What is known of runs whose operations have a circuit breaker, and what becomes of circuits.
//!
//! Proof: as of `circuits`.

use std::sync::Arc;

use tasker_core::circuit::{Circuit, GuardedRun, Turned};
use tasker_core::rate::RateKey;
use tasker_core::retry::AfterRun;
use tasker_core::store::GateId;
use tasker_core::task::{AttemptEnd, Cause, Json, TaskEnd};
use tasker_core::time::WallMs;

use crate::input::RunSlot;

/// Under which key a run began, and in which batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The key of its circuit.
    pub key: RateKey,
    /// The number of the batch.
    pub began: u64,
}

/// A run that is over, for its circuit.
#[derive(Debug)]
pub(crate) struct GuardedEnd {
    /// Nothing if it was of a process that has died.
    pub(crate) slot: Option<RunSlot>,
    pub(crate) gate: GateId,
    pub(crate) run: GuardedRun,
    pub(crate) how: How,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum How {
    Succeeded,
    /// With this error.
    Failed(Json),
    /// It says nothing of what it was to do.
    Otherwise,
}

impl How {
    pub(crate) fn of(after: &AfterRun) -> Self {
        match after {
            AfterRun::End(TaskEnd::Done(_)) => Self::Succeeded,
            AfterRun::End(TaskEnd::Failed(_, error)) => Self::Failed(error.clone()),
            AfterRun::End(TaskEnd::Aborted(Cause::RunTimeout, error)) => {
                Self::Failed(error.clone())
            }
            AfterRun::End(TaskEnd::Aborted(..)) => Self::Otherwise,
            AfterRun::Again(again) => match (again.end, &again.error) {
                (AttemptEnd::Failed | AttemptEnd::Aborted, Some(error)) => {
                    Self::Failed(error.error.clone())
                }
                (
                    AttemptEnd::Done
                    | AttemptEnd::Failed
                    | AttemptEnd::Aborted
                    | AttemptEnd::Lost
                    | AttemptEnd::Postponed
                    | AttemptEnd::Snoozed,
                    _,
                ) => Self::Otherwise,
            },
        }
    }
}

/// What a turn makes of a circuit.
#[derive(Debug)]
pub(crate) struct TurnedCircuit {
    pub(crate) circuit: Circuit,
    /// What has become of it, if something has.
    pub(crate) turned: Option<Turned>,
    /// The error that has opened it.
    pub(crate) error: Option<Json>,
}

/// What is told of a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitNews {
    /// Of which operation.
    pub operation: Arc<str>,
    /// Of which value of its tasks; empty if of none.
    pub key: RateKey,
    /// What has become of it.
    pub turned: Turned,
    /// Until when it is open, if it is.
    pub until: Option<WallMs>,
    /// The error that has opened it.
    pub error: Option<Json>,
}
