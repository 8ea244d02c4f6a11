//! Who takes tasks to executors outside: the polls that wait for them, in the order in which they
//! came.
//!
//! An operation with an executor needs no place of this process and no runner here. It is open
//! while somebody waits for its tasks, and its first task goes to the one that has waited longest.
//! So as many polls wake as tasks are there for them, and no more.
//!
//! # Promises
//! - A task goes to the first of those who want it, and to none twice; who has as many as it wants
//!   is passed over.
//! - A rollback gives everybody back what the turn had counted for them.
//!
//! # Left to others
//! Who they are, how long they wait, and what they are told: the engine.
//!
//! Proof: `tests/dispatch_oracle.rs`, `proof/tests/engine/executors.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Dispatch;
use super::slot::{OperationSlot, TakerId};
use super::undo::Step;
use crate::executor::Executor;
use crate::fault::{Fault, is_on};
use crate::id::{OperationId, Seq};

/// One who waits for tasks.
#[derive(Debug)]
struct Taker {
    /// So many more.
    left: usize,
    /// Of these operations; of all that have an executor if there are none.
    operations: Option<Vec<OperationSlot>>,
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Takers {
    last: u64,
    all: BTreeMap<TakerId, Taker>,
    /// Those that still want tasks of an operation, which they have named.
    naming: FxHashMap<OperationSlot, BTreeSet<TakerId>>,
    /// Those that still want tasks of whichever operation.
    naming_none: BTreeSet<TakerId>,
    /// How many tasks are wanted in all.
    left: usize,
}

impl Takers {
    /// How many tasks are wanted in all.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Who gets the next task of an operation.
    pub(super) fn first(&self, slot: OperationSlot) -> Option<TakerId> {
        let naming = self.naming.get(&slot);
        if is_on(Fault::TakerOvertakes) {
            return naming.and_then(BTreeSet::last).max(self.naming_none.last()).copied();
        }
        let naming = naming.and_then(BTreeSet::first);
        naming.into_iter().chain(self.naming_none.first()).min().copied()
    }

    fn list(&mut self, id: TakerId) {
        match self.all.get(&id).map(|taker| &taker.operations) {
            Some(Some(operations)) => {
                for slot in operations {
                    self.naming.entry(*slot).or_default().insert(id);
                }
            }
            Some(None) => drop(self.naming_none.insert(id)),
            None => {}
        }
    }

    fn unlist(&mut self, id: TakerId) {
        match self.all.get(&id).map(|taker| &taker.operations) {
            Some(Some(operations)) => {
                for slot in operations {
                    let Some(naming) = self.naming.get_mut(slot) else { continue };
                    naming.remove(&id);
                    if naming.is_empty() {
                        self.naming.remove(slot);
                    }
                }
            }
            Some(None) => drop(self.naming_none.remove(&id)),
            None => {}
        }
    }

    /// One task more, or less, is counted for one who waits. Whether that changes who wants tasks.
    fn count(&mut self, id: TakerId, takes: bool) -> bool {
        let Some(taker) = self.all.get_mut(&id) else { return false };
        debug_assert!(!takes || taker.left > 0, "{id:?} gets more than it wants");
        if takes {
            (taker.left, self.left) = (taker.left.saturating_sub(1), self.left.saturating_sub(1));
            let is_served = taker.left == 0;
            if is_served {
                self.unlist(id);
            }
            return is_served;
        }
        (taker.left, self.left) = (taker.left + 1, self.left + 1);
        let wants_again = taker.left == 1;
        if wants_again {
            self.list(id);
        }
        wants_again
    }
}

impl Dispatch {
    /// One more waits for so many tasks of these operations, or of all that have an executor.
    pub fn add_taker(&mut self, operations: Option<&[Arc<str>]>, tasks_max: usize) -> TakerId {
        debug_assert!(self.undo.is_empty(), "who waits is no part of a turn");
        let slots = operations.map(|names| {
            let slots: BTreeSet<_> = names.iter().map(|name| self.operations.add(name)).collect();
            slots.into_iter().collect()
        });
        self.takers.last += 1;
        let id = TakerId(self.takers.last);
        self.takers.all.insert(id, Taker { left: tasks_max, operations: slots });
        self.takers.left += tasks_max;
        self.takers.list(id);
        self.see_takers_of(id);
        id
    }

    /// One does not wait any more.
    pub fn remove_taker(&mut self, id: TakerId) {
        debug_assert!(self.undo.is_empty(), "who waits is no part of a turn");
        self.takers.unlist(id);
        let operations = self.takers.all.remove(&id);
        self.takers.left -= operations.as_ref().map_or(0, |taker| taker.left);
        if let Some(taker) = operations {
            self.see_takers_at(taker.operations);
        }
    }

    /// Whether anybody wants a task.
    pub fn has_takers(&self) -> bool {
        self.takers.left > 0
    }

    /// How many tasks may start, or be taken, together.
    pub fn wanted(&self) -> usize {
        self.wanted_here() + self.takers.left
    }

    /// The operations with an executor.
    pub fn with_executor(&self) -> impl Iterator<Item = &Arc<str>> {
        self.with_executor.iter().map(|slot| &self.operations.get(*slot).name)
    }

    /// Whether any operation has an executor.
    pub fn has_executors(&self) -> bool {
        !self.with_executor.is_empty()
    }

    /// How the tasks of an operation are given out, if they are.
    pub fn executor(&self, id: OperationId) -> Option<Executor> {
        self.options(id)?.executor
    }

    /// The same by its name.
    pub fn executor_of(&self, name: &str) -> Option<Executor> {
        self.operations.get(self.operations.by_name(name)?).options.executor
    }

    /// Somebody has polled here for tasks of an operation, or none has for some time.
    pub fn set_polled(&mut self, operation: &Arc<str>, is_polled: bool) {
        debug_assert!(self.undo.is_empty(), "who polls is no part of a turn");
        let slot = self.operations.add(operation);
        self.operations.get_mut(slot).is_polled = is_polled;
        self.recount(slot);
    }

    /// The run of an executor, or its claim, is over. Within a turn.
    pub fn end_outside_run(&mut self, operation: OperationId, seq: Seq) {
        let slot = self.operations.by_id(operation);
        debug_assert!(slot.is_some(), "nothing is known of operation {}", operation.0);
        let Some(slot) = slot else { return };
        self.change_outside(slot, false);
        let run = self.count_no_more(seq);
        self.undo.push_outside_end(slot, seq, run);
    }

    /// A run of an executor begins or is over: it counts with those of other owners.
    pub(super) fn change_outside(&mut self, slot: OperationSlot, begins: bool) {
        let remote = &mut self.operations.get_mut(slot).remote;
        debug_assert!(begins || *remote > 0, "a run ends that has not begun");
        *remote = if begins { *remote + 1 } else { remote.saturating_sub(1) };
        self.relist(slot);
    }

    /// The first task of an operation is taken, by the first of those who want it.
    pub(super) fn give_out(&mut self, slot: OperationSlot, seq: Seq) -> Option<TakerId> {
        let id = self.takers.first(slot);
        debug_assert!(id.is_some(), "a task is given out that nobody wants");
        let id = id?;
        self.operations.get_mut(slot).remote += u32::from(!is_on(Fault::ClaimIsNotCounted));
        self.undo.push(Step::Claim(slot, seq, id));
        self.count_taken(id, true);
        Some(id)
    }

    pub(super) fn count_taken(&mut self, id: TakerId, takes: bool) {
        if self.takers.count(id, takes) {
            self.see_takers_of(id);
        }
    }

    fn see_takers_of(&mut self, id: TakerId) {
        let operations = self.takers.all.get(&id).map(|taker| taker.operations.clone());
        operations.into_iter().for_each(|operations| self.see_takers_at(operations));
    }

    fn see_takers_at(&mut self, operations: Option<Vec<OperationSlot>>) {
        let all = || self.with_executor.iter().copied().collect();
        let operations = operations.unwrap_or_else(all);
        operations.into_iter().for_each(|slot| self.see_takers(slot));
    }

    /// An operation opens or closes with those who want its tasks.
    pub(super) fn see_takers(&mut self, slot: OperationSlot) {
        let is_wanted = self.takers.first(slot).is_some();
        let operation = self.operations.get_mut(slot);
        let has_taker = is_wanted && operation.is_outside();
        if operation.has_taker != has_taker {
            operation.has_taker = has_taker;
            self.relist(slot);
        }
    }

    /// An operation may have got an executor, or lost it.
    pub(super) fn see_executor(&mut self, slot: OperationSlot) {
        if self.operations.get(slot).is_outside() {
            self.with_executor.insert(slot);
        } else {
            self.with_executor.remove(&slot);
        }
        self.see_takers(slot);
    }
}
