//! A task in whatever state, the tasker that has it, and a neighbour who hears of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Code, Error, Result};
use tasker_core::executor::Executor;
use tasker_core::hold::{HeldBy, HoldId, HoldQuery};
use tasker_core::id::{IdempotencyKey, RunId, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::reader::Reader;
use tasker_core::rules::Settlement;
use tasker_core::task::{AbortReason, Cause, Json, NewTask, OnStop, TaskRecord};
use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::effect::{Added, Answer, Effect, RemoteEvent, RunEnd, TaskEvent};
use tasker_engine::input::{
    Input, Poll, RemoteFilter, RetryOptions, RunSlot, Subscription, Ticket,
};
use tasker_engine::memory::Settings;
use tasker_engine::turn::{Engine, Next};
use uuid::Uuid;

use super::super::Backend;
use super::super::world::{BEGIN, of};

/// The name of no task, and the number of no run.
const NOBODY: TaskId = TaskId(Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001));
const NO_RUN: RunSlot = 99;
/// How long executors may be silent: longer than any verb waits but the one that means it.
pub(super) const LEASE_MS: u64 = 100_000_000;
/// A task that an executor outside runs.
pub(super) const OUTSIDE: &str = "running, outside";
/// A task that was paused at a checkpoint.
pub(super) const HALTED: &str = "paused, a run";

/// What only the tasker that was asked tells, of a task that was not added.
const SKIPPED: &str = "add.skipped";

/// What came of a verb, in the words of the page.
pub(super) type Outcome = [String; 3];

/// One task and who has to do with it.
pub(super) struct Stage<'a> {
    lab: &'a dyn Backend,
    /// The operation of the task, which no other stage has.
    operation: Arc<str>,
    key: IdempotencyKey,
    /// The tasker that has the task, unless it died.
    mine: Option<Engine>,
    neighbour: Engine,
    reader: Box<dyn Reader>,
    now: Now,
    tickets: Ticket,
    task: Option<TaskId>,
    slot: RunSlot,
    /// The task that it depends on, and the run of that.
    dependency: Option<TaskId>,
    dependency_slot: RunSlot,
    /// The run, or the claim, that an executor outside has of it.
    outside: Option<RunId>,
    /// Whether its run was told to halt.
    halts: bool,
    /// The hold that matches it, if there is one.
    hold: Option<HoldId>,
    answers: BTreeMap<Ticket, String>,
    /// The task that was added last.
    added: Option<TaskId>,
    /// What the neighbour heard, and which signals fired.
    told: Vec<&'static str>,
    /// What the tasker said of runs and ends itself.
    own: Vec<&'static str>,
}

impl<'a> Stage<'a> {
    /// Two taskers on a database where other stages have been; neither has a runner.
    pub(super) fn new(lab: &'a dyn Backend, number: usize) -> Result<Self> {
        let now = Now { wall: WallMs(BEGIN), mono: MonoMs(1) };
        let (mine, _) = open(lab, now)?;
        let (neighbour, reader) = open(lab, now)?;
        let mut stage = Self {
            lab,
            operation: format!("operation {number}").into(),
            key: IdempotencyKey(Uuid::from_u128(number as u128)),
            mine: Some(mine),
            neighbour,
            reader,
            now,
            tickets: 0,
            task: None,
            slot: NO_RUN,
            dependency: None,
            dependency_slot: NO_RUN,
            outside: None,
            halts: false,
            hold: None,
            answers: BTreeMap::new(),
            added: None,
            told: Vec::new(),
            own: Vec::new(),
        };
        let subscription = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
        let subscribe = Input::Subscribe(stage.ticket(), subscription);
        stage.hear(vec![subscribe]);
        stage.call(Input::Start)?;
        Ok(stage)
    }

    /// The task that is spoken of, or one that never was.
    pub(super) fn id(&self) -> TaskId {
        self.task.unwrap_or(NOBODY)
    }

    /// Its last run, or one that never was.
    pub(super) fn slot(&self) -> RunSlot {
        self.slot
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// A turn of the tasker, and what the neighbour hears of it.
    pub(super) fn turn(&mut self, inputs: Vec<Input>) -> Result<()> {
        let engine = self.mine.as_mut().ok_or_else(|| Error::bug("the tasker died"))?;
        let mut effects = Vec::new();
        let mut next = engine.turn(inputs, self.now, &mut effects);
        while matches!(next, Next::Again | Next::More) {
            next = engine.turn(Vec::new(), self.now, &mut effects);
        }
        self.note(&effects);
        self.hear(Vec::new());
        Ok(())
    }

    /// A call in a turn of its own.
    pub(super) fn call(&mut self, input: impl FnOnce(Ticket) -> Input) -> Result<Ticket> {
        let ticket = self.ticket();
        self.turn(vec![input(ticket)])?;
        Ok(ticket)
    }

    /// The neighbour calls, and the tasker looks at what it did.
    pub(super) fn neighbour_calls(&mut self, input: impl FnOnce(Ticket) -> Input) -> Result<()> {
        let ticket = self.ticket();
        self.hear(vec![input(ticket)]);
        let engine = self.mine.as_mut().ok_or_else(|| Error::bug("the tasker died"))?;
        let mut effects = Vec::new();
        engine.peek(self.now, &mut effects);
        self.note(&effects);
        self.turn(Vec::new())
    }

    /// Adds the task, under a key.
    pub(super) fn add(&mut self, def: NewTask) -> Result<()> {
        self.add_under_key(def)?;
        self.task = self.added;
        Ok(())
    }

    /// Makes a definition depend on another task, which has ended well or not at all.
    pub(super) fn depend(&mut self, def: &mut NewTask, has_ended: bool) -> Result<()> {
        if self.dependency.is_none() {
            let dependency = self.other_operation();
            self.call(|ticket| Input::Add(ticket, of(&dependency)))?;
            self.dependency = self.added.take();
        }
        let id = self.dependency.ok_or_else(|| Error::bug("nothing was added"))?;
        let is_over = |task: TaskRecord| task.state.is_final();
        if has_ended && !get(self.reader.as_mut(), id)?.is_some_and(is_over) {
            self.end_dependency(Settlement::Returned(None))?;
        }
        let (on, on_failure) = (vec![Dependency::Task(id)], OnFailure::Abort);
        let all = Dependencies { on, on_failure, is_list: false };
        def.options.depends_on = Some(all.into());
        Ok(())
    }

    /// The dependency ends, once more if it has ended.
    pub(super) fn end_dependency(&mut self, settlement: Settlement) -> Result<()> {
        let Some(id) = self.dependency else { return Ok(()) };
        self.call(|ticket| Input::Retry(ticket, id, RetryOptions::default()))?;
        let (comes, goes) = (self.other_operation(), self.other_operation());
        self.call(|ticket| Input::Assign(ticket, comes, None))?;
        self.turn(vec![Input::Settle(self.dependency_slot, settlement)])?;
        self.call(|ticket| Input::Unassign(ticket, goes)).map(drop)
    }

    fn other_operation(&self) -> Arc<str> {
        format!("before {}", self.operation).into()
    }

    /// A definition like that of the task.
    pub(super) fn definition(&self) -> NewTask {
        of(&self.operation)
    }

    /// An add under the key of the task.
    pub(super) fn add_under_key(&mut self, def: NewTask) -> Result<Ticket> {
        let key = self.key;
        self.call(|ticket| Input::AddIdempotent(ticket, vec![(key, def)]))
    }

    /// A runner comes, and goes when it has got its task.
    pub(super) fn begin(&mut self) -> Result<()> {
        let (comes, goes) = (self.operation.clone(), self.operation.clone());
        self.call(|ticket| Input::Assign(ticket, comes, None))?;
        self.call(|ticket| Input::Unassign(ticket, goes))?;
        Ok(())
    }

    /// Executors outside take the tasks of the operation, and one asks for them.
    pub(super) fn claim(&mut self) -> Result<()> {
        let executor =
            Some(Executor { claim_ms: LEASE_MS, lease_ms: LEASE_MS, retry_on_fail: false });
        let options = OperationOptions { executor, ..OperationOptions::default() };
        self.say(|ticket, name| Input::Define(ticket, name, options))?;
        let operations = Some(vec![self.operation.clone()]);
        let poll = Poll { operations, max: 1, wait_ms: 0, name: None };
        self.call(|ticket| Input::Poll(ticket, poll)).map(drop)
    }

    /// The run, or the claim, that an executor has of the task, or one that never was.
    pub(super) fn outside(&self) -> RunId {
        self.outside.unwrap_or(RunId(NOBODY.0))
    }

    /// What executors have would be over in other stages.
    pub(super) fn let_go(&mut self) {
        if self.has_outside() {
            let (ticket, id) = (self.ticket(), self.id());
            self.hear(vec![aborting(ticket, id)]);
        }
    }

    /// Whether an executor has taken the task.
    pub(super) fn has_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// The executor begins with it.
    pub(super) fn begin_outside(&mut self) -> Result<Ticket> {
        let (id, run) = (self.id(), self.outside());
        self.call(|ticket| Input::Begin(ticket, id, run))
    }

    /// A runner comes and stays.
    pub(super) fn assign(&mut self) -> Result<()> {
        let operation = self.operation.clone();
        self.call(|ticket| Input::Assign(ticket, operation, None)).map(drop)
    }

    /// There is a hold that matches the task for so long.
    pub(super) fn hold(&mut self, ms: u64) -> Result<()> {
        if self.hold.is_some() {
            return Ok(());
        }
        let query = HoldQuery::read(&format!(r#"{{"operation":"{}"}}"#, self.operation))?;
        let (until, by) = (self.now.wall.plus(ms), HeldBy { pid: 1, task: None });
        self.call(|ticket| Input::Hold(ticket, query, until, by)).map(drop)
    }

    /// That hold is released.
    pub(super) fn release(&mut self) -> Result<()> {
        let Some(id) = self.hold else { return Err(Error::bug("nothing holds it")) };
        self.call(|ticket| Input::ReleaseHold(ticket, id)).map(drop)
    }

    /// Something is said of the operation.
    pub(super) fn say(&mut self, input: impl FnOnce(Ticket, Arc<str>) -> Input) -> Result<Ticket> {
        let operation = self.operation.clone();
        self.call(|ticket| input(ticket, operation))
    }

    /// The runner settles.
    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<()> {
        self.turn(vec![Input::Settle(self.slot, settlement)])
    }

    /// Time passes, and the tasker turns.
    pub(super) fn advance(&mut self, ms: u64) -> Result<()> {
        self.now.mono = self.now.mono.plus(ms);
        self.now.wall = WallMs(self.now.wall.0 + ms as i64);
        self.turn(Vec::new())
    }

    /// The process of the tasker dies, and the neighbour finds out.
    pub(super) fn die(&mut self) {
        self.mine = None;
        self.hear(Vec::new());
    }

    /// Another process comes in the place of the one that died.
    pub(super) fn reopen(&mut self) -> Result<()> {
        self.mine = Some(open(self.lab, self.now)?.0);
        self.call(Input::Start)?;
        Ok(())
    }

    /// What is stored of the task.
    pub(super) fn record(&mut self) -> Result<Option<TaskRecord>> {
        let id = self.id();
        get(self.reader.as_mut(), id)
    }

    /// Where the task is, in the words of the page.
    pub(super) fn place(&mut self) -> Result<Option<&'static str>> {
        Ok(self.record()?.as_ref().map(place_of))
    }

    /// The run comes to a checkpoint where it halts, if it was told to.
    pub(super) fn reach_checkpoint(&mut self) -> Result<()> {
        let slot = self.slot;
        if std::mem::take(&mut self.halts) { self.turn(vec![Input::Halt(slot)]) } else { Ok(()) }
    }

    /// Forgets what was told so far.
    pub(super) fn forget(&mut self) {
        (self.added, self.told, self.own) = (None, Vec::new(), Vec::new());
    }

    /// What came of a verb that met the task as it was `before`; its call has this ticket.
    pub(super) fn outcome(
        &mut self,
        before: Option<&'static str>,
        ticket: Option<Ticket>,
    ) -> Result<Outcome> {
        let subject = if before.is_some() { self.task } else { self.added };
        let after = match subject {
            Some(id) => get(self.reader.as_mut(), id)?.map(|task| place_of(&task)),
            None => None,
        };
        let state = match after {
            None if before.is_some() => "removed",
            None => "–",
            Some(_) if after == before => "stays",
            Some(place) => place,
        };
        let answer = match ticket {
            None => "–",
            Some(ticket) => self.answers.get(&ticket).map_or("waits", String::as_str),
        };
        let told = if self.told.is_empty() { "–".into() } else { self.told.join(", ") };
        let of_runs = |word: &&&str| {
            ["run", "retrying", "updated", "done", "failed", "aborted"].contains(word)
        };
        let heard: Vec<_> = self.told.iter().filter(of_runs).copied().collect();
        assert!(self.mine.is_none() || heard == self.own, "{heard:?} {:?}", self.own);
        Ok([state.into(), answer.into(), told])
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Answer(ticket, answer) => {
                    let word = self.answered(answer);
                    self.answers.insert(*ticket, word);
                }
                Effect::Refuse(ticket, error) => {
                    let word = match error.code() {
                        Code::NotFound => "not found",
                        Code::Duplicate => {
                            self.told.push(SKIPPED);
                            "duplicate"
                        }
                        Code::Fenced | Code::Conflict => "refused",
                        other => other.as_str(),
                    };
                    self.answers.insert(*ticket, word.into());
                }
                Effect::Start(run) if Some(run.id) == self.dependency => {
                    self.dependency_slot = run.slot;
                }
                Effect::RunEnded(slot, _) if *slot == self.dependency_slot => {}
                Effect::TaskEnded(id, _) | Effect::Retrying(id, ..)
                    if Some(*id) == self.dependency => {}
                Effect::Start(run) => {
                    self.slot = run.slot;
                    self.own.push("run");
                }
                Effect::RunEnded(_, end) => self.own.extend(ended(end)),
                Effect::TaskEnded(_, end) => self.own.push(end.state().as_str()),
                Effect::Retrying(..) => self.own.push("retrying"),
                Effect::Updated(_) => self.own.push("updated"),
                Effect::Began(_) => self.own.push("run"),
                Effect::Abort(..) => self.told.push("signal"),
                Effect::Halt(slot) => self.halts |= *slot == self.slot,
                Effect::GoOn(_)
                | Effect::Batch(..)
                | Effect::Recorded(..)
                | Effect::Heard(..)
                | Effect::Prioritized(..)
                | Effect::Remote(..)
                | Effect::Idle(_)
                | Effect::Drained(_)
                | Effect::Added(_)
                | Effect::TickRefused(..)
                | Effect::Circuit(_)
                | Effect::OperationChanged(..)
                | Effect::Closed(_) => {}
            }
        }
    }

    fn answered(&mut self, answer: &Answer) -> String {
        match answer {
            Answer::Done => "done".into(),
            Answer::Flag(flag) => flag.to_string(),
            Answer::Number(number) => {
                self.hold = Some(HoldId(*number));
                "its number".into()
            }
            Answer::Task(id) => self.named(*id),
            Answer::Idempotent(tasks) => tasks.iter().map(|(id, _)| self.named(*id)).collect(),
            Answer::Adds(tasks) => {
                let skipped = tasks.iter().filter(|(_, added)| *added == Added::Duplicate);
                self.told.extend(skipped.map(|_| SKIPPED));
                tasks.iter().map(|(id, _)| self.named(*id)).collect()
            }
            Answer::Ended(end) => {
                let stored = self.record().ok().flatten().and_then(|task| task.outcome);
                if stored.as_ref() == Some(end) { "its end".into() } else { format!("{end:?}") }
            }
            Answer::Lease(_) => "true".into(),
            Answer::Claims(claims) => {
                let own = claims.iter().find(|claim| Some(claim.id) == self.task);
                self.outside = own.map(|claim| claim.run).or(self.outside);
                format!("{} tasks", claims.len())
            }
            Answer::Tasks(_)
            | Answer::Found(_)
            | Answer::Bulk(_)
            | Answer::Json(_)
            | Answer::Figures(_) => format!("{answer:?}"),
        }
    }

    fn named(&mut self, id: TaskId) -> String {
        if Some(id) == self.task {
            return "its uuid".into();
        }
        self.added = Some(id);
        "new uuid".into()
    }

    /// The neighbour turns or looks, until it has heard everything.
    fn hear(&mut self, mut inputs: Vec<Input>) {
        loop {
            let mut effects = Vec::new();
            let looked = self.neighbour.peek(self.now, &mut effects);
            if matches!(looked, Next::Again | Next::More) || !inputs.is_empty() {
                self.neighbour.turn(std::mem::take(&mut inputs), self.now, &mut effects);
            }
            let is_more =
                |effect: &Effect| matches!(effect, Effect::Remote(_, RemoteEvent::AwaitAck));
            let dependency = self.dependency;
            self.told.extend(effects.iter().flat_map(|effect| heard(effect, dependency)));
            if !effects.iter().any(is_more) {
                return;
            }
            inputs.push(Input::Ack(self.ticket()));
        }
    }
}

fn place_of(task: &TaskRecord) -> &'static str {
    if task.has_halted() { HALTED } else { task.state.as_str() }
}

fn open(lab: &dyn Backend, now: Now) -> Result<(Engine, Box<dyn Reader>)> {
    let handle = lab.open()?;
    let settings = Settings { concurrency: 9, on_stop: OnStop::Wait };
    let seed = [handle.store.owner().0 as u8; 32];
    let (engine, _) = Engine::open(handle.store, settings, seed, now)?;
    Ok((engine, handle.reader))
}

fn get(reader: &mut dyn Reader, id: TaskId) -> Result<Option<TaskRecord>> {
    Ok(reader.get(id, None, usize::MAX)?.map(|found| found.task))
}

/// An abort of this task.
pub(super) fn aborting(ticket: Ticket, id: TaskId) -> Input {
    Input::Abort(ticket, id, AbortReason { cause: Cause::User, reason: Json::trusted("{}") })
}

/// What the neighbour hears of all but one task, in the words of the page.
fn heard(effect: &Effect, unheard: Option<TaskId>) -> Vec<&'static str> {
    match effect {
        Effect::Remote(_, RemoteEvent::Task(id, _))
        | Effect::TaskEnded(id, _)
        | Effect::Retrying(id, ..)
            if Some(*id) == unheard =>
        {
            Vec::new()
        }
        Effect::Remote(_, RemoteEvent::Task(_, event)) => match event {
            TaskEvent::Added { has_started: false } => vec!["added"],
            TaskEvent::Added { has_started: true } => vec!["added", "run"],
            TaskEvent::Run => vec!["run"],
            TaskEvent::Prioritized(_) => vec!["prioritized"],
            TaskEvent::Updated => vec!["updated"],
            TaskEvent::Retrying(..) => vec!["retrying"],
            TaskEvent::Ended(end) => vec![end.state().as_str()],
        },
        Effect::TaskEnded(_, end) => vec![end.state().as_str()],
        Effect::Retrying(..) => vec!["retrying"],
        Effect::Prioritized(..) => vec!["prioritized"],
        _ => Vec::new(),
    }
}

/// How the end of a run is told, if it is the end of its task and nothing else tells it.
fn ended(end: &RunEnd) -> Option<&'static str> {
    match end {
        RunEnd::Done => Some("done"),
        RunEnd::Failed(_) => Some("failed"),
        RunEnd::Aborted(_) => Some("aborted"),
        RunEnd::Retrying(..) => Some("retrying"),
        RunEnd::Snoozed | RunEnd::Postponed(_) | RunEnd::Fenced => None,
    }
}
