//! A queue, a list of everything, and what happens to both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tasker_core::dispatch::{Dispatch, Picks, Progress};
use tasker_core::id::{LaneId, OperationId, Seq, TaskId};
use tasker_core::operation::{OperationOptions, OperationRecord};
use tasker_core::queue::QueueKey;
use tasker_core::store::{LaneHead, ReadyTask, Window};
use tasker_core::task::{NewTask, Priority};
use tasker_core::time::WallMs;

const OPERATIONS: usize = 3;
/// Lanes of each operation.
const LANES: usize = 4;

/// A lane of an operation.
pub(crate) type Place = (usize, usize);

/// What is said of an operation: its limit, and whether it is paused.
pub(crate) type Said = (usize, Option<u8>, bool);

/// What one turn does before it starts what it can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// Tasks that enter: their lane and priority.
    adds: Vec<(Place, i8)>,
    /// So many of the oldest runs end.
    ends: usize,
    /// The n-th ready tasks leave the queue.
    leaves: Vec<usize>,
    /// The n-th ready task gets this priority.
    moves: Vec<(usize, i8)>,
    /// Operations that are paused or not and have this limit from now on.
    says: Vec<Said>,
    /// So many of the picks are taken back.
    unpicks: usize,
    is_committed: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Turn(Turn),
    Runner(usize),
    NoRunner(usize),
    /// What another process says of an operation.
    RemoteSays(Said),
    Started(bool),
    /// Tasks that another process adds.
    RemoteAdd(Vec<(Place, i8)>),
    /// The n-th ready task starts in another process.
    RemoteStart(usize),
    /// So many runs of an operation end in other processes.
    RemoteEnd(usize, u32),
    /// All that mirrors the store is read anew.
    Reload,
}

fn place() -> impl Strategy<Value = Place> {
    (0..OPERATIONS, 0..LANES)
}

fn adds() -> impl Strategy<Value = Vec<(Place, i8)>> {
    prop::collection::vec((place(), -2..3_i8), 0..12)
}

fn said() -> impl Strategy<Value = Said> {
    (0..OPERATIONS, prop::option::of(1..4_u8), prop::bool::weighted(0.25))
}

fn turn() -> impl Strategy<Value = Turn> {
    let says = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(said(), 1..4)];
    let leaves = prop::collection::vec(0..40_usize, 0..3);
    let moves = prop::collection::vec((0..40_usize, -2..3_i8), 0..4);
    let unpicks = prop_oneof![3 => Just(0), 1 => 1..3_usize];
    (adds(), 0..6_usize, leaves, moves, says, unpicks, prop::bool::weighted(0.75)).prop_map(
        |(adds, ends, leaves, moves, says, unpicks, is_committed)| Turn {
            adds,
            ends,
            leaves,
            moves,
            says,
            unpicks,
            is_committed,
        },
    )
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => turn().prop_map(Step::Turn),
        3 => (0..OPERATIONS).prop_map(Step::Runner),
        2 => said().prop_map(Step::RemoteSays),
        1 => (0..OPERATIONS).prop_map(Step::NoRunner),
        1 => prop::bool::weighted(0.8).prop_map(Step::Started),
        2 => adds().prop_map(Step::RemoteAdd),
        2 => (0..40_usize).prop_map(Step::RemoteStart),
        2 => (0..OPERATIONS, 1..4_u32).prop_map(|(o, n)| Step::RemoteEnd(o, n)),
        1 => Just(Step::Reload),
    ]
}

fn id(operation: usize) -> OperationId {
    OperationId(operation as u16 + 1)
}

fn name(operation: usize) -> Arc<str> {
    format!("operation {operation}").into()
}

fn lane_id((operation, n): Place) -> LaneId {
    LaneId::new(id(operation), n as u64)
}

fn key(seq: u64, priority: i8) -> QueueKey {
    QueueKey::new(Priority::new(f64::from(priority)).unwrap(), Seq(seq))
}

fn ready(key: QueueKey, lane: LaneId) -> ReadyTask {
    let def = NewTask {
        priority: key.priority(),
        ..NewTask::new(name(usize::from(lane.operation().0) - 1))
    };
    let id = TaskId(uuid::Uuid::from_u64_pair(0, key.seq.0));
    let (created_at, attempt, losses, logs) = (WallMs(0), 0, 0, 0);
    ReadyTask { seq: key.seq, id, created_at, def, attempt, failures: 0, losses, logs }
}

/// All ready tasks in queue order, and the lane of each.
type Queue = BTreeMap<QueueKey, LaneId>;

/// Everything, in the order in which it would start.
#[derive(Clone, Debug)]
struct Truth {
    queue: Queue,
    /// The runs that are live here, the oldest first.
    running: Vec<LaneId>,
    /// Live runs in other processes.
    remote: BTreeMap<OperationId, u32>,
    /// The limit of each operation, and whether it is paused.
    said: BTreeMap<OperationId, (Option<u32>, bool)>,
    next: u64,
}

pub(crate) struct World {
    dispatch: Dispatch,
    truth: Truth,
    limit: u32,
    is_started: bool,
    runners: BTreeSet<OperationId>,
    /// Most tasks of one window.
    window: usize,
    /// Most windows of one read.
    windows: usize,
}

impl World {
    pub(crate) fn new(limit: u32, window: usize, windows: usize) -> Self {
        let dispatch = Dispatch::new(limit);
        let (queue, running, remote) = (Queue::new(), Vec::new(), BTreeMap::new());
        let truth = Truth { queue, running, remote, said: BTreeMap::new(), next: 1 };
        let runners = BTreeSet::new();
        let mut world =
            Self { dispatch, truth, limit, is_started: false, runners, window, windows };
        world.reload();
        world.step(Step::Started(true));
        world
    }

    /// What a scan of everything would start; it has started in `truth` then.
    fn expected(&self, truth: &mut Truth) -> Vec<QueueKey> {
        let mut starts = Vec::new();
        for (key, lane) in truth.queue.clone() {
            let operation = lane.operation();
            let (limit, is_paused) = truth.said.get(&operation).copied().unwrap_or_default();
            if is_paused || !self.runners.contains(&operation) {
                continue;
            }
            let is_own = |lane: &&LaneId| lane.operation() == operation;
            let here = truth.running.iter().filter(is_own).count() as u32;
            let live = here + truth.remote.get(&operation).copied().unwrap_or(0);
            let is_free = limit.is_none_or(|limit| live < limit);
            if self.is_started && is_free && (truth.running.len() as u32) < self.limit {
                truth.queue.remove(&key);
                truth.running.push(lane);
                starts.push(key);
            }
        }
        starts
    }

    /// What the store holds of some lanes: less than it might, as with tasks that are large.
    fn windows(&self, from: &[(LaneId, QueueKey)]) -> Vec<(LaneId, Window)> {
        let window = |(lane, from): &(LaneId, QueueKey)| {
            let of_lane = self.truth.queue.range(*from..).filter(|(_, other)| *other == lane);
            let all: Vec<_> = of_lane.map(|(key, _)| ready(*key, *lane)).collect();
            let count = all.len().min(self.window);
            let is_complete = count == all.len();
            (*lane, Window { tasks: all[..count].to_vec(), is_complete })
        };
        from.iter().take(self.windows).map(window).collect()
    }

    /// Ends, adds and moves, and then starts until nothing more may start.
    fn turn(&mut self, turn: &Turn) {
        let mut truth = self.truth.clone();
        let before = (self.dispatch.mirror(), self.dispatch.runs());
        let adds = self.change(turn, &mut truth);
        let mut expected_truth = truth.clone();
        let expected = self.expected(&mut expected_truth);
        let mut picks = Picks::up_to(usize::MAX);
        let mut is_loaded = false;
        loop {
            match self.dispatch.start(&mut picks) {
                Progress::Done => break,
                Progress::Load(from) => {
                    is_loaded = true;
                    self.dispatch.load(self.windows(&from));
                }
                Progress::Again => panic!("so many are not to be examined"),
            }
        }
        let order: Vec<_> = picks.picks.iter().map(|pick| pick.key).collect();
        assert_eq!(order, expected);
        for _ in 0..turn.unpicks {
            self.dispatch.unpick(&mut picks);
        }
        for pick in &picks.picks {
            let task = pick.task.as_ref();
            assert!(task.is_none_or(|task| task.seq == pick.key.seq));
            assert_eq!(truth.queue.remove(&pick.key), Some(pick.lane));
            truth.running.push(pick.lane);
        }
        if turn.is_committed {
            self.dispatch.commit();
            self.truth = truth;
            for (key, lane) in adds {
                if self.truth.queue.contains_key(&key) {
                    self.dispatch.offer(lane, ready(key, lane));
                }
            }
        } else {
            self.dispatch.rollback();
            let after = (self.dispatch.mirror(), self.dispatch.runs());
            assert!(is_loaded || after == before, "{before:?} is now {after:?}");
        }
        self.compare();
    }

    /// What a turn changes before it starts anything; the tasks that it adds.
    fn change(&mut self, turn: &Turn, truth: &mut Truth) -> Vec<(QueueKey, LaneId)> {
        for lane in truth.running.drain(..turn.ends.min(truth.running.len())) {
            self.dispatch.end_run(lane.operation());
        }
        for n in &turn.leaves {
            if let Some((key, lane)) = truth.queue.iter().nth(*n).map(|(key, lane)| (*key, *lane)) {
                truth.queue.remove(&key);
                self.dispatch.leave(lane, key);
            }
        }
        let adds: Vec<_> = turn.adds.iter().map(|add| truth.add(*add)).collect();
        for (key, lane) in &adds {
            self.dispatch.enter(*lane, *key);
        }
        for (n, priority) in &turn.moves {
            if let Some((old, lane)) = truth.queue.iter().nth(*n).map(|(key, lane)| (*key, *lane)) {
                let new = key(old.seq.0, *priority);
                truth.queue.remove(&old);
                truth.queue.insert(new, lane);
                self.dispatch.leave(lane, old);
                self.dispatch.enter(lane, new);
            }
        }
        for said in &turn.says {
            self.say(*said, truth);
        }
        adds
    }

    fn say(&mut self, (operation, limit, is_paused): Said, truth: &mut Truth) {
        let limit = limit.map(u32::from);
        truth.said.insert(id(operation), (limit, is_paused));
        let record = OperationRecord {
            paused_at: is_paused.then_some(WallMs(1)),
            defined: limit.map(OperationOptions::at_once).unwrap_or_default(),
            ..OperationRecord::first()
        };
        self.dispatch.set_record(id(operation), record);
    }

    fn reload(&mut self) {
        self.dispatch.forget();
        for operation in 0..OPERATIONS {
            self.dispatch.add_operation(id(operation), &name(operation));
        }
        let lanes: BTreeSet<_> = self.truth.queue.values().copied().collect();
        let head = |lane: LaneId| {
            let keys = self.truth.queue.iter().filter(|(_, other)| **other == lane);
            let mut keys = keys.map(|(key, _)| *key);
            LaneHead { lane, first: keys.next().unwrap(), next: keys.next() }
        };
        self.dispatch.load_heads(&lanes.into_iter().map(head).collect::<Vec<_>>());
        for (operation, runs) in self.truth.remote.iter().filter(|(_, runs)| **runs > 0) {
            self.dispatch.begin_remote_runs(*operation, *runs);
        }
        self.dispatch.commit();
    }

    /// What memory says is so (D1 to D5).
    fn compare(&self) {
        assert_eq!(self.dispatch.fault(), None);
        let mut lanes: BTreeMap<LaneId, Vec<QueueKey>> = BTreeMap::new();
        for (key, lane) in &self.truth.queue {
            lanes.entry(*lane).or_default().push(*key);
        }
        let known = self.dispatch.mirror();
        assert!(lanes.keys().all(|lane| known.contains_key(lane)), "a lane is forgotten");
        for (lane, (keys, rest)) in known {
            let all = lanes.remove(&lane).unwrap_or_default();
            let is_known = |key: &QueueKey| rest.is_none_or(|rest| *key < rest);
            let known: Vec<_> = all.into_iter().filter(is_known).collect();
            assert_eq!(keys, known, "{lane:?}, known before {rest:?}");
        }
        for (operation, (here, remote)) in self.dispatch.runs() {
            let is_own = |lane: &&LaneId| lane.operation() == operation;
            assert_eq!(here as usize, self.truth.running.iter().filter(is_own).count());
            assert_eq!(remote, self.truth.remote.get(&operation).copied().unwrap_or(0));
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Turn(turn) => return self.turn(&turn),
            Step::Started(is_started) => {
                self.is_started = is_started;
                self.dispatch.set_started(is_started);
            }
            Step::Runner(operation) => {
                self.runners.insert(id(operation));
                self.dispatch.set_runner(&name(operation), true);
            }
            Step::RemoteSays(said) => {
                let mut truth = self.truth.clone();
                self.say(said, &mut truth);
                self.truth = truth;
                self.dispatch.commit();
            }
            Step::NoRunner(operation) => {
                self.runners.remove(&id(operation));
                self.dispatch.set_runner(&name(operation), false);
            }
            Step::RemoteAdd(adds) => {
                for add in adds {
                    let (key, lane) = self.truth.add(add);
                    self.dispatch.enter(lane, key);
                }
                self.dispatch.commit();
            }
            Step::RemoteStart(n) => self.start_remote(n),
            Step::RemoteEnd(operation, runs) => {
                let live = self.truth.remote.entry(id(operation)).or_default();
                for _ in 0..runs.min(*live) {
                    *live -= 1;
                    self.dispatch.end_remote_run(id(operation));
                }
            }
            Step::Reload => self.reload(),
        }
        self.turn(&Turn { is_committed: true, ..Turn::default() });
    }

    fn start_remote(&mut self, n: usize) {
        let first = self.truth.queue.iter().nth(n).map(|(key, lane)| (*key, *lane));
        let Some((key, lane)) = first else { return };
        self.truth.queue.remove(&key);
        *self.truth.remote.entry(lane.operation()).or_default() += 1;
        self.dispatch.leave(lane, key);
        self.dispatch.begin_remote_runs(lane.operation(), 1);
        self.dispatch.commit();
    }
}

impl Truth {
    fn add(&mut self, (place, priority): (Place, i8)) -> (QueueKey, LaneId) {
        let (key, lane) = (key(self.next, priority), lane_id(place));
        self.next += 1;
        self.queue.insert(key, lane);
        (key, lane)
    }
}

/// A history, and how tiny the limit, the windows and their reads are.
pub(crate) type History = (Vec<Step>, u32, usize, usize);

pub(crate) fn history() -> impl Strategy<Value = History> {
    (prop::collection::vec(step(), 1..60), 1..6_u32, 1..9_usize, 1..4_usize)
}

/// Lives through a history; panics where memory and the list do not agree.
pub(crate) fn live((steps, limit, window, windows): History) {
    let mut world = World::new(limit, window, windows);
    for step in steps {
        world.step(step);
    }
}
