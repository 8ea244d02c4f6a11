//! What a store keeps of gates that open by time: of each key of a rate limit its arrival, of each
//! key of a circuit breaker its circuit.
//!
//! A row is written once for each turn and key, in the commit of the starts that took the tokens or
//! of the runs that turned the circuit. It needs no guard: it stands in the transaction in which it
//! was looked up.

use crate::circuit::{Circuit, Turned};
use crate::id::OperationId;
use crate::rate::{Arrival, RateKey};
use crate::time::WallMs;

/// The gate of an operation, or of one value of it.
pub type GateId = (OperationId, RateKey);

/// A change of gates.
#[derive(Clone, Debug)]
pub enum GateChange {
    /// Tokens were taken: this is the arrival from now on.
    Arrive(GateId, Arrival),
    /// A circuit is this from now on; what has become of it, if others are to know.
    Turn(GateId, Box<Circuit>, Option<Turned>),
    /// Gates of an operation that rest at this moment are forgotten: at most [`GATES_SWEPT_MAX`].
    Sweep(OperationId, WallMs),
}

impl GateChange {
    /// What has become of a circuit by it, if others are to know.
    pub fn turned(&self) -> Option<Turned> {
        match self {
            Self::Turn(_, _, turned) => *turned,
            Self::Arrive(..) | Self::Sweep(..) => None,
        }
    }
}

/// How many gates one change forgets.
pub const GATES_SWEPT_MAX: usize = 1_024;

/// What a sweep of the gates of an operation would leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatesLeft {
    /// Nothing.
    Nothing,
    /// Gates that do not rest yet, the first of them from then on.
    Busy(WallMs),
    /// Gates that rest: more than one sweep forgets.
    Resting,
}
