//! What is known of the ready tasks that conditions on what stands ahead may count.
//!
//! A counter of the scope before-queued must know what stands ahead of a task that wants to start,
//! and no more. So ready tasks are *examined* only when that is asked: the lanes of an operation
//! from their heads on, up to the position that matters, and each task once. From then on its
//! document is known until it leaves. A task that enters what has been examined is *unread*
//! until somebody asks for what stands there.
//!
//! # Promises
//! - As long as there is no such counter, nothing of all this is there.
//! - Of each operation only that is examined which stands ahead of a task that wants to start, and
//!   nothing of operations that no counter looks at.
//! - Memory grows with the tasks that were examined and wait. Of each document only that is kept
//!   which counters look at, and of equal ones one.
//!
//! # Left to others
//! Which counter counts what: `family`. What a counter lets pass: `bars`.
//!
//! Proof: `tests/dispatch_oracle.rs`, `tests/dispatch_bounds.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::family::{Candidates, Families, Place};
use super::slot::{CounterId, OperationSlot};
use crate::condition::Condition;
use crate::id::{LaneId, Seq};
use crate::query::{Parts, Value};
use crate::queue::QueueKey;

/// After so many comings and goings without a counter nothing is kept any more, unless that was
/// dearer to learn.
const IDLE_MAX: usize = 1_024;
/// How many tasks are asked for at once, and how many lanes.
const TASKS_ASKED_MAX: usize = 512;
const LANES_ASKED_MAX: usize = 256;

/// A ready task whose document is known.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) operation: OperationSlot,
    pub(super) key: QueueKey,
    pub(super) document: Arc<Value>,
    /// The counters that count it. Some may be gone.
    pub(super) counters: Box<[CounterId]>,
}

/// What is known of an operation.
#[derive(Debug)]
struct Tracked {
    /// Whether somebody may start its tasks.
    is_counted: bool,
    /// The tasks that have entered what was examined.
    unread: BTreeMap<QueueKey, LaneId>,
    /// The lanes that have not been examined to the end, and from where on.
    unexamined: BTreeSet<(QueueKey, LaneId)>,
}

/// What is not known of the queue, and must be.
#[derive(Debug)]
pub(super) enum Missing {
    /// These tasks.
    Tasks(Vec<(LaneId, QueueKey)>),
    /// These lanes from these positions on, of each so many tasks at most.
    Lanes(Vec<(LaneId, QueueKey)>, usize),
}

/// What a counter counts.
#[derive(Debug)]
struct Asked {
    /// The operation of all that it counts, if it names one.
    operation: Option<Box<str>>,
    /// Where it stands among the others.
    place: Place,
}

/// The ready tasks that are known, and how far they are.
#[derive(Debug, Default)]
pub(super) struct Queued {
    families: Families,
    counters: BTreeMap<CounterId, Asked>,
    /// What they look at; that much is kept of a document.
    parts: Parts,
    tasks: FxHashMap<Seq, Waiting>,
    documents: BTreeSet<Arc<Value>>,
    operations: BTreeMap<OperationSlot, Tracked>,
    /// From where on each lane of these has not been examined; nothing if all of it has.
    lanes: FxHashMap<LaneId, Option<QueueKey>>,
    /// What has come and gone since the last counter went.
    idle: usize,
}

impl Queued {
    /// The counters, in no order.
    pub(super) fn counters(&self) -> impl Iterator<Item = CounterId> {
        self.counters.keys().copied()
    }

    /// The operation of all that a counter counts, if it names one.
    pub(super) fn operation_of(&self, id: CounterId) -> Option<&str> {
        self.counters.get(&id)?.operation.as_deref()
    }

    /// How many tasks are known.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Every task that is known.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (Seq, &Waiting)> {
        self.tasks.iter().map(|(seq, task)| (*seq, task))
    }

    pub(super) fn task_mut(&mut self, seq: Seq) -> Option<&mut Waiting> {
        self.tasks.get_mut(&seq)
    }

    /// What counters look at of a task.
    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Where the counter of a condition stands among the others, or would.
    pub(super) fn place(&self, condition: &Condition) -> Place {
        self.families.place(condition)
    }

    /// How many counters stand there.
    pub(super) fn crowd(&self, place: &Place) -> usize {
        self.families.crowd(place)
    }

    /// A counter comes. The known tasks that it may count; nothing if it looks at something that is
    /// not kept of them, so that they must be read anew.
    pub(super) fn add_counter(&mut self, id: CounterId, condition: &Condition) -> Option<Vec<Seq>> {
        self.idle = 0;
        let new = condition.paths().into_iter().filter(|path| self.parts.add(path)).count();
        let tasks = self.tasks.iter().map(|(seq, task)| (*seq, &*task.document));
        let place = self.families.add(id, condition, tasks);
        let candidates = self.families.candidates(&place);
        let operation = condition.operation().map(Into::into);
        self.counters.insert(id, Asked { operation, place });
        if new > 0 && !self.operations.is_empty() {
            return None;
        }
        Some(match candidates {
            Candidates::All => self.tasks.keys().copied().collect(),
            Candidates::Some(seqs) => seqs,
        })
    }

    /// A counter goes.
    pub(super) fn remove_counter(&mut self, id: CounterId) {
        if let Some(Asked { place, .. }) = self.counters.remove(&id) {
            self.families.remove(id, &place);
        }
    }

    /// Forgets the tasks, and how far they were examined.
    pub(super) fn forget_tasks(&mut self) {
        for (seq, task) in self.tasks.drain() {
            self.families.end(seq, &task.document);
        }
        self.documents.clear();
        self.operations.clear();
        self.lanes.clear();
    }

    /// What nobody has asked for in a long time is not known any more.
    pub(super) fn tidy(&mut self) {
        if self.counters.is_empty() && self.idle >= IDLE_MAX.max(self.tasks.len()) {
            *self = Self::default();
        }
    }

    pub(super) fn is_tracked(&self, slot: OperationSlot) -> bool {
        self.operations.contains_key(&slot)
    }

    /// The operations that are tracked, and whether each counts.
    pub(super) fn operations(&self) -> impl Iterator<Item = (OperationSlot, bool)> {
        self.operations.iter().map(|(slot, one)| (*slot, one.is_counted))
    }

    /// Begins to track an operation that has these lanes, each from this position on.
    pub(super) fn track(
        &mut self,
        slot: OperationSlot,
        is_counted: bool,
        lanes: Vec<(LaneId, Option<QueueKey>)>,
    ) {
        let unexamined = lanes.iter().filter_map(|(lane, from)| Some(((*from)?, *lane))).collect();
        let unread = BTreeMap::new();
        self.operations.insert(slot, Tracked { is_counted, unread, unexamined });
        self.lanes.extend(lanes);
    }

    /// Somebody may start the tasks of an operation, or nobody may. Whether that is news.
    pub(super) fn set_counted(&mut self, slot: OperationSlot, is_counted: bool) -> bool {
        let Some(tracked) = self.operations.get_mut(&slot) else { return false };
        std::mem::replace(&mut tracked.is_counted, is_counted) != is_counted
    }

    /// There is a lane that was not there before, and has no task.
    pub(super) fn add_lane(&mut self, slot: OperationSlot, lane: LaneId) {
        if self.is_tracked(slot) {
            self.lanes.insert(lane, None);
        }
    }

    /// A lane is not there any more.
    pub(super) fn remove_lane(&mut self, slot: OperationSlot, lane: LaneId) {
        let from = self.lanes.remove(&lane).flatten();
        if let (Some(from), Some(tracked)) = (from, self.operations.get_mut(&slot)) {
            tracked.unexamined.remove(&(from, lane));
        }
    }

    /// A task takes this position.
    pub(super) fn enter(&mut self, slot: OperationSlot, lane: LaneId, key: QueueKey) {
        let Some(tracked) = self.operations.get_mut(&slot) else { return };
        self.idle += usize::from(self.counters.is_empty());
        let from = *self.lanes.entry(lane).or_default();
        if from.is_none_or(|from| key < from) {
            tracked.unread.insert(key, lane);
        }
    }

    /// The task in this position is gone. What was known of it.
    pub(super) fn leave(&mut self, slot: OperationSlot, key: QueueKey) -> Option<Waiting> {
        let tracked = self.operations.get_mut(&slot)?;
        self.idle += usize::from(self.counters.is_empty());
        if tracked.unread.remove(&key).is_some() {
            return None;
        }
        if self.tasks.get(&key.seq).is_none_or(|task| task.key != key) {
            return None;
        }
        let task = self.tasks.remove(&key.seq)?;
        self.families.end(key.seq, &task.document);
        // One that is here and in the set.
        if Arc::strong_count(&task.document) == 2 {
            self.documents.remove(&task.document);
        }
        Some(task)
    }

    /// What is not known of an operation before a position, or not all of it.
    pub(super) fn missing(&self, slot: OperationSlot, key: QueueKey) -> Option<Missing> {
        let tracked = self.operations.get(&slot)?;
        let unread = tracked.unread.range(..key).take(TASKS_ASKED_MAX);
        let unread: Vec<_> = unread.map(|(key, lane)| (*lane, *key)).collect();
        if !unread.is_empty() {
            return Some(Missing::Tasks(unread));
        }
        let lanes = tracked.unexamined.iter().take_while(|(from, _)| *from < key);
        let lanes = lanes.take(LANES_ASKED_MAX).map(|(from, lane)| (*lane, *from));
        let lanes: Vec<_> = lanes.collect();
        let tasks_max = TASKS_ASKED_MAX / lanes.len().max(1);
        (!lanes.is_empty()).then_some(Missing::Lanes(lanes, tasks_max))
    }

    /// Whether all that an operation has before a position is known.
    pub(super) fn is_known(&self, slot: OperationSlot, key: QueueKey) -> bool {
        self.operations.contains_key(&slot) && self.missing(slot, key).is_none()
    }

    /// From where on a lane has not been examined, if it is tracked and not known to the end.
    pub(super) fn unexamined(&self, lane: LaneId) -> Option<QueueKey> {
        self.lanes.get(&lane).copied().flatten()
    }

    /// A lane has been examined up to this position; to its end if to none.
    pub(super) fn set_examined(&mut self, slot: OperationSlot, lane: LaneId, to: Option<QueueKey>) {
        let Some(tracked) = self.operations.get_mut(&slot) else { return };
        let from = self.lanes.insert(lane, to).flatten();
        from.into_iter().for_each(|from| {
            tracked.unexamined.remove(&(from, lane));
        });
        tracked.unexamined.extend(to.map(|to| (to, lane)));
    }

    /// What counters look at of a task is known from now on. The counters that may count it.
    pub(super) fn know(
        &mut self,
        slot: OperationSlot,
        key: QueueKey,
        document: Value,
    ) -> (Arc<Value>, Vec<CounterId>) {
        if let Some(tracked) = self.operations.get_mut(&slot) {
            tracked.unread.remove(&key);
        }
        let document = Arc::new(document);
        let document = match self.documents.get(&document) {
            Some(known) => known.clone(),
            None => {
                self.documents.insert(document.clone());
                document
            }
        };
        let counters = self.families.begin(key.seq, &document);
        (document, counters)
    }

    /// Keeps a task.
    pub(super) fn keep(&mut self, task: Waiting) {
        let old = self.tasks.insert(task.key.seq, task);
        debug_assert!(old.is_none(), "a task waits in two places: {old:?}");
    }

    /// Whether a task in this position is waiting to be read.
    pub(super) fn is_unread(&self, slot: OperationSlot, key: QueueKey) -> bool {
        self.operations.get(&slot).is_some_and(|tracked| tracked.unread.contains_key(&key))
    }

    /// How far each lane was examined.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (LaneId, Option<QueueKey>)> {
        self.lanes.iter().map(|(lane, from)| (*lane, *from))
    }

    /// The tasks of an operation that wait to be read.
    pub(super) fn unread(&self, slot: OperationSlot) -> impl Iterator<Item = (LaneId, QueueKey)> {
        let tracked = self.operations.get(&slot).into_iter();
        tracked.flat_map(|tracked| tracked.unread.iter().map(|(key, lane)| (*lane, *key)))
    }
}
