//! Batches: tasks of one operation that one run of its runner takes together.
//!
//! Each task of a batch is picked like any other and counts for every limit of its operation; of
//! the places of the process all of them take one. Within a turn the picks of an operation fill one
//! batch after the other, so a pick that joins a batch needs no place: it may start although none
//! is left.
//!
//! # Promises
//! - The picks of a turn are in queue order, those that join a batch too.
//! - What a turn has done to batches ends with it: the next one begins with an empty batch.
//!
//! # Left to others
//! Whether a batch that is not full starts or waits is the engine's word: it takes its picks back
//! and lets the operation wait.
//!
//! Proof: `tests/dispatch_oracle.rs`, `proof/tests/engine/batches.rs`.

use std::sync::Arc;

use super::Dispatch;
use super::gate::Gate;
use super::operation::Operation;
use super::slot::OperationSlot;
use crate::fault::{Fault, is_on};
use crate::id::OperationId;
use crate::queue::QueueKey;

impl Operation {
    /// Whether its tasks are taken together; what executors outside take is not.
    pub(super) fn has_batches(&self) -> bool {
        self.batch_max > 1 && !self.is_outside()
    }

    /// How many more tasks the batch takes that this turn has begun to fill.
    pub(super) fn room_in_batch(&self) -> u32 {
        match self.picked % self.batch_max {
            0 => 0,
            members => self.batch_max - members,
        }
    }
}

impl Dispatch {
    /// The runner of an operation takes up to so many tasks together; live runs go on.
    pub fn set_batch(&mut self, operation: &Arc<str>, max: u32) {
        debug_assert!(self.undo.is_empty(), "a runner is no part of a turn");
        debug_assert!(max > 0, "a batch of no task");
        let slot = self.operations.add(operation);
        self.operations.get_mut(slot).batch_max = max;
        self.batching.retain(|other| *other != slot);
        if max > 1 {
            self.batching.push(slot);
        }
    }

    /// How many tasks of an operation are taken together at most; 1 if each is taken by itself.
    pub fn batch_max(&self, id: OperationId) -> u32 {
        let operation = self.operations.by_id(id).map(|slot| self.operations.get(slot));
        operation.filter(|operation| operation.has_batches()).map_or(1, |one| one.batch_max)
    }

    /// Nothing more of an operation starts in this turn: its tasks wait for others to join them.
    pub fn await_batch(&mut self, id: OperationId) {
        let Some(slot) = self.operations.by_id(id) else { return };
        debug_assert!(self.batching.contains(&slot), "a task waits for a batch, and there is none");
        self.operations.get_mut(slot).awaits_batch = true;
        self.relist(slot);
    }

    /// Whether more tasks of an operation could ever be in one batch with so many that were picked
    /// in this turn: not if these are all that its limits let start before one of them ends.
    pub fn may_join(&self, id: OperationId, picked: usize) -> bool {
        let Some(slot) = self.operations.by_id(id) else { return false };
        let Operation { options, breaker, .. } = self.operations.get(slot);
        let burst = options.rate_limit.as_ref().filter(|rate| rate.by.is_none());
        let most = [options.concurrency, burst.map(|rate| rate.burst)];
        breaker.shut.is_none() && most.into_iter().flatten().all(|most| picked < most as usize)
    }

    /// How many tasks this process could start, if nothing held them back.
    pub(super) fn wanted_here(&self) -> usize {
        let batches = self.batching.iter().map(|slot| self.operations.get(*slot));
        let (mut max, mut room) = (1, 0);
        for operation in batches {
            max = max.max(operation.batch_max as usize);
            room += operation.room_in_batch() as usize;
        }
        self.free().saturating_mul(max).saturating_add(room)
    }

    /// The first operation that may start something here, and the position of its first task.
    pub(super) fn first_here(&self) -> Option<(QueueKey, OperationSlot)> {
        match self.gate() {
            None => self.open.first().copied(),
            Some(Gate::ProcessLimit) => self.next_to_join(),
            Some(_) => None,
        }
    }

    /// The same, of those whose tasks need no place, for they join a batch that has one.
    fn next_to_join(&self) -> Option<(QueueKey, OperationSlot)> {
        let batches = self.batching.iter().map(|slot| (self.operations.get(*slot), *slot));
        let open = batches.filter(|(operation, _)| operation.room_in_batch() > 0);
        open.filter_map(|(operation, slot)| Some((operation.listed?, slot))).min()
    }

    /// A run of an operation has just begun: it takes a place, or joins a batch that has one.
    pub(super) fn begin_in_place(&mut self, slot: OperationSlot) {
        let operation = self.operations.get_mut(slot);
        operation.running += 1;
        let joins = operation.room_in_batch() > 0 && !is_on(Fault::MemberTakesPlace);
        if operation.has_batches() {
            operation.picked += 1;
        }
        let count = if joins { &mut self.without_place } else { &mut self.running };
        *count += 1;
    }

    /// Such a run has not begun: it takes a place before it ends, if it joined a batch.
    pub(super) fn unjoin(&mut self, slot: OperationSlot) {
        let operation = self.operations.get_mut(slot);
        if !operation.has_batches() {
            return;
        }
        debug_assert!(operation.picked > 0, "a pick is taken back that was none");
        operation.picked = operation.picked.saturating_sub(1);
        if operation.room_in_batch() > 0 && !is_on(Fault::MemberTakesPlace) {
            self.change_place(true);
        }
    }

    /// A turn is over, and with it all that it did to batches.
    pub(super) fn end_batches(&mut self) {
        for at in 0..self.batching.len() {
            let slot = self.batching[at];
            let operation = self.operations.get_mut(slot);
            operation.picked = 0;
            if std::mem::take(&mut operation.awaits_batch) {
                self.relist(slot);
            }
        }
    }
}
