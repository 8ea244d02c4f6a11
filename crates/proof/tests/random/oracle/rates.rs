//! Rate limits: each start that is told takes a token, and none starts without one (I-6).
//!
//! Worlds with rate limits have clocks that nobody sets, so what is left of the tokens follows from
//! the starts alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::document::gate_key;
use tasker_core::id::TaskId;
use tasker_core::rate::{Arrival, RateKey, RateLimit};
use tasker_core::task::NewTask;
use tasker_core::time::WallMs;

use super::{Oracle, Task};

/// The name of an operation, and a value.
pub(crate) type Gate = (Arc<str>, RateKey);

/// What is known of the tokens, and which starts took them.
#[derive(Debug, Default)]
pub(super) struct Gates {
    arrivals: BTreeMap<Gate, Arrival>,
    /// The starts since the limit of the gate was another one.
    starts: BTreeMap<Gate, (Arc<RateLimit>, Vec<WallMs>)>,
    /// The keys of texts of data that were seen: each task is asked for its own after each turn.
    keys: RefCell<BTreeMap<Box<str>, RateKey>>,
}

impl Oracle {
    /// The rate limit of a task, if its operation has one, and its gate.
    fn rate_of(&self, task: &Task) -> Option<(Arc<RateLimit>, Gate)> {
        let name = &task.def.operation;
        let rate = self.said(name).in_force().rate_limit?;
        let key = rate.by.as_deref().map(|by| self.gate_key(&task.def, by)).unwrap_or_default();
        Some((rate, (name.clone(), key)))
    }

    /// The value of a task by which a rate limit or a circuit breaker holds.
    pub(super) fn gate_key(&self, def: &NewTask, by: &str) -> RateKey {
        let Some(data) = def.data.as_ref().filter(|_| by == "data") else {
            return gate_key(def, by).unwrap();
        };
        let mut keys = self.gates.keys.borrow_mut();
        let known = keys.get(data.as_str()).cloned();
        known.unwrap_or_else(|| {
            let key = gate_key(def, by).unwrap();
            keys.insert(data.as_str().into(), key.clone());
            key
        })
    }

    /// Whether a task has a token.
    pub(super) fn has_token(&self, task: &Task) -> bool {
        let Some((rate, gate)) = self.rate_of(task) else { return true };
        rate.tokens(self.gates.arrivals.get(&gate).copied(), self.wall) > 0
    }

    /// A task starts.
    pub(super) fn take_token(&mut self, id: TaskId) {
        let Some((rate, gate)) = self.rate_of(&self.tasks[&id]) else { return };
        let now = self.wall;
        let arrival = rate.take(self.gates.arrivals.get(&gate).copied(), now);
        self.gates.arrivals.insert(gate.clone(), arrival);
        let new = || (rate.clone(), Vec::new());
        let (of, starts) = self.gates.starts.entry(gate).or_insert_with(new);
        if *of != rate {
            (*of, *starts) = new();
        }
        starts.push(now);
        assert_within(&rate, starts);
    }

    /// What an explanation says of a task that has no token, or only those of others.
    pub(super) fn rate_reason(&self, task: &Task) -> Option<Value> {
        let (rate, gate) = self.rate_of(task)?;
        let arrival = self.gates.arrivals.get(&gate).copied();
        let tokens = rate.tokens(arrival, self.wall);
        let is_its = |other: &&Task| self.rate_of(other).is_some_and(|(_, one)| one == gate);
        let ahead = self.open_ahead(task, &gate.0).filter(is_its).count();
        let next_at = arrival.filter(|_| tokens == 0).map_or(self.wall, |at| rate.next_at(at));
        let mut reason: Value = serde_json::from_str(&rate.to_json()).unwrap();
        (reason["reason"], reason["operation"]) = (json!("rate-limit"), json!(*gate.0));
        (reason["nextAt"], reason["ahead"]) = (json!(next_at.0), json!(ahead));
        reason["isCapped"] = json!(false);
        if !gate.1.is_empty() {
            // One that is long is cut, and told as a text.
            reason["key"] = serde_json::from_str(&gate.1).unwrap_or(json!(*gate.1));
        }
        (ahead >= tokens as usize).then_some(reason)
    }

    /// How many tokens an operation has for all its tasks.
    pub(super) fn tokens_of_all(&self, name: &str) -> usize {
        let rate = self.said(name).in_force().rate_limit.filter(|rate| rate.by.is_none());
        let arrival = self.gates.arrivals.get(&(name.into(), "".into())).copied();
        let tokens = rate.map_or(usize::MAX, |rate| rate.tokens(arrival, self.wall) as usize);
        tokens.min(self.let_start_of_all(name))
    }

    /// How many of these tasks of an operation have tokens, where each value has its own.
    pub(super) fn with_tokens<'t>(
        &self,
        name: &str,
        tasks: impl Iterator<Item = &'t Task>,
    ) -> usize {
        let rate = self.said(name).in_force().rate_limit;
        let Some(rate) = rate.filter(|rate| rate.by.is_some()) else {
            return self.let_start(name, tasks);
        };
        let mut all: BTreeMap<Gate, usize> = BTreeMap::new();
        for task in tasks {
            let gate = self.rate_of(task).map(|(_, gate)| gate);
            *all.entry(gate.unwrap()).or_default() += 1;
        }
        let tokens = |gate| rate.tokens(self.gates.arrivals.get(gate).copied(), self.wall) as usize;
        all.iter().map(|(gate, count)| (*count).min(tokens(gate))).sum()
    }

    /// Where any task may take tokens.
    pub(crate) fn gates_of_all(&self) -> Vec<Gate> {
        self.tasks.values().filter_map(|task| Some(self.rate_of(task)?.1)).collect()
    }

    /// Takes the store's word for what is left.
    pub(crate) fn resolve_gates(&mut self, all: impl Iterator<Item = (Gate, Option<Arrival>)>) {
        for (gate, arrival) in all {
            self.gates.starts.remove(&gate);
            match arrival {
                Some(arrival) => self.gates.arrivals.insert(gate, arrival),
                None => self.gates.arrivals.remove(&gate),
            };
        }
    }
}

/// No time that ends with the last start has more of them than it may, counted one by one.
fn assert_within(rate: &RateLimit, starts: &[WallMs]) {
    let Some(last) = starts.last() else { return };
    for (at, first) in starts.iter().enumerate() {
        let (count, ms) = ((starts.len() - at) as u64, last.ms_since(*first) + 1);
        // The clock is late by less than a millisecond.
        let above = count.saturating_sub(u64::from(rate.burst)) * rate.per_ms;
        assert!(above < ms * u64::from(rate.limit), "I-6: {rate:?} {starts:?}");
    }
}
