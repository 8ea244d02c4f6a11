//! The figures of a moment: what this process has counted, and how the store stands.
//!
//! # Promises
//! - What is read is bounded by the number of operations, whatever the number of tasks.
//! - A task is counted under one reason: that of its state; a ready one under the first of those
//!   that hold all ready tasks of its operation back, or else under `order`.
//!
//! Proof: `proof/tests/engine/metrics.rs`, `proof/tests/random`.

use std::collections::BTreeMap;

use tasker_core::error::Result;
use tasker_core::explanation::Obstacle;
use tasker_core::id::{OperationId, Seq};
use tasker_core::json::write_string;
use tasker_core::operation::WHOLE_STORE;
use tasker_core::reason::Reason;
use tasker_core::state::State;
use tasker_core::totals::{Total, Totals};

use super::Facts;
use crate::metrics::{Figures, Format, Gauges, OperationFigures, json, text};

impl Facts<'_> {
    /// All figures, as JSON or as a JSON string with the text.
    pub(super) fn metrics(&mut self, format: Format, operations_max: usize) -> Result<String> {
        let mut figures = self.figures()?;
        figures.limit_operations(operations_max);
        let text = match format {
            Format::Json => return Ok(json::write(&figures)),
            Format::Prometheus => text::write(&figures, false),
            Format::OpenMetrics => text::write(&figures, true),
        };
        let mut quoted = String::new();
        write_string(&text, &mut quoted);
        Ok(quoted)
    }

    /// All figures, of every operation, by name.
    pub(super) fn figures(&mut self) -> Result<Figures> {
        let totals = self.transaction.totals()?.unwrap_or_default();
        let extent = self.transaction.extent()?;
        let schedules = self.transaction.count_schedules()? as u64;
        let ids = 1..u16::try_from(self.memory.next_operation).unwrap_or(u16::MAX);
        let ids: Vec<OperationId> = ids.map(OperationId).collect();
        let mut operations = Vec::with_capacity(ids.len());
        for id in &ids {
            let Some(name) = self.memory.dispatch.operation_name(*id).cloned() else { continue };
            // What is said of the whole store has a record, and no tasks.
            if &*name == WHOLE_STORE {
                continue;
            }
            let meter = self.memory.meters.of(*id).cloned().unwrap_or_default();
            let gauges = self.gauges(*id, &name, &totals)?;
            operations.push((*id, OperationFigures { name, meter, gauges }));
        }
        self.add_next(&mut operations)?;
        let dispatch = &self.memory.dispatch;
        let meters = &self.memory.meters;
        Ok(Figures {
            at: self.now,
            since: meters.opened_at,
            number: self.memory.number,
            counts: self.memory.counts,
            extent,
            schedules,
            live: u64::from(dispatch.running()),
            limit: u64::from(dispatch.limit()),
            polls: self.memory.polls.len() as u64,
            turns: meters.turns.clone(),
            inputs: meters.inputs.clone(),
            commits: meters.commits.clone(),
            refused: meters.refused.clone(),
            operations: operations.into_iter().map(|(_, figures)| figures).collect(),
        })
    }

    fn gauges(&mut self, id: OperationId, name: &str, totals: &Totals) -> Result<Gauges> {
        let tasks = totals.0.get(&id).copied().unwrap_or_default();
        let dispatch = &self.memory.dispatch;
        let facts = dispatch.facts(id);
        let offers = self.memory.remote_offers.values().filter(|offers| offers.contains(name));
        let elsewhere = offers.count() as u64;
        let obstacles = self.of_all(id)?;
        Ok(Gauges {
            tasks,
            waiting: waiting(&tasks, &obstacles),
            next_ready_at: None,
            runners: elsewhere + u64::from(facts.is_some_and(|facts| facts.is_offered_here)),
            is_paused: facts.is_some_and(|facts| facts.paused_at.is_some()),
            is_circuit_open: obstacles.iter().any(|one| one.reason() == Reason::Circuit),
            live: facts.map_or(0, |facts| u64::from(facts.running_here)),
        })
    }

    /// What holds all ready tasks of an operation back, the first reason first.
    pub(super) fn of_all(&mut self, id: OperationId) -> Result<Vec<Obstacle>> {
        let mut obstacles = self.of_operation((id, None))?;
        obstacles.extend(self.of_gates_of_all(id)?);
        obstacles.sort_by_key(Obstacle::reason);
        Ok(obstacles)
    }

    /// When the tasks were added that are next in the queue.
    fn add_next(&mut self, operations: &mut [(OperationId, OperationFigures)]) -> Result<()> {
        let next = |(id, _): &(OperationId, OperationFigures)| {
            self.memory.dispatch.next_ready(*id).map(|key| key.seq)
        };
        let seqs: Vec<Option<Seq>> = operations.iter().map(next).collect();
        let known: Vec<Seq> = seqs.iter().flatten().copied().collect();
        let mut briefs = self.transaction.briefs(&known)?.into_iter();
        for ((_, figures), _) in operations.iter_mut().zip(seqs).filter(|(_, seq)| seq.is_some()) {
            let brief = briefs.next().flatten().filter(|brief| brief.state == State::Ready);
            figures.gauges.next_ready_at = brief.map(|brief| brief.created_at);
        }
        Ok(())
    }
}

/// How many tasks wait for what.
fn waiting(tasks: &Total, obstacles: &[Obstacle]) -> BTreeMap<Reason, u64> {
    let first = obstacles.first().map_or(Reason::Order, Obstacle::reason);
    let of_state = |state: State| {
        if state == State::Ready { Some(first) } else { Reason::of_state(state) }
    };
    let mut waiting = BTreeMap::new();
    for state in State::ALL {
        let count = u64::try_from(tasks.of(*state)).unwrap_or(0);
        if let Some(reason) = of_state(*state).filter(|_| count > 0) {
            *waiting.entry(reason).or_default() += count;
        }
    }
    waiting
}
