//! A clock that stands still until somebody lets time go by.
//!
//! Whoever sleeps by it wakes when its stopwatch has been moved far enough. Its wall clock can be
//! set, as a person or a time server sets one, and wakes nobody by that.
//!
//! Proof: `proof/tests/thread.rs`, `__test__/contract/testing.test.mjs`.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tasker_core::time::{MonoMs, Now, WallMs};

use crate::clock::{Clock, Sleep, SystemClock};

/// When its wall clock begins, if nobody says so.
const BEGIN: WallMs = WallMs(1_700_000_000_000);

/// Both clocks, and who sleeps by them.
#[derive(Debug)]
pub struct VirtualClock {
    hands: Mutex<Hands>,
    /// The clock of the housekeeping; without one that stands too.
    pace: Option<SystemClock>,
}

#[derive(Debug)]
struct Hands {
    now: Now,
    sleepers: Vec<Waker>,
}

impl VirtualClock {
    /// A clock that stands, and the housekeeping with it.
    pub fn new() -> Self {
        Self::at(BEGIN, None)
    }

    /// A clock that stands at this moment, while the housekeeping goes on in real time.
    pub fn beside_real_time(wall: WallMs) -> Self {
        Self::at(wall, Some(SystemClock::new()))
    }

    fn at(wall: WallMs, pace: Option<SystemClock>) -> Self {
        let now = Now { wall, mono: MonoMs(0) };
        Self { hands: Mutex::new(Hands { now, sleepers: Vec::new() }), pace }
    }

    /// So much time goes by, on both clocks.
    pub fn advance(&self, ms: u64) {
        let mut hands = self.hands.lock();
        hands.now.wall = hands.now.wall.plus(ms);
        hands.now.mono = hands.now.mono.plus(ms);
        hands.sleepers.drain(..).for_each(Waker::wake);
    }

    /// Time goes by until this moment, on both clocks; none if that is past.
    pub fn advance_to(&self, wall: WallMs) {
        let ms = wall.ms_since(self.now().wall);
        if ms > 0 {
            self.advance(ms);
        }
    }

    /// So much time goes by on the stopwatch, while the wall clock stands.
    pub fn advance_mono(&self, ms: u64) {
        let mut hands = self.hands.lock();
        hands.now.mono = hands.now.mono.plus(ms);
        hands.sleepers.drain(..).for_each(Waker::wake);
    }

    /// The wall clock is set; no time goes by. So it is too when a machine has slept: Linux stops
    /// its stopwatch for that time.
    pub fn set_wall(&self, wall: WallMs) {
        self.hands.lock().now.wall = wall;
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        self.hands.lock().now
    }

    fn sleep_until(&self, at: MonoMs) -> Sleep<'_> {
        Box::pin(poll_fn(move |context| {
            let mut hands = self.hands.lock();
            if hands.now.mono >= at {
                return Poll::Ready(());
            }
            // Whoever looks again while the clock stands is known already.
            if !hands.sleepers.iter().any(|sleeper| sleeper.will_wake(context.waker())) {
                hands.sleepers.push(context.waker().clone());
            }
            Poll::Pending
        }))
    }

    fn pace(&self) -> &dyn Clock {
        match &self.pace {
            Some(real) => real,
            None => self,
        }
    }
}
