//! Circuit breakers of a world: what each circuit is, as the list of everything knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::circuit::{Access, Circuit, CircuitBreaker, GuardedRun, Moment, Turned, Verdict};
use tasker_core::document::gate_key;
use tasker_core::id::{OperationId, Seq};
use tasker_core::store::GateId;
use tasker_core::time::WallMs;

use super::{Truth, World, id};

/// What is known of circuits.
#[derive(Clone, Debug, Default)]
pub(super) struct Circuits {
    /// The breaker of each operation, and the batch in which it was first said with that path.
    pub(super) said: BTreeMap<OperationId, (Option<Arc<CircuitBreaker>>, u64)>,
    pub(super) all: BTreeMap<GateId, Circuit>,
    /// The live runs that have a circuit, and the batch in which each began.
    runs: BTreeMap<Seq, (GateId, u64)>,
    /// The number of the next batch.
    pub(super) batch: u64,
}

impl Truth {
    fn breaker(&self, operation: OperationId) -> Option<(Arc<CircuitBreaker>, u64)> {
        let (breaker, from) = self.circuits.said.get(&operation)?;
        Some((breaker.clone()?, *from))
    }

    /// The gate of the circuit of a task, if its operation has a breaker.
    pub(super) fn circuit_gate(&self, operation: OperationId, seq: Seq) -> Option<GateId> {
        let (breaker, _) = self.breaker(operation)?;
        let key = breaker.by.as_deref().map(|by| gate_key(&self.defs[&seq], by).unwrap());
        Some((operation, key.unwrap_or_default()))
    }

    /// Whom the circuit of a task lets start.
    pub(super) fn access(&self, operation: OperationId, seq: Seq, now: WallMs) -> Access {
        let Some((breaker, from)) = self.breaker(operation) else { return Access::Free };
        let gate = self.circuit_gate(operation, seq);
        let stored = gate.and_then(|gate| self.circuits.all.get(&gate));
        let moment = Moment { now, batch: self.circuits.batch, from };
        breaker.access(breaker.known(stored, moment), now)
    }

    pub(super) fn is_let_start(&self, operation: OperationId, seq: Seq, now: WallMs) -> bool {
        matches!(self.access(operation, seq, now), Access::Free | Access::Probes(_))
    }

    /// A task starts. What has become of its circuit.
    pub(super) fn pass(&mut self, operation: OperationId, seq: Seq, now: WallMs) -> Option<Turned> {
        let (breaker, from) = self.breaker(operation)?;
        let gate = self.circuit_gate(operation, seq)?;
        let moment = Moment { now, batch: self.circuits.batch, from };
        self.circuits.runs.insert(seq, (gate.clone(), self.circuits.batch));
        let known = breaker.known(self.circuits.all.get(&gate), moment);
        let (circuit, turned) = breaker.start(known, seq, now)?;
        self.circuits.all.insert(gate, circuit);
        turned
    }

    /// A run is over. The circuit that has changed by that, and what has become of it.
    pub(super) fn settle(
        &mut self,
        seq: Seq,
        verdict: Verdict,
        now: WallMs,
    ) -> Option<(GateId, Circuit, Option<Turned>)> {
        let (gate, began) = self.circuits.runs.remove(&seq)?;
        let (breaker, from) = self.breaker(gate.0)?;
        if began < from {
            return None;
        }
        let moment = Moment { now, batch: self.circuits.batch, from };
        let known = breaker.known(self.circuits.all.get(&gate), moment);
        let run = GuardedRun { seq, began: Some(began) };
        let (circuit, turned) = breaker.settle(known, run, verdict, moment)?;
        self.circuits.all.insert(gate.clone(), circuit.clone());
        Some((gate, circuit, turned))
    }

    /// What is said of a breaker.
    pub(super) fn say_breaker(
        &mut self,
        operation: OperationId,
        breaker: Option<Arc<CircuitBreaker>>,
    ) -> u64 {
        let (old, mut from) = self.circuits.said.get(&operation).cloned().unwrap_or_default();
        let path = |one: &Option<Arc<CircuitBreaker>>| one.as_ref().map(|one| one.by.clone());
        if breaker.is_some() && path(&breaker) != path(&old) {
            from = self.circuits.batch;
        }
        self.circuits.said.insert(operation, (breaker, from));
        from
    }
}

impl World {
    /// A run that is live here is over.
    pub(super) fn end_guarded(&mut self, truth: &mut Truth, seq: Seq, verdict: Verdict) {
        if let Some((gate, circuit, _)) = truth.settle(seq, verdict, self.now) {
            self.dispatch.set_circuit(&gate, circuit);
        }
    }

    /// So many runs of an operation end in other processes, and fail or not.
    pub(super) fn end_remote(&mut self, operation: usize, runs: u32, verdict: Verdict) {
        let operation = id(operation);
        for _ in 0..runs {
            let is_own = |(lane, _): &(tasker_core::id::LaneId, Seq)| lane.operation() == operation;
            let Some(at) = self.truth.remote.iter().position(is_own) else { break };
            let (_, seq) = self.truth.remote.remove(at);
            let settled = self.truth.settle(seq, verdict, self.now);
            self.dispatch.end_remote_run(operation, seq);
            if settled.is_some_and(|(_, _, turned)| turned.is_some()) {
                self.dispatch.note_circuit_elsewhere(operation);
            }
        }
        self.dispatch.commit();
    }

    /// Who waits for a token or a circuit alone is looked at when that comes.
    pub(super) fn compare_next_token(&self) {
        let places = self.truth.batches.places(&self.truth.running);
        let has_place = self.is_started && places < self.limit;
        for (key, lane) in &self.truth.queue {
            let operation = lane.operation();
            let (limit, is_paused) = self.truth.said.get(&operation).copied().unwrap_or_default();
            let live = self.truth.live_of(operation) as u32;
            let is_free = !is_paused && limit.is_none_or(|limit| live < limit);
            let is_ours = match self.truth.takers.is_outside(operation) {
                true => self.truth.takers.want(operation),
                false => {
                    let has_thread = self.has_thread(&self.truth, operation);
                    has_place && has_thread && self.runners.contains(&operation)
                }
            };
            let is_ours = is_ours && lane.attached_to().is_none();
            let gate = self.truth.gate(operation, key.seq).map(|(_, gate)| gate);
            let arrival = gate.as_ref().and_then(|gate| self.truth.gates.get(gate)).copied();
            if !is_free || !is_ours || !self.holds(&self.truth, *key) {
                continue;
            }
            let (rate, next) = (self.truth.rate(operation), self.dispatch.next_token());
            let has_token = self.truth.tokens(operation, key.seq, self.now) > 0;
            match self.truth.access(operation, key.seq, self.now) {
                Access::Until(until) if has_token => {
                    assert!(next.is_some_and(|at| at <= until), "{key:?} {next:?}");
                }
                Access::Free | Access::Probes(_) => {
                    if let (Some(rate), Some(arrival)) = (rate, arrival)
                        && !has_token
                    {
                        let at = rate.next_at(arrival);
                        assert!(next.is_some_and(|next| next <= at), "{key:?} {next:?}");
                    }
                }
                Access::Until(_) | Access::Probing => {}
            }
        }
    }
}
