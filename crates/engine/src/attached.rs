//! Tasks that hang on something in the memory of the process that added them.
//!
//! They have a lane of their own, which only that owner starts. When it is gone nobody can run
//! them: they end as aborted, with the cause `lost`.
//!
//! # Promises
//! - A task that is attached to an owner ends with it: by its close, or by whoever finds it dead,
//!   also if that one is killed meanwhile.
//! - A turn ends at most [`ATTACHED_ENDED_MAX`] of them.
//!
//! # Left to others
//! Runs of the dead: `recover`. What a task is attached to: JavaScript keeps that.
//!
//! Proof: `proof/tests/engine/attached.rs`, `conformance::attached`, `conformance::interplay`.

use tasker_core::id::Seq;
use tasker_core::rules;
use tasker_core::store::Brief;
use tasker_core::task::{AbortReason, Cause};

use crate::draft::Planner;
use crate::gather::ATTACHED_ENDED_MAX;
use crate::memory::Memory;

impl Planner<'_> {
    /// Ends tasks that are attached to the dead.
    pub(crate) fn end_stranded(&mut self, seqs: &[Seq]) {
        let ended = seqs.iter().filter(|seq| self.end_attached(**seq)).count();
        // None of the dead runs any more, and none of these has ended.
        self.draft.is_stale |= ended < seqs.len();
    }

    /// Ends those that are attached to us, if the handle closes and no run is left.
    pub(crate) fn detach(&mut self) {
        let Some(seqs) = self.facts.attached.take() else { return };
        if self.memory.live.in_order().iter().any(|run| self.live(run.slot).is_some()) {
            return;
        }
        let is_last = seqs.len() < ATTACHED_ENDED_MAX;
        for seq in seqs {
            self.end_attached(seq);
        }
        self.draft.has_detached = is_last;
    }

    /// Whether it waited, and has ended now.
    fn end_attached(&mut self, seq: Seq) -> bool {
        let waits =
            |brief: &&Brief| (brief.run.is_none() || brief.is_outside) && brief.outcome.is_none();
        let Some(brief) = self.facts.briefs.get(&seq).filter(waits).cloned() else { return false };
        if brief.is_outside {
            self.abort_outside(seq, &brief, lost());
        } else {
            self.withdraw(seq, &brief, lost());
        }
        true
    }
}

fn lost() -> AbortReason {
    rules::abort_reason(Cause::Lost, "the process is gone to which the task was attached")
}

impl Memory {
    /// Whether a turn has to look for tasks that are attached to us, and to end them.
    pub(crate) fn ends_attached(&self) -> bool {
        self.has_attached && self.stopping.as_ref().is_some_and(|stopping| stopping.closes)
    }

    /// Whether nothing else is left to do before the handle closes.
    pub(crate) fn is_detaching(&self) -> bool {
        self.ends_attached() && self.live.is_empty()
    }
}
