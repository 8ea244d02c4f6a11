//! Holds of a world, and what they hold.

use tasker_core::hold::{HoldId, HoldQuery};
use tasker_core::state::State;
use tasker_engine::input::Input;
use tasker_engine::turn::Next;

use super::World;
use super::calls::COUNTED;
use crate::oracle::holds::BY;

impl World {
    /// Some calls that make holds and release them.
    pub(super) fn holds(&mut self) -> Vec<Input> {
        let known = self.oracle.known_holds();
        let count = self.rng.below(3);
        let mut inputs = Vec::new();
        for _ in 0..count {
            let ticket = self.ticket();
            inputs.push(if self.rng.once_in(2) {
                let query = HoldQuery::read(self.rng.one_of(&COUNTED)).unwrap();
                let ms = self.rng.one_of(&[0, 1, 100, 5_000, 3_600_000]);
                Input::Hold(ticket, query, self.now().wall.plus(ms), BY)
            } else if known.is_empty() {
                Input::ReleaseHold(ticket, HoldId(self.rng.throw() >> 12))
            } else {
                Input::ReleaseHold(ticket, self.rng.one_of(&known))
            });
        }
        inputs
    }

    /// What came up and matches a hold is held. A turn that another one follows may not have come
    /// to all.
    pub(super) fn hold_back(&mut self, after: Next) {
        let reader = self.processes[self.me].reader.as_mut().unwrap();
        self.oracle.hold_back(|id| {
            let mut found = || reader.get(id, None, usize::MAX).unwrap().unwrap();
            after != Next::Again || found().task.state == State::Delayed
        });
    }
}
