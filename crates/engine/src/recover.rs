//! What happens to the runs of dead owners: at open, and whenever another owner is found dead.
//!
//! # Promises
//! - Each lost run is recovered exactly once (I-4): its release or end is guarded by its run id and
//!   committed together with the others.
//! - A loss counts: the third in a row ends the task as poison (I-10).
//! - A run that was to be aborted ends so, and one that was to be given back is, which is no loss:
//!   what was acknowledged is not lost with its owner (I-1). The task of one that was to halt, or
//!   has, is paused.
//!
//! # Left to others
//! Knowing who is dead is the store's work (`Store::orphans`).
//!
//! Proof: `proof/tests/engine`, `conformance::orphans`, the storm.

use tasker_core::fault::{Fault, is_on};
use tasker_core::rules::{self, Loss};
use tasker_core::state::State;
use tasker_core::store::{Change, Orphan, PauseWish};
use tasker_core::task::{AttemptEnd, OnInterrupted, Tally, TaskEnd};
use tasker_core::time::WallMs;

use crate::draft::{Planner, TaskNews};

impl Planner<'_> {
    /// Gives back or ends the runs of dead owners.
    pub(crate) fn recover(&mut self, orphans: &[Orphan]) {
        for orphan in orphans {
            self.draft.recovered.push((orphan.lane, orphan.seq));
            self.note_lost_run(orphan.lane.operation(), orphan.seq);
            if orphan.wish.is_some() {
                let from = if orphan.is_paused { State::Paused } else { State::Running };
                let &Orphan { seq, lane, run, .. } = orphan;
                self.transition(Some(from), Change::ResumeRun { seq, lane, run });
            }
            let is_forgotten = is_on(Fault::LossForgetsPostponement);
            let is_attached = is_forgotten || orphan.lane.attached_to().is_some();
            if let (None, Some(wish), false) = (&orphan.abort, &orphan.postponement, is_attached) {
                self.postpone_orphan(orphan, wish.due_at);
                continue;
            }
            match loss(orphan) {
                Loss::Retry(losses) => self.give_back(orphan, losses),
                Loss::End(outcome) => self.end_orphan(orphan, outcome),
            }
        }
    }

    fn give_back(&mut self, orphan: &Orphan, losses: u32) {
        let losses = if is_on(Fault::LossForgetsCount) { 0 } else { losses };
        let release = Change::Release {
            seq: orphan.seq,
            lane: orphan.lane,
            priority: orphan.priority,
            run: orphan.run,
            end: AttemptEnd::Lost,
            error: None,
            tally: Tally { attempt: orphan.attempt, failures: orphan.failures, losses },
            due_at: None,
            at: self.now_or(orphan.started_at),
        };
        self.release(orphan.wish == Some(PauseWish::Halt), release);
    }

    /// A run that was to be given back is: the wish was acknowledged (I-1).
    fn postpone_orphan(&mut self, orphan: &Orphan, due_at: Option<WallMs>) {
        let (attempt, failures) = (orphan.attempt - 1, orphan.failures);
        self.wake_at(due_at);
        let release = Change::Release {
            seq: orphan.seq,
            lane: orphan.lane,
            priority: orphan.priority,
            run: orphan.run,
            end: AttemptEnd::Postponed,
            error: None,
            tally: Tally { attempt, failures, losses: 0 },
            due_at,
            at: self.now_or(orphan.started_at),
        };
        self.release(orphan.wish == Some(PauseWish::Halt), release);
    }

    fn end_orphan(&mut self, orphan: &Orphan, outcome: TaskEnd) {
        self.draft.task_news.push(TaskNews::Ended(orphan.id, outcome.clone()));
        let (at, state) = (self.now_or(orphan.started_at), outcome.state());
        let end = Change::End {
            seq: orphan.seq,
            lane: orphan.lane,
            priority: orphan.priority,
            run: Some(orphan.run),
            outcome,
            at,
        };
        self.transition(Some(State::Running), end);
        self.let_go(orphan.seq, orphan.has_dependencies);
        self.note_lapses((orphan.seq, orphan.lane.operation()), orphan.lapses, false);
        if let Some(retention) = &orphan.retention {
            self.retain(retention, (orphan.seq, orphan.lane), state, at);
        }
    }
}

fn loss(orphan: &Orphan) -> Loss {
    match orphan.abort.as_ref().filter(|_| !is_on(Fault::LossForgetsAbort)) {
        Some(abort) => Loss::End(TaskEnd::Aborted(abort.cause, abort.reason.clone())),
        // Nobody else has what it is attached to.
        None if orphan.lane.attached_to().is_some() => {
            rules::loss(OnInterrupted::Abort, orphan.losses)
        }
        None => rules::loss(orphan.on_interrupted, orphan.losses),
    }
}
