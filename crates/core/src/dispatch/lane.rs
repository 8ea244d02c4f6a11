//! The lanes that have ready tasks, and what is known of each.
//!
//! # Promises
//! - A lane that is not here has no ready task.
//! - All positions of a lane before its `rest` are in its window, and all in the window stand
//!   before it (D2). From `rest` on there may be fewer than it seems, never more.
//! - The windows of all lanes together are bounded, whatever the number of lanes; each may hold
//!   [`FEW`] positions besides.

use rustc_hash::FxHashMap;

use super::slot::{CounterId, GroupSlot, LaneSlot, OperationSlot};
use super::window::{FEW, Window};
use crate::condition::Scope;
use crate::fault::{Fault, is_on};
use crate::id::{LaneId, Seq};
use crate::queue::QueueKey;

/// How many positions all windows together hold, beside the few of each lane.
pub(super) const WINDOWS_KEYS_MAX: usize = 8_192;
/// More lanes than this give their memory back when the last one is empty.
const LANES_KEPT_MAX: usize = 1_024;

/// What one condition of a lane asks: that its counter counts so many others at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) scope: Scope,
    pub(super) counter: CounterId,
    pub(super) limit: i64,
}

/// What is known of the conditions of a lane.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) all: Box<[Term]>,
    /// The hash of their text.
    pub(super) hash: u128,
}

/// Where the tasks of a lane need tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneGate {
    /// The counter of their value.
    pub(super) counter: CounterId,
    /// Of which task it is known; of all of them if of none.
    pub(super) of: Option<Seq>,
}

/// The ready tasks with the same operation and the same conditions.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) operation: OperationSlot,
    pub(super) window: Window,
    /// The first position that a task may have which is not in the window; nothing if all are.
    pub(super) rest: Option<QueueKey>,
    /// Its conditions, if it has any and they are known.
    pub(super) terms: Option<Box<Terms>>,
    /// Where its head needs a token, if its rate limit is by value and that is known.
    pub(super) gate: Option<Box<LaneGate>>,
    /// The group in which it stands; among the heads of its operation if in none.
    pub(super) group: Option<GroupSlot>,
}

impl Lane {
    /// Whether its tasks have no conditions.
    pub(super) fn is_plain(&self) -> bool {
        !self.id.has_conditions()
    }

    /// Whether it is known which conditions its tasks have.
    pub(super) fn is_learned(&self) -> bool {
        self.is_plain() || self.terms.is_some()
    }

    /// Its conditions, as far as they are known.
    pub(super) fn terms(&self) -> &[Term] {
        self.terms.as_ref().map_or(&[], |terms| &terms.all)
    }

    /// Whether one of its conditions, as far as they are known, counts tasks of this scope.
    pub(super) fn counts(&self, scope: Scope) -> bool {
        self.terms().iter().any(|term| term.scope == scope)
    }

    /// The position of the first task, or one before it.
    pub(super) fn head(&self) -> Option<QueueKey> {
        self.window.first().or(self.rest)
    }

    /// Whether the head is a task's, and not one before it.
    pub(super) fn is_exact(&self) -> bool {
        !self.window.is_empty()
    }

    /// Whether it is known if a task has this position.
    pub(super) fn covers(&self, key: QueueKey) -> bool {
        self.rest.is_none_or(|rest| key < rest)
    }

    /// A task takes this position. Only the first `keys_max` positions are kept.
    pub(super) fn enter(&mut self, key: QueueKey, keys_max: usize) {
        if self.covers(key) {
            self.window.insert(key);
            debug_assert!(self.window.holds(key), "what has entered is not in its place (D2)");
            self.cut(keys_max);
        }
    }

    /// The task in this position is gone.
    pub(super) fn leave(&mut self, key: QueueKey) {
        if !is_on(Fault::LeaveForgetsWindow) {
            self.window.remove(key);
            debug_assert!(!self.window.holds(key), "what has left is still in its place (D2)");
        }
    }

    /// Whether the rest stands behind all that is in the window (D2).
    pub(super) fn is_bounded(&self) -> bool {
        self.window.last().is_none_or(|last| self.covers(last))
    }

    /// Keeps so many positions in the window.
    pub(super) fn cut(&mut self, keys_max: usize) {
        debug_assert!(keys_max > 0, "a lane must not lose the sight of its head");
        if self.window.len() > keys_max {
            let first = self.window.cut(keys_max);
            debug_assert!(first.is_some() && first.is_none_or(|first| self.covers(first)));
            self.rest = first;
        }
    }
}

/// Every lane with ready tasks, by number and by slot.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    slots: Vec<Lane>,
    /// Slots whose lane is gone.
    free: Vec<LaneSlot>,
    by_id: FxHashMap<LaneId, LaneSlot>,
    /// The lane with these conditions; one of them, if several have the same.
    by_conditions: FxHashMap<(OperationSlot, u128), LaneId>,
    /// Positions in windows that take memory beside their lanes, and how many windows those are.
    outside: (usize, usize),
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn slot(&self, id: LaneId) -> Option<LaneSlot> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn get(&self, slot: LaneSlot) -> &Lane {
        &self.slots[slot.0 as usize]
    }

    /// Every lane, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LaneSlot, &Lane)> {
        self.by_id.values().map(|slot| (*slot, self.get(*slot)))
    }

    /// How many positions windows hold beside their lanes, and how many windows those are.
    pub(super) fn outside(&self) -> (usize, usize) {
        self.outside
    }

    /// What each window keeps when all are cut for so many more: half of a fair share.
    pub(super) fn cut_for(&self, more: usize) -> usize {
        (WINDOWS_KEYS_MAX / (self.outside.1 + more).max(1) / 2).max(FEW)
    }

    /// How many positions the window of a lane may hold if one is added to it.
    pub(super) fn keys_max(&self, slot: LaneSlot) -> usize {
        let left = WINDOWS_KEYS_MAX.saturating_sub(self.outside.0);
        (self.get(slot).window.len() + left).max(FEW)
    }

    /// A lane without tasks, which the caller gives one.
    pub(super) fn add(&mut self, id: LaneId, operation: OperationSlot) -> LaneSlot {
        let window = Window::default();
        let (terms, gate, group) = (None, None, None);
        let lane = Lane { id, operation, window, rest: None, terms, gate, group };
        let slot = if let Some(slot) = self.free.pop() {
            debug_assert!(self.get(slot).head().is_none(), "a slot that is free holds tasks");
            self.slots[slot.0 as usize] = lane;
            slot
        } else {
            self.slots.push(lane);
            LaneSlot(self.slots.len() as u32 - 1)
        };
        let old = self.by_id.insert(id, slot);
        debug_assert!(old.is_none(), "{id:?} is there twice");
        debug_assert_eq!(
            self.slots.len(),
            self.by_id.len() + self.free.len(),
            "a slot is neither a lane's nor free"
        );
        slot
    }

    /// Changes what is known of a lane.
    pub(super) fn change<T>(&mut self, slot: LaneSlot, change: impl FnOnce(&mut Lane) -> T) -> T {
        let lane = &mut self.slots[slot.0 as usize];
        debug_assert_eq!(self.by_id.get(&lane.id), Some(&slot), "a lane changes that is gone");
        let before = lane.window.outside();
        let changed = change(lane);
        debug_assert!(lane.is_bounded(), "the rest begins within the window (D2): {lane:?}");
        let after = lane.window.outside();
        let (keys, windows) = self.outside;
        let windows = windows + usize::from(after > 0) - usize::from(before > 0);
        self.outside = (keys + after - before, windows);
        debug_assert!(keys >= before, "windows hold less than nothing");
        debug_assert!(windows <= self.by_id.len(), "there are more windows than lanes");
        changed
    }

    /// The lane of an operation with the conditions that have this hash.
    pub(super) fn with_conditions(&self, operation: OperationSlot, hash: u128) -> Option<LaneId> {
        self.by_conditions.get(&(operation, hash)).copied()
    }

    /// The conditions of a lane are known from now on.
    pub(super) fn learn(&mut self, slot: LaneSlot, terms: Terms) {
        let lane = &mut self.slots[slot.0 as usize];
        debug_assert!(!lane.is_learned(), "{:?} is learned twice", lane.id);
        self.by_conditions.entry((lane.operation, terms.hash)).or_insert(lane.id);
        lane.terms = Some(Box::new(terms));
    }

    /// The head of a lane needs its tokens there, or it is not known where.
    pub(super) fn set_gate(&mut self, slot: LaneSlot, gate: Option<LaneGate>) {
        self.slots[slot.0 as usize].gate = gate.map(Box::new);
    }

    /// A lane stands in this group, or in none.
    pub(super) fn set_group(&mut self, slot: LaneSlot, group: Option<GroupSlot>) {
        self.slots[slot.0 as usize].group = group;
    }

    /// The last task of a lane is gone. Gives back what was known of its conditions.
    pub(super) fn remove(&mut self, slot: LaneSlot) -> Option<Box<Terms>> {
        let lane = &mut self.slots[slot.0 as usize];
        debug_assert!(lane.head().is_none(), "{lane:?} has tasks");
        debug_assert!(lane.group.is_none(), "{lane:?} stands in a group");
        debug_assert!(lane.gate.is_none(), "{lane:?} refers to a counter");
        let (id, terms) = (lane.id, lane.terms.take());
        if let Some(terms) = &terms {
            let key = (lane.operation, terms.hash);
            if self.by_conditions.get(&key) == Some(&id) {
                self.by_conditions.remove(&key);
            }
        }
        let old = self.by_id.remove(&id);
        debug_assert_eq!(old, Some(slot), "{id:?} lies in two slots, or in none");
        self.free.push(slot);
        if self.by_id.is_empty() && self.slots.len() > LANES_KEPT_MAX {
            *self = Self::default();
        }
        terms
    }

    /// Leaves every window its first positions, at most so many.
    pub(super) fn cut_all(&mut self, keys_max: usize) {
        self.outside = (0, 0);
        for lane in &mut self.slots {
            lane.cut(keys_max);
            let outside = lane.window.outside();
            self.outside.0 += outside;
            self.outside.1 += usize::from(outside > 0);
        }
        let (keys, windows) = self.outside;
        debug_assert!(keys <= windows.saturating_mul(keys_max), "a window was not cut");
    }
}
