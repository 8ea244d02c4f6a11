//! Conditions that count the ready tasks ahead.
//!
//! Each task that comes, goes or is examined is told to the counters that it matches, and moves
//! their bars (`bars`); the groups that stand at these open or close. Before a task starts that has
//! such conditions, all that stands ahead of it is known, as far as they look at it (`queued`).
//!
//! # Promises
//! - A task whose condition counts what stands ahead starts only when all of that is known, and as
//!   soon as no more of it matches than the limit allows.
//! - What counts is ready, of an operation that somebody starts and that is not paused, whatever
//!   holds it back.
//! - What comes or goes costs O(log n), whatever waits.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use super::Dispatch;
use super::counter::Referred;
use super::lane::Term;
use super::merge::Progress;
use super::queued::{Missing, Waiting};
use super::slot::{CounterId, LaneSlot, OperationSlot};
use crate::condition::{Condition, Conditions, Scope};
use crate::document;
use crate::error::Result;
use crate::fault::{Fault, is_on};
use crate::id::{LaneId, Seq};
use crate::query::Value;
use crate::queue::QueueKey;
use crate::store::Window;
use crate::task::NewTask;

/// A condition on what stands ahead for which somebody counts.
#[derive(Debug)]
pub struct Watch(Term);

impl Dispatch {
    /// A lane refers to the counter of one of its conditions.
    pub(super) fn refer(
        &mut self,
        conditions: &Conditions,
        index: usize,
        condition: &Condition,
    ) -> CounterId {
        let hash = self.hashes.of(condition.counter_key());
        let Referred { id, is_new } = self.counters.refer(conditions, index, hash);
        let bars = self.counters.get_mut(id).and_then(|counter| counter.bars.as_mut());
        let Some(bars) = bars else { return id };
        bars.refer(condition.limit);
        if is_new {
            match self.queued.add_counter(id, condition) {
                Some(tasks) => {
                    for seq in tasks {
                        let task = self.queued.task_mut(seq);
                        let task = task.filter(|task| condition.matches(&task.document));
                        let Some(task) = task else { continue };
                        task.counters = task.counters.iter().copied().chain([id]).collect();
                        let (slot, key) = (task.operation, task.key);
                        self.count_waiting(id, slot, key);
                    }
                }
                None => self.forget_queued(),
            }
        }
        id
    }

    /// A lane refers to a counter no more.
    pub(super) fn release(&mut self, Term { counter: id, limit, .. }: Term) {
        let bars = self.counters.get_mut(id).and_then(|counter| counter.bars.as_mut());
        bars.into_iter().for_each(|bars| bars.release(limit));
        if self.counters.release(id).is_some_and(|gone| gone.bars.is_some()) {
            self.queued.remove_counter(id);
        }
    }

    /// A task takes a position.
    pub(super) fn come(&mut self, lane: LaneId, key: QueueKey) {
        if let Some(slot) = self.operations.by_id(lane.operation()) {
            self.queued.enter(slot, lane, key);
        }
    }

    /// The task in a position is gone: who counted it does not any more.
    pub(super) fn go(&mut self, lane: LaneId, key: QueueKey) {
        let Some(slot) = self.operations.by_id(lane.operation()) else { return };
        let Some(Waiting { counters, .. }) = self.queued.leave(slot, key) else { return };
        for id in counters {
            let bars = self.counters.get_mut(id).and_then(|counter| counter.bars.as_mut());
            let moved = bars.map(|bars| bars.remove(slot, key)).unwrap_or_default();
            moved.into_iter().for_each(|limit| self.relist_groups(id, limit));
        }
    }

    /// A counter counts a task that waits.
    fn count_waiting(&mut self, id: CounterId, slot: OperationSlot, key: QueueKey) {
        let is_counted = self.counts(slot);
        let bars = self.counters.get_mut(id).and_then(|counter| counter.bars.as_mut());
        let moved = bars.map(|bars| bars.insert(slot, key, is_counted)).unwrap_or_default();
        moved.into_iter().for_each(|limit| self.relist_groups(id, limit));
    }

    /// What counters look at of a task that waits is known from now on.
    fn know(&mut self, slot: OperationSlot, key: QueueKey, document: Value) {
        let (document, mut counters) = self.queued.know(slot, key, document);
        counters.retain(|id| {
            self.counters.condition(*id).is_some_and(|condition| condition.matches(&document))
        });
        let counters: Box<[CounterId]> = counters.into();
        for id in &counters {
            self.count_waiting(*id, slot, key);
        }
        self.queued.keep(Waiting { operation: slot, key, document, counters });
    }

    /// Forgets what is known of the tasks that wait: it must be read anew.
    fn forget_queued(&mut self) {
        self.queued.forget_tasks();
        let counters: Vec<CounterId> = self.queued.counters().collect();
        for id in counters {
            let Some(counter) = self.counters.get_mut(id) else { continue };
            counter.bars.iter_mut().for_each(|bars| bars.clear());
            let groups: Vec<_> = counter.groups.iter().map(|(at, group)| (at.1, *group)).collect();
            for (operation, group) in groups {
                self.relist_group(group);
                self.relist(operation);
            }
        }
    }

    /// Whether ready tasks of an operation count: somebody may start them.
    pub(super) fn counts(&self, slot: OperationSlot) -> bool {
        let operation = self.operations.get(slot);
        let is_offered = operation.is_served(self.is_started);
        (is_offered && operation.record.paused_at.is_none()) || is_on(Fault::AheadForgetsOffers)
    }

    /// An operation is offered or paused, or is not any more.
    pub(super) fn recount(&mut self, slot: OperationSlot) {
        let is_counted = self.counts(slot);
        if !self.queued.set_counted(slot, is_counted) {
            return;
        }
        let counters: Vec<CounterId> = self.queued.counters().collect();
        for id in counters {
            let bars = self.counters.get_mut(id).and_then(|counter| counter.bars.as_mut());
            let moved = bars.map(|bars| bars.set_counted(slot, is_counted)).unwrap_or_default();
            moved.into_iter().for_each(|limit| self.relist_groups(id, limit));
        }
    }

    /// As `recount`, for each operation.
    pub(super) fn recount_all(&mut self) {
        let tracked: Vec<_> = self.queued.operations().map(|(slot, _)| slot).collect();
        tracked.into_iter().for_each(|slot| self.recount(slot));
    }

    /// What must be known of the queue before the first task of a lane may start.
    pub(super) fn missing_ahead(&mut self, slot: LaneSlot) -> Option<Missing> {
        let lane = self.lanes.get(slot);
        if !lane.counts(Scope::BeforeQueued) {
            return None;
        }
        let (head, terms) = (lane.head()?, lane.terms());
        let ahead = terms.iter().filter(|term| term.scope == Scope::BeforeQueued);
        let counters: Vec<CounterId> = ahead.map(|term| term.counter).collect();
        counters.into_iter().find_map(|id| self.missing_before(id, head))
    }

    /// What must be known of the queue before a position for a counter.
    pub(super) fn missing_before(&mut self, id: CounterId, key: QueueKey) -> Option<Missing> {
        if is_on(Fault::AheadForgetsToExamine) {
            return None;
        }
        for slot in self.counted_by(id) {
            if !self.queued.is_tracked(slot) {
                self.track(slot);
            }
            let missing = self.queued.missing(slot, key);
            let is_ignored = matches!(missing, Some(Missing::Tasks(_)));
            if missing.is_some() && !(is_ignored && is_on(Fault::AheadForgetsUnread)) {
                return missing;
            }
        }
        None
    }

    /// Begins to count for one of these conditions, for who asks. It is to be ended with
    /// [`Dispatch::unwatch`]. Nothing if the condition does not count what stands ahead.
    pub fn watch(&mut self, conditions: &Conditions, index: usize) -> Option<Watch> {
        let condition = conditions.iter().nth(index)?;
        let (scope, limit) = (condition.scope, condition.limit);
        (scope == Scope::BeforeQueued).then(|| {
            Watch(Term { scope, limit, counter: self.refer(conditions, index, condition) })
        })
    }

    /// What must be known of the queue before a position to count for it: a
    /// [`super::Progress::Queued`] or [`super::Progress::Examine`].
    pub fn look_ahead(&mut self, watch: &Watch, key: QueueKey) -> Option<Progress> {
        self.missing_before(watch.0.counter, key).map(|missing| missing.progress().1)
    }

    /// The first tasks before a position that are counted, in queue order.
    pub fn counted_ahead(&self, watch: &Watch, key: QueueKey, count_max: usize) -> Vec<Seq> {
        let bars = self.counters.get(watch.0.counter).and_then(|counter| counter.bars.as_ref());
        let keys = bars.map(|bars| bars.ahead(key, count_max)).unwrap_or_default();
        keys.into_iter().map(|key| key.seq).collect()
    }

    /// The last position that the condition allows; nothing if it allows all.
    pub fn bar(&self, watch: &Watch) -> Option<QueueKey> {
        let bars = self.counters.get(watch.0.counter).and_then(|counter| counter.bars.as_ref());
        bars.and_then(|bars| bars.at(watch.0.limit))
    }

    /// Counts no more for who asked.
    pub fn unwatch(&mut self, watch: &Watch) {
        self.release(watch.0);
    }

    /// Whether all is known of the queue before a position that a counter looks at.
    pub(super) fn is_known_before(&self, id: CounterId, key: QueueKey) -> bool {
        self.counted_by(id).into_iter().all(|slot| self.queued.is_known(slot, key))
    }

    /// The operations whose ready tasks a counter may count.
    fn counted_by(&self, id: CounterId) -> Vec<OperationSlot> {
        let counts =
            |slot: &OperationSlot| self.operations.get(*slot).id.is_some() && self.counts(*slot);
        match self.queued.operation_of(id) {
            Some(name) => self.operations.by_name(name).filter(counts).into_iter().collect(),
            None => self.operations.iter().map(|(slot, _)| slot).filter(counts).collect(),
        }
    }

    /// Of an operation it must be known from now on what comes and goes. Nothing is known of what
    /// waits already.
    fn track(&mut self, slot: OperationSlot) {
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.operation == slot);
        let lanes = lanes.map(|(_, lane)| (lane.id, lane.head()));
        let id = self.operations.get(slot).id;
        let elsewhere = self.elsewhere.iter().filter(|lane| Some(lane.operation()) == id);
        let elsewhere = elsewhere.map(|lane| (*lane, Some(QueueKey::FIRST)));
        let lanes = lanes.chain(elsewhere).collect();
        let is_counted = self.counts(slot);
        self.queued.track(slot, is_counted, lanes);
    }

    /// What the plan knows of the tasks that [`super::Progress::Queued`] named, the first of them
    /// at least.
    ///
    /// # Errors
    /// `Corrupt` if a stored text is not JSON.
    pub fn tell_queued(&mut self, tasks: &[(LaneId, QueueKey, &NewTask)]) -> Result<()> {
        debug_assert!(!tasks.is_empty(), "what is asked for is asked for again");
        for (lane, key, def) in tasks {
            let Some(slot) = self.operations.by_id(lane.operation()) else { continue };
            if self.queued.is_unread(slot, *key) {
                let document = document::for_parts(def, self.queued.parts())?;
                self.know(slot, *key, document);
            }
        }
        Ok(())
    }

    /// Takes over what the store holds of the lanes that [`super::Progress::Examine`] named, as far
    /// as it was read. What this turn did there is put over it.
    ///
    /// # Errors
    /// As [`Dispatch::tell_queued`].
    pub fn examine(&mut self, windows: Vec<(LaneId, Window)>) -> Result<()> {
        debug_assert!(!windows.is_empty(), "what is asked for is asked for again");
        let from = windows.iter();
        let from = from.filter_map(|(id, _)| Some((*id, self.queued.unexamined(*id)?))).collect();
        let overlay = self.undo.overlay(&from);
        for (id, window) in windows {
            let slot = self.operations.by_id(id.operation());
            let (Some(slot), Some(from)) = (slot, from.get(&id)) else { continue };
            let last = window.tasks.last().filter(|_| !window.is_complete);
            debug_assert!(
                window.is_complete || last.is_some(),
                "an empty window that is not complete would be read for ever"
            );
            let to = last.map(|task| QueueKey::new(task.def.priority, task.seq).after());
            self.queued.set_examined(slot, id, to);
            let of_lane = overlay.range((id, *from)..).take_while(|((other, _), _)| *other == id);
            let of_lane = of_lane.filter(|((_, key), _)| to.is_none_or(|to| *key < to));
            for ((_, key), _) in of_lane.filter(|(_, is_there)| **is_there) {
                self.queued.enter(slot, id, *key);
            }
            for task in &window.tasks {
                let key = QueueKey::new(task.def.priority, task.seq);
                debug_assert!(*from <= key, "the window begins too early");
                // What the turn has put there may have another definition now.
                if !overlay.contains_key(&(id, key)) || is_on(Fault::ExamineForgetsTurn) {
                    let document = document::for_parts(&task.def, self.queued.parts())?;
                    self.know(slot, key, document);
                }
            }
        }
        Ok(())
    }
}
