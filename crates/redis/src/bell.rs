//! Rings when other owners may have committed.
//!
//! # Promises
//! - A ring only says that it is worth to look; one that is lost costs a poll.
//!
//! Proof: `proof/tests/redis.rs`.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasker_core::store::Waker;

#[derive(Default)]
struct State {
    waker: Option<Waker>,
    rings: u64,
}

/// Shared by a store and the thread that listens for it.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<(Mutex<State>, Condvar)>);

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a bell that rang {} times", self.state().rings)
    }
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to wake from now on.
    pub(crate) fn set_waker(&self, waker: Option<Waker>) {
        self.state().waker = waker;
    }

    pub(crate) fn ring(&self) {
        let mut state = self.state();
        state.rings += 1;
        let waker = state.waker.clone();
        drop(state);
        self.0.1.notify_all();
        waker.iter().for_each(|waker| waker());
    }

    /// How often it has rung.
    pub(crate) fn rings(&self) -> u64 {
        self.state().rings
    }

    /// Waits until it has rung more often than that, but not longer than this.
    pub(crate) fn wait(&self, rings: u64, at_most: Duration) {
        let waited = self.0.1.wait_timeout_while(self.state(), at_most, |now| now.rings <= rings);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
