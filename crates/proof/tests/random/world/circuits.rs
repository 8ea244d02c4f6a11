//! Circuit breakers of a world.

use std::sync::Arc;

use tasker_core::circuit::{Circuit, CircuitBreaker};
use tasker_core::store::GateId;

use super::World;
use crate::oracle::Gate;

/// All are open for as long, so that a change of one leaves no circuit open for too long. Those by
/// value come in worlds without rate limits, which may be by another one.
const CIRCUITS: [&str; 4] = [
    r#"{"failures":1,"within":500,"openFor":200}"#,
    r#"{"failures":2,"within":3000,"openFor":200,"probes":2}"#,
    r#"{"failures":1,"within":1000,"openFor":200,"by":"data"}"#,
    r#"{"failures":2,"within":5000,"openFor":200,"by":"data","probes":3}"#,
];

impl World {
    /// Some operations have one, in worlds of which the clocks are not set.
    pub(super) fn circuit_breaker(&mut self) -> Option<Arc<CircuitBreaker>> {
        if !self.has_circuits {
            return None;
        }
        let is_keyed = self.has_keyed_circuits && !self.has_rates;
        let known = if is_keyed { &CIRCUITS[..] } else { &CIRCUITS[..2] };
        let text = self.rng.one_of(known);
        let has_one = self.rng.once_in(2);
        has_one.then(|| CircuitBreaker::read(text, "circuitBreaker").unwrap().into())
    }

    fn circuits(&mut self) -> Vec<(Gate, Option<Circuit>)> {
        let Some(engine) = &self.processes[self.me].engine else { return Vec::new() };
        let dispatch = &engine.memory().dispatch;
        let known = self.oracle.circuits_of_all().into_iter().filter_map(|gate| {
            let id: GateId = (dispatch.operation(&gate.0)?, gate.1.clone());
            Some((gate, id))
        });
        let (gates, ids): (Vec<Gate>, Vec<GateId>) = known.unzip();
        let store = self.engine().store().unwrap();
        // Where each call of the store may fail this one may.
        let found = store.begin_read().and_then(|mut read| read.circuits(&ids));
        gates.into_iter().zip(found.unwrap_or_default()).collect()
    }

    /// Takes the store's word of circuits after a commit whose fate was open.
    pub(super) fn resolve_circuits(&mut self) {
        let circuits = self.circuits();
        self.oracle.resolve_circuits(circuits.into_iter());
    }

    /// What is stored of circuits follows from what was told.
    pub(super) fn compare_circuits(&mut self) {
        if self.has_circuits {
            let circuits = self.circuits();
            self.oracle.compare_circuits(circuits.into_iter());
        }
    }
}
