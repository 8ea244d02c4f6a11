//! Writes the gates of rate limits and of circuit breakers.

use tasker_core::store::{GATES_SWEPT_MAX, GateChange};

use super::{Kind, Rows, Writing};
use crate::sql;

impl Writing<'_> {
    /// Tokens were taken, a circuit is another one, or gates that rest are forgotten.
    pub(super) fn gate(&mut self, change: &GateChange) -> Rows {
        match change {
            GateChange::Arrive((operation, key), arrival) => {
                let part =
                    (arrival.part > 0).then(|| format!("{}/{}", arrival.part, arrival.parts));
                let row = (operation.0, &**key, arrival.at.0, part);
                self.statement(Kind::GatePut)?.execute(row)
            }
            GateChange::Turn((operation, key), circuit, _) => {
                let row = (operation.0, &**key, circuit.rests_at.0, circuit.to_json());
                self.statement(Kind::CircuitPut)?.execute(row)
            }
            GateChange::Sweep(operation, now) => {
                let row = (operation.0, now.0, GATES_SWEPT_MAX as i64);
                self.connection.prepare_cached(sql::GATE_SWEEP)?.execute(row)?;
                Ok(1)
            }
        }
    }
}
