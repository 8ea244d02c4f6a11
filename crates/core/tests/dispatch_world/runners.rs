//! The runners: how many threads they have, and how many tasks they take at once.

use tasker_core::id::{LaneId, OperationId, Seq};

use super::batches::Batches;
use super::{Truth, World, id, name};

impl World {
    pub(super) fn assign(&mut self, operation: usize, threads: Option<u32>, size: u32) {
        self.runners.insert(id(operation));
        self.threads.remove(&id(operation));
        self.threads.extend(threads.map(|threads| (id(operation), threads)));
        self.dispatch.set_threads(&name(operation), threads);
        self.dispatch.set_runner(&name(operation), true);
        self.dispatch.set_batch(&name(operation), size);
        self.sizes.remove(&id(operation));
        if size > 1 {
            self.sizes.insert(id(operation), size as usize);
        }
    }

    pub(super) fn unassign(&mut self, operation: usize) {
        self.runners.remove(&id(operation));
        self.sizes.remove(&id(operation));
        self.dispatch.set_runner(&name(operation), false);
    }

    /// Whether one more run of an operation would have a thread here.
    pub(super) fn has_thread(&self, truth: &Truth, operation: OperationId) -> bool {
        let here = truth.running.iter().filter(|(lane, _)| lane.operation() == operation);
        self.threads.get(&operation).is_none_or(|all| here.count() < *all as usize)
    }

    /// The place of a run is free if no other one of its batch has it.
    pub(super) fn end_run(&mut self, lane: LaneId, seq: Seq, batches: &mut Batches) {
        if batches.end(seq) {
            self.dispatch.take_place();
        }
        self.dispatch.end_run(lane.operation(), seq);
    }

    /// Nothing of an operation starts in this turn, if it takes several tasks at once.
    pub(super) fn await_batch(&mut self, operation: Option<OperationId>) {
        self.awaits = operation.filter(|operation| self.sizes.contains_key(operation));
        if let Some(operation) = self.awaits {
            self.dispatch.await_batch(operation);
        }
    }
}
