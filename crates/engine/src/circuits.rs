//! What the ends of runs make of the circuits of their operations.
//!
//! A run of an operation with a circuit breaker knows under which key it began, and in which batch.
//! When it is over its circuit is looked up under the write lock, so what other owners have made of
//! it counts, and what becomes of it is written in the commit of that end.
//!
//! # Promises
//! - Failed attempts and run timeouts count that match `when`, also those that are tried again.
//!   Nothing else does: a probe that ends otherwise gives its place back.
//! - One row for each key and turn, and none for a success of a closed circuit.
//! - A probe whose process died gives its place back in the commit that recovers its run.
//!
//! # Left to others
//! What follows from an end: [`tasker_core::circuit`]. Who may start: `core::dispatch`.
//!
//! Proof: `proof/tests/engine/circuits.rs`, `proof/tests/random`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::circuit::{Circuit, CircuitBreaker, GuardedRun, Moment, Phase, Turned, Verdict};
use tasker_core::error::Result;
use tasker_core::fault::{Fault, is_on};
use tasker_core::id::{OperationId, Seq};
use tasker_core::retry::AfterRun;
use tasker_core::store::{Change, GateChange, GateId, ReadTransaction};

use crate::draft::Planner;
use crate::guarded::{CircuitNews, Guarded, GuardedEnd, How, TurnedCircuit};
use crate::live::Run;

impl Planner<'_> {
    /// A run is over, with what follows for its task.
    pub(crate) fn judge_run(&mut self, run: &Run, after: &AfterRun) {
        if run.guarded.is_some() {
            self.note_guarded_end(run, How::of(after));
        }
    }

    /// A run is over: if nothing was said of how, it says nothing of what it was to do.
    pub(crate) fn judge_rest(&mut self, run: &Run) {
        let is_judged = || {
            let last = self.draft.guarded_ends.last();
            last.is_some_and(|last| last.slot == Some(run.slot))
        };
        if run.guarded.is_some() && !is_judged() {
            self.note_guarded_end(run, How::Otherwise);
        }
    }

    fn note_guarded_end(&mut self, run: &Run, how: How) {
        let Some(Guarded { key, began }) = run.guarded.as_deref() else { return };
        let gate = (run.lane.operation(), key.clone());
        let run_of_it = GuardedRun { seq: run.seq, began: Some(*began) };
        let slot = Some(run.slot);
        self.draft.guarded_ends.push(GuardedEnd { slot, gate, run: run_of_it, how });
    }

    /// The run of a dead owner is recovered: it may have been a probe.
    pub(crate) fn note_lost_run(&mut self, operation: OperationId, seq: Seq) {
        if self.breaker(operation).is_some() && !is_on(Fault::LossForgetsProbes) {
            self.draft.lost_guarded.push((operation, seq));
        }
    }

    fn breaker(&self, operation: OperationId) -> Option<Arc<CircuitBreaker>> {
        self.dispatch.options(operation)?.circuit_breaker.clone()
    }

    /// Makes of the circuits what follows from the runs that end in this turn. Stands behind
    /// everything that may end one, and before the starts.
    pub(crate) fn turn_circuits(&mut self, transaction: &mut dyn ReadTransaction) -> Result<()> {
        self.find_lost(transaction)?;
        let ends = std::mem::take(&mut self.draft.guarded_ends);
        if ends.is_empty() {
            return Ok(());
        }
        let gates: BTreeSet<GateId> = ends.iter().map(|end| end.gate.clone()).collect();
        let gates: Vec<GateId> =
            gates.into_iter().filter(|gate| self.breaker(gate.0).is_some()).collect();
        let stored = transaction.circuits(&gates)?;
        debug_assert_eq!(stored.len(), gates.len(), "a lookup gives one answer for each item");
        let stored: BTreeMap<GateId, Option<Circuit>> = gates.into_iter().zip(stored).collect();
        for end in ends {
            if let Some(stored) = stored.get(&end.gate) {
                self.settle_circuit(end, stored.as_ref())?;
            }
        }
        Ok(())
    }

    fn settle_circuit(&mut self, end: GuardedEnd, stored: Option<&Circuit>) -> Result<()> {
        let GuardedEnd { gate, run, how, .. } = end;
        let Some(breaker) = self.breaker(gate.0) else { return Ok(()) };
        let moment = self.moment_of(gate.0);
        if run.began.is_some_and(|began| began < moment.from) {
            // It began under another path, or before there was a breaker.
            return Ok(());
        }
        let (verdict, error) = match how {
            How::Succeeded => (Verdict::Succeeded, None),
            How::Failed(error) if breaker.counts(error.as_str())? => (Verdict::Failed, Some(error)),
            How::Failed(_) | How::Otherwise => (Verdict::Nothing, None),
        };
        let drafted = self.draft.circuits.get(&gate).map(|one| &one.circuit);
        let known = breaker.known(drafted.or(stored), moment);
        if let Some((circuit, turned)) = breaker.settle(known, run, verdict, moment) {
            self.dispatch.set_circuit(&gate, circuit.clone());
            let error = error.filter(|_| turned == Some(Turned::Opened));
            self.put_circuit(gate, TurnedCircuit { circuit, turned, error });
        }
        Ok(())
    }

    fn put_circuit(&mut self, gate: GateId, new: TurnedCircuit) {
        let old = self.draft.circuits.remove(&gate);
        let (turned, error) = old.map_or((None, None), |old| (old.turned, old.error));
        debug_assert!(
            turned.is_none() || new.turned.is_none(),
            "a circuit turns twice in a turn: {gate:?}"
        );
        let (turned, error) = (new.turned.or(turned), new.error.or(error));
        self.draft.circuits.insert(gate, TurnedCircuit { turned, error, ..new });
    }

    fn moment_of(&self, operation: OperationId) -> Moment {
        let from = self.dispatch.circuit_from(operation);
        Moment { now: self.now.wall, batch: self.memory.number + 1, from }
    }

    /// The keys of the runs of dead owners that may have been probes.
    fn find_lost(&mut self, transaction: &mut dyn ReadTransaction) -> Result<()> {
        let lost = std::mem::take(&mut self.draft.lost_guarded);
        let name = |id| self.dispatch.operation_name(id).cloned().unwrap_or_default();
        let asked: Vec<(Seq, Arc<str>)> = lost.iter().map(|(id, seq)| (*seq, name(*id))).collect();
        let mut asked = &*asked;
        let mut rest = &*lost;
        while !asked.is_empty() {
            let found = transaction.contents(asked, LOST_BYTES_MAX)?;
            debug_assert!(!found.is_empty(), "one task always fits");
            let count = found.len().max(1);
            for ((operation, seq), task) in rest.iter().zip(found) {
                let Some(task) = task else { continue };
                let gate = self.dispatch.circuit_of_task(*operation, &task.def)?;
                let run = GuardedRun { seq: *seq, began: None };
                let end = |gate| GuardedEnd { slot: None, gate, run, how: How::Otherwise };
                self.draft.guarded_ends.extend(gate.map(end));
            }
            (asked, rest) = (&asked[count.min(asked.len())..], &rest[count.min(rest.len())..]);
        }
        Ok(())
    }

    /// Keeps under which keys the tasks begin that start in this turn.
    pub(crate) fn guard_starts(&mut self) -> Result<()> {
        if !self.dispatch.has_circuits() {
            return Ok(());
        }
        let first = self.memory.seq_next;
        for (pick, _) in &self.draft.starts {
            let added = || {
                let index = pick.key.seq.0.checked_sub(first.0)?;
                self.draft.adds.get(index as usize).map(|add| &add.task.def)
            };
            let Some(def) = pick.task.as_ref().map(|task| &task.def).or_else(added) else {
                continue;
            };
            let gate = self.dispatch.circuit_of_task(pick.lane.operation(), def)?;
            self.draft.guarded.extend(gate.map(|(_, key)| (pick.key.seq, key)));
        }
        Ok(())
    }

    /// Writes what has become of circuits in this turn.
    pub(crate) fn write_circuits(&mut self) {
        for (gate, circuit, turned) in self.dispatch.probes() {
            self.put_circuit(gate, TurnedCircuit { circuit, turned, error: None });
        }
        for (gate, new) in std::mem::take(&mut self.draft.circuits) {
            let TurnedCircuit { circuit, turned, error } = new;
            self.look_at_gates_of(gate.0, circuit.rests_at);
            if let Some(turned) = turned
                && let Some(operation) = self.dispatch.operation_name(gate.0).cloned()
            {
                let until = match circuit.phase {
                    Phase::Open(until) => Some(until),
                    Phase::Closed(_) | Phase::HalfOpen { .. } => None,
                };
                let key = gate.1.clone();
                let news = CircuitNews { operation, key, turned, until, error };
                self.draft.circuit_news.push(news);
            }
            let change = GateChange::Turn(gate, Box::new(circuit), turned);
            self.draft.changes.push(Change::Gate(change));
        }
    }
}

/// How many bytes of data one lookup of lost runs passes at most.
const LOST_BYTES_MAX: usize = 16 << 20;
