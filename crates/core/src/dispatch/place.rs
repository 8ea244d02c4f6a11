//! Where a lane stands: among the heads of its operation, or in a group.
//!
//! # Promises
//! - A lane with tasks stands in one place, under its head (D1).
//! - Changing it costs O(log n) of what is in memory.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use super::Dispatch;
use super::lane::Lane;
use super::slot::{CounterId, GroupSlot, Head, LaneSlot, OperationSlot};
use crate::fault::{Fault, is_on};
use crate::id::LaneId;
use crate::queue::QueueKey;

impl Dispatch {
    /// Changes what is known of a lane, and its position among the lanes with it.
    pub(super) fn change<T>(&mut self, slot: LaneSlot, change: impl FnOnce(&mut Lane) -> T) -> T {
        let old = self.lanes.get(slot).head();
        let changed = self.lanes.change(slot, change);
        self.relist_lane(slot, old);
        changed
    }

    /// A lane stands in its place as long as it has a head. It did so at `old`.
    pub(super) fn relist_lane(&mut self, slot: LaneSlot, old: Option<QueueKey>) {
        let lane = self.lanes.get(slot);
        let (operation, head, group) = (lane.operation, lane.head(), lane.group);
        if head != old {
            match group {
                None => self.move_among_heads(operation, Head::Lane(slot), (old, head)),
                // It waits for a token of another value than its head has now.
                Some(group) if self.waits_for_another(slot) => {
                    self.leave_group(group, slot, (old, head));
                }
                Some(group) => self.move_in_group(group, slot, (old, head)),
            }
            if head.is_none() {
                self.leave_empty(slot);
            }
        }
        self.relist(operation);
    }

    fn waits_for_another(&self, lane: LaneSlot) -> bool {
        self.lanes.get(lane).gate.is_some() && self.counter_of(lane).is_none()
    }

    pub(super) fn move_among_heads(
        &mut self,
        operation: OperationSlot,
        head: Head,
        (old, new): (Option<QueueKey>, Option<QueueKey>),
    ) {
        let heads = &mut self.operations.get_mut(operation).heads;
        let was_listed = old.is_none_or(|old| heads.remove(&(old, head)));
        debug_assert!(was_listed, "a lane stood in a wrong position");
        let is_new = new.is_none_or(|new| heads.insert((new, head)));
        debug_assert!(is_new, "a lane stands twice among the heads (D1)");
    }

    pub(super) fn move_in_group(
        &mut self,
        slot: GroupSlot,
        lane: LaneSlot,
        (old, new): (Option<QueueKey>, Option<QueueKey>),
    ) {
        let Some(group) = self.groups.get_mut(slot) else { return };
        let was_there = old.is_none_or(|old| group.lanes.remove(&(old, lane)));
        debug_assert!(was_there, "a lane stood in a wrong position of its group");
        let is_new = new.is_none_or(|new| group.lanes.insert((new, lane)));
        debug_assert!(is_new, "a lane stands twice in its group (D1)");
        if new.is_none() {
            self.lanes.set_group(lane, None);
        }
        self.relist_group(slot);
    }

    /// A lane has no task. One with conditions stays until the turn is over, so that a rollback
    /// finds it as it was.
    fn leave_empty(&mut self, slot: LaneSlot) {
        let lane = self.lanes.get(slot);
        if lane.is_plain() && lane.gate.is_none() {
            self.queued.remove_lane(lane.operation, lane.id);
            self.lanes.remove(slot);
        } else {
            self.emptied.push(lane.id);
        }
    }

    /// Forgets the lanes that are empty, and the counters to which no other lane refers.
    pub(super) fn forget_emptied(&mut self) {
        while let Some(id) = self.emptied.pop() {
            self.forget_if_empty(id);
        }
    }

    pub(super) fn forget_if_empty(&mut self, id: LaneId) {
        let slot = self.lanes.slot(id);
        let slot = slot.filter(|slot| self.lanes.get(*slot).head().is_none());
        let Some(slot) = slot else { return };
        self.forget_lane_key(slot);
        let operation = self.lanes.get(slot).operation;
        let terms = self.lanes.remove(slot);
        self.queued.remove_lane(operation, id);
        for term in terms.iter().flat_map(|terms| &terms.all) {
            self.release(*term);
        }
    }

    /// The counter and the limit of the first of these conditions that does not hold; or the
    /// counter of its value, if that has no token or its circuit is open.
    pub(super) fn closed(&self, slot: LaneSlot) -> Option<(CounterId, i64)> {
        let head = self.lanes.get(slot).head()?;
        let tokens = self.counter_of(slot).filter(|counter| !self.lets_pass(*counter, 0, head));
        self.unmet(slot).or(tokens.map(|counter| (counter, 0)))
    }

    /// The counter and the limit of the first of these conditions that does not hold.
    pub(super) fn unmet(&self, slot: LaneSlot) -> Option<(CounterId, i64)> {
        let lane = self.lanes.get(slot);
        let head = lane.head()?;
        let mut terms = lane.terms().iter().map(|term| (term.counter, term.limit));
        terms.find(|(counter, limit)| !self.lets_pass(*counter, *limit, head))
    }

    /// Whether a counter lets pass who stands there and may have so many beside it, or ahead.
    pub(super) fn lets_pass(&self, counter: CounterId, limit: i64, key: QueueKey) -> bool {
        let counter = self.counters.get(counter);
        debug_assert!(counter.is_some(), "a lane refers to a counter that is gone");
        counter.is_some_and(|counter| match (&counter.bars, &counter.rate) {
            (Some(bars), _) => bars.lets_pass(limit, key),
            (None, Some(tokens)) => tokens.is_open(),
            (None, None) => i64::from(counter.live) <= limit,
        })
    }

    /// A lane stands at this counter from now on.
    pub(super) fn stand_at(&mut self, lane: LaneSlot, (counter, limit): (CounterId, i64)) {
        let (operation, head) = (self.lanes.get(lane).operation, self.lanes.get(lane).head());
        match self.lanes.get(lane).group {
            None => self.move_among_heads(operation, Head::Lane(lane), (head, None)),
            Some(group) => self.move_in_group(group, lane, (head, None)),
        }
        let Some(at) = self.counters.get_mut(counter) else { return };
        let groups = &mut self.groups;
        let add = || groups.add(operation, counter, limit);
        let group = *at.groups.entry((limit, operation)).or_insert_with(add);
        self.lanes.set_group(lane, Some(group));
        self.move_in_group(group, lane, (None, head));
        self.relist(operation);
    }

    /// A group stands among the heads of its operation, under its first lane, as long as its
    /// counter lets it pass. One that is empty goes. The caller relists the operation.
    pub(super) fn relist_group(&mut self, slot: GroupSlot) {
        let Some(group) = self.groups.get(slot) else { return };
        let (operation, counter, limit) = (group.operation, group.counter, group.limit);
        let (first, old) = (group.lanes.first().map(|(key, _)| *key), group.listed);
        let new = first.filter(|first| self.lets_pass(counter, limit, *first));
        if new != old {
            self.move_among_heads(operation, Head::Group(slot), (old, new));
            if let Some(group) = self.groups.get_mut(slot) {
                group.listed = new;
            }
        }
        if first.is_none() {
            if let Some(counter) = self.counters.get_mut(counter) {
                counter.groups.remove(&(limit, operation));
            }
            self.groups.remove(slot);
        }
    }

    /// A counter counts one more or one less: the groups whose limit this passes open or close.
    pub(super) fn step(&mut self, id: CounterId, is_up: bool) {
        let Some(counter) = self.counters.get_mut(id) else { return };
        debug_assert!(is_up || counter.live > 0, "a counter counts less than nothing (D4)");
        let lower = if is_up { counter.live } else { counter.live.saturating_sub(1) };
        counter.live = if is_up { lower + 1 } else { lower };
        if is_on(Fault::CounterForgetsGroups) {
            return;
        }
        self.relist_groups(id, i64::from(lower));
    }

    /// The groups of a limit open or close, as their counter says.
    pub(super) fn relist_groups(&mut self, id: CounterId, limit: i64) {
        let Some(counter) = self.counters.get(id) else { return };
        let at_limit = (limit, OperationSlot::FIRST)..=(limit, OperationSlot::LAST);
        let groups = counter.groups.range(at_limit);
        let groups: Vec<_> = groups.map(|((_, slot), group)| (*slot, *group)).collect();
        for (operation, group) in groups {
            self.relist_group(group);
            self.relist(operation);
        }
    }

    /// An operation stands among the open ones, under its first task, as long as it may start it.
    pub(super) fn relist(&mut self, slot: OperationSlot) {
        let operation = self.operations.get_mut(slot);
        let (head, is_outside) = (operation.open_head(), operation.is_outside());
        let was_outside = std::mem::replace(&mut operation.is_listed_outside, is_outside);
        if head == operation.listed && is_outside == was_outside {
            return;
        }
        if let Some(old) = std::mem::replace(&mut operation.listed, head) {
            let open = if was_outside { &mut self.outside } else { &mut self.open };
            let was_open = open.remove(&(old, slot));
            debug_assert!(was_open, "an operation stood in a wrong position");
        }
        if let Some(head) = head {
            let open = if is_outside { &mut self.outside } else { &mut self.open };
            let is_new = open.insert((head, slot));
            debug_assert!(is_new, "an operation stands twice among the open ones");
        }
    }
}
