//! Who waits for tasks that executors outside take: a list that is gone through from its begin.

use std::collections::BTreeSet;

use tasker_core::dispatch::TakerId;
use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::queue::QueueKey;

use super::batches::Filling;
use super::{Truth, World, id, name};

#[derive(Clone, Debug)]
struct Taker {
    id: TakerId,
    /// So many tasks more.
    left: usize,
    /// Of these operations, or of all that have an executor.
    operations: Option<BTreeSet<OperationId>>,
}

/// All who wait, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Takers {
    all: Vec<Taker>,
    /// The operations with an executor.
    pub(super) outside: BTreeSet<OperationId>,
}

impl Takers {
    pub(super) fn is_outside(&self, operation: OperationId) -> bool {
        self.outside.contains(&operation)
    }

    /// Whether somebody wants a task of this operation.
    pub(super) fn want(&self, operation: OperationId) -> bool {
        self.all.iter().any(|taker| taker.wants(operation))
    }

    /// How many tasks are wanted in all.
    pub(super) fn left(&self) -> usize {
        self.all.iter().map(|taker| taker.left).sum()
    }

    /// The first who wants a task of this operation gets one.
    fn take(&mut self, operation: OperationId) -> Option<TakerId> {
        let first = self.all.iter_mut().find(|taker| taker.wants(operation))?;
        first.left -= 1;
        Some(first.id)
    }
}

impl Taker {
    fn wants(&self, operation: OperationId) -> bool {
        let all = self.operations.as_ref();
        self.left > 0 && all.is_none_or(|operations| operations.contains(&operation))
    }
}

impl World {
    pub(super) fn poll(&mut self, operations: Option<&[usize]>, left: usize) {
        let names: Option<Vec<_>> =
            operations.map(|all| all.iter().map(|operation| name(*operation)).collect());
        let taker = Taker {
            id: self.dispatch.add_taker(names.as_deref(), left),
            left,
            operations: operations.map(|all| all.iter().map(|one| id(*one)).collect()),
        };
        self.truth.takers.all.push(taker);
    }

    /// The n-th of those who wait goes.
    pub(super) fn unpoll(&mut self, n: usize) {
        if n < self.truth.takers.all.len() {
            let taker = self.truth.takers.all.remove(n);
            self.dispatch.remove_taker(taker.id);
        }
    }

    pub(super) fn set_polled(&mut self, operation: usize, is_polled: bool) {
        self.dispatch.set_polled(&name(operation), is_polled);
        match is_polled {
            true => self.polled.insert(id(operation)),
            false => self.polled.remove(&id(operation)),
        };
    }

    /// A task begins here, or is taken.
    pub(super) fn begin(
        &self,
        truth: &mut Truth,
        (lane, key): (LaneId, QueueKey),
        filling: &mut Filling,
    ) -> Option<TakerId> {
        truth.take(lane.operation(), key.seq, self.now);
        truth.pass(lane.operation(), key.seq, self.now);
        if truth.takers.is_outside(lane.operation()) {
            truth.remote.push((lane, key.seq));
            return truth.takers.take(lane.operation());
        }
        truth.running.push((lane, key));
        truth.batches.begin((lane, key), &self.sizes, filling);
        None
    }

    /// So many of the oldest tasks that executors have end, and so many then are given back.
    pub(super) fn settle_outside(
        &mut self,
        (ends, releases): (usize, usize),
        truth: &mut Truth,
    ) -> Vec<Seq> {
        let is_outside = |(lane, _): &(LaneId, Seq)| {
            lane.attached_to().is_none() && truth.takers.is_outside(lane.operation())
        };
        let all = truth.remote.iter().copied().filter(is_outside).take(ends + releases);
        let all: Vec<_> = all.collect();
        truth.remote.retain(|run| !all.contains(run));
        for (n, (lane, seq)) in all.iter().enumerate() {
            self.dispatch.end_outside_run(lane.operation(), *seq);
            if n >= ends {
                let key = QueueKey::new(truth.defs[seq].priority, *seq);
                self.dispatch.enter(*lane, key);
                truth.queue.insert(key, *lane);
            }
        }
        all.into_iter().map(|(_, seq)| seq).collect()
    }
}
