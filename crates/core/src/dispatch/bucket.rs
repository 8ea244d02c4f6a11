//! The tokens of one key of a rate limit, as far as memory knows.
//!
//! # Promises
//! - While what is stored lies further ahead than a whole burst, what was seen first counts in its
//!   place: so a clock that was set back neither gives a burst nor puts a token off for ever.
//!
//! Proof: `tests/dispatch_oracle.rs`; `rate::tests`.

use crate::rate::{Arrival, RateLimit};
use crate::time::WallMs;

/// The tokens of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    /// When all are back, as the store says, or is about to.
    stored: Option<Arrival>,
    /// What counts in the place of that, as long as it lies too far ahead.
    clamped: Option<Arrival>,
    /// How many starts of other owners were known when that was read; nothing if it never was.
    pub(super) read_at: Option<u32>,
    /// Whether this process took the last one.
    pub(super) is_ours: bool,
    /// Until when there is none, if there is none.
    pub(super) closed_until: Option<WallMs>,
}

impl Bucket {
    /// What is stored, or is about to be.
    pub(super) fn stored(&self) -> Option<Arrival> {
        self.stored
    }

    /// The store says this, as of so many starts of other owners.
    pub(super) fn learn(&mut self, stored: Option<Arrival>, starts: u32) {
        if self.stored != stored {
            (self.stored, self.clamped, self.is_ours) = (stored, None, false);
        }
        self.read_at = Some(starts);
    }

    /// What was learned of it counts no more.
    pub(super) fn forget(&mut self) {
        self.read_at = None;
    }

    /// What counts now.
    fn arrival(&mut self, rate: &RateLimit, now: WallMs) -> Option<Arrival> {
        let stored = self.stored?;
        if !rate.is_too_far(stored, now) {
            self.clamped = None;
            return Some(stored);
        }
        let clamped = self.clamped.filter(|clamped| !rate.is_too_far(*clamped, now));
        self.clamped = Some(clamped.unwrap_or_else(|| rate.empty(now)));
        self.clamped
    }

    /// How many there are now, and when the next one comes.
    pub(super) fn tokens(&mut self, rate: &RateLimit, now: WallMs) -> (u32, WallMs) {
        let arrival = self.arrival(rate, now);
        let tokens = rate.tokens(arrival, now);
        let next_at = arrival.filter(|_| tokens == 0).map_or(now, |arrival| rate.next_at(arrival));
        (tokens, next_at)
    }

    /// One is taken.
    pub(super) fn take(&mut self, rate: &RateLimit, now: WallMs) {
        let arrival = self.arrival(rate, now);
        (self.stored, self.clamped) = (Some(rate.take(arrival, now)), None);
        self.is_ours = true;
    }

    /// One is given back, because its start has not been: all is as it was.
    pub(super) fn restore(&mut self, before: &Self) {
        (self.stored, self.clamped) = (before.stored, before.clamped);
        self.is_ours = before.is_ours;
    }
}
