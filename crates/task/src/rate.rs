//! How many tasks start in a time.
//!
//! # Promises
//! - Given to an executor it is the `rateLimit` of each operation that it runs: stored, counted
//!   over all processes, those of Node.js too.
//! - Used alone it counts by the same rule, in this process.
//!
//! Proof: the tests below, `task/tests/limits.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasker_core::error::Result;
use tasker_core::rate::{Arrival, RateLimit};
use tasker_engine::clock::{Clock, SystemClock};

use crate::duration::ms;

/// So many starts in a time.
///
/// ```
/// use std::time::Duration;
/// use task::RateLimiter;
///
/// # #[tokio::main]
/// # async fn main() {
/// // Alone: at most 50 calls a second, in this process, of which 10 may come at once.
/// let limiter = RateLimiter::new(50, Duration::from_secs(1)).burst(10);
/// limiter.acquire().await;
/// assert!(limiter.try_acquire());
/// # }
/// ```
pub struct RateLimiter {
    limit: u32,
    per_ms: u64,
    burst: u32,
    tokens: Mutex<Option<Arrival>>,
    /// Whoever waits for a token first gets the first one.
    turn: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl RateLimiter {
    /// So many in this time, one after the other. Both are at least 1, the time in milliseconds.
    pub fn new(limit: u32, per: Duration) -> Self {
        Self {
            limit: limit.max(1),
            per_ms: ms(per).max(1),
            burst: 1,
            tokens: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// 100 per second.
    pub fn with_defaults() -> Self {
        Self::new(100, Duration::from_secs(1))
    }

    /// So many may come at once when none came for a while; 1 by default, and at least.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst.max(1);
        self
    }

    #[cfg(test)]
    fn by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn rate(&self) -> RateLimit {
        let (limit, per_ms, burst) = (self.limit, self.per_ms, self.burst);
        RateLimit { limit, per_ms, burst, by: None }
    }

    /// As the engine keeps it for an operation.
    ///
    /// # Errors
    /// `Invalid` for more than the engine counts.
    pub(crate) fn stored(&self) -> Result<RateLimit> {
        RateLimit::read(&self.rate().to_json(), "rateLimit")
    }

    /// Takes a token if there is one; whether there was.
    pub fn try_acquire(&self) -> bool {
        self.take().is_none()
    }

    /// Waits for a token and takes it. Who waits first gets one first. Dropping the future takes
    /// nothing. Waits by the runtime's timer, so that must be enabled.
    pub async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        while let Some(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a token, or says how long it takes until there is one.
    fn take(&self) -> Option<Duration> {
        let (rate, now) = (self.rate(), self.clock.now().wall);
        let mut tokens = self.tokens.lock();
        if tokens.is_some_and(|arrival| rate.is_too_far(arrival, now)) {
            // The clock was set back.
            *tokens = Some(rate.empty(now));
        }
        match *tokens {
            Some(arrival) if rate.tokens(*tokens, now) == 0 => {
                Some(Duration::from_millis(rate.next_at(arrival).ms_since(now).max(1)))
            }
            _ => {
                *tokens = Some(rate.take(*tokens, now));
                None
            }
        }
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::with_defaults()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimiter({})", self.rate().to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasker_core::time::WallMs;
    use tasker_engine::virtual_clock::VirtualClock;

    #[test]
    fn it_is_100_per_second_and_gives_one_token_after_the_other() {
        let clock = Arc::new(VirtualClock::new());
        let limiter = RateLimiter::with_defaults().by(Arc::<VirtualClock>::clone(&clock));
        assert_eq!(format!("{limiter:?}"), r#"RateLimiter({"limit":100,"per":1000,"burst":1})"#);
        assert!(limiter.try_acquire() && !limiter.try_acquire());
        assert_eq!(limiter.take(), Some(Duration::from_millis(10)));
        clock.advance(9);
        assert!(!limiter.try_acquire());
        clock.advance(1);
        assert!(limiter.try_acquire() && !limiter.try_acquire());
    }

    #[test]
    fn a_burst_comes_at_once_and_a_clock_that_is_set_back_gives_none() {
        let clock = Arc::new(VirtualClock::new());
        let limiter = RateLimiter::new(1, Duration::from_secs(1)).burst(3);
        let limiter = limiter.by(Arc::<VirtualClock>::clone(&clock));
        assert!((0..3).all(|_| limiter.try_acquire()) && !limiter.try_acquire());
        clock.set_wall(WallMs(0));
        assert!(!limiter.try_acquire());
        clock.advance(1_000);
        assert!(limiter.try_acquire() && !limiter.try_acquire());
    }

    #[tokio::test]
    async fn whoever_waits_gets_a_token() {
        let limiter = RateLimiter::new(1_000, Duration::from_secs(1));
        for _ in 0..3 {
            limiter.acquire().await;
        }
    }

    #[test]
    fn more_than_the_engine_counts_is_refused() {
        assert!(RateLimiter::new(7, Duration::from_secs(1)).stored().is_ok());
        let error = RateLimiter::new(u32::MAX, Duration::from_secs(1)).stored().unwrap_err();
        assert_eq!(error.facts().path.as_deref(), Some("rateLimit.limit"));
    }
}
