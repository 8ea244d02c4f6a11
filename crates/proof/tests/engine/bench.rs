//! An engine on the model store, a clock that the test moves, and faults on request.

use std::sync::{Arc, Mutex};

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{LaneId, RunId, Seq, TaskId};
use tasker_core::journal::Transition;
use tasker_core::operation::OperationOptions;
use tasker_core::read::{Found, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::store::{Batch, Change, Commit, Lookups, Preview, Refused, Store, Transaction};
use tasker_core::task::{AbortReason, Cause, Json, Level, NewTask, OnStop, Priority, TaskEnd};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{AbortSignal, Effect, RunEnd, RunStart};
use tasker_engine::input::{Input, RunSlot, Ticket};
use tasker_engine::memory::{Memory, Settings};
use tasker_engine::turn::{Engine, Next};
use tasker_proof::conformance::Backend;
use tasker_proof::faulty_store::{Call, FaultyStore, Hooks};
use tasker_proof::model::Disk;

/// Some JSON.
pub(crate) fn json() -> Json {
    Json::trusted(r#"{"x":1}"#)
}

pub(crate) fn reason(cause: Cause) -> AbortReason {
    AbortReason { cause, reason: json() }
}

pub(crate) fn priority(value: f64) -> Priority {
    Priority::new(value).unwrap()
}

pub(crate) fn unknown_task() -> TaskId {
    "018f0000-0000-7000-8000-000000000001".parse().map(TaskId).unwrap()
}

pub(crate) fn def(operation: &str) -> NewTask {
    NewTask { data: Some(json()), ..NewTask::new(operation) }
}

pub(crate) fn over(effects: &[Effect]) -> Vec<(RunSlot, RunEnd)> {
    let over = |effect: &Effect| match effect {
        Effect::RunEnded(slot, over) => Some((*slot, over.clone())),
        _ => None,
    };
    effects.iter().filter_map(over).collect()
}

/// The tickets that were answered, not refused.
pub(crate) fn answers(effects: &[Effect]) -> Vec<Ticket> {
    let ticket = |effect: &Effect| match effect {
        Effect::Answer(ticket, _) => Some(*ticket),
        _ => None,
    };
    effects.iter().filter_map(ticket).collect()
}

/// What goes wrong at the next chance.
#[derive(Default)]
struct Faults {
    commit: Option<Code>,
    /// The call that fails.
    read: Option<(Call, Code)>,
    stolen: Option<(Seq, RunId)>,
    /// The task at whose change the next commit is refused.
    refused: Option<Seq>,
    /// Happens between the plan and the next commit.
    overtaking: Option<Box<dyn FnOnce() + Send>>,
    /// What the last turn said that it would look up.
    preview: Lookups,
}

/// The next commit may fail, and rows may change behind the engine's back.
#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<Faults>>);

/// Ends a run that is somebody else's.
fn steal(store: &mut dyn Store, seq: Seq, run: RunId) -> Result<()> {
    let head = store.begin_read()?.head()?;
    let mut counts = head.counts;
    counts.shift(State::Running, State::Aborted);
    let outcome = TaskEnd::Aborted(Cause::User, json());
    let lane = LaneId(1);
    let (priority, run, at) = (Priority::default(), Some(run), WallMs(0));
    let end = Change::End { seq, lane, priority, run, outcome, at };
    let (number, owner, seq_next) = (head.number + 1, store.owner(), head.seq_next);
    let lane_next = head.lane_next;
    let (changes, notes) = (vec![end], Vec::new());
    let batch = Batch { number, owner, at, seq_next, lane_next, counts, changes, notes };
    store.begin(&Lookups::default)?.commit(&batch);
    Ok(())
}

impl Hooks for Faulty {
    fn before_begin(&mut self, store: &mut dyn Store, preview: Preview<'_>) {
        let mut faults = self.0.lock().unwrap();
        faults.preview = preview();
        if let Some((seq, run)) = faults.stolen.take() {
            steal(store, seq, run).unwrap();
        }
    }

    fn before(&mut self, call: Call) -> Result<()> {
        let mut faults = self.0.lock().unwrap();
        match faults.read.take_if(|(read, _)| *read == call) {
            Some((_, code)) => Err(Error::new(code, "the test says so")),
            None => Ok(()),
        }
    }

    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        let overtaking = self.0.lock().unwrap().overtaking.take();
        if let Some(overtake) = overtaking {
            overtake();
        }
        let refused = self.0.lock().unwrap().refused.take();
        let is_of = |change: &Change| Transition::of(change).map(|step| step.seq) == refused;
        if let Some(change) = refused.and_then(|_| batch.changes.iter().position(is_of)) {
            let error = Error::new(Code::Fenced, "the test says so");
            return Commit::Refused(Refused { change, error });
        }
        let fault = self.0.lock().unwrap().commit.take();
        let Some(code) = fault else { return transaction.commit(batch) };
        let error = Error::new(code, "the test says so");
        if code == Code::Unknown { Commit::Unknown(error) } else { Commit::NotCommitted(error) }
    }
}

/// An engine under test, with everything it has told so far.
pub(crate) struct Bench {
    disk: Disk,
    engine: Option<Engine>,
    faults: Faulty,
    settings: Settings,
    now: Now,
    tickets: Ticket,
    started: Vec<RunStart>,
    signals: Vec<(RunSlot, Cause)>,
    live: Vec<(RunSlot, String)>,
    after: Next,
}

impl Bench {
    /// An engine that has not been started; at most `concurrency` runs at once.
    pub(crate) fn new(concurrency: u32) -> Self {
        Self::on(Disk::default(), concurrency)
    }

    /// Another engine on the same disk, in a process of its own; started, without runners.
    pub(crate) fn beside(&self, concurrency: u32) -> Self {
        let mut bench = Self::on(self.disk.clone(), concurrency);
        bench.call(Input::Start);
        bench
    }

    /// The disk, for another engine.
    pub(crate) fn disk(&self) -> Disk {
        self.disk.clone()
    }

    /// An engine on this disk, which has not been started.
    pub(crate) fn on(disk: Disk, concurrency: u32) -> Self {
        let settings = Settings { concurrency, on_stop: OnStop::Wait };
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) };
        let mut bench = Self {
            disk,
            engine: None,
            faults: Faulty::default(),
            settings,
            now,
            tickets: 0,
            started: Vec::new(),
            signals: Vec::new(),
            live: Vec::new(),
            after: Next::Wait(None),
        };
        bench.open();
        bench
    }

    /// An engine that is started and has a runner for operation `a`.
    pub(crate) fn started(concurrency: u32) -> Self {
        let mut bench = Self::new(concurrency);
        bench.assign("a", None);
        bench.call(Input::Start);
        bench
    }

    fn open(&mut self) -> Vec<Effect> {
        let inner = self.disk.open().unwrap().store;
        let seed = [inner.owner().0 as u8; 32];
        let store = Box::new(FaultyStore::new(inner, self.faults.clone()));
        let opened = Engine::open(store, self.settings, seed, self.now);
        let (engine, effects) = opened.unwrap();
        self.engine = Some(engine);
        effects
    }

    /// Dies without closing and opens again; what the recovery told.
    pub(crate) fn crash(&mut self) -> Vec<Effect> {
        self.engine = None;
        self.live.clear();
        self.open()
    }

    /// Turns until the engine waits; what it told.
    pub(crate) fn turn(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let engine = self.engine.as_mut().unwrap();
        let after = engine.turn(inputs, self.now, &mut effects);
        self.turn_on(after, effects)
    }

    /// One turn, and what comes after it; what it told.
    pub(crate) fn turn_once(&mut self, inputs: Vec<Input>) -> (Next, Vec<Effect>) {
        let mut effects = Vec::new();
        let after = self.engine.as_mut().unwrap().turn(inputs, self.now, &mut effects);
        self.note(&effects);
        (after, effects)
    }

    /// Looks at what others did, and turns if that calls for it; what it told.
    pub(crate) fn look(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let after = self.engine.as_mut().unwrap().peek(self.now, &mut effects);
        self.turn_on(after, effects)
    }

    fn turn_on(&mut self, mut after: Next, mut effects: Vec<Effect>) -> Vec<Effect> {
        let engine = self.engine.as_mut().unwrap();
        while matches!(after, Next::Again | Next::More) {
            after = engine.turn(Vec::new(), self.now, &mut effects);
        }
        self.after = after;
        self.note(&effects);
        effects.retain(|effect| !matches!(effect, Effect::Start(_) | Effect::Abort(..)));
        effects
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Start(run) => {
                    self.live.push((run.slot, run.operation.to_string()));
                    let operation = run.operation.clone();
                    let (data, options) = (run.data.clone(), run.options.clone());
                    self.started.push(RunStart { operation, data, options, ..*run });
                }
                Effect::RunEnded(slot, _) => self.live.retain(|(other, _)| other != slot),
                Effect::Abort(slot, AbortSignal::Abort(abort)) => {
                    self.signals.push((*slot, abort.cause));
                }
                _ => {}
            }
        }
    }

    /// Time passes, and nobody turns.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now.mono = self.now.mono.plus(ms);
        self.now.wall = WallMs(self.now.wall.0 + ms as i64);
    }

    pub(crate) fn wall(&self) -> WallMs {
        self.now.wall
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_wall(&mut self, at: WallMs) {
        self.now.wall = at;
    }

    /// When the engine wants to look at the wall clock.
    pub(crate) fn next_timer(&self) -> Option<WallMs> {
        self.engine.as_ref().unwrap().next_timer()
    }

    /// Somebody sets the wall clock back.
    pub(crate) fn set_back(&mut self, ms: i64) {
        self.now.wall = WallMs(self.now.wall.0 - ms);
    }

    pub(crate) fn advance(&mut self, ms: u64) -> Vec<Effect> {
        self.wait(ms);
        self.turn(Vec::new())
    }

    /// In how many milliseconds the engine wants to turn again at the latest.
    pub(crate) fn wait_ms(&self) -> Option<u64> {
        let Next::Wait(at) = self.after else { return Some(0) };
        at.map(|at| at.0.saturating_sub(self.now.mono.0))
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// One call in a turn of its own, and its answer.
    pub(crate) fn call(&mut self, input: impl FnOnce(Ticket) -> Input) -> Effect {
        let ticket = self.ticket();
        let effects = self.turn(vec![input(ticket)]);
        let is_mine = |effect: &Effect| match effect {
            Effect::Answer(other, _) | Effect::Refuse(other, _) => *other == ticket,
            _ => false,
        };
        effects.into_iter().find(is_mine).expect("every call is answered in its turn")
    }

    pub(crate) fn assign(&mut self, operation: &str, limit: Option<u32>) {
        let options = limit.map(OperationOptions::at_once);
        let answer = self.call(|ticket| Input::Assign(ticket, operation.into(), options));
        assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
    }

    pub(crate) fn add(&mut self, operation: &str, priority: f64) -> TaskId {
        self.add_with(operation, |def| def.priority = Priority::new(priority).unwrap())
    }

    pub(crate) fn add_with(
        &mut self,
        operation: &str,
        change: impl FnOnce(&mut NewTask),
    ) -> TaskId {
        let mut def = def(operation);
        change(&mut def);
        match self.call(|ticket| Input::Add(ticket, def)) {
            Effect::Answer(_, tasker_engine::effect::Answer::Task(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    /// The tasks started so far, in order.
    pub(crate) fn starts(&self) -> Vec<TaskId> {
        self.started.iter().map(|run| run.id).collect()
    }

    /// The data of the run that was started last.
    pub(crate) fn started_data(&self) -> Option<Json> {
        self.started.last()?.data.clone()
    }

    pub(crate) fn signals(&self) -> &[(RunSlot, Cause)] {
        &self.signals
    }

    pub(crate) fn running_of(&self, operation: &str) -> usize {
        self.live.iter().filter(|(_, other)| other == operation).count()
    }

    /// The live run that began first.
    pub(crate) fn oldest(&self) -> RunSlot {
        self.live.first().expect("a run is live").0
    }

    /// The live run that began last.
    pub(crate) fn newest(&self) -> RunSlot {
        self.live.last().expect("a run is live").0
    }

    pub(crate) fn settle_oldest(&mut self, settled: Settlement) {
        let (slot, _) = self.live.first().expect("a run is live").clone();
        self.turn(vec![Input::Settle(slot, settled)]);
    }

    /// The number of the last commit.
    pub(crate) fn batches(&self) -> u64 {
        self.engine.as_ref().unwrap().memory().number
    }

    /// Dies without closing.
    pub(crate) fn die(mut self) {
        self.engine = None;
    }

    pub(crate) fn memory(&self) -> &Memory {
        self.engine.as_ref().unwrap().memory()
    }

    /// The next such call fails.
    pub(crate) fn fail_call(&mut self, call: Call, code: Code) {
        self.faults.0.lock().unwrap().read = Some((call, code));
    }

    pub(crate) fn fail_next(&mut self, code: Code) {
        self.faults.0.lock().unwrap().commit = Some(code);
    }

    /// This happens between the plan of the next turn and its commit.
    pub(crate) fn before_commit(&mut self, overtake: impl FnOnce() + Send + 'static) {
        self.faults.0.lock().unwrap().overtaking = Some(Box::new(overtake));
    }

    /// What the last turn said that it would look up.
    pub(crate) fn preview(&self) -> Lookups {
        std::mem::take(&mut self.faults.0.lock().unwrap().preview)
    }

    /// The next commit is refused at its change of this task.
    pub(crate) fn refuse_next(&mut self, id: TaskId) {
        self.faults.0.lock().unwrap().refused = Some(self.get(id).task.seq);
    }

    /// Ends a running task behind the engine's back, at its next turn.
    pub(crate) fn steal(&mut self, id: TaskId) {
        let task = self.get(id).task;
        let run = task.attempts.last().unwrap().run;
        self.faults.0.lock().unwrap().stolen = Some((task.seq, run));
    }

    pub(crate) fn get(&self, id: TaskId) -> Found {
        let mut reader = self.disk.reader();
        let logs = Some(WithLogs { level_max: Level::Debug });
        reader.get(id, logs, usize::MAX).unwrap().expect("the task is there")
    }

    pub(crate) fn state(&self, id: TaskId) -> State {
        self.get(id).task.state
    }

    /// How many gates of rate limits and of circuit breakers are kept.
    pub(crate) fn gates(&self) -> usize {
        self.disk.gates()
    }

    pub(crate) fn waits(&self) -> usize {
        self.disk.waits()
    }

    pub(crate) fn outcome(&self, id: TaskId) -> Option<TaskEnd> {
        self.get(id).task.outcome
    }
}
