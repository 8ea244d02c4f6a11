//! Reads take turns.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use tasker_core::changes::Looking;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::TaskId;
use tasker_core::query::Query;
use tasker_core::read::{Found, LogsPart, LogsRead, Request, Step, WithLogs};
use tasker_core::reader::{Interrupted, Reader, Search};
use tasker_core::schedules::Schedule;
use tasker_core::store::Operation;
use tasker_engine::effect::Answer;
use tasker_engine::input::Input;
use tasker_engine::thread::Read;
use tasker_sqlite::Location;

use super::{PATIENCE, answer, anything, code, folder, open, sqlite, task};

/// To ask whether any task matches never ends, and a copy neither, until it is interrupted. Tells
/// of each step with which reader it was, and for which query.
struct Endless {
    inner: Box<dyn Reader>,
    steps: Sender<(u64, String)>,
    /// Which of the readers.
    number: u64,
    count: Arc<AtomicU64>,
}

#[rustfmt::skip]
impl Reader for Endless {
    fn another(&self) -> Option<Box<dyn Reader>> {
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        let (steps, count) = (self.steps.clone(), self.count.clone());
        Some(Box::new(Endless { inner: self.inner.another()?, steps, number, count }))
    }
    fn get(&mut self, id: TaskId, logs: Option<WithLogs>, max: usize) -> Result<Option<Found>> {
        self.inner.get(id, logs, max)
    }
    fn logs(&mut self, id: TaskId, part: LogsPart) -> Result<Option<LogsRead>> {
        self.inner.logs(id, part)
    }
    fn operations(&mut self) -> Result<Vec<Operation>> { self.inner.operations() }
    fn schedules(&mut self, from: &str, max: usize) -> Result<Vec<Schedule>> {
        self.inner.schedules(from, max)
    }
    fn step(&mut self, search: &mut Search) -> Result<Step> {
        if let Request::Exists(query) = search.request() {
            let _ = self.steps.send((self.number, format!("{query:?}")));
            return Ok(Step::More(Vec::new()));
        }
        self.inner.step(search)
    }
    fn changes(&mut self, look: Looking<'_>) -> Result<()> { self.inner.changes(look) }
    fn rest(&mut self, search: Option<&mut Search>) { self.inner.rest(search); }
    fn back_up(&mut self, to: &Path, interrupted: Interrupted) -> Result<()> {
        let _ = self.steps.send((self.number, to.display().to_string()));
        while !interrupted() {
            std::thread::yield_now();
        }
        Err(Error::new(Code::Closed, "it was interrupted"))
    }
}

/// However many reads never end, others are answered, and all that are under way go on.
#[test]
fn reads_take_turns_and_none_waits_for_one_that_never_ends() {
    let (_folder, place) = folder();
    for place in [place, Location::memory()] {
        let (sender, steps) = channel();
        let is_memory = place == Location::memory();
        let (tasker, receiver) = open(Box::new(move || {
            let (store, inner) = sqlite(place)()?;
            let endless = Endless { inner, steps: sender, number: 0, count: Arc::default() };
            Ok((store, Box::new(endless)))
        }));
        tasker.submit([Input::Add(1, task("a"))]);
        let Ok(Answer::Task(id)) = answer(&receiver, 1) else { panic!("the task is added") };
        for ticket in 10..16 {
            let query = Query::parse(&format!(r#"{{"seq":{ticket}}}"#)).unwrap();
            tasker.read(ticket, Read::Exists(Box::new(query)));
            // Each of them has begun before the next one comes.
            steps.recv_timeout(PATIENCE).expect("it goes on");
            tasker.read(100 + ticket, Read::Get(id, None, None));
            assert!(matches!(answer(&receiver, 100 + ticket), Ok(Answer::Json(_))));
            tasker.read(200 + ticket, Read::Count(anything()));
            let Ok(Answer::Json(count)) = answer(&receiver, 200 + ticket) else { panic!() };
            assert_eq!(count, "1");
        }
        while steps.try_recv().is_ok() {}
        let (used, queries): (BTreeSet<u64>, BTreeSet<String>) =
            (0..1_000).map(|_| steps.recv_timeout(PATIENCE).expect("they go on")).unzip();
        assert_eq!(used.len(), if is_memory { 1 } else { 4 }, "{used:?}");
        assert_eq!(queries.len(), 6, "each of them goes on");
        for ticket in 10..16 {
            tasker.cancel_read(ticket);
            assert_eq!(code(answer(&receiver, ticket)), Code::Closed);
        }
    }
}

/// A copy takes as long as it takes, on a thread and with a reader of its own.
#[test]
fn reads_are_answered_while_a_copy_is_made() {
    let (_folder, place) = folder();
    let (sender, steps) = channel();
    let (tasker, receiver) = open(Box::new(move || {
        let (store, inner) = sqlite(place)()?;
        let endless = Endless { inner, steps: sender, number: 0, count: Arc::default() };
        Ok((store, Box::new(endless)))
    }));
    for ticket in [1, 2] {
        tasker.read(ticket, Read::BackUp("copy.db".into()));
        let (number, to) = steps.recv_timeout(PATIENCE).expect("it begins");
        assert_eq!((number, to.as_str()), (ticket, "copy.db"), "each has a reader of its own");
        tasker.read(100 + ticket, Read::Count(anything()));
        let Ok(Answer::Json(count)) = answer(&receiver, 100 + ticket) else { panic!() };
        assert_eq!(count, "0");
    }
    for ticket in [1, 2] {
        tasker.cancel_read(ticket);
        assert_eq!(code(answer(&receiver, ticket)), Code::Closed);
    }
}
