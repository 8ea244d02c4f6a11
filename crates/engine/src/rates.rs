//! What the tokens of rate limits leave in the store, and when gates are forgotten.
//!
//! # Promises
//! - A token is taken in the commit of the start that takes it, one row for each key and turn.
//! - Gates that rest are forgotten: a timer looks at those of an operation, some at a turn, for as
//!   long as there are any.
//!
//! # Left to others
//! Who may start: `core::dispatch`. When the next token comes: `turn`.
//!
//! Proof: `proof/tests/engine/rates.rs`, `proof/tests/random`.

use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::store::{Change, GateChange, GatesLeft};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use crate::draft::Planner;

/// The looks at the gates of an operation lie on multiples of this, so that processes share them.
const SWEEP_EVERY_MS: i64 = 60_000;
/// A look that is this near may be over before what is written now is committed.
const SWEEP_SOON_MS: u64 = 10_000;

/// The first moment for a look behind this one.
fn next_look(after: WallMs) -> WallMs {
    WallMs((after.0.div_euclid(SWEEP_EVERY_MS) + 1).saturating_mul(SWEEP_EVERY_MS))
}

impl Planner<'_> {
    /// Writes what is left of the tokens after the starts of this turn, and what circuits are.
    pub(crate) fn write_gates(&mut self) {
        for (gate, arrival) in self.dispatch.arrivals() {
            let operation = gate.0;
            self.draft.changes.push(Change::Gate(GateChange::Arrive(gate, arrival)));
            self.look_at_gates_of(operation, arrival.rests_at());
        }
        self.write_circuits();
    }

    /// Somebody looks at the gates of an operation, of which one rests then, if nobody does so in
    /// any case before long.
    pub(crate) fn look_at_gates_of(&mut self, operation: OperationId, rests_at: WallMs) {
        let soon = self.now.wall.plus(SWEEP_SOON_MS);
        let known = self.memory.gate_looks.get(&operation);
        let look = self.draft.gate_looks.get(&operation).or(known);
        let after = rests_at.max(soon);
        if look.is_none_or(|at| *at < soon || *at > next_look(after)) {
            self.look_at_gates(operation, after);
        }
    }

    /// Forgets the gates of an operation that rest. Stands behind the change that forgets timers.
    pub(crate) fn sweep_gates(&mut self, operation: OperationId, left: GatesLeft) {
        let now = self.now.wall;
        self.draft.changes.push(Change::Gate(GateChange::Sweep(operation, now)));
        match left {
            GatesLeft::Nothing => {}
            GatesLeft::Busy(rests_at) => {
                self.look_at_gates(operation, rests_at.max(now.plus(SWEEP_SOON_MS)));
            }
            GatesLeft::Resting => self.set_gate_timer(operation, WallMs::FIRST),
        }
    }

    /// Somebody looks at the gates of an operation at the first moment for that behind this one.
    fn look_at_gates(&mut self, operation: OperationId, after: WallMs) {
        let at = next_look(after);
        self.draft.gate_looks.insert(operation, at);
        self.set_gate_timer(operation, at);
    }

    fn set_gate_timer(&mut self, operation: OperationId, at: WallMs) {
        let timer = Timer { at, kind: TimerKind::Gate, seq: Seq(operation.0.into()) };
        self.draft.changes.push(Change::Timer { timer, lane: LaneId(0) });
        self.wake_at(Some(at));
    }
}
