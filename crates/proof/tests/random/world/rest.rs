//! How a world ends.

use tasker_core::rules::Settlement;
use tasker_engine::input::{Input, RunSlot};

use super::{OPERATIONS, Process, TASKS_MAX, World};

impl World {
    /// Without faults, everything comes to rest (I-12).
    pub(super) fn rest(&mut self) {
        self.can_fail = false;
        // Whatever is being stopped or closed is over then.
        self.tick(100_000_000);
        for process in 0..self.processes.len() {
            self.turn_to(process);
            self.turns(Vec::new(), None);
        }
        for process in 0..self.processes.len() {
            self.turn_to(process);
            self.begin();
        }
        for _ in 0..4 * TASKS_MAX {
            let is_at_rest = self.oracle.processes.iter().all(|process| process.is_at_rest());
            let last = self.oracle.last_due();
            let paused = self.oracle.paused_tasks();
            if is_at_rest && !self.oracle.has_ready() && last.is_none() && paused.is_empty() {
                break;
            }
            let resumes: Vec<Input> =
                paused.into_iter().map(|id| Input::Resume(self.ticket(), id)).collect();
            self.turn_to(0);
            if self.oracle.me().has_unwritten() {
                self.turns(Vec::new(), None);
            }
            self.turns(resumes, None);
            let engines = self.processes.iter().filter_map(|process| process.engine.as_ref());
            let token = engines.filter_map(|one| one.memory().dispatch.next_token()).max();
            for Process { now, .. } in &mut self.processes {
                now.wall = last.into_iter().chain(token).fold(now.wall, Ord::max);
            }
            for process in 0..self.processes.len() {
                self.turn_to(process);
                if !self.oracle.me().serves(&OPERATIONS) {
                    // A fault closed its handle, and it is open again, or a runner has not come.
                    self.begin();
                }
                self.look(None);
                let live: Vec<RunSlot> = self.oracle.me().runs.keys().copied().collect();
                let settles =
                    live.iter().map(|slot| Input::Settle(*slot, Settlement::Returned(None)));
                self.turns(settles.collect(), None);
            }
        }
        assert!(self.oracle.tasks.values().all(|task| task.state.is_final()), "I-12");
        self.compare();
    }
}
