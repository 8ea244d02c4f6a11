//! What must be true of memory between two turns, for debug builds: the sums that different parts
//! of it keep of the same tasks.
//!
//! Each costs no more than a look, so that it is looked at after every turn. What only a recount
//! can tell is compared with the store by `proof/tests/random`.

use tasker_core::state::State;

use crate::memory::{Freshness, Memory};

impl Memory {
    /// Asserts what must hold once memory mirrors the store again.
    pub(crate) fn assert_balanced(&self) {
        debug_assert_eq!(self.freshness, Freshness::Current, "memory is behind what it mirrors");
        debug_assert!(self.seq_next.0 > 0, "tasks count from 1 (I-8)");
        debug_assert!(
            self.counts.total() < self.seq_next.0,
            "there are more tasks than numbers were given (I-8, I-13)"
        );
        debug_assert!(
            self.counts.get(State::Delayed) == 0 || self.next_timer.is_some(),
            "a delayed task has no timer that would wake it"
        );
        debug_assert_eq!(
            (self.dispatch.running() + self.dispatch.without_place()) as usize,
            self.live.len(),
            "the queue counts other runs than there are (D5)"
        );
        debug_assert!(
            self.live.len() as u64
                <= self.counts.get(State::Running) + self.counts.get(State::Paused),
            "a run is live whose task does not run (I-13)"
        );
        debug_assert!(self.next_operation > 0, "operations count from 1");
        debug_assert!(
            self.stopping.is_some() || self.start_after_stop.is_empty(),
            "a start waits for a stop that is over"
        );
        debug_assert!(
            self.stopping.is_none() || !self.dispatch.is_started(),
            "tasks start during a stop (I-14)"
        );
    }
}
