//! One world: one to three engines on one disk, the oracle, and a history made from a number.

mod calls;
mod comparing;
mod crashes;
mod explaining;
mod holds;
mod circuits;
mod rates;
mod rest;
pub(crate) mod stranger;
pub(crate) mod watching;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::query::Query;
use tasker_core::read::{Find, Found, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::store::Store;
use tasker_core::task::{Json, Level, OnStop};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, Ticket};
use tasker_engine::memory::{Freshness, Settings};
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::faulty_store::{Call, FaultyStore};
use tasker_proof::rng::Rng;

use crate::oracle::Oracle;
use crate::oracle::coverage::Coverage;
use crate::oracle::removals;
use crate::store::{FailingCall, Fault, Trouble, Troubled};

const OPERATIONS: [&str; 3] = ["a", "b", "c"];
const TASKS_MAX: usize = 60;
/// Two tasks with this much data exceed what a window holds.
const WIDE_BYTES: usize = 9 * 1024 * 1024;
const READS: [Call; 29] = [
    Call::Gates,
    Call::Circuits,
    Call::GatesLeft,
    Call::Lapsing,
    Call::Holds,
    Call::Held,
    Call::LiveRuns,
    Call::Attached,
    Call::PauseWishes,
    Call::PostponeRequests,
    Call::States,
    Call::Dependents,
    Call::OpenDependencies,
    Call::LastErrors,
    Call::Heads,
    Call::Contents,
    Call::FindByKeys,
    Call::Head,
    Call::Operations,
    Call::Journal,
    Call::RemoteRuns,
    Call::AbortRequests,
    Call::Orphans,
    Call::RemoteOffers,
    Call::Unburied,
    Call::Windows,
    Call::Briefs,
    Call::Timers,
    Call::Expired,
];
pub(crate) const PASSING: [Code; 4] = [Code::Full, Code::Busy, Code::ReadOnly, Code::Io];
const HOUR_MS: i64 = 3_600_000;
const TEN_YEARS_MS: i64 = 315_000_000_000;
/// How far a wall clock is set forward or back, the last one to a time before 1970.
const JUMPS_MS: [i64; 8] =
    [0, 0, 0, -HOUR_MS, HOUR_MS, -TEN_YEARS_MS, TEN_YEARS_MS, -1_700_000_000_001];
/// A monotonic clock begins before this.
const MONO_MAX: u64 = 1_000_000_000_000;

/// One engine, its store, and its clocks.
#[derive(Default)]
struct Process {
    now: Now,
    trouble: Arc<Mutex<Trouble>>,
    engine: Option<Engine>,
    reader: Option<Box<dyn Reader>>,
    /// Clients beside the first one that have gone.
    gone: usize,
}

pub(crate) struct World {
    rng: Rng,
    lab: Box<dyn Backend>,
    wide: Option<Json>,
    processes: Vec<Process>,
    /// The process that turns.
    me: usize,
    oracle: Oracle,
    watchers: watching::Watchers,
    settings: Settings,
    tickets: Ticket,
    lines: u64,
    can_fail: bool,
    dice: Dice,
    steps: Vec<usize>,
    /// A short one is the same up to the call that fails in it, and asks for nothing.
    is_short: bool,
    /// Whether it prints what it asks.
    is_aloud: bool,
    /// All that its engines tell, if somebody wants to compare it.
    trace: Option<DefaultHasher>,
    /// Whether operations have rate limits. Then no clock is set: how many tokens there are would
    /// be known within bounds alone. The engine's tests do that.
    has_rates: bool,
    /// Whether operations have circuit breakers; as above.
    has_circuits: bool,
    /// Whether some of them are by value.
    has_keyed_circuits: bool,
}

/// What has become of a world.
pub(crate) struct Life {
    /// How many runs it started.
    pub(crate) started: u64,
    /// Which verbs it used in which states.
    pub(crate) used: Coverage,
    /// What its watches have told.
    pub(crate) told: watching::Told,
    /// How many calls the store of its first engine got.
    pub(crate) calls: u64,
    /// What the call has become that was to fail.
    pub(crate) failed: Option<Fault>,
    /// All that its engines told, in a number, if that was asked for.
    pub(crate) trace: Option<u64>,
}

/// Gives each step of a world dice of its own: they fall alike if others are left out.
struct Dice(u64);

impl Dice {
    fn of_step(&self, step: usize) -> Rng {
        let mut rng = Rng::new(self.0 ^ (step as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        rng.throw();
        rng
    }
}

impl World {
    pub(crate) fn new(seed: u64, lab: Box<dyn Backend>, processes: usize) -> Self {
        let mut world = Self::unopened(seed, lab, processes);
        world.open_all();
        world
    }

    /// A short one of two engines, in which nothing fails but one call of the first one's store.
    pub(crate) fn short(seed: u64, lab: Box<dyn Backend>, failing: Option<FailingCall>) -> Self {
        let mut world = Self::unopened(seed, lab, 2);
        (world.wide, world.can_fail, world.is_short) = (None, false, true);
        world.steps = (0..4 + world.rng.below(8)).collect();
        world.trouble().failing = failing;
        world.open_all();
        for process in 0..2 {
            world.turn_to(process);
            if !world.rng.once_in(4) {
                world.begin();
            }
        }
        world
    }

    /// How many steps it has.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The same with some of its steps, and as many engines.
    pub(crate) fn with_steps(mut self, steps: &[usize]) -> Self {
        self.steps.retain(|step| steps.contains(step));
        self
    }

    /// The same, and it prints what it asks.
    pub(crate) fn aloud(mut self) -> Self {
        self.is_aloud = true;
        self
    }

    /// The same, with a trace.
    pub(crate) fn traced(mut self) -> Self {
        self.trace = Some(DefaultHasher::new());
        self
    }

    #[expect(clippy::print_stderr, reason = "whoever repeats a history reads it")]
    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_aloud {
            eprintln!("{}", what());
        }
    }

    fn unopened(seed: u64, lab: Box<dyn Backend>, processes: usize) -> Self {
        let mut rng = Rng::new(seed);
        let concurrency = 1 + rng.below(5) as u32;
        let on_stop = rng.one_of(&[OnStop::Wait, OnStop::Postpone, OnStop::Abort]);
        let window_max = rng.one_of(&[1, 2, 5, usize::MAX]);
        let wide =
            rng.once_in(48).then(|| Json::trusted(&format!("\"{}\"", "x".repeat(WIDE_BYTES))));
        let mut world = Self {
            can_fail: rng.once_in(2),
            wide,
            lab,
            processes: (0..processes).map(|_| Process::default()).collect(),
            me: 0,
            oracle: Oracle::new(concurrency, processes),
            watchers: watching::Watchers::default(),
            settings: Settings { concurrency, on_stop },
            tickets: 0,
            lines: 0,
            steps: (0..20 + rng.below(60)).collect(),
            has_rates: rng.once_in(4),
            // No throw of the dice, so that all others are as they were.
            has_circuits: seed % 4 == 2,
            has_keyed_circuits: seed % 8 == 2,
            dice: Dice(rng.throw()),
            is_short: false,
            is_aloud: false,
            trace: None,
            rng,
        };
        for process in &mut world.processes {
            let mono = MonoMs(1 + world.rng.throw() % MONO_MAX);
            process.now = Now { wall: WallMs(1_700_000_000_000), mono };
            process.trouble.lock().unwrap().window_max = window_max;
        }
        if world.rng.once_in(3) {
            world.add_by_stranger();
        }
        world
    }

    fn open_all(&mut self) {
        for process in 0..self.processes.len() {
            self.turn_to(process);
            self.open();
        }
    }

    /// What follows happens in this process.
    fn turn_to(&mut self, process: usize) {
        self.me = process;
        self.oracle.turn_to(process);
    }

    fn turn_to_any(&mut self) {
        let process = self.rng.below(self.processes.len());
        self.turn_to(process);
    }

    fn mine(&mut self) -> &mut Process {
        &mut self.processes[self.me]
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.processes[self.me].trouble.lock().unwrap()
    }

    fn engine(&mut self) -> &mut Engine {
        self.mine().engine.as_mut().unwrap()
    }

    fn reader(&mut self) -> &mut dyn Reader {
        self.mine().reader.as_mut().unwrap().as_mut()
    }

    fn is_shared(&self) -> bool {
        self.processes.len() > 1
    }

    /// The time by the clocks of the process that turns.
    fn now(&self) -> Now {
        self.processes[self.me].now
    }

    /// Lives to its end.
    pub(crate) fn run(mut self) -> Life {
        for step in std::mem::take(&mut self.steps) {
            self.rng = self.dice.of_step(step);
            self.say(|| format!("step {step}"));
            self.step();
        }
        self.rng = self.dice.of_step(usize::MAX);
        self.rest();
        self.turn_to(0);
        let Trouble { calls, failed, .. } = *self.trouble();
        let trace = self.trace.map(|trace| trace.finish());
        let (Oracle { started, used, .. }, told) = (self.oracle, self.watchers.told);
        Life { started, used, told, calls, failed, trace }
    }

    fn step(&mut self) {
        self.turn_to_any();
        match self.rng.below(40) {
            0 if self.is_shared() && self.rng.once_in(2) => self.crash_beside_others(),
            0 => self.crash(),
            39 if self.rng.once_in(2) => self.crash_in_a_row(),
            1 => self.tick(30_000),
            // Rare enough to be sought.
            2..6 if self.oracle.has_attached_abort() => self.crash(),
            38 if self.is_shared() => self.add_by_stranger(),
            2..8 => {
                let ms = self.rng.one_of(&[1, 10, 100, 1_000, 5_000]);
                self.tick(ms);
            }
            8..14 if self.is_shared() => {
                let fault = (self.can_fail && self.rng.once_in(3)).then(|| self.look_fault());
                self.look(fault);
            }
            _ => {}
        }
        let inputs: Vec<Input> = (0..self.rng.below(7)).map(|_| self.input()).collect();
        let fault = (self.can_fail && self.rng.once_in(8)).then(|| self.fault());
        self.turns(inputs, fault);
        // What a runner said before and is not written yet would come before the calls.
        if self.rng.once_in(3) && !self.oracle.me().has_unwritten() {
            let pauses = self.pauses();
            let fault = (self.can_fail && self.rng.once_in(8)).then(|| self.fault());
            self.turns(pauses, fault);
            if self.rng.once_in(2) {
                self.halt_all();
            }
        }
        if self.rng.once_in(6) {
            let holds = self.holds();
            let fault = (self.can_fail && self.rng.once_in(8)).then(|| self.fault());
            self.turns(holds, fault);
        }
        if self.rng.once_in(6) {
            self.compare();
        }
        self.explain();
    }

    /// What is to halt comes to its checkpoint, and is given back there once in a while.
    fn halt_all(&mut self) {
        let slots = self.oracle.to_halt();
        self.turns(slots.iter().copied().map(Input::Halt).collect(), None);
        if self.rng.once_in(8) {
            for _ in 0..2 {
                self.turns(slots.iter().copied().map(Input::Postpone).collect(), None);
            }
        }
    }

    /// Starts, with a runner for each operation.
    fn begin(&mut self) {
        let limit = self.is_shared().then_some(2);
        let mut inputs: Vec<Input> =
            OPERATIONS.iter().flat_map(|name| self.assigning(name, limit)).collect();
        for name in OPERATIONS {
            inputs.push(Input::PauseOperation(self.ticket(), name.into(), false));
        }
        inputs.push(Input::Start(self.ticket()));
        self.turns(inputs, None);
    }

    /// A new runner in place of whatever there is.
    fn assigning(&mut self, name: &str, limit: Option<u32>) -> [Input; 2] {
        let (name, limit): (Arc<str>, _) = (name.into(), limit.map(OperationOptions::at_once));
        [Input::Unassign(self.ticket(), name.clone()), Input::Assign(self.ticket(), name, limit)]
    }

    /// Time goes by for all. Meanwhile the wall clock of some is set to another time, as if they
    /// stood on different machines (F-19).
    fn tick(&mut self, ms: u64) {
        self.oracle.meet_time(ms);
        for Process { now, .. } in &mut self.processes {
            let is_set = !self.has_rates && !self.has_circuits;
            let jump = if !is_set { 0 } else { self.rng.one_of(&JUMPS_MS) };
            now.mono = now.mono.plus(ms);
            now.wall = WallMs(now.wall.0 + ms as i64 + jump);
        }
    }

    fn fault(&mut self) -> Fault {
        let code = self.rng.one_of(&PASSING);
        match self.rng.below(10) {
            0..2 => Fault::Begin(code),
            2..4 => Fault::Overtaken(1 + self.rng.below(3) as u32),
            4..6 => Fault::Read(code, self.rng.one_of(&READS)),
            6..9 => Fault::Commit(code),
            _ => Fault::Unknown(self.rng.once_in(2)),
        }
    }

    fn look_fault(&mut self) -> Fault {
        let code = self.rng.one_of(&PASSING);
        let reads = [
            Call::PauseWishes,
            Call::BeginRead,
            Call::RefreshOwners,
            Call::Journal,
            Call::Briefs,
            Call::AbortRequests,
            Call::PostponeRequests,
        ];
        Fault::Read(code, self.rng.one_of(&reads))
    }

    /// Turns until the engine waits.
    fn turns(&mut self, inputs: Vec<Input>, fault: Option<Fault>) {
        let after = self.turn(inputs, fault);
        self.turn_on(after);
    }

    fn turn_on(&mut self, mut after: Next) {
        let mut turns = 0;
        while matches!(after, Next::Again | Next::More) {
            after = self.turn(Vec::new(), None);
            turns += 1;
            assert!(turns < 1_000, "I-12: it turns for ever");
        }
        let Next::Wait(due) = after else { return };
        let mono = self.now().mono.0;
        assert!(due.is_none_or(|due| due.0 > mono), "it turns for ever");
        if self.has_failed() {
            return self.look(None);
        }
        assert!(!self.oracle.me().is_to_close(), "a close waits for nothing");
        let must = self.oracle.me().next_due();
        assert!(must.is_none_or(|must| due.is_some_and(|due| due.0 <= must)), "F-21");
        let first = self.oracle.first_due();
        assert!(first.is_none_or(|at| at > self.now().wall), "I-12: {first:?} is due");
        let waiting = self.oracle.eligible();
        assert!(waiting.is_none(), "I-12: {waiting:?} may start and does not");
        self.oracle.settle_rest();
        self.assert_removed();
    }

    /// What is over may be gone.
    fn see_removals(&mut self) {
        let wall = self.now().wall;
        for id in self.oracle.expired(wall) {
            let is_there = self.reader().get(id, None, usize::MAX).unwrap().is_some();
            self.oracle.see_over(id, is_there, wall);
        }
    }

    /// After turns with which nothing went wrong nothing is there that has been over for long.
    fn assert_removed(&mut self) {
        let wall = self.now().wall;
        for id in self.oracle.expired(wall) {
            let found = self.reader().get(id, None, usize::MAX).unwrap().unwrap();
            // What others depend on, or did, is kept for longer.
            if !self.oracle.named.contains(&id) {
                removals::assert_not_late(&found, wall);
            }
        }
    }

    fn turn(&mut self, inputs: Vec<Input>, fault: Option<Fault>) -> Next {
        let inputs = self.without_traceless(inputs, fault);
        let (mut effects, now) = (Vec::new(), self.now());
        self.say(|| format!("process {} at {now:?}, fault {fault:?}: {inputs:?}", self.me));
        self.oracle.ask(&inputs, now);
        (self.trouble().fault, self.trouble().struck) = (fault, None);
        let after = self.engine().turn(inputs, now, &mut effects);
        if let Some(trace) = &mut self.trace {
            format!("{effects:?} {after:?}").hash(trace);
        }
        let hit = self.hit();
        self.oracle.elsewhere = self.offered_elsewhere();
        if let Some(engine) = &self.processes[self.me].engine {
            self.oracle.set_number(engine.memory().number);
        }
        self.oracle.hear(&effects, hit);
        if hit.is_none() {
            self.hold_back(after);
        }
        self.oracle.settle(now.mono.0);
        assert_eq!(self.oracle.me().is_closed, after == Next::Closed);
        self.see_removals();
        if after == Next::Closed {
            self.closed(hit, &effects);
            return after;
        }
        let memory = self.engine().memory();
        let (counts, running) = (memory.counts, memory.dispatch.running() as usize);
        // Where it could not look, it does not know what others did.
        if hit.is_none() || !self.is_shared() {
            assert_eq!(counts, self.oracle.counts(), "I-13");
            let (first, next) = (self.oracle.first_due(), self.engine().memory().next_timer);
            assert!(first.is_none_or(|at| next.is_some_and(|next| next <= at)), "{first:?}");
            self.compare_queue();
        }
        assert_eq!(running, self.oracle.running());
        if self.trouble().struck.is_some_and(|fault| !matches!(fault, Fault::Begin(_))) {
            // It knows what others did before, and nothing of what was taken back.
            self.compare_memory();
        }
        self.see_starts(&effects);
        self.maintain();
        after
    }

    /// What a driver does between turns. If it fails, nothing has changed.
    fn maintain(&mut self) {
        let is_idle = self.rng.once_in(2);
        let _ = self.engine().store().unwrap().maintain(is_idle);
    }

    /// Nobody can tell whether an abort was stored whose commit has an open fate, if its run goes
    /// on in another process; nor whether a task was opened again, or a key given to another one.
    fn without_traceless(&self, mut inputs: Vec<Input>, fault: Option<Fault>) -> Vec<Input> {
        if matches!(fault, Some(Fault::Unknown(_))) {
            let is_call = |input: &Input| {
                matches!(input, Input::Retry(..) | Input::PostponeTask(..) | Input::Update(..))
            };
            let is_pause = |input: &Input| matches!(input, Input::Pause(..) | Input::Resume(..));
            let is_hold = |input: &Input| matches!(input, Input::Hold(..) | Input::ReleaseHold(..));
            inputs.retain(|input| !is_call(input) && !is_pause(input) && !is_hold(input));
            inputs.retain(|input| !(self.is_shared() && matches!(input, Input::Abort(..))));
            // A row of an outbox may lead to a task that was there before.
            inputs.retain(|input| !calls::is_unique_row(input));
        }
        inputs
    }

    /// Looks at what others did, and turns if that calls for it.
    fn look(&mut self, fault: Option<Fault>) {
        (self.trouble().fault, self.trouble().struck) = (fault, None);
        let (mut effects, now) = (Vec::new(), self.now());
        let after = self.engine().peek(now, &mut effects);
        let hit = self.hit();
        self.oracle.elsewhere = self.offered_elsewhere();
        self.oracle.hear_look(&effects, hit);
        assert_ne!(after, Next::Closed, "no fault is that grave");
        if hit.is_none() {
            assert_eq!(self.engine().memory().freshness, Freshness::Current);
            self.compare_memory();
        }
        // A turn looks around for nobody: who died meanwhile is found by the next look.
        let is_blind = matches!(self.trouble().struck, Some(Fault::Read(_, Call::RefreshOwners)));
        if is_blind {
            self.look(None);
        } else if matches!(after, Next::Again | Next::More) {
            self.turn_on(after);
        } else if hit.is_some() {
            self.look(None);
        } else {
            self.oracle.settle_look();
            assert!(self.oracle.eligible().is_none(), "I-12");
        }
    }

    /// Whether a fault made the last turn or look fail.
    fn has_failed(&self) -> bool {
        self.trouble().struck.and_then(Fault::code).is_some()
    }

    /// The code with which a turn or look has failed, if it has. What has not struck does not.
    fn hit(&mut self) -> Option<Code> {
        self.trouble().fault = None;
        let struck = self.trouble().struck;
        if let Some(Fault::Close(code)) = struck {
            self.oracle.fail_close(code);
        }
        struck.and_then(Fault::code)
    }

    /// What is told to have started is on disk as running (I-10, I-11).
    fn see_starts(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Start(started) = effect else { continue };
            let found = self.reader().get(started.id, None, usize::MAX).unwrap().unwrap().task;
            let run = found.attempts.last().map(|attempt| attempt.run);
            assert_eq!((found.attempt, run), (started.attempt, Some(started.run)));
            assert_eq!(found.state, State::Running);
        }
    }

    /// The engine closed, by itself or because it was asked to: another one opens.
    fn closed(&mut self, hit: Option<Code>, effects: &[Effect]) {
        self.mine().engine = None;
        self.oracle.forget_process();
        self.oracle.forgive_ends();
        if hit != Some(Code::Unknown) {
            self.oracle.lose_runs(false);
        }
        self.open();
        if hit != Some(Code::Unknown) {
            // What waited for a lost run may have been due when that was found out.
            let wall = self.now().wall;
            self.oracle.become_due_at(wall);
        } else {
            let uuids: Vec<_> = effects.iter().flat_map(uuids_of).collect();
            // First: what tasks take of their operation is in those that are stored.
            let operations = self.reader().operations().unwrap();
            self.oracle.resolve_operations(operations);
            let holds = self.engine().memory().holds.clone();
            self.oracle.resolve_holds(&holds);
            let stored = self.stored(&uuids);
            self.oracle.resolve(&stored, &uuids);
            self.resolve_gates();
            self.resolve_circuits();
        }
        self.compare();
    }

    fn open(&mut self) {
        self.mine().engine = None;
        while !self.try_open() {
            assert!(self.trouble().struck.take().is_some(), "it opens");
        }
    }

    fn try_open(&mut self) -> bool {
        self.mine().reader = None;
        let handle = self.lab.open().unwrap();
        let troubled = Troubled(self.mine().trouble.clone());
        let store = Box::new(FaultyStore::new(handle.store, troubled));
        self.oracle.key = Some(store.id_key());
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.rng.throw().to_le_bytes());
        let opened = Engine::open(store, self.settings, seed, self.now());
        self.mine().gone = 0;
        self.mine().reader = Some(handle.reader);
        self.mine().engine = opened.ok().map(|(engine, _)| engine);
        let is_open = self.mine().engine.is_some();
        if is_open {
            let wall = self.now().wall;
            self.oracle.become_due_at(wall);
            self.oracle.expire_at(wall);
            self.oracle.reach_after_death(false);
            self.oracle.become_due_at(wall);
            self.oracle.sweep_at(wall);
            self.see_removals();
        }
        is_open
    }

    /// All that is stored; where data is wide, only what is known, which costs no reading of it.
    fn stored(&mut self, uuids: &[String]) -> Vec<Found> {
        let logs = Some(WithLogs { level_max: Level::Debug });
        if self.wide.is_some() {
            let new = uuids.iter().filter_map(|text| text.parse().ok()).map(TaskId);
            let ids: Vec<TaskId> = new.chain(self.oracle.tasks.keys().copied()).collect();
            let reader = self.reader();
            return ids
                .into_iter()
                .filter_map(|id| reader.get(id, logs, usize::MAX).unwrap())
                .collect();
        }
        let query = Query::parse("{}").unwrap();
        let find = Find { logs, ..Find::all(query) };
        self.reader().find(&find, &|| false).unwrap()
    }

    fn compare(&mut self) {
        let stored = self.stored(&[]);
        self.oracle.compare(&stored);
        let operations = self.reader().operations().unwrap();
        self.oracle.compare_operations(&operations);
        self.compare_circuits();
    }
}

fn uuids_of(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Refuse(_, error) | Effect::Closed(Some(error)) => error.facts().uuids.clone(),
        _ => Vec::new(),
    }
}
