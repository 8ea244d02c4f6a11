//! Which moments a cron names in a time zone, over every change of its clocks.
//!
//! A zone is looked at as a row of stretches with one offset each: within one of them the clock on
//! the wall is plain arithmetic. What a change of the clocks does is said once, where a stretch
//! begins.
//!
//! # Promises
//! - A time that the clocks skip: such times run once, together, at the first moment after the gap,
//!   unless the cron has every hour, for then the next run is near.
//! - A time that the clocks repeat: it runs the first time only, unless the cron has every hour, or
//!   a `*` or a step in its seconds or minutes, for then it runs as time goes by.
//! - Moments are different and in order; how far apart two of them lie costs at most a look at
//!   each day in between.
//!
//! # Left to others
//! Which times of a clock on the wall a cron has: `cron`.
//!
//! Proof: the tests of `schedule`, `__test__/contract/schedule-zones.test.mjs`.

use super::cron::Cron;
use super::zone::{Change, DAY, FIRST, LAST, Stretch, Zone};

/// How far ahead a moment is looked for, in seconds: 100 years, more than the 40 that lie between
/// two Februaries with five Fridays.
const AHEAD: i64 = 36_525 * DAY;

/// A cron in a time zone. Moments are in seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    pub(super) cron: Cron,
    pub(super) zone: Zone,
}

impl Calendar {
    /// The first moment after another one.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        let mut at = after.saturating_add(1).max(FIRST);
        let end = at.saturating_add(AHEAD).min(LAST);
        while at < end {
            let stretch = self.zone.stretch(at);
            if let Some(moment) = self.after_gap(&stretch).filter(|moment| *moment == at) {
                return Some(moment);
            }
            let until = stretch.until.min(end);
            let from = self.first_of(&stretch).max(at + stretch.offset);
            if let Some(found) = self.cron.first(from, until + stretch.offset) {
                let found = found - stretch.offset;
                debug_assert!(found > after, "a moment comes again");
                return Some(found);
            }
            debug_assert!(until > at, "the search stands still");
            at = until;
        }
        None
    }

    /// The last moment of those from `from` to `to`, both included.
    pub(super) fn last(&self, from: i64, to: i64) -> Option<i64> {
        let (from, mut at) = (from.max(FIRST), to.min(LAST));
        while at >= from {
            let stretch = self.zone.stretch(at);
            let first = self.first_of(&stretch).max(from + stretch.offset);
            if let Some(found) = self.cron.last(first, at + stretch.offset + 1) {
                let found = found - stretch.offset;
                debug_assert!(from <= found && found <= to, "a moment of another time");
                return Some(found);
            }
            if let Some(moment) = self.after_gap(&stretch).filter(|moment| *moment >= from) {
                return Some(moment);
            }
            at = stretch.change?.at - 1;
        }
        None
    }

    /// How many moments there are from `from` to `to`, both included.
    pub(super) fn count(&self, from: i64, to: i64) -> u64 {
        let (mut at, end) = (from.max(FIRST), to.saturating_add(1).min(LAST));
        let mut count = 0;
        while at < end {
            let stretch = self.zone.stretch(at);
            count += u64::from(self.after_gap(&stretch) == Some(at));
            let until = stretch.until.min(end);
            let first = self.first_of(&stretch).max(at + stretch.offset);
            count += self.cron.count(first, until + stretch.offset);
            at = until;
        }
        count
    }

    /// The first moment of a stretch, if times run there that the clocks have skipped. It is none
    /// of those that the cron names itself.
    fn after_gap(&self, stretch: &Stretch) -> Option<i64> {
        let Change { at, before } = stretch.change?;
        let (skipped, first) = (at + before, at + stretch.offset);
        if first <= skipped || self.cron.is_hourly() {
            return None;
        }
        debug_assert!(first - skipped <= 2 * DAY, "a gap of days");
        self.cron.first(skipped, first)?;
        self.cron.first(first, first + 1).is_none().then_some(at)
    }

    /// The first time on the clocks of a stretch that may run.
    fn first_of(&self, stretch: &Stretch) -> i64 {
        let Some(Change { at, before }) = stretch.change else { return i64::MIN };
        let (seen, first) = (at + before, at + stretch.offset);
        if seen > first && !self.cron.repeats() { seen } else { first }
    }
}
