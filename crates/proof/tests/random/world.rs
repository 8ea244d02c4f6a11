//! One world: one to three engines on one disk, the oracle, and a history made from a number.

use std::sync::{Arc, Mutex, MutexGuard};

use tasker_core::error::Code;
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::query::Query;
use tasker_core::read::{Find, Found, Reader, WithLogs};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::store::Store;
use tasker_core::task::{
    AbortReason, Cause, Json, Level, NewTask, OnInterrupted, OnStop, Priority, Progress,
};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::Effect;
use tasker_engine::input::{
    Input, Record, RemoteFilter, RunSlot, StopOptions, Subscription, Ticket,
};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::faulty_store::{Call, FaultyStore};
use tasker_proof::rng::Rng;

use crate::oracle::Oracle;
use crate::oracle::coverage::Coverage;
use crate::queue;
use crate::store::{Fault, Trouble, Troubled};

const OPERATIONS: [&str; 3] = ["a", "b", "c"];
const PRIORITIES: [f64; 9] =
    [0.0, -0.0, 1.0, 1.0, 2.0, 5e-324, -1e21, f64::INFINITY, f64::NEG_INFINITY];
const TASKS_MAX: usize = 60;
const KEYS: usize = 16;
/// Two tasks with this much data exceed what a window holds.
const WIDE_BYTES: usize = 9 * 1024 * 1024;
const READS: [Call; 11] = [
    Call::Heads,
    Call::Contents,
    Call::FindByKeys,
    Call::Head,
    Call::Operations,
    Call::Journal,
    Call::RemoteRuns,
    Call::AbortRequests,
    Call::Orphans,
    Call::Windows,
    Call::Briefs,
];
const PASSING: [Code; 4] = [Code::Full, Code::Busy, Code::ReadOnly, Code::Io];

/// One engine and its store.
#[derive(Default)]
struct Process {
    trouble: Arc<Mutex<Trouble>>,
    engine: Option<Engine>,
    reader: Option<Box<dyn Reader>>,
}

pub(crate) struct World {
    rng: Rng,
    lab: Box<dyn Backend>,
    wide: Option<Json>,
    processes: Vec<Process>,
    /// The process that turns.
    me: usize,
    oracle: Oracle,
    settings: Settings,
    now: Now,
    tickets: Ticket,
    lines: u64,
    can_fail: bool,
}

impl World {
    pub(crate) fn new(seed: u64, lab: Box<dyn Backend>, processes: usize) -> Self {
        let mut rng = Rng::new(seed);
        let concurrency = 1 + rng.below(5) as u32;
        let on_stop = rng.one_of(&[OnStop::Wait, OnStop::Postpone, OnStop::Abort]);
        let window_max = rng.one_of(&[1, 2, 5, usize::MAX]);
        let wide =
            rng.once_in(16).then(|| Json::trusted(&format!("\"{}\"", "x".repeat(WIDE_BYTES))));
        let mut world = Self {
            can_fail: rng.once_in(2),
            wide,
            lab,
            processes: (0..processes).map(|_| Process::default()).collect(),
            me: 0,
            oracle: Oracle::new(concurrency, processes),
            settings: Settings { concurrency, on_stop },
            now: Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) },
            tickets: 0,
            lines: 0,
            rng,
        };
        for process in 0..processes {
            world.turn_to(process);
            world.trouble().window_max = window_max;
            world.open();
        }
        world
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

    /// Lives to its end; how many runs it started, and which verbs it used in which states.
    pub(crate) fn run(mut self) -> (u64, Coverage) {
        for _ in 0..20 + self.rng.below(60) {
            self.step();
        }
        self.rest();
        (self.oracle.started, self.oracle.used)
    }

    fn step(&mut self) {
        self.turn_to_any();
        match self.rng.below(40) {
            0 if self.is_shared() && self.rng.once_in(2) => self.crash_beside_others(),
            0 => self.crash(),
            39 if self.rng.once_in(3) => self.crash_in_a_row(),
            1 => self.tick(30_000),
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
        if self.rng.once_in(6) {
            self.compare();
        }
    }

    /// Without faults, everything comes to rest (I-12).
    fn rest(&mut self) {
        self.can_fail = false;
        // Whatever is being stopped or closed is over then.
        self.tick(100_000_000);
        for process in 0..self.processes.len() {
            self.turn_to(process);
            self.turns(Vec::new(), None);
        }
        for process in 0..self.processes.len() {
            self.turn_to(process);
            self.begin();
        }
        for _ in 0..4 * TASKS_MAX {
            if self.oracle.processes.iter().all(|process| process.runs.is_empty()) {
                break;
            }
            for process in 0..self.processes.len() {
                self.turn_to(process);
                self.look(None);
                let live: Vec<RunSlot> = self.oracle.me().runs.keys().copied().collect();
                let settles =
                    live.iter().map(|slot| Input::Settle(*slot, Settlement::Returned(None)));
                self.turns(settles.collect(), None);
            }
        }
        assert!(self.oracle.tasks.values().all(|task| task.state.is_final()), "I-12");
        self.compare();
    }

    /// Starts, with a runner for each operation.
    fn begin(&mut self) {
        let limit = self.is_shared().then_some(2);
        let mut inputs: Vec<Input> =
            OPERATIONS.iter().flat_map(|name| self.assigning(name, limit)).collect();
        inputs.push(Input::Start(self.ticket()));
        self.turns(inputs, None);
    }

    /// A new runner in place of whatever there is.
    fn assigning(&mut self, name: &str, limit: Option<u32>) -> [Input; 2] {
        let name: Arc<str> = name.into();
        [Input::Unassign(self.ticket(), name.clone()), Input::Assign(self.ticket(), name, limit)]
    }

    fn tick(&mut self, ms: u64) {
        self.oracle.meet_time(ms);
        self.now.mono = self.now.mono.plus(ms);
        let jump =
            self.rng.one_of(&[0, 0, 0, -3_600_000, 3_600_000, 315_000_000_000, -1_700_000_000_001]);
        self.now.wall = WallMs(self.now.wall.0 + ms as i64 + jump);
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
            Call::BeginRead,
            Call::RefreshOwners,
            Call::Journal,
            Call::Briefs,
            Call::AbortRequests,
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
        while after == Next::Again {
            after = self.turn(Vec::new(), None);
            turns += 1;
            assert!(turns < 1_000, "I-12: it turns for ever");
        }
        let Next::Wait(due) = after else { return };
        let mono = self.now.mono.0;
        assert!(due.is_none_or(|due| due.0 > mono), "it turns for ever");
        if !self.trouble().is_hit {
            let must = self.oracle.me().next_due();
            assert!(must.is_none_or(|must| due.is_some_and(|due| due.0 <= must)), "F-21");
            let waiting = self.oracle.eligible();
            assert!(waiting.is_none(), "I-12: {waiting:?} may start and does not");
        }
    }

    fn turn(&mut self, inputs: Vec<Input>, fault: Option<Fault>) -> Next {
        let inputs = self.without_open_aborts(inputs, fault);
        self.oracle.ask(&inputs, self.now.mono.0);
        (self.trouble().fault, self.trouble().is_hit) = (fault, false);
        let (mut effects, now) = (Vec::new(), self.now);
        let after = self.engine().turn(inputs, now, &mut effects);
        let hit = self.hit(fault);
        self.oracle.hear(&effects, hit);
        self.oracle.settle(self.now.mono.0);
        assert_eq!(self.oracle.me().is_closed, after == Next::Closed);
        if after == Next::Closed {
            self.closed(hit, &effects);
            return after;
        }
        let memory = self.engine().memory();
        let (counts, running) = (memory.counts, memory.dispatch.running() as usize);
        // Where it could not look, it does not know what others did.
        if hit.is_none() || !self.is_shared() {
            assert_eq!(counts, self.oracle.counts(), "I-13");
            self.compare_queue();
        }
        assert_eq!(running, self.oracle.me().runs.len());
        self.see_starts(&effects);
        after
    }

    /// What memory says of the queue is so.
    fn compare_queue(&self) {
        let engine = self.processes[self.me].engine.as_ref().unwrap();
        queue::compare(&engine.memory().dispatch, &self.oracle);
    }

    /// Nobody can tell whether an abort was stored whose commit has an open fate, if its run goes
    /// on in another process.
    fn without_open_aborts(&self, mut inputs: Vec<Input>, fault: Option<Fault>) -> Vec<Input> {
        if self.is_shared() && matches!(fault, Some(Fault::Unknown(_))) {
            inputs.retain(|input| !matches!(input, Input::Abort(..)));
        }
        inputs
    }

    /// Looks at what others did, and turns if that calls for it.
    fn look(&mut self, fault: Option<Fault>) {
        (self.trouble().fault, self.trouble().is_hit) = (fault, false);
        let mut effects = Vec::new();
        let after = self.engine().peek(&mut effects);
        let hit = self.hit(fault);
        self.oracle.hear_look(&effects, hit);
        assert_ne!(after, Next::Closed, "no fault is that grave");
        if after == Next::Again {
            self.turn_on(after);
        } else if hit.is_none() {
            self.oracle.settle_look();
            assert!(self.oracle.eligible().is_none(), "I-12");
        }
    }

    /// The code of the fault, if it struck.
    fn hit(&self, fault: Option<Fault>) -> Option<Code> {
        let mut trouble = self.trouble();
        trouble.fault = None;
        let (true, Some(fault)) = (trouble.is_hit, fault) else { return None };
        Some(match fault {
            Fault::Begin(code) | Fault::Read(code, _) | Fault::Commit(code) => code,
            Fault::Overtaken(_) => return None,
            Fault::Unknown(_) => Code::Unknown,
        })
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
        self.open();
        if hit != Some(Code::Unknown) {
            self.oracle.lose_runs(false);
        } else {
            let uuids: Vec<_> = effects.iter().flat_map(uuids_of).collect();
            let stored = self.stored(&uuids);
            self.oracle.resolve(&stored, &uuids);
        }
        self.compare();
    }

    /// The process dies, and dies again while it recovers (F-1, F-2).
    fn crash(&mut self) {
        self.oracle.meet_death();
        self.mine().engine = None;
        self.oracle.forget_process();
        self.oracle.lose_runs(false);
        while self.can_fail && self.rng.once_in(2) {
            let fault = self.fault();
            self.mine().reader = None;
            self.trouble().fault = Some(fault);
            let opened = self.try_open();
            self.trouble().fault = None;
            if opened {
                break;
            }
        }
        self.open();
        self.compare();
    }

    /// The process dies as often as a task may lose it, and at last while its runs are aborted.
    fn crash_in_a_row(&mut self) {
        for is_last in [false, false, true] {
            self.begin();
            if is_last && self.rng.once_in(2) {
                let live: Vec<TaskId> =
                    self.oracle.me().runs.values().map(|run| run.task).collect();
                let aborts = live.into_iter().map(|id| self.abort(id)).collect();
                self.turns(aborts, None);
            }
            self.crash();
        }
    }

    /// Processes die, and another one finds out before they are there again (I-4, I-5).
    fn crash_beside_others(&mut self) {
        let survivor = self.me;
        let mut dead: Vec<usize> = (0..self.processes.len()).filter(|n| *n != survivor).collect();
        if self.rng.once_in(2) {
            dead.truncate(1);
        }
        for process in &dead {
            self.turn_to(*process);
            (self.mine().engine, self.mine().reader) = (None, None);
            self.oracle.meet_death();
            self.oracle.forget_process();
            self.oracle.lose_runs(true);
        }
        self.turn_to(survivor);
        self.look(None);
        assert!(self.oracle.owes_nothing(), "an end was not told");
        self.compare();
        for process in dead {
            self.turn_to(process);
            self.open();
        }
    }

    fn open(&mut self) {
        self.mine().engine = None;
        assert!(self.try_open(), "it opens");
    }

    fn try_open(&mut self) -> bool {
        self.mine().reader = None;
        let handle = self.lab.open().unwrap();
        let troubled = Troubled(self.mine().trouble.clone());
        let store = Box::new(FaultyStore::new(handle.store, troubled));
        self.oracle.key = Some(store.id_key());
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.rng.throw().to_le_bytes());
        let opened = Engine::open(store, self.settings, seed, self.now);
        self.mine().reader = Some(handle.reader);
        self.mine().engine = opened.ok().map(|(engine, _)| engine);
        self.mine().engine.is_some()
    }

    /// All that is stored; where data is wide, only what is known, which costs no reading of it.
    fn stored(&mut self, uuids: &[String]) -> Vec<Found> {
        let logs = Some(WithLogs { level_max: Level::Debug });
        if self.wide.is_some() {
            let new = uuids.iter().filter_map(|text| text.parse().ok()).map(TaskId);
            let ids = new.chain(self.oracle.tasks.keys().copied());
            let ids: Vec<TaskId> = ids.collect();
            let reader = self.reader();
            return ids
                .into_iter()
                .filter_map(|id| reader.get(id, logs, usize::MAX).unwrap())
                .collect();
        }
        let query = Query::parse("{}").unwrap();
        let find = Find { query, sort: None, skip: 0, limit: None, logs, bytes_max: usize::MAX };
        self.reader().find(&find, &|| false).unwrap()
    }

    fn compare(&mut self) {
        let stored = self.stored(&[]);
        self.oracle.compare(&stored);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    fn input(&mut self) -> Input {
        let ticket = self.ticket();
        let operation: Arc<str> = self.rng.one_of(&OPERATIONS).into();
        match self.rng.below(32) {
            0..7 if self.rng.once_in(16) => Input::Postpone(self.run_no()),
            0..7 => self.settle(),
            7..9 => self.record(),
            9..12 => Input::Assign(ticket, operation, self.rng.one_of(&[None, Some(1), Some(2)])),
            12 => Input::Unassign(ticket, operation),
            13..15 => Input::Start(ticket),
            15 if self.rng.once_in(3) => Input::Close(ticket, self.stop_options()),
            15 => Input::Stop(ticket, self.stop_options()),
            16..20 => self.named(ticket),
            20 => {
                let watches = self.oracle.watches();
                let watch = if watches.is_empty() { ticket - 1 } else { self.rng.one_of(&watches) };
                Input::CancelAwait(ticket, watch)
            }
            21 if self.rng.once_in(2) => Input::Ack(ticket),
            21 => Input::Subscribe(ticket, self.subscription()),
            22 => {
                let count = self.rng.below(5);
                Input::AddMany(ticket, (0..count).map(|_| self.def()).collect())
            }
            _ if self.oracle.tasks.len() > TASKS_MAX => self.settle(),
            23..25 => {
                let count = self.rng.below(4);
                Input::AddIdempotent(ticket, (0..count).map(|_| (self.key(), self.def())).collect())
            }
            25 => Input::FindByKey(ticket, self.key()),
            _ => Input::Add(ticket, self.def()),
        }
    }

    /// A call about some task.
    fn named(&mut self, ticket: Ticket) -> Input {
        let ids: Vec<TaskId> = self.oracle.tasks.keys().copied().collect();
        let is_nobody = ids.is_empty() || self.rng.once_in(20);
        let nobody = TaskId(uuid::Uuid::from_u64_pair(7, self.rng.throw()));
        let id = if is_nobody { nobody } else { self.rng.one_of(&ids) };
        match self.rng.below(4) {
            0 => self.abort(id),
            1 => Input::AwaitEnd(ticket, id),
            _ => Input::Prioritize(ticket, id, self.priority()),
        }
    }

    fn abort(&mut self, id: TaskId) -> Input {
        let reason = AbortReason { cause: Cause::User, reason: Json::trusted("{}") };
        Input::Abort(self.ticket(), id, reason)
    }

    fn subscription(&mut self) -> Subscription {
        let remote = self.rng.one_of(&[
            RemoteFilter::Nothing,
            RemoteFilter::Ends,
            RemoteFilter::All,
            RemoteFilter::All,
        ]);
        Subscription { logs: self.rng.once_in(2), progress: true, remote }
    }

    fn priority(&mut self) -> Priority {
        Priority::new(self.rng.one_of(&PRIORITIES)).unwrap()
    }

    /// One of a few: most of them have been used.
    fn key(&mut self) -> IdempotencyKey {
        IdempotencyKey(uuid::Uuid::from_u128(self.rng.below(KEYS) as u128))
    }

    fn def(&mut self) -> NewTask {
        let wide = self.wide.clone().filter(|_| self.rng.once_in(2));
        let choices =
            [OnInterrupted::Retry, OnInterrupted::Retry, OnInterrupted::Abort, OnInterrupted::Fail];
        let stops = [None, None, Some(OnStop::Wait), Some(OnStop::Postpone), Some(OnStop::Abort)];
        NewTask {
            operation: self.rng.one_of(&OPERATIONS).into(),
            data: wide.or_else(|| Some(Json::trusted(&self.rng.below(9).to_string()))),
            priority: self.priority(),
            run_timeout_ms: self.rng.one_of(&[None, None, Some(1), Some(100), Some(5_000)]),
            on_interrupted: self.rng.one_of(&choices),
            on_stop: self.rng.one_of(&stops),
        }
    }

    /// The number of a live run, or of one that is over or never was.
    fn run_no(&mut self) -> RunSlot {
        let known: Vec<RunSlot> = match self.rng.below(10) {
            0 => self.oracle.me().slots.keys().copied().collect(),
            _ => self.oracle.me().runs.keys().copied().collect(),
        };
        if known.is_empty() { self.rng.below(99) as RunSlot } else { self.rng.one_of(&known) }
    }

    fn settle(&mut self) -> Input {
        let slot = self.run_no();
        Input::Settle(
            slot,
            match self.rng.below(4) {
                0 => Settlement::Threw(Json::trusted("{}")),
                1 => Settlement::Unstorable(Json::trusted("{}")),
                2 => Settlement::Returned(None),
                _ => Settlement::Returned(Some(Json::trusted("7"))),
            },
        )
    }

    fn record(&mut self) -> Input {
        let slot = self.run_no();
        if self.rng.once_in(2) {
            let progress = Progress { current: 1.0, total: None, unit: None };
            return Input::Record(slot, Record::Progress(progress));
        }
        self.lines += 1;
        let message = self.lines.to_string().into();
        Input::Record(slot, Record::Log { level: Level::Info, at: None, message, fields: None })
    }

    fn stop_options(&mut self) -> StopOptions {
        let stops = [None, None, Some(OnStop::Wait), Some(OnStop::Postpone), Some(OnStop::Abort)];
        let timeouts = [None, Some(0), Some(1), Some(1_000)];
        StopOptions { on_stop: self.rng.one_of(&stops), timeout_ms: self.rng.one_of(&timeouts) }
    }
}

fn uuids_of(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Refuse(_, error) | Effect::Closed(Some(error)) => error.facts().uuids.clone(),
        _ => Vec::new(),
    }
}
