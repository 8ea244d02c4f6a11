//! All figures of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::error::Code;
use tasker_core::reason::Reason;
use tasker_core::state::{Counts, State};
use tasker_core::time::WallMs;
use tasker_core::totals::{Extent, Total};

use super::{Distribution, OperationMeter};

/// Under which name those operations are told together that are left out.
const OTHERS: &str = "_other";

/// How the tasks of an operation stand.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// How many are in each state, in the store.
    pub tasks: Total,
    /// How many wait for what, in the store.
    pub waiting: BTreeMap<Reason, u64>,
    /// When the task was added that is next in the queue, if one is ready.
    pub next_ready_at: Option<WallMs>,
    /// How many processes have a runner for it, or an executor that asks for its tasks.
    pub runners: u64,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Whether its circuit lets nothing start: it is open, or all its probes are under way.
    pub is_circuit_open: bool,
    /// Live runs in this process.
    pub live: u64,
}

/// All that is known of an operation.
#[derive(Clone, Debug)]
pub struct OperationFigures {
    /// Its name.
    pub name: Arc<str>,
    /// What this process has done for it.
    pub meter: OperationMeter,
    /// How its tasks stand.
    pub gauges: Gauges,
}

impl Gauges {
    /// How many tasks are in a state.
    pub fn count(&self, state: State) -> u64 {
        u64::try_from(self.tasks.of(state)).unwrap_or(0)
    }
}

impl OperationFigures {
    fn activity(&self) -> u64 {
        let waiting: u64 = self.gauges.waiting.values().sum();
        self.meter.activity() + waiting
    }

    fn merge(&mut self, other: &OperationFigures) {
        self.meter.merge(&other.meter);
        let (own, other) = (&mut self.gauges, &other.gauges);
        own.tasks.merge(&other.tasks);
        for (reason, count) in &other.waiting {
            *own.waiting.entry(*reason).or_default() += count;
        }
        own.next_ready_at = own.next_ready_at.into_iter().chain(other.next_ready_at).min();
        own.runners += other.runners;
        own.is_paused |= other.is_paused;
        own.is_circuit_open |= other.is_circuit_open;
        own.live += other.live;
    }
}

/// All figures of one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Which.
    pub at: WallMs,
    /// From when on is counted what this process does: when the handle was opened, or later.
    pub since: WallMs,
    /// The number of the last commit.
    pub number: u64,
    /// How many tasks are in each state, in the store.
    pub counts: Counts,
    /// Who has the store open, and how large it is.
    pub extent: Extent,
    /// How many schedules there are.
    pub schedules: u64,
    /// Live runs in this process.
    pub live: u64,
    /// How many there may be.
    pub limit: u64,
    /// Calls that wait for tasks, to take them to executors.
    pub polls: u64,
    /// How long turns took, in microseconds.
    pub turns: Distribution,
    /// How many inputs a turn had.
    pub inputs: Distribution,
    /// How long commits took, in microseconds.
    pub commits: Distribution,
    /// Commits that the store has refused, by code.
    pub refused: BTreeMap<Code, u64>,
    /// Each operation, by name.
    pub operations: Vec<OperationFigures>,
}

impl Figures {
    /// Counts what this process did from an earlier moment of the same handle on.
    pub fn count_from(&mut self, earlier: &Figures) {
        self.since = earlier.at;
        self.turns = self.turns.since(&earlier.turns);
        self.inputs = self.inputs.since(&earlier.inputs);
        self.commits = self.commits.since(&earlier.commits);
        for (code, count) in &earlier.refused {
            self.refused.entry(*code).and_modify(|all| *all -= count);
        }
        self.refused.retain(|_, count| *count > 0);
        let before: BTreeMap<_, _> =
            earlier.operations.iter().map(|one| (&one.name, one)).collect();
        for operation in &mut self.operations {
            if let Some(before) = before.get(&operation.name) {
                operation.meter = operation.meter.since(&before.meter);
            }
        }
    }

    /// Tells no more than so many operations by name, those with the most adds, runs and waiting
    /// tasks; the others together.
    pub fn limit_operations(&mut self, max: usize) {
        if self.operations.len() > max {
            self.operations.sort_by_key(|one| std::cmp::Reverse(one.activity()));
            let mut others = OperationFigures {
                name: OTHERS.into(),
                meter: OperationMeter::default(),
                gauges: Gauges::default(),
            };
            self.operations.drain(max..).for_each(|one| others.merge(&one));
            self.operations.push(others);
        }
        self.operations.sort_by(|one, other| one.name.cmp(&other.name));
    }
}
