//! Tasks that lapse: they end when the last tasker stops that offers their operation.
//!
//! Those that say so stand in a table of their own, by their operation, from their add to their
//! end. So a task that does not say it pays nothing, and a stop looks at no other.
//!
//! # Promises
//! - What waits when the last tasker stops that offers its operation, and says so, ends as aborted,
//!   cause `stop`, some of them at a turn. The stop is answered when all have.
//! - A crash is no stop: what is not reached then stays.
//! - What is added after the stop has begun stays, and so does all that waits for an operation
//!   which somebody offers meanwhile.
//! - What runs here when the stop begins follows its `onStop`, and stays if that gives it back.
//!
//! # Left to others
//! Which tasks: `lapse`. Who offers what: `offers`.
//!
//! Proof: `proof/tests/engine/lapsing.rs`, `conformance::lapsing`, `conformance::interplay`,
//! `proof/tests/random`, the storm.

use tasker_core::id::{OperationId, Seq};
use tasker_core::rules;
use tasker_core::store::{Brief, Change};
use tasker_core::task::{AbortReason, Cause};

use crate::draft::{Draft, Planner};
use crate::lapse::LapsePortion;
use crate::memory::{Lapse, Memory};

impl Planner<'_> {
    /// Ends those that lapse, if a stop is under way.
    pub(crate) fn lapse(&mut self) {
        let Some(lapse) = self.memory.stopping.and_then(|stopping| stopping.lapse.as_ref()) else {
            return;
        };
        let Some(LapsePortion { seqs, rest }) = self.facts.lapsing.take() else { return };
        if lapse.before.is_none() {
            // Who is dead and still seems to offer something is found out before the next turn.
            let is_new = |change: &Change| matches!(change, Change::Lapses { lapses: true, .. });
            let has_new = self.draft.adds.iter().any(|add| add.task.def.lapses())
                || self.draft.changes.iter().any(is_new);
            let before = Some(self.draft.seq_next);
            self.draft.lapse =
                (has_new || !seqs.is_empty()).then(|| Lapse { before, ..lapse.clone() });
            return;
        }
        self.draft.lapse = rest;
        for seq in seqs {
            let is_left = lapse.running.contains(&seq);
            let waits = |brief: &&Brief| {
                brief.run.is_none() && brief.outcome.is_none() && brief.lapses && !is_left
            };
            if let Some(brief) = self.facts.briefs.get(&seq).filter(waits).cloned() {
                self.withdraw(seq, &brief, stopped());
            }
        }
    }

    /// A task says from now on whether it lapses, and has not ended.
    pub(crate) fn note_lapses(
        &mut self,
        (seq, operation): (Seq, OperationId),
        was: bool,
        is: bool,
    ) {
        if was != is {
            self.draft.changes.push(Change::Lapses { seq, operation, lapses: is });
        }
    }
}

fn stopped() -> AbortReason {
    let text = "the last tasker was stopped that had a runner for the operation of the task";
    rules::abort_reason(Cause::Stop, text)
}

impl Memory {
    /// A turn that could not be written has seen whether anything lapses. A stop does not wait for
    /// the disk if nothing does.
    pub(crate) fn see_no_lapse(&mut self, draft: &Draft) {
        if let Some(stopping) = self.stopping.as_mut().filter(|_| draft.lapse.is_none()) {
            stopping.lapse.take_if(|lapse| lapse.before.is_none());
        }
    }
}
