//! What a case works with: one store under test, and a hand that drives it in turns. It keeps the
//! books that the engine would keep: numbers, counters, ids, a clock that only ticks.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdSource, LaneId, OperationId, RunId, Seq, TaskId};
use tasker_core::query::{Query, Sort};
use tasker_core::queue::QueueKey;
use tasker_core::read::{Find, Found, WithLogs};
use tasker_core::reader::Reader;
use tasker_core::rules;
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Batch, Brief, Change, Commit, Lane, Lookups, Note, Operation, Orphan, ReadTransaction, Refused,
    Start, Store, Window, WindowQuery,
};
use tasker_core::task::{
    AbortReason, AttemptEnd, AttemptError, Cause, Json, Level, LogLine, NewTask, Postponement,
    Priority, StartTime, Tally, TaskEnd, TaskRecord,
};
use tasker_core::time::WallMs;

use super::books::{add_notes, lane_next, note_waiting, tally};

/// Both sides of an open store.
pub struct Handle {
    /// The writing side.
    pub store: Box<dyn Store>,
    /// The reading side.
    pub reader: Box<dyn Reader>,
}

/// A database of the backend under test, empty when made.
pub trait Backend {
    /// Opens it, beside the handles that are open. One that is dropped without [`Store::close`] has
    /// crashed: its owner is dead.
    ///
    /// # Errors
    /// What the backend says.
    fn open(&self) -> Result<Handle>;
}

/// A task that a case has added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) seq: Seq,
    pub(super) lane: LaneId,
    pub(super) id: TaskId,
}

/// A run that a case has started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) task: Task,
    pub(super) lane: LaneId,
    pub(super) run: RunId,
    pub(super) attempt: u32,
}

/// One store under test and the hand that drives it.
pub struct World {
    lab: Box<dyn Backend>,
    handle: Option<Handle>,
    /// A second handle, beside the one that is driven.
    other: Option<Handle>,
    ids: IdSource,
    number: u64,
    seq_next: u64,
    lane_next: u64,
    counts: Counts,
    lanes: Vec<Lane>,
    /// The last priority that a change of this hand gave to each task.
    priorities: BTreeMap<Seq, Priority>,
    /// The states of the tasks that wait outside the queue.
    unqueued: BTreeMap<Seq, State>,
    clock: i64,
}

/// The moment at which every world begins.
pub(super) const BEGIN: i64 = 1_750_000_000_000;

impl World {
    /// Opens the database for the first time.
    ///
    /// # Errors
    /// What the backend says.
    pub fn new(lab: Box<dyn Backend>) -> Result<Self> {
        let handle = lab.open()?;
        let ids = IdSource::new(handle.store.id_key(), [42; 32]);
        let (counts, lanes, priorities) = (Counts::default(), Vec::new(), BTreeMap::new());
        let (number, seq_next, clock, unqueued) = (0, 1, BEGIN, BTreeMap::new());
        let lane_next = 1;
        let (handle, other) = (Some(handle), None);
        Ok(Self {
            lab,
            handle,
            other,
            ids,
            number,
            seq_next,
            lane_next,
            counts,
            lanes,
            priorities,
            unqueued,
            clock,
        })
    }

    pub(super) fn handle(&mut self) -> Result<&mut Handle> {
        self.handle.as_mut().ok_or_else(|| Error::bug("the world is closed"))
    }

    pub(super) fn store(&mut self) -> Result<&mut dyn Store> {
        Ok(self.handle()?.store.as_mut())
    }

    pub(super) fn reader(&mut self) -> Result<&mut dyn Reader> {
        Ok(self.handle()?.reader.as_mut())
    }

    /// Opens a second handle beside the first, which goes on being driven.
    pub(super) fn open_another(&mut self) -> Result<()> {
        self.other = Some(self.lab.open()?);
        for _ in 0..2 {
            // Both hear that the other has come.
            self.has_news()?;
            self.swap();
        }
        Ok(())
    }

    /// Drives the other handle from now on; the books are the same for both.
    pub(super) fn swap(&mut self) {
        std::mem::swap(&mut self.handle, &mut self.other);
    }

    /// The process of the handle that is not driven dies, and the other one looks around.
    pub(super) fn lose_other(&mut self) -> Result<()> {
        self.other = None;
        self.store()?.refresh_owners()
    }

    /// The handle that is not driven is closed in good order.
    pub(super) fn close_other(&mut self) -> Result<()> {
        let Some(Handle { store, reader }) = self.other.take() else { return Ok(()) };
        drop(reader);
        store.close()
    }

    /// Whether the next transaction is told of others.
    pub(super) fn has_news(&mut self) -> Result<bool> {
        Ok(self.store()?.begin(&Lookups::default)?.has_news())
    }

    /// Gives away the handle that is driven, and drives the other one from now on.
    pub(super) fn lend(&mut self) -> Result<Handle> {
        self.swap();
        self.other.take().ok_or_else(|| Error::bug("there is no such handle"))
    }

    /// Takes that handle back and drives it again.
    pub(super) fn take_back(&mut self, handle: Handle) {
        self.other = Some(handle);
        self.swap();
    }

    /// The process dies here and another one opens the file.
    pub(super) fn crash(&mut self) -> Result<()> {
        self.handle = None;
        self.handle = Some(self.lab.open()?);
        Ok(())
    }

    /// The handle is closed in good order and opened again.
    pub(super) fn reopen(&mut self) -> Result<()> {
        if let Some(Handle { store, reader }) = self.handle.take() {
            drop(reader);
            store.close()?;
        }
        self.handle = Some(self.lab.open()?);
        Ok(())
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn seq_next(&self) -> Seq {
        Seq(self.seq_next)
    }

    pub(super) fn lane_next(&self) -> u64 {
        self.lane_next
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn now(&self) -> WallMs {
        WallMs(self.clock)
    }

    pub(super) fn tick(&mut self) -> WallMs {
        self.clock += 1;
        WallMs(self.clock)
    }

    /// Housekeeping long after the last commit: what is as old as that may be trimmed.
    pub(super) fn trim(&mut self) -> Result<()> {
        self.clock += 100_000;
        self.turn(Vec::new())?;
        (0..3).try_for_each(|_| self.store()?.maintain(true))
    }

    pub(super) fn run_id(&mut self) -> RunId {
        self.ids.run(WallMs(self.clock))
    }

    pub(super) fn task_id(&mut self, seq: Seq) -> TaskId {
        self.ids.task(seq, WallMs(self.clock))
    }

    /// Numbers from here on, for a case that wants large ones.
    pub(super) fn number_from(&mut self, seq: Seq) {
        self.seq_next = seq.0;
    }

    /// The batch of these changes, with the books as they would be after it.
    pub(super) fn batch(&mut self, changes: Vec<Change>) -> Result<Batch> {
        let owner = self.store()?.owner();
        let counts = tally(self.counts, &mut self.unqueued.clone(), &changes);
        let (number, at, seq_next) = (self.number + 1, WallMs(self.clock), Seq(self.seq_next));
        self.lane_next = self.lane_next.max(lane_next(&changes));
        let lane_next = self.lane_next;
        let notes = Vec::new();
        Ok(Batch { number, owner, at, seq_next, lane_next, counts, changes, notes })
    }

    /// One turn: begin and commit.
    pub(super) fn try_turn(&mut self, changes: Vec<Change>) -> Result<Commit> {
        self.try_turn_noted(changes, Vec::new())
    }

    fn try_turn_noted(&mut self, changes: Vec<Change>, notes: Vec<Note>) -> Result<Commit> {
        let mut batch = Batch { notes, ..self.batch(changes)? };
        let mut transaction = self.store()?.begin(&Lookups::default)?;
        add_notes(transaction.as_mut(), &mut batch)?;
        let commit = transaction.commit(&batch);
        if let Commit::Committed = commit {
            (self.number, self.counts) = (batch.number, batch.counts);
            let unqueued = &mut self.unqueued;
            batch.changes.iter().for_each(|change| note_waiting(unqueued, change));
        }
        Ok(commit)
    }

    pub(super) fn turn(&mut self, changes: Vec<Change>) -> Result<()> {
        self.turn_noted(changes, Vec::new())
    }

    /// One turn that says what tasks were before.
    pub(super) fn turn_noted(&mut self, changes: Vec<Change>, notes: Vec<Note>) -> Result<()> {
        match self.try_turn_noted(changes, notes)? {
            Commit::Committed => Ok(()),
            Commit::Overtaken => Err(Error::bug("nobody else was there to overtake it")),
            Commit::Refused(Refused { error, .. })
            | Commit::NotCommitted(error)
            | Commit::Unknown(error) => Err(error),
        }
    }

    /// Asserts that the last of these changes is refused by its guard.
    pub(super) fn assert_fenced(&mut self, changes: Vec<Change>) {
        let (last, text) = (changes.len() - 1, format!("{changes:?}"));
        assert_eq!(self.refused(changes), Some(last), "{text}");
    }

    /// Which of these changes is refused by its guard.
    pub(super) fn refused(&mut self, changes: Vec<Change>) -> Option<usize> {
        match self.try_turn(changes) {
            Ok(Commit::Refused(Refused { change, error })) if error.code() == Code::Fenced => {
                Some(change)
            }
            _ => None,
        }
    }

    /// The plain lane of an operation, and the change that makes the operation known if it is new.
    pub(super) fn lane(&mut self, operation: &str) -> (Lane, Option<Change>) {
        if let Some(lane) = self.lanes.iter().find(|lane| &*lane.operation == operation) {
            return (lane.clone(), None);
        }
        let (id, name): (_, Arc<str>) =
            (OperationId(self.lanes.len() as u16 + 1), operation.into());
        let lane = Lane { id: LaneId::new(id, 0), operation: name.clone() };
        self.lanes.push(lane.clone());
        (lane, Some(Change::Operation(Operation::new(id, name).into())))
    }

    pub(super) fn operations_known(&self) -> usize {
        self.lanes.len()
    }

    /// The changes that add this task; not yet written.
    pub(super) fn adding(&mut self, def: NewTask) -> (Task, Vec<Change>) {
        self.adding_to(0, def)
    }

    /// The changes that add this task to lane `n` of its operation; not yet written.
    pub(super) fn adding_to(&mut self, n: u64, def: NewTask) -> (Task, Vec<Change>) {
        let seq = Seq(self.seq_next);
        self.seq_next += 1;
        let (id, at) = (self.task_id(seq), self.tick());
        let (Lane { id: plain, .. }, new_operation) = self.lane(&def.operation);
        let lane = LaneId::new(plain.operation(), n);
        self.priorities.insert(seq, def.priority);
        let add = Change::Add { seq, id, lane, def, at, start: None };
        (Task { seq, lane, id }, new_operation.into_iter().chain([add]).collect())
    }

    /// A task that is due at this moment.
    pub(super) fn add_delayed(&mut self, def: NewTask, due_at: i64) -> Result<Task> {
        let due_at = WallMs(due_at);
        let mut def = def;
        def.options.start_time = Some(StartTime::At(due_at));
        let (task, mut changes) = self.adding(def);
        if let Some(Change::Add { seq, id, lane, def, at, .. }) = changes.pop() {
            changes.push(Change::AddDelayed { seq, id, lane, def, at, due_at });
        }
        self.turn(changes)?;
        Ok(task)
    }

    /// A task that waits for these.
    pub(super) fn add_blocked(&mut self, def: NewTask, on: &[Task]) -> Result<Task> {
        let (task, changes) = self.adding_blocked(def, on);
        self.turn(changes)?;
        Ok(task)
    }

    /// The changes that add a task that waits for these; not yet written.
    pub(super) fn adding_blocked(&mut self, def: NewTask, on: &[Task]) -> (Task, Vec<Change>) {
        let mut def = def;
        let on_failure =
            def.options.depends_on.as_ref().map_or_else(OnFailure::default, |all| all.on_failure);
        let named = on.iter().map(|task| Dependency::Task(task.id)).collect();
        let all = Dependencies { on: named, on_failure, is_list: false };
        def.options.depends_on = Some(all.into());
        let (task, mut changes) = self.adding(def);
        if let Some(Change::Add { seq, id, lane, def, at, .. }) = changes.pop() {
            changes.push(Change::AddBlocked { seq, id, lane, def, at });
        }
        let dependencies = on.iter().map(|task| (task.seq, false)).collect();
        changes.push(Change::DependOn { seq: task.seq, dependencies });
        (task, changes)
    }

    /// The change that makes this blocked task ready.
    pub(super) fn unblocking(&self, task: Task) -> Change {
        Change::Unblock { seq: task.seq, lane: task.lane, priority: self.priority(task) }
    }

    /// The change that makes this task ready.
    pub(super) fn becoming_due(&self, task: Task) -> Change {
        Change::Due { seq: task.seq, lane: task.lane, priority: self.priority(task) }
    }

    /// The change that starts this delayed task as it becomes due, and its run.
    pub(super) fn starting_due(&mut self, task: Task) -> (Live, Change) {
        let (live, mut change) = self.starting(task, 1);
        if let Change::Start { is_due, .. } = &mut change {
            *is_due = true;
        }
        (live, change)
    }

    pub(super) fn add(&mut self, def: NewTask) -> Result<Task> {
        let (task, changes) = self.adding(def);
        self.turn(changes)?;
        Ok(task)
    }

    /// A task in lane `n` of its operation.
    pub(super) fn add_to(&mut self, n: u64, def: NewTask) -> Result<Task> {
        let (task, changes) = self.adding_to(n, def);
        self.turn(changes)?;
        Ok(task)
    }

    pub(super) fn add_many(&mut self, defs: Vec<NewTask>) -> Result<Vec<Task>> {
        let parts: Vec<_> = defs.into_iter().map(|def| self.adding(def)).collect();
        let tasks = parts.iter().map(|(task, _)| *task).collect();
        self.turn(parts.into_iter().flat_map(|(_, changes)| changes).collect())?;
        Ok(tasks)
    }

    /// The change that starts this task, and its run; not yet written.
    pub(super) fn starting(&mut self, task: Task, attempt: u32) -> (Live, Change) {
        let (run, at) = (self.run_id(), self.tick());
        let start = Start { run, attempt, at };
        let Task { seq, lane, .. } = task;
        let priority = self.priority(task);
        let change = Change::Start { seq, lane, priority, start, is_due: false };
        (Live { task, lane, run, attempt }, change)
    }

    pub(super) fn start(&mut self, task: Task) -> Result<Live> {
        let (live, change) = self.starting(task, 1);
        self.turn(vec![change])?;
        Ok(live)
    }

    pub(super) fn start_attempt(&mut self, task: Task, attempt: u32) -> Result<Live> {
        let (live, change) = self.starting(task, attempt);
        self.turn(vec![change])?;
        Ok(live)
    }

    /// A task of operation `read` that is running.
    pub(super) fn running(&mut self) -> Result<Live> {
        let task = self.add(read())?;
        self.start(task)
    }

    pub(super) fn ending(&mut self, live: Live, outcome: TaskEnd) -> Change {
        let (seq, lane, run) = (live.task.seq, live.lane, Some(live.run));
        let (priority, at) = (self.priority(live.task), self.tick());
        Change::End { seq, lane, priority, run, outcome, at }
    }

    pub(super) fn asking_abort(live: Live, text: &str) -> Change {
        let Live { task: Task { seq, .. }, lane, run, .. } = live;
        let abort = AbortReason { cause: Cause::User, reason: json(text) };
        Change::RequestAbort { seq, lane, run, abort }
    }

    pub(super) fn aborting(&mut self, task: Task) -> Change {
        let Task { seq, lane, .. } = task;
        let (priority, at) = (self.priority(task), self.tick());
        Change::End { seq, lane, priority, run: None, outcome: aborted(), at }
    }

    /// The change that ends this waiting task because its `queueTimeout` is over.
    pub(super) fn expiring(&mut self, task: Task) -> Change {
        let mut change = self.aborting(task);
        if let Change::End { outcome, .. } = &mut change {
            *outcome = TaskEnd::Aborted(Cause::QueueTimeout, json("{\"message\":\"too late\"}"));
        }
        change
    }

    /// The change after which the `queueTimeout` of this task ends at a moment, or not at all.
    pub(super) fn timing_out(task: Task, ends_at: Option<i64>) -> Change {
        let Task { seq, lane, .. } = task;
        Change::SetQueueTimeout { seq, lane, ends_at: ends_at.map(WallMs) }
    }

    pub(super) fn end(&mut self, live: Live, outcome: TaskEnd) -> Result<()> {
        let change = self.ending(live, outcome);
        self.turn(vec![change])
    }

    /// The change that gives a run back as lost; its attempt stays counted.
    pub(super) fn losing(&mut self, live: Live, losses: u32) -> Change {
        let Live { task: Task { seq, .. }, lane, run, attempt } = live;
        let (priority, end, at) = (self.priority(live.task), AttemptEnd::Lost, self.tick());
        let (tally, error, due_at) = (Tally { attempt, failures: 0, losses }, None, None);
        Change::Release { seq, lane, priority, run, end, error, tally, due_at, at }
    }

    /// The change that gives a run back as postponed; its attempt is not counted.
    pub(super) fn postponing(&mut self, live: Live) -> Change {
        let Live { task: Task { seq, .. }, lane, run, attempt } = live;
        let (end, attempt, at) = (AttemptEnd::Postponed, attempt - 1, self.tick());
        let priority = self.priority(live.task);
        let (tally, error, due_at) = (Tally { attempt, ..Tally::default() }, None, None);
        Change::Release { seq, lane, priority, run, end, error, tally, due_at, at }
    }

    /// The change by which a run fails and its task is tried again, at once or at a moment.
    pub(super) fn failing(&mut self, live: Live, failures: u32, due_at: Option<i64>) -> Change {
        let Live { task: Task { seq, .. }, lane, run, attempt } = live;
        let (end, at) = (AttemptEnd::Failed, self.tick());
        let (priority, due_at) = (self.priority(live.task), due_at.map(WallMs));
        let tally = Tally { attempt, failures, losses: 0 };
        let error = AttemptError::of(&failed());
        Change::Release { seq, lane, priority, run, end, error, tally, due_at, at }
    }

    /// The change by which a run asks to go on at a moment; its attempt is not counted.
    pub(super) fn snoozing(&mut self, live: Live, due_at: i64) -> Change {
        let Live { task: Task { seq, .. }, lane, run, attempt } = live;
        let (end, at) = (AttemptEnd::Snoozed, self.tick());
        let (priority, error) = (self.priority(live.task), None);
        let tally = Tally { attempt: attempt - 1, ..Tally::default() };
        let due_at = Some(WallMs(due_at));
        Change::Release { seq, lane, priority, run, end, error, tally, due_at, at }
    }

    /// The change that opens this task again, which ended so.
    pub(super) fn reopening(&self, task: Task, outcome: &TaskEnd) -> Change {
        let Task { seq, lane, .. } = task;
        let (end, kept) = (outcome.attempt_end(), rules::kept_outcome(outcome));
        Change::Reopen {
            seq,
            lane,
            priority: self.priority(task),
            from: outcome.state(),
            end,
            kept,
        }
    }

    /// The change that removes this task.
    pub(super) fn purging(&mut self, task: Task) -> Change {
        let Task { seq, lane, .. } = task;
        let from = self.unqueued.get(&seq).copied().unwrap_or(State::Done);
        Change::Purge { seq, lane, from, at: self.tick() }
    }

    /// The change by which a run is to be given back until a moment, for this reason.
    pub(super) fn asking_postpone(live: Live, due_at: Option<i64>, text: &str) -> Change {
        let Live { task: Task { seq, .. }, lane, run, .. } = live;
        let postponement = Postponement { due_at: due_at.map(WallMs), reason: json(text) };
        Change::RequestPostpone { seq, lane, run, postponement }
    }

    /// Until when a run is to be given back, if it is.
    pub(super) fn postpone_request(&mut self, live: Live) -> Result<Option<Postponement>> {
        self.inside(|store| Ok(store.postpone_requests(&[(live.task.seq, live.run)])?.remove(0)))
    }

    /// The change that gives this waiting task a start time.
    pub(super) fn delaying(&self, task: Task, due_at: i64) -> Change {
        let Task { seq, lane, .. } = task;
        Change::Delay { seq, lane, priority: self.priority(task), due_at: WallMs(due_at) }
    }

    pub(super) fn logging(&mut self, live: Live, n: u32, level: Level) -> Change {
        let (attempt, at) = (live.attempt, self.tick());
        let message = format!("line {n}").into();
        let line = LogLine { n, attempt, level, at, message, fields: None };
        Change::Log { seq: live.task.seq, lane: live.task.lane, run: live.run, line }
    }

    pub(super) fn prioritize(&mut self, task: Task, to: f64) -> Result<()> {
        let change = self.prioritizing(task, to)?;
        self.turn(vec![change])
    }

    pub(super) fn prioritizing(&mut self, task: Task, to: f64) -> Result<Change> {
        let (Task { seq, lane, .. }, from, to) = (task, self.priority(task), Priority::new(to)?);
        self.priorities.insert(seq, to);
        Ok(Change::Prioritize { seq, lane, from, to, is_queued: true })
    }

    /// The change that gives this waiting task another definition, in the queue or outside.
    pub(super) fn updating(&mut self, task: Task, def: NewTask, is_queued: bool) -> Change {
        let (Task { seq, lane, .. }, from, to) = (task, self.priority(task), def.priority);
        self.priorities.insert(seq, to);
        let NewTask { data, options, .. } = def;
        let due_at = options.run_at().filter(|_| !is_queued);
        let from_lane = lane;
        Change::Update { seq, lane, from_lane, from, to, is_queued, data, options, due_at }
    }

    pub(super) fn priority(&self, task: Task) -> Priority {
        self.priorities.get(&task.seq).copied().unwrap_or_default()
    }

    /// A task that may have been removed.
    pub(super) fn find_task(&mut self, task: Task) -> Result<Option<TaskRecord>> {
        Ok(self.reader()?.get(task.id, None, usize::MAX)?.map(|found| found.task))
    }

    pub(super) fn get(&mut self, task: Task) -> Result<TaskRecord> {
        Ok(self.found(task, None)?.task)
    }

    pub(super) fn logs(&mut self, task: Task, level_max: Level) -> Result<Vec<LogLine>> {
        let found = self.found(task, Some(WithLogs { level_max }))?;
        found.logs.ok_or_else(|| Error::bug("asked for logs and got none"))
    }

    pub(super) fn found(&mut self, task: Task, logs: Option<WithLogs>) -> Result<Found> {
        let found = self.reader()?.get(task.id, logs, usize::MAX)?;
        found.ok_or_else(|| Error::bug(format!("task {} is gone", task.seq.0)))
    }

    /// The sequence numbers that a query finds, in order.
    pub(super) fn find(&mut self, query: &str, sort: Option<&str>) -> Result<Vec<u64>> {
        let find = Find { sort: sort.map(Sort::parse).transpose()?, ..find(query)? };
        let found = self.reader()?.find(&find, &|| false)?;
        Ok(found.iter().map(|found| found.task.seq.0).collect())
    }

    pub(super) fn count(&mut self, query: &str) -> Result<u64> {
        let query = Query::parse(query)?;
        self.reader()?.count(&query, &|| false)
    }

    /// The whole window of an operation's lane.
    pub(super) fn window(&mut self, operation: &str) -> Result<Window> {
        self.window_of(operation, 1_000, 1 << 30)
    }

    pub(super) fn window_of(
        &mut self,
        operation: &str,
        tasks_max: usize,
        bytes_max: usize,
    ) -> Result<Window> {
        let (lane, _) = self.lane(operation);
        self.window_from(WindowQuery { lane, from: QueueKey::FIRST, tasks_max }, bytes_max)
    }

    pub(super) fn window_from(&mut self, query: WindowQuery, bytes_max: usize) -> Result<Window> {
        self.inside(|store| Ok(store.windows(&[query], bytes_max)?.remove(0)))
    }

    /// The sequence numbers of the tasks that wait in a lane, in queue order.
    pub(super) fn queue_of(&mut self, lane: LaneId) -> Result<Vec<u64>> {
        let lane = Lane { id: lane, operation: "read".into() };
        let query = WindowQuery { lane, from: QueueKey::FIRST, tasks_max: 1_000 };
        let window = self.window_from(query, 1 << 30)?;
        Ok(window.tasks.iter().map(|task| task.seq.0).collect())
    }

    /// The sequence numbers of the tasks that wait in the lane `read`, in queue order.
    pub(super) fn queue(&mut self) -> Result<Vec<u64>> {
        Ok(self.window("read")?.tasks.iter().map(|task| task.seq.0).collect())
    }

    pub(super) fn orphans(&mut self) -> Result<Vec<Orphan>> {
        self.inside(|store| store.orphans())
    }

    pub(super) fn brief(&mut self, seq: Seq) -> Result<Option<Brief>> {
        self.inside(|store| Ok(store.briefs(&[seq])?.remove(0)))
    }

    /// Why a run is to be aborted, if it is.
    pub(super) fn abort_request(&mut self, live: Live) -> Result<Option<AbortReason>> {
        self.inside(|store| Ok(store.abort_requests(&[(live.task.seq, live.run)])?.remove(0)))
    }

    /// A look at the store inside a transaction that changes nothing.
    pub(super) fn inside<T>(
        &mut self,
        look: impl FnOnce(&mut dyn ReadTransaction) -> Result<T>,
    ) -> Result<T> {
        look(self.store()?.begin(&Lookups::default)?.as_mut())
    }
}

/// A plain task of operation `read`.
pub(super) fn read() -> NewTask {
    of("read")
}

/// A plain task of an operation.
pub(super) fn of(operation: &str) -> NewTask {
    NewTask::new(operation)
}

/// A task of operation `read` with these data.
pub(super) fn with_data(text: &str) -> NewTask {
    NewTask { data: Some(json(text)), ..read() }
}

/// A task of operation `read` with this priority.
pub(super) fn with_priority(priority: f64) -> Result<NewTask> {
    Ok(NewTask { priority: Priority::new(priority)?, ..read() })
}

pub(super) fn json(text: &str) -> Json {
    Json::trusted(text)
}

pub(super) fn done() -> TaskEnd {
    TaskEnd::Done(Some(json("{\"pages\":412}")))
}

pub(super) fn failed() -> TaskEnd {
    TaskEnd::Failed(Cause::Error, json("{\"message\":\"no such book\"}"))
}

pub(super) fn aborted() -> TaskEnd {
    TaskEnd::Aborted(Cause::User, json("{\"message\":\"not now\"}"))
}

/// What matches a query, in default order, without logs.
pub(super) fn find(query: &str) -> Result<Find> {
    Ok(Find::all(Query::parse(query)?))
}
