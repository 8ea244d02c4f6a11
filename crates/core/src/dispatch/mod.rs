//! Which task runs next.
//!
//! A *lane* is all ready tasks with the same operation and the same conditions. Inside a lane the
//! order is total: greater priority, then smaller sequence number. Each operation keeps the heads
//! of its lanes in order, and the operations that may start something are kept in the order of
//! their first heads: so a *gate* that closes an operation takes one entry out, whatever its lanes.
//! Of each lane memory knows the first positions (its *window*), and a bound for the rest, which
//! lies in the store.
//!
//! A turn plans in this structure itself: tasks enter and leave, runs end, and what may start is
//! picked. [`Dispatch::commit`] keeps that, [`Dispatch::rollback`] takes it back.
//!
//! # Promises
//! - What starts is the first of all that may start (I-7), at most `limit` at once here and at most
//!   each operation's own limit, which counts the runs of other owners too (I-6).
//! - A rollback leaves what the queue says of the store as it was before the turn.
//! - Memory is bounded: some 200 bytes per lane with ready tasks, and windows and contents that are
//!   bounded in all; besides what conditions have looked at of what stands ahead (`queued`).
//!
//! Proof: `tests/dispatch_oracle.rs` compares with a scan of everything, after each turn, committed
//! or not; `tests/dispatch_bounds.rs`.

mod gate;
mod bucket;
mod breaker;
mod slot;
mod hash;
mod window;
mod operation;
mod group;
mod family;
mod bars;
mod counter;
mod queued;
mod lane;
mod content;
mod undo;
mod place;
mod rates;
mod circuits;
mod run;
mod batches;
mod learn;
mod takers;
mod merge;
mod ahead;
mod check;
mod explain;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use ahead::Watch;
pub use check::Examined;
pub use circuits::CircuitFacts;
use content::{Contents, bytes_of};
use counter::Counters;
pub use explain::{Ahead, LaneKeys, OperationFacts, Standing};
pub use gate::Gate;
use group::Groups;
use hash::Hashes;
use lane::{Lanes, WINDOWS_KEYS_MAX};
pub use learn::Known;
pub use merge::{Pick, Picks, Progress};
use operation::{Operation, Operations};
use queued::Queued;
pub use rates::RateFacts;
pub use slot::TakerId;
use slot::{Closed, CounterId, GateSlot, LaneSlot, OperationSlot};
use takers::Takers;
use undo::{Overlay, Step, Undo};

use crate::circuit::Circuit;
use crate::fault::{Fault, is_on};
use crate::id::{LaneId, OperationId, OwnerId, Seq};
use crate::operation::{OperationOptions, OperationRecord};
use crate::query::Value;
use crate::queue::QueueKey;
use crate::store::{GateId, LaneHead, ReadyTask, Window};
use crate::task::NewTask;
use crate::time::WallMs;

/// All that is ready, in order, and what keeps it from starting.
#[derive(Debug)]
pub struct Dispatch {
    /// Whose lanes are started here, besides those that are nobody's.
    owner: OwnerId,
    is_started: bool,
    limit: u32,
    running: u32,
    /// Runs that are live here and take no place of the process: they halt at a checkpoint, or
    /// another run of their batch has it.
    without_place: u32,
    operations: Operations,
    /// Those whose tasks are taken together.
    batching: Vec<OperationSlot>,
    /// The operations that may start something, in the order of their first tasks.
    open: BTreeSet<(QueueKey, OperationSlot)>,
    /// The same of those that executors outside take, which need no place here.
    outside: BTreeSet<(QueueKey, OperationSlot)>,
    /// The operations with an executor, open or not.
    with_executor: BTreeSet<OperationSlot>,
    takers: Takers,
    lanes: Lanes,
    /// The lanes that may have become empty in this turn.
    emptied: Vec<LaneId>,
    /// Counters of values to which lanes have referred in this turn, each once for each lane.
    released: Vec<CounterId>,
    groups: Groups,
    counters: Counters,
    queued: Queued,
    /// The rate limits without a token, by the moment when they have one again, and the circuits
    /// that are open, by the moment when they are half open.
    closed: BTreeSet<(WallMs, Closed)>,
    /// The circuits that are half open and wait for a probe to end.
    probing: BTreeSet<GateSlot>,
    /// What the turn has made of circuits by what has ended in it.
    turned: BTreeMap<GateId, Circuit>,
    /// When the turn began.
    now: WallMs,
    /// Whether there were other owners then.
    is_shared: bool,
    /// The lanes that only other owners start.
    elsewhere: BTreeSet<LaneId>,
    contents: Contents,
    /// What conditions look at of tasks that this turn has added or changed.
    documents: FxHashMap<Seq, Value>,
    hashes: Hashes,
    undo: Undo,
}

/// What a window may load however many others there are, so that a query is worth its while.
const WINDOW_SHARE_MIN: usize = 8;

/// How far a turn was; nothing is done at the default one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(usize);

impl Dispatch {
    /// An empty queue that starts nothing yet; at most `limit` runs at once.
    pub fn new(limit: u32) -> Self {
        Self {
            owner: OwnerId(0),
            is_started: false,
            limit,
            running: 0,
            without_place: 0,
            operations: Operations::default(),
            batching: Vec::new(),
            open: BTreeSet::new(),
            outside: BTreeSet::new(),
            with_executor: BTreeSet::new(),
            takers: Takers::default(),
            lanes: Lanes::default(),
            emptied: Vec::new(),
            released: Vec::new(),
            groups: Groups::default(),
            counters: Counters::default(),
            queued: Queued::default(),
            closed: BTreeSet::new(),
            probing: BTreeSet::new(),
            turned: BTreeMap::new(),
            now: WallMs::FIRST,
            is_shared: false,
            elsewhere: BTreeSet::new(),
            contents: Contents::default(),
            documents: FxHashMap::default(),
            hashes: Hashes::default(),
            undo: Undo::default(),
        }
    }

    /// It is this owner's: it starts those tasks, too, that are attached to it.
    pub fn owned_by(self, owner: OwnerId) -> Self {
        Self { owner, ..self }
    }

    /// Whether tasks are being started.
    pub fn is_started(&self) -> bool {
        self.is_started
    }

    /// Begins or ceases to start tasks.
    pub fn set_started(&mut self, is_started: bool) {
        self.is_started = is_started;
        self.recount_all();
    }

    /// How many runs are live here and have a place.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// How many runs are live here and take no place.
    pub fn without_place(&self) -> u32 {
        self.without_place
    }

    /// What keeps every task from starting here.
    pub fn gate(&self) -> Option<Gate> {
        if !self.is_started {
            Some(Gate::Stopped)
        } else if self.running >= self.limit {
            Some(Gate::ProcessLimit)
        } else {
            None
        }
    }

    /// How many tasks and bytes of data memory holds.
    pub fn contents(&self) -> (usize, usize) {
        (self.contents.len(), self.contents.bytes())
    }

    /// How many tasks of a lane should be loaded at most: with more, the windows of lanes that take
    /// turns would push each other out.
    pub fn window_share(&self) -> usize {
        let open = self.open.iter().chain(&self.outside);
        let open = open.map(|(_, slot)| self.operations.get(*slot));
        let lanes: usize = open.map(|operation| operation.heads.len()).sum();
        (WINDOWS_KEYS_MAX / lanes.max(1)).max(WINDOW_SHARE_MIN)
    }

    /// Whether the operation has a runner here.
    pub fn has_runner(&self, operation: &str) -> bool {
        let slot = self.operations.by_name(operation);
        slot.is_some_and(|slot| self.operations.get(slot).has_runner)
    }

    /// Gives an operation a runner, or takes it away. Live runs go on.
    pub fn set_runner(&mut self, operation: &Arc<str>, has_runner: bool) {
        debug_assert!(self.undo.is_empty(), "a runner is no part of a turn");
        let slot = self.operations.add(operation);
        self.operations.get_mut(slot).has_runner = has_runner;
        if !has_runner {
            self.set_batch(operation, 1);
        }
        self.relist(slot);
        self.recount(slot);
    }

    /// The runner of an operation runs each task in a thread of its own, and has so many here; or
    /// it does not.
    pub fn set_threads(&mut self, operation: &Arc<str>, threads: Option<u32>) {
        debug_assert!(self.undo.is_empty(), "a runner is no part of a turn");
        debug_assert!(threads != Some(0), "without a thread nothing starts");
        let slot = self.operations.add(operation);
        self.operations.get_mut(slot).threads = threads;
        self.relist(slot);
    }

    /// Whether the runs of an operation have threads here, which can be ended.
    pub fn has_threads(&self, id: OperationId) -> bool {
        let slot = self.operations.by_id(id);
        slot.is_some_and(|slot| self.operations.get(slot).threads.is_some())
    }

    /// Whether somebody starts tasks of this operation: this process or another owner.
    pub fn is_offered(&self, operation: &str) -> bool {
        let Some(slot) = self.operations.by_name(operation) else { return false };
        self.operations.get(slot).is_served(self.is_started)
    }

    /// Another owner starts tasks of this operation from now on, or none does any more.
    pub fn set_offered(&mut self, operation: &Arc<str>, is_offered: bool) {
        let slot = self.operations.add(operation);
        if self.operations.get(slot).is_offered != is_offered {
            self.change_offered(slot);
            self.undo.push(Step::Offered(slot));
        }
    }

    fn change_offered(&mut self, slot: OperationSlot) {
        let operation = self.operations.get_mut(slot);
        operation.is_offered = !operation.is_offered;
        self.recount(slot);
    }

    /// What is stored of an operation; version 0 if nothing is.
    pub fn record(&self, name: &str) -> OperationRecord {
        let slot = self.operations.by_name(name);
        slot.map(|slot| self.operations.get(slot).record.clone()).unwrap_or_default()
    }

    /// An operation has this record from now on, or is about to.
    pub fn set_record(&mut self, id: OperationId, record: OperationRecord) {
        let slot = self.operations.by_id(id);
        debug_assert!(slot.is_some(), "nothing is known of operation {}", id.0);
        let Some(slot) = slot else { return };
        let limit = record.in_force().concurrency;
        debug_assert!(limit != Some(0), "a limit of 0 would start nothing for ever");
        let replaced = self.replace_record(slot, record);
        self.undo.push_record(slot, replaced);
    }

    fn replace_record(&mut self, slot: OperationSlot, record: OperationRecord) -> OperationRecord {
        let old = self.operations.get(slot).options.clone();
        let replaced = self.operations.replace(slot, record);
        let new = &self.operations.get(slot).options;
        let is_same_rate = old.rate_limit == new.rate_limit;
        if !is_same_rate || old.circuit_breaker != new.circuit_breaker {
            let is_same_path = old.key_path() == new.key_path();
            self.change_gates(slot, is_same_path);
        }
        self.see_executor(slot);
        self.relist(slot);
        self.recount(slot);
        replaced
    }

    /// What holds of what is said of an operation.
    pub fn options(&self, id: OperationId) -> Option<&OperationOptions> {
        Some(&self.operations.get(self.operations.by_id(id)?).options)
    }

    /// The number of an operation, if the store has one.
    pub fn operation(&self, name: &str) -> Option<OperationId> {
        self.operations.get(self.operations.by_name(name)?).id
    }

    /// The name of an operation.
    pub fn operation_name(&self, id: OperationId) -> Option<&Arc<str>> {
        Some(&self.operations.get(self.operations.by_id(id)?).name)
    }

    /// The store knows this operation under this number, or is about to.
    pub fn add_operation(&mut self, id: OperationId, name: &Arc<str>) {
        let slot = self.operations.add(name);
        if self.operations.get(slot).id != Some(id) {
            debug_assert!(self.operations.get(slot).id.is_none(), "{name} has two numbers");
            self.operations.set_id(slot, Some(id));
            self.undo.push(Step::Number(slot));
        }
    }

    /// Whether only another owner may start the tasks of a lane: nothing is known of it here.
    fn is_elsewhere(&self, lane: LaneId) -> bool {
        lane.attached_to().is_some_and(|owner| owner != self.owner)
    }

    /// A task takes a position in the queue.
    pub fn enter(&mut self, lane: LaneId, key: QueueKey) {
        debug_assert!(!self.has_seen(lane, key), "{key:?} is taken already (I-7)");
        self.insert(lane, key);
        self.come(lane, key);
        self.undo.push(Step::Enter(lane, key));
    }

    /// The task in this position leaves the queue, if there is one: of what another owner withdrew
    /// it is not known whether it had a place.
    pub fn leave(&mut self, lane: LaneId, key: QueueKey) {
        self.remove(lane, key);
        self.go(lane, key);
        self.undo.push(Step::Leave(lane, key));
    }

    /// Keeps what the start of a task needs that has entered the queue, if it will be needed soon.
    pub fn offer(&mut self, lane: LaneId, task: ReadyTask) {
        let key = QueueKey::new(task.def.priority, task.seq);
        let slot = self.lanes.slot(lane).filter(|slot| self.lanes.get(*slot).covers(key));
        let Some(slot) = slot else { return };
        if self.is_started && self.operations.get(self.lanes.get(slot).operation).has_runner {
            self.contents.offer(task);
        }
    }

    /// The definition of a task, if it is kept for its start.
    pub fn definition(&self, seq: Seq) -> Option<NewTask> {
        self.contents.get(seq).map(|task| task.def.clone())
    }

    /// What was kept for the start of a task is not as it is any more.
    pub fn forget_content(&mut self, seq: Seq) {
        self.contents.take(seq);
    }

    /// A run that is live here gives up its place. It counts for its operation still.
    pub fn give_place_up(&mut self) {
        self.change_place(false);
        self.undo.push(Step::GivePlace);
    }

    /// A run that is live here without a place takes one, to go on or to end.
    pub fn take_place(&mut self) {
        self.change_place(true);
        self.undo.push(Step::TakePlace);
    }

    /// Whether there is a place for a run that has halted.
    pub fn has_place(&self) -> bool {
        self.running < self.limit
    }

    fn change_place(&mut self, takes: bool) {
        let (from, to) = if takes {
            (&mut self.without_place, &mut self.running)
        } else {
            (&mut self.running, &mut self.without_place)
        };
        debug_assert!(*from > 0, "a run takes or gives a place that is not there");
        (*from, *to) = (from.saturating_sub(1), *to + 1);
    }

    /// Forgets all that mirrors the store, except the runs that are live here.
    pub fn forget(&mut self) {
        debug_assert!(self.undo.is_empty(), "what a turn did cannot be forgotten within it");
        self.lanes = Lanes::default();
        self.groups = Groups::default();
        self.counters = Counters::default();
        self.queued = Queued::default();
        self.closed.clear();
        self.probing.clear();
        self.released.clear();
        self.elsewhere.clear();
        self.open.clear();
        self.outside.clear();
        self.contents.clear();
        self.operations.iter_mut().for_each(Operation::forget);
    }

    /// Takes over what the store says of its lanes, of which none is known.
    pub fn load_heads(&mut self, heads: &[LaneHead]) {
        debug_assert!(
            heads.is_sorted_by(|one, next| one.lane < next.lane),
            "a lane has one head, and lanes come by number"
        );
        for LaneHead { lane, first, next } in heads {
            if self.is_elsewhere(*lane) {
                self.elsewhere.insert(*lane);
                continue;
            }
            debug_assert!(self.lanes.slot(*lane).is_none(), "the head of a known lane");
            debug_assert!(next.is_none_or(|next| *first < next), "a head is not the first");
            let Some(slot) = self.lane(*lane) else { continue };
            self.change(slot, |lane| {
                lane.enter(*first, 1);
                lane.rest = *next;
            });
        }
    }

    /// Takes over what the store holds of the lanes that [`Progress::Load`] named, as far as it was
    /// read. What this turn did behind their windows is put over it.
    pub fn load(&mut self, windows: Vec<(LaneId, Window)>) {
        debug_assert!(!windows.is_empty(), "a load that brings nothing is asked for again");
        debug_assert!(windows.iter().all(|(lane, window)| self.is_of(*lane, window)));
        self.make_room(&windows);
        let rest = |lane: &LaneId| self.lanes.get(self.lanes.slot(*lane)?).rest;
        let lanes = windows.iter().map(|(lane, _)| lane);
        let from: BTreeMap<_, _> = lanes.filter_map(|lane| Some((*lane, rest(lane)?))).collect();
        let overlay = self.undo.overlay(&from);
        for (lane, window) in windows {
            if let (Some(slot), Some(from)) = (self.lanes.slot(lane), from.get(&lane)) {
                self.load_window(slot, *from, window, &overlay);
            }
        }
    }

    fn make_room(&mut self, windows: &[(LaneId, Window)]) {
        let tasks = || windows.iter().flat_map(|(_, window)| &window.tasks);
        let (count, bytes) = (tasks().count(), tasks().map(bytes_of).sum());
        self.contents.make_room(count, bytes);
        if self.lanes.outside().0 + count > WINDOWS_KEYS_MAX {
            self.lanes.cut_all(self.lanes.cut_for(windows.len()));
        }
    }

    fn load_window(&mut self, slot: LaneSlot, from: QueueKey, window: Window, overlay: &Overlay) {
        let lane = self.lanes.get(slot).id;
        let is_complete = window.is_complete || is_on(Fault::LoadClaimsAll);
        debug_assert!(
            is_complete || !window.tasks.is_empty(),
            "an empty window that is not complete would be loaded for ever"
        );
        let last = window.tasks.last().filter(|_| !is_complete);
        let rest = last.map(|task| QueueKey::new(task.def.priority, task.seq).after());
        let key = |task: &ReadyTask| QueueKey::new(task.def.priority, task.seq);
        let of_turn = overlay.range((lane, from)..).take_while(|((other, _), _)| *other == lane);
        let entered = of_turn.filter(|(_, is_there)| **is_there).map(|((_, key), _)| *key);
        let stored = window.tasks.iter().map(key);
        debug_assert!(stored.clone().all(|key| from <= key), "the window begins too early");
        let stored = stored.filter(|key| !overlay.contains_key(&(lane, *key)));
        let keys_max = self.lanes.keys_max(slot);
        // At once, so that a lane is not without tasks meanwhile.
        self.change(slot, |lane| {
            lane.rest = rest;
            stored.chain(entered).for_each(|key| lane.enter(key, keys_max));
        });
        for task in window.tasks {
            let key = key(&task);
            // What has come in this turn is not stored as it will be.
            if !overlay.contains_key(&(lane, key)) && self.has_seen(lane, key) {
                self.contents.offer(task);
            }
        }
    }

    /// What the turn did is on disk.
    pub fn commit(&mut self) {
        self.undo.clear();
        self.turned.clear();
        self.end_turn();
        debug_assert!(self.is_sound(), "{:?}", self.fault());
    }

    /// What the turn did has not been.
    pub fn rollback(&mut self) {
        self.rollback_to(Mark::default());
        self.forget_turned();
        self.end_turn();
        debug_assert!(self.is_sound(), "{:?}", self.fault());
    }

    fn end_turn(&mut self) {
        self.end_batches();
        self.documents.clear();
        self.forget_emptied();
        self.release_keys();
        self.counters.tidy();
        self.queued.tidy();
    }

    /// How far the turn is now.
    pub fn mark(&self) -> Mark {
        Mark(self.undo.len())
    }

    /// What the turn did since then has not been.
    pub fn rollback_to(&mut self, mark: Mark) {
        debug_assert!(mark.0 <= self.undo.len(), "what was done by then has been taken back");
        while self.undo.len() > mark.0
            && let Some(step) = self.undo.pop()
        {
            self.take_back(step);
        }
    }

    fn take_back(&mut self, step: Step) {
        match step {
            Step::Enter(..) if is_on(Fault::RollbackForgetsEnter) => {}
            Step::Leave(..) if is_on(Fault::RollbackForgetsLeave) => {}
            Step::Record(_) if is_on(Fault::RollbackForgetsRecord) => {}
            Step::Offered(slot) => self.change_offered(slot),
            Step::Enter(lane, key) => {
                self.remove(lane, key);
                self.go(lane, key);
            }
            Step::Leave(lane, key) => {
                self.insert(lane, key);
                self.come(lane, key);
            }
            Step::Begin(slot, seq) => {
                self.unjoin(slot);
                self.change_runs(slot, false);
                self.count_no_more(seq);
                self.give_token_back();
                self.take_probe_back();
            }
            Step::End(slot, seq) => {
                self.change_runs(slot, true);
                let run = self.undo.pop_end();
                if let Some(run) = run.filter(|_| !is_on(Fault::RollbackForgetsCounters)) {
                    self.count(seq, run.document);
                }
            }
            Step::GivePlace => self.change_place(true),
            Step::TakePlace => self.change_place(false),
            Step::Claim(slot, seq, taker) => {
                self.change_outside(slot, false);
                self.count_no_more(seq);
                self.give_token_back();
                if !is_on(Fault::RollbackForgetsTakers) {
                    self.count_taken(taker, false);
                }
            }
            Step::EndOutside(slot, seq) => {
                self.change_outside(slot, true);
                if let Some(run) = self.undo.pop_end() {
                    self.count(seq, run.document);
                }
            }
            Step::Number(slot) => self.operations.set_id(slot, None),
            Step::Lane(id) => self.forget_lane(id),
            Step::Record(slot) => {
                if let Some(record) = self.undo.pop_record() {
                    self.replace_record(slot, record);
                }
            }
        }
    }

    /// Whether the window of the lane holds this position.
    fn has_seen(&self, lane: LaneId, key: QueueKey) -> bool {
        self.lanes.slot(lane).is_some_and(|slot| self.lanes.get(slot).window.holds(key))
    }

    /// Whether a task may have this position: it does, or it is not known.
    pub fn may_hold(&self, lane: LaneId, key: QueueKey) -> bool {
        let slot = self.lanes.slot(lane);
        self.is_elsewhere(lane)
            || slot.is_some_and(|slot| {
                let lane = self.lanes.get(slot);
                lane.window.holds(key) || !lane.covers(key)
            })
    }

    /// Whether these may be tasks of this lane: of its operation, each once, in queue order.
    fn is_of(&self, lane: LaneId, Window { tasks, .. }: &Window) -> bool {
        let name = self.operation_name(lane.operation());
        let key = |task: &ReadyTask| QueueKey::new(task.def.priority, task.seq);
        tasks.is_sorted_by(|one, next| key(one) < key(next))
            && tasks.iter().all(|task| Some(&task.def.operation) == name)
    }

    /// Puts a position in. Whether it is in the window now: else it lies behind it.
    fn insert(&mut self, lane: LaneId, key: QueueKey) -> bool {
        debug_assert!(key.seq.0 > 0, "tasks count from 1");
        if self.is_elsewhere(lane) {
            self.elsewhere.insert(lane);
            return false;
        }
        let Some(slot) = self.lane(lane) else { return false };
        let keys_max = self.lanes.keys_max(slot);
        self.change(slot, |lane| {
            lane.enter(key, keys_max);
            lane.covers(key)
        })
    }

    /// Takes a position out, and with it what was kept for the start of its task.
    fn remove(&mut self, lane: LaneId, key: QueueKey) {
        self.contents.take(key.seq);
        if let Some(slot) = self.lanes.slot(lane) {
            self.change(slot, |lane| lane.leave(key));
        }
    }

    /// The lane with this number; one that is not there is made, for a task.
    fn lane(&mut self, id: LaneId) -> Option<LaneSlot> {
        if let Some(slot) = self.lanes.slot(id) {
            return Some(slot);
        }
        let operation = self.operations.by_id(id.operation());
        debug_assert!(operation.is_some(), "nothing is known of the operation of {id:?}");
        let operation = operation?;
        self.queued.add_lane(operation, id);
        Some(self.lanes.add(id, operation))
    }
}
