//! Batches: tasks of one operation that one call of its runner takes.
//!
//! What may start is picked as always, and each task by itself. Then those picks are looked at that
//! fill a batch in part: as long as it waits for more they go back, and the operation starts
//! nothing else in this turn. So what waits is ready and holds nothing: no place, no token, no
//! limit. Memory knows since when the first of it could have started, and the driver wakes when
//! that is long enough ago.
//!
//! # Promises
//! - A batch starts as soon as it is full, and at the latest `wait` after the first of its tasks
//!   could start. Behind a full one the wait begins anew.
//! - It counts as full when no more could ever join it: at the limit of its operation, with a whole
//!   burst of its tokens, with the probes of its circuit.
//! - What starts beside a batch that waits is what would start if its tasks were not there.
//! - A batch has one place of the process, from its start until none of its runs goes on.
//! - A program without batches pays a look at an empty list in a turn, and nothing for a task.
//!
//! A turn that cannot see all that may start, because it is too much for one, tries once more. If
//! the next one cannot either, what it sees starts.
//!
//! # Left to others
//! Who needs a place: [`tasker_core::dispatch`].
//!
//! Proof: `proof/tests/engine/batches.rs`, `proof/tests/random`.

use std::collections::BTreeMap;

use tasker_core::dispatch::{Pick, Picks};
use tasker_core::error::Result;
use tasker_core::id::OperationId;
use tasker_core::store::{ReadTransaction, Start};
use tasker_core::time::MonoMs;

use crate::draft::Planner;
use crate::gathering::{Gatherings, Moment};
use crate::live::Run;
use crate::memory::Memory;
use crate::starts::{self, Drafted, Picked};

impl Planner<'_> {
    /// Picks what may start, without what waits for a batch.
    pub(crate) fn pick_in_batches(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        is_shared: bool,
    ) -> Result<Picks> {
        let mut gathering = Gatherings::new();
        let mut picks = Picks::up_to(0);
        loop {
            self.pick_all(transaction, (&mut picks, is_shared))?;
            if self.draft.is_stale {
                return Ok(picks);
            }
            let at = Moment { now: self.now.mono, is_cut: self.draft.is_starved };
            let waiting = self.memory.batches.first_to_wait(self.dispatch, &picks, at);
            let Some(waiting) = waiting else { break };
            while picks.picks.len() > waiting.from {
                self.unpick(&mut picks);
            }
            self.dispatch.await_batch(waiting.operation);
            gathering.insert(waiting.operation, waiting.gathering);
        }
        self.memory.batches.keep_waiting(self.dispatch, &mut gathering);
        self.draft.gathering = Some(gathering);
        Ok(picks)
    }

    /// How many runs of a batch go on, after what this turn does.
    fn active_of(&self, run: &Run) -> Option<u32> {
        let batch = run.batch?;
        let drafted = self.draft.active.get(&batch).copied();
        Some(drafted.unwrap_or_else(|| self.memory.live.active_of(batch)))
    }

    /// A run does not go on. Whether its place is free then: no other run of its batch has it.
    pub(crate) fn leave_place(&mut self, run: &Run) -> bool {
        let (Some(batch), Some(active)) = (run.batch, self.active_of(run)) else { return true };
        debug_assert!(active > 0, "a run of a batch ends twice");
        let left = active.saturating_sub(1);
        self.draft.active.insert(batch, left);
        left == 0
    }

    /// Whether another run of its batch has the place that a run needs to go on.
    pub(crate) fn shares_place(&self, run: &Run) -> bool {
        self.active_of(run).is_some_and(|active| active > 0)
    }

    /// A run that had halted goes on.
    pub(crate) fn enter_place(&mut self, run: &Run) {
        if let (Some(batch), Some(active)) = (run.batch, self.active_of(run)) {
            self.draft.active.insert(batch, active + 1);
        }
    }
}

/// Starts that are told together.
pub(crate) struct Together {
    /// Whether they have one runner, which is called once.
    pub(crate) is_batch: bool,
    pub(crate) starts: Vec<(Pick, Start)>,
}

impl Memory {
    /// The starts of a turn, those of one batch together: where the first of them stood.
    pub(crate) fn in_batches(&self, starts: Vec<(Pick, Start)>) -> Vec<Together> {
        let mut all: Vec<Together> = Vec::new();
        let mut open: BTreeMap<OperationId, usize> = BTreeMap::new();
        for start in starts {
            let id = start.0.lane.operation();
            let max = self.dispatch.batch_max(id) as usize;
            let filled = open.get(&id).copied().filter(|at| all[*at].starts.len() < max);
            if let Some(at) = filled {
                all[at].starts.push(start);
                continue;
            }
            if max > 1 {
                open.insert(id, all.len());
            }
            all.push(Together { is_batch: max > 1, starts: vec![start] });
        }
        all
    }

    /// Whether a turn would start something, now; what waits for a batch is looked at.
    pub(crate) fn would_start_in_batches(
        &mut self,
        transaction: &mut dyn ReadTransaction,
        (now, is_shared): (MonoMs, bool),
    ) -> Result<bool> {
        let mut gathering = Gatherings::new();
        let mut picks = Picks::up_to(usize::MAX);
        loop {
            let mut drafted = Drafted::nothing(self.seq_next);
            let dispatch = &mut self.dispatch;
            let picked = starts::pick(dispatch, transaction, (&mut picks, is_shared), &mut drafted);
            if picked? != Picked::All {
                return Ok(true);
            }
            let at = Moment { now, is_cut: false };
            let Some(waiting) = self.batches.first_to_wait(&self.dispatch, &picks, at) else {
                break;
            };
            while picks.picks.len() > waiting.from {
                self.dispatch.unpick(&mut picks);
            }
            self.dispatch.await_batch(waiting.operation);
            gathering.insert(waiting.operation, waiting.gathering);
        }
        self.batches.keep_waiting(&self.dispatch, &mut gathering);
        self.batches.keep_until_then(&picks, &mut gathering);
        self.batches.set_gathering(gathering);
        Ok(!picks.picks.is_empty())
    }
}
