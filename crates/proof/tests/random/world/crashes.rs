//! Processes that die, alone or beside others.

use tasker_core::time::MonoMs;

use super::{MONO_MAX, World};

impl World {
    /// The process dies, and dies again while it recovers (F-1, F-2).
    pub(super) fn crash(&mut self) {
        self.die(false);
        while self.can_fail && self.rng.once_in(2) {
            let fault = self.fault();
            self.mine().reader = None;
            self.trouble().fault = Some(fault);
            let opened = self.try_open();
            self.trouble().fault = None;
            if opened {
                break;
            }
        }
        self.open();
        self.compare();
    }

    /// The process dies; `is_told` if one that lives will tell of its runs. The next one counts
    /// from another moment.
    fn die(&mut self, is_told: bool) {
        self.oracle.meet_death();
        (self.mine().engine, self.mine().reader) = (None, None);
        self.oracle.forget_process();
        self.oracle.lose_runs(is_told);
        self.mine().now.mono = MonoMs(1 + self.rng.throw() % MONO_MAX);
    }

    /// The process dies as often as a task may lose it, and at last while its runs are aborted.
    pub(super) fn crash_in_a_row(&mut self) {
        for is_last in [false, false, true] {
            self.begin();
            if is_last && self.rng.once_in(2) {
                let live: Vec<_> = self.oracle.me().runs.values().map(|run| run.task).collect();
                let aborts = live.into_iter().map(|id| self.abort(id)).collect();
                self.turns(aborts, None);
            }
            self.crash();
        }
    }

    /// Processes die, and another one finds out before they are there again (I-4, I-5).
    pub(super) fn crash_beside_others(&mut self) {
        let survivor = self.me;
        let mut dead: Vec<usize> = (0..self.processes.len()).filter(|n| *n != survivor).collect();
        if self.rng.once_in(2) {
            dead.truncate(1);
        }
        for process in &dead {
            self.turn_to(*process);
            self.die(true);
        }
        self.turn_to(survivor);
        let failed = self.trouble().failed;
        self.look(None);
        if self.trouble().failed != failed {
            // What failed once is done by the next look.
            self.look(None);
        }
        assert!(self.oracle.owes_nothing(), "an end was not told");
        self.compare();
        for process in dead {
            self.turn_to(process);
            self.open();
        }
    }
}
