//! What waits for a batch, and for how long: see `batches`.
//!
//! Memory knows it alone: a batch belongs to a runner, and that to this process.
//!
//! Proof: `proof/tests/engine/batches.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tasker_core::batching::Batching;
use tasker_core::dispatch::{Dispatch, Gate, Pick, Picks};
use tasker_core::id::OperationId;
use tasker_core::time::MonoMs;

/// What waits for a batch, by operation.
pub(crate) type Gatherings = BTreeMap<OperationId, Gathering>;

/// The tasks of one operation that wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gathering {
    /// Since when the first of them could have started.
    pub(crate) since: MonoMs,
    /// How many could start now. None as long as the process has no place.
    pub(crate) tasks: usize,
    /// Whether there may have been more than the turn could see.
    pub(crate) is_cut: bool,
}

/// The runners of this process that take several tasks at once, and what waits for them.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    runners: FxHashMap<Arc<str>, Batching>,
    gathering: Gatherings,
}

impl Batches {
    /// A runner takes several tasks at once.
    pub(crate) fn assign(&mut self, operation: &Arc<str>, batching: Batching) {
        self.runners.insert(operation.clone(), batching);
    }

    /// One is taken away, if it was one of these: nothing waits for it any more.
    pub(crate) fn unassign(&mut self, operation: &Arc<str>, id: Option<OperationId>) {
        self.runners.remove(operation);
        id.and_then(|id| self.gathering.remove(&id));
    }

    /// Whether each runner takes one task.
    pub(crate) fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }

    /// How the runner of an operation takes several tasks, if it does.
    pub(crate) fn of(&self, operation: &str) -> Option<Batching> {
        self.runners.get(operation).copied()
    }

    /// What waits has been looked at.
    pub(crate) fn set_gathering(&mut self, gathering: Gatherings) {
        self.gathering = gathering;
    }

    /// Whether tasks wait that could start.
    pub(crate) fn is_gathering(&self) -> bool {
        self.gathering.values().any(|one| one.tasks > 0)
    }

    /// The tasks of an operation that wait, and until when at the latest.
    pub(crate) fn waiting(&self, id: OperationId, batching: Batching) -> Option<(usize, MonoMs)> {
        let one = self.gathering.get(&id).filter(|one| one.tasks > 0)?;
        Some((one.tasks, one.since.plus(batching.wait_ms)))
    }

    /// When the first batch starts at the latest.
    pub(crate) fn next_start(&self, dispatch: &Dispatch) -> Option<MonoMs> {
        let waiting = self.gathering.keys().filter_map(|id| {
            let batching = self.of(dispatch.operation_name(*id)?)?;
            self.waiting(*id, batching).map(|(_, at)| at)
        });
        waiting.min()
    }

    /// The first picks that have to wait for others; nothing if all may start.
    pub(crate) fn first_to_wait(
        &self,
        dispatch: &Dispatch,
        picks: &Picks,
        at: Moment,
    ) -> Option<Waiting> {
        let mut picked: BTreeMap<OperationId, (usize, usize)> = BTreeMap::new();
        for (index, Pick { lane, .. }) in picks.picks.iter().enumerate() {
            let id = lane.operation();
            let max = dispatch.batch_max(id) as usize;
            if max > 1 {
                let (count, first) = picked.entry(id).or_default();
                if *count % max == 0 {
                    *first = index;
                }
                *count += 1;
            }
        }
        let waiting = picked.into_iter().filter_map(|(operation, (count, from))| {
            let Batching { max, wait_ms } = self.of(dispatch.operation_name(operation)?)?;
            let old = self.gathering.get(&operation);
            let is_later = count >= max as usize;
            let since = old.filter(|_| !is_later).map_or(at.now, |old| old.since);
            let is_cut_again = at.is_cut && old.is_some_and(|old| old.is_cut);
            let waits = at.now < since.plus(wait_ms) && !is_cut_again;
            let tasks = count % max as usize;
            let gathering = Gathering { since, tasks, is_cut: at.is_cut };
            let waits = waits && dispatch.may_join(operation, tasks);
            (tasks > 0 && waits).then_some(Waiting { from, operation, gathering })
        });
        waiting.min_by_key(|waiting| waiting.from)
    }

    /// Without a place nothing could start: what has waited before waits on.
    pub(crate) fn keep_waiting(&self, dispatch: &Dispatch, gathering: &mut Gatherings) {
        if dispatch.gate() == Some(Gate::ProcessLimit) {
            for (id, old) in &self.gathering {
                gathering.entry(*id).or_insert(Gathering { tasks: 0, ..*old });
            }
        }
    }
}

/// When picks are looked at, and whether there may be more than the turn could see.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: MonoMs,
    pub(crate) is_cut: bool,
}

/// Picks that wait: from which one on, of which operation.
pub(crate) struct Waiting {
    pub(crate) from: usize,
    pub(crate) operation: OperationId,
    pub(crate) gathering: Gathering,
}

impl Batches {
    /// A turn would start these picks: it must know since when the tasks have waited.
    pub(crate) fn keep_until_then(&self, picks: &Picks, gathering: &mut Gatherings) {
        for Pick { lane, .. } in &picks.picks {
            if let Some(old) = self.gathering.get(&lane.operation()) {
                gathering.entry(lane.operation()).or_insert(*old);
            }
        }
    }
}
