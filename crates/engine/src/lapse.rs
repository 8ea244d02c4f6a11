//! Tasks that lapse, as a stop looks for them: what it offered, and where it stands.
//!
//! # Promises
//! - A turn looks at no more than [`PORTION`] tasks, and at no task that does not lapse.
//!
//! # Left to others
//! Ending them: `lapsing`. Who offers what: `offers`.
//!
//! Proof: `proof/tests/engine/lapsing.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{OwnerId, Seq};
use tasker_core::store::{Offers, ReadTransaction};
use tasker_core::time::MonoMs;

use crate::memory::{Lapse, Memory};

/// How many tasks that lapse one turn looks at.
const PORTION: usize = 1_024;

/// Tasks to look at, and what is left to look at after them.
#[derive(Debug)]
pub(crate) struct LapsePortion {
    pub(crate) seqs: Vec<Seq>,
    pub(crate) rest: Option<Lapse>,
}

impl Lapse {
    /// The next tasks to look at, of operations that nobody offers any more.
    pub(crate) fn read(
        &self,
        transaction: &mut dyn ReadTransaction,
        (memory, buried): (&Memory, &[OwnerId]),
    ) -> Result<LapsePortion> {
        let mut rest = self.clone();
        let mut seqs = Vec::new();
        let max = if self.before.is_some() { PORTION } else { 1 };
        while let Some(name) = rest.operations.front() {
            if let Some(operation) = memory.dispatch.operation(name)
                && (self.before.is_none() || !is_offered(&memory.remote_offers, buried, name))
            {
                let last = self.before.map_or(u64::MAX >> 1, |before| before.0 - 1);
                let left = max - seqs.len();
                let found =
                    transaction.lapsing(operation, Seq(rest.after.0 + 1)..=Seq(last), left)?;
                let is_full = found.len() == left;
                rest.after = found.last().copied().unwrap_or(rest.after);
                seqs.extend(found);
                if is_full {
                    return Ok(LapsePortion { seqs, rest: Some(rest) });
                }
            }
            rest.operations.pop_front();
            rest.after = Seq(0);
        }
        Ok(LapsePortion { seqs, rest: None })
    }
}

/// Whether a living owner offers it.
fn is_offered(remote: &BTreeMap<OwnerId, Offers>, buried: &[OwnerId], name: &Arc<str>) -> bool {
    remote.iter().any(|(owner, offers)| offers.contains(name) && !buried.contains(owner))
}

impl Memory {
    /// What a stop that begins now has to look at: all of which we start tasks. Executors outside
    /// go on.
    pub(crate) fn lapse_of_stop(&self) -> Option<Lapse> {
        let mut operations: Vec<Arc<str>> = self.started().cloned().collect();
        operations.sort_unstable();
        let operations = VecDeque::from(operations);
        let running = self.live.in_order().into_iter().map(|run| run.seq).collect();
        let (after, before, running) = (Seq(0), None, Arc::new(running));
        (!operations.is_empty()).then_some(Lapse { operations, after, before, running })
    }

    /// Whether a stop has tasks to end.
    pub(crate) fn is_lapsing(&self) -> bool {
        self.lapse().is_some()
    }

    pub(crate) fn lapse(&self) -> Option<&Lapse> {
        self.stopping.as_ref()?.lapse.as_ref()
    }

    /// A stop does not wait longer than it says for a store that cannot be written: what it has not
    /// ended stays.
    pub(crate) fn give_up_lapse(&mut self, now: MonoMs) {
        if let Some(stopping) = self.stopping.as_mut().filter(|stopping| now >= stopping.deadline) {
            stopping.lapse = None;
        }
    }
}
