//! Circuit breakers: who waits for a circuit, and until when.
//!
//! A circuit stands where the tokens of a rate limit stand: with its operation, or with the counter
//! of a value, at which the lanes of that value wait in a group. It is looked up in the store when
//! it is needed first, and again when another owner has turned one of the operation since, or if it
//! is half open when a run has begun or ended there.
//!
//! # Promises
//! - What starts while a circuit is half open is a probe, in what the store says with all that this
//!   turn has done.
//! - What is open is looked at when its time is over, and what is half open when a probe has ended;
//!   neither before.
//!
//! Proof: `tests/dispatch_oracle.rs`, `proof/tests/engine/circuits.rs`, `proof/tests/random`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Dispatch;
use super::breaker::{Breaker, Elsewhere, Shut};
use super::slot::{Closed, GateSlot, OperationSlot};
use crate::circuit::{Access, Circuit, CircuitBreaker, Moment, Turned};
use crate::document;
use crate::error::Result;
use crate::fault::{Fault, is_on};
use crate::id::{OperationId, Seq};
use crate::rate::RateKey;
use crate::store::GateId;
use crate::task::NewTask;

/// What is known of a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitFacts {
    /// What is said.
    pub breaker: Arc<CircuitBreaker>,
    /// For which value; empty if it has none, or for the whole operation.
    pub key: RateKey,
    /// How many probes are under way.
    pub probing: usize,
    /// Whom it lets start.
    pub access: Access,
}

impl Dispatch {
    pub(super) fn breaker_of(&self, slot: OperationSlot) -> Option<Arc<CircuitBreaker>> {
        self.operations.get(slot).options.circuit_breaker.clone()
    }

    /// The breaker that holds at a gate, if the operation of that has one there.
    fn breaker_at(&self, gate: GateSlot) -> Option<Arc<CircuitBreaker>> {
        let breaker = self.breaker_of(self.operation_of(gate)?)?;
        (breaker.by.is_some() == gate.is_of_key()).then_some(breaker)
    }

    pub(super) fn circuit(&self, gate: GateSlot) -> Option<&Breaker> {
        match gate {
            GateSlot::Operation(slot) => Some(&self.operations.get(slot).breaker),
            GateSlot::Counter(id) => Some(&self.counters.get(id)?.rate.as_ref()?.breaker),
        }
    }

    pub(super) fn circuit_mut(&mut self, gate: GateSlot) -> Option<&mut Breaker> {
        match gate {
            GateSlot::Operation(slot) => Some(&mut self.operations.get_mut(slot).breaker),
            GateSlot::Counter(id) => Some(&mut self.counters.get_mut(id)?.rate.as_mut()?.breaker),
        }
    }

    fn elsewhere_of(&self, gate: GateSlot) -> Elsewhere {
        let slot = self.operation_of(gate);
        slot.map_or(Elsewhere::default(), |slot| self.operations.get(slot).elsewhere)
    }

    /// When it is, for a circuit; the number of the batch is the engine's to say.
    fn moment_of(&self, gate: GateSlot) -> Moment {
        let slot = self.operation_of(gate);
        let from = slot.map_or(0, |slot| self.operations.get(slot).record.circuit_from);
        Moment { now: self.now, batch: 0, from }
    }

    /// Whether it is known what the store says of the circuit at a gate, if there is one.
    pub(super) fn is_circuit_read(&self, gate: GateSlot) -> bool {
        let seen = self.elsewhere_of(gate);
        self.breaker_at(gate).is_none()
            || self.circuit(gate).is_some_and(|breaker| breaker.is_read(seen))
    }

    /// A gate opens or closes, as its circuit says. One of which nothing is known passes for
    /// closed, for it is read before anything starts.
    pub(super) fn judge_circuit(&mut self, gate: GateSlot) {
        let (said, moment) = (self.breaker_at(gate), self.moment_of(gate));
        let said = said.filter(|_| self.is_circuit_read(gate));
        let Some(breaker) = self.circuit_mut(gate) else { return };
        let shut = said.and_then(|said| match breaker.access(&said, moment) {
            Access::Free | Access::Probes(_) => None,
            Access::Until(until) => Some(Shut::Until(until)),
            Access::Probing => Some(Shut::Probing),
        });
        debug_assert!(
            !matches!(shut, Some(Shut::Until(until)) if until <= moment.now),
            "a circuit is tried in the past"
        );
        let old = std::mem::replace(&mut breaker.shut, shut);
        if old == shut {
            return;
        }
        let until = |shut| match shut {
            Some(Shut::Until(until)) => Some(until),
            Some(Shut::Probing) | None => None,
        };
        if shut == Some(Shut::Probing) {
            self.probing.insert(gate);
        } else {
            self.probing.remove(&gate);
        }
        self.relist_closed(Closed::ByCircuit(gate), (until(old), until(shut)));
    }

    /// What the store says of circuits that [`super::Progress::Circuits`] named.
    pub fn tell_circuits(&mut self, gates: &[GateId], circuits: Vec<Option<Circuit>>) {
        debug_assert_eq!(gates.len(), circuits.len(), "a lookup gives one answer for each item");
        for (gate, circuit) in gates.iter().zip(circuits) {
            let circuit = self.turned.get(gate).cloned().or(circuit);
            self.learn_circuit(gate, circuit);
        }
    }

    /// A circuit is this from now on, by what has ended in the turn, which has started nothing yet.
    pub fn set_circuit(&mut self, gate: &GateId, circuit: Circuit) {
        debug_assert!(self.undo.probes().next().is_none(), "a circuit turns behind the starts");
        self.learn_circuit(gate, Some(circuit.clone()));
        if let Some(breaker) = self.circuit_slot(gate).and_then(|slot| self.circuit_mut(slot)) {
            breaker.is_ours = true;
        }
        self.turned.insert(gate.clone(), circuit);
    }

    fn learn_circuit(&mut self, gate: &GateId, circuit: Option<Circuit>) {
        let Some(slot) = self.circuit_slot(gate) else { return };
        let seen = self.elsewhere_of(slot);
        if let Some(breaker) = self.circuit_mut(slot) {
            breaker.learn(circuit, seen);
        }
        self.judge_circuit(slot);
    }

    /// What the turn has made of circuits has not been: they are read when they are needed.
    pub(super) fn forget_turned(&mut self) {
        for gate in std::mem::take(&mut self.turned).into_keys() {
            let Some(slot) = self.circuit_slot(&gate) else { continue };
            if let Some(breaker) = self.circuit_mut(slot)
                && !is_on(Fault::RollbackForgetsTurns)
            {
                breaker.forget();
            }
            self.judge_circuit(slot);
        }
    }

    fn circuit_slot(&self, gate: &GateId) -> Option<GateSlot> {
        let slot = self.operations.by_id(gate.0)?;
        let is_keyed = self.operations.get(slot).options.circuit_breaker.as_ref()?.by.is_some();
        self.gate_at(gate, is_keyed)
    }

    /// The head of a lane starts, and is a probe if the circuit at this gate is not closed. Its run
    /// has just begun.
    pub(super) fn pass_circuit(&mut self, gate: GateSlot, seq: Seq) {
        let Some(said) = self.breaker_at(gate) else { return };
        let at = (self.moment_of(gate), self.elsewhere_of(gate));
        let Some(breaker) = self.circuit_mut(gate) else { return };
        debug_assert!(breaker.shut.is_none(), "a task starts that its circuit does not let start");
        let before = breaker.clone();
        if is_on(Fault::StartIsNoProbe) {
            return;
        }
        if let Some(turned) = breaker.start(&said, seq, at) {
            self.undo.push_probe(gate, before, turned);
            self.judge_circuit(gate);
        }
    }

    /// The start of a probe has not been.
    pub(super) fn take_probe_back(&mut self) {
        let probe = self.undo.pop_probe().filter(|_| !is_on(Fault::RollbackForgetsProbes));
        let Some((gate, before)) = probe else { return };
        if let Some(breaker) = self.circuit_mut(gate) {
            breaker.restore(before);
        }
        self.judge_circuit(gate);
    }

    /// The circuits that the starts of this turn have changed, and what has become of each.
    pub fn probes(&self) -> Vec<(GateId, Circuit, Option<Turned>)> {
        let mut all: BTreeMap<GateSlot, Option<Turned>> = BTreeMap::new();
        for (gate, turned) in self.undo.probes() {
            let one = all.entry(gate).or_default();
            *one = one.or(turned);
        }
        let circuit = |(gate, turned)| {
            let said = self.breaker_at(gate)?;
            let circuit = self.circuit(gate)?.circuit(&said, self.moment_of(gate))?;
            Some((self.id_of(gate)?, circuit.clone(), turned))
        };
        all.into_iter().filter_map(circuit).collect()
    }

    /// Another owner has turned a circuit of an operation: what is known of them may be another
    /// thing.
    pub fn note_circuit_elsewhere(&mut self, id: OperationId) {
        let Some(slot) = self.operations.by_id(id) else { return };
        if is_on(Fault::CircuitForgetsOthers) {
            return;
        }
        let operation = self.operations.get_mut(slot);
        operation.elsewhere.turns = operation.elsewhere.turns.wrapping_add(1);
        let closed = self.closed.iter().filter_map(|(_, closed)| match closed {
            Closed::ByCircuit(gate) => Some(*gate),
            Closed::ByTokens(_) => None,
        });
        let shut: Vec<GateSlot> = closed.chain(self.probing.iter().copied()).collect();
        self.judge_circuits_of(slot, shut);
    }

    /// A run of another owner has begun or ended: it may have been a probe.
    pub(super) fn note_run_elsewhere(&mut self, slot: OperationSlot) {
        let operation = self.operations.get_mut(slot);
        operation.elsewhere.runs = operation.elsewhere.runs.wrapping_add(1);
        if !self.probing.is_empty() {
            let probing = self.probing.iter().copied().collect();
            self.judge_circuits_of(slot, probing);
        }
    }

    fn judge_circuits_of(&mut self, slot: OperationSlot, gates: Vec<GateSlot>) {
        for gate in gates {
            if self.operation_of(gate) == Some(slot) {
                self.judge_circuit(gate);
            }
        }
    }

    /// The gate at which the circuit of a task stands; nothing if its operation has no breaker.
    ///
    /// # Errors
    /// `Corrupt` if a stored text is not JSON.
    pub fn circuit_of_task(&self, id: OperationId, def: &NewTask) -> Result<Option<GateId>> {
        let options = self.options(id);
        let Some(breaker) = options.and_then(|options| options.circuit_breaker.as_ref()) else {
            return Ok(None);
        };
        let key = breaker.by.as_deref().map(|by| document::gate_key(def, by)).transpose()?;
        Ok(Some((id, key.unwrap_or_default())))
    }

    /// The batch in which the circuit breaker of an operation was first said, with its path.
    pub fn circuit_from(&self, id: OperationId) -> u64 {
        let slot = self.operations.by_id(id);
        slot.map_or(0, |slot| self.operations.get(slot).record.circuit_from)
    }

    /// Whether any operation has a circuit breaker.
    pub fn has_circuits(&self) -> bool {
        self.operations.has_circuits()
    }

    /// What is known of a circuit, of which the store says this.
    pub fn circuit_facts(&self, gate: &GateId, stored: Option<Circuit>) -> Option<CircuitFacts> {
        let said = self.options(gate.0)?.circuit_breaker.clone()?;
        let moment = Moment { now: self.now, batch: 0, from: self.circuit_from(gate.0) };
        let known = self.circuit_slot(gate).and_then(|slot| self.circuit(slot)).cloned();
        let mut breaker = known.unwrap_or_default();
        breaker.learn(stored, Elsewhere::default());
        let probing = breaker.circuit(&said, moment).map_or(0, Circuit::probing);
        let access = breaker.access(&said, moment);
        Some(CircuitFacts { breaker: said, key: gate.1.clone(), probing, access })
    }
}
