//! The real driver: threads, the real clock, and a SQLite file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

#[path = "thread/closing.rs"]
mod closing;
#[path = "thread/quiet.rs"]
mod travel;
#[path = "thread/turns.rs"]
mod turns;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tasker_core::changes::Looking;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::query::Query;
use tasker_core::read::{Find, Found, LogsPart, LogsRead, Request, Step, WithLogs};
use tasker_core::reader::{Reader, Search};
use tasker_core::rules::Settlement;
use tasker_core::schedules::Schedule;
use tasker_core::store::{Batch, Commit, Operation, Store, Transaction};
use tasker_core::task::{Cause, Json, Level, NewTask, OnStop, Priority, StartTime, TaskEnd};
use tasker_core::time::{Now, WallMs};
use tasker_engine::clock::{Clock, SystemClock};
use tasker_engine::effect::{AbortSignal, Answer, Effect, RunStart};
use tasker_engine::input::{Input, Record, RunSlot, StopOptions, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::thread::{Client, Handle, Opener, Read, Sink};
use tasker_engine::virtual_clock::VirtualClock;
use tasker_proof::faulty_store::{Call, FaultyStore, Hooks};
use tasker_sqlite::{Durability, Location, Options};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

struct Channel(Mutex<Sender<Effect>>);

impl Sink for Channel {
    fn deliver(&self, effects: Vec<Effect>) {
        let sender = self.0.lock().unwrap();
        for effect in effects {
            // A test that has seen enough has gone.
            let _ = sender.send(effect);
        }
    }
}

fn settings() -> Settings {
    Settings { concurrency: 10, on_stop: OnStop::Wait }
}

fn sqlite(location: Location) -> Opener {
    on_file(location, false)
}

fn alone(location: Location) -> Opener {
    on_file(location, true)
}

fn on_file(location: Location, exclusive: bool) -> Opener {
    Box::new(move || {
        let options = Options { durability: Durability::Process, exclusive };
        let (store, reader) = tasker_sqlite::open(&location, options)?;
        Ok((Box::new(store), Box::new(reader)))
    })
}

/// A handle and its first client.
struct Opened {
    handle: Handle,
    client: Client,
}

impl Deref for Opened {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn open(opener: Opener) -> (Opened, Receiver<Effect>) {
    open_with_clock(opener, Arc::new(SystemClock::new()))
}

fn open_with_clock(opener: Opener, clock: Arc<dyn Clock>) -> (Opened, Receiver<Effect>) {
    let (sink, receiver) = sink();
    let (handle, client) = Handle::open(opener, settings(), clock, sink).unwrap();
    (Opened { handle, client }, receiver)
}

fn connect(handle: &Handle) -> (Client, Receiver<Effect>) {
    let (sink, receiver) = sink();
    (handle.connect(sink).unwrap(), receiver)
}

fn sink() -> (Arc<Channel>, Receiver<Effect>) {
    let (sender, receiver) = channel();
    (Arc::new(Channel(Mutex::new(sender))), receiver)
}

fn task(operation: &str) -> NewTask {
    NewTask { data: Some(Json::trusted(r#"{"n":1}"#)), ..NewTask::new(operation) }
}

/// Waits for the answer to a ticket; what else is told is passed over.
fn answer(receiver: &Receiver<Effect>, ticket: Ticket) -> Result<Answer> {
    loop {
        match receiver.recv_timeout(PATIENCE).expect("every call is answered") {
            Effect::Answer(other, answer) if other == ticket => return Ok(answer),
            Effect::Refuse(other, error) if other == ticket => return Err(error),
            _ => {}
        }
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}

fn folder() -> (tempfile::TempDir, Location) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::file(folder.path().join("tasks.db")).unwrap();
    (folder, location)
}

#[test]
fn a_task_goes_its_whole_way_and_a_read_sees_it() {
    let (_folder, location) = folder();
    let (tasker, receiver) = open(sqlite(location));
    tasker.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 3) else { panic!("the task is added") };
    let slot = loop {
        if let Effect::Start(run) = receiver.recv_timeout(PATIENCE).unwrap() {
            assert_eq!(run.id, id);
            break run.slot;
        }
    };
    tasker.submit([
        Input::Settle(slot, Settlement::Returned(Some(Json::trusted("[1]")))),
        Input::AwaitEnd(4, id),
    ]);
    assert!(matches!(answer(&receiver, 4), Ok(Answer::Ended(_))));
    tasker.read(5, Read::Get(id, None, None));
    let Ok(Answer::Json(text)) = answer(&receiver, 5) else { panic!("the task is found") };
    assert!(text.contains(r#""status":"done""#) && text.contains(r#""result":[1]"#), "{text}");
    tasker.submit([Input::Close(6, StopOptions::default())]);
    assert!(matches!(answer(&receiver, 6), Ok(Answer::Done)));
}

#[test]
fn a_store_that_does_not_open_refuses_every_call_with_its_reason() {
    let (_folder, location) = folder();
    let (_first, told) = open(alone(location.clone()));
    _first.submit([Input::Ready(1)]);
    assert!(answer(&told, 1).is_ok());
    let (second, receiver) = open(alone(location));
    second.submit([Input::Ready(1), Input::Add(2, task("a"))]);
    let error = answer(&receiver, 1).unwrap_err();
    assert_eq!((error.code(), error.facts().pid), (Code::Locked, Some(std::process::id())));
    assert_eq!(code(answer(&receiver, 2)), Code::Locked);
    second.read(3, Read::Count(Box::new(Query::parse("{}").unwrap())));
    assert_eq!(code(answer(&receiver, 3)), Code::Locked);
}

#[test]
fn a_handle_dropped_unclosed_releases_the_file_and_its_runs_are_recovered() {
    let (_folder, location) = folder();
    let (tasker, receiver) = open(sqlite(location.clone()));
    tasker.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 3) else { panic!("the task is added") };
    drop(tasker);
    let (tasker, receiver) = open(sqlite(location));
    tasker.read(1, Read::Get(id, None, None));
    let Ok(Answer::Json(text)) = answer(&receiver, 1) else { panic!("the task is there") };
    assert!(text.contains(r#""state":"ready""#) && text.contains(r#""outcome":"lost""#), "{text}");
}

#[test]
fn nothing_is_delivered_after_a_shutdown() {
    let (tasker, receiver) = open(sqlite(Location::memory()));
    tasker.submit([Input::Ready(1)]);
    assert!(answer(&receiver, 1).is_ok());
    tasker.handle.shutdown();
    while receiver.try_recv().is_ok() {}
    tasker.submit([Input::Add(2, task("a"))]);
    // The caller is told by the call itself, on its own thread; the engine is silent.
    assert_eq!(code(answer(&receiver, 2)), Code::Closed);
    assert!(receiver.try_recv().is_err());
}

#[test]
fn a_cancelled_read_is_answered() {
    let (tasker, receiver) = open(sqlite(Location::memory()));
    for ticket in 1..50 {
        tasker.read(ticket, find_all());
        tasker.cancel_read(ticket);
    }
    for ticket in 1..50 {
        let answered = answer(&receiver, ticket);
        assert!(answered.is_ok() || code(answered) == Code::Closed);
    }
}

/// Where a store or reader panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Begin,
    Head,
    Operations,
    Orphans,
    Contents,
    Briefs,
    Commit,
    Tidy,
    Close,
    Get,
    Find,
    Count,
}

/// Panics at these points as soon as it is armed.
#[derive(Clone)]
struct Trap(&'static [Point], Arc<AtomicBool>);

impl Trap {
    fn new(points: &'static [Point], is_armed: bool) -> Self {
        Self(points, Arc::new(AtomicBool::new(is_armed)))
    }

    fn arm(&self) {
        self.1.store(true, Ordering::Release);
    }

    fn at(&self, point: Point) {
        let is_due = self.0.contains(&point) && self.1.load(Ordering::Acquire);
        assert!(!is_due, "the test panics at {point:?}");
    }
}

impl Hooks for Trap {
    fn before(&mut self, call: Call) -> Result<()> {
        let point = match call {
            Call::Begin => Point::Begin,
            Call::Head => Point::Head,
            Call::Operations => Point::Operations,
            Call::Orphans => Point::Orphans,
            Call::Contents => Point::Contents,
            Call::Briefs => Point::Briefs,
            Call::Maintain => Point::Tidy,
            Call::Close => Point::Close,
            _ => return Ok(()),
        };
        self.at(point);
        Ok(())
    }

    fn commit(&mut self, transaction: Box<dyn Transaction + '_>, batch: &Batch) -> Commit {
        self.at(Point::Commit);
        transaction.commit(batch)
    }
}

/// A reader with a trap in front of it.
struct Trapped(Trap, Box<dyn Reader>);

#[rustfmt::skip]
impl Reader for Trapped {
    fn another(&self) -> Option<Box<dyn Reader>> {
        Some(Box::new(Trapped(self.0.clone(), self.1.another()?)))
    }
    fn get(&mut self, id: TaskId, logs: Option<WithLogs>, max: usize) -> Result<Option<Found>> {
        self.0.at(Point::Get);
        self.1.get(id, logs, max)
    }
    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        self.1.logs(id, part)
    }
    fn operations(&mut self) -> Result<Vec<Operation>> { self.1.operations() }
    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        self.1.schedules(from, max)
    }
    fn step(&mut self, search: &mut Search) -> Result<Step> {
        self.0.at(match search.request() {
            Request::Find(_) => Point::Find,
            Request::Exists(_)
            | Request::Count(_)
            | Request::Explain(_)
            | Request::Matching(_) => Point::Count,
        });
        self.1.step(search)
    }
    fn changes(&mut self, look: Looking<'_>) -> Result<()> { self.1.changes(look) }
    fn rest(&mut self, search: Option<&mut Search>) { self.1.rest(search); }
}

fn trapped(location: Location, trap: Trap) -> Opener {
    Box::new(move || {
        let (store, reader) = sqlite(location)()?;
        let store: Box<dyn Store> = Box::new(FaultyStore::new(store, trap.clone()));
        let reader: Box<dyn Reader> = Box::new(Trapped(trap, reader));
        Ok((store, reader))
    })
}

/// Waits until the engine has closed itself. Gives why, and how many tasks it told as added before.
fn fault(receiver: &Receiver<Effect>) -> (Error, usize) {
    let mut added = 0;
    loop {
        match receiver.recv_timeout(PATIENCE).expect("the engine tells that it closed") {
            Effect::Answer(_, Answer::Task(_)) => added += 1,
            Effect::Closed(Some(error)) => return (error, added),
            Effect::Closed(None) => panic!("it closed without a fault"),
            _ => {}
        }
    }
}

fn anything() -> Box<Query> {
    Box::new(Query::parse("{}").unwrap())
}

fn find_all() -> Read {
    Read::Find(Box::new(Find::all(*anything())))
}

/// The file opens again, says so many tasks, and takes another one.
fn assert_clean(location: Location, count: usize) {
    let (tasker, receiver) = open(sqlite(location));
    tasker.read(1, Read::Count(anything()));
    let Ok(Answer::Json(counted)) = answer(&receiver, 1) else { panic!("it opens") };
    assert_eq!(counted, count.to_string());
    tasker.submit([Input::Add(2, task("again"))]);
    assert!(matches!(answer(&receiver, 2), Ok(Answer::Task(_))));
    tasker.submit([Input::Close(3, StopOptions::default())]);
    assert!(matches!(answer(&receiver, 3), Ok(Answer::Done)));
}

/// What reaches each point of an engine that is open, has one task of `a` and one waiting of `b`.
fn provoke(client: &Client, point: Point, id: TaskId) {
    client.submit(match point {
        Point::Contents => {
            vec![Input::Assign(10, "b".into(), None), Input::Start(11)]
        }
        Point::Briefs => vec![Input::Prioritize(10, id, Priority::default())],
        Point::Close => vec![Input::Close(10, StopOptions::default())],
        _ => vec![Input::Add(10, task("a"))],
    });
}

#[test]
fn a_panic_at_any_point_of_a_turn_closes_with_bug_and_the_next_open_is_clean_f_6() {
    use Point::{Begin, Briefs, Close, Commit, Contents, Tidy};
    // With and without a second panic, as the store is closed for the first.
    let cases: [&'static [Point]; 11] = [
        &[Begin],
        &[Commit],
        &[Briefs],
        &[Contents],
        &[Tidy],
        &[Close],
        &[Begin, Close],
        &[Commit, Close],
        &[Briefs, Close],
        &[Contents, Close],
        &[Tidy, Close],
    ];
    for points in cases {
        let (_folder, location) = folder();
        let (tasker, told) = open(sqlite(location.clone()));
        tasker.submit([Input::Add(1, task("b"))]);
        let Ok(Answer::Task(id)) = answer(&told, 1) else { panic!("the task is added") };
        tasker.submit([Input::Close(2, StopOptions::default())]);
        assert!(answer(&told, 2).is_ok());

        let trap = Trap::new(points, false);
        let (tasker, receiver) = open(trapped(location.clone(), trap.clone()));
        tasker.submit([Input::Ready(1), Input::AwaitEnd(2, id)]);
        assert!(answer(&receiver, 1).is_ok());
        trap.arm();
        provoke(&tasker, points[0], id);
        let (error, added) = fault(&receiver);
        assert_eq!(error.code(), Code::Bug, "{points:?}");
        tasker.submit([Input::Add(20, task("a"))]);
        assert_eq!(code(answer(&receiver, 20)), Code::Bug, "{points:?}");
        tasker.read(21, Read::Count(anything()));
        assert_eq!(code(answer(&receiver, 21)), Code::Bug, "{points:?}");
        tasker.handle.shutdown();
        // What was told as added is there; nothing else is.
        assert_clean(location, 1 + added);
    }
}

#[test]
fn a_panic_while_the_store_opens_refuses_every_call_with_bug_f_6() {
    use Point::{Begin, Head, Operations, Orphans};
    let cases: [&'static [Point]; 4] = [&[Begin], &[Head], &[Operations], &[Orphans]];
    for points in cases {
        let (_folder, location) = folder();
        let (tasker, receiver) = open(trapped(location.clone(), Trap::new(points, true)));
        tasker.submit([Input::Ready(1), Input::Add(2, task("a"))]);
        let codes = [1, 2].map(|ticket| code(answer(&receiver, ticket)));
        tasker.read(3, Read::Count(anything()));
        let read = code(answer(&receiver, 3));
        assert_eq!((codes, read), ([Code::Bug; 2], Code::Bug), "{points:?}");
        tasker.handle.shutdown();
        assert_clean(location, 0);
    }
}

#[test]
fn a_read_that_panics_is_answered_with_bug_and_harms_nothing_else_f_6() {
    let trap = Trap::new(&[Point::Get, Point::Find, Point::Count], false);
    let (tasker, receiver) = open(trapped(Location::memory(), trap.clone()));
    tasker.submit([Input::Add(1, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 1) else { panic!("the task is added") };
    trap.arm();
    for (ticket, read) in
        [(2, Read::Get(id, None, None)), (3, find_all()), (4, Read::Count(anything()))]
    {
        tasker.read(ticket, read);
        assert_eq!(code(answer(&receiver, ticket)), Code::Bug);
    }
    tasker.submit([Input::Add(5, task("a"))]);
    assert!(matches!(answer(&receiver, 5), Ok(Answer::Task(_))));
    trap.1.store(false, Ordering::Release);
    tasker.read(6, Read::Count(anything()));
    let Ok(Answer::Json(count)) = answer(&receiver, 6) else { panic!("it reads again") };
    assert_eq!(count, "2");
}

#[test]
fn a_task_whose_log_is_too_large_is_refused_and_all_else_goes_on() {
    let (tasker, receiver) = open(sqlite(Location::memory()));
    tasker.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 3) else { panic!("the task is added") };
    // Written as JSON, each of these characters is six.
    let message: Box<str> = "\u{1}".repeat(limits::LOG_LINE_BYTES_MAX).into();
    let lines = limits::READ_BYTES_MAX / (6 * message.len()) + 1;
    let (level, at, fields) = (Level::Info, None, None);
    tasker.submit((0..lines).map(|_| {
        Input::Record(
            1,
            Record::Log { level, at, message: message.clone(), fields: fields.clone() },
        )
    }));
    tasker.submit([Input::Settle(1, Settlement::Returned(None)), Input::AwaitEnd(4, id)]);
    assert!(matches!(answer(&receiver, 4), Ok(Answer::Ended(_))));
    let logs = |level_max| Some(WithLogs { level_max });
    tasker.read(5, Read::Get(id, logs(Level::Info), None));
    tasker.read(6, Read::Get(id, logs(Level::Error), None));
    assert_eq!(code(answer(&receiver, 5)), Code::TooLarge);
    assert!(matches!(answer(&receiver, 6), Ok(Answer::Json(_))));
}

fn start(receiver: &Receiver<Effect>) -> RunStart {
    loop {
        if let Effect::Start(run) = receiver.recv_timeout(PATIENCE).expect("a task starts") {
            return run;
        }
    }
}

/// Assigns `operation` with ticket 1, starts with 2, adds a task with 3; its run.
fn run_one(client: &Client, receiver: &Receiver<Effect>, operation: &str) -> RunStart {
    let assign = Input::Assign(1, operation.into(), None);
    client.submit([assign, Input::Start(2), Input::Add(3, task(operation))]);
    let Ok(Answer::Task(id)) = answer(receiver, 3) else { panic!("the task is added") };
    let run = start(receiver);
    assert_eq!((run.id, &*run.operation), (id, operation));
    run
}

fn is_closed(receiver: &Receiver<Effect>) -> bool {
    receiver.iter().any(|effect| matches!(effect, Effect::Closed(None)))
}

#[test]
fn clients_with_the_same_tickets_are_each_told_what_is_theirs() {
    let (tasker, first) = open(sqlite(Location::memory()));
    let (client, second) = connect(&tasker.handle);
    let ours = run_one(&tasker, &first, "a");
    let theirs = run_one(&client, &second, "b");
    let result = |text| Settlement::Returned(Some(Json::trusted(text)));
    client.submit([
        // A run of ours under a number that is ours: nobody else settles it.
        Input::Settle(ours.slot, result("0")),
        Input::Settle(theirs.slot, result("2")),
        Input::AwaitEnd(4, theirs.id),
    ]);
    let ended = answer(&second, 4);
    assert!(matches!(ended, Ok(Answer::Ended(TaskEnd::Done(Some(text)))) if text.as_str() == "2"));
    tasker.submit([Input::Settle(ours.slot, result("1")), Input::AwaitEnd(4, ours.id)]);
    let ended = answer(&first, 4);
    assert!(matches!(ended, Ok(Answer::Ended(TaskEnd::Done(Some(text)))) if text.as_str() == "1"));
    for (client, receiver, id) in [(&*tasker, &first, theirs.id), (&client, &second, ours.id)] {
        client.read(5, Read::Get(id, None, None));
        let Ok(Answer::Json(text)) = answer(receiver, 5) else { panic!("each reads of all") };
        assert!(text.contains(&id.0.to_string()), "{text}");
    }
    client.submit([Input::Close(6, StopOptions::default())]);
    assert!(matches!(answer(&second, 6), Ok(Answer::Done)));
    assert!(is_closed(&first) && is_closed(&second), "the handle is closed to all");
}

/// I-11
#[test]
fn the_first_client_is_told_what_another_has_added_before_it_starts() {
    let (tasker, first) = open(sqlite(Location::memory()));
    let (client, second) = connect(&tasker.handle);
    tasker.submit([Input::Assign(1, "a".into(), None), Input::Start(2)]);
    assert!(matches!(answer(&first, 2), Ok(Answer::Done)));
    client.submit([Input::Add(1, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&second, 1) else { panic!("the task is added") };
    let is_told = |effect: &Effect| matches!(effect, Effect::Added(_) | Effect::Start(_));
    let told: Vec<Effect> = first.iter().filter(is_told).take(2).collect();
    let [Effect::Added(added), Effect::Start(run)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*added, run.id), (id, id));
    tasker.submit([Input::Add(3, task("b"))]);
    assert!(matches!(answer(&first, 3), Ok(Answer::Task(_))));
    let rest: Vec<Effect> = second.try_iter().collect();
    assert!(rest.is_empty(), "another hears only of its own: {rest:?}");
}

#[test]
fn a_client_that_goes_leaves_its_runs_to_others_and_harms_no_other_client() {
    let (tasker, first) = open(sqlite(Location::memory()));
    let (client, second) = connect(&tasker.handle);
    let theirs = run_one(&client, &second, "b");
    client.submit([Input::AwaitEnd(4, theirs.id)]);
    tasker.submit([Input::AwaitEnd(4, theirs.id)]);
    drop(client);
    tasker.submit([Input::Assign(1, "b".into(), None)]);
    assert!(matches!(answer(&first, 1), Ok(Answer::Done)), "its runner has gone");
    let again = start(&first);
    assert_eq!((again.id, again.attempt), (theirs.id, 1), "the lost attempt does not count");
    tasker.submit([Input::Settle(again.slot, Settlement::Returned(None))]);
    assert!(matches!(answer(&first, 4), Ok(Answer::Ended(TaskEnd::Done(None)))));
    let rest: Vec<Effect> = second.try_iter().collect();
    assert!(rest.is_empty(), "nobody tells one that has gone: {rest:?}");
}

#[test]
fn a_client_that_comes_after_the_close_is_told_so_once_and_refused() {
    let (tasker, first) = open(sqlite(Location::memory()));
    tasker.submit([Input::Close(1, StopOptions::default())]);
    assert!(is_closed(&first));
    let (client, second) = connect(&tasker.handle);
    assert!(matches!(second.try_recv(), Ok(Effect::Closed(None))), "before it asks");
    client.submit([Input::Add(1, task("a"))]);
    assert_eq!(code(answer(&second, 1)), Code::Closed);
    drop((client, tasker));
    assert!(second.try_iter().next().is_none(), "it is told once");
}

const HOUR: u64 = 3_600_000;
/// How long a change of the wall clock may go unnoticed.
const SOON: u64 = 30_000;

/// A handle by a clock that stands, with a task that is delayed.
fn delay_by_virtual_clock(ms: u64) -> (Arc<VirtualClock>, Opened, Receiver<Effect>) {
    let clock = Arc::new(VirtualClock::new());
    let (tasker, receiver) = open_with_clock(sqlite(Location::memory()), clock.clone());
    let mut delayed = task("a");
    delayed.options.start_time = Some(StartTime::After(ms));
    tasker.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, delayed)]);
    assert!(matches!(answer(&receiver, 3), Ok(Answer::Task(_))));
    (clock, tasker, receiver)
}

/// Nothing has started, and no signal fired, when this was asked.
fn assert_nothing_starts(tasker: &Client, receiver: &Receiver<Effect>) {
    tasker.submit([Input::IsShared(4)]);
    loop {
        match receiver.recv_timeout(PATIENCE).expect("every call is answered") {
            Effect::Start(run) => panic!("it is early: {run:?}"),
            Effect::Abort(slot, signal) => panic!("run {slot} has time: {signal:?}"),
            Effect::Answer(4, _) => return,
            _ => {}
        }
    }
}

#[test]
fn a_delayed_task_starts_although_nobody_calls() {
    let (clock, tasker, receiver) = delay_by_virtual_clock(HOUR);
    clock.advance(HOUR - 1);
    assert_nothing_starts(&tasker, &receiver);
    clock.advance(1);
    start(&receiver);
}

#[test]
fn a_clock_that_is_set_forward_is_noticed_at_the_next_turn() {
    let (clock, tasker, receiver) = delay_by_virtual_clock(HOUR);
    clock.set_wall(clock.now().wall.plus(HOUR));
    tasker.submit([Input::IsShared(4)]);
    start(&receiver);
}

#[test]
fn a_clock_that_is_set_forward_is_noticed_soon_although_nobody_calls() {
    let (clock, _tasker, receiver) = delay_by_virtual_clock(HOUR);
    clock.set_wall(clock.now().wall.plus(HOUR));
    clock.advance(SOON);
    start(&receiver);
}

#[test]
fn a_clock_that_is_set_back_starts_nothing_early_and_loses_nothing() {
    let (clock, tasker, receiver) = delay_by_virtual_clock(HOUR);
    clock.set_wall(WallMs(clock.now().wall.0 - HOUR as i64));
    clock.advance(HOUR);
    assert_nothing_starts(&tasker, &receiver);
    clock.advance(HOUR);
    start(&receiver);
}

/// A run that may take two hours beside the task that is delayed; its slot.
fn run_beside(tasker: &Client, receiver: &Receiver<Effect>) -> RunSlot {
    let mut limited = task("a");
    limited.options.run_timeout_ms = Some(2 * HOUR);
    tasker.submit([Input::Add(5, limited)]);
    start(receiver).slot
}

fn timed_out(receiver: &Receiver<Effect>) -> RunSlot {
    let effects = std::iter::repeat_with(|| receiver.recv_timeout(PATIENCE));
    let mut slots = effects.map(|effect| match effect.expect("its time is up") {
        Effect::Abort(slot, AbortSignal::Abort(abort)) if abort.cause == Cause::RunTimeout => {
            Some(slot)
        }
        _ => None,
    });
    slots.find_map(|slot| slot).expect("there is no end of effects")
}

/// F-19
#[test]
fn a_machine_that_slept_starts_what_was_due_once_and_ends_no_run_for_its_sleep() {
    let (clock, tasker, receiver) = delay_by_virtual_clock(HOUR);
    let slot = run_beside(&tasker, &receiver);
    clock.set_wall(clock.now().wall.plus(8 * HOUR));
    clock.advance(SOON);
    let late = start(&receiver);
    assert_ne!(late.slot, slot);
    assert_nothing_starts(&tasker, &receiver);
    clock.advance(2 * HOUR - SOON - 1);
    assert_nothing_starts(&tasker, &receiver);
    clock.advance(1);
    assert_eq!(timed_out(&receiver), slot);
}

/// F-19
#[test]
fn a_wall_clock_that_stands_delays_what_is_due_by_it_and_lengthens_no_run() {
    let (clock, tasker, receiver) = delay_by_virtual_clock(HOUR);
    let slot = run_beside(&tasker, &receiver);
    clock.advance_mono(8 * HOUR);
    assert_eq!(timed_out(&receiver), slot);
    tasker.submit([Input::Settle(slot, Settlement::Returned(None))]);
    assert_nothing_starts(&tasker, &receiver);
    clock.advance(HOUR);
    assert_ne!(start(&receiver).slot, slot);
}
