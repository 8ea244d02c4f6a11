//! Moments as ISO 8601 writes them.
//!
//! A time without a zone is in UTC.
//!
//! Proof: the tests below.

use tasker_core::time::{DATE_MS_MAX, WallMs};

const DAY_MS: i64 = 86_400_000;

/// As `2023-05-04T16:33:14.682Z`.
pub(crate) fn write(at: WallMs) -> String {
    let (days, ms) = (at.0.div_euclid(DAY_MS), at.0.rem_euclid(DAY_MS));
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    // Years of more or less than four digits have a sign and six.
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// Reads `2023-05-04`, `2023-05-04T15:30`, with seconds, a fraction, `Z` or an offset.
pub(crate) fn read(text: &str) -> Option<WallMs> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.digits(4)?;
    rest.mark(b"-")?;
    let month = rest.digits(2)?;
    rest.mark(b"-")?;
    let day = rest.digits(2)?;
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let mut ms = days_since_1970(year, month, day) * DAY_MS;
    if !rest.0.is_empty() {
        rest.mark(b"Tt ")?;
        ms += time(&mut rest)?;
        ms -= zone(&mut rest)?;
    }
    let is_date = (ms as f64).abs() <= DATE_MS_MAX;
    (rest.0.is_empty() && is_date).then_some(WallMs(ms))
}

fn time(rest: &mut Rest<'_>) -> Option<i64> {
    let hour = rest.digits(2)?;
    rest.mark(b":")?;
    let minute = rest.digits(2)?;
    let (mut second, mut ms) = (0, 0);
    if rest.mark(b":").is_some() {
        second = rest.digits(2)?;
        if rest.mark(b".,").is_some() {
            ms = rest.fraction()?;
        }
    }
    // A leap second is the first moment of the next minute.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    is_time.then_some(((hour * 60 + minute) * 60 + second) * 1_000 + ms)
}

/// How far ahead of UTC, in milliseconds.
fn zone(rest: &mut Rest<'_>) -> Option<i64> {
    if rest.0.is_empty() || rest.mark(b"Zz").is_some() {
        return Some(0);
    }
    let sign = if rest.mark(b"+-")? == b'-' { -1 } else { 1 };
    let hours = rest.digits(2)?;
    let minutes = match rest.0 {
        [] => 0,
        _ => {
            let _ = rest.mark(b":");
            rest.digits(2)?
        }
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    }

    /// One of these bytes.
    fn mark(&mut self, marks: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        marks.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Milliseconds of a fraction of a second, rounded up: no task starts before its moment.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=18).contains(&count) {
            return None;
        }
        let number = self.digits(count)?;
        let unit = 10_i64.pow(u32::try_from(count).ok()?);
        let thousandths = i128::from(number) * 1_000 + i128::from(unit) - 1;
        i64::try_from(thousandths / i128::from(unit)).ok()
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the day of a leap year is the last.
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date so many days after 1 January 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * part + 2) / 5 + 1, (part + 2) % 12 + 1);
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_written_as_javascript_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_683_217_994_682, "2023-05-04T16:33:14.682Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(write(WallMs(ms)), text);
        }
    }

    #[test]
    fn a_time_without_a_zone_is_in_utc_and_an_offset_counts() {
        for (text, same) in [
            ("2023-05-04T15:30:43", "2023-05-04T15:30:43.000Z"),
            ("2023-05-04", "2023-05-04T00:00:00.000Z"),
            ("2023-05-04T15:30", "2023-05-04T15:30:00.000Z"),
            ("2023-05-04 15:30:43,5z", "2023-05-04T15:30:43.500Z"),
            ("2023-05-04T15:30:43.0001+02:00", "2023-05-04T13:30:43.001Z"),
            ("2023-12-31T23:30:00-01", "2024-01-01T00:30:00.000Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2024-02-29T00:00:00+0530", "2024-02-28T18:30:00.000Z"),
        ] {
            assert_eq!(read(text).map(write).as_deref(), Some(same), "{text}");
        }
        for wrong in [
            "",
            "2023",
            "2023-13-01",
            "2023-02-29",
            "2023-05-04T",
            "2023-05-04T25:00",
            "now",
            "2023-05-04T15:30:43.",
            "2023-05-04T15:30:43+",
            "2023-05-04T15:30Zx",
            "12:30",
            "2023-05-04T15:30:43.1234567890123456789",
            "２０２３-05-04",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_reads_back_as_it_was(ms in -62_167_219_200_000_i64..253_402_300_799_999) {
            prop_assert_eq!(read(&write(WallMs(ms))), Some(WallMs(ms)));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
