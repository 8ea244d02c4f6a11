//! Which runs share a place of the process, because they began as one batch.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::id::{LaneId, OperationId, Seq};
use tasker_core::queue::QueueKey;

/// The batches of an operation: how many tasks each takes.
pub(super) type Sizes = BTreeMap<OperationId, usize>;

/// The batch of each run that is one of several that may share a place, by a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    of: BTreeMap<Seq, usize>,
    next: usize,
}

/// What a turn has filled so far.
#[derive(Default)]
pub(super) struct Filling(BTreeMap<OperationId, (usize, usize)>);

impl Filling {
    /// Whether the batch of an operation has a place for one more task of it.
    pub(super) fn has_room(&self, operation: OperationId) -> bool {
        self.0.get(&operation).is_some_and(|(_, room)| *room > 0)
    }
}

impl Batches {
    /// A run begins: it joins the batch that the turn fills, or begins another one.
    pub(super) fn begin(
        &mut self,
        (lane, key): (LaneId, QueueKey),
        sizes: &Sizes,
        filling: &mut Filling,
    ) {
        let Some(size) = sizes.get(&lane.operation()) else { return };
        let (batch, room) = filling.0.entry(lane.operation()).or_default();
        if *room == 0 {
            (*batch, *room) = (self.next, *size);
            self.next += 1;
        }
        *room -= 1;
        self.of.insert(key.seq, *batch);
    }

    /// A run is over. Whether another one has its place still.
    pub(super) fn end(&mut self, seq: Seq) -> bool {
        let batch = self.of.remove(&seq);
        batch.is_some_and(|batch| self.of.values().any(|other| *other == batch))
    }

    /// How many places these runs have.
    pub(super) fn places(&self, running: &[(LaneId, QueueKey)]) -> u32 {
        let alone = running.iter().filter(|(_, key)| !self.of.contains_key(&key.seq)).count();
        let shared = running.iter().filter_map(|(_, key)| self.of.get(&key.seq));
        (alone + shared.collect::<BTreeSet<_>>().len()) as u32
    }
}
