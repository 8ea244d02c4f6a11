//! A hand that drives a store in turns, for the tests of this crate: it keeps the books that the
//! engine would keep.
#![allow(dead_code, unreachable_pub, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Code, Result};
use tasker_core::id::{IdSource, LaneId, OperationId, RunId, Seq, TaskId};
use tasker_core::journal::Transition;
use tasker_core::query::{Query, Sort};
use tasker_core::read::{Find, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Batch, Change, Commit, Lane, Lookups, Note, Operation, Refused, Start, Store, Transaction,
};
use tasker_core::task::{
    AttemptEnd, Cause, Json, Level, LogLine, NewTask, Priority, Progress, StartTime, Tally, TaskEnd,
};
use tasker_core::time::WallMs;
use tasker_sqlite::{Durability, Location, Options, SqliteReader, SqliteStore, open};
use tempfile::TempDir;

/// An open store and its books.
pub struct Hand {
    pub store: Box<SqliteStore>,
    pub reader: SqliteReader,
    ids: IdSource,
    number: u64,
    pub seq_next: u64,
    pub lane_next: u64,
    pub counts: Counts,
    pub clock: i64,
    /// The lane of each task that was added.
    lanes: BTreeMap<Seq, LaneId>,
}

/// The lane in which tests that do not care have their tasks.
pub const LANE: LaneId = LaneId(1);

/// A task that was added.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub seq: Seq,
    pub id: TaskId,
}

pub fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.db");
    (folder, path)
}

/// In a child process: says that it has come so far, and waits to be killed.
pub fn wait_to_be_killed() {
    std::io::stdout().write_all(b"open\n").unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

pub fn try_open(path: &Path) -> Result<(SqliteStore, SqliteReader)> {
    open(
        &Location::file(path).unwrap(),
        Options { durability: Durability::Process, exclusive: true },
    )
}

/// Opens beside the handles that are open.
pub fn share(path: &Path) -> Result<(SqliteStore, SqliteReader)> {
    open(
        &Location::file(path).unwrap(),
        Options { durability: Durability::Process, exclusive: false },
    )
}

impl Hand {
    pub fn beside(path: &Path) -> Hand {
        Hand::on(share(path).unwrap())
    }

    /// Takes over the books of the last commit, whoever made it.
    pub fn catch_up(&mut self) {
        let head = self.store.begin_read().unwrap().head().unwrap();
        (self.number, self.seq_next, self.counts) = (head.number, head.seq_next.0, head.counts);
        self.lane_next = head.lane_next;
    }

    pub fn open(path: &Path) -> Hand {
        Hand::on(try_open(path).unwrap())
    }

    pub fn in_memory() -> Hand {
        Hand::on(open(&Location::memory(), Options::default()).unwrap())
    }

    pub fn on((store, reader): (SqliteStore, SqliteReader)) -> Hand {
        let mut store = Box::new(store);
        let ids = IdSource::new(store.id_key(), [store.owner().0 as u8; 32]);
        let head = store.begin_read().unwrap().head().unwrap();
        Hand {
            store,
            reader,
            ids,
            number: head.number,
            seq_next: head.seq_next.0,
            lane_next: head.lane_next,
            counts: head.counts,
            clock: 1_000,
            lanes: BTreeMap::new(),
        }
    }

    pub fn close(self) {
        drop(self.reader);
        self.store.close().unwrap();
    }

    pub fn tick(&mut self) -> WallMs {
        self.clock += 1;
        WallMs(self.clock)
    }

    pub fn batch(&mut self, changes: Vec<Change>) -> Batch {
        Batch {
            number: self.number + 1,
            owner: self.store.owner(),
            at: WallMs(self.clock),
            seq_next: Seq(self.seq_next),
            lane_next: self.lane_next,
            counts: self.counts,
            changes,
            notes: Vec::new(),
        }
    }

    pub fn try_turn(&mut self, changes: Vec<Change>) -> Result<Commit> {
        let mut batch = self.batch(changes);
        let mut transaction = self.store.begin(&Lookups::default)?;
        batch.notes = notes_of(transaction.as_mut(), &batch.changes)?;
        let commit = transaction.commit(&batch);
        self.number += u64::from(matches!(commit, Commit::Committed));
        Ok(commit)
    }

    /// A turn that must succeed.
    pub fn turn(&mut self, changes: Vec<Change>) {
        let commit = self.try_turn(changes).unwrap();
        assert!(matches!(commit, Commit::Committed), "{commit:?}");
    }

    /// Which of these changes is refused by its guard.
    pub fn refused(&mut self, changes: Vec<Change>) -> usize {
        match self.try_turn(changes).unwrap() {
            Commit::Refused(Refused { change, error }) if error.code() == Code::Fenced => change,
            other => panic!("{other:?}"),
        }
    }

    /// Makes an operation known; the lane of its tasks.
    pub fn lane(&mut self, id: u16, name: &str) -> Lane {
        let operation = Operation::new(OperationId(id), name);
        self.turn(vec![Change::Operation(operation.clone().into())]);
        Lane { id: LaneId::new(operation.id, 0), operation: operation.name }
    }

    fn lane_of(&self, seq: Seq) -> LaneId {
        self.lanes.get(&seq).copied().unwrap_or(LANE)
    }

    /// The change that adds a task.
    pub fn adding(&mut self, lane: &Lane, def: NewTask) -> (Task, Change) {
        let at = self.tick();
        let seq = Seq(self.seq_next);
        self.seq_next += 1;
        let id = self.ids.task(seq, at);
        self.lanes.insert(seq, lane.id);
        self.lane_next = self.lane_next.max(lane.id.n() + 1);
        self.counts.enter(State::Ready);
        (Task { seq, id }, Change::Add { seq, id, lane: lane.id, def, at, start: None })
    }

    pub fn add(&mut self, lane: &Lane, def: NewTask) -> Task {
        let (task, change) = self.adding(lane, def);
        self.turn(vec![change]);
        task
    }

    /// Adds a task that is due then.
    pub fn add_delayed(&mut self, lane: &Lane, due_at: i64) -> Task {
        let (seq, at, due_at) = (Seq(self.seq_next), self.tick(), WallMs(due_at));
        self.seq_next += 1;
        let id = self.ids.task(seq, at);
        self.lanes.insert(seq, lane.id);
        self.lane_next = self.lane_next.max(lane.id.n() + 1);
        self.counts.enter(State::Delayed);
        let mut def = def("1", 0.0);
        def.options.start_time = Some(StartTime::At(due_at));
        self.turn(vec![Change::AddDelayed { seq, id, lane: lane.id, def, at, due_at }]);
        Task { seq, id }
    }

    /// Adds a task that depends on these, of which none has ended.
    pub fn add_blocked(&mut self, lane: &Lane, on: &[Task]) -> Task {
        let (seq, at) = (Seq(self.seq_next), self.tick());
        self.seq_next += 1;
        let id = self.ids.task(seq, at);
        self.lanes.insert(seq, lane.id);
        self.lane_next = self.lane_next.max(lane.id.n() + 1);
        self.counts.enter(State::Blocked);
        let mut def = def("1", 0.0);
        let uuids = on.iter().map(|one| Dependency::Task(one.id)).collect();
        let on_failure = OnFailure::Abort;
        def.options.depends_on =
            Some(Arc::new(Dependencies { on: uuids, on_failure, is_list: false }));
        let add = Change::AddBlocked { seq, id, lane: lane.id, def, at };
        let dependencies = on.iter().map(|one| (one.seq, false)).collect();
        self.turn(vec![add, Change::DependOn { seq, dependencies }]);
        Task { seq, id }
    }

    pub fn starting(&mut self, seq: Seq, attempt: u32) -> (RunId, Change) {
        let at = self.tick();
        let run = self.ids.run(at);
        self.counts.shift(State::Ready, State::Running);
        let (priority, start) = (Priority::default(), Start { run, attempt, at });
        (run, Change::Start { seq, lane: self.lane_of(seq), priority, start, is_due: false })
    }

    pub fn start(&mut self, task: Task, attempt: u32) -> RunId {
        let (run, change) = self.starting(task.seq, attempt);
        self.turn(vec![change]);
        run
    }

    pub fn ending(&mut self, seq: Seq, run: Option<RunId>, outcome: TaskEnd) -> Change {
        let from = if run.is_some() { State::Running } else { State::Ready };
        self.counts.shift(from, outcome.state());
        let (priority, at) = (Priority::default(), self.tick());
        Change::End { seq, lane: self.lane_of(seq), priority, run, outcome, at }
    }

    pub fn end(&mut self, task: Task, run: Option<RunId>, outcome: TaskEnd) {
        let change = self.ending(task.seq, run, outcome);
        self.turn(vec![change]);
    }

    pub fn releasing(&mut self, seq: Seq, run: RunId, end: AttemptEnd) -> Change {
        self.counts.shift(State::Running, State::Ready);
        let (priority, at) = (Priority::default(), self.tick());
        let tally = Tally { attempt: 1, failures: 0, losses: u32::from(end == AttemptEnd::Lost) };
        let (error, due_at) = (None, None);
        Change::Release {
            seq,
            lane: self.lane_of(seq),
            priority,
            run,
            end,
            error,
            tally,
            due_at,
            at,
        }
    }

    pub fn find(&mut self, query: &str, sort: Option<&str>, limit: Option<u64>) -> Vec<u64> {
        self.find_from(query, sort, (0, limit))
    }

    pub fn find_from(
        &mut self,
        query: &str,
        sort: Option<&str>,
        (skip, limit): (u64, Option<u64>),
    ) -> Vec<u64> {
        let find = Find {
            sort: sort.map(|sort| Sort::parse(sort).unwrap()),
            skip,
            limit,
            logs: Some(WithLogs { level_max: Level::Debug }),
            ..Find::all(Query::parse(query).unwrap())
        };
        let found = self.reader.find(&find, &|| false).unwrap();
        found.iter().map(|found| found.task.seq.0).collect()
    }

    pub fn count(&mut self, query: &str) -> u64 {
        self.reader.count(&Query::parse(query).unwrap(), &|| false).unwrap()
    }
}

pub fn def(data: &str, priority: f64) -> NewTask {
    let priority = Priority::new(priority).unwrap();
    NewTask { data: Some(Json::trusted(data)), priority, ..NewTask::new("read-book") }
}

pub fn done() -> TaskEnd {
    TaskEnd::Done(Some(Json::trusted(r#"{"ok":true}"#)))
}

pub fn failed() -> TaskEnd {
    TaskEnd::Failed(Cause::Error, Json::trusted(r#"{"name":"Error","message":"no"}"#))
}

pub fn aborted() -> TaskEnd {
    TaskEnd::Aborted(Cause::User, Json::trusted(r#"{"name":"AbortError","message":"no"}"#))
}

pub fn line(n: u32, level: Level) -> LogLine {
    LogLine { n, attempt: 1, level, at: WallMs(5), message: "hm".into(), fields: None }
}

pub fn progress(current: f64) -> Progress {
    Progress { current, total: Some(10.0), unit: Some("page".into()) }
}

/// Everything in the folder, by name.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What tasks were before those changes that do not say so. Of a task that is not there a change is
/// refused, whatever is said.
fn notes_of(transaction: &mut dyn Transaction, changes: &[Change]) -> Result<Vec<Note>> {
    let (mut states, mut notes) = (BTreeMap::new(), Vec::new());
    for step in changes.iter().filter_map(Transition::of) {
        let rule = step.kind.rule();
        let state = match states.get(&step.seq) {
            Some(state) => Some(*state),
            None if rule.is_entry() || !rule.is_of_task() => None,
            None => transaction.states(&[step.seq])?.pop().flatten().map(|(_, state)| state),
        };
        if rule.needs_note() {
            let state = state.unwrap_or(State::Ready);
            notes.push(Note { state, priority: None, id: None });
        }
        states.extend(rule.leads_to(state).map(|state| (step.seq, state)));
    }
    Ok(notes)
}
