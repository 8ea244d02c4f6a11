//! A flood of calls does not keep tasks from starting.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tasker_core::id::TaskId;
use tasker_core::task::{NewTask, OnStop, Priority};
use tasker_engine::clock::SystemClock;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;
use tasker_engine::memory::Settings;
use tasker_engine::thread::{Client, Handle, Sink};
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;

/// How long the test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);
/// Calls that may be answered between the add of a task and its start; one would do.
const CALLS_MAX: usize = 1_000;

/// What the test hears of.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// One more call of the flood is answered.
    Call,
    /// The task that has a runner is added.
    Added,
    /// It has started.
    Start,
}

/// Answers each answer with a call, so that the engine never finds its inbox empty.
#[derive(Default)]
struct Flood {
    client: OnceLock<Weak<Client>>,
    waiting: OnceLock<TaskId>,
    told: OnceLock<Mutex<Sender<Told>>>,
}

impl Sink for Flood {
    fn deliver(&self, effects: Vec<Effect>) {
        let client = self.client.get().and_then(Weak::upgrade);
        for effect in effects {
            match effect {
                Effect::Answer(3, Answer::Task(id)) => self.waiting.set(id).unwrap(),
                Effect::Answer(4, Answer::Task(_)) => self.tell(Told::Added),
                Effect::Answer(_, Answer::Flag(_)) => self.tell(Told::Call),
                Effect::Start(_) => self.tell(Told::Start),
                _ => continue,
            }
            if let (Some(client), Some(id)) = (&client, self.waiting.get()) {
                client.submit([Input::Prioritize(5, *id, Priority::new(1.0).unwrap())]);
            }
        }
    }
}

impl Flood {
    fn tell(&self, told: Told) {
        // A test that has seen enough has gone.
        let _ = self.told.get().unwrap().lock().unwrap().send(told);
    }
}

fn task(operation: &str) -> NewTask {
    NewTask::new(operation)
}

/// I-12
#[test]
fn a_task_starts_while_another_is_prioritised_without_end() {
    let (sender, receiver) = channel();
    let flood = Arc::new(Flood::default());
    flood.told.set(Mutex::new(sender)).unwrap();
    let settings = Settings { concurrency: 1, on_stop: OnStop::Wait };
    let opener = || {
        let handle = Disk::default().open()?;
        Ok((handle.store, handle.reader))
    };
    let clock = Arc::new(SystemClock::new());
    let opened = Handle::open(Box::new(opener), settings, clock, flood.clone());
    let (handle, client) = opened.unwrap();
    let client = Arc::new(client);
    flood.client.set(Arc::downgrade(&client)).unwrap();
    client.submit([Input::Assign(1, "a".into(), None), Input::Start(2), Input::Add(3, task("z"))]);
    let next = || receiver.recv_timeout(PATIENCE).expect("the flood goes on");
    assert_eq!(next(), Told::Call, "a task without a runner does not start");
    client.submit([Input::Add(4, task("a"))]);
    while next() != Told::Added {}
    let starts = (0..CALLS_MAX).any(|_| next() == Told::Start);
    assert!(starts, "the task starts while calls come without end");
    handle.shutdown();
}
