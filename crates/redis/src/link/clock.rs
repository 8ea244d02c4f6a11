//! The clock of the connection layer, and waiting that can be ended.
//!
//! Proof: the tests below.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first wait between two attempts.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Now, by the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "timeouts of the network end by the true clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Tells threads to end, also in the middle of a wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Ends every wait, now and from now on.
    pub(crate) fn stop(&self) {
        let (is_stopped, changed) = &*self.0;
        *is_stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits this long; true if it was told to end.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let (is_stopped, changed) = &*self.0;
        let guard = is_stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, time, |is_stopped| !*is_stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How long to wait before the next attempt: longer each time, up to a bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff(Option<Duration>);

impl BackOff {
    /// The next wait.
    pub(crate) fn advance(&mut self) -> Duration {
        let wait = self.0.map_or(WAIT_MIN, |last| (last * 2).min(WAIT_MAX));
        debug_assert!((WAIT_MIN..=WAIT_MAX).contains(&wait), "a wait has bounds");
        self.0 = Some(wait);
        wait
    }

    /// To be called when an attempt succeeds.
    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_begin_anew() {
        let mut back_off = BackOff::default();
        let waits: Vec<_> = (0..8).map(|_| back_off.advance().as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 500, 500]);
        back_off.reset();
        assert_eq!(back_off.advance(), WAIT_MIN);
    }

    #[test]
    fn a_wait_ends_when_it_is_told_to() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::ZERO) && !stop.is_stopped());
        let other = stop.clone();
        let waiting = std::thread::Builder::new();
        let waiting = waiting.spawn(move || other.wait(Duration::MAX)).unwrap();
        stop.stop();
        assert!(waiting.join().unwrap() && stop.is_stopped());
    }
}
