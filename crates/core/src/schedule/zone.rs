//! A time zone: how far its clocks are from UTC, and from when until when.
//!
//! The data is bundled, so every machine gives the same answer, whatever it has installed.
//!
//! # Promises
//! - No moment of the calendar is refused: what lies outside of the years 1 to 9998 is as the first
//!   or the last of them.
//!
//! # Left to others
//! What a change of the clock means for a cron: `calendar`.
//!
//! Proof: the tests of `schedule`, `__test__/contract/schedule-zones.test.mjs`.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// The first second of the year 1.
pub(super) const FIRST: i64 = -62_135_596_800;
/// The first second of the year 9999, of which nothing is named any more.
pub(super) const LAST: i64 = 253_370_764_800;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

/// A stretch of time in which the clocks of a zone are as far from UTC. Moments are in seconds
/// since 1970, offsets in seconds to the east.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The change of the clocks with which it begins; absent if it is the first of all.
    pub(super) change: Option<Change>,
    /// How far the clocks are from UTC.
    pub(super) offset: i64,
    /// The first moment after it.
    pub(super) until: i64,
}

/// A change of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The first moment after it.
    pub(super) at: i64,
    /// How far the clocks were from UTC before it.
    pub(super) before: i64,
}

impl Zone {
    /// The zone with this name, however it is written in upper and lower case.
    pub(super) fn named(name: &str) -> Option<Self> {
        DATABASE.get(name).ok().filter(|zone| zone.iana_name().is_some()).map(Self)
    }

    /// Its name, as the database writes it.
    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The stretch that has a moment.
    pub(super) fn stretch(&self, at: i64) -> Stretch {
        let offset = self.offset(at);
        // Some changes are of the name alone: the clocks stay.
        let changes = self.0.preceding(timestamp(at + 1)).map(|change| {
            let at = change.timestamp().as_second();
            Change { at, before: self.offset(at - 1) }
        });
        let change = changes.filter(|change| change.at > FIRST).find(|it| it.before != offset);
        let mut next = self.0.following(timestamp(at));
        let until = next.find(|next| i64::from(next.offset().seconds()) != offset);
        let until = until.map_or(LAST, |until| until.timestamp().as_second().min(LAST));
        debug_assert!(at < until || at >= LAST, "a stretch ends before it begins");
        debug_assert!(change.is_none_or(|change| change.at <= at), "a stretch begins too late");
        Stretch { change, offset, until }
    }

    fn offset(&self, at: i64) -> i64 {
        i64::from(self.0.to_offset(timestamp(at)).seconds())
    }
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second.clamp(FIRST, LAST)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The date that is so many days after 1970 began.
pub(super) fn date(day: i64) -> Date {
    Offset::UTC.to_datetime(timestamp(day.saturating_mul(DAY))).date()
}
