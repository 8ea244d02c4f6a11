//! All that one commit leaves behind, and how a change changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_core::changes::WatchedBatch;
use tasker_core::circuit::Circuit;
use tasker_core::hold::{Hold, HoldId};
use tasker_core::id::{LaneId, OperationId, OwnerId, RunId, Seq};
use tasker_core::key::{KEYS_SWEPT_MAX, Key, KeyKind};
use tasker_core::limits::KEYS_KEPT_MS;
use tasker_core::rate::Arrival;
use tasker_core::schedules::{Schedule, ScheduleNo};
use tasker_core::state::{Counts, State};
use tasker_core::store::{
    Change, Entry, GATES_SWEPT_MAX, GateChange, GateId, Head, HoldChange, KeyHolder, Offers,
    Operation, ScheduleChange, Wait, Window, WindowQuery,
};
use tasker_core::task::{Priority, QueueTimeout, TaskRecord};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::row::Row;

/// All that one commit leaves behind.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) head: Head,
    pub(super) operations: BTreeMap<OperationId, Operation>,
    pub(super) names: BTreeSet<Arc<str>>,
    /// Shared with the images before, until they change.
    pub(super) tasks: BTreeMap<Seq, Arc<Row>>,
    pub(super) journal: Vec<Entry>,
    /// The same for those who watch tasks.
    pub(super) watched: Vec<WatchedBatch>,
    pub(super) keys: BTreeMap<Key, KeyHolder>,
    pub(super) timers: BTreeSet<Timer>,
    /// What tasks that have not ended depend on, and whether it is met.
    pub(super) waits: BTreeMap<Wait, bool>,
    /// What owners offer, living or dead; nothing of those that offer nothing.
    pub(super) offers: BTreeMap<OwnerId, Offers>,
    pub(super) holds: BTreeMap<HoldId, Hold>,
    /// What each hold has held.
    pub(super) held: BTreeSet<(HoldId, Seq)>,
    pub(super) schedules: BTreeMap<ScheduleNo, Schedule>,
    /// The tasks that have not ended and lapse.
    pub(super) lapsing: BTreeSet<(OperationId, Seq)>,
    /// The arrivals of gates.
    pub(super) gates: BTreeMap<GateId, Arrival>,
    /// The circuits of gates.
    pub(super) circuits: BTreeMap<GateId, Circuit>,
}

impl Default for Image {
    fn default() -> Self {
        let head = Head { number: 0, seq_next: Seq(1), lane_next: 1, counts: Counts::default() };
        let (operations, tasks, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (names, timers) = (BTreeSet::new(), BTreeSet::new());
        let (journal, watched) = (Vec::new(), Vec::new());
        let (waits, offers) = (BTreeMap::new(), BTreeMap::new());
        let (holds, held, lapsing) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self {
            head,
            operations,
            names,
            tasks,
            journal,
            watched,
            keys,
            timers,
            waits,
            offers,
            holds,
            held,
            schedules: BTreeMap::new(),
            lapsing,
            gates: BTreeMap::new(),
            circuits: BTreeMap::new(),
        }
    }
}

impl Image {
    /// Forgets all commits but the last thousand and those of the last minute.
    pub(super) fn trim(&mut self) {
        let Some(last) = self.watched.last() else { return };
        let (number, at) = (last.number.saturating_sub(1_000), last.at.0 - 60_000);
        let is_kept = |batch: &WatchedBatch| batch.number > number || batch.at.0 >= at;
        let Some(first) = self.watched.iter().find(|batch| is_kept(batch)) else { return };
        let first = first.number;
        self.watched.retain(|batch| batch.number >= first);
        self.journal.retain(|entry| entry.number >= first);
    }

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
            Change::Add { .. } => self.add(change, owner),
            Change::Key { .. } => self.give_key(change),
            Change::AddDelayed { .. } => self.add_delayed(change, owner),
            Change::AddBlocked { .. }
            | Change::DependOn { .. }
            | Change::Met { .. }
            | Change::Unblock { .. }
            | Change::LetGo { .. }
            | Change::Lapses { .. }
            | Change::Timer { .. } => self.apply_wait(change, owner),
            Change::Due { seq, lane, priority } => self.become_due(*seq, *lane, *priority),
            Change::Fired(last) => self.fire(*last),
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
            Change::Reopen { seq, lane, priority, from, end, kept } => {
                let is_so = |row: &&mut Row| row.task.state.is_final() && row.task.state == *from;
                let row = self.row(*seq).filter(is_so)?;
                row.at(*lane, *priority).reopen(*end, kept.clone());
                Some(())
            }
            Change::Delay { seq, lane, priority, due_at } => {
                let row = self.waiting(*seq).filter(|row| row.task.state != State::Paused)?;
                row.at(*lane, *priority).task.state = State::Ready;
                self.delay(*seq, *due_at)
            }
            Change::HoldBack { .. } | Change::Free { .. } | Change::Hold(_) => {
                self.apply_hold(change)
            }
            Change::Schedule(change) => self.apply_schedule(change),
            Change::Outside(change) => self.apply_outside(change),
            Change::SetQueueTimeout { seq, lane, ends_at: at } => {
                self.set_queue_timeout((*seq, *lane), *at)
            }
            Change::Prioritize { seq, lane, from, to, is_queued } => {
                let row = if *is_queued { self.ready(*seq)? } else { self.unqueued(*seq)? };
                row.at(*lane, *from).task.def.priority = *to;
                Some(())
            }
            Change::Update { .. } | Change::Sort { .. } => self.update(change),
            Change::Purge { seq, lane, from, at } => self.purge((*seq, *lane), *from, *at),
            Change::SweepKeys(_) | Change::Gate(_) | Change::Offer(_) | Change::Bury(_) => {
                self.apply_to_none(change, owner)
            }
            Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Block { .. }
            | Change::RequestPause { .. }
            | Change::PauseRun { .. }
            | Change::ResumeRun { .. } => self.pause(change),
            Change::RequestAbort { .. }
            | Change::RequestPostpone { .. }
            | Change::Progress { .. }
            | Change::Log { .. } => self.apply_to_run(change),
        }
    }

    fn fire(&mut self, last: Timer) -> Option<()> {
        self.timers.retain(|timer| *timer > last);
        Some(())
    }

    fn become_due(&mut self, seq: Seq, lane: LaneId, priority: Priority) -> Option<()> {
        self.delayed(seq)?.at(lane, priority).task.state = State::Ready;
        Some(())
    }

    /// Applies what is asked of a live run, and what it says.
    fn apply_to_run(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::RequestAbort { seq, run, abort, .. } => {
                self.live(*seq, *run)?.abort.get_or_insert(abort.clone());
            }
            Change::RequestPostpone { seq, run, postponement, .. } => {
                self.running(*seq, *run)?.postponement = Some(postponement.clone());
            }
            Change::Progress { seq, run, progress, .. } => {
                self.live(*seq, *run)?.task.progress = Some(progress.clone());
            }
            Change::Log { seq, run, line, .. } => {
                self.live(*seq, *run)?.logs.push(line.clone());
            }
            _ => return None,
        }
        Some(())
    }

    /// What pauses a task or resumes it.
    fn pause(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::Pause { seq, lane, priority, at } => {
                let row = self.waiting(*seq).filter(|row| row.task.state != State::Paused)?;
                row.at(*lane, *priority).task.state = State::Paused;
                row.task.def.options.paused_at = Some(*at);
            }
            Change::Resume { seq, lane, priority } => {
                let row = self.waiting(*seq).filter(|row| row.task.state == State::Paused)?;
                row.at(*lane, *priority).task.state = State::Ready;
                row.task.def.options.paused_at = None;
                row.task.def.options.forget_hold();
            }
            Change::Block { seq, lane, priority, run_at } => {
                let row = self.ready(*seq)?.at(*lane, *priority);
                row.task.state = State::Blocked;
                run_at.iter().for_each(|at| row.task.def.options.wait_until(*at));
            }
            Change::RequestPause { seq, run, wish, .. } => {
                self.live(*seq, *run)?.wish = Some(*wish);
            }
            Change::PauseRun { seq, run, .. } => {
                self.running(*seq, *run)?.task.state = State::Paused;
            }
            Change::ResumeRun { seq, run, .. } => {
                let row = self.live(*seq, *run)?;
                row.wish.take()?;
                row.task.state = State::Running;
            }
            _ => return None,
        }
        Some(())
    }

    fn add_delayed(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        let Change::AddDelayed { seq, id, lane, def, at, due_at } = change else { return None };
        let (seq, id, lane, def, at) = (*seq, *id, *lane, def.clone(), *at);
        let add = Change::Add { seq, id, lane, def, at, start: None };
        self.add(&add, owner)?;
        self.timers.insert(Timer { at: *due_at, kind: TimerKind::Due, seq });
        self.ready(seq)?.task.state = State::Delayed;
        Some(())
    }

    /// Applies a change of what waits for what.
    fn apply_wait(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        match change {
            Change::AddBlocked { seq, id, lane, def, at } => {
                let (seq, id, lane, def, at) = (*seq, *id, *lane, def.clone(), *at);
                self.add(&Change::Add { seq, id, lane, def, at, start: None }, owner)?;
                self.ready(seq)?.task.state = State::Blocked;
                Some(())
            }
            Change::DependOn { seq, dependencies } => {
                for (dependency, is_met) in dependencies.iter() {
                    let wait = Wait { dependency: *dependency, dependent: *seq };
                    let old = self.waits.insert(wait, *is_met);
                    assert_eq!(old, None, "{wait:?} stands twice");
                }
                Some(())
            }
            Change::Met { dependency, dependents } => {
                let is_one = |wait: &Wait| {
                    wait.dependency == *dependency && dependents.contains(&wait.dependent)
                };
                let waits = self.waits.iter_mut().filter(|(wait, _)| is_one(wait));
                waits.for_each(|(_, is_met)| *is_met = true);
                Some(())
            }
            Change::Unblock { seq, lane, priority } => {
                let row = self.row(*seq);
                let row = row.filter(|row| row.task.state == State::Blocked)?;
                row.at(*lane, *priority).task.state = State::Ready;
                Some(())
            }
            Change::LetGo { seq } => {
                self.waits.retain(|wait, _| wait.dependent != *seq);
                Some(())
            }
            Change::Lapses { seq, operation, lapses: true } => {
                self.lapsing.insert((*operation, *seq));
                Some(())
            }
            Change::Lapses { seq, operation, lapses: false } => {
                self.lapsing.remove(&(*operation, *seq));
                Some(())
            }
            Change::Timer { timer, .. } => {
                self.timers.insert(*timer);
                Some(())
            }
            _ => None,
        }
    }

    /// An ended task goes; the keys of outbox rows stay for a while.
    fn purge(&mut self, (seq, lane): (Seq, LaneId), from: State, at: WallMs) -> Option<()> {
        let is_so = |row: &&Row| row.task.state.is_final() && row.task.state == from;
        let row = self.task(seq).filter(is_so)?;
        assert_eq!(lane, row.lane, "{:?}", row.task);
        assert!(!self.is_needed(seq), "a task that has not ended depends on it: {:?}", row.task);
        self.tasks.remove(&seq);
        self.keys.retain(|_, kept| kept.seq != seq || kept.kind == KeyKind::Idempotency);
        for kept in self.keys.values_mut().filter(|kept| kept.seq == seq) {
            kept.until = Some(at.plus(KEYS_KEPT_MS));
        }
        Some(())
    }

    fn sweep_gates(&mut self, operation: OperationId, now: WallMs) {
        let all = self.gates_of(operation).filter(|(_, _, at)| *at < now);
        let resting = all.map(|(kind, gate, _)| (kind, gate.clone()));
        let resting: Vec<(u8, GateId)> = resting.take(GATES_SWEPT_MAX).collect();
        for (kind, gate) in resting {
            match kind {
                1 => drop(self.gates.remove(&gate)),
                _ => drop(self.circuits.remove(&gate)),
            }
        }
    }

    /// The gates of an operation, each with its kind and the moment from which on it rests.
    pub(super) fn gates_of(
        &self,
        operation: OperationId,
    ) -> impl Iterator<Item = (u8, &GateId, WallMs)> {
        let arrivals = self.gates.iter().map(|(gate, arrival)| (1, gate, arrival.at));
        let circuits = self.circuits.iter().map(|(gate, circuit)| (2, gate, circuit.rests_at));
        arrivals.chain(circuits).filter(move |(_, (of, _), _)| *of == operation)
    }

    fn sweep_keys(&mut self, now: WallMs) {
        let is_gone = |kept: &KeyHolder| !self.tasks.contains_key(&kept.seq);
        let gone = self.keys.iter().filter(|(_, kept)| is_gone(kept));
        let mut over: Vec<_> =
            gone.filter_map(|(key, kept)| Some((kept.until?, key.clone()))).collect();
        over.retain(|(until, _)| *until <= now);
        over.sort();
        for (_, key) in over.iter().take(KEYS_SWEPT_MAX) {
            self.keys.remove(key);
        }
    }

    /// Whether a task that has not ended depends on this one.
    pub(super) fn is_needed(&self, seq: Seq) -> bool {
        self.waits.keys().any(|wait| wait.dependency == seq)
    }

    /// What becomes of a schedule.
    fn apply_schedule(&mut self, change: &ScheduleChange) -> Option<()> {
        let stored = |no: &ScheduleNo| self.schedules.get(no);
        let (no, schedule) = match change {
            ScheduleChange::Make(schedule) => {
                let is_taken = |one: &Schedule| one.no == schedule.no || one.id == schedule.id;
                (!self.schedules.values().any(is_taken)).then_some((schedule.no, Some(schedule)))
            }
            ScheduleChange::Change(schedule) => {
                let old = stored(&schedule.no).filter(|old| old.id == schedule.id)?;
                (old.version + 1 == schedule.version).then_some((schedule.no, Some(schedule)))
            }
            ScheduleChange::Remove(no, version) => {
                stored(no).filter(|old| old.version == *version).map(|_| (*no, None))
            }
        }?;
        let Some(schedule) = schedule else { return self.schedules.remove(&no).map(drop) };
        self.timers.extend(schedule.timer());
        self.schedules.insert(no, (**schedule).clone());
        Some(())
    }

    /// What becomes of a hold, and of the tasks that it holds.
    fn apply_hold(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::HoldBack { seq, lane, priority, hold, until } => {
                let row = self.ready(*seq)?.at(*lane, *priority);
                row.task.state = State::Delayed;
                row.task.def.options.hold_until(*until);
                self.timers.insert(Timer { at: *until, kind: TimerKind::Due, seq: *seq });
                assert!(self.holds.contains_key(hold), "a hold that is not there holds a task");
                self.held.insert((*hold, *seq));
            }
            Change::Free { seq, lane, priority, at } => {
                let row = self.delayed(*seq)?.at(*lane, *priority);
                row.task.state = State::Ready;
                row.task.def.options.wait_until(*at);
            }
            Change::Hold(HoldChange::Make(hold)) => {
                let timer = Timer { at: hold.until, kind: TimerKind::Hold, seq: Seq(hold.id.0) };
                self.timers.insert(timer);
                return self.holds.insert(hold.id, (**hold).clone()).is_none().then_some(());
            }
            Change::Hold(HoldChange::Release(id)) => {
                let hold = self.holds.get_mut(id).filter(|hold| !hold.is_released)?;
                hold.is_released = true;
            }
            Change::Hold(HoldChange::Sweep(id, last)) => {
                let is_over =
                    |hold: HoldId, seq| hold == *id && last.is_none_or(|last| seq <= last);
                self.held.retain(|(hold, seq)| !is_over(*hold, *seq));
                if last.is_none() {
                    self.holds.remove(id);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Applies what is of no task.
    fn apply_to_none(&mut self, change: &Change, owner: OwnerId) -> Option<()> {
        match change {
            Change::SweepKeys(now) => self.sweep_keys(*now),
            Change::Gate(GateChange::Arrive(gate, arrival)) => {
                self.gates.insert(gate.clone(), *arrival);
            }
            Change::Gate(GateChange::Turn(gate, circuit, _)) => {
                self.circuits.insert(gate.clone(), Circuit::clone(circuit));
            }
            Change::Gate(GateChange::Sweep(operation, now)) => self.sweep_gates(*operation, *now),
            Change::Offer(offers) => {
                self.offers.remove(&owner);
                if !offers.is_empty() {
                    self.offers.insert(owner, offers.clone());
                }
            }
            Change::Bury(dead) => drop(self.offers.remove(dead)?),
            _ => return None,
        }
        Some(())
    }

    fn give_key(&mut self, change: &Change) -> Option<()> {
        let Change::Key { key, seq, kind, until, had_by } = change else { return None };
        let before = self.keys.get(key).map(|holder| holder.seq);
        let (seq, kind, until) = (*seq, *kind, *until);
        let id = self.tasks.get(&seq)?.task.id;
        let is_right = before.is_none() || before == *had_by;
        let holder = KeyHolder { seq, id, kind, until };
        is_right.then(|| self.keys.insert(key.clone(), holder)).map(drop)
    }

    fn update(&mut self, change: &Change) -> Option<()> {
        if let Change::Sort { seq, lane, from, priority } = change {
            self.ready(*seq)?.at(*from, *priority).lane = *lane;
            return Some(());
        }
        let Change::Update { seq, lane, from_lane, from, to, is_queued, data, options, due_at } =
            change
        else {
            return None;
        };
        let is_ready = |row: &&mut Row| row.task.state == State::Ready;
        let row = self.waiting(*seq).filter(|row| is_ready(row) == *is_queued)?;
        row.at(*from_lane, *from).lane = *lane;
        let def = &mut row.task.def;
        (def.priority, def.data, def.options) = (*to, data.clone(), options.clone());
        let timer = due_at.map(|at| Timer { at, kind: TimerKind::Due, seq: *seq });
        self.timers.extend(timer);
        Some(())
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
            is_pausing: false,
            attempts: Vec::new(),
            attempts_left_out: 0,
            version: 0,
        };
        let (failures, losses, logs, abort, wish) = (0, 0, Vec::new(), None, None);
        let (lane, postponement, has_last_run) = (*lane, None, false);
        let row = Row {
            task,
            lane,
            owner,
            failures,
            losses,
            logs,
            abort,
            postponement,
            wish,
            has_last_run,
            is_outside: false,
            outside: None,
        };
        let row = self.tasks.entry(*seq).or_insert_with(|| Arc::new(row));
        let row = Arc::make_mut(row);
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
        task.state = State::Delayed;
        task.def.options.wait_until(due_at);
        self.timers.insert(Timer { at: due_at, kind: TimerKind::Due, seq });
        Some(())
    }

    /// The ready tasks in queue order.
    pub(super) fn queue(&self) -> Vec<&Row> {
        let is_ready = |row: &&Row| row.task.state == State::Ready;
        let mut rows: Vec<_> = self.rows().filter(is_ready).collect();
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

    /// A task that waits, for whatever, and has no run.
    pub(super) fn waiting(&mut self, seq: Seq) -> Option<&mut Row> {
        let is_waiting = |row: &&mut Row| {
            let state = row.task.state;
            matches!(state, State::Blocked | State::Delayed | State::Paused | State::Ready)
                && !row.task.has_halted()
        };
        self.row(seq).filter(is_waiting)
    }

    /// One that has no place in the queue.
    pub(super) fn unqueued(&mut self, seq: Seq) -> Option<&mut Row> {
        self.waiting(seq).filter(|row| row.task.state != State::Ready)
    }

    /// All of them, by number.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.tasks.values().map(|row| &**row)
    }

    /// One of them.
    pub(super) fn task(&self, seq: Seq) -> Option<&Row> {
        self.tasks.get(&seq).map(|row| &**row)
    }

    /// One that is to change.
    pub(super) fn row(&mut self, seq: Seq) -> Option<&mut Row> {
        self.tasks.get_mut(&seq).map(Arc::make_mut)
    }

    /// One that runs, or has halted, under this run.
    pub(super) fn run(&self, seq: Seq, run: RunId) -> Option<&Row> {
        let row = self.task(seq).filter(|row| row.has_live_run())?;
        (row.task.attempts.last()?.run == run).then_some(row)
    }

    /// The same, to be changed.
    pub(super) fn live(&mut self, seq: Seq, run: RunId) -> Option<&mut Row> {
        self.run(seq, run)?;
        self.row(seq)
    }

    pub(super) fn delayed(&mut self, seq: Seq) -> Option<&mut Row> {
        self.row(seq).filter(|row| row.task.state == State::Delayed)
    }

    pub(super) fn ready(&mut self, seq: Seq) -> Option<&mut Row> {
        self.row(seq).filter(|row| row.task.state == State::Ready)
    }

    pub(super) fn running(&mut self, seq: Seq, run: RunId) -> Option<&mut Row> {
        let row = self.row(seq).filter(|row| row.task.state == State::Running)?;
        (row.task.attempts.last()?.run == run).then_some(row)
    }
}
