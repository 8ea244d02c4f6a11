//! All that one commit leaves behind, and how a change changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::id::{IdempotencyKey, LaneId, OperationId, OwnerId, RunId, Seq};
use tasker_core::state::{Counts, State};
use tasker_core::store::{Change, Entry, Head, Operation, Window, WindowQuery};
use tasker_core::task::{QueueTimeout, StartTime, TaskRecord};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::row::Row;

/// All that one commit leaves behind.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) head: Head,
    pub(super) operations: BTreeMap<OperationId, Operation>,
    pub(super) names: BTreeSet<Arc<str>>,
    pub(super) tasks: BTreeMap<Seq, Row>,
    pub(super) journal: Vec<Entry>,
    pub(super) keys: BTreeMap<IdempotencyKey, Seq>,
    pub(super) timers: BTreeSet<Timer>,
}

impl Default for Image {
    fn default() -> Self {
        let head = Head { number: 0, seq_next: Seq(1), counts: Counts::default() };
        let (operations, tasks, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (names, journal, timers) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        Self { head, operations, names, tasks, journal, keys, timers }
    }
}

impl Image {
    /// The number and the name are new, or the version is the next one.
    pub(super) fn record(&mut self, operation: &Operation) -> Option<()> {
        let Operation { id, name, record } = operation;
        let is_next = match self.operations.get(id) {
            Some(old) => old.name == *name && old.record.version + 1 == record.version,
            None => record.version == 1 && self.names.insert(name.clone()),
        };
        is_next.then(|| self.operations.insert(*id, operation.clone())).map(drop)
    }

    /// Applies a change; nothing if its guard does not hold.
    pub(super) fn apply(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        match change {
            Change::Operation(operation) => self.record(operation),
            Change::RequestAbort { seq, run, abort, .. } => {
                self.running(*seq, *run)?.abort.get_or_insert(abort.clone());
                Some(())
            }
            Change::RequestPostpone { seq, run, postponement, .. } => {
                self.running(*seq, *run)?.postponement = Some(postponement.clone());
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
                self.waiting(*seq)?.at(*lane, *priority);
                self.delay(*seq, *due_at)
            }
            Change::SetQueueTimeout { seq, lane, ends_at } => {
                self.set_queue_timeout((*seq, *lane), *ends_at)
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

    pub(super) fn release(&mut self, change: &Change) -> Option<()> {
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

    pub(super) fn add(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
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
        let (lane, postponement, has_last_run) = (*lane, None, false);
        let row =
            Row { task, lane, owner, failures, losses, logs, abort, postponement, has_last_run };
        let row = self.tasks.entry(*seq).or_insert(row);
        start.map_or(Some(()), |start| row.start(start, owner))
    }

    fn set_queue_timeout(&mut self, (seq, lane): (Seq, LaneId), at: Option<WallMs>) -> Option<()> {
        let row = self.waiting(seq)?;
        assert_eq!(lane, row.lane, "{:?}", row.task);
        let options = &mut row.task.def.options;
        if let Some(timeout) = options.queue_timeout {
            options.queue_timeout = Some(QueueTimeout { ends_at: at, ..timeout });
        }
        let kind = TimerKind::QueueTimeout;
        self.timers.extend(at.map(|at| Timer { at, kind, seq }));
        Some(())
    }

    /// A task waits until then.
    pub(super) fn delay(&mut self, seq: Seq, due_at: WallMs) -> Option<()> {
        let task = &mut self.waiting(seq)?.task;
        (task.state, task.def.options.start_time) = (State::Delayed, Some(StartTime::At(due_at)));
        self.timers.insert(Timer { at: due_at, kind: TimerKind::Due, seq });
        Some(())
    }

    /// The ready tasks in queue order.
    pub(super) fn queue(&self) -> Vec<&Row> {
        let is_ready = |row: &&Row| row.task.state == State::Ready;
        let mut rows: Vec<_> = self.tasks.values().filter(is_ready).collect();
        rows.sort_by(|one, other| one.in_queue_order(other));
        rows
    }

    /// A window; `left` is what may still be read of data.
    pub(super) fn window(&self, query: &WindowQuery, left: &mut Option<usize>) -> Window {
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
    pub(super) fn waiting(&mut self, seq: Seq) -> Option<&mut Row> {
        let is_waiting = |row: &&mut Row| matches!(row.task.state, State::Delayed | State::Ready);
        self.tasks.get_mut(&seq).filter(is_waiting)
    }

    pub(super) fn delayed(&mut self, seq: Seq) -> Option<&mut Row> {
        self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Delayed)
    }

    pub(super) fn ready(&mut self, seq: Seq) -> Option<&mut Row> {
        self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Ready)
    }

    pub(super) fn running(&mut self, seq: Seq, run: RunId) -> Option<&mut Row> {
        let row = self.tasks.get_mut(&seq).filter(|row| row.task.state == State::Running)?;
        (row.task.attempts.last()?.run == run).then_some(row)
    }
}
