//! The real driver: threads, the real clock, and a SQLite file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, OwnerId, Seq, TaskId};
use tasker_core::query::Query;
use tasker_core::rules::Settled;
use tasker_core::store::{
    Batch, Brief, Commit, Find, Head, Lane, Orphan, Reader, Refused, Store, Window, WindowSize,
};
use tasker_core::task::{Json, NewTask, OnInterrupted, OnStop, Priority};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, StopOptions, Ticket};
use tasker_engine::memory::Settings;
use tasker_engine::thread::{Handle, Opener, Read, Sink};
use tasker_sqlite::{Durability, Options, Place};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

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

fn sqlite(place: Place) -> Opener {
    Box::new(move || {
        let options = Options { durability: Durability::Process };
        let (store, reader) = tasker_sqlite::open(&place, options)?;
        Ok((Box::new(store), Box::new(reader)))
    })
}

fn open(opener: Opener) -> (Handle, Receiver<Effect>) {
    let (sender, receiver) = channel();
    let handle = Handle::open(opener, settings(), Arc::new(Channel(Mutex::new(sender)))).unwrap();
    (handle, receiver)
}

fn task(operation: &str) -> NewTask {
    NewTask {
        operation: operation.into(),
        data: Some(Json::trusted(r#"{"n":1}"#)),
        priority: Priority::default(),
        run_timeout_ms: None,
        on_interrupted: OnInterrupted::Retry,
        on_stop: None,
    }
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

fn folder() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::File(folder.path().join("tasks.db"));
    (folder, place)
}

#[test]
fn a_task_goes_its_whole_way_and_a_read_sees_it() {
    let (_folder, place) = folder();
    let (handle, receiver) = open(sqlite(place));
    handle.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 3) else { panic!("the task is added") };
    let no = loop {
        if let Effect::Start(run) = receiver.recv_timeout(PATIENCE).unwrap() {
            assert_eq!(run.id, id);
            break run.no;
        }
    };
    handle.submit([
        Input::Settle(no, Settled::Returned(Some(Json::trusted("[1]")))),
        Input::Watch(4, id),
    ]);
    assert!(matches!(answer(&receiver, 4), Ok(Answer::Ended(_))));
    handle.read(5, Read::Get(id, None));
    let Ok(Answer::Json(text)) = answer(&receiver, 5) else { panic!("the task is found") };
    assert!(text.contains(r#""status":"done""#) && text.contains(r#""result":[1]"#), "{text}");
    handle.submit([Input::Close(6, StopOptions::default())]);
    assert!(matches!(answer(&receiver, 6), Ok(Answer::Done)));
}

#[test]
fn a_store_that_does_not_open_refuses_every_call_with_its_reason() {
    let (_folder, place) = folder();
    let (_first, told) = open(sqlite(place.clone()));
    _first.submit([Input::Ready(1)]);
    assert!(answer(&told, 1).is_ok());
    let (second, receiver) = open(sqlite(place));
    second.submit([Input::Ready(1), Input::Add(2, task("a"))]);
    let error = answer(&receiver, 1).unwrap_err();
    assert_eq!((error.code(), error.facts().pid), (Code::Locked, Some(std::process::id())));
    assert_eq!(code(answer(&receiver, 2)), Code::Locked);
    second.read(3, Read::Count(Box::new(Query::parse("{}").unwrap())));
    assert_eq!(code(answer(&receiver, 3)), Code::Locked);
}

#[test]
fn a_handle_dropped_unclosed_releases_the_file_and_its_runs_are_recovered() {
    let (_folder, place) = folder();
    let (handle, receiver) = open(sqlite(place.clone()));
    handle.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("a"))]);
    let Ok(Answer::Task(id)) = answer(&receiver, 3) else { panic!("the task is added") };
    drop(handle);
    let (handle, receiver) = open(sqlite(place));
    handle.read(1, Read::Get(id, None));
    let Ok(Answer::Json(text)) = answer(&receiver, 1) else { panic!("the task is there") };
    assert!(text.contains(r#""state":"ready""#) && text.contains(r#""outcome":"lost""#), "{text}");
}

#[test]
fn nothing_is_delivered_after_a_shutdown() {
    let (handle, receiver) = open(sqlite(Place::Memory));
    handle.submit([Input::Ready(1)]);
    assert!(answer(&receiver, 1).is_ok());
    handle.shutdown();
    while receiver.try_recv().is_ok() {}
    handle.submit([Input::Add(2, task("a"))]);
    // The caller is told by the call itself, on its own thread; the engine is silent.
    assert_eq!(code(answer(&receiver, 2)), Code::Closed);
    assert!(receiver.try_recv().is_err());
}

#[test]
fn a_cancelled_read_is_answered() {
    let (handle, receiver) = open(sqlite(Place::Memory));
    let find = || {
        let query = Query::parse("{}").unwrap();
        Read::Find(Box::new(Find { query, sort: None, skip: 0, limit: None, logs: None }))
    };
    for ticket in 1..50 {
        handle.read(ticket, find());
        handle.cancel_read(ticket);
    }
    for ticket in 1..50 {
        let answered = answer(&receiver, ticket);
        assert!(answered.is_ok() || code(answered) == Code::Closed);
    }
}

/// A store whose every commit panics.
struct Panicking(Box<dyn Store>);

#[rustfmt::skip]
impl Store for Panicking {
    fn owner(&self) -> OwnerId { self.0.owner() }
    fn id_key(&self) -> IdKey { self.0.id_key() }
    fn begin(&mut self) -> Result<()> { self.0.begin() }
    fn head(&mut self) -> Result<Head> { self.0.head() }
    fn lanes(&mut self) -> Result<Vec<Lane>> { self.0.lanes() }
    fn orphans(&mut self) -> Result<Vec<Orphan>> { self.0.orphans() }
    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        self.0.window(lane, size)
    }
    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> { self.0.brief(seq) }
    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> { self.0.write(batch) }
    fn commit(&mut self) -> Commit { panic!("the test says so") }
    fn rollback(&mut self) { self.0.rollback(); }
    fn tidy(&mut self, is_idle: bool) -> Result<()> { self.0.tidy(is_idle) }
    fn close(self: Box<Self>) -> Result<()> { self.0.close() }
}

#[test]
fn a_panic_answers_bug_to_everyone_and_the_next_open_is_clean() {
    let (_folder, place) = folder();
    let broken = place.clone();
    let (handle, receiver) = open(Box::new(move || {
        let (store, reader) = sqlite(broken)()?;
        Ok((Box::new(Panicking(store)) as Box<dyn Store>, reader as Box<dyn Reader>))
    }));
    handle.submit([Input::Add(1, task("a"))]);
    let closed: Error = loop {
        if let Effect::Closed(Some(error)) = receiver.recv_timeout(PATIENCE).unwrap() {
            break error;
        }
    };
    assert_eq!(closed.code(), Code::Bug);
    handle.submit([Input::Add(2, task("a"))]);
    assert_eq!(code(answer(&receiver, 2)), Code::Bug);
    let (again, receiver) = open(sqlite(place));
    again.read(1, Read::Count(Box::new(Query::parse("{}").unwrap())));
    let Ok(Answer::Json(count)) = answer(&receiver, 1) else { panic!("it opens") };
    assert_eq!(count, "0");
    let unknown = TaskId("018f0000-0000-7000-8000-000000000001".parse().unwrap());
    again.read(2, Read::Get(unknown, None));
    assert_eq!(code(answer(&receiver, 2)), Code::NotFound);
}
