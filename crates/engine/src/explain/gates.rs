//! What rate limits and circuit breakers hold back.
//!
//! Proof: as of the module above.

use std::collections::BTreeMap;

use tasker_core::circuit::Access;
use tasker_core::dispatch::{Ahead, CircuitFacts, LaneKeys, RateFacts};
use tasker_core::error::Result;
use tasker_core::explanation::{AHEAD_MAX, Obstacle};
use tasker_core::id::{OperationId, Seq};
use tasker_core::operation::OperationOptions;
use tasker_core::queue::QueueKey;
use tasker_core::rate::RateKey;
use tasker_core::store::{Brief, GateId, Lane, ReadyTask, WindowQuery};

use super::{Facts, HELD_MAX, LOOKED_AT_MAX, LOOKED_AT_ONCE};
use crate::holds;

impl Facts<'_> {
    /// Its rate limit, if it has no token, and its circuit, if that does not let it start: in
    /// themselves, or because of those ahead.
    pub(super) fn of_gates(&mut self, seq: Seq, brief: &Brief) -> Result<Vec<Obstacle>> {
        let id = brief.lane.operation();
        let options = self.memory.dispatch.options(id);
        if !options.is_some_and(OperationOptions::has_gates) {
            return Ok(Vec::new());
        }
        let Some(task) = self.contents_of(seq, brief)? else { return Ok(Vec::new()) };
        let (mut obstacles, place) = (Vec::new(), QueueKey::new(brief.priority, seq));
        if let Some(gate) = self.memory.dispatch.gate_of_task(id, &task.def)?
            && let Some(facts) = self.rate_facts(&gate)?
        {
            let tokens = facts.tokens as usize;
            let of = (&gate, facts.rate.by.is_some());
            let ahead = self.ahead_at(of, place, (AHEAD_MAX + 1).max(tokens.min(HELD_MAX)))?;
            obstacles.extend((ahead >= tokens).then(|| rate_obstacle(facts, ahead)));
        }
        if let Some(gate) = self.memory.dispatch.circuit_of_task(id, &task.def)?
            && let Some(facts) = self.circuit_facts(&gate)?
            && let Some(probes) = probes(facts.access)
        {
            let of = (&gate, facts.breaker.by.is_some());
            let ahead = self.ahead_at(of, place, (AHEAD_MAX + 1).max(probes as usize))?;
            obstacles.extend((ahead >= probes as usize).then(|| circuit_obstacle(facts, ahead)));
        }
        Ok(obstacles)
    }

    /// How many tasks stand ahead of a position at a gate, which is that of a value or not.
    fn ahead_at(
        &mut self,
        (gate, is_of_key): (&GateId, bool),
        place: QueueKey,
        max: usize,
    ) -> Result<usize> {
        if !is_of_key {
            return self.ahead(gate.0, place, max);
        }
        let all = self.ahead_by_value(gate.0, place, max)?;
        Ok(all.get(&gate.1).copied().unwrap_or(0))
    }

    /// What of that holds all tasks of an operation back.
    pub(super) fn of_gates_of_all(&mut self, id: OperationId) -> Result<Vec<Obstacle>> {
        let (mut obstacles, gate) = (Vec::new(), (id, "".into()));
        let rate = self.rate_facts(&gate)?;
        if let Some(facts) = rate.filter(|one| one.rate.by.is_none() && one.tokens == 0) {
            let ahead = self.ahead(id, QueueKey::LAST, AHEAD_MAX + 1)?;
            obstacles.push(rate_obstacle(facts, ahead));
        }
        let circuit = self.circuit_facts(&gate)?;
        let circuit = circuit.filter(|one| one.breaker.by.is_none());
        if let Some(facts) = circuit.filter(|one| probes(one.access) == Some(0)) {
            let ahead = self.ahead(id, QueueKey::LAST, AHEAD_MAX + 1)?;
            obstacles.push(circuit_obstacle(facts, ahead));
        }
        Ok(obstacles)
    }

    fn rate_facts(&mut self, gate: &GateId) -> Result<Option<RateFacts>> {
        let options = self.memory.dispatch.options(gate.0);
        if options.is_none_or(|options| options.rate_limit.is_none()) {
            return Ok(None);
        }
        let stored = self.transaction.gates(std::slice::from_ref(gate))?.pop().flatten();
        Ok(self.memory.dispatch.rate_facts(gate, stored))
    }

    fn circuit_facts(&mut self, gate: &GateId) -> Result<Option<CircuitFacts>> {
        let options = self.memory.dispatch.options(gate.0);
        if options.is_none_or(|options| options.circuit_breaker.is_none()) {
            return Ok(None);
        }
        let stored = self.transaction.circuits(std::slice::from_ref(gate))?.pop().flatten();
        Ok(self.memory.dispatch.circuit_facts(gate, stored))
    }

    /// How many tasks of an operation may start now, as far as those of its gates say that are for
    /// all its tasks; nothing if it has no such gate, or that is wide open.
    pub(super) fn let_start(&mut self, id: OperationId) -> Result<Option<u32>> {
        let gate = (id, "".into());
        let rate = self.rate_facts(&gate)?.filter(|facts| facts.rate.by.is_none());
        let circuit = self.circuit_facts(&gate)?.filter(|facts| facts.breaker.by.is_none());
        let tokens = rate.map(|facts| facts.tokens);
        let probes = circuit.and_then(|facts| probes(facts.access));
        Ok(tokens.into_iter().chain(probes).min())
    }

    /// How many tasks of a value may start now, as far as its gates say.
    pub(super) fn let_start_of(&mut self, gate: &GateId) -> Result<u32> {
        let (tokens, probes) = self.gates_of_key(gate)?;
        Ok(tokens.min(probes))
    }

    /// How many tokens a value has, and how many its circuit lets start.
    fn gates_of_key(&mut self, gate: &GateId) -> Result<(u32, u32)> {
        let rate = self.rate_facts(gate)?.filter(|facts| facts.rate.by.is_some());
        let circuit = self.circuit_facts(gate)?.filter(|facts| facts.breaker.by.is_some());
        let tokens = rate.map_or(u32::MAX, |facts| facts.tokens);
        let probes = circuit.and_then(|facts| probes(facts.access));
        Ok((tokens, probes.unwrap_or(u32::MAX)))
    }

    /// How many ready tasks of an operation have no token of their value, and how many others the
    /// circuit of that holds back.
    pub(super) fn behind_gates(&mut self, id: OperationId) -> Result<(usize, usize)> {
        let (mut rated, mut guarded) = (0, 0);
        if !self.memory.dispatch.has_gate_keys(id) {
            return Ok((rated, guarded));
        }
        for (value, waiting) in self.ahead_by_value(id, QueueKey::LAST, HELD_MAX)? {
            let (tokens, probes) = self.gates_of_key(&(id, value))?;
            let without_token = waiting.saturating_sub(tokens as usize);
            rated += without_token;
            guarded += waiting.saturating_sub(probes as usize).saturating_sub(without_token);
        }
        Ok((rated, guarded))
    }

    /// How many ready tasks of an operation stand ahead of a position, by the value for which its
    /// gates hold; no more than so many of each lane. What conditions hold back does not
    /// count.
    pub(super) fn ahead_by_value(
        &mut self,
        id: OperationId,
        key: QueueKey,
        max: usize,
    ) -> Result<BTreeMap<RateKey, usize>> {
        let parts: Vec<Ahead> = self.memory.dispatch.ahead(id, key).collect();
        let mut all: BTreeMap<RateKey, usize> = BTreeMap::new();
        for part in parts {
            let Some(to) = self.free_before(part, key)? else { continue };
            let Some(part) = self.memory.dispatch.of_lane_ahead(part.lane, to) else { continue };
            if part.keys == LaneKeys::Many {
                self.count_by_value(part, to, max, &mut all)?;
            } else if let Some(first) = self.first_of(part)? {
                let value = self.memory.dispatch.gate_key(id, &first.def)?;
                let count = self.count(part, to, max)?;
                *all.entry(value.unwrap_or_default()).or_default() += count;
            }
        }
        Ok(all)
    }

    /// The same for a lane whose tasks have several values, as far as they are looked at.
    fn count_by_value(
        &mut self,
        part: Ahead,
        key: QueueKey,
        max: usize,
        all: &mut BTreeMap<RateKey, usize>,
    ) -> Result<()> {
        let (mut from, mut looked) = (part.first, 0);
        while looked < max.min(LOOKED_AT_MAX) {
            let id = part.lane.operation();
            let operation = self.memory.dispatch.operation_name(id).cloned();
            let lane = Lane { id: part.lane, operation: operation.unwrap_or_default() };
            let query = WindowQuery { lane, from, tasks_max: LOOKED_AT_ONCE };
            let Some(window) = self.transaction.windows(&[query], usize::MAX)?.pop() else { break };
            let place = |task: &ReadyTask| QueueKey::new(task.def.priority, task.seq);
            for task in window.tasks.iter().take_while(|task| place(task) < key) {
                if holds::matching(self.memory.holds.live(self.now), &task.def)?.is_empty() {
                    let value = self.memory.dispatch.gate_key(id, &task.def)?;
                    *all.entry(value.unwrap_or_default()).or_default() += 1;
                }
            }
            looked += window.tasks.len();
            match window.tasks.last().filter(|_| !window.is_complete) {
                Some(last) => from = place(last).after(),
                None => break,
            }
        }
        Ok(())
    }
}

/// How many tasks a circuit lets start; nothing if that is all of them.
fn probes(access: Access) -> Option<u32> {
    match access {
        Access::Free => None,
        Access::Probes(probes) => Some(probes),
        Access::Until(_) | Access::Probing => Some(0),
    }
}

/// What keeps a task from starting behind so many that take a token before it.
fn rate_obstacle(facts: RateFacts, ahead: usize) -> Obstacle {
    let RateFacts { rate, key, next_at, .. } = facts;
    let is_capped = ahead > AHEAD_MAX;
    Obstacle::RateLimit { rate, key, next_at, ahead: ahead.min(AHEAD_MAX), is_capped }
}

/// What keeps a task from starting behind so many that are tried before it.
fn circuit_obstacle(facts: CircuitFacts, ahead: usize) -> Obstacle {
    let CircuitFacts { breaker, key, probing, access } = facts;
    let until = match access {
        Access::Until(until) => Some(until),
        Access::Free | Access::Probes(_) | Access::Probing => None,
    };
    let (is_capped, ahead) = (ahead > AHEAD_MAX, ahead.min(AHEAD_MAX));
    Obstacle::Circuit { breaker, key, until, probing, ahead, is_capped }
}
