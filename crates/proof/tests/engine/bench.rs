//! An engine on the model store, a clock that the test moves, and faults on request.

use std::sync::{Arc, Mutex};

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{AddKey, IdKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::rules::Settled;
use tasker_core::state::State;
use tasker_core::store::{
    Batch, Brief, Change, Commit, Entry, Found, Head, Lane, Orphan, Reader, Refused, Store, Wake,
    Window, WindowSize, WithLogs,
};
use tasker_core::task::{
    AbortReason, Cause, Json, Level, NewTask, OnInterrupted, OnStop, Outcome, Priority,
};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{AbortSignal, Effect, Over, Started};
use tasker_engine::input::{Input, RunNo, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{After, Engine};
use tasker_proof::conformance::Lab;
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
    NewTask {
        operation: operation.into(),
        data: Some(json()),
        priority: priority(0.0),
        run_timeout_ms: None,
        on_interrupted: OnInterrupted::Retry,
        on_stop: None,
    }
}

pub(crate) fn over(effects: &[Effect]) -> Vec<(RunNo, Over)> {
    let over = |effect: &Effect| match effect {
        Effect::Over(no, over) => Some((*no, *over)),
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
    stolen: Option<(Seq, RunId)>,
}

/// A store whose next commit may fail and whose rows may be changed behind its back.
struct Faulty {
    inner: Box<dyn Store>,
    faults: Arc<Mutex<Faults>>,
}

impl Faulty {
    fn steal(&mut self, seq: Seq, run: RunId) -> Result<()> {
        self.inner.begin()?;
        let head = self.inner.head()?;
        let mut counts = head.counts;
        counts.shift(State::Running, State::Aborted);
        let outcome = Outcome::Aborted(Cause::User, json());
        let lane = LaneId(1);
        let end = Change::End { seq, lane, run: Some(run), outcome, at: WallMs(0) };
        let (number, owner) = (head.number + 1, self.inner.owner());
        let batch = Batch { number, owner, seq_next: head.seq_next, counts, changes: vec![end] };
        self.inner.write(&batch).map_err(|refused| refused.error)?;
        self.inner.commit();
        Ok(())
    }
}

impl Store for Faulty {
    fn owner(&self) -> OwnerId {
        self.inner.owner()
    }
    fn id_key(&self) -> IdKey {
        self.inner.id_key()
    }
    fn begin(&mut self) -> Result<bool> {
        let stolen = self.faults.lock().unwrap().stolen.take();
        if let Some((seq, run)) = stolen {
            self.steal(seq, run)?;
        }
        self.inner.begin()
    }
    fn look(&mut self) -> Result<bool> {
        self.inner.look()
    }
    fn look_around(&mut self) -> Result<()> {
        self.inner.look_around()
    }
    fn look_every_ms(&self) -> Option<u64> {
        self.inner.look_every_ms()
    }
    fn listen(&mut self, wake: Wake) {
        self.inner.listen(wake);
    }
    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Option<Vec<Entry>>> {
        self.inner.journal(after, batches_max)
    }
    fn elsewhere(&mut self) -> Result<Vec<(LaneId, u32)>> {
        self.inner.elsewhere()
    }
    fn abort_asked(&mut self, seq: Seq, run: RunId) -> Result<Option<AbortReason>> {
        self.inner.abort_asked(seq, run)
    }
    fn head(&mut self) -> Result<Head> {
        self.inner.head()
    }
    fn lanes(&mut self) -> Result<Vec<Lane>> {
        self.inner.lanes()
    }
    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.inner.orphans()
    }
    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        self.inner.window(lane, size)
    }
    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        self.inner.brief(seq)
    }
    fn keyed(&mut self, key: AddKey) -> Result<Option<TaskId>> {
        self.inner.keyed(key)
    }
    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> {
        self.inner.write(batch)
    }
    fn commit(&mut self) -> Commit {
        let fault = self.faults.lock().unwrap().commit.take();
        let Some(code) = fault else { return self.inner.commit() };
        self.inner.rollback();
        let error = Error::new(code, "the test says so");
        if code == Code::Unknown { Commit::Unknown(error) } else { Commit::NotCommitted(error) }
    }
    fn rollback(&mut self) {
        self.inner.rollback();
    }
    fn tidy(&mut self, is_idle: bool) -> Result<()> {
        self.inner.tidy(is_idle)
    }
    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}

/// An engine under test, with everything it has told so far.
pub(crate) struct Bench {
    disk: Disk,
    engine: Option<Engine>,
    faults: Arc<Mutex<Faults>>,
    settings: Settings,
    now: Now,
    tickets: Ticket,
    started: Vec<Started>,
    signals: Vec<(RunNo, Cause)>,
    live: Vec<(RunNo, String)>,
    after: After,
}

impl Bench {
    /// An engine that has not been started; at most `concurrency` runs at once.
    pub(crate) fn new(concurrency: u32) -> Self {
        let settings = Settings { concurrency, on_stop: OnStop::Wait };
        let now = Now { wall: WallMs(1_700_000_000_000), mono: MonoMs(1) };
        let mut bench = Self {
            disk: Disk::default(),
            engine: None,
            faults: Arc::default(),
            settings,
            now,
            tickets: 0,
            started: Vec::new(),
            signals: Vec::new(),
            live: Vec::new(),
            after: After::Wait(None),
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
        let store = Box::new(Faulty { inner, faults: self.faults.clone() });
        let opened = Engine::open(store, self.settings, [7; 32], self.now);
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
        let mut after = engine.turn(inputs, self.now, &mut effects);
        while after == After::Again {
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
                    self.live.push((run.no, run.operation.to_string()));
                    let operation = run.operation.clone();
                    let data = run.data.clone();
                    self.started.push(Started { operation, data, ..*run });
                }
                Effect::Over(no, _) => self.live.retain(|(other, _)| other != no),
                Effect::Abort(no, AbortSignal::Abort(abort)) => {
                    self.signals.push((*no, abort.cause));
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

    pub(crate) fn advance(&mut self, ms: u64) -> Vec<Effect> {
        self.wait(ms);
        self.turn(Vec::new())
    }

    /// In how many milliseconds the engine wants to turn again at the latest.
    pub(crate) fn wait_ms(&self) -> Option<u64> {
        let After::Wait(at) = self.after else { return Some(0) };
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
        let answer = self.call(|ticket| Input::Assign(ticket, operation.into(), limit));
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

    pub(crate) fn signals(&self) -> &[(RunNo, Cause)] {
        &self.signals
    }

    pub(crate) fn running_of(&self, operation: &str) -> usize {
        self.live.iter().filter(|(_, other)| other == operation).count()
    }

    pub(crate) fn settle_oldest(&mut self, settled: Settled) {
        let (no, _) = self.live.first().expect("a run is live").clone();
        self.turn(vec![Input::Settle(no, settled)]);
    }

    /// The number of the last commit.
    pub(crate) fn batches(&self) -> u64 {
        self.engine.as_ref().unwrap().memory().number
    }

    pub(crate) fn fail_next(&mut self, code: Code) {
        self.faults.lock().unwrap().commit = Some(code);
    }

    /// Ends a running task behind the engine's back, at its next turn.
    pub(crate) fn steal(&mut self, id: TaskId) {
        let task = self.get(id).task;
        let run = task.attempts.last().unwrap().run;
        self.faults.lock().unwrap().stolen = Some((task.seq, run));
    }

    pub(crate) fn get(&self, id: TaskId) -> Found {
        let mut reader = self.disk.reader();
        let logs = Some(WithLogs { level_max: Level::Debug });
        reader.get(id, logs).unwrap().expect("the task is there")
    }

    pub(crate) fn state(&self, id: TaskId) -> State {
        self.get(id).task.state
    }

    pub(crate) fn outcome(&self, id: TaskId) -> Option<Outcome> {
        self.get(id).task.outcome
    }
}
