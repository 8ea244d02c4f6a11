//! The clocks of the driver.
//!
//! Nothing else in the engine reads one: a turn is told what time it is. So whoever drives it may
//! let time go by as he likes.
//!
//! # Promises
//! - The stopwatch never goes back; the wall clock may jump either way, and wakes nobody by that.
//! - The driver waits for time by [`Clock::sleep_until`] alone.
//! - What no task can see, such as housekeeping, is paced by [`Clock::pace`]: it goes on while a
//!   clock of a test stands.
//!
//! Proof: `proof/tests/thread.rs`.

use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tasker_core::time::{MonoMs, Now, WallMs};

/// A wait for a moment of the stopwatch.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Tells the time, and lets it go by.
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Now;

    /// Waits until the stopwatch has come to this moment.
    fn sleep_until(&self, at: MonoMs) -> Sleep<'_>;

    /// The clock of the housekeeping and of the looks at other owners.
    fn pace(&self) -> &dyn Clock;
}

/// The clocks of the system; the stopwatch begins with it.
#[derive(Debug)]
pub struct SystemClock(Instant);

#[expect(clippy::disallowed_methods, reason = "this is where the clocks are read")]
impl SystemClock {
    /// A clock from now on.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the clocks are read")]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let wall = WallMs(i64::try_from(wall).unwrap_or(i64::MAX));
        Now { wall, mono: MonoMs(self.0.elapsed().as_millis() as u64) }
    }

    fn sleep_until(&self, at: MonoMs) -> Sleep<'_> {
        let at = self.0 + Duration::from_millis(at.0);
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn pace(&self) -> &dyn Clock {
        self
    }
}
