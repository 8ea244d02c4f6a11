//! What becomes of the runs of the dead, when a store is opened.
//!
//! # Promises
//! - Each lost run is recovered exactly once (I-4): its release or end is guarded by its run id and
//!   committed together with the others.
//! - A loss counts: the third in a row ends the task as poison (I-10).
//!
//! # Left to others
//! Knowing who is dead is the store's work (`Store::orphans`).
//!
//! Proof: `proof/tests/engine`, `conformance::orphans`, the storm.

use tasker_core::rules::{self, Loss};
use tasker_core::state::{Counts, State};
use tasker_core::store::{Change, Orphan};
use tasker_core::task::AttemptEnd;
use tasker_core::time::WallMs;

use crate::effect::Effect;

/// What to write for the orphans, and what to tell once it is committed.
pub(crate) struct Recovery {
    pub(crate) changes: Vec<Change>,
    pub(crate) counts: Counts,
    pub(crate) effects: Vec<Effect>,
}

pub(crate) fn plan(orphans: &[Orphan], counts: Counts, at: WallMs) -> Recovery {
    let mut recovery = Recovery { changes: Vec::new(), counts, effects: Vec::new() };
    for orphan in orphans {
        recovery.one(orphan, at);
    }
    recovery
}

impl Recovery {
    fn one(&mut self, orphan: &Orphan, at: WallMs) {
        let (seq, run) = (orphan.seq, orphan.run);
        match rules::loss(orphan.on_interrupted, orphan.losses) {
            Loss::Retry(losses) => {
                self.counts.shift(State::Running, State::Ready);
                let (end, attempt) = (AttemptEnd::Lost, orphan.attempt);
                self.changes.push(Change::Release { seq, run, end, attempt, losses, at });
            }
            Loss::End(outcome) => {
                self.counts.shift(State::Running, outcome.state());
                self.effects.push(Effect::Ended(orphan.id, outcome.clone()));
                self.changes.push(Change::End { seq, run: Some(run), outcome, at });
            }
        }
    }
}
