//! What keeps a ready task from starting.
//!
//! # Promises
//! - A gate closes everything behind it: one of the process closes every operation, one of an
//!   operation all its lanes. A gate of a lane will close what stands behind its head, for what
//!   holds a task back is the same for every task of a lane.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use crate::reason::Reason;

/// What keeps a ready task from starting, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing is started here.
    Stopped,
    /// This process runs as many as it may.
    ProcessLimit,
    /// The operation is paused, in every process.
    Paused,
    /// The operation has no runner here.
    NoRunner,
    /// Each thread of its runner here has a task.
    Threads,
    /// No executor outside waits here for its tasks.
    Executor,
    /// The operation runs as often as it may, in all processes together (I-6).
    OperationLimit,
    /// The operation has no token left, over all processes together (I-6).
    RateLimit,
    /// The circuit of the operation is open, or half open with as many probes as it needs.
    Circuit,
    /// The tasks of the operation wait here for others that join their batch.
    Batch,
}

impl Gate {
    /// Why a task waits behind it, in the word that users see.
    pub const fn reason(self) -> Reason {
        match self {
            // Where nothing is started, nobody runs what waits.
            Gate::Stopped | Gate::NoRunner => Reason::NoRunner,
            Gate::ProcessLimit | Gate::Threads => Reason::Place,
            Gate::Paused => Reason::Paused,
            Gate::Executor => Reason::Executor,
            Gate::OperationLimit => Reason::Limit,
            Gate::RateLimit => Reason::RateLimit,
            Gate::Circuit => Reason::Circuit,
            Gate::Batch => Reason::Batch,
        }
    }
}
