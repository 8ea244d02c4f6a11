//! What holds a task back in the queue, and what stands ahead of it: for who asks.
//!
//! # Promises
//! - Nothing changes, and no more is looked at than was asked for.
//!
//! Proof: `proof/tests/random`, which compares with a scan of everything.

use std::sync::Arc;

use super::Dispatch;
use super::merge::LANES_EXAMINED_MAX;
use crate::id::{LaneId, OperationId};
use crate::queue::QueueKey;
use crate::time::WallMs;

/// What is known of an operation besides its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationFacts {
    /// Since when it is paused, if it is.
    pub paused_at: Option<WallMs>,
    /// Whether this process starts its tasks.
    pub is_offered_here: bool,
    /// Whether another owner does.
    pub is_offered_elsewhere: bool,
    /// How many may run at once, over all processes.
    pub limit: Option<u32>,
    /// How many do.
    pub running: u64,
}

impl OperationFacts {
    /// How many more of its tasks may start.
    pub fn left(&self) -> usize {
        let left = |limit| u64::from(limit).saturating_sub(self.running);
        let left = self.limit.map_or(usize::MAX as u64, left);
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}

/// Tasks that stand ahead of a position.
#[derive(Debug, Default)]
pub struct Ahead {
    /// How many memory knows of.
    pub known: usize,
    /// Parts of lanes that memory does not know, up to that position.
    pub unknown: Vec<(LaneId, QueueKey)>,
}

impl Dispatch {
    /// How many runs this process may have at once.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// What is known of an operation.
    pub fn facts(&self, id: OperationId) -> Option<OperationFacts> {
        let operation = self.operations.get(self.operations.by_id(id)?);
        Some(OperationFacts {
            paused_at: operation.record.paused_at,
            is_offered_here: self.is_started && operation.has_runner,
            is_offered_elsewhere: operation.is_offered,
            limit: operation.options.concurrency,
            running: u64::from(operation.running) + u64::from(operation.remote),
        })
    }

    /// The operations with ready tasks, as far as memory knows.
    pub fn waiting(&self) -> impl Iterator<Item = (OperationId, &Arc<str>)> {
        let waiting = self.operations.iter().filter(|(_, one)| !one.heads.is_empty());
        waiting.filter_map(|(_, one)| Some((one.id?, &one.name)))
    }

    /// The operations beside this one that start tasks here, of those whose first task stands
    /// ahead of a position.
    pub fn rivals(&self, id: OperationId, key: QueueKey) -> Vec<OperationId> {
        let own = self.operations.by_id(id);
        let ahead = self.open.iter().take_while(|(first, _)| *first < key);
        let others = ahead.filter(|(_, slot)| Some(*slot) != own);
        others.filter_map(|(_, slot)| self.operations.get(*slot).id).collect()
    }

    /// The ready tasks of an operation that stand ahead of a position, until there are so many; of
    /// no more lanes than a turn takes up.
    pub fn ahead(&self, id: OperationId, key: QueueKey, max: usize) -> Ahead {
        let mut ahead = Ahead::default();
        let Some(slot) = self.operations.by_id(id) else { return ahead };
        let heads = self.operations.get(slot).heads.iter().take_while(|(head, _)| *head < key);
        for (_, slot) in heads.take(LANES_EXAMINED_MAX) {
            if ahead.known >= max {
                break;
            }
            let lane = self.lanes.get(*slot);
            ahead.known += lane.window.iter().take_while(|other| *other < key).count();
            ahead.unknown.extend(lane.rest.filter(|rest| *rest < key).map(|rest| (lane.id, rest)));
        }
        ahead
    }
}
