//! The queue against a brute-force oracle: a list of everything, scanned for each start.
//!
//! Random histories of adds, ends, priority changes, runners and limits; after each turn what
//! starts must be exactly what a scan of all waiting tasks would start, in that order (I-6, I-7);
//! runs in other processes count against the limit of an operation, not against that of a process.
//! Windows are kept tiny so that most tasks are known only to the store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use rustc_hash::FxHashMap;
use tasker_core::dispatch::{Arrival, Dispatch, QueueKey, Turnover};
use tasker_core::id::{LaneId, Seq, TaskId};
use tasker_core::store::{Lane, ReadyTask, Window};
use tasker_core::task::{NewTask, Priority};
use tasker_core::time::WallMs;

const OPERATIONS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// Tasks that are added and may start in the same turn: operation and priority.
    Add(Vec<(usize, i8)>),
    /// So many of the oldest runs end in one turn.
    End(usize),
    /// The n-th waiting task leaves the queue.
    Leave(usize),
    Runner(usize, Option<u8>),
    NoRunner(usize),
    /// So many runs of an operation begin in other processes.
    BeginRemote(usize, u32),
    /// So many of them are over; more than there are means all.
    EndRemote(usize, u32),
    /// What is known of other processes is read anew.
    ReloadRemote,
    Started(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((0..3_usize, -2..3_i8), 1..12).prop_map(Step::Add),
        4 => (0..6_usize).prop_map(Step::End),
        2 => (0..40_usize).prop_map(Step::Leave),
        2 => (0..3_usize, prop::option::of(1..4_u8)).prop_map(|(o, l)| Step::Runner(o, l)),
        1 => (0..3_usize).prop_map(Step::NoRunner),
        2 => (0..3_usize, 1..4_u32).prop_map(|(o, n)| Step::BeginRemote(o, n)),
        2 => (0..3_usize, 1..6_u32).prop_map(|(o, n)| Step::EndRemote(o, n)),
        1 => Just(Step::ReloadRemote),
        1 => prop::bool::weighted(0.8).prop_map(Step::Started),
    ]
}

fn lane(operation: usize) -> Lane {
    Lane { id: LaneId(operation as u64 + 1), operation: OPERATIONS[operation].into() }
}

fn waiting(seq: u64, operation: usize, priority: i8) -> ReadyTask {
    let priority = Priority::new(f64::from(priority)).unwrap();
    let def = NewTask { priority, ..NewTask::new(OPERATIONS[operation]) };
    let id = TaskId(uuid::Uuid::from_u64_pair(0, seq));
    let (created_at, attempt, losses, logs) = (WallMs(0), 0, 0, 0);
    ReadyTask { seq: Seq(seq), id, created_at, def, attempt, losses, logs }
}

/// Everything, in the order in which it would start.
struct World {
    dispatch: Dispatch,
    limit: u32,
    is_started: bool,
    runners: BTreeMap<usize, Option<u32>>,
    waiting: BTreeMap<QueueKey, (usize, ReadyTask)>,
    running: Vec<(u64, usize)>,
    /// Live runs in other processes, by operation.
    remote: [u32; 3],
    next: u64,
    window: usize,
}

impl World {
    fn new(limit: u32, window: usize) -> Self {
        let mut dispatch = Dispatch::new(limit);
        for operation in 0..3 {
            dispatch.add_lane(&lane(operation), true);
        }
        let (waiting, runners) = (BTreeMap::new(), BTreeMap::new());
        let running = Vec::new();
        let (is_started, remote, next) = (false, [0; 3], 1);
        Self { dispatch, limit, is_started, runners, waiting, running, remote, next, window }
    }

    /// What a scan of everything would start.
    fn expected(&self, ended: &[(u64, usize)], turnover: &Turnover) -> Vec<u64> {
        let mut live: Vec<usize> = self.running.iter().map(|(_, operation)| *operation).collect();
        live.drain(..ended.len());
        let mut starts = Vec::new();
        for (key, (operation, _)) in &self.waiting {
            let Some(limit) = self.runners.get(operation) else { continue };
            if turnover.gone.contains(&key.seq) {
                continue;
            }
            let here = live.iter().filter(|other| *other == operation).count() as u32;
            let count = here + self.remote[*operation];
            let has_capacity = limit.is_none_or(|limit| count < limit);
            if self.is_started && has_capacity && (live.len() as u32) < self.limit {
                live.push(*operation);
                starts.push(key.seq.0);
            }
        }
        starts
    }

    /// Loads less than is asked for, as a store does whose tasks are too big for one window.
    fn load(&mut self, turnover: &Turnover, arrivals: &[u64]) {
        for (id, _) in self.dispatch.lanes_to_load(turnover) {
            let operation = id.0 as usize - 1;
            let in_store = self
                .waiting
                .values()
                .filter(|(other, task)| *other == operation && !arrivals.contains(&task.seq.0));
            let all: Vec<ReadyTask> = in_store.map(|(_, task)| task.clone()).collect();
            let count = all.len().min(self.window);
            let is_complete = count == all.len();
            self.dispatch.load(id, Window { tasks: all[..count].to_vec(), is_complete });
        }
    }

    /// One turn of the engine's: ends and adds, then starts until nothing more may start.
    fn turn(&mut self, adds: &[(usize, i8)], ends: usize, leaves: Option<usize>) {
        let ended: Vec<_> = self.running.iter().take(ends).copied().collect();
        let mut turnover = Turnover::default();
        for (_, operation) in &ended {
            *turnover.freed.entry(OPERATIONS[*operation].into()).or_default() += 1;
        }
        let left = leaves.and_then(|n| self.waiting.iter().nth(n)).map(|(k, v)| (*k, v.0));
        turnover.gone.extend(left.map(|(key, _)| key.seq));
        let mut added = FxHashMap::default();
        for (operation, priority) in adds {
            let task = waiting(self.next, *operation, *priority);
            self.next += 1;
            let key = QueueKey::of(&task);
            let arrivals =
                Arrival { key, lane: lane(*operation).id, operation: lane(*operation).operation };
            turnover.arrivals.push(arrivals);
            added.insert(task.seq.0, (*operation, task.clone()));
            self.waiting.insert(key, (*operation, task));
        }
        turnover.arrivals.sort_unstable_by_key(|arrivals| arrivals.key);
        let expected = self.expected(&ended, &turnover);
        let new: Vec<u64> = added.keys().copied().collect();
        // The store still has what leaves while the turn is planned.
        self.load(&turnover, &new);
        if let Some((key, _)) = left {
            self.waiting.remove(&key);
        }
        let mut started = self.apply(&turnover, &ended, added);
        if let Some((key, operation)) = left {
            self.dispatch.dequeue(lane(operation).id, key);
        }
        while self.dispatch.starts(&Turnover::default()).picks.len() + self.again() > 0 {
            started.extend(self.apply(&Turnover::default(), &[], FxHashMap::default()));
        }
        assert_eq!(started, expected);
    }

    /// Loads once more if the last choice was starved.
    fn again(&mut self) -> usize {
        let empty = Turnover::default();
        let lanes_to_load = self.dispatch.lanes_to_load(&empty).len();
        self.load(&empty, &[]);
        let picks = self.dispatch.starts(&empty).picks.len();
        usize::from(lanes_to_load > 0 && picks > 0)
    }

    fn apply(
        &mut self,
        turnover: &Turnover,
        ended: &[(u64, usize)],
        mut added: FxHashMap<u64, (usize, ReadyTask)>,
    ) -> Vec<u64> {
        let starts = self.dispatch.starts(turnover);
        for (_, operation) in ended {
            self.dispatch.release(&Arc::from(OPERATIONS[*operation]));
        }
        self.running.drain(..ended.len());
        let mut order = Vec::new();
        for pick in starts.picks {
            let (operation, _) = self.waiting.remove(&pick.key).expect("starts what waits");
            if pick.is_arrival {
                added.remove(&pick.key.seq.0);
                self.dispatch.acquire(&lane(operation).operation);
            } else {
                self.dispatch.start(pick.lane, pick.key).expect("the window holds it");
            }
            self.running.push((pick.key.seq.0, operation));
            order.push(pick.key.seq.0);
        }
        let mut rest: Vec<_> = added.into_values().collect();
        rest.sort_by_key(|(_, task)| task.seq);
        for (operation, task) in rest {
            self.dispatch.enqueue(lane(operation).id, task);
        }
        order
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Add(adds) => self.turn(&adds, 0, None),
            Step::End(count) => self.turn(&[], count, None),
            Step::Leave(n) => self.turn(&[], 0, Some(n)),
            Step::Started(is_started) => {
                self.is_started = is_started;
                self.dispatch.set_started(is_started);
                self.turn(&[], 0, None);
            }
            Step::Runner(operation, limit) => {
                let limit = limit.map(u32::from);
                self.runners.insert(operation, limit);
                self.dispatch.set_runner(&lane(operation).operation, true, limit);
                self.turn(&[], 0, None);
            }
            Step::BeginRemote(operation, runs) => {
                self.remote[operation] += runs;
                self.dispatch.add_remote_runs(lane(operation).id, runs);
                self.turn(&[], 0, None);
            }
            Step::EndRemote(operation, runs) => {
                self.remote[operation] = self.remote[operation].saturating_sub(runs);
                self.dispatch.remove_remote_runs(lane(operation).id, runs);
                self.turn(&[], 0, None);
            }
            Step::ReloadRemote => {
                self.dispatch.clear_remote_runs();
                for (operation, runs) in self.remote.into_iter().enumerate() {
                    self.dispatch.add_remote_runs(lane(operation).id, runs);
                }
                self.turn(&[], 0, None);
            }
            Step::NoRunner(operation) => {
                self.runners.remove(&operation);
                self.dispatch.set_runner(&lane(operation).operation, false, None);
                self.turn(&[], 0, None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_starts_is_what_a_scan_of_everything_would_start(
        steps in prop::collection::vec(step(), 1..60),
        limit in 1..6_u32,
        window in 1..9_usize,
    ) {
        let mut world = World::new(limit, window);
        world.step(Step::Started(true));
        for step in steps {
            world.step(step);
        }
    }
}
