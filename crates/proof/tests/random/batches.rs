//! Worlds of batches: one engine whose runners take several tasks at once, beside one that takes
//! each by itself, with few places and limits that change. After each turn what started is compared
//! with what a scan of everything says, and so are the places that are taken and the moment at
//! which the engine wants to turn again.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tasker_core::batching::Batching;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::rules::{Settlement, abort_reason};
use tasker_core::task::{Cause, NewTask, OnStop, Priority};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RunSlot, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;
use tasker_proof::rng::Rng;

use crate::number;

/// The priority and the number of a task, in queue order.
type Place = (i64, u64);

/// A task that waits or runs.
#[derive(Clone, Copy, Debug)]
struct Task {
    id: TaskId,
    operation: usize,
}

/// What is known of an operation.
#[derive(Clone, Debug, Default)]
struct Operation {
    batching: Option<Batching>,
    limit: Option<u32>,
    /// Since when its first task has waited for others, and how many do.
    gathering: Option<(u64, usize)>,
}

struct World {
    rng: Rng,
    engine: Engine,
    mono: u64,
    concurrency: usize,
    operations: Vec<Operation>,
    ready: BTreeMap<Place, Task>,
    /// The operation and the batch of each live run; those of one batch have the same.
    runs: BTreeMap<RunSlot, (usize, u64)>,
    tickets: Ticket,
    tasks: u64,
    batches: u64,
    /// Batches of more than one task that have started, and those that were not full.
    met: (u64, u64),
}

/// What starts, as a scan of everything finds it: the tasks of each call of a runner.
type Calls = Vec<(usize, Vec<Place>)>;

fn name(operation: usize) -> std::sync::Arc<str> {
    format!("operation {operation}").into()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let concurrency = 1 + rng.below(4);
        let settings = Settings { concurrency: concurrency as u32, on_stop: OnStop::Wait };
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) };
        let store = Disk::default().open().unwrap().store;
        let (engine, _) = Engine::open(store, settings, [7; 32], now).unwrap();
        let mut batching = || {
            let wait_ms = rng.one_of(&[0, 0, 10, 50]);
            Batching { max: 2 + rng.below(4) as u32, wait_ms }
        };
        let said = [Some(batching()), Some(batching()), None];
        let operations = said.map(|batching| Operation { batching, ..Operation::default() });
        let operations = operations.to_vec();
        let (ready, runs) = (BTreeMap::new(), BTreeMap::new());
        let (mono, tickets, tasks, batches, met) = (1, 0, 0, 0, (0, 0));
        let mut world = Self {
            rng,
            engine,
            mono,
            concurrency,
            operations,
            ready,
            runs,
            tickets,
            tasks,
            batches,
            met,
        };
        let mut inputs = Vec::new();
        for (operation, said) in said.into_iter().enumerate() {
            let ticket = world.ticket();
            inputs.push(match said {
                Some(said) => Input::AssignBatch(ticket, name(operation), None, said),
                None => Input::Assign(ticket, name(operation), None),
            });
        }
        inputs.push(Input::Start(world.ticket()));
        world.turn(inputs);
        world
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    fn input(&mut self) -> Option<Input> {
        let (ticket, operation) = (self.ticket(), self.rng.below(self.operations.len()));
        match self.rng.below(12) {
            0..6 => {
                let mut def = NewTask::new(name(operation));
                def.priority = Priority::new(self.rng.below(3) as f64).unwrap();
                Some(Input::Add(ticket, def))
            }
            6..10 => {
                let slots: Vec<RunSlot> = self.runs.keys().copied().collect();
                let slot = self.rng.pick(&slots).copied()?;
                self.runs.remove(&slot);
                Some(Input::Settle(slot, Settlement::Returned(None)))
            }
            10 => {
                let places: Vec<Place> = self.ready.keys().copied().collect();
                let task = self.ready.remove(self.rng.pick(&places)?)?;
                Some(Input::Abort(ticket, task.id, abort_reason(Cause::User, "no")))
            }
            _ => {
                let limit = self.rng.one_of(&[None, None, Some(1), Some(3), Some(6)]);
                self.operations[operation].limit = limit;
                let options =
                    OperationOptions { concurrency: limit, ..OperationOptions::default() };
                Some(Input::Define(ticket, name(operation), options))
            }
        }
    }

    fn places(&self) -> usize {
        let mut batches: Vec<u64> = self.runs.values().map(|(_, batch)| *batch).collect();
        batches.sort_unstable();
        batches.dedup();
        batches.len()
    }

    /// What starts if no more than so many tasks of each operation may; and how many places are
    /// taken then.
    fn scan(&self, most: &[usize]) -> (Calls, usize) {
        let (mut calls, mut places): (Calls, _) = (Vec::new(), self.places());
        let live = |operation| self.runs.values().filter(|(one, _)| *one == operation).count();
        let live: Vec<usize> = (0..self.operations.len()).map(live).collect();
        let mut taken = vec![0; self.operations.len()];
        let mut open: Vec<Option<usize>> = vec![None; self.operations.len()];
        for (place, task) in &self.ready {
            let at = task.operation;
            let said = &self.operations[at];
            let is_closed = said.limit.is_some_and(|limit| live[at] + taken[at] >= limit as usize);
            if is_closed || taken[at] == most[at] {
                continue;
            }
            let max = said.batching.map_or(1, |batching| batching.max as usize);
            if let Some(call) = open[at].filter(|call| calls[*call].1.len() < max) {
                calls[call].1.push(*place);
            } else if places < self.concurrency {
                places += 1;
                open[at] = Some(calls.len());
                calls.push((at, vec![*place]));
            } else {
                continue;
            }
            taken[at] += 1;
        }
        (calls, places)
    }

    /// The first tasks that wait for others, of those that could start: of which operation, behind
    /// how many that start, since when, and how many they are.
    fn first_to_wait(&self, calls: &Calls) -> Option<(Place, usize, usize, (u64, usize))> {
        let mut before = vec![0; self.operations.len()];
        let mut waiting = Vec::new();
        for (at, tasks) in calls {
            if let Some(Batching { max, wait_ms }) = self.operations[*at].batching {
                let old = self.operations[*at].gathering.filter(|_| before[*at] == 0);
                let since = old.map_or(self.mono, |(since, _)| since);
                let most = self.operations[*at].limit.map_or(max, |limit| limit.min(max));
                if tasks.len() < most as usize && self.mono < since + wait_ms {
                    waiting.push((tasks[0], *at, before[*at], (since, tasks.len())));
                }
            }
            before[*at] += tasks.len();
        }
        waiting.into_iter().min()
    }

    /// What a turn must start, and what waits then.
    fn expected(&mut self) -> Calls {
        let mut most = vec![usize::MAX; self.operations.len()];
        let mut gathering = vec![None; self.operations.len()];
        loop {
            let (calls, places) = self.scan(&most);
            if let Some((_, at, before, found)) = self.first_to_wait(&calls) {
                (most[at], gathering[at]) = (before, Some(found));
                continue;
            }
            for (at, said) in self.operations.iter_mut().enumerate() {
                // Without a place nothing could start: what has waited waits on.
                let kept = said.gathering.filter(|_| places == self.concurrency);
                said.gathering = gathering[at].or(kept.map(|(since, _)| (since, 0)));
            }
            return calls;
        }
    }

    /// A turn, and what it told beside what it must tell.
    fn turn(&mut self, inputs: Vec<Input>) {
        let adds: BTreeMap<Ticket, (usize, Priority)> = inputs.iter().filter_map(added).collect();
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(self.mono) };
        let mut effects = Vec::new();
        let after = self.engine.turn(inputs, now, &mut effects);
        for effect in &effects {
            if let Effect::Answer(ticket, Answer::Task(id)) = effect {
                let (operation, priority) = adds[ticket];
                self.tasks += 1;
                let place = (-(priority.get() as i64), self.tasks);
                self.ready.insert(place, Task { id: *id, operation });
            }
        }
        let expected = self.expected();
        let ids = |tasks: &Vec<Place>| tasks.iter().map(|place| self.ready[place].id).collect();
        let ids: Vec<Vec<TaskId>> = expected.iter().map(|(_, tasks)| ids(tasks)).collect();
        assert_eq!(self.told(&effects), ids);
        for (operation, tasks) in &expected {
            let max = self.operations[*operation].batching.map_or(1, |batching| batching.max);
            self.met.0 += u64::from(tasks.len() > 1);
            self.met.1 += u64::from(tasks.len() < max as usize);
            for place in tasks {
                self.ready.remove(place);
            }
        }
        let memory = self.engine.memory();
        assert_eq!(memory.dispatch.fault(), None);
        assert_eq!(memory.dispatch.running() as usize, self.places());
        let waits = self.operations.iter().filter_map(|said| {
            let (since, tasks) = said.gathering?;
            (tasks > 0).then_some(MonoMs(since + said.batching?.wait_ms))
        });
        assert_eq!(after, Next::Wait(waits.min()));
    }

    /// The calls of runners that were told, each with its tasks.
    fn told(&mut self, effects: &[Effect]) -> Vec<Vec<TaskId>> {
        let (mut calls, mut left): (Vec<Vec<TaskId>>, _) = (Vec::new(), 0);
        for effect in effects {
            match effect {
                Effect::Batch(_, runs) => {
                    assert_eq!(left, 0, "a batch begins within another one");
                    left = *runs;
                    calls.push(Vec::new());
                    self.batches += 1;
                }
                Effect::Start(run) => {
                    if left == 0 {
                        calls.push(Vec::new());
                        self.batches += 1;
                    }
                    left = u32::saturating_sub(left, 1);
                    calls.last_mut().unwrap().push(run.id);
                    let is_its = |at: &usize| name(*at) == run.operation;
                    let operation = (0..self.operations.len()).find(is_its).unwrap();
                    self.runs.insert(run.slot, (operation, self.batches));
                }
                _ => {}
            }
        }
        assert_eq!(left, 0, "runs of a batch are missing");
        calls
    }

    fn run(mut self) -> (u64, u64) {
        for _ in 0..60 {
            if self.rng.once_in(2) {
                self.mono += self.rng.one_of(&[1, 5, 10, 40, 50]);
            }
            let inputs = (0..self.rng.below(8)).filter_map(|_| self.input()).collect();
            self.turn(inputs);
        }
        self.met
    }
}

fn added(input: &Input) -> Option<(Ticket, (usize, Priority))> {
    let Input::Add(ticket, def) = input else { return None };
    let operation = (0..3).find(|at| name(*at) == def.operation)?;
    Some((*ticket, (operation, def.priority)))
}

/// I-6 I-7 I-12
#[test]
fn in_two_thousand_worlds_of_batches_over_the_model_what_starts_is_what_a_scan_finds() {
    let seeds = match number("TASKER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TASKER_WORLDS").unwrap_or(2_000),
    };
    let (mut several, mut partial) = (0, 0);
    for seed in seeds.clone() {
        match catch_unwind(AssertUnwindSafe(|| World::new(seed).run())) {
            Ok((of_several, in_part)) => {
                (several, partial) = (several + of_several, partial + in_part);
            }
            Err(_) => panic!("world {seed}: repeat it with TASKER_SEED={seed}"),
        }
    }
    assert!(seeds.count() == 1 || (several > 0 && partial > 0), "batches are never met");
}
