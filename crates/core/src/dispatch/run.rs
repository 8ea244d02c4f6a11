//! Which runs are live, here and elsewhere, and what counts them.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use super::Dispatch;
use super::counter::Run;
use super::slot::OperationSlot;
use crate::fault::{Fault, is_on};
use crate::id::{OperationId, Seq};
use crate::query::Value;

impl Dispatch {
    /// A run of a task of an operation that was live here is over.
    pub fn end_run(&mut self, operation: OperationId, seq: Seq) {
        let slot = self.operations.by_id(operation);
        debug_assert!(slot.is_some(), "a run ends of operation {}, which is nobody's", operation.0);
        let Some(slot) = slot else { return };
        self.change_runs(slot, false);
        let run = self.count_no_more(seq);
        self.undo.push_end(slot, seq, run);
    }

    /// So many runs of other owners are live. What they are is not asked before a condition counts
    /// them.
    pub fn begin_remote_runs(&mut self, operation: OperationId, runs: u32) {
        debug_assert!(runs > 0, "a lane without runs is not named");
        debug_assert!(!self.counters.tracks_runs(), "a run begins, and nobody knows which");
        self.change_remote_runs(operation, |remote| remote + runs);
        self.note_start_elsewhere(operation);
    }

    /// A run of another owner has begun; with what conditions may look at, if
    /// [`Dispatch::tracks_runs`].
    pub fn begin_remote_run(&mut self, operation: OperationId, seq: Seq, document: Option<&Value>) {
        self.change_remote_runs(operation, |remote| remote + 1);
        self.note_start_elsewhere(operation);
        if let Some(document) = document.filter(|_| !is_on(Fault::CounterForgetsRemoteRuns)) {
            self.count(seq, self.counters.parts().of(document));
        }
    }

    /// A run of another owner is over.
    pub fn end_remote_run(&mut self, operation: OperationId, seq: Seq) {
        self.change_remote_runs(operation, |remote| {
            debug_assert!(remote > 0, "a run ends that has not begun");
            remote.saturating_sub(1)
        });
        self.count_no_more(seq);
    }

    /// Whether it must be known of each run that begins what conditions may look at.
    pub fn tracks_runs(&self) -> bool {
        self.counters.tracks_runs()
    }

    /// These are the live runs of all owners, as [`super::Progress::Runs`] asked: none has begun or
    /// ended in this turn.
    pub fn load_runs(&mut self, runs: &[(Seq, Value)]) {
        debug_assert!(!self.undo.has_runs(), "the store knows nothing of the runs of this turn");
        let known: Vec<Seq> = self.counters.runs().map(|(seq, _)| seq).collect();
        for seq in known {
            self.count_no_more(seq);
        }
        self.counters.know_runs();
        for (seq, document) in runs {
            self.count(*seq, self.counters.parts().of(document));
        }
    }

    /// A run begins: the counters that it matches count it. They look at no more of it than this.
    pub(super) fn count(&mut self, seq: Seq, document: Value) {
        let counters = self.counters.begin(seq, document);
        for id in counters {
            self.step(id, true);
        }
    }

    /// A run is over: those that counted it do not any more.
    pub(super) fn count_no_more(&mut self, seq: Seq) -> Option<Run> {
        let run = self.counters.end(seq)?;
        for id in &run.counters {
            self.step(*id, false);
        }
        Some(run)
    }

    pub(super) fn change_runs(&mut self, slot: OperationSlot, begins: bool) {
        let operation = self.operations.get_mut(slot);
        debug_assert!(begins || operation.running > 0, "a run ends that has not begun");
        let change = |runs: &mut u32| *runs = if begins { *runs + 1 } else { *runs - 1 };
        change(&mut operation.running);
        change(&mut self.running);
        debug_assert!(
            operation.running <= self.running + self.without_place,
            "an operation runs more than all (D5)"
        );
        let is_reopened = begins || !is_on(Fault::EndForgetsToReopen);
        if (operation.options.concurrency.is_some() || operation.threads.is_some()) && is_reopened {
            self.relist(slot);
        }
    }

    fn note_start_elsewhere(&mut self, id: OperationId) {
        if let Some(slot) = self.operations.by_id(id).filter(|_| !is_on(Fault::RateForgetsOthers)) {
            self.operations.get_mut(slot).has_started_elsewhere();
        }
    }

    fn change_remote_runs(&mut self, id: OperationId, change: impl FnOnce(u32) -> u32) {
        let slot = self.operations.by_id(id);
        debug_assert!(slot.is_some(), "nothing is known of operation {}", id.0);
        let Some(slot) = slot else { return };
        let remote = &mut self.operations.get_mut(slot).remote;
        *remote = change(*remote);
        self.note_run_elsewhere(slot);
        self.relist(slot);
    }
}
