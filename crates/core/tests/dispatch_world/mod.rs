//! A queue, a list of everything, and what happens to both.

mod batches;
mod circuits;
mod history;
mod remote;
mod runners;
mod takers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use batches::{Batches, Filling, Sizes};
use circuits::Circuits;
use history::{AllRules, CIRCUITS, DATA, OPERATIONS, Place, RATES, Said, Step, Task, Turn};
use takers::Takers;
use tasker_core::circuit::{CircuitBreaker, Verdict};
use tasker_core::condition::{Condition, Conditions, Scope, fields};
use tasker_core::dispatch::{Dispatch, Known, Picks, Progress, TakerId};
use tasker_core::document::{for_conditions, gate_key, rate_key};
use tasker_core::executor::Executor;
use tasker_core::id::{LaneId, OperationId, Seq, TaskId};
use tasker_core::operation::{OperationOptions, OperationRecord};
use tasker_core::query::Value;
use tasker_core::queue::QueueKey;
use tasker_core::rate::{Arrival, RateKey, RateLimit};
use tasker_core::store::{GateId, LaneHead, ReadyTask, Window};
use tasker_core::task::{Json, NewTask, Priority, TaskOptions};
use tasker_core::time::WallMs;

pub(crate) use history::{History, history};

fn id(operation: usize) -> OperationId {
    OperationId(operation as u16 + 1)
}

fn name(operation: usize) -> Arc<str> {
    format!("operation {operation}").into()
}

fn key(seq: u64, priority: i8) -> QueueKey {
    QueueKey::new(Priority::new(f64::from(priority)).unwrap(), Seq(seq))
}

fn document(def: &NewTask, scope: Scope) -> Value {
    for_conditions(def, fields(scope)).unwrap()
}

fn ready(key: QueueKey, def: &NewTask) -> ReadyTask {
    assert_eq!(def.priority, key.priority());
    let id = TaskId(uuid::Uuid::from_u64_pair(0, key.seq.0));
    let (created_at, attempt, losses, logs) = (WallMs(0), 0, 0, 0);
    let def = def.clone();
    ReadyTask { seq: key.seq, id, created_at, def, attempt, failures: 0, losses, logs }
}

/// All ready tasks in queue order, and the lane of each.
type Queue = BTreeMap<QueueKey, LaneId>;

/// Everything, in the order in which it would start.
#[derive(Clone, Debug)]
struct Truth {
    queue: Queue,
    defs: BTreeMap<Seq, NewTask>,
    /// The runs that are live here, the oldest first.
    running: Vec<(LaneId, QueueKey)>,
    /// Live runs in other processes, and what executors have, the oldest first.
    remote: Vec<(LaneId, Seq)>,
    /// The limit of each operation, and whether it is paused.
    said: BTreeMap<OperationId, (Option<u32>, bool)>,
    /// The rate limit of each, and from which lane on one has one value.
    rates: BTreeMap<OperationId, (Option<Arc<RateLimit>>, u64)>,
    /// The arrivals of gates.
    gates: BTreeMap<GateId, Arrival>,
    circuits: Circuits,
    next: u64,
    lane_next: u64,
    /// What other processes start.
    offers: BTreeSet<OperationId>,
    /// The last lane that tasks of a kind and a value got.
    lanes: BTreeMap<(Place, u64, Option<RateKey>), LaneId>,
    /// What kind each task is.
    kinds: BTreeMap<Seq, usize>,
    /// Which of the live runs share a place.
    batches: Batches,
    takers: Takers,
}

pub(crate) struct World {
    dispatch: Dispatch,
    truth: Truth,
    rules: AllRules,
    limit: u32,
    is_started: bool,
    now: WallMs,
    runners: BTreeSet<OperationId>,
    /// The operations of which somebody has asked for tasks of late.
    polled: BTreeSet<OperationId>,
    /// How many threads some of them have.
    threads: BTreeMap<OperationId, u32>,
    /// Of those, the ones that take several tasks at once.
    sizes: Sizes,
    /// The operation of which nothing starts in this turn, for it waits for a batch.
    awaits: Option<OperationId>,
    /// Most tasks of one window, and most that are told at once.
    window: usize,
    /// Most windows of one read.
    windows: usize,
}

impl World {
    pub(crate) fn new(rules: AllRules, (limit, window, windows): (u32, usize, usize)) -> Self {
        let dispatch = Dispatch::new(limit);
        let truth = Truth {
            queue: Queue::new(),
            defs: BTreeMap::new(),
            running: Vec::new(),
            remote: Vec::new(),
            said: BTreeMap::new(),
            rates: BTreeMap::new(),
            gates: BTreeMap::new(),
            circuits: Circuits::default(),
            next: 1,
            lane_next: 1,
            offers: BTreeSet::new(),
            lanes: BTreeMap::new(),
            kinds: BTreeMap::new(),
            batches: Batches::default(),
            takers: Takers::default(),
        };
        let mut world = Self {
            dispatch,
            truth,
            rules,
            limit,
            is_started: false,
            now: WallMs(0),
            runners: BTreeSet::new(),
            polled: BTreeSet::new(),
            threads: BTreeMap::new(),
            sizes: Sizes::new(),
            awaits: None,
            window,
            windows,
        };
        world.reload();
        world.step(Step::Started(true));
        world
    }

    /// What a scan of everything would start, and who gets it; it has started in `truth` then.
    fn expected(&self, truth: &mut Truth) -> Vec<(QueueKey, Option<TakerId>)> {
        let (mut starts, mut filling) = (Vec::new(), Filling::default());
        for (key, lane) in truth.queue.clone() {
            let operation = lane.operation();
            let (limit, is_paused) = truth.said.get(&operation).copied().unwrap_or_default();
            let is_outside = truth.takers.is_outside(operation);
            let is_ours = is_outside || self.runners.contains(&operation);
            let is_ours = is_ours && lane.attached_to().is_none();
            if is_paused || !is_ours || self.awaits == Some(operation) {
                continue;
            }
            let live = truth.live_of(operation) as u32;
            let is_free = limit.is_none_or(|limit| live < limit);
            let places = truth.batches.places(&truth.running);
            let has_place = self.is_started && (places < self.limit || filling.has_room(operation));
            let has_place = match is_outside {
                true => truth.takers.want(operation),
                false => has_place && self.has_thread(truth, operation),
            };
            let has_token = truth.tokens(operation, key.seq, self.now) > 0;
            let passes = has_token && truth.is_let_start(operation, key.seq, self.now);
            if is_free && has_place && passes && self.holds(truth, key) {
                truth.queue.remove(&key);
                starts.push((key, self.begin(truth, (lane, key), &mut filling)));
            }
        }
        starts
    }

    /// Whether all conditions of a task hold, counted one by one.
    fn holds(&self, truth: &Truth, key: QueueKey) -> bool {
        let matches = |condition: &Condition, seq: Seq| {
            condition.matches(&document(&truth.defs[&seq], condition.scope))
        };
        truth.defs[&key.seq].conditions().iter().all(|condition| {
            let others = match condition.scope {
                Scope::Running => truth.runs().filter(|seq| matches(condition, *seq)).count(),
                Scope::BeforeQueued => {
                    let ahead = truth.queue.range(..key);
                    let ahead = ahead.filter(|(_, lane)| self.counts(truth, lane.operation()));
                    ahead.filter(|(key, _)| matches(condition, key.seq)).count()
                }
            };
            condition.holds(others as u64)
        })
    }

    /// Whether somebody may start the tasks of an operation.
    fn counts(&self, truth: &Truth, operation: OperationId) -> bool {
        let is_ours = match truth.takers.is_outside(operation) {
            true => self.polled.contains(&operation),
            false => self.is_started && self.runners.contains(&operation),
        };
        let (_, is_paused) = truth.said.get(&operation).copied().unwrap_or_default();
        (is_ours || truth.offers.contains(&operation)) && !is_paused
    }

    /// What the store holds of some lanes: less than it might, as with tasks that are large.
    fn windows(&self, from: &[(LaneId, QueueKey)]) -> Vec<(LaneId, Window)> {
        let window = |(lane, from): &(LaneId, QueueKey)| {
            let of_lane = self.truth.queue.range(*from..).filter(|(_, other)| *other == lane);
            let all: Vec<_> =
                of_lane.map(|(key, _)| ready(*key, &self.truth.defs[&key.seq])).collect();
            let count = all.len().min(self.window);
            let is_complete = count == all.len();
            (*lane, Window { tasks: all[..count].to_vec(), is_complete })
        };
        from.iter().take(self.windows).map(window).collect()
    }

    /// What is known of some tasks: not of all that were asked for, as with those that are large.
    fn tell(&mut self, truth: &Truth, asked: &[(LaneId, QueueKey)]) {
        // The store has them with the priority of before.
        let stored = |seq: Seq| {
            let def = self.truth.defs.get(&seq).filter(|def| def.data == truth.defs[&seq].data)?;
            let key = QueueKey::new(def.priority, seq);
            self.truth.queue.get(&key).map(|_| ready(key, def))
        };
        let asked = || asked.iter().take(self.window);
        let stored: Vec<_> = asked().map(|(_, key)| stored(key.seq)).collect();
        let known = |((lane, key), stored): (&(LaneId, QueueKey), _)| {
            let stored: Option<&ReadyTask> = Option::as_ref(stored);
            let def = stored.map_or(&truth.defs[&key.seq], |task| &task.def);
            (*lane, *key, Known { def, stored })
        };
        let known: Vec<_> = asked().zip(&stored).map(known).collect();
        self.dispatch.tell(&known).unwrap();
    }

    /// Starts what it can. Whether all of it, and whether a window was read.
    fn start(&mut self, truth: &mut Truth, picks: &mut Picks) -> (bool, bool) {
        let mut is_loaded = false;
        loop {
            match self.dispatch.start(picks) {
                Progress::Done => return (true, is_loaded),
                Progress::Again => return (false, is_loaded),
                Progress::Load(from) => {
                    is_loaded = true;
                    self.dispatch.load(self.windows(&from));
                }
                Progress::Gates(gates) => {
                    let arrival = |gate| self.truth.gates.get(gate).copied();
                    let arrivals: Vec<_> = gates.iter().map(arrival).collect();
                    self.dispatch.tell_gates(&gates, &arrivals);
                }
                Progress::Circuits(gates) => {
                    let stored = |gate| self.truth.circuits.all.get(gate).cloned();
                    let circuits = gates.iter().map(stored).collect();
                    self.dispatch.tell_circuits(&gates, circuits);
                }
                Progress::Misplaced(from, key) => {
                    let lane = self.lane_of(key.seq, from.operation(), truth);
                    assert_ne!(lane, from, "{key:?} stands in its lane");
                    self.dispatch.leave(from, key);
                    self.dispatch.enter(lane, key);
                    assert_eq!(truth.queue.insert(key, lane), Some(from));
                }
                Progress::Tasks(asked) => self.tell(truth, &asked),
                Progress::Runs => {
                    let defs = &self.truth.defs;
                    let document = |seq| (seq, document(&defs[&seq], Scope::Running));
                    let runs = self.truth.runs().map(document);
                    self.dispatch.load_runs(&runs.collect::<Vec<_>>());
                }
                Progress::Queued(asked) => {
                    let asked = asked.iter().take(self.window);
                    let known = asked.map(|(lane, key)| (*lane, *key, &truth.defs[&key.seq]));
                    self.dispatch.tell_queued(&known.collect::<Vec<_>>()).unwrap();
                }
                Progress::Examine(from, _) => self.dispatch.examine(self.windows(&from)).unwrap(),
                Progress::Unreadable(error) => panic!("{error}"),
            }
        }
    }

    /// Ends, adds and moves, and then starts until nothing more may start.
    fn turn(&mut self, turn: &Turn) {
        self.truth.circuits.batch += 1;
        let mut truth = self.truth.clone();
        self.now = WallMs(self.now.0 + turn.ms);
        self.dispatch.turn_at(self.now, false);
        let before = (self.dispatch.mirror(), self.dispatch.runs(), self.offered());
        let adds = self.change(turn, &mut truth);
        self.await_batch(turn.awaits.map(id).filter(|one| !truth.takers.is_outside(*one)));
        let mut expected_truth = truth.clone();
        let expected = self.expected(&mut expected_truth);
        let mut picks = Picks::up_to(usize::MAX);
        let (is_done, is_loaded) = self.start(&mut truth, &mut picks);
        let order: Vec<_> = picks.picks.iter().map(|pick| (pick.key, pick.taker)).collect();
        let expected = if is_done { &expected[..] } else { &expected[..order.len()] };
        assert_eq!(order, expected);
        for _ in 0..turn.unpicks {
            self.dispatch.unpick(&mut picks);
        }
        let mut filling = Filling::default();
        for pick in &picks.picks {
            let task = pick.task.as_ref();
            assert!(task.is_none_or(|task| task.seq == pick.key.seq));
            assert_eq!(truth.queue.remove(&pick.key), Some(pick.lane));
            self.begin(&mut truth, (pick.lane, pick.key), &mut filling);
        }
        for (gate, circuit, _) in self.dispatch.probes() {
            assert_eq!(truth.circuits.all.get(&gate), Some(&circuit), "{gate:?}");
        }
        let places = truth.batches.places(&truth.running);
        assert_eq!(self.dispatch.running(), places);
        for (gate, arrival) in self.dispatch.arrivals() {
            let was_unpicked = truth.gates.get(&gate) == self.truth.gates.get(&gate);
            assert!(truth.gates.get(&gate) == Some(&arrival) || was_unpicked, "{gate:?}");
        }
        self.awaits = None;
        if turn.is_committed {
            self.dispatch.commit();
            self.truth = truth;
            for (key, lane) in adds {
                if self.truth.queue.contains_key(&key) {
                    self.dispatch.offer(lane, ready(key, &self.truth.defs[&key.seq]));
                }
            }
        } else {
            self.dispatch.rollback();
            let after = (self.dispatch.mirror(), self.dispatch.runs(), self.offered());
            assert!(is_loaded || after == before, "{before:?} is now {after:?}");
        }
        self.compare();
        if is_done && turn.is_committed && turn.unpicks == 0 && turn.awaits.is_none() {
            self.compare_next_token();
        }
        if !is_done && turn.is_committed {
            self.turn(&Turn { is_committed: true, ..Turn::default() });
        }
    }

    /// What a turn changes before it starts anything; the tasks that it adds.
    fn change(&mut self, turn: &Turn, truth: &mut Truth) -> Vec<(QueueKey, LaneId)> {
        let mut ended = Vec::new();
        let fails = turn.fails.min(truth.running.len());
        let verdicts = [(fails, Verdict::Failed), (turn.ends, Verdict::Succeeded)];
        for (count, verdict) in verdicts {
            for (lane, key) in truth.running.drain(..count.min(truth.running.len())) {
                self.end_run(lane, key.seq, &mut truth.batches);
                ended.push((key.seq, verdict));
            }
        }
        for (lane, key) in truth.running.drain(..turn.releases.min(truth.running.len())) {
            self.end_run(lane, key.seq, &mut truth.batches);
            self.dispatch.enter(lane, key);
            truth.queue.insert(key, lane);
            ended.push((key.seq, Verdict::Nothing));
        }
        let settled = self.settle_outside(turn.settles, truth);
        ended.extend(settled.into_iter().map(|seq| (seq, Verdict::Nothing)));
        for n in &turn.leaves {
            if let Some((key, lane)) = truth.queue.iter().nth(*n).map(|(key, lane)| (*key, *lane)) {
                truth.queue.remove(&key);
                self.dispatch.leave(lane, key);
            }
        }
        let adds: Vec<_> = turn.adds.iter().map(|add| self.add(*add, truth)).collect();
        for (n, priority) in &turn.moves {
            if let Some((old, lane)) = truth.queue.iter().nth(*n).map(|(key, lane)| (*key, *lane)) {
                let new = key(old.seq.0, *priority);
                truth.queue.remove(&old);
                truth.queue.insert(new, lane);
                truth.defs.get_mut(&old.seq).unwrap().priority = new.priority();
                self.dispatch.leave(lane, old);
                self.dispatch.enter(lane, new);
            }
        }
        for (n, data) in &turn.updates {
            if let Some((key, lane)) = truth.queue.iter().nth(*n).map(|(key, lane)| (*key, *lane)) {
                truth.defs.get_mut(&key.seq).unwrap().data = Some(Json::trusted(DATA[*data]));
                self.dispatch.leave(lane, key);
                let lane = match truth.key_path(lane.operation()).is_some() {
                    true if lane.attached_to().is_none() => {
                        self.lane_of(key.seq, lane.operation(), truth)
                    }
                    _ => lane,
                };
                truth.queue.insert(key, lane);
                self.dispatch.enter(lane, key);
            }
        }
        for (operation, is_offered) in &turn.offers {
            self.dispatch.set_offered(&name(*operation), *is_offered);
            match is_offered {
                true => truth.offers.insert(id(*operation)),
                false => truth.offers.remove(&id(*operation)),
            };
        }
        for said in &turn.says {
            self.say(*said, truth);
        }
        // As the engine does: when all is said, and before the starts.
        for (seq, verdict) in ended {
            self.end_guarded(truth, seq, verdict);
        }
        adds
    }

    fn offered(&self) -> BTreeSet<Arc<str>> {
        self.dispatch.remote_offers().cloned().collect()
    }

    /// A task of this process enters, in the lane of its conditions.
    fn add(&mut self, task: Task, truth: &mut Truth) -> (QueueKey, LaneId) {
        let ((place, ..), def) = (task, define(&self.rules, task));
        let key = truth.add(def, LaneId::new(id(place.0), 0), place.1);
        let lane = self.lane_of(key.seq, id(place.0), truth);
        truth.queue.insert(key, lane);
        self.dispatch.enter(lane, key);
        (key, lane)
    }

    /// The lane of a task, which may be new.
    fn lane_of(&mut self, seq: Seq, operation: OperationId, truth: &mut Truth) -> LaneId {
        let value = truth.value(operation, seq);
        let (value, place) = (value.as_ref(), truth.place(operation, seq));
        let conditions = truth.defs[&seq].conditions().clone();
        self.dispatch.lane_of(operation, &conditions, value).unwrap_or_else(|| {
            let lane = truth.new_lane(place, value);
            self.dispatch.add_lane(lane, &conditions, value);
            lane
        })
    }

    fn say(&mut self, said: Said, truth: &mut Truth) {
        let (operation, limit, is_paused, rate, circuit, is_outside) = said;
        match is_outside {
            true => truth.takers.outside.insert(id(operation)),
            false => truth.takers.outside.remove(&id(operation)),
        };
        let limit = limit.map(u32::from);
        truth.said.insert(id(operation), (limit, is_paused));
        let rate = RATES[rate].map(|text| Arc::new(RateLimit::read(text, "rateLimit").unwrap()));
        let breaker = CIRCUITS[circuit].map(|text| CircuitBreaker::read(text, "x").unwrap());
        let by_rate = rate.as_ref().and_then(|rate| rate.by.clone());
        // Two paths are refused, and so is a breaker beside executors.
        let is_taken =
            |one: &CircuitBreaker| by_rate.is_none() || one.by.is_none() || one.by == by_rate;
        let breaker = breaker.filter(is_taken).filter(|_| !is_outside).map(Arc::new);
        let old = truth.key_path(id(operation));
        let mut lanes_from = truth.rates.get(&id(operation)).map_or(0, |(_, from)| *from);
        truth.rates.insert(id(operation), (rate.clone(), lanes_from));
        let circuit_from = truth.say_breaker(id(operation), breaker.clone());
        let path = truth.key_path(id(operation));
        if path.is_some() && path != old {
            lanes_from = truth.lane_next;
            truth.rates.insert(id(operation), (rate.clone(), lanes_from));
        }
        let record = OperationRecord {
            paused_at: is_paused.then_some(WallMs(1)),
            defined: OperationOptions {
                concurrency: limit,
                rate_limit: rate,
                circuit_breaker: breaker,
                executor: is_outside.then(Executor::default),
                ..OperationOptions::default()
            },
            lanes_from,
            circuit_from,
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
        for (lane, _) in &self.truth.remote {
            self.dispatch.begin_remote_runs(lane.operation(), 1);
        }
        self.dispatch.commit();
    }

    /// What memory says is so (D1 to D5).
    fn compare(&self) {
        assert_eq!(self.dispatch.fault(), None);
        assert_eq!(self.dispatch.has_takers(), self.truth.takers.left() > 0);
        self.compare_examined();
        let mut lanes: BTreeMap<LaneId, Vec<QueueKey>> = BTreeMap::new();
        for (key, lane) in self.truth.queue.iter().filter(|(_, lane)| lane.attached_to().is_none())
        {
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
            let is_own = |lane: &LaneId| lane.operation() == operation;
            let own = self.truth.running.iter().filter(|(lane, _)| is_own(lane)).count();
            let others = self.truth.remote.iter().filter(|(lane, _)| is_own(lane)).count();
            assert_eq!((here as usize, remote as usize), (own, others));
        }
    }

    /// All ready tasks that were examined are known, and no others are.
    fn compare_examined(&self) {
        let (keys, lanes) = self.dispatch.examined();
        let is_examined = |(key, lane): &(&QueueKey, &LaneId)| {
            let from = lanes.get(lane);
            from.is_some_and(|from| from.is_none_or(|from| **key < from))
        };
        let queue = self.truth.queue.iter().filter(is_examined);
        let expected: BTreeSet<_> = queue.map(|(key, lane)| (lane.operation(), *key)).collect();
        assert_eq!(keys, expected, "{lanes:?}");
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Turn(turn) => return self.turn(&turn),
            Step::Started(is_started) => {
                self.is_started = is_started;
                self.dispatch.set_started(is_started);
            }
            Step::Runner(operation, threads, size) => self.assign(operation, threads, size),
            Step::RemoteSays(said) => {
                self.truth.circuits.batch += 1;
                let mut truth = self.truth.clone();
                self.say(said, &mut truth);
                self.truth = truth;
                self.dispatch.commit();
            }
            Step::NoRunner(operation) => self.unassign(operation),
            Step::Poll(operations, tasks) => self.poll(operations.as_deref(), tasks),
            Step::Unpoll(n) => self.unpoll(n),
            Step::Polled(operation, is_polled) => self.set_polled(operation, is_polled),
            Step::RemoteAdd(adds, is_own) => self.add_remote(&adds, is_own),
            Step::RemoteAttach(adds) => self.attach_remote(&adds),
            Step::RemoteStart(n) => self.start_remote(n),
            Step::RemoteEnd(operation, runs, fails) => {
                self.truth.circuits.batch += 1;
                let verdict = if fails { Verdict::Failed } else { Verdict::Succeeded };
                self.end_remote(operation, runs, verdict);
            }
            Step::Reload => self.reload(),
        }
        self.turn(&Turn { is_committed: true, ..Turn::default() });
    }
}

impl Truth {
    fn new_lane(&mut self, place: Place, value: Option<&RateKey>) -> LaneId {
        let lane = LaneId::new(id(place.0), self.lane_next);
        self.lane_next += 1;
        let from = self.rates.get(&id(place.0)).map_or(0, |(_, from)| *from);
        self.lanes.insert((place, from, value.cloned()), lane);
        lane
    }

    /// The last lane of this kind and value.
    fn known_lane(&self, place: Place, value: Option<&RateKey>) -> Option<LaneId> {
        let from = self.rates.get(&id(place.0)).map_or(0, |(_, from)| *from);
        self.lanes.get(&(place, from, value.cloned())).copied()
    }

    fn place(&self, operation: OperationId, seq: Seq) -> Place {
        (usize::from(operation.0) - 1, self.kinds[&seq])
    }

    fn rate(&self, operation: OperationId) -> Option<&Arc<RateLimit>> {
        self.rates.get(&operation)?.0.as_ref()
    }

    /// The path by which the gates of an operation hold, if one does by value.
    fn key_path(&self, operation: OperationId) -> Option<Box<str>> {
        let (breaker, _) = self.circuits.said.get(&operation).cloned().unwrap_or_default();
        let rate = self.rate(operation).and_then(|rate| rate.by.clone());
        rate.or_else(|| breaker.and_then(|breaker| breaker.by.clone()))
    }

    /// The value of a task there.
    fn value(&self, operation: OperationId, seq: Seq) -> Option<RateKey> {
        self.key_path(operation).map(|by| gate_key(&self.defs[&seq], &by).unwrap())
    }

    /// The gate of a task, if its operation has a rate limit, and whether that is by value.
    fn gate(&self, operation: OperationId, seq: Seq) -> Option<(bool, GateId)> {
        let rate = self.rate(operation)?;
        let key = rate_key(&self.defs[&seq], rate).unwrap();
        Some((key.is_some(), (operation, key.unwrap_or_default())))
    }

    fn tokens(&self, operation: OperationId, seq: Seq, now: WallMs) -> u32 {
        let Some(rate) = self.rate(operation) else { return u32::MAX };
        let gate = self.gate(operation, seq).map(|(_, gate)| gate);
        rate.tokens(gate.and_then(|gate| self.gates.get(&gate)).copied(), now)
    }

    fn take(&mut self, operation: OperationId, seq: Seq, now: WallMs) {
        let Some(rate) = self.rate(operation).cloned() else { return };
        let Some((_, gate)) = self.gate(operation, seq) else { return };
        let arrival = rate.take(self.gates.get(&gate).copied(), now);
        self.gates.insert(gate, arrival);
    }

    fn add(&mut self, def: NewTask, lane: LaneId, kind: usize) -> QueueKey {
        let seq = Seq(self.next);
        self.next += 1;
        let key = QueueKey::new(def.priority, seq);
        self.queue.insert(key, lane);
        self.kinds.insert(seq, kind);
        self.defs.insert(seq, def);
        key
    }

    /// Every live run, of all processes.
    fn runs(&self) -> impl Iterator<Item = Seq> {
        let here = self.running.iter().map(|(_, key)| key.seq);
        here.chain(self.remote.iter().map(|(_, seq)| *seq))
    }

    fn live_of(&self, operation: OperationId) -> usize {
        let here = self.running.iter().map(|(lane, _)| lane);
        let all = here.chain(self.remote.iter().map(|(lane, _)| lane));
        all.filter(|lane| lane.operation() == operation).count()
    }
}

/// What the caller says of a task.
fn define(rules: &AllRules, ((operation, kind), priority, data): Task) -> NewTask {
    let text = kind.checked_sub(1).map_or("[]", |kind| &rules[operation][kind]);
    let conditions = Conditions::read(text, "concurrency").unwrap();
    NewTask {
        data: Some(Json::trusted(DATA[data])),
        priority: Priority::new(f64::from(priority)).unwrap(),
        options: TaskOptions { conditions, ..TaskOptions::default() }.into(),
        ..NewTask::new(name(operation))
    }
}

/// Lives through a history; panics where memory and the list do not agree.
pub(crate) fn live((steps, rules, sizes): History) {
    let mut world = World::new(rules, sizes);
    for step in steps {
        world.step(step);
    }
}
