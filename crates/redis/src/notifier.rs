//! Tells when other owners may have committed.
//!
//! # Promises
//! - A notice only says that it is worth to look; one that is lost costs a poll.
//!
//! Proof: `proof/tests/redis.rs`.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasker_core::store::Waker;

#[derive(Default)]
struct State {
    waker: Option<Waker>,
    notices: u64,
}

/// Shared by a store and the thread that listens for it.
#[derive(Clone, Default)]
pub(crate) struct Notifier(Arc<(Mutex<State>, Condvar)>);

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} notices", self.state().notices)
    }
}

impl Notifier {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to wake from now on.
    pub(crate) fn set_waker(&self, waker: Option<Waker>) {
        self.state().waker = waker;
    }

    pub(crate) fn notify(&self) {
        let mut state = self.state();
        state.notices += 1;
        let waker = state.waker.clone();
        drop(state);
        self.0.1.notify_all();
        waker.iter().for_each(|waker| waker());
    }

    /// How many notices have come.
    pub(crate) fn notices(&self) -> u64 {
        self.state().notices
    }

    /// Waits until more notices have come than these, but not longer than this.
    pub(crate) fn wait(&self, notices: u64, at_most: Duration) {
        let waited =
            self.0.1.wait_timeout_while(self.state(), at_most, |now| now.notices <= notices);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
