//! A cron: which times of the clock on the wall it has, in any zone.
//!
//! What is written is checked here, field by field, so that nothing passes which a reader would
//! understand in another way. What days it means is asked of `croner`: its `L`, `W` and `#`.
//!
//! Times are seconds since 1970 on the clock on the wall, as if it were that of UTC.
//!
//! # Promises
//! - What is no cron, or one that never comes, is an error with the path `cron` that says what to
//!   write.
//! - The search for a time looks at each day at most once.
//!
//! Proof: the tests of `schedule`.

use croner::parser::CronParser;
use croner::{CronComponent, CronPattern, Weekday};
use jiff::civil::Date;

use super::fields::{self, Fields};
use super::zone::{self, DAY};
use crate::error::Result;

/// The days after which all begins anew: 400 years.
const CYCLE: i64 = 146_097;

/// A cron.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    text: Box<str>,
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: CronPattern,
    /// Whether the minutes or the seconds have a `*` or a step.
    has_steps: bool,
}

impl Cron {
    /// Reads one as it is written.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge` with the path `cron`.
    pub(super) fn read(text: &str) -> Result<Self> {
        let Fields { text, numbers, has_steps } = fields::read(text)?;
        let parsed = CronParser::builder().build().parse(&numbers);
        let mut days = parsed.map_err(|e| fields::refused("is no cron").with_source(e))?.pattern;
        let bits = |field: &CronComponent| field.values().iter().fold(0, |all, bit| all | 1 << bit);
        let cron = Self {
            text: text.into(),
            seconds: bits(&days.seconds),
            minutes: bits(&days.minutes),
            hours: bits(&days.hours),
            months: bits(&days.months),
            // No year is ever said, and saying none takes five kilobytes.
            days: {
                days.years = CronComponent::default();
                days
            },
            has_steps,
        };
        let fields = [cron.seconds, cron.minutes, cron.hours, cron.months];
        debug_assert!(fields.iter().all(|field| *field != 0), "a field has no value");
        if cron.first(0, CYCLE * DAY).is_none() {
            return Err(fields::refused("never comes: no such month has such a day"));
        }
        Ok(cron)
    }

    /// It as it was written, in one spelling.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it runs every hour of the days that it has.
    pub(super) fn is_hourly(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// Whether it runs again when the clocks repeat a time.
    pub(super) fn repeats(&self) -> bool {
        self.has_steps || self.is_hourly()
    }

    /// The first time from `from` on, before `until`.
    pub(super) fn first(&self, from: i64, until: i64) -> Option<i64> {
        let (mut day, mut time) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        let mut date = zone::date(day);
        while day * DAY < until {
            if !self.has_month(date) {
                day += i64::from(date.days_in_month() - date.day()) + 1;
                date = zone::date(day);
            } else {
                if self.has_day(date)
                    && let Some(found) = self.time_from(time)
                {
                    return Some(day * DAY + found).filter(|found| *found < until);
                }
                day += 1;
                date = date.tomorrow().ok()?;
            }
            time = 0;
        }
        None
    }

    /// The last time from `from` on, before `until`.
    pub(super) fn last(&self, from: i64, until: i64) -> Option<i64> {
        let last = until - 1;
        let (mut day, mut time) = (last.div_euclid(DAY), last.rem_euclid(DAY));
        let mut date = zone::date(day);
        while day * DAY + (DAY - 1) >= from {
            if !self.has_month(date) {
                day -= i64::from(date.day());
                date = zone::date(day);
            } else {
                if self.has_day(date)
                    && let Some(found) = self.time_to(time)
                {
                    return Some(day * DAY + found).filter(|found| *found >= from);
                }
                day -= 1;
                date = date.yesterday().ok()?;
            }
            time = DAY - 1;
        }
        None
    }

    /// How many times there are from `from` on, before `until`.
    pub(super) fn count(&self, from: i64, until: i64) -> u64 {
        if from >= until {
            return 0;
        }
        let mut count = 0;
        let (mut day, last) = (from.div_euclid(DAY), (until - 1).div_euclid(DAY));
        let mut date = zone::date(day);
        while day <= last {
            if !self.has_month(date) {
                day += i64::from(date.days_in_month() - date.day()) + 1;
                date = zone::date(day);
                continue;
            }
            if self.has_day(date) {
                let before = |at: i64| self.times_before((at - day * DAY).clamp(0, DAY));
                count += before(until) - before(from);
            }
            day += 1;
            date = zone::date(day);
        }
        count
    }

    fn has_month(&self, date: Date) -> bool {
        has(self.months, i64::from(date.month()))
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = Weekday::from_days_from_sunday(date.weekday().to_sunday_zero_offset() as u32);
        let (year, month, day) = (date.year(), date.month(), date.day());
        let matches = self.days.day_match(year.into(), month as u32, day as u32, weekday);
        debug_assert!(matches.is_ok(), "a date of the calendar is no date");
        matches.unwrap_or(false)
    }

    /// The first time of a day from one on.
    fn time_from(&self, time: i64) -> Option<i64> {
        debug_assert!((0..DAY).contains(&time), "{time} is no time of a day");
        let (hour, minute, second) = split(time);
        let (minute_first, second_first) = (from(self.minutes, 0)?, from(self.seconds, 0)?);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = from(self.seconds, second)
            {
                return Some(joined(hour, minute, second));
            }
            if let Some(minute) = from(self.minutes, minute + 1) {
                return Some(joined(hour, minute, second_first));
            }
        }
        from(self.hours, hour + 1).map(|hour| joined(hour, minute_first, second_first))
    }

    /// The last time of a day up to one.
    fn time_to(&self, time: i64) -> Option<i64> {
        debug_assert!((0..DAY).contains(&time), "{time} is no time of a day");
        let (hour, minute, second) = split(time);
        let (minute_last, second_last) = (before(self.minutes, 60)?, before(self.seconds, 60)?);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = before(self.seconds, second + 1)
            {
                return Some(joined(hour, minute, second));
            }
            if let Some(minute) = before(self.minutes, minute) {
                return Some(joined(hour, minute, second_last));
            }
        }
        before(self.hours, hour).map(|hour| joined(hour, minute_last, second_last))
    }

    /// How many times of a day lie before one.
    fn times_before(&self, time: i64) -> u64 {
        debug_assert!((0..=DAY).contains(&time), "{time} is no time of a day");
        let (hour, minute, second) = split(time);
        let (minutes, seconds) = (self.minutes.count_ones(), self.seconds.count_ones());
        let in_minute = if has(self.minutes, minute) { below(self.seconds, second) } else { 0 };
        let in_hour = below(self.minutes, minute) * seconds + in_minute;
        let in_hour = if has(self.hours, hour) { in_hour } else { 0 };
        u64::from(below(self.hours, hour) * minutes * seconds + in_hour)
    }
}

/// Hour, minute and second; the 24th hour is the end of a day.
fn split(time: i64) -> (i64, i64, i64) {
    (time / 3600, time / 60 % 60, time % 60)
}

fn joined(hour: i64, minute: i64, second: i64) -> i64 {
    hour * 3600 + minute * 60 + second
}

fn has(bits: u64, n: i64) -> bool {
    bits >> n & 1 == 1
}

/// How many bits lie below the n-th.
fn below(bits: u64, n: i64) -> u32 {
    debug_assert!((0..64).contains(&n), "there is no bit {n}");
    (bits & ((1 << n) - 1)).count_ones()
}

/// The first bit from the n-th on.
fn from(bits: u64, n: i64) -> Option<i64> {
    let left = bits >> n << n;
    (left != 0).then(|| i64::from(left.trailing_zeros()))
}

/// The last bit before the n-th.
fn before(bits: u64, n: i64) -> Option<i64> {
    let left = bits & ((1 << n) - 1);
    (left != 0).then(|| i64::from(left.ilog2()))
}
