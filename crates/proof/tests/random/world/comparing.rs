//! What memory says, compared with what the oracle and the store say.

use tasker_engine::memory::Freshness;

use super::World;
use crate::mirror::Mirror;
use crate::queue;

impl World {
    /// What memory says of the queue is so.
    pub(super) fn compare_queue(&self) {
        let engine = self.processes[self.me].engine.as_ref().unwrap();
        queue::compare(engine.memory(), &self.oracle);
    }

    /// What memory says of the store is what a fresh mirror of it says.
    pub(super) fn compare_memory(&mut self) {
        if self.wide.is_some() || self.engine().memory().freshness != Freshness::Current {
            return;
        }
        let trouble = std::mem::take(&mut *self.trouble());
        let engine = self.engine();
        let live = engine.memory().live.in_order();
        let live: Vec<_> = live.into_iter().map(|run| (run.seq, run.run)).collect();
        let mirror = Mirror::read(engine.store().unwrap(), &live).unwrap();
        mirror.assert_shown_by(engine.memory());
        *self.trouble() = trouble;
    }
}
