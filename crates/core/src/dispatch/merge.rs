//! Choosing what starts: a merge of the open operations, and in each of the heads of its lanes.
//!
//! # Promises
//! - Nothing starts behind a lane of an open operation whose head is not known (D7): it must be
//!   loaded first.
//! - A start costs O(log n) of what is in memory, and closing or opening an operation does too,
//!   whatever the number of its lanes.
//! - One turn takes up a bounded number of lanes and a bounded number of bytes.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use super::content::{BYTES_MAX, bytes_of};
use super::queued::Missing;
use super::rates::GateLook;
use super::slot::{LaneSlot, OperationSlot, TakerId};
use super::undo::{STEPS_PER_PICK, Step};
use super::{Dispatch, Mark};
use crate::condition::Scope;
use crate::error::Error;
use crate::fault::{Fault, is_on};
use crate::id::LaneId;
use crate::queue::QueueKey;
use crate::store::{GateId, ReadyTask};

/// How many lanes one turn takes up, and tasks that it looks at because they stand ahead.
pub(super) const LANES_EXAMINED_MAX: usize = 4_096;
/// How many lanes are loaded at once.
const LANES_LOADED_MAX: usize = 256;

/// A task that starts.
#[derive(Debug)]
pub struct Pick {
    /// Its lane.
    pub lane: LaneId,
    /// Its position.
    pub key: QueueKey,
    /// All that its start needs, if memory held it.
    pub task: Option<ReadyTask>,
    /// Who takes it to an executor outside, if it does not start here.
    pub taker: Option<TakerId>,
}

/// What a turn starts.
#[derive(Debug)]
pub struct Picks {
    /// In the order in which they start.
    pub picks: Vec<Pick>,
    picks_max: usize,
    lanes_examined: usize,
    bytes: usize,
}

impl Picks {
    /// At most so many.
    pub fn up_to(picks_max: usize) -> Self {
        Self { picks: Vec::new(), picks_max, lanes_examined: 0, bytes: 0 }
    }

    /// So many more than there are.
    pub fn allow(&mut self, more: usize) {
        self.picks_max = self.picks.len() + more;
    }

    /// As many as may start.
    pub fn allow_all(&mut self) {
        self.picks_max = usize::MAX;
    }

    /// What the start of a pick needs, which memory did not hold.
    pub fn set_task(&mut self, index: usize, task: Option<ReadyTask>) {
        self.bytes += task.as_ref().map_or(0, bytes_of);
        self.picks[index].task = task;
    }

    /// What is known of the last pick is not as the store says: it is not to be kept.
    pub fn forget_last_task(&mut self) {
        if let Some(task) = self.picks.last_mut().and_then(|pick| pick.task.take()) {
            self.bytes = self.bytes.saturating_sub(bytes_of(&task));
        }
    }

    /// How many more bytes of data the turn should bring into memory.
    pub fn bytes_left(&self) -> usize {
        BYTES_MAX.saturating_sub(self.bytes)
    }

    /// Asks for what is not known of the queue.
    fn ask(&mut self, missing: Missing) -> Progress {
        let (count, progress) = missing.progress();
        self.lanes_examined = (self.lanes_examined + count).min(LANES_EXAMINED_MAX);
        progress
    }

    fn is_full(&self) -> bool {
        self.picks.len() >= self.picks_max
    }

    fn push(&mut self, pick: Pick) {
        debug_assert!(!self.is_full(), "more starts than the turn may have");
        debug_assert!(
            self.picks.last().is_none_or(|last| last.key < pick.key),
            "{pick:?} starts behind one that stands after it (I-7)"
        );
        debug_assert!(
            pick.task
                .as_ref()
                .is_none_or(|task| { pick.key == QueueKey::new(task.def.priority, task.seq) }),
            "what is kept of a task is not as the queue says: {pick:?}"
        );
        self.bytes += pick.task.as_ref().map_or(0, bytes_of);
        self.picks.push(pick);
    }
}

/// What comes after [`Dispatch::start`].
#[derive(Debug)]
pub enum Progress {
    /// All that may start has been picked.
    Done,
    /// These lanes must be loaded, the first of them at least, each from this position on.
    Load(Vec<(LaneId, QueueKey)>),
    /// More must be known of these tasks, of the first of them at least: [`Dispatch::tell`].
    Tasks(Vec<(LaneId, QueueKey)>),
    /// What conditions look at must be known of all live runs: [`Dispatch::load_runs`].
    Runs,
    /// What conditions look at must be known of these tasks, which stand ahead of the next one, of
    /// the first of them at least: [`Dispatch::tell_queued`].
    Queued(Vec<(LaneId, QueueKey)>),
    /// These lanes must be examined, the first of them at least, each from this position on:
    /// [`Dispatch::examine`]. Of each so many tasks at most.
    Examine(Vec<(LaneId, QueueKey)>, usize),
    /// What the store says of these gates: [`Dispatch::tell_gates`].
    Gates(Vec<GateId>),
    /// What the store says of the circuits of these: [`Dispatch::tell_circuits`].
    Circuits(Vec<GateId>),
    /// The task in this position waits for a token or the circuit of its value, and stands in front
    /// of tasks of others: it is to be put into a lane of its value.
    Misplaced(LaneId, QueueKey),
    /// A task in memory cannot be read.
    Unreadable(Error),
    /// There may be more, for another turn.
    Again,
}

impl Missing {
    /// What asks for it, and how many tasks that may be.
    pub(super) fn progress(self) -> (usize, Progress) {
        match self {
            Self::Tasks(tasks) => (tasks.len(), Progress::Queued(tasks)),
            Self::Lanes(lanes, tasks_max) => {
                (lanes.len() * tasks_max, Progress::Examine(lanes, tasks_max))
            }
        }
    }
}

impl Dispatch {
    /// How many more runs this process may have.
    pub fn free(&self) -> usize {
        if self.gate().is_some() { 0 } else { (self.limit - self.running) as usize }
    }

    /// The lanes that [`Dispatch::start`] would ask for first.
    pub fn next_load(&self) -> Vec<(LaneId, QueueKey)> {
        let first = self.first_open();
        let lane = first.and_then(|(key, operation)| self.first_lane(operation, key));
        match (first, lane) {
            (Some((_, operation)), Some(lane)) if !self.lanes.get(lane).is_exact() => {
                self.lanes_to_load(operation)
            }
            _ => Vec::new(),
        }
    }

    /// Picks what may start, in queue order: it leaves the queue, and its run begins.
    pub fn start(&mut self, picks: &mut Picks) -> Progress {
        while !picks.is_full() {
            let Some((key, operation)) = self.first_open() else { break };
            let Some(lane) = self.first_lane(operation, key) else { break };
            if !self.lanes.get(lane).is_exact() {
                let lanes = self.lanes_to_load(operation);
                debug_assert!(!lanes.is_empty(), "what must be loaded is not named (D7)");
                return Progress::Load(lanes);
            }
            if picks.lanes_examined == LANES_EXAMINED_MAX || picks.bytes_left() == 0 {
                return Progress::Again;
            }
            picks.lanes_examined += 1;
            let options = &self.operations.get(operation).options;
            let is_watched = self.counters.tracks_runs()
                || self.queued.is_tracked(operation)
                || options.has_gates()
                || options.executor.is_some()
                || self.operations.get(operation).has_batches();
            if self.lanes.get(lane).is_plain() && !is_watched {
                self.take(operation, lane, picks);
            } else if let Some(progress) = self.consider(operation, lane, picks) {
                return progress;
            }
        }
        Progress::Done
    }

    /// The operation whose first task is the first of all that may start here, or be taken.
    fn first_open(&self) -> Option<(QueueKey, OperationSlot)> {
        let here = self.first_here();
        match self.outside.first() {
            None => here,
            Some(_) if here.is_some() && is_on(Fault::OutsideForgetsOrder) => here,
            Some(outside) => here.into_iter().chain([*outside]).min(),
        }
    }

    /// How many tasks of an operation may start, or be taken, as far as that depends on places.
    pub(super) fn room(&self, operation: OperationSlot) -> usize {
        let is_outside = self.operations.get(operation).is_outside();
        if is_outside { self.takers.left() } else { self.wanted_here() }
    }

    /// Starts the first task of the first lane, unless one of its conditions does not hold: then
    /// the lane stands at that.
    fn consider(
        &mut self,
        operation: OperationSlot,
        lane: LaneSlot,
        picks: &mut Picks,
    ) -> Option<Progress> {
        if !self.lanes.get(lane).is_learned() && !is_on(Fault::LaneForgetsToLearn) {
            return Some(self.ask(operation, picks));
        }
        if self.lanes.get(lane).counts(Scope::Running) && !self.counters.knows_runs() {
            // The store does not know yet of the runs of this turn.
            return Some(if self.undo.has_runs() { Progress::Again } else { Progress::Runs });
        }
        match self.look_at_gates(operation, lane) {
            Ok(None) => {}
            // What was picked may have to be taken back, the last one first.
            Ok(Some(GateLook::Misplaced(..))) if !picks.picks.is_empty() => {
                return Some(Progress::Again);
            }
            Ok(Some(look)) => return look.progress(|| self.ask(operation, picks)),
            Err(error) => return Some(Progress::Unreadable(error)),
        }
        if let Some(closed) = self.closed(lane) {
            self.stand_at(lane, closed);
            return None;
        }
        if let Some(missing) = self.missing_ahead(lane) {
            return Some(picks.ask(missing));
        }
        self.take_one(operation, lane, picks)
    }

    /// Asks for the first tasks of an operation.
    fn ask(&self, operation: OperationSlot, picks: &mut Picks) -> Progress {
        let tasks = self.tasks_to_tell(operation);
        debug_assert!(!tasks.is_empty(), "what must be known is not named (D7)");
        picks.lanes_examined = (picks.lanes_examined + tasks.len()).min(LANES_EXAMINED_MAX);
        Progress::Tasks(tasks)
    }

    /// Starts the first task of the first lane, and counts its run.
    fn take_one(
        &mut self,
        slot: OperationSlot,
        lane: LaneSlot,
        picks: &mut Picks,
    ) -> Option<Progress> {
        let old = self.lanes.get(lane).head();
        let key = old?;
        let document = if self.counters.tracks_runs() {
            match self.document(key.seq) {
                Ok(Some(document)) => Some(document),
                Ok(None) => return Some(self.ask(slot, picks)),
                Err(error) => return Some(Progress::Unreadable(error)),
            }
        } else {
            None
        };
        let (id, counter) = (self.lanes.get(lane).id, self.counter_of(lane));
        self.lanes.change(lane, |lane| lane.window.pop_first());
        self.undo.push(Step::Leave(id, key));
        let taker = if self.operations.get(slot).is_outside() {
            self.give_out(slot, key.seq)
        } else {
            self.begin_in_place(slot);
            self.undo.push(Step::Begin(slot, key.seq));
            None
        };
        picks.push(Pick { lane: id, key, task: self.contents.take(key.seq), taker });
        self.relist_lane(lane, old);
        self.pass_gates((slot, counter), key.seq);
        self.go(id, key);
        if let Some(document) = document.filter(|_| !is_on(Fault::StartForgetsCounters)) {
            self.count(key.seq, document);
        }
        None
    }

    /// Takes the last pick back.
    pub fn unpick(&mut self, picks: &mut Picks) {
        let Some(pick) = picks.picks.pop() else { return };
        picks.bytes = picks.bytes.saturating_sub(pick.task.as_ref().map_or(0, bytes_of));
        let held_back = self.undo.take_off_behind_pick(pick.lane, pick.key);
        self.rollback_to(Mark(self.undo.len() - STEPS_PER_PICK));
        self.undo.append(held_back);
        debug_assert!(
            self.has_seen(pick.lane, pick.key),
            "{:?} is not back in its place",
            pick.key
        );
        pick.task.into_iter().for_each(|task| self.contents.offer(task));
    }

    fn first_lane(&self, operation: OperationSlot, listed: QueueKey) -> Option<LaneSlot> {
        let (key, head) = *self.operations.get(operation).heads.first()?;
        debug_assert_eq!(key, listed, "an operation stands in a wrong position");
        self.lane_at(head)
    }

    /// The first lanes of an operation whose heads are not known, as many as could start a task.
    fn lanes_to_load(&self, operation: OperationSlot) -> Vec<(LaneId, QueueKey)> {
        let heads = self.operations.get(operation).heads.iter().take(self.room(operation));
        let lanes = heads.filter_map(|(_, head)| Some(self.lanes.get(self.lane_at(*head)?)));
        let lanes = lanes.filter(|lane| !lane.is_exact());
        let rests = lanes.filter_map(|lane| lane.rest.map(|rest| (lane.id, rest)));
        rests.take(LANES_LOADED_MAX).collect()
    }

    /// Starts the first tasks of the first lane, as long as it is the first.
    fn take(&mut self, slot: OperationSlot, lane: LaneSlot, picks: &mut Picks) {
        let next = self.next_head(slot);
        let Self { lanes, operations, contents, undo, .. } = self;
        let operation = operations.get_mut(slot);
        let (old, id) = (lanes.get(lane).head(), lanes.get(lane).id);
        let room = (self.limit - self.running) as usize;
        let count_max = (picks.picks_max - picks.picks.len()).min(room);
        let count = lanes.change(lane, |lane| {
            let mut count = 0;
            while count < count_max && operation.gate().is_none() && picks.bytes_left() > 0 {
                let is_first = |key: &QueueKey| next.is_none_or(|next| *key <= next);
                let Some(key) = lane.window.first().filter(is_first) else { break };
                lane.window.pop_first();
                operation.running += 1;
                count += 1;
                undo.push(Step::Leave(id, key));
                undo.push(Step::Begin(slot, key.seq));
                let task = contents.take(key.seq);
                picks.push(Pick { lane: id, key, task, taker: None });
            }
            count
        });
        debug_assert!(count > 0, "a lane that was first has started nothing");
        self.running += count as u32;
        debug_assert!(self.running <= self.limit, "more runs than the process may have (I-6)");
        self.relist_lane(lane, old);
    }

    /// The head of the lane that comes after the first one of this operation, which is the first
    /// of all.
    fn next_head(&self, operation: OperationSlot) -> Option<QueueKey> {
        if is_on(Fault::MergeForgetsOthers) {
            return None;
        }
        let own = self.operations.get(operation).heads.iter().nth(1).map(|(key, _)| *key);
        let other = self.open.iter().nth(1).map(|(key, _)| *key);
        let outside = self.outside.first().map(|(key, _)| *key);
        own.into_iter().chain(other).chain(outside).min()
    }
}
