//! The store as simply as it can be said: maps in memory, and a transaction that is a copy of them.
//! Owners wait for each other, or ([`Disk::optimistic`]) overtake each other.
//!
//! What SQLite does with indexes, guards in statements and lock files is done here by looking at
//! every task. Slow on purpose: there is nothing in it to be wrong about.
//!
//! # Promises
//! - The whole contract of [`tasker_core::store`], checked by the same cases as any backend.
//!
//! Proof: `tests/model.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tasker_core::document::{default_order, value};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, IdempotencyKey, LaneId, OperationId, OwnerId, RunId, Seq, TaskId};
use tasker_core::journal;
use tasker_core::limits::ATTEMPTS_KEPT_MAX;
use tasker_core::query::{Fields, Query};
use tasker_core::queue::QueueKey;
use tasker_core::read::{Cancelled, Find, Found, ReadBudget, Reader, WithLogs};
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Batch, Brief, Change, Commit, Entry, Head, LaneHead, Operation, Orphan, Preview,
    ReadTransaction, ReadyTask, Refused, Start, Store, Transaction, Waker, Window, WindowQuery,
};
use tasker_core::task::{
    AbortReason, Attempt, AttemptEnd, AttemptError, Json, LogLine, NewTask, Priority, StartTime,
    TaskEnd, TaskRecord,
};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use crate::conformance::{Backend, Handle};

/// A database: what lies on the disk, and who has it open.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    saved: Image,
    /// Those that live.
    owners: BTreeSet<OwnerId>,
    owners_ever: u64,
    /// Who holds the write lock.
    writer: Option<OwnerId>,
    /// Whether there is no lock, and whoever commits first overtakes the others.
    is_optimistic: bool,
}

/// All that one commit leaves behind.
#[derive(Clone, Debug)]
struct Image {
    head: Head,
    operations: BTreeMap<OperationId, Operation>,
    names: BTreeSet<Arc<str>>,
    tasks: BTreeMap<Seq, Row>,
    journal: Vec<Entry>,
    keys: BTreeMap<IdempotencyKey, Seq>,
    timers: BTreeSet<Timer>,
}

impl Default for Image {
    fn default() -> Self {
        let head = Head { number: 0, seq_next: Seq(1), counts: Counts::default() };
        let (operations, tasks, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (names, journal, timers) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        Self { head, operations, names, tasks, journal, keys, timers }
    }
}

#[derive(Clone, Debug)]
struct Row {
    task: TaskRecord,
    lane: LaneId,
    owner: OwnerId,
    failures: u32,
    losses: u32,
    logs: Vec<LogLine>,
    /// Why its run is to be aborted.
    abort: Option<AbortReason>,
    /// Whether it ended with its last attempt, and not while it waited.
    has_last_run: bool,
}

impl Disk {
    /// A database without a write lock, as on a server that is far away: a transaction that another
    /// one overtook is not committed.
    pub fn optimistic() -> Self {
        let disk = Disk::default();
        disk.lock().is_optimistic = true;
        disk
    }

    /// A reader of what is committed, whoever has the disk open.
    pub fn reader(&self) -> ModelReader {
        ModelReader(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Disk {
    fn open(&self) -> Result<Handle> {
        let mut contents = self.lock();
        contents.owners_ever += 1;
        let owner = OwnerId(contents.owners_ever);
        contents.owners.insert(owner);
        let store = Box::new(ModelStore { disk: self.clone(), owner, seen: None });
        Ok(Handle { store, reader: Box::new(ModelReader(self.clone())) })
    }
}

/// The writing side. Dropped, it leaves its owner dead; closing it does no more.
#[derive(Debug)]
pub struct ModelStore {
    disk: Disk,
    owner: OwnerId,
    /// The number of the last batch that we wrote or were told of.
    seen: Option<u64>,
}

impl Drop for ModelStore {
    fn drop(&mut self) {
        self.disk.lock().owners.remove(&self.owner);
    }
}

impl ModelStore {
    fn transaction(&mut self, image: Image) -> ModelTransaction<'_> {
        let number = image.head.number;
        let has_news = self.seen.replace(number) != Some(number);
        ModelTransaction { store: self, image, has_news }
    }
}

impl Store for ModelStore {
    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn id_key(&self) -> IdKey {
        IdKey(0x5eed_0f00_0b00_c0de)
    }

    fn refresh_owners(&mut self) -> Result<()> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.disk.lock().owners.len() > 1
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        self.is_shared().then_some(250)
    }

    fn set_waker(&mut self, _waker: Waker) {}

    fn begin<'s>(&'s mut self, _preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        let mut contents = self.disk.lock();
        if contents.writer.is_some() && !contents.is_optimistic {
            return Err(Error::new(Code::Busy, "another handle writes to the model"));
        }
        contents.writer = Some(self.owner);
        let image = contents.saved.clone();
        drop(contents);
        Ok(Box::new(self.transaction(image)))
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        let image = self.disk.lock().saved.clone();
        Ok(Box::new(self.transaction(image)))
    }

    fn maintain(&mut self, _is_idle: bool) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// A copy of everything, as it stood at `begin`.
struct ModelTransaction<'s> {
    store: &'s mut ModelStore,
    image: Image,
    has_news: bool,
}

impl Drop for ModelTransaction<'_> {
    fn drop(&mut self) {
        let owner = self.store.owner;
        self.store.disk.lock().writer.take_if(|writer| *writer == owner);
    }
}

impl ReadTransaction for ModelTransaction<'_> {
    fn has_news(&self) -> bool {
        self.has_news
    }

    fn head(&mut self) -> Result<Head> {
        Ok(self.image.head)
    }

    fn journal(&mut self, after: u64, batches_max: usize) -> Result<Vec<Entry>> {
        let entries = self.image.journal.iter().filter(|entry| entry.number > after);
        Ok(entries.take(batches_max).cloned().collect())
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        Ok(self.image.operations.values().cloned().collect())
    }

    fn heads(&mut self, after: LaneId, heads_max: usize) -> Result<Vec<LaneHead>> {
        let mut heads: BTreeMap<LaneId, LaneHead> = BTreeMap::new();
        for row in self.image.queue().into_iter().filter(|row| row.lane > after) {
            let (lane, first) = (row.lane, row.key());
            match heads.get_mut(&lane) {
                Some(head) => head.next = head.next.or(Some(first)),
                None => drop(heads.insert(lane, LaneHead { lane, first, next: None })),
            }
        }
        Ok(heads.into_values().take(heads_max).collect())
    }

    fn remote_runs(&mut self) -> Result<Vec<(LaneId, u32)>> {
        let mut lanes = BTreeMap::new();
        for row in self.image.tasks.values() {
            if row.task.state == State::Running && row.owner != self.store.owner {
                *lanes.entry(row.lane).or_default() += 1;
            }
        }
        Ok(lanes.into_iter().collect())
    }

    fn orphans(&mut self) -> Result<Vec<Orphan>> {
        let living = self.store.disk.lock().owners.clone();
        let is_orphan =
            |row: &&Row| row.task.state == State::Running && !living.contains(&row.owner);
        let mut rows: Vec<_> = self.image.tasks.values().filter(is_orphan).collect();
        rows.sort_by(|one, other| one.in_queue_order(other));
        Ok(rows.into_iter().filter_map(Row::orphan).collect())
    }

    fn windows(&mut self, windows: &[WindowQuery], bytes_max: usize) -> Result<Vec<Window>> {
        let mut left = Some(bytes_max);
        let mut found = Vec::new();
        for query in windows {
            if left.is_some() {
                found.push(self.image.window(query, &mut left));
            }
        }
        Ok(found)
    }

    fn timers(&mut self, at: RangeInclusive<WallMs>, max: usize) -> Result<Vec<Timer>> {
        let timers = self.image.timers.iter().filter(|timer| at.contains(&timer.at));
        Ok(timers.take(max).copied().collect())
    }

    fn contents(
        &mut self,
        tasks: &[(Seq, Arc<str>)],
        bytes_max: usize,
    ) -> Result<Vec<Option<ReadyTask>>> {
        let mut left = Some(bytes_max);
        let mut found = Vec::new();
        for (seq, _) in tasks {
            if left.is_some() {
                found.push(self.image.tasks.get(seq).map(|row| row.taken(&mut left)));
            }
        }
        Ok(found)
    }

    fn briefs(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Brief>>> {
        Ok(seqs.iter().map(|seq| self.image.tasks.get(seq).map(Row::brief)).collect())
    }

    fn find_by_keys(&mut self, keys: &[IdempotencyKey]) -> Result<Vec<Option<TaskId>>> {
        let Image { keys: known, tasks, .. } = &self.image;
        let find = |key| known.get(key).and_then(|seq| tasks.get(seq)).map(|row| row.task.id);
        Ok(keys.iter().map(find).collect())
    }

    fn last_errors(&mut self, seqs: &[Seq]) -> Result<Vec<Option<Json>>> {
        let error = |seq| {
            let history = self.image.tasks.get(seq)?.history();
            history.last()?.error.as_ref().map(|error| error.error.clone())
        };
        Ok(seqs.iter().map(error).collect())
    }

    fn abort_requests(&mut self, runs: &[(Seq, RunId)]) -> Result<Vec<Option<AbortReason>>> {
        let image = &mut self.image;
        let reason = |(seq, run): &(Seq, RunId)| image.running(*seq, *run)?.abort.clone();
        Ok(runs.iter().map(reason).collect())
    }
}

impl Transaction for ModelTransaction<'_> {
    fn commit(mut self: Box<Self>, batch: &Batch) -> Commit {
        let seen = self.image.head.number;
        if self.store.disk.lock().saved.head.number != seen {
            return Commit::Overtaken;
        }
        for (change, what) in batch.changes.iter().enumerate() {
            if self.image.apply(what, batch.owner).is_none() {
                let error = Error::new(Code::Fenced, "the guard of a change does not hold");
                return Commit::Refused(Refused { change, error });
            }
        }
        let Batch { number, seq_next, counts, owner, .. } = *batch;
        self.image.head = Head { number, seq_next, counts };
        let transitions = journal::pack(batch).into();
        self.image.journal.push(Entry { number, owner, transitions });
        self.store.seen = Some(number);
        self.store.disk.lock().saved = std::mem::take(&mut self.image);
        Commit::Committed
    }
}

impl Image {
    /// The number and the name are new, or the version is the next one.
    fn record(&mut self, operation: &Operation) -> Option<()> {
        let Operation { id, name, record } = operation;
        let is_next = match self.operations.get(id) {
            Some(old) => old.name == *name && old.record.version + 1 == record.version,
            None => record.version == 1 && self.names.insert(name.clone()),
        };
        is_next.then(|| self.operations.insert(*id, operation.clone())).map(drop)
    }

    /// Applies a change; nothing if its guard does not hold.
    fn apply(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        match change {
            Change::Operation(operation) => self.record(operation),
            Change::RequestAbort { seq, run, abort, .. } => {
                self.running(*seq, *run)?.abort.get_or_insert(abort.clone());
                Some(())
            }
            Change::Add { .. } => self.add(change, owner),
            Change::Key { key, seq } => {
                let is_new = !self.keys.contains_key(key);
                is_new.then(|| self.keys.insert(*key, *seq)).map(drop)
            }
            Change::AddDelayed { seq, id, lane, def, at, due_at } => {
                let (seq, id, lane, def, at) = (*seq, *id, *lane, def.clone(), *at);
                let add = Change::Add { seq, id, lane, def, at, start: None };
                self.add(&add, owner)?;
                self.timers.insert(Timer { at: *due_at, kind: TimerKind::Due, seq });
                self.ready(seq)?.task.state = State::Delayed;
                Some(())
            }
            Change::Due { seq, lane, priority } => {
                self.delayed(*seq)?.at(*lane, *priority).task.state = State::Ready;
                Some(())
            }
            Change::Fired(last) => {
                self.timers.retain(|timer| timer > last);
                Some(())
            }
            Change::Start { seq, lane, priority, start, is_due } => {
                let row = if *is_due { self.delayed(*seq)? } else { self.ready(*seq)? };
                row.at(*lane, *priority).start(*start, owner)
            }
            Change::End { seq, lane, priority, run, outcome, at } => {
                let row = match run {
                    Some(run) => self.running(*seq, *run)?,
                    None => self.waiting(*seq)?,
                };
                row.at(*lane, *priority).end(outcome, *at)
            }
            Change::Release { .. } => self.release(change),
            Change::Reopen { seq, lane, priority, end, kept } => {
                let row = self.tasks.get_mut(seq).filter(|row| row.task.state.is_final())?;
                row.at(*lane, *priority).reopen(*end, kept.clone());
                Some(())
            }
            Change::Delay { seq, lane, priority, due_at } => {
                self.ready(*seq)?.at(*lane, *priority);
                self.delay(*seq, *due_at)
            }
            Change::Prioritize { seq, lane, from, to, is_queued } => {
                let row = if *is_queued { self.ready(*seq)? } else { self.delayed(*seq)? };
                row.at(*lane, *from).task.def.priority = *to;
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

    fn release(&mut self, change: &Change) -> Option<()> {
        let Change::Release { seq, lane, priority, run, end, error, tally, due_at, at } = change
        else {
            return None;
        };
        let row = self.running(*seq, *run)?.at(*lane, *priority);
        row.close_attempt(*end, *at);
        if let Some(closed) = row.task.attempts.last_mut() {
            closed.error.clone_from(error);
        }
        row.task.state = State::Ready;
        (row.task.attempt, row.failures) = (tally.attempt, tally.failures);
        row.losses = tally.losses;
        row.go_on();
        due_at.map_or(Some(()), |due_at| self.delay(*seq, due_at))
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
            attempts_left_out: 0,
        };
        let (failures, losses, logs, abort) = (0, 0, Vec::new(), None);
        let row =
            Row { task, lane: *lane, owner, failures, losses, logs, abort, has_last_run: false };
        let row = self.tasks.entry(*seq).or_insert(row);
        start.map_or(Some(()), |start| row.start(start, owner))
    }

    /// A ready task waits until then.
    fn delay(&mut self, seq: Seq, due_at: WallMs) -> Option<()> {
        let task = &mut self.ready(seq)?.task;
        (task.state, task.def.options.start_time) = (State::Delayed, Some(StartTime::At(due_at)));
        self.timers.insert(Timer { at: due_at, kind: TimerKind::Due, seq });
        Some(())
    }

    /// The ready tasks in queue order.
    fn queue(&self) -> Vec<&Row> {
        let is_ready = |row: &&Row| row.task.state == State::Ready;
        let mut rows: Vec<_> = self.tasks.values().filter(is_ready).collect();
        rows.sort_by(|one, other| one.in_queue_order(other));
        rows
    }

    /// A window; `left` is what may still be read of data.
    fn window(&self, query: &WindowQuery, left: &mut Option<usize>) -> Window {
        let mut rows = self.queue();
        rows.retain(|row| row.lane == query.lane.id && row.key() >= query.from);
        let mut tasks = Vec::new();
        for row in rows.iter().take(query.tasks_max) {
            if left.is_none() {
                break;
            }
            tasks.push(row.taken(left));
        }
        Window { is_complete: tasks.len() == rows.len(), tasks }
    }

    /// A task that is ready, or delayed.
    fn waiting(&mut self, seq: Seq) -> Option<&mut Row> {
        let is_waiting = |row: &&mut Row| matches!(row.task.state, State::Delayed | State::Ready);
        self.tasks.get_mut(&seq).filter(is_waiting)
    }

    fn delayed(&mut self, seq: Seq) -> Option<&mut Row> {
        self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Delayed)
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
    /// The row, which must have the place in the queue that a change names: the journal tells the
    /// other owners of it.
    fn at(&mut self, lane: LaneId, priority: Priority) -> &mut Self {
        assert_eq!((lane, priority), (self.lane, self.task.def.priority), "{:?}", self.task);
        self
    }

    fn in_queue_order(&self, other: &Self) -> std::cmp::Ordering {
        let by_priority = other.task.def.priority.cmp(&self.task.def.priority);
        by_priority.then(self.task.seq.cmp(&other.task.seq))
    }

    fn start(&mut self, start: Start, owner: OwnerId) -> Option<()> {
        let Start { run, attempt, at } = start;
        let (ended_at, end, error, result) = (None, None, None, None);
        let live = Attempt { attempt, run, started_at: at, ended_at, end, error, result };
        self.task.attempts.push(live);
        (self.task.state, self.task.attempt, self.owner) = (State::Running, attempt, owner);
        self.task.started_at = Some(at);
        Some(())
    }

    fn end(&mut self, outcome: &TaskEnd, at: WallMs) -> Option<()> {
        if self.task.state == State::Running {
            self.close_attempt(outcome.attempt_end(), at);
            if let Some(closed) = self.task.attempts.last_mut() {
                closed.error = AttemptError::of(outcome);
            }
            self.has_last_run = true;
        }
        (self.task.state, self.task.ended_at) = (outcome.state(), Some(at));
        self.task.outcome = Some(outcome.clone());
        Some(())
    }

    /// The task waits for another run: what it had of the last one is history, which is bounded.
    fn go_on(&mut self) {
        (self.task.progress, self.abort, self.has_last_run) = (None, None, false);
        let excess = self.task.attempts.len().saturating_sub(ATTEMPTS_KEPT_MAX as usize - 1);
        self.task.attempts.drain(..excess);
        self.task.attempts_left_out += excess as u32;
    }

    fn reopen(&mut self, end: AttemptEnd, kept: Option<Json>) {
        if let Some(last) = self.task.attempts.last_mut().filter(|_| self.has_last_run) {
            last.end = Some(end);
            match &mut last.error {
                Some(error) => error.error = kept.unwrap_or_else(|| error.error.clone()),
                None => last.result = kept,
            }
        }
        (self.failures, self.losses) = (0, 0);
        (self.task.state, self.task.ended_at, self.task.outcome) = (State::Ready, None, None);
        self.go_on();
    }

    fn close_attempt(&mut self, end: AttemptEnd, at: WallMs) {
        if let Some(live) = self.task.attempts.last_mut() {
            (live.end, live.ended_at) = (Some(end), Some(at));
        }
    }

    /// The attempts but that of its last run, if it still has one or ended with it.
    fn history(&self) -> &[Attempt] {
        let all = &self.task.attempts;
        let has_run = self.has_last_run || self.task.state == State::Running;
        &all[..all.len() - usize::from(has_run)]
    }

    /// Its place in the queue.
    fn key(&self) -> QueueKey {
        QueueKey::new(self.task.def.priority, self.task.seq)
    }

    /// As its start needs it; `left` is what may still be read of data.
    fn taken(&self, left: &mut Option<usize>) -> ReadyTask {
        let bytes = self.task.def.bytes();
        *left = left.and_then(|left| left.checked_sub(bytes));
        self.waiting()
    }

    fn waiting(&self) -> ReadyTask {
        let TaskRecord { seq, id, created_at, attempt, .. } = self.task;
        let (def, failures, losses) = (self.task.def.clone(), self.failures, self.losses);
        let logs = self.logs.len() as u32;
        ReadyTask { seq, id, created_at, def, attempt, failures, losses, logs }
    }

    fn orphan(&self) -> Option<Orphan> {
        let TaskRecord { seq, id, attempt, .. } = self.task;
        let &Attempt { run, started_at, .. } = self.task.attempts.last()?;
        let NewTask { priority, ref options, .. } = self.task.def;
        let (lane, failures, losses) = (self.lane, self.failures, self.losses);
        let abort = self.abort.clone();
        Some(Orphan {
            seq,
            lane,
            priority,
            id,
            run,
            started_at,
            attempt,
            failures,
            losses,
            on_interrupted: options.on_interrupted,
            abort,
        })
    }

    fn brief(&self) -> Brief {
        let TaskRecord { id, state, .. } = self.task;
        let (priority, outcome) = (self.task.def.priority, self.task.outcome.clone());
        let live = self.task.attempts.last().filter(|_| state == State::Running);
        let run = live.map(|attempt| attempt.run);
        let latest_at = self.task.created_at.max(self.task.started_at.unwrap_or_default());
        let (lane, run_at) = (self.lane, self.task.def.options.run_at());
        Brief { id, lane, state, priority, run_at, run, latest_at, outcome }
    }

    fn found(&self, logs: Option<WithLogs>, budget: &mut ReadBudget) -> Result<Found> {
        budget.take_task(&self.task)?;
        let pick = |level_max| self.logs.iter().filter(move |line| line.level <= level_max);
        let logs: Option<Vec<_>> = logs.map(|with| pick(with.level_max).cloned().collect());
        logs.iter().flatten().try_for_each(|line| budget.take_line(line))?;
        Ok(Found { task: self.task.clone(), logs })
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
    fn get(
        &mut self,
        id: TaskId,
        logs: Option<WithLogs>,
        bytes_max: usize,
    ) -> Result<Option<Found>> {
        let contents = self.0.lock();
        let row = contents.saved.tasks.values().find(|row| row.task.id == id);
        row.map(|row| row.found(logs, &mut ReadBudget::new(bytes_max))).transpose()
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
        let mut budget = ReadBudget::new(find.bytes_max);
        cut.map(|row| row.found(find.logs, &mut budget)).collect()
    }

    fn exists(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<bool> {
        Ok(!self.matching(query, cancelled)?.is_empty())
    }

    fn count(&mut self, query: &Query, cancelled: Cancelled<'_>) -> Result<u64> {
        Ok(self.matching(query, cancelled)?.len() as u64)
    }

    fn operations(&mut self) -> Result<Vec<Operation>> {
        let mut operations: Vec<_> = self.0.lock().saved.operations.values().cloned().collect();
        operations.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(operations)
    }
}
