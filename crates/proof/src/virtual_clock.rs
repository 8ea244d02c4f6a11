//! A clock that stands still until somebody lets time go by.
//!
//! Whoever sleeps by it wakes when its stopwatch has been moved far enough. Its wall clock can be
//! set, as a person or a time server sets one, and wakes nobody by that.
//!
//! Proof: `proof/tests/thread.rs`.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tasker_core::time::{MonoMs, Now, WallMs};
use tasker_engine::clock::{Clock, Sleep};

/// When its wall clock begins.
const BEGIN: WallMs = WallMs(1_700_000_000_000);

/// Both clocks, and who sleeps by them.
#[derive(Debug)]
pub struct VirtualClock(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now: Now,
    sleepers: Vec<Waker>,
}

impl VirtualClock {
    /// A clock that stands.
    pub fn new() -> Self {
        let now = Now { wall: BEGIN, mono: MonoMs(0) };
        Self(Mutex::new(Hands { now, sleepers: Vec::new() }))
    }

    /// So much time goes by, on both clocks.
    pub fn advance(&self, ms: u64) {
        let mut hands = self.hands();
        hands.now.wall = hands.now.wall.plus(ms);
        hands.now.mono = hands.now.mono.plus(ms);
        hands.sleepers.drain(..).for_each(Waker::wake);
    }

    /// So much time goes by on the stopwatch, while the wall clock stands.
    pub fn advance_mono(&self, ms: u64) {
        let mut hands = self.hands();
        hands.now.mono = hands.now.mono.plus(ms);
        hands.sleepers.drain(..).for_each(Waker::wake);
    }

    /// The wall clock is set; no time goes by. So it is too when a machine has slept: Linux stops
    /// its stopwatch for that time.
    pub fn set_wall(&self, wall: WallMs) {
        self.hands().now.wall = wall;
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        self.hands().now
    }

    fn sleep_until(&self, at: MonoMs) -> Sleep<'_> {
        Box::pin(poll_fn(move |context| {
            let mut hands = self.hands();
            if hands.now.mono >= at {
                return Poll::Ready(());
            }
            hands.sleepers.push(context.waker().clone());
            Poll::Pending
        }))
    }
}
