//! What is known of the leases of executors outside, by their ends.
//!
//! Proof: `proof/tests/engine/executors.rs`.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use tasker_core::id::{RunId, Seq};
use tasker_core::state::State;
use tasker_core::time::{MonoMs, WallMs};

/// How many leases one turn looks at.
const LOOKED_AT_MAX: usize = 1_024;

/// What is known of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownLease {
    pub(crate) run: RunId,
    /// Claimed or running.
    pub(crate) state: State,
    /// Where it ends, as it is stored.
    pub(crate) until: WallMs,
    /// When that is, or the time of the run is up.
    pub(crate) deadline: MonoMs,
    /// When the time of the run is up, if it has one.
    pub(crate) timeout: Option<MonoMs>,
}

/// The leases of all executors.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    by_seq: FxHashMap<Seq, KnownLease>,
    deadlines: BTreeSet<(MonoMs, Seq)>,
}

impl Leases {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<&KnownLease> {
        self.by_seq.get(&seq)
    }

    pub(crate) fn tasks(&self) -> Vec<Seq> {
        self.by_seq.keys().copied().collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<MonoMs> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The tasks whose leases may be over, some of them.
    pub(crate) fn due(&self, now: MonoMs) -> Vec<Seq> {
        let due = self.deadlines.range(..=(now, Seq(u64::MAX)));
        due.map(|(_, seq)| *seq).take(LOOKED_AT_MAX).collect()
    }

    pub(crate) fn set(&mut self, seq: Seq, lease: KnownLease) {
        self.remove(seq);
        self.by_seq.insert(seq, lease);
        self.deadlines.insert((lease.deadline, seq));
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        if let Some(old) = self.by_seq.remove(&seq) {
            let was_there = self.deadlines.remove(&(old.deadline, seq));
            debug_assert!(was_there, "the lease of task {} would never be over", seq.0);
        }
    }
}
