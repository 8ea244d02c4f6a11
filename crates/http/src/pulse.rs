//! Whether the event loop goes round which runners of this process need.
//!
//! # Promises
//! - A loop is silent only while somebody has promised that it tells of itself, each second.
//! - How long it was blocked only grows, and is never more than it was.
//!
//! Proof: the tests below, `__test__/contract/http-health.test.mjs`.

use std::sync::Arc;

use parking_lot::Mutex;
use tasker_engine::thread::Moment;

/// How often the loop says that it goes round, in milliseconds.
const BEAT_MS: u64 = 1_000;
/// How long it may be silent before it counts as blocked.
const BLOCKED_MS_MIN: u64 = 3_000;

/// Says that an event loop goes round. Nothing of it has to be waited for.
pub(crate) struct Pulse {
    since: Moment,
    state: Mutex<State>,
}

/// Times are milliseconds from the beginning on.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    last: u64,
    /// For how long the loop was blocked, as far as that is over.
    blocked: u64,
    /// How many need the loop to tell of itself.
    awaited: usize,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { since: Moment::now(), state: Mutex::default() }
    }
}

impl Pulse {
    /// The loop goes round.
    pub(crate) fn beat(&self) {
        self.state.lock().beat(self.since.elapsed_ms());
    }

    /// From now on the loop tells of itself, until what this gives is dropped.
    pub(crate) fn awaited(self: &Arc<Self>) -> Awaited {
        self.state.lock().begin(self.since.elapsed_ms());
        Awaited(Arc::clone(self))
    }

    /// For how long the loop has been silent, in milliseconds, if that is so long that it is
    /// blocked.
    pub(crate) fn blocked_now_ms(&self) -> Option<u64> {
        self.state.lock().silence(self.since.elapsed_ms())
    }

    /// For how long it was blocked in all, in milliseconds; of each time all but what may lie
    /// between two beats.
    pub(crate) fn blocked_ms(&self) -> u64 {
        self.state.lock().total(self.since.elapsed_ms())
    }
}

impl State {
    fn begin(&mut self, now: u64) {
        self.beat(now);
        self.awaited += 1;
    }

    fn end(&mut self, now: u64) {
        if self.awaited == 1 {
            // The loop owes nothing from now on.
            self.beat(now);
        }
        self.awaited -= 1;
    }

    fn beat(&mut self, now: u64) {
        self.blocked = self.total(now);
        self.last = now;
    }

    fn silence(&self, now: u64) -> Option<u64> {
        let silent = now.saturating_sub(self.last);
        (self.awaited > 0 && silent >= BLOCKED_MS_MIN).then_some(silent)
    }

    fn total(&self, now: u64) -> u64 {
        self.blocked + self.silence(now).map_or(0, |silent| silent - BEAT_MS)
    }
}

/// As long as it is there, a loop tells of itself.
pub struct Awaited(Arc<Pulse>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.state.lock().end(self.0.since.elapsed_ms());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_for_three_seconds_is_blocked() {
        let mut state = State::default();
        state.begin(500);
        assert_eq!((state.silence(3_499), state.total(3_499)), (None, 0));
        assert_eq!((state.silence(3_500), state.total(3_500)), (Some(3_000), 2_000));
        state.beat(5_500);
        assert_eq!((state.silence(5_500), state.total(5_500)), (None, 4_000));
        state.beat(6_500);
        assert_eq!(state.total(6_500), 4_000);
    }

    #[test]
    fn a_loop_that_has_promised_nothing_is_not_blocked() {
        let mut state = State::default();
        state.beat(0);
        state.beat(60_000);
        assert_eq!((state.silence(90_000), state.total(90_000)), (None, 0));
    }

    #[test]
    fn one_who_needs_it_no_more_changes_nothing_for_another() {
        let mut state = State::default();
        state.begin(0);
        state.begin(0);
        state.end(5_000);
        assert_eq!((state.silence(5_000), state.total(5_000)), (Some(5_000), 4_000));
        state.end(6_000);
        assert_eq!((state.silence(60_000), state.total(60_000)), (None, 5_000));
    }

    #[test]
    fn what_awaits_a_beat_awaits_it_until_it_is_dropped() {
        let pulse = Arc::new(Pulse::default());
        let awaited = pulse.awaited();
        assert_eq!(pulse.state.lock().awaited, 1);
        drop(awaited);
        assert_eq!(pulse.state.lock().awaited, 0);
    }
}
