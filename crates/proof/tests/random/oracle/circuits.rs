//! Circuit breakers: what each circuit is follows from the runs that are told to have begun and
//! ended, in their order; none starts that it does not let start.
//!
//! What becomes of one by one end is `core::circuit`'s to say, which has a judge of its own. Worlds
//! with circuits have clocks that nobody sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::circuit::{Access, Circuit, CircuitBreaker, GuardedRun, Moment, Turned, Verdict};
use tasker_core::id::{Seq, TaskId};
use tasker_core::task::{Cause, TaskEnd};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Effect, RunEnd};
use tasker_engine::guarded::CircuitNews;

use super::rates::Gate;
use super::{Oracle, Task};

/// What is told of a circuit: where, what has become of it, and until when it is open.
type News = (Gate, Turned, Option<WallMs>);

/// What is known of the circuits.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    all: BTreeMap<Gate, Circuit>,
    /// The live runs of operations that had a breaker when they began, and in which batch.
    runs: BTreeMap<Seq, (Gate, u64)>,
    /// The number of the last batch.
    number: u64,
    told: Vec<News>,
    due: Vec<News>,
    /// The tasks whose time is over in this turn: of a run that is fenced in the turn in which its
    /// signal would fire, only the end of its task says so.
    timed_out: BTreeSet<TaskId>,
}

impl Oracle {
    /// The number of the last batch is this.
    pub(crate) fn set_number(&mut self, number: u64) {
        self.circuits.number = number;
    }

    pub(super) fn batch(&self) -> u64 {
        self.circuits.number
    }

    fn breaker_of(&self, name: &str) -> Option<(Arc<CircuitBreaker>, Moment)> {
        let said = self.said(name);
        let (batch, from) = (self.circuits.number, said.circuit_from);
        Some((said.in_force().circuit_breaker?, Moment { now: self.wall, batch, from }))
    }

    /// The breaker of a task, if its operation has one, and its gate.
    fn circuit_of(&self, task: &Task) -> Option<(Arc<CircuitBreaker>, Moment, Gate)> {
        let name = &task.def.operation;
        let (breaker, moment) = self.breaker_of(name)?;
        let key = breaker.by.as_deref().map(|by| self.gate_key(&task.def, by));
        Some((breaker, moment, (name.clone(), key.unwrap_or_default())))
    }

    fn access(&self, (breaker, moment): (&CircuitBreaker, Moment), gate: &Gate) -> Access {
        breaker.access(breaker.known(self.circuits.all.get(gate), moment), self.wall)
    }

    /// Whether the circuit of a task lets it start.
    pub(super) fn is_let_start(&self, task: &Task) -> bool {
        let Some((breaker, moment, gate)) = self.circuit_of(task) else { return true };
        lets(self.access((&breaker, moment), &gate)) > 0
    }

    /// A task starts.
    pub(super) fn pass_circuit(&mut self, id: TaskId) {
        let task = &self.tasks[&id];
        let (seq, Some((breaker, moment, gate))) = (task.seq, self.circuit_of(task)) else {
            return;
        };
        self.circuits.runs.insert(seq, (gate.clone(), moment.batch));
        let known = breaker.known(self.circuits.all.get(&gate), moment);
        if let Some((circuit, turned)) = breaker.start(known, seq, moment.now) {
            self.circuits.due.extend(turned.map(|turned| (gate.clone(), turned, None)));
            self.circuits.all.insert(gate, circuit);
        }
    }

    /// A turn is heard that tells this.
    pub(super) fn hear_timeouts(&mut self, effects: &[Effect]) {
        let timed_out = effects.iter().filter_map(|effect| match effect {
            Effect::TaskEnded(id, TaskEnd::Aborted(Cause::RunTimeout, _)) => Some(*id),
            _ => None,
        });
        self.circuits.timed_out = timed_out.collect();
    }

    /// A run is over.
    pub(super) fn settle_circuit(&mut self, id: TaskId, over: &RunEnd, fired: Option<Cause>) {
        let is_timeout = |cause| cause == Cause::RunTimeout;
        let is_fenced_late = || fired.is_none() && self.circuits.timed_out.contains(&id);
        let verdict = match over {
            RunEnd::Done => Verdict::Succeeded,
            RunEnd::Failed(_) | RunEnd::Retrying(..) => Verdict::Failed,
            RunEnd::Aborted(abort) if is_timeout(abort.cause) => Verdict::Failed,
            RunEnd::Fenced if fired.is_some_and(is_timeout) || is_fenced_late() => Verdict::Failed,
            RunEnd::Aborted(_) | RunEnd::Fenced | RunEnd::Snoozed | RunEnd::Postponed(_) => {
                Verdict::Nothing
            }
        };
        let seq = self.tasks[&id].seq;
        self.judge(seq, verdict);
    }

    /// A run is lost.
    pub(super) fn lose_probe(&mut self, seq: Seq) {
        self.judge(seq, Verdict::Nothing);
    }

    fn judge(&mut self, seq: Seq, verdict: Verdict) {
        let Some((gate, began)) = self.circuits.runs.remove(&seq) else { return };
        let Some((breaker, moment)) = self.breaker_of(&gate.0) else { return };
        if began < moment.from {
            return;
        }
        let known = breaker.known(self.circuits.all.get(&gate), moment);
        let run = GuardedRun { seq, began: Some(began) };
        let Some((circuit, turned)) = breaker.settle(known, run, verdict, moment) else { return };
        let until = match breaker.access(Some(&circuit), moment.now) {
            Access::Until(until) => Some(until),
            Access::Free | Access::Probes(_) | Access::Probing => None,
        };
        self.circuits.due.extend(turned.map(|turned| (gate.clone(), turned, until)));
        self.circuits.all.insert(gate, circuit);
    }

    /// It is told that a circuit has turned.
    pub(super) fn told_circuit(&mut self, news: &CircuitNews) {
        let gate = (news.operation.clone(), news.key.clone());
        assert_eq!(news.error.is_some(), news.turned == Turned::Opened, "{news:?}");
        self.circuits.told.push((gate, news.turned, news.until));
    }

    /// After a turn: what was told of circuits is what became of them, once each.
    pub(super) fn meet_circuits(&mut self) {
        let Circuits { told, due, .. } = &mut self.circuits;
        let (mut told, mut due) = (std::mem::take(told), std::mem::take(due));
        told.sort();
        due.sort();
        assert_eq!(told, due);
    }

    /// What an explanation says of a task that its circuit does not let start.
    pub(super) fn circuit_reason(&self, task: &Task) -> Option<Value> {
        let (breaker, moment, gate) = self.circuit_of(task)?;
        let access = self.access((&breaker, moment), &gate);
        let is_its = |other: &&Task| self.circuit_of(other).is_some_and(|(.., one)| one == gate);
        let ahead = match breaker.by {
            Some(_) => self.open_ahead(task, &gate.0).filter(is_its).count(),
            None => self.with_tokens(&gate.0, self.open_ahead(task, &gate.0)),
        };
        let known = breaker.known(self.circuits.all.get(&gate), moment);
        let probing = known.map_or(0, Circuit::probing);
        let mut reason: Value =
            serde_json::from_str(&format!("{{{}}}", breaker.numbers())).unwrap();
        (reason["reason"], reason["operation"]) = (json!("circuit"), json!(*gate.0));
        reason["state"] = json!("half-open");
        if let Access::Until(until) = access {
            (reason["state"], reason["until"]) = (json!("open"), json!(until.0));
        }
        (reason["probing"], reason["ahead"]) = (json!(probing), json!(ahead));
        reason["isCapped"] = json!(false);
        if !gate.1.is_empty() {
            reason["key"] = serde_json::from_str(&gate.1).unwrap_or(json!(*gate.1));
        }
        let is_held = access != Access::Free && ahead >= lets(access);
        is_held.then_some(reason)
    }

    /// How many tasks of an operation its circuit lets start, if that is for all its tasks.
    pub(super) fn let_start_of_all(&self, name: &str) -> usize {
        let breaker = self.breaker_of(name).filter(|(breaker, _)| breaker.by.is_none());
        let gate = (name.into(), "".into());
        breaker.map_or(usize::MAX, |(breaker, moment)| lets(self.access((&breaker, moment), &gate)))
    }

    /// How many of these tasks of an operation their circuits let start, where each value has its
    /// own.
    pub(super) fn let_start<'t>(&self, name: &str, tasks: impl Iterator<Item = &'t Task>) -> usize {
        let breaker = self.breaker_of(name).filter(|(breaker, _)| breaker.by.is_some());
        let Some((breaker, moment)) = breaker else { return tasks.count() };
        let mut all: BTreeMap<Gate, usize> = BTreeMap::new();
        for task in tasks {
            let gate = self.circuit_of(task).map(|(.., gate)| gate);
            *all.entry(gate.unwrap()).or_default() += 1;
        }
        let lets = |gate| lets(self.access((&breaker, moment), gate));
        all.iter().map(|(gate, count)| (*count).min(lets(gate))).sum()
    }

    /// Where any task may have a circuit.
    pub(crate) fn circuits_of_all(&self) -> Vec<Gate> {
        self.tasks.values().filter_map(|task| Some(self.circuit_of(task)?.2)).collect()
    }

    /// Takes the store's word for circuits.
    pub(crate) fn resolve_circuits(&mut self, all: impl Iterator<Item = (Gate, Option<Circuit>)>) {
        (self.circuits.told, self.circuits.due) = (Vec::new(), Vec::new());
        for (gate, circuit) in all {
            match circuit {
                Some(circuit) => self.circuits.all.insert(gate, circuit),
                None => self.circuits.all.remove(&gate),
            };
        }
    }

    /// Compares circuits with what is stored, as far as either says something.
    pub(crate) fn compare_circuits(&self, all: impl Iterator<Item = (Gate, Option<Circuit>)>) {
        for (gate, stored) in all {
            let Some((breaker, moment)) = self.breaker_of(&gate.0) else { continue };
            let expected = breaker.known(self.circuits.all.get(&gate), moment);
            assert_eq!(breaker.known(stored.as_ref(), moment), expected, "{gate:?}");
        }
    }
}

fn lets(access: Access) -> usize {
    match access {
        Access::Free => usize::MAX,
        Access::Probes(probes) => probes as usize,
        Access::Until(_) | Access::Probing => 0,
    }
}
