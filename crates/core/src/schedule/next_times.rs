//! What `nextTimes` gives: a look at a cron, without a schedule.
//!
//! Proof: the tests of `schedule`, `__test__/contract/next-times.test.mjs`.

use std::fmt::Write;

use super::calendar::Calendar;
use super::read::{cron, timezone, utc};
use super::{of_second, second};
use crate::argument;
use crate::error::Result;
use crate::limits::{NEXT_TIMES_DEFAULT, NEXT_TIMES_MAX};
use crate::members::Members;

/// The next times of a cron after a moment, as a JSON array of milliseconds since 1970; fewer than
/// asked for where the calendar ends. Takes the JSON text of `{ cron, timezone, count, from }`,
/// of which `cron` and `from` must be there.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the member, such as `cron`.
pub fn next_times(text: &str) -> Result<String> {
    let mut members = Members::of_argument(text, "options")?;
    let cron = members.required("cron", cron)?;
    let zone = members.optional("timezone", timezone)?.map_or_else(utc, Ok)?;
    let count = |text: &str, path: &str| argument::count(text, path, NEXT_TIMES_MAX);
    let count = members.optional("count", count)?.unwrap_or(NEXT_TIMES_DEFAULT);
    let from = members.required("from", argument::moment)?;
    members.end("timezone, count, from")?;
    let calendar = Calendar { cron, zone };
    let mut times = "[".to_owned();
    let mut after = second(from);
    for nth in 0..count {
        let Some(next) = calendar.next(after) else { break };
        debug_assert!(next > after, "a time comes again");
        after = next;
        let comma = if nth > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(times, "{comma}{}", of_second(next).0);
    }
    times.push(']');
    Ok(times)
}
