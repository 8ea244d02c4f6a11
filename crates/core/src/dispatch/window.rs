//! The first tasks of a lane, by their positions.
//!
//! Most lanes hold a task or two, and there may be a million of them: those need no memory of their
//! own. A lane with many is filled at its end and emptied at its front.

use std::collections::VecDeque;

use crate::queue::QueueKey;

/// How many positions stand in the lane itself.
pub(super) const FEW: usize = 2;

/// Positions in queue order, each once.
#[derive(Clone, Debug)]
pub(super) enum Window {
    /// The first `len` of them count.
    Few {
        keys: [QueueKey; FEW],
        len: usize,
    },
    Many(VecDeque<QueueKey>),
}

impl Default for Window {
    fn default() -> Self {
        Self::Few { keys: [QueueKey::default(); FEW], len: 0 }
    }
}

impl Window {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few { len, .. } => *len,
            Self::Many(keys) => keys.len(),
        }
    }

    /// How many of them take memory beside the lane.
    pub(super) fn outside(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Many(keys) => keys.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn first(&self) -> Option<QueueKey> {
        match self {
            Self::Few { keys, len } => keys[..*len].first().copied(),
            Self::Many(keys) => keys.front().copied(),
        }
    }

    pub(super) fn last(&self) -> Option<QueueKey> {
        match self {
            Self::Few { keys, len } => keys[..*len].last().copied(),
            Self::Many(keys) => keys.back().copied(),
        }
    }

    /// Whether this position stands in it, between its neighbours.
    pub(super) fn holds(&self, key: QueueKey) -> bool {
        let at = match self {
            Self::Few { keys, len } => keys[..*len].iter().position(|other| *other == key),
            Self::Many(keys) => keys.binary_search(&key).ok(),
        };
        at.is_some_and(|at| {
            let before = at.checked_sub(1).and_then(|at| self.get(at));
            before.is_none_or(|other| other < key)
                && self.get(at + 1).is_none_or(|other| key < other)
        })
    }

    fn get(&self, at: usize) -> Option<QueueKey> {
        match self {
            Self::Few { keys, len } => keys[..*len].get(at).copied(),
            Self::Many(keys) => keys.get(at).copied(),
        }
    }

    /// In queue order.
    pub(super) fn iter(&self) -> impl Iterator<Item = QueueKey> {
        let (few, many) = match self {
            Self::Few { keys, len } => (&keys[..*len], None),
            Self::Many(keys) => (&[][..], Some(keys)),
        };
        few.iter().chain(many.into_iter().flatten()).copied()
    }

    /// Puts a position in; one that is there stays.
    pub(super) fn insert(&mut self, key: QueueKey) {
        match self {
            Self::Few { keys, len } => {
                let at = keys[..*len].partition_point(|other| *other < key);
                if keys[..*len].get(at) == Some(&key) {
                    return;
                }
                if *len < FEW {
                    keys.copy_within(at..*len, at + 1);
                    keys[at] = key;
                    *len += 1;
                } else {
                    let mut many: VecDeque<_> = keys.iter().copied().collect();
                    many.insert(at, key);
                    *self = Self::Many(many);
                }
            }
            Self::Many(keys) if keys.back().is_none_or(|last| *last < key) => keys.push_back(key),
            Self::Many(keys) => {
                if let Err(at) = keys.binary_search(&key) {
                    keys.insert(at, key);
                }
            }
        }
    }

    /// Takes a position out, if it is there.
    pub(super) fn remove(&mut self, key: QueueKey) {
        match self {
            Self::Few { keys, len } => {
                if let Some(at) = keys[..*len].iter().position(|other| *other == key) {
                    keys.copy_within(at + 1..*len, at);
                    *len -= 1;
                }
            }
            Self::Many(keys) => {
                if let Ok(at) = keys.binary_search(&key) {
                    keys.remove(at);
                }
            }
        }
        self.shrink();
    }

    /// Takes the first one out.
    pub(super) fn pop_first(&mut self) -> Option<QueueKey> {
        let Self::Many(keys) = self else {
            let first = self.first();
            first.into_iter().for_each(|key| self.remove(key));
            return first;
        };
        let first = keys.pop_front();
        self.shrink();
        debug_assert!(
            self.first().is_none_or(|next| first < Some(next)),
            "a window was not in queue order (I-7)"
        );
        first
    }

    /// Keeps the first `len`; gives the first that is not kept.
    pub(super) fn cut(&mut self, len: usize) -> Option<QueueKey> {
        let first = self.iter().nth(len);
        match self {
            Self::Few { len: old, .. } => *old = len.min(*old),
            Self::Many(keys) => keys.truncate(len),
        }
        self.shrink();
        debug_assert!(self.len() <= len, "a cut window holds more than it should");
        debug_assert!(
            first.is_none_or(|first| self.last() < Some(first)),
            "what is cut off stood before what is kept (I-7)"
        );
        first
    }

    /// Gives the memory back that a few positions do not need.
    fn shrink(&mut self) {
        let Self::Many(many) = self else { return };
        if many.len() < FEW {
            let first = many.front().copied();
            let (keys, len) = ([first.unwrap_or_default(); FEW], many.len());
            *self = Self::Few { keys, len };
        }
    }
}
