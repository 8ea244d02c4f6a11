//! Lanes that stand at a counter.
//!
//! A lane whose condition does not hold is put into the *group* of its operation at that counter
//! with that limit. A group stands among the heads of its operation exactly as long as its counter
//! lets it pass, and then under the first of its lanes. So a counter that changes touches the
//! groups of one limit, whatever the number of lanes in them.
//!
//! # Promises
//! - A group is not empty.
//! - A group that does not stand among the heads is closed (D3).
//!
//! Proof: `tests/dispatch_oracle.rs`.

use std::collections::BTreeSet;

use super::slot::{CounterId, GroupSlot, LaneSlot, OperationSlot};
use crate::queue::QueueKey;

/// The lanes of one operation that stand at one counter with one limit.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) operation: OperationSlot,
    pub(super) counter: CounterId,
    pub(super) limit: i64,
    /// By their heads.
    pub(super) lanes: BTreeSet<(QueueKey, LaneSlot)>,
    /// The position under which it stands among the heads of its operation, if it does.
    pub(super) listed: Option<QueueKey>,
}

/// Every group, by slot.
#[derive(Debug, Default)]
pub(super) struct Groups {
    slots: Vec<Option<Group>>,
    free: Vec<GroupSlot>,
}

impl Groups {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn get(&self, slot: GroupSlot) -> Option<&Group> {
        self.slots.get(slot.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: GroupSlot) -> Option<&mut Group> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    /// Every group, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupSlot, &Group)> {
        let slots = (0..).map(GroupSlot).zip(&self.slots);
        slots.filter_map(|(slot, group)| Some((slot, group.as_ref()?)))
    }

    /// A group without lanes, which the caller gives one.
    pub(super) fn add(
        &mut self,
        operation: OperationSlot,
        counter: CounterId,
        limit: i64,
    ) -> GroupSlot {
        let group = Group { operation, counter, limit, lanes: BTreeSet::new(), listed: None };
        if let Some(slot) = self.free.pop() {
            self.slots[slot.0 as usize] = Some(group);
            return slot;
        }
        self.slots.push(Some(group));
        GroupSlot(self.slots.len() as u32 - 1)
    }

    /// The last lane of a group has gone.
    pub(super) fn remove(&mut self, slot: GroupSlot) {
        let group = self.slots.get_mut(slot.0 as usize).and_then(Option::take);
        debug_assert!(
            group.is_some_and(|group| group.lanes.is_empty() && group.listed.is_none()),
            "a group goes in which lanes stand"
        );
        self.free.push(slot);
        if self.len() == 0 {
            *self = Self::default();
        }
    }
}
