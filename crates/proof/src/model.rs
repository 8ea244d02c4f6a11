//! The store as simply as it can be said: maps in memory, and a transaction that is a copy of them.
//!
//! What SQLite does with indexes, guards in statements and lock files is done here by looking at
//! every task. Slow on purpose: there is nothing in it to be wrong about.
//!
//! # Promises
//! - The whole contract of [`tasker_core::store`], checked by the same cases as any backend.
//!
//! Proof: `tests/model.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_core::document::{default_order, value};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{AddKey, IdKey, LaneId, OwnerId, RunId, Seq, TaskId};
use tasker_core::query::{Fields, Query};
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Batch, Brief, Cancelled, Change, Commit, Find, Found, Head, Lane, Orphan, Reader, Refused,
    Start, Store, Waiting, Window, WindowSize, WithLogs,
};
use tasker_core::task::{Attempt, AttemptEnd, Cause, LogLine, Outcome, TaskRecord};
use tasker_core::time::WallMs;

use crate::conformance::{Handle, Lab};

/// A database: what lies on the disk, and who has it open.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    saved: Image,
    open_by: Option<OwnerId>,
    owners: u64,
}

/// All that one commit leaves behind.
#[derive(Clone, Debug)]
struct Image {
    head: Head,
    lanes: BTreeMap<LaneId, Lane>,
    tasks: BTreeMap<Seq, Row>,
    keys: BTreeMap<AddKey, Seq>,
}

impl Default for Image {
    fn default() -> Self {
        let head = Head { number: 0, seq_next: Seq(1), counts: Counts::default() };
        let (lanes, tasks, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { head, lanes, tasks, keys }
    }
}

#[derive(Clone, Debug)]
struct Row {
    task: TaskRecord,
    lane: LaneId,
    owner: OwnerId,
    losses: u32,
    logs: Vec<LogLine>,
}

impl Disk {
    /// A reader of what is committed, whoever has the disk open.
    pub fn reader(&self) -> ModelReader {
        ModelReader(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lab for Disk {
    fn open(&self) -> Result<Handle> {
        let mut contents = self.lock();
        if contents.open_by.is_some() {
            let error = Error::new(Code::Locked, "another handle holds the model");
            return Err(error.with_pid(std::process::id()));
        }
        contents.owners += 1;
        let owner = OwnerId(contents.owners);
        contents.open_by = Some(owner);
        let store = Box::new(ModelStore { disk: self.clone(), owner, open: None });
        Ok(Handle { store, reader: Box::new(ModelReader(self.clone())) })
    }
}

/// The writing side. Dropped, it leaves its owner dead; closing it does no more.
#[derive(Debug)]
pub struct ModelStore {
    disk: Disk,
    owner: OwnerId,
    open: Option<Image>,
}

impl Drop for ModelStore {
    fn drop(&mut self) {
        self.disk.lock().open_by = None;
    }
}

impl ModelStore {
    /// What a look at the store sees: the open transaction, else the last commit.
    fn image(&self) -> Image {
        self.open.clone().unwrap_or_else(|| self.disk.lock().saved.clone())
    }
}

impl Store for ModelStore {
    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn id_key(&self) -> IdKey {
        IdKey(0x5eed_0f00_0b00_c0de)
    }

    fn begin(&mut self) -> Result<()> {
        self.open = Some(self.disk.lock().saved.clone());
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.image().head)
    }

    fn lanes(&mut self) -> Result<Vec<Lane>> {
        Ok(self.image().lanes.into_values().collect())
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        let mut rows: Vec<_> = self.image().tasks.into_values().collect();
        rows.retain(|row| row.task.state == State::Running && row.owner != self.owner);
        rows.sort_by(Row::in_queue_order);
        Ok(rows.iter().filter_map(Row::orphan).collect())
    }

    fn window(&mut self, lane: &Lane, size: WindowSize) -> Result<Window> {
        let mut rows: Vec<_> = self.image().tasks.into_values().collect();
        rows.retain(|row| row.task.state == State::Ready && row.lane == lane.id);
        rows.sort_by(Row::in_queue_order);
        let (mut tasks, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            if tasks.len() == size.tasks_max || (!tasks.is_empty() && bytes > size.bytes_max) {
                break;
            }
            bytes += row.task.def.data.as_ref().map_or(0, |data| data.as_str().len());
            tasks.push(row.waiting());
        }
        Ok(Window { is_complete: tasks.len() == rows.len(), tasks })
    }

    fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        Ok(self.image().tasks.get(&seq).map(Row::brief))
    }

    fn keyed(&mut self, key: AddKey) -> Result<Option<TaskId>> {
        let image = self.image();
        let seq = image.keys.get(&key);
        Ok(seq.and_then(|seq| image.tasks.get(seq)).map(|row| row.task.id))
    }

    fn write(&mut self, batch: &Batch) -> std::result::Result<(), Refused> {
        let image = self.open.as_mut().ok_or_else(|| Error::bug("no transaction is open"))?;
        for (i, change) in batch.changes.iter().enumerate() {
            if image.apply(change, batch.owner).is_none() {
                let error = Error::new(Code::Fenced, "the guard of a change does not hold");
                return Err(Refused { error, change: Some(i) });
            }
        }
        let Batch { number, seq_next, counts, .. } = *batch;
        image.head = Head { number, seq_next, counts };
        Ok(())
    }

    fn commit(&mut self) -> Commit {
        if let Some(image) = self.open.take() {
            self.disk.lock().saved = image;
        }
        Commit::Committed
    }

    fn rollback(&mut self) {
        self.open = None;
    }

    fn tidy(&mut self, _is_idle: bool) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Image {
    /// Applies a change; nothing if its guard does not hold.
    fn apply(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        match change {
            Change::Lane(lane) => {
                self.lanes.insert(lane.id, lane.clone());
                Some(())
            }
            Change::Add { .. } => self.add(change, owner),
            Change::Key { key, seq } => {
                let is_new = !self.keys.contains_key(key);
                is_new.then(|| self.keys.insert(*key, *seq)).map(drop)
            }
            Change::Start { seq, start } => self.ready(*seq)?.start(*start, owner),
            Change::End { seq, run, outcome, at } => {
                let row = match run {
                    Some(run) => self.running(*seq, *run)?,
                    None => self.ready(*seq)?,
                };
                row.end(outcome, *at)
            }
            Change::Release { seq, run, end, attempt, losses, at } => {
                let row = self.running(*seq, *run)?;
                row.close_attempt(*end, *at);
                (row.task.state, row.task.attempt, row.losses) = (State::Ready, *attempt, *losses);
                row.task.progress = None;
                Some(())
            }
            Change::Prioritize { seq, priority } => {
                self.ready(*seq)?.task.def.priority = *priority;
                Some(())
            }
            Change::Progress { seq, run, progress } => {
                self.running(*seq, *run)?.task.progress = Some(progress.clone());
                Some(())
            }
            Change::Log { seq, run, line } => {
                self.running(*seq, *run)?.logs.push(line.clone());
                Some(())
            }
        }
    }

    fn add(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        let Change::Add { seq, id, lane, def, at, start } = change else { return None };
        if self.tasks.contains_key(seq) {
            return None;
        }
        let task = TaskRecord {
            seq: *seq,
            id: *id,
            def: def.clone(),
            state: State::Ready,
            created_at: *at,
            started_at: None,
            ended_at: None,
            attempt: 0,
            outcome: None,
            progress: None,
            attempts: Vec::new(),
        };
        let row = Row { task, lane: *lane, owner, losses: 0, logs: Vec::new() };
        let row = self.tasks.entry(*seq).or_insert(row);
        start.map_or(Some(()), |start| row.start(start, owner))
    }

    fn ready(&mut self, seq: Seq) -> Option<&mut Row> {
        self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Ready)
    }

    fn running(&mut self, seq: Seq, run: RunId) -> Option<&mut Row> {
        let row = self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Running)?;
        (row.task.attempts.last()?.run == run).then_some(row)
    }
}

impl Row {
    fn in_queue_order(&self, other: &Self) -> std::cmp::Ordering {
        let by_priority = other.task.def.priority.cmp(&self.task.def.priority);
        by_priority.then(self.task.seq.cmp(&other.task.seq))
    }

    fn start(&mut self, start: Start, owner: OwnerId) -> Option<()> {
        let Start { run, attempt, at } = start;
        let live = Attempt { attempt, run, started_at: at, ended_at: None, end: None };
        self.task.attempts.push(live);
        (self.task.state, self.task.attempt, self.owner) = (State::Running, attempt, owner);
        self.task.started_at = Some(at);
        Some(())
    }

    fn end(&mut self, outcome: &Outcome, at: WallMs) -> Option<()> {
        if self.task.state == State::Running {
            let end = match (outcome, outcome.cause()) {
                (_, Some(Cause::Lost | Cause::Poison)) => AttemptEnd::Lost,
                (Outcome::Done(_), _) => AttemptEnd::Done,
                (Outcome::Failed(..), _) => AttemptEnd::Failed,
                (Outcome::Aborted(..), _) => AttemptEnd::Aborted,
            };
            self.close_attempt(end, at);
        }
        (self.task.state, self.task.ended_at) = (outcome.state(), Some(at));
        self.task.outcome = Some(outcome.clone());
        Some(())
    }

    fn close_attempt(&mut self, end: AttemptEnd, at: WallMs) {
        if let Some(live) = self.task.attempts.last_mut() {
            (live.end, live.ended_at) = (Some(end), Some(at));
        }
    }

    fn waiting(&self) -> Waiting {
        let TaskRecord { seq, id, attempt, .. } = self.task;
        let (def, losses) = (self.task.def.clone(), self.losses);
        Waiting { seq, id, def, attempt, losses, logs: self.logs.len() as u32 }
    }

    fn orphan(&self) -> Option<Orphan> {
        let TaskRecord { seq, id, attempt, .. } = self.task;
        let run = self.task.attempts.last()?.run;
        let on_interrupted = self.task.def.on_interrupted;
        Some(Orphan { seq, id, run, attempt, losses: self.losses, on_interrupted })
    }

    fn brief(&self) -> Brief {
        let TaskRecord { id, state, .. } = self.task;
        let (priority, outcome) = (self.task.def.priority, self.task.outcome.clone());
        Brief { id, lane: self.lane, state, priority, outcome }
    }

    fn found(&self, logs: Option<WithLogs>) -> Found {
        let pick = |level_max| self.logs.iter().filter(move |line| line.level <= level_max);
        let logs = logs.map(|with| pick(with.level_max).cloned().collect());
        Found { task: self.task.clone(), logs }
    }
}

/// The reading side.
#[derive(Debug)]
pub struct ModelReader(Disk);

/// Tasks looked at before the caller is asked whether to go on.
const PAGE: usize = 1_000;

impl ModelReader {
    fn matching(&self, query: &Query, cancelled: Cancelled<'_>) -> Result<Vec<Row>> {
        let rows: Vec<_> = self.0.lock().saved.tasks.values().cloned().collect();
        let mut matching = Vec::new();
        for (i, row) in rows.into_iter().enumerate() {
            if (i + 1) % PAGE == 0 && cancelled() {
                return Err(Error::new(Code::Closed, "the read was cancelled"));
            }
            if query.matches(&value(&row.task, Fields::ALL)?) {
                matching.push(row);
            }
        }
        matching.sort_by(|a, b| default_order(&a.task, &b.task));
        Ok(matching)
    }
}

impl Reader for ModelReader {
    fn get(&mut self, id: TaskId, logs: Option<WithLogs>) -> Result<Option<Found>> {
        let contents = self.0.lock();
        let row = contents.saved.tasks.values().find(|row| row.task.id == id);
        Ok(row.map(|row| row.found(logs)))
    }

    fn find(&mut self, find: &Find, cancelled: Cancelled<'_>) -> Result<Vec<Found>> {
        let mut rows = self.matching(&find.query, cancelled)?;
        if let Some(sort) = &find.sort {
            let values = rows.iter().map(|row| value(&row.task, Fields::ALL));
            let values = values.collect::<Result<Vec<_>>>()?;
            let mut pairs: Vec<_> = values.into_iter().zip(rows).collect();
            pairs.sort_by(|(a, _), (b, _)| sort.compare(a, b));
            rows = pairs.into_iter().map(|(_, row)| row).collect();
        }
        let skip = usize::try_from(find.skip).unwrap_or(usize::MAX);
        let limit = find.limit.and_then(|limit| usize::try_from(limit).ok());
        let cut = rows.iter().skip(skip).take(limit.unwrap_or(usize::MAX));
        Ok(cut.map(|row| row.found(find.logs)).collect())
    }

    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        Ok(self.matching(query, cancelled)?.len() as u64)
    }
}
