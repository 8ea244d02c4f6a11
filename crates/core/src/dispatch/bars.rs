//! How far a condition on what stands ahead lets pass.
//!
//! A counter of the scope before-queued counts ready tasks. The *bar* of a limit is the position of
//! the first task that is one too many: a task behind it has more ahead than the limit allows, and
//! one before it, or the task at the bar itself, has not. So a counter need not count anew for each
//! task that asks: it compares two positions.
//!
//! # Promises
//! - A task that comes or goes moves a bar by one task at most, which costs O(log n).
//! - Only tasks count that somebody may start: those of operations that are offered and not paused.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::slot::OperationSlot;
use crate::fault::{Fault, is_on};
use crate::queue::QueueKey;

/// The ready tasks that match one query, and the bars.
#[derive(Clone, Debug, Default)]
pub(super) struct Bars {
    keys: BTreeMap<OperationSlot, Keys>,
    /// How many of them count.
    count: usize,
    bars: BTreeMap<i64, Bar>,
}

/// Those of one operation.
#[derive(Clone, Debug)]
struct Keys {
    all: BTreeSet<QueueKey>,
    /// Whether they count.
    is_counted: bool,
}

#[derive(Clone, Debug)]
struct Bar {
    at: Option<QueueKey>,
    /// How many lanes have this limit.
    lanes: u32,
}

impl Bars {
    /// One more lane has this limit.
    pub(super) fn refer(&mut self, limit: i64) {
        let at = self.nth(limit);
        self.bars.entry(limit).or_insert(Bar { at, lanes: 0 }).lanes += 1;
    }

    /// One lane less has this limit.
    pub(super) fn release(&mut self, limit: i64) {
        let Some(bar) = self.bars.get_mut(&limit) else { return };
        debug_assert!(bar.lanes > 0, "a limit is let go twice");
        bar.lanes -= 1;
        if bar.lanes == 0 {
            self.bars.remove(&limit);
        }
    }

    /// Whether what stands at this position has no more ahead than the limit allows.
    pub(super) fn lets_pass(&self, limit: i64, key: QueueKey) -> bool {
        let bar = self.bars.get(&limit);
        debug_assert!(bar.is_some(), "a limit is asked for that no lane has");
        limit >= 0 && bar.is_none_or(|bar| bar.at.is_none_or(|at| key <= at))
    }

    /// The last position that a limit allows; nothing if it allows all.
    pub(super) fn at(&self, limit: i64) -> Option<QueueKey> {
        self.bars.get(&limit)?.at
    }

    /// A task that matches stands there from now on. The limits whose bars have moved.
    pub(super) fn insert(
        &mut self,
        slot: OperationSlot,
        key: QueueKey,
        is_counted: bool,
    ) -> Vec<i64> {
        let new = || Keys { all: BTreeSet::new(), is_counted };
        let keys = self.keys.entry(slot).or_insert_with(new);
        debug_assert_eq!(keys.is_counted, is_counted, "an operation counts, and does not");
        let is_new = keys.all.insert(key);
        debug_assert!(is_new, "{key:?} is counted twice (D4)");
        if !is_counted {
            return Vec::new();
        }
        self.count += 1;
        let count = self.count as u64;
        self.move_bars(|bars, limit, at| match at {
            None if u64::try_from(limit).is_ok_and(|limit| count == limit + 1) => bars.last(),
            Some(at) if key < at => bars.before(at),
            at => at,
        })
    }

    /// The task that stood there does not any more. The limits whose bars have moved.
    pub(super) fn remove(&mut self, slot: OperationSlot, key: QueueKey) -> Vec<i64> {
        let Some(keys) = self.keys.get_mut(&slot) else { return Vec::new() };
        let was_there = keys.all.remove(&key);
        debug_assert!(was_there, "{key:?} is not counted, and goes (D4)");
        let is_counted = keys.is_counted;
        if keys.all.is_empty() {
            self.keys.remove(&slot);
        }
        if !is_counted || !was_there {
            return Vec::new();
        }
        self.count -= 1;
        self.move_bars(|bars, _, at| match at {
            Some(at) if key <= at => bars.after(at),
            at => at,
        })
    }

    /// The tasks of an operation count from now on, or do not. The limits whose bars have moved.
    pub(super) fn set_counted(&mut self, slot: OperationSlot, is_counted: bool) -> Vec<i64> {
        let Some(keys) = self.keys.get_mut(&slot) else { return Vec::new() };
        if keys.is_counted == is_counted {
            return Vec::new();
        }
        keys.is_counted = is_counted;
        let count = keys.all.len();
        self.count = if is_counted { self.count + count } else { self.count - count };
        self.move_bars(|bars, limit, _| bars.nth(limit))
    }

    /// Forgets the tasks.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.count = 0;
        self.bars.values_mut().for_each(|bar| bar.at = None);
    }

    /// The first tasks ahead of a position that count, in queue order.
    pub(super) fn ahead(&self, key: QueueKey, count_max: usize) -> Vec<QueueKey> {
        let of_each = self.counted().flat_map(|keys| keys.range(..key).take(count_max));
        let mut ahead: Vec<_> = of_each.copied().collect();
        ahead.sort_unstable();
        ahead.truncate(count_max);
        ahead
    }

    /// The positions of each operation, and whether they count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (OperationSlot, bool, &BTreeSet<QueueKey>)> {
        self.keys.iter().map(|(slot, keys)| (*slot, keys.is_counted, &keys.all))
    }

    /// Whether each bar is where counting puts it, and the count is right.
    pub(super) fn is_sound(&self) -> bool {
        let count: usize = self.counted().map(BTreeSet::len).sum();
        count == self.count && self.bars.iter().all(|(limit, bar)| bar.at == self.nth(*limit))
    }

    fn move_bars(
        &mut self,
        moved: impl Fn(&Self, i64, Option<QueueKey>) -> Option<QueueKey>,
    ) -> Vec<i64> {
        if is_on(Fault::BarStays) {
            return Vec::new();
        }
        let mut bars = std::mem::take(&mut self.bars);
        let mut limits = Vec::new();
        for (limit, bar) in &mut bars {
            let at = moved(self, *limit, bar.at);
            if at != bar.at {
                bar.at = at;
                limits.push(*limit);
            }
        }
        self.bars = bars;
        limits
    }

    fn counted(&self) -> impl Iterator<Item = &BTreeSet<QueueKey>> {
        self.keys.values().filter(|keys| keys.is_counted).map(|keys| &keys.all)
    }

    fn last(&self) -> Option<QueueKey> {
        self.counted().filter_map(|keys| keys.last().copied()).max()
    }

    fn before(&self, at: QueueKey) -> Option<QueueKey> {
        self.counted().filter_map(|keys| keys.range(..at).next_back().copied()).max()
    }

    fn after(&self, at: QueueKey) -> Option<QueueKey> {
        let behind = (Bound::Excluded(at), Bound::Unbounded);
        self.counted().filter_map(|keys| keys.range(behind).next().copied()).min()
    }

    /// The position of the task that is one too many.
    fn nth(&self, limit: i64) -> Option<QueueKey> {
        let limit = usize::try_from(limit).ok().filter(|limit| *limit < self.count)?;
        let mut counted = self.counted();
        let (one, another) = (counted.next()?, counted.next());
        if another.is_none() {
            return one.iter().nth(limit).copied();
        }
        let mut at = self.counted().filter_map(|keys| keys.first().copied()).min()?;
        for _ in 0..limit {
            at = self.after(at)?;
        }
        Some(at)
    }
}
