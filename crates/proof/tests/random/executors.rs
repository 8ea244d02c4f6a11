//! Worlds of executors: two engines on one disk, whose tasks programs outside take, lose, begin,
//! report and forget; clocks that jump, crashes, calls that come twice or under another run. After
//! each turn what is stored is compared with what was stored before it, and with what polls got.
//!
//! Whoever judges knows nothing but rows: who waits, which tasks are live, and which could start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::condition::Conditions;
use tasker_core::executor::Executor;
use tasker_core::id::{RunId, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::query::Query;
use tasker_core::read::Find;
use tasker_core::reader::Reader;
use tasker_core::rules::{Settlement, abort_reason};
use tasker_core::state::State;
use tasker_core::task::{Cause, Json, NewTask, OnStop, Priority, TaskRecord, Unsaid};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, Poll, StopOptions, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;
use tasker_proof::rng::Rng;

use crate::number;

const OPERATIONS: [&str; 2] = ["read", "write"];
/// At most so many of the first at once; the second runs alone, and lets the first not pass it.
const LIMIT: usize = 3;
const EXECUTOR: Executor = Executor { claim_ms: 1_000, lease_ms: 5_000, retry_on_fail: true };
const STEPS: usize = 120;
const JUMPS_MS: [i64; 6] = [0, 0, 0, 0, -3_600_000, 3_600_000];

/// A poll that waits.
struct Waiting {
    operations: Vec<&'static str>,
    process: usize,
}

struct World {
    rng: Rng,
    disk: Disk,
    engines: Vec<Option<Engine>>,
    now: Now,
    /// How many engines there have been.
    opened: u32,
    tickets: Ticket,
    waiting: BTreeMap<Ticket, Waiting>,
    /// What programs outside have, or had.
    taken: Vec<(TaskId, RunId)>,
    runs: BTreeSet<RunId>,
    before: BTreeMap<TaskId, TaskRecord>,
    /// How often each thing happened.
    met: BTreeMap<&'static str, u64>,
}

fn conditions(operation: &str) -> Conditions {
    let text = if operation == "read" {
        r#"[{"scope":"running","query":{"operation":"write"},"limit":0},
            {"scope":"before-queued","query":{"operation":"write"},"limit":0}]"#
    } else {
        r#"[{"scope":"running","query":{"operation":{"$in":["read","write"]}},"limit":0}]"#
    };
    Conditions::read(text, "concurrency").unwrap()
}

fn is_live(task: &TaskRecord) -> bool {
    matches!(task.state, State::Claimed | State::Running)
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = Disk::default();
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) };
        let mut world = Self {
            rng: Rng::new(seed),
            disk,
            engines: vec![None, None],
            now,
            opened: 0,
            tickets: 0,
            waiting: BTreeMap::new(),
            taken: Vec::new(),
            runs: BTreeSet::new(),
            before: BTreeMap::new(),
            met: BTreeMap::new(),
        };
        (0..2).for_each(|process| world.open(process));
        for name in OPERATIONS {
            let concurrency = (name == "read").then_some(LIMIT as u32);
            let executor = Some(EXECUTOR);
            let options = OperationOptions { executor, concurrency, ..OperationOptions::default() };
            let ticket = world.ticket();
            world.turn(0, vec![Input::Define(ticket, name.into(), options)]);
        }
        world
    }

    fn open(&mut self, process: usize) {
        let store = self.disk.open().unwrap().store;
        let settings = Settings { concurrency: 1, on_stop: OnStop::Wait };
        // No two engines of a world name their runs alike.
        let mut seed = [self.rng.below(256) as u8; 32];
        self.opened += 1;
        seed[..4].copy_from_slice(&self.opened.to_le_bytes());
        let (engine, _) = Engine::open(store, settings, seed, self.now).unwrap();
        self.engines[process] = Some(engine);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    fn tasks(&self) -> BTreeMap<TaskId, TaskRecord> {
        let find = Find::all(Query::parse("{}").unwrap());
        let found = self.disk.reader().find(&find, &|| false).unwrap();
        found.into_iter().map(|found| (found.task.id, found.task)).collect()
    }

    /// A turn, and all that it makes due at once; then each process looks at what it has done.
    fn turn(&mut self, process: usize, inputs: Vec<Input>) {
        let mut effects = Vec::new();
        let engine = self.engines[process].as_mut().unwrap();
        let mut next = engine.turn(inputs, self.now, &mut effects);
        while matches!(next, Next::Again | Next::More) {
            next = engine.turn(Vec::new(), self.now, &mut effects);
        }
        self.judge(process, &effects);
    }

    fn judge(&mut self, process: usize, effects: &[Effect]) {
        let tasks = self.tasks();
        let mut served = Vec::new();
        for effect in effects {
            let Effect::Answer(ticket, Answer::Claims(claims)) = effect else { continue };
            let asked = self.waiting.remove(ticket);
            for claim in claims {
                let asked = asked.as_ref().expect("who does not wait gets nothing");
                assert!(asked.operations.contains(&&*claim.operation), "{claim:?}");
                assert!(self.runs.insert(claim.run), "a run is given twice");
                let task = &tasks[&claim.id];
                assert_eq!((task.state, task.attempt), (State::Claimed, claim.attempt));
                self.taken.push((claim.id, claim.run));
            }
            if !claims.is_empty() {
                served.push(*ticket);
                *self.met.entry("claim").or_default() += 1;
            }
        }
        for (ticket, other) in &self.waiting {
            let is_passed_over = |served: &&Ticket| {
                *ticket < **served && other.process == process && other.operations.len() == 2
            };
            assert_eq!(served.iter().find(is_passed_over), None, "poll {ticket} came before");
        }
        self.judge_steps(&tasks);
        self.judge_limits(&tasks);
        self.judge_waiting(process, &tasks);
        self.before = tasks;
    }

    /// An attempt is counted when it begins, and an end is final.
    fn judge_steps(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        for (id, task) in tasks {
            let Some(old) = self.before.get(id) else { continue };
            assert!(!old.state.is_final() || old == task, "{old:?} {task:?}");
            assert!(task.attempt >= old.attempt && task.attempt <= old.attempt + 1);
            if task.attempt > old.attempt {
                assert!(!matches!(task.state, State::Claimed), "a claim counts no attempt");
            }
            let name = match (old.state, task.state) {
                (State::Claimed, State::Ready) => "unclaim",
                (State::Claimed, State::Running) => "begin",
                (State::Running, State::Delayed) => "retry",
                (State::Running, State::Done) => "done",
                (State::Running, State::Failed) => "failed",
                (_, State::Aborted) if old.state != State::Aborted => "aborted",
                _ => continue,
            };
            *self.met.entry(name).or_default() += 1;
        }
    }

    fn judge_limits(&self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let live: Vec<&TaskRecord> = tasks.values().filter(|task| is_live(task)).collect();
        let of = |name: &str| live.iter().filter(|task| *task.def.operation == *name).count();
        let (reads, writes) = (of("read"), of("write"));
        assert!(reads <= LIMIT && writes <= 1 && (writes == 0 || reads == 0), "{live:?}");
    }

    /// Nobody waits for what could be taken.
    fn judge_waiting(&self, process: usize, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let own = self.waiting.values().filter(|waiting| waiting.process == process);
        let wanted: BTreeSet<&str> = own.flat_map(|own| own.operations.iter().copied()).collect();
        let count = |name: &str| {
            let own = tasks.values().filter(|task| *task.def.operation == *name);
            own.filter(|task| is_live(task)).count()
        };
        let (reads, writes) = (count("read"), count("write"));
        let ready: Vec<&TaskRecord> =
            tasks.values().filter(|task| task.state == State::Ready).collect();
        let is_ahead = |one: &TaskRecord, other: &TaskRecord| {
            (other.def.priority, one.seq) < (one.def.priority, other.seq)
        };
        for task in ready.iter().filter(|task| wanted.contains(&*task.def.operation)) {
            let could_start = if &*task.def.operation == "write" {
                reads + writes == 0
            } else {
                let is_write = |other: &&&TaskRecord| &*other.def.operation == "write";
                let mut ahead = ready.iter().filter(is_write);
                // Somebody has polled for those a short time ago, or nobody counts them.
                writes == 0 && reads < LIMIT && !ahead.any(|other| is_ahead(other, task))
            };
            assert!(!could_start, "somebody waits for {task:?}");
        }
    }

    fn step(&mut self) {
        let process = self.rng.below(2);
        let ticket = self.ticket();
        let known: Vec<TaskId> = self.before.keys().copied().collect();
        let taken = (!self.taken.is_empty()).then(|| self.rng.one_of(&self.taken));
        match (self.rng.below(14), taken) {
            (0..3, _) => {
                let name = self.rng.one_of(&OPERATIONS);
                let mut def = NewTask::new(name);
                def.unsaid = Unsaid::RETRY;
                def.priority = Priority::new(self.rng.below(3) as f64).unwrap();
                def.options.conditions = conditions(name);
                self.turn(process, vec![Input::Add(ticket, def)]);
            }
            (3..6, _) => self.poll(process, ticket),
            (6, Some((id, run))) => self.turn(process, vec![Input::GiveBack(vec![(id, run)])]),
            (7..9, Some((id, run))) => self.turn(process, vec![Input::Begin(ticket, id, run)]),
            (9, Some((id, run))) => self.turn(process, vec![Input::Renew(ticket, id, run, None)]),
            (10..12, Some((id, run))) => {
                let settlement = match self.rng.below(3) {
                    0 => Settlement::Threw(Json::trusted("{}")),
                    _ => Settlement::Returned(None),
                };
                let again = self.ticket();
                let settle = |ticket| Input::SettleOutside(ticket, id, run, settlement.clone());
                self.turn(process, vec![settle(ticket), settle(again)]);
            }
            (12, _) if !known.is_empty() && self.rng.once_in(2) => {
                let id = self.rng.one_of(&known);
                let reason = abort_reason(Cause::User, "enough");
                self.turn(process, vec![Input::Abort(ticket, id, reason)]);
            }
            (13, _) if self.rng.once_in(4) => self.lose(process),
            _ => self.wait(),
        }
    }

    fn poll(&mut self, process: usize, ticket: Ticket) {
        let all: [&[&str]; 4] = [&["read"], &["write"], &OPERATIONS, &OPERATIONS];
        let operations = self.rng.one_of(&all).to_vec();
        let names = operations.iter().map(|name| Arc::from(*name)).collect();
        let wait_ms = self.rng.one_of(&[0, 700, 60_000]);
        let max = 1 + self.rng.below(3);
        let poll = Poll { operations: Some(names), max, wait_ms, name: None };
        // So many operations pass for served in both processes that nobody counts otherwise.
        self.waiting.insert(ticket, Waiting { operations, process });
        self.turn(process, vec![Input::Poll(ticket, poll)]);
        if self.rng.once_in(8) && self.waiting.remove(&ticket).is_some() {
            let unpoll = self.ticket();
            self.turn(process, vec![Input::Unpoll(unpoll, ticket)]);
        }
    }

    /// A process dies, or closes, and another one opens the file.
    fn lose(&mut self, process: usize) {
        if self.rng.once_in(2) {
            let ticket = self.ticket();
            self.turn(process, vec![Input::Close(ticket, StopOptions::default())]);
        }
        self.engines[process] = None;
        self.waiting.retain(|_, waiting| waiting.process != process);
        self.open(process);
        self.turn(process, Vec::new());
        *self.met.entry("lost").or_default() += 1;
    }

    fn wait(&mut self) {
        let ms = self.rng.one_of(&[1, 500, 1_000, 5_000, 10_000]);
        self.now.mono = self.now.mono.plus(ms);
        let jump = self.rng.one_of(&JUMPS_MS);
        self.now.wall = WallMs(self.now.wall.0 + ms as i64 + jump);
        (0..2).for_each(|process| self.turn(process, Vec::new()));
    }

    fn run(mut self) -> BTreeMap<&'static str, u64> {
        for _ in 0..STEPS {
            self.step();
        }
        self.met
    }
}

#[test]
fn executors_take_what_they_may_once_over_the_model() {
    let seed = number("TASKER_SEED");
    let worlds = number("TASKER_WORLDS").unwrap_or(200);
    let seeds = seed.map_or(0..worlds, |seed| seed..seed + 1);
    let mut met: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds {
        let world = std::panic::catch_unwind(|| World::new(seed).run());
        let one = world.unwrap_or_else(|_| panic!("TASKER_SEED={seed} fails"));
        one.into_iter().for_each(|(name, count)| *met.entry(name).or_default() += count);
    }
    if seed.is_none() && worlds >= 100 {
        let names = ["claim", "unclaim", "begin", "retry", "done", "failed", "aborted", "lost"];
        for name in names {
            assert!(met.contains_key(name), "nothing of {name} was met: {met:?}");
        }
    }
}
