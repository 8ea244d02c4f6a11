//! The process that is killed.

mod batches;
mod calls;
mod figures;
mod guests;
mod lending;
mod pausing;
mod rest;
mod schedules;
mod unique;
mod watching;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tasker_core::backoff::{Backoff, BackoffKind, RetryPolicy};
use tasker_core::condition::Conditions;
use tasker_core::error::{Code, Error, Result};
use tasker_core::hold::HoldId;
use tasker_core::id::{RunId, TaskId};
use tasker_core::rules::{Settlement, engine_error};
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Json, Level, NewTask, OnInterrupted, OnStop, OnStopWaiting, Priority,
    Progress, QueueTimeout, StartTime, TaskEnd, TaskOptions, Unsaid,
};
use tasker_core::time::WallMs;
use tasker_core::watch::{Position, WatchNo};
use tasker_engine::clock::SystemClock;
use tasker_engine::effect::{Answer, Effect, RunEnd, RunStart};
use tasker_engine::input::{Input, Record, RunSlot, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::thread::{Client, Handle, Moment, Read, Sink};
use tasker_sqlite::{Durability, Location, Options};

use self::calls::uuids;
use self::figures::Books;
use self::lending::Loan;
use super::conditions::book;
use super::line::{Key, Line};
use super::loans::{Ask, Said};
use super::trace::{Began, Mark};
use super::{CALL, DATABASE, HELD, LENT, OPERATIONS, TRACE, lent, rates};
use crate::rng::Rng;

/// What a worker is told to do.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Where the database lies.
    pub folder: PathBuf,
    /// Which worker it is: 1, 2, 3 …
    pub worker: u32,
    /// Its own seed.
    pub seed: u64,
    /// Whether it only runs what is left, and then closes.
    pub drains: bool,
    /// Behind which change it watches all tasks.
    pub watched: Position,
}

/// What becomes of few tasks at the last stop, and of most.
const LAST_STOPS: [OnStopWaiting; 2] = [OnStopWaiting::Keep, OnStopWaiting::Abort];
/// Calls under way at once.
const CALLS: usize = 4;
/// Watches under way at once.
const WATCHES: usize = 8;
/// Tasks that are found at once, among so many that wait or run.
const FOUND: usize = 12;
const OPEN: usize = 60;
/// An add that waits longer than this is told.
const WAIT_MS: u64 = 50;
/// Tasks that wait or run.
const UNENDED: &str = "{\"status\":{\"$in\":[\"new\",\"running\"]}}";

/// A call under way.
#[derive(Clone, Copy, Debug)]
enum Call {
    Add(Key),
    AddMany(Key),
    AddUnique(Key),
    Prioritize(TaskId, f64),
    Abort(TaskId),
    Watch(TaskId),
    Rest,
    Get,
    Find,
    Count,
    FindPaused,
    Stop,
    Close,
    Ready,
    Hold,
    Poll,
    Lent(TaskId, RunId, Ask),
    Figures,
    Flag,
    Other,
}

impl Call {
    /// Whether it may wait for long.
    fn is_long(self) -> bool {
        matches!(self, Call::Watch(_) | Call::Rest | Call::Poll | Call::Lent(..))
    }
}

#[derive(Debug)]
struct Run {
    id: TaskId,
    run: RunId,
    /// Rounds that it still lasts.
    fuse: usize,
    /// Whether it was said that it may be over.
    is_over: bool,
    /// Whether it waits at a checkpoint.
    has_halted: bool,
}

/// A client of the handle: 0 is the first one, n the n-th guest beside it.
type Who = u32;
const FIRST: Who = 0;
/// What the guests run.
const GUESTS: &str = "pair";

struct Worker {
    orders: Orders,
    handle: Handle,
    client: Client,
    sender: Sender<(Who, Vec<Effect>)>,
    /// A second client, which goes from time to time; then another one comes.
    guest: Option<Client>,
    guests: Who,
    /// The calls of the guest that is there.
    guest_calls: Vec<Ticket>,
    rng: Rng,
    trace: File,
    keys: u32,
    tickets: Ticket,
    calls: BTreeMap<Ticket, (Call, Moment)>,
    runs: BTreeMap<(Who, RunSlot), Run>,
    /// Tasks of our own.
    tasks: Vec<TaskId>,
    /// Tasks that were found, whoever added them.
    found: Vec<TaskId>,
    /// Holds of our own.
    holds: Vec<HoldId>,
    /// Tasks that were given to us as to an executor outside.
    loans: Vec<Loan>,
    books: Books,
    /// Our watch of all tasks, and who waits for it.
    watch: Option<(WatchNo, Ticket)>,
    /// The longest that an add has waited.
    waited_ms: u64,
    told: String,
    traced: String,
    dies: bool,
    is_closed: bool,
}

struct Channel(Who, Sender<(Who, Vec<Effect>)>);

impl Sink for Channel {
    fn deliver(&self, effects: Vec<Effect>) {
        // Nobody listens any more only when the worker is about to end.
        let _ = self.1.send((self.0, effects));
    }
}

/// Works until it is killed, or until nothing is left to do.
///
/// # Errors
/// What the engine refuses although no fault was made.
pub fn work(orders: Orders) -> Result<()> {
    let (sender, receiver) = channel();
    let mut worker = Worker::open(orders, sender)?;
    worker.begin()?;
    worker.serve(&receiver)?;
    worker.handle.shutdown();
    Ok(())
}

fn io(error: std::io::Error) -> Error {
    Error::new(Code::Io, "the worker cannot tell what it did").with_source(error)
}

impl Worker {
    fn open(orders: Orders, sender: Sender<(Who, Vec<Effect>)>) -> Result<Self> {
        let mut rng = Rng::new(orders.seed);
        let location = Location::file(orders.folder.join(DATABASE))?;
        let is_synced = !rng.once_in(5);
        let durability = if is_synced { Durability::Full } else { Durability::Process };
        let opener = Box::new(move || {
            let options = Options { durability, exclusive: false };
            let (store, reader) = tasker_sqlite::open(&location, options)?;
            Ok((Box::new(store) as _, Box::new(reader) as _))
        });
        let settings = Settings { concurrency: 24, on_stop: OnStop::Wait };
        let clock = Arc::new(SystemClock::new());
        let sink = Arc::new(Channel(FIRST, sender.clone()));
        let (handle, client) = Handle::open(opener, settings, clock, sink)?;
        let path = orders.folder.join(TRACE);
        let trace = OpenOptions::new().append(true).create(true).open(path).map_err(io)?;
        Ok(Self {
            orders,
            handle,
            client,
            sender,
            guest: None,
            guests: FIRST,
            guest_calls: Vec::new(),
            rng,
            trace,
            keys: 0,
            tickets: 0,
            calls: BTreeMap::new(),
            runs: BTreeMap::new(),
            tasks: Vec::new(),
            found: Vec::new(),
            holds: Vec::new(),
            loans: Vec::new(),
            books: Books::default(),
            watch: None,
            waited_ms: WAIT_MS,
            told: String::new(),
            traced: String::new(),
            dies: false,
            is_closed: false,
        })
    }

    fn begin(&mut self) -> Result<()> {
        self.ask_figures();
        let pauses = !self.orders.drains;
        self.call(Call::Flag, |ticket| Input::PauseOperation(ticket, HELD.into(), pauses));
        for (operation, limit) in OPERATIONS {
            if operation == LENT {
                self.call(Call::Other, |t| Input::Define(t, LENT.into(), lent::options()));
            } else if operation != GUESTS {
                let options = rates::options(operation, limit)?;
                self.assign(operation, options);
            }
            if operation != HELD {
                self.pause(operation, false);
            }
        }
        self.welcome()?;
        self.watch()?;
        self.begin_schedules()?;
        self.call(Call::Other, Input::Start);
        self.call(Call::Ready, Input::Ready);
        Ok(())
    }

    fn serve(&mut self, receiver: &Receiver<(Who, Vec<Effect>)>) -> Result<()> {
        while !self.is_closed {
            let gone = |_| Error::bug("the engine is gone");
            let (who, effects) = receiver.recv().map_err(gone)?;
            for effect in effects {
                self.take(who, effect)?;
            }
            self.compare_figures()?;
            self.flush()?;
            self.settle()?;
            self.tend()?;
            if self.orders.drains {
                self.ask_whether_all_is_done()?;
            } else {
                self.ask()?;
            }
        }
        self.flush()
    }

    fn tell(&mut self, line: Line) {
        // Writing to a String cannot fail.
        let _ = write!(self.told, "{line}");
    }

    fn mark(&mut self, mark: Mark) {
        // Writing to a String cannot fail.
        let _ = write!(self.traced, "{mark}");
    }

    /// From here on a run may be over at any time.
    fn mark_over(&mut self, slot: (Who, RunSlot)) {
        let worker = self.orders.worker;
        let Some(run) = self.runs.get_mut(&slot).filter(|run| !run.is_over) else { return };
        run.is_over = true;
        let id = run.run;
        self.mark(Mark::RunEnd(id, worker));
    }

    /// Lets the world know; dies here if a runner was meant to.
    fn flush(&mut self) -> Result<()> {
        self.trace.write_all(self.traced.as_bytes()).map_err(io)?;
        let mut out = std::io::stdout().lock();
        out.write_all(self.told.as_bytes()).and_then(|()| out.flush()).map_err(io)?;
        if self.dies {
            std::process::abort();
        }
        self.traced.clear();
        self.told.clear();
        Ok(())
    }

    fn call(&mut self, call: Call, input: impl FnOnce(Ticket) -> Input) {
        self.tickets += 1;
        self.calls.insert(self.tickets, (call, Moment::now()));
        self.client.submit([input(self.tickets)]);
    }

    fn read(&mut self, call: Call, read: Read) {
        self.tickets += 1;
        self.calls.insert(self.tickets, (call, Moment::now()));
        self.client.read(self.tickets, read);
    }

    fn take(&mut self, who: Who, effect: Effect) -> Result<()> {
        self.books.enter(who, &effect);
        if who != FIRST && who != self.guests {
            // It was on its way when its guest went.
            return Ok(());
        }
        match effect {
            Effect::Answer(ticket, answer) if self.is_of_watch(ticket) => {
                self.hear(ticket, &answer)?;
            }
            Effect::Answer(ticket, answer) => self.answered(ticket, answer)?,
            Effect::Refuse(ticket, error) => {
                let call = self.calls.remove(&ticket).map(|(call, _)| call);
                self.refused(call, error)?;
            }
            Effect::RunEnded(slot, over) => self.over((who, slot), &over),
            // Each client is told of it.
            Effect::TaskEnded(..) if who != FIRST => {}
            Effect::TaskEnded(id, outcome) => self.tell(Line::Ended(id, outcome.state())),
            Effect::Start(started) => self.started(who, &started),
            Effect::Abort(slot, _) => {
                self.mark_over((who, slot));
                if let Some(run) = self.runs.get_mut(&(who, slot)) {
                    (run.fuse, run.has_halted) = (run.fuse.min(1), false);
                }
            }
            Effect::Halt(slot) => self.halt((who, slot)),
            Effect::GoOn(slot) => {
                if let Some(run) = self.runs.get_mut(&(who, slot)) {
                    run.has_halted = false;
                }
            }
            Effect::Batch(_, runs) => self.tell(Line::Together(runs)),
            Effect::Recorded(..)
            | Effect::Retrying(..)
            | Effect::Prioritized(..)
            | Effect::Updated(_)
            | Effect::Added(_)
            | Effect::Began(_)
            | Effect::Heard(..)
            | Effect::TickRefused(..)
            | Effect::Circuit(_)
            | Effect::Remote(..)
            | Effect::Idle(_)
            | Effect::Drained(_)
            | Effect::OperationChanged(..) => {}
            Effect::Closed(None) => self.is_closed = true,
            Effect::Closed(Some(error)) => return Err(error),
        }
        Ok(())
    }

    fn answered(&mut self, ticket: Ticket, answer: Answer) -> Result<()> {
        let call = self.calls.remove(&ticket);
        let (call, begun) = call.ok_or_else(|| Error::bug("a call was answered twice"))?;
        match (call, answer) {
            (Call::Add(key), Answer::Task(id)) => self.added(key, &[id], &begun),
            (Call::AddMany(key), Answer::Tasks(ids)) => self.added(key, &ids, &begun),
            (Call::AddUnique(key), Answer::Adds(adds)) => self.added_unique(key, &adds, &begun),
            (Call::Abort(id), Answer::Flag(true)) => self.tell(Line::Aborted(id)),
            (Call::Watch(id), Answer::Ended(outcome)) => {
                self.tell(Line::Seen(id, outcome.state()));
            }
            (Call::Find, Answer::Json(text)) => self.found = uuids(&text)?,
            (Call::Prioritize(id, to), Answer::Flag(true)) => self.tell(Line::Prioritized(id, to)),
            (Call::FindPaused, Answer::Json(text)) => self.resume_all(&uuids(&text)?)?,
            (Call::Hold, Answer::Number(id)) => self.holds.push(HoldId(id)),
            (Call::Poll, Answer::Claims(claims)) => self.lend(claims),
            (Call::Lent(id, run, ask), Answer::Done | Answer::Lease(_)) => {
                self.lent((id, run, ask), Said::Yes);
            }
            (Call::Figures, Answer::Figures(figures)) => self.take_figures(figures),
            (Call::Ready, Answer::Done) => self.tell(Line::Ready),
            (Call::Count, Answer::Json(count)) if count == "0" => self.await_rest(),
            (Call::Rest, Answer::Done) => self.rests()?,
            (Call::Stop, Answer::Done) => self.call(Call::Other, Input::Start),
            (Call::Close, Answer::Done) => self.is_closed = true,
            (Call::Prioritize(..) | Call::Abort(_), Answer::Flag(false))
            | (Call::Flag, Answer::Flag(_))
            | (Call::Get, Answer::Json(_))
            | (Call::Other | Call::Count, _) => {}
            (call, answer) => return Err(Error::bug(format!("{call:?} was answered {answer:?}"))),
        }
        Ok(())
    }

    fn added(&mut self, first: Key, ids: &[TaskId], begun: &Moment) {
        if begun.elapsed_ms() > self.waited_ms {
            self.waited_ms = begun.elapsed_ms();
            self.tell(Line::Waited(self.waited_ms));
        }
        for (n, id) in (first.n..).zip(ids) {
            self.tell(Line::Added(Key { n, ..first }, *id));
            self.tasks.push(*id);
        }
    }

    fn started(&mut self, who: Who, started: &RunStart) {
        let (task, run, attempt) = (started.id, started.run, started.attempt);
        let place = OPERATIONS.iter().position(|(name, _)| *name == &*started.operation);
        let (operation, worker) = (place.unwrap_or_default(), self.orders.worker);
        self.mark(Mark::Began(Began { task, run, attempt, operation, worker }));
        self.dies |= &*started.operation == "die" && !self.orders.drains;
        let long = if self.rng.once_in(8) { 400 } else { 12 };
        let fuse = if self.orders.drains { 0 } else { self.rng.below(long) };
        let slot = (who, started.slot);
        self.runs.insert(slot, Run { id: task, run, fuse, is_over: false, has_halted: false });
        // A stop that is under way may give it back at once.
        if self.calls.values().any(|(call, _)| matches!(call, Call::Stop)) {
            self.mark_over(slot);
        }
    }

    fn over(&mut self, slot: (Who, RunSlot), over: &RunEnd) {
        let Some(run) = self.runs.remove(&slot) else { return };
        match over {
            RunEnd::Done => self.tell(Line::Ended(run.id, State::Done)),
            RunEnd::Failed(_) => self.tell(Line::Ended(run.id, State::Failed)),
            RunEnd::Aborted(_) => self.tell(Line::Ended(run.id, State::Aborted)),
            RunEnd::Retrying(..) | RunEnd::Snoozed | RunEnd::Postponed(_) => {}
            RunEnd::Fenced => self.tell(Line::Fenced(run.id)),
        }
    }

    /// Runs whose time has come settle; each settles once.
    fn settle(&mut self) -> Result<()> {
        let mut due = Vec::new();
        for (slot, run) in &mut self.runs {
            if run.has_halted {
                continue;
            }
            if run.fuse == 0 {
                run.fuse = usize::MAX;
                due.push((*slot, run.run));
            } else if run.fuse != usize::MAX {
                run.fuse -= 1;
            }
        }
        let (mut inputs, mut guest_inputs) = (Vec::new(), Vec::new());
        for (slot, run) in due {
            self.mark_over(slot);
            let inputs = if slot.0 == FIRST { &mut inputs } else { &mut guest_inputs };
            self.rng.settling(slot.1, run, inputs);
        }
        self.flush()?;
        self.client.submit(inputs);
        self.guest.iter().for_each(|guest| guest.submit(guest_inputs.drain(..)));
        Ok(())
    }

    /// Keeps calls under way.
    fn ask(&mut self) -> Result<()> {
        let is_watch = |(call, _): &&(Call, Moment)| call.is_long();
        let mut watches = self.calls.values().filter(is_watch).count();
        while self.calls.len() - watches < CALLS {
            let known = if self.rng.once_in(2) { &self.tasks } else { &self.found };
            let known = self.rng.pick(known).copied();
            match (self.rng.below(100), known) {
                (0..8, Some(id)) => self.prioritize(id),
                (8..12, Some(id)) => self.update(id),
                (12..20, Some(id)) => self.abort(id),
                (20..26, Some(id)) => self.read(Call::Get, Read::Get(id, None, None)),
                (26..32, Some(id)) if watches < WATCHES => {
                    watches += 1;
                    if self.rng.once_in(2) {
                        self.call(Call::Watch(id), |ticket| Input::AwaitEnd(ticket, id));
                    } else {
                        self.guest_call(Call::Watch(id), |ticket| Input::AwaitEnd(ticket, id));
                    }
                }
                (41, _) if !self.awaits_rest() => {
                    watches += 1;
                    self.await_rest();
                }
                (32, _) => self.stop(),
                (42, _) if self.rng.once_in(4) => {
                    self.change_guest()?;
                    watches = self.calls.values().filter(is_watch).count();
                }
                (33..38, _) => self.add_many(),
                (42, _) => self.define_all()?,
                (43..46, _) => self.define(),
                (46..50, _) => {
                    // Resumed more often than paused: a storm that rests proves nothing.
                    let (operation, _) = self.rng.one_of(&OPERATIONS[..3]);
                    let pauses = self.rng.once_in(4);
                    self.pause(operation, pauses);
                }
                (38..42, _) => self.find(),
                (50..54, Some(id)) => self.retry(id),
                (54..58, Some(id)) => self.postpone(id),
                (58..70, _) => self.add_unique(),
                (70..76, Some(id)) => self.pause_or_resume(id),
                (76..79, Some(id)) => self.remove(id),
                (79..82, _) => self.hold_or_release(),
                (82..85, _) => self.change_schedule()?,
                (90, _) => self.ask_figures(),
                (85..90, _) => {
                    self.poll();
                    watches = self.calls.values().filter(is_watch).count();
                }
                _ => self.add(),
            }
        }
        Ok(())
    }

    fn key(&mut self, count: u32) -> Key {
        let key = Key { worker: self.orders.worker, n: self.keys };
        self.keys += count;
        self.tell(Line::Try(key, count));
        key
    }

    fn add(&mut self) {
        let key = self.key(1);
        let mut def = self.rng.definition(key);
        self.depend(&mut def, 0);
        self.try_call(Call::Add(key), |ticket| Input::Add(ticket, def));
    }

    fn add_many(&mut self) {
        let count = 2 + self.rng.below(6) as u32;
        let key = self.key(count);
        let keys = (key.n..).take(count as usize).map(|n| Key { n, ..key });
        let mut defs: Vec<_> = keys.map(|key| self.rng.definition(key)).collect();
        (0..).zip(&mut defs).for_each(|(n, def)| self.depend(def, n));
        self.try_call(Call::AddMany(key), |ticket| Input::AddMany(ticket, defs));
    }

    /// Lets it perhaps depend on tasks of our own, on found ones, or on `earlier` ones of its call.
    fn depend(&mut self, def: &mut NewTask, earlier: usize) {
        let known = if self.rng.once_in(2) { &self.tasks } else { &self.found };
        self.rng.depend(def, known, earlier);
    }

    /// A call that may change something: what is tried is told before it is done.
    fn try_call(&mut self, call: Call, input: impl FnOnce(Ticket) -> Input) {
        // What cannot be told is not tried.
        if self.flush().is_ok() {
            self.call(call, input);
        }
    }

    fn ask_whether_all_is_done(&mut self) -> Result<()> {
        if self.calls.is_empty() {
            self.poll();
            self.find_paused()?;
        }
        Ok(())
    }
}

/// What is left to chance.
impl Rng {
    fn priority(&mut self) -> Priority {
        let values = [-1.0, 0.0, 0.0, 1.0, 2.5, f64::INFINITY, f64::NEG_INFINITY];
        let value = self.pick(&values).copied().unwrap_or_default();
        Priority::new(value).unwrap_or_default()
    }

    fn definition(&mut self, key: Key) -> NewTask {
        let (labels, is_attached) = (labels(key), is_attached(key));
        let has_tags = labels.tags.is_some();
        let looks_ahead = self.looks_ahead().filter(|_| !has_tags && !is_attached);
        let operation = match self.below(4) {
            _ if key.n == 0 && self.once_in(10) => "die",
            _ if looks_ahead.is_some() => looks_ahead.unwrap_or_default(),
            0 => "write",
            1 => "pair",
            2 if self.once_in(8) => HELD,
            2 if !is_attached && self.once_in(2) => LENT,
            3 if !is_attached && self.once_in(3) => CALL,
            _ => "read",
        };
        let choices = [OnInterrupted::Retry, OnInterrupted::Abort, OnInterrupted::Fail];
        let is_usual = !self.once_in(6) || operation == "die";
        let choice = if is_usual { None } else { self.pick(&choices).copied() };
        NewTask {
            operation: operation.into(),
            data: Some(Json::trusted(&format!("\"{key}\""))),
            priority: self.priority(),
            options: TaskOptions {
                start_time: self.once_in(8).then(|| StartTime::After(1 + self.below(60) as u64)),
                run_timeout_ms: self.once_in(30).then_some(1 + self.below(20) as u64),
                queue_timeout: self.once_in(12).then(|| self.queue_timeout()),
                retry: self.once_in(2).then(|| self.retry_policy().into()),
                on_interrupted: choice.unwrap_or_default(),
                on_stop: if self.once_in(4) { self.pick(OnStop::ALL).copied() } else { None },
                conditions: if is_attached {
                    Conditions::NONE
                } else {
                    self.conditions(operation, key, has_tags)
                },
                on_stop_waiting: LAST_STOPS[usize::from(self.once_in(6) && operation != "die")],
                ..labels
            }
            .into(),
            unsaid: if self.once_in(2) { Unsaid::ALL } else { Unsaid::NONE },
            is_attached,
        }
    }

    fn queue_timeout(&mut self) -> QueueTimeout {
        let then = match self.below(3) {
            0 => AfterQueueTimeout::Prioritize(self.priority()),
            _ => AfterQueueTimeout::Abort,
        };
        QueueTimeout { after_ms: 1 + self.below(60) as u64, then, ends_at: None }
    }

    fn retry_policy(&mut self) -> RetryPolicy {
        let kinds = [BackoffKind::Fixed, BackoffKind::Exponential, BackoffKind::Fibonacci];
        let kind = self.pick(&kinds).copied().unwrap_or(BackoffKind::Linear);
        let (delay_ms, max_ms) = (1 + self.below(30) as u64, Some(50));
        let backoff = Backoff { kind, delay_ms, factor: None, max_ms, jitter: 0.5 };
        let (attempts, on_error) = (1 + self.below(4) as u32, !self.once_in(4));
        let backoff = (!self.once_in(3)).then_some(backoff);
        RetryPolicy { attempts, backoff, on_error, on_timeout: !on_error || self.once_in(2) }
    }

    /// What a run says at its end: perhaps lines and progress, then how it settled.
    fn settling(&mut self, slot: RunSlot, run: RunId, inputs: &mut Vec<Input>) {
        if self.once_in(6) {
            let (level, at, message, fields) = (Level::Info, WallMs(0), "here".into(), None);
            inputs.push(Input::Record(slot, Record::Log { level, at: Some(at), message, fields }));
            let progress = Progress { current: 1.0, total: None, unit: None };
            inputs.push(Input::Record(slot, Record::Progress(progress)));
        }
        let settled = match self.below(20) {
            0 => Settlement::Returned(None),
            1..5 => Settlement::Threw(engine_error("Error", "chance")),
            5 => Settlement::RetryLater(engine_error("Error", "later"), 9),
            6 => Settlement::Unrecoverable(engine_error("Error", FINAL)),
            7 => Settlement::Snoozed(1 + self.below(20) as u64),
            _ => Settlement::Returned(Some(result(run))),
        };
        inputs.push(Input::Settle(slot, settled));
    }
}

/// What a task is called tells its key too; two of three have no such names.
pub(super) fn labels(key: Key) -> TaskOptions {
    if !key.n.is_multiple_of(3) {
        return TaskOptions::default();
    }
    let Key { worker, n } = key;
    TaskOptions {
        id: Some(Json::trusted(&format!("{{\"worker\":{worker},\"n\":{n}}}"))),
        label: Some(Json::trusted(&format!("\"{key}\""))),
        tags: Some(Json::trusted(&format!("[\"worker {worker}\",\"{key}\",\"{}\"]", book(key)))),
        ..TaskOptions::default()
    }
}
/// Whether a task is attached to its worker, unless it is unique.
pub(super) fn is_attached(key: Key) -> bool {
    key.n % 13 == 5
}

/// What an error says that no attempt can mend.
pub(super) const FINAL: &str = "never again";

/// A result names the run that returned it.
fn result(run: RunId) -> Json {
    Json::trusted(&format!("\"{}\"", run.0))
}

/// The run that a stored outcome names, if it names one.
pub(super) fn run_of(outcome: &TaskEnd) -> Option<RunId> {
    let TaskEnd::Done(Some(json)) = outcome else { return None };
    json.as_str().trim_matches('"').parse().ok().map(RunId)
}
