//! What holds a task back in the queue, and what stands ahead of it: for who asks.
//!
//! # Promises
//! - Nothing changes, and no more is looked at than was asked for.
//!
//! Proof: `proof/tests/random`, which compares with a scan of everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Dispatch;
use super::group::Group;
use super::lane::Lane;
use super::merge::LANES_EXAMINED_MAX;
use super::slot::{Head, LaneSlot};
use crate::condition::Scope;
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
    /// Whether executors outside take them: then they are offered where somebody polls.
    pub is_outside: bool,
    /// Whether one waits for them here.
    pub has_taker: bool,
    /// How many may run at once, over all processes.
    pub limit: Option<u32>,
    /// How many do.
    pub running: u64,
    /// How many of its tasks its rate limit and its circuit let start, if those are for all.
    pub let_start: Option<u32>,
    /// How many threads its runner has here, if it runs each task in one.
    pub threads: Option<u32>,
    /// How many run here.
    pub running_here: u32,
}

impl OperationFacts {
    /// How many more of its tasks its limit allows.
    pub fn left(&self) -> usize {
        let left = |limit| u64::from(limit).saturating_sub(self.running);
        let left = self.limit.map_or(usize::MAX as u64, left);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// How many of its threads here have no task; without threads nothing bounds it here.
    pub fn threads_left(&self) -> usize {
        self.threads.map_or(usize::MAX, |all| all.saturating_sub(self.running_here) as usize)
    }

    /// How many more of its tasks may start, as far as the gates of a value do not say.
    pub fn may_start(&self) -> usize {
        let left = self.let_start.map_or(self.left(), |most| self.left().min(most as usize));
        if self.is_offered_elsewhere { left } else { left.min(self.threads_left()) }
    }
}

/// Whether conditions hold back the tasks of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They do not.
    Free,
    /// They do.
    Held,
    /// Memory does not know: the conditions of this lane, or what they count.
    Unknown,
}

/// The tasks of one lane that stand ahead of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Which lane.
    pub lane: LaneId,
    /// Where the first of them stands, or a position before it.
    pub first: QueueKey,
    /// How many memory knows of.
    pub known: usize,
    /// From where on memory does not know them.
    pub rest: Option<QueueKey>,
    /// Whether conditions hold them back, the first of them at least.
    pub standing: Standing,
    /// Whether these may count what stands ahead of each.
    pub looks_ahead: bool,
    /// Whether its tasks need a token of their value, and may have several.
    pub keys: LaneKeys,
}

/// Where the tasks of a lane need tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKeys {
    /// Nowhere, or with the whole operation.
    None,
    /// Each with the value that the first of them has.
    One,
    /// Each with its own value.
    Many,
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
            is_offered_here: operation.is_served_here(self.is_started),
            is_outside: operation.is_outside(),
            has_taker: operation.has_taker,
            is_offered_elsewhere: operation.is_offered,
            limit: operation.options.concurrency,
            running: u64::from(operation.running) + u64::from(operation.remote),
            let_start: None,
            threads: operation.threads,
            running_here: operation.running,
        })
    }

    /// The operations with ready tasks, as far as memory knows, whatever holds these back.
    pub fn waiting(&self) -> impl Iterator<Item = (OperationId, &Arc<str>)> {
        let held: BTreeSet<_> = self.groups.iter().map(|(_, group)| group.operation).collect();
        let waiting = self.operations.iter();
        let waiting =
            waiting.filter(move |(slot, one)| !one.heads.is_empty() || held.contains(slot));
        waiting.filter_map(|(_, one)| Some((one.id?, &one.name)))
    }

    /// Where the ready task of an operation stands that comes next, of those that conditions do not
    /// certainly hold back.
    pub fn next_ready(&self, id: OperationId) -> Option<QueueKey> {
        let slot = self.operations.by_id(id)?;
        self.operations.get(slot).heads.first().map(|(key, _)| *key)
    }

    /// The operations beside this one that start tasks here, of those whose first task stands
    /// ahead of a position.
    pub fn rivals(&self, id: OperationId, key: QueueKey) -> Vec<OperationId> {
        let own = self.operations.by_id(id);
        let ahead = self.open.iter().take_while(|(first, _)| *first < key);
        let others = ahead.filter(|(_, slot)| Some(*slot) != own);
        others.filter_map(|(_, slot)| self.operations.get(*slot).id).collect()
    }

    /// The ready tasks of an operation that stand ahead of a position, by lane; of no more lanes
    /// than a turn takes up. What certainly is held back comes last.
    pub fn ahead(&self, id: OperationId, key: QueueKey) -> impl Iterator<Item = Ahead> {
        let slot = self.operations.by_id(id);
        let heads = slot.map(|slot| &self.operations.get(slot).heads);
        let heads = heads.into_iter().flatten().take_while(move |(head, _)| *head < key);
        let listed = heads.flat_map(|(_, head)| {
            let (lane, group) = match head {
                Head::Lane(lane) => (Some(*lane), None),
                Head::Group(group) => (None, self.groups.get(*group)),
            };
            lane.into_iter().chain(group.into_iter().flat_map(lanes_of))
        });
        let groups = self.groups.iter().map(|(_, group)| group);
        let closed = groups.filter(|group| group.listed.is_none());
        let closed = closed.filter(move |group| Some(group.operation) == slot).flat_map(lanes_of);
        let lanes = listed.chain(closed).take(LANES_EXAMINED_MAX);
        lanes.filter_map(move |lane| self.part_ahead(lane, key))
    }

    /// The ready tasks of a lane that stand ahead of a position, if there are any.
    pub fn of_lane_ahead(&self, lane: LaneId, key: QueueKey) -> Option<Ahead> {
        self.part_ahead(self.lanes.slot(lane)?, key)
    }

    fn part_ahead(&self, slot: LaneSlot, key: QueueKey) -> Option<Ahead> {
        let lane = self.lanes.get(slot);
        let first = lane.head().filter(|head| *head < key)?;
        let group = lane.group.and_then(|group| self.groups.get(group));
        let waits_for_token = lane.gate.as_ref().map(|gate| gate.counter);
        let standing = match group.filter(|group| Some(group.counter) != waits_for_token) {
            _ if lane.is_plain() => Standing::Free,
            // Its counter counts all that it should, or nothing would stand at it.
            Some(group) if group.listed.is_none() => Standing::Held,
            _ if !lane.is_learned() => Standing::Unknown,
            _ if lane.counts(Scope::Running) && !self.counters.knows_runs() => Standing::Unknown,
            _ if self.unmet(slot).is_some() => Standing::Held,
            _ if self.is_ahead_known(lane) => Standing::Free,
            _ => Standing::Unknown,
        };
        let known = lane.window.iter().take_while(|other| *other < key).count();
        let rest = lane.rest.filter(|rest| *rest < key);
        let looks_ahead = !lane.is_learned() || lane.counts(Scope::BeforeQueued);
        let keys = match self.has_keys(lane.operation) {
            false => LaneKeys::None,
            true if self.is_of_one_key(lane.id) => LaneKeys::One,
            true => LaneKeys::Many,
        };
        Some(Ahead { lane: lane.id, first, known, rest, standing, looks_ahead, keys })
    }
}

impl Dispatch {
    /// Whether all is known of the queue that the conditions of the first task of a lane look at.
    fn is_ahead_known(&self, lane: &Lane) -> bool {
        if !lane.counts(Scope::BeforeQueued) {
            return true;
        }
        let mut ahead = lane.terms().iter().filter(|term| term.scope == Scope::BeforeQueued);
        let head = lane.head().filter(|_| lane.is_exact());
        head.is_some_and(|head| ahead.all(|term| self.is_known_before(term.counter, head)))
    }
}

fn lanes_of(group: &Group) -> impl Iterator<Item = LaneSlot> {
    group.lanes.iter().map(|(_, lane)| *lane)
}
