//! The operations: whether they may start here, and the heads of their lanes.
//!
//! An operation is known by its name as soon as it has a runner here, and by its number as soon as
//! the store knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::breaker::{Breaker, Elsewhere};
use super::bucket::Bucket;
use super::gate::Gate;
use super::slot::{Head, OperationSlot};
use crate::fault::{Fault, is_on};
use crate::id::OperationId;
use crate::operation::{OperationOptions, OperationRecord};
use crate::queue::QueueKey;

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: Arc<str>,
    pub(super) id: Option<OperationId>,
    pub(super) has_runner: bool,
    /// How many threads its runner has here, if it runs each task in a thread of its own.
    pub(super) threads: Option<u32>,
    /// How many of its tasks that takes together at most; 1 if it takes each by itself.
    pub(super) batch_max: u32,
    /// How many of them this turn has picked, if it takes them together.
    pub(super) picked: u32,
    /// Whether nothing more of it starts in this turn, because a batch is not full.
    pub(super) awaits_batch: bool,
    /// Whether somebody here waits for its tasks, to take them to an executor.
    pub(super) has_taker: bool,
    /// Whether somebody here has polled for its tasks a short time ago.
    pub(super) is_polled: bool,
    /// Whether another owner starts its tasks.
    pub(super) is_offered: bool,
    /// What is stored of it.
    pub(super) record: OperationRecord,
    /// What holds of what is said of it.
    pub(super) options: OperationOptions,
    /// Live runs here.
    pub(super) running: u32,
    /// Live runs of other owners.
    pub(super) remote: u32,
    /// How often other owners have started its tasks, as far as we know.
    pub(super) starts_elsewhere: u32,
    /// The tokens of its rate limit, if that is for all its tasks.
    pub(super) bucket: Bucket,
    /// The circuit of its breaker, if that is for all its tasks.
    pub(super) breaker: Breaker,
    /// What others have done, as far as circuits ask.
    pub(super) elsewhere: Elsewhere,
    /// The heads of its lanes, and of the groups that may pass.
    pub(super) heads: BTreeSet<(QueueKey, Head)>,
    /// The position under which it stands among the open operations, if it does.
    pub(super) listed: Option<QueueKey>,
    /// Whether that is among those that executors take.
    pub(super) is_listed_outside: bool,
}

impl Operation {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            id: None,
            has_runner: false,
            threads: None,
            batch_max: 1,
            picked: 0,
            awaits_batch: false,
            has_taker: false,
            is_polled: false,
            is_offered: false,
            record: OperationRecord::default(),
            options: OperationOptions::default(),
            running: 0,
            remote: 0,
            starts_elsewhere: 0,
            bucket: Bucket::default(),
            breaker: Breaker::default(),
            elsewhere: Elsewhere::default(),
            heads: BTreeSet::new(),
            listed: None,
            is_listed_outside: false,
        }
    }

    /// What keeps all its tasks from starting.
    pub(super) fn gate(&self) -> Option<Gate> {
        let remote = if is_on(Fault::GateForgetsRemoteRuns) { 0 } else { self.remote };
        let live = u64::from(self.running) + u64::from(remote);
        if self.record.paused_at.is_some() && !is_on(Fault::GateForgetsPause) {
            Some(Gate::Paused)
        } else if self.is_outside() && !self.has_taker {
            Some(Gate::Executor)
        } else if !self.is_outside() && !self.has_runner {
            Some(Gate::NoRunner)
        } else if self.threads.is_some_and(|threads| self.running >= threads)
            && !self.is_outside()
            && !is_on(Fault::GateForgetsThreads)
        {
            Some(Gate::Threads)
        } else if self.options.concurrency.is_some_and(|limit| live >= u64::from(limit)) {
            Some(Gate::OperationLimit)
        } else if self.bucket.closed_until.is_some() {
            Some(Gate::RateLimit)
        } else if self.breaker.shut.is_some() {
            Some(Gate::Circuit)
        } else if self.awaits_batch {
            Some(Gate::Batch)
        } else {
            None
        }
    }

    /// Whether executors outside take its tasks, and no runner here.
    pub(super) fn is_outside(&self) -> bool {
        self.options.executor.is_some()
    }

    /// Whether its tasks will start: this process or another one sees to that.
    pub(super) fn is_served(&self, is_started: bool) -> bool {
        self.is_offered || self.is_served_here(is_started)
    }

    /// The same of this process alone.
    pub(super) fn is_served_here(&self, is_started: bool) -> bool {
        if self.is_outside() { self.is_polled } else { is_started && self.has_runner }
    }

    /// Replaces its record, and gives back the one before.
    fn replace(&mut self, record: OperationRecord) -> OperationRecord {
        self.options = record.in_force();
        std::mem::replace(&mut self.record, record)
    }

    /// Forgets all that mirrors the store, except the runs that are live here and its record, of
    /// which a later version comes.
    pub(super) fn forget(&mut self) {
        self.heads.clear();
        (self.listed, self.remote) = (None, 0);
        self.bucket.closed_until = None;
        self.has_started_elsewhere();
        self.breaker.shut = None;
        self.breaker.forget();
    }

    /// Another owner has started a task of it: what is known of its tokens may be another thing.
    pub(super) fn has_started_elsewhere(&mut self) {
        self.starts_elsewhere = self.starts_elsewhere.wrapping_add(1);
    }

    /// The first of its tasks, if they may start.
    pub(super) fn open_head(&self) -> Option<QueueKey> {
        let (key, _) = self.heads.first()?;
        if self.gate().is_none() { Some(*key) } else { None }
    }
}

/// Every operation, by name, by number and by slot. None is forgotten: they are few.
#[derive(Debug, Default)]
pub(super) struct Operations {
    slots: Vec<Operation>,
    by_name: FxHashMap<Arc<str>, OperationSlot>,
    /// By number, which counts up from 1.
    by_id: Vec<Option<OperationSlot>>,
    /// How many have a circuit breaker.
    with_circuits: usize,
}

impl Operations {
    pub(super) fn get(&self, slot: OperationSlot) -> &Operation {
        &self.slots[slot.0 as usize]
    }

    pub(super) fn get_mut(&mut self, slot: OperationSlot) -> &mut Operation {
        &mut self.slots[slot.0 as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (OperationSlot, &Operation)> {
        (0..).map(OperationSlot).zip(&self.slots)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Operation> {
        self.slots.iter_mut()
    }

    /// Whether any has a circuit breaker.
    pub(super) fn has_circuits(&self) -> bool {
        self.with_circuits > 0
    }

    /// One has another record, which has a circuit breaker or none.
    pub(super) fn replace(
        &mut self,
        slot: OperationSlot,
        record: OperationRecord,
    ) -> OperationRecord {
        let operation = &mut self.slots[slot.0 as usize];
        self.with_circuits -= usize::from(operation.options.circuit_breaker.is_some());
        let replaced = operation.replace(record);
        self.with_circuits += usize::from(operation.options.circuit_breaker.is_some());
        replaced
    }

    pub(super) fn by_name(&self, name: &str) -> Option<OperationSlot> {
        self.by_name.get(name).copied()
    }

    pub(super) fn by_id(&self, id: OperationId) -> Option<OperationSlot> {
        self.by_id.get(usize::from(id.0)).copied().flatten()
    }

    /// The operation with this name, known from now on.
    pub(super) fn add(&mut self, name: &Arc<str>) -> OperationSlot {
        if let Some(slot) = self.by_name(name) {
            return slot;
        }
        let slot = OperationSlot(self.slots.len() as u32);
        self.slots.push(Operation::new(name.clone()));
        self.by_name.insert(name.clone(), slot);
        debug_assert_eq!(self.slots.len(), self.by_name.len(), "{name} is known twice");
        slot
    }

    /// Gives an operation its number, or takes it away.
    pub(super) fn set_id(&mut self, slot: OperationSlot, id: Option<OperationId>) {
        debug_assert!(self.get(slot).heads.is_empty(), "a number changes under its lanes");
        if let Some(old) = self.get(slot).id {
            let known = self.by_id[usize::from(old.0)].take();
            debug_assert_eq!(known, Some(slot), "number {} was another operation's", old.0);
        }
        if let Some(id) = id {
            debug_assert!(id.0 > 0, "operations count from 1");
            let index = usize::from(id.0);
            if self.by_id.len() <= index {
                self.by_id.resize(index + 1, None);
            }
            debug_assert!(self.by_id[index].is_none(), "two operations have the number {}", id.0);
            self.by_id[index] = Some(slot);
        }
        self.get_mut(slot).id = id;
    }
}
