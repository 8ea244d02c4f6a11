//! Rate limits of a world.

use std::sync::Arc;

use tasker_core::rate::RateLimit;
use tasker_core::store::GateId;

use super::World;

/// A whole burst comes back in the same time for all of them, so that a change of one puts no
/// arrival too far ahead.
const RATES: [&str; 4] = [
    r#"{"limit":1,"per":200}"#,
    r#"{"limit":2,"per":200,"burst":2}"#,
    r#"{"limit":3,"per":300,"burst":2,"by":"data"}"#,
    r#"{"limit":1,"per":100,"burst":2,"by":"label"}"#,
];

impl World {
    /// Some operations have one, in worlds of which the clocks are not set.
    pub(super) fn rate_limit(&mut self) -> Option<Arc<RateLimit>> {
        let text = self.rng.one_of(&RATES);
        let has_one = self.rng.once_in(2) && self.has_rates;
        has_one.then(|| RateLimit::read(text, "rateLimit").unwrap().into())
    }

    /// Takes the store's word of the tokens after a commit whose fate was open.
    pub(super) fn resolve_gates(&mut self) {
        let gates = self.oracle.gates_of_all();
        let id = |name| self.processes[self.me].engine.as_ref()?.memory().dispatch.operation(name);
        let ids = gates.iter().map(|(name, key)| (id(name).unwrap(), key.clone()));
        let ids: Vec<GateId> = ids.collect();
        let store = self.engine().store().unwrap();
        let arrivals = store.begin_read().unwrap().gates(&ids).unwrap();
        self.oracle.resolve_gates(gates.into_iter().zip(arrivals));
    }
}
