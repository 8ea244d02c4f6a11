//! Rate limits: how many tasks of an operation may start in a time, in all processes together.
//!
//! The generic cell rate algorithm: each start takes a token, and a token comes back every
//! `per / limit`. All that is stored is the *arrival*: the moment at which all tokens are back. It
//! is exact: a fraction of a millisecond is kept as one, so 7 in a second are 7 in each second.
//!
//! # Promises
//! - In any time `t` no more than `burst + limit * t / per` tasks start, by the clock that held and
//!   to its millisecond, over processes and restarts (I-6). A clock that is set forward may give
//!   one burst more.
//! - A clock that is set back gives no burst and no stall: an arrival that lies further ahead than
//!   a whole burst is taken as that.
//! - An absent value of `by` is a key of its own.
//!
//! # Left to others
//! Who waits for a token: `dispatch`. Keeping arrivals: `store`.
//!
//! Proof: the tests below, against a count of every window; `proof/tests/engine/rates.rs`,
//! `proof/tests/random`, the storm.

use std::fmt::Write;
use std::sync::Arc;

use crate::argument;
use crate::condition::template;
use crate::error::{Code, Error, Result};
use crate::json::write_string;
use crate::limits::{DURATION_MS_MAX, RATE_KEY_BYTES_MAX, RATE_LIMIT_MAX};
use crate::members::Members;
use crate::query::{Fields, Value};
use crate::time::WallMs;

/// How often tasks may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many.
    pub limit: u32,
    /// In so many milliseconds.
    pub per_ms: u64,
    /// Most at once.
    pub burst: u32,
    /// The path to the value for which that holds; for the whole operation if there is none.
    pub by: Option<Box<str>>,
}

/// The key of an operation, or of one value of it: the JSON text of that, empty if there is none.
pub type RateKey = Arc<str>;

/// The moment at which all tokens are back: `part / parts` of a millisecond after `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The whole milliseconds.
    pub at: WallMs,
    /// What is left of one.
    pub part: u32,
    /// Of so many parts.
    pub parts: u32,
}

impl Arrival {
    /// From when on nothing has to be known of it.
    pub fn rests_at(self) -> WallMs {
        self.at.plus(u64::from(self.part > 0))
    }
}

impl RateLimit {
    /// Reads `{ limit, per, burst, by }`.
    ///
    /// # Errors
    /// `Invalid` with the path of the member.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let mut members = Members::read(text, path, "must be { limit, per, burst, by }")?;
        let count = |text: &str, path: &str| argument::count(text, path, RATE_LIMIT_MAX);
        let limit = members.required("limit", count)?;
        let per_ms = members.required("per", argument::duration)?;
        let burst = members.optional("burst", count)?.unwrap_or(1);
        let by = members.optional("by", read_by)?;
        members.end("limit, per, burst, by")?;
        let rate = Self { limit, per_ms, burst, by };
        if rate.burst_units() > i128::from(DURATION_MS_MAX) * i128::from(limit) {
            let message = "would take more than 100 years to come back; give fewer, or a higher \
                           limit";
            return Err(Error::invalid(format!("{path}.burst"), message));
        }
        Ok(rate)
    }

    /// The JSON text that [`RateLimit::read`] reads.
    pub fn to_json(&self) -> String {
        let Self { limit, per_ms, burst, by } = self;
        let mut json = format!(r#"{{"limit":{limit},"per":{per_ms},"burst":{burst}"#);
        if let Some(by) = by {
            json.push_str(r#","by":"#);
            write_string(by, &mut json);
        }
        json.push('}');
        json
    }

    /// A moment in parts of which a millisecond has `limit`: a token takes `per` of these.
    fn units(&self, at: WallMs) -> i128 {
        i128::from(at.0) * i128::from(self.limit)
    }

    fn units_of(&self, arrival: Arrival) -> i128 {
        let (part, parts) = (u64::from(arrival.part), u64::from(arrival.parts.max(1)));
        // Of another limit: rounded up, so never a token too early.
        let part = (part * u64::from(self.limit)).div_ceil(parts);
        self.units(arrival.at) + i128::from(part)
    }

    fn arrival(&self, units: i128) -> Arrival {
        let limit = i128::from(self.limit);
        let at = i64::try_from(units.div_euclid(limit)).unwrap_or(i64::MAX);
        Arrival { at: WallMs(at), part: units.rem_euclid(limit) as u32, parts: self.limit }
    }

    fn token(&self) -> i128 {
        i128::from(self.per_ms)
    }

    fn burst_units(&self) -> i128 {
        i128::from(self.burst) * self.token()
    }

    /// Whether an arrival lies further ahead than a whole burst: the clock was set back, or the
    /// limit was another one.
    pub fn is_too_far(&self, arrival: Arrival, now: WallMs) -> bool {
        self.units_of(arrival) > self.units(now) + self.burst_units()
    }

    /// The arrival when all tokens are gone.
    pub fn empty(&self, now: WallMs) -> Arrival {
        self.arrival(self.units(now) + self.burst_units())
    }

    /// How many tasks may start now.
    pub fn tokens(&self, arrival: Option<Arrival>, now: WallMs) -> u32 {
        let Some(arrival) = arrival else { return self.burst };
        let gone = (self.units_of(arrival) - self.units(now)).max(0);
        let left = (self.burst_units() - gone).max(0) / self.token();
        u32::try_from(left).unwrap_or(self.burst)
    }

    /// The arrival after one more start now.
    pub fn take(&self, arrival: Option<Arrival>, now: WallMs) -> Arrival {
        debug_assert!(self.tokens(arrival, now) > 0, "a task starts without a token (I-6)");
        let now = self.units(now);
        // A clock of whole milliseconds is late by less than one: that is no time in which a token
        // came back and was not wanted.
        let arrival = arrival.map(|arrival| self.units_of(arrival));
        let recent = arrival.filter(|arrival| *arrival > now - i128::from(self.limit));
        self.arrival(recent.unwrap_or(now) + self.token())
    }

    /// When the first token is there again.
    pub fn next_at(&self, arrival: Arrival) -> WallMs {
        let units = self.units_of(arrival) - self.burst_units() + self.token();
        let limit = i128::from(self.limit);
        let at = units.div_euclid(limit) + i128::from(units.rem_euclid(limit) > 0);
        WallMs(i64::try_from(at).unwrap_or(i64::MAX))
    }
}

/// The path to the value of a task.
pub(crate) fn read_by(text: &str, path: &str) -> Result<Box<str>> {
    let advice = "must be a path into the task that begins with data, id, label or tags, such as \
                  'data.account'";
    let by = argument::as_text(text).ok_or_else(|| Error::invalid(path, advice))?;
    if by.len() > RATE_KEY_BYTES_MAX {
        let message = format!("is longer than {RATE_KEY_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, path, message));
    }
    let is_whole = by.split('.').all(|name| !name.is_empty());
    let field = template::field_of(&by).filter(|_| is_whole && !by.starts_with("operation"));
    field.map(|_| by.into()).ok_or_else(|| Error::invalid(path, advice))
}

/// Which fields of a task decide what it has at such a path.
pub fn fields_of(by: &str) -> Fields {
    template::field_of(by).map_or(Fields::NONE, |field| Fields::NONE.with(field))
}

/// What a document has at a path, as a text that is the same for the same value. One that is long
/// is cut, and its number stands in the place of the rest: so a row stays small, whatever the data.
pub fn key_at(task: &Value, by: &str) -> RateKey {
    let Some(value) = template::find(task, by) else { return "".into() };
    let mut text = String::new();
    value.write_json(&mut text);
    if text.len() <= RATE_KEY_BYTES_MAX {
        return text.into();
    }
    let number = number_of(text.as_bytes());
    text.truncate(text.floor_char_boundary(RATE_KEY_BYTES_MAX / 2));
    // Writing to a String cannot fail.
    let _ = write!(text, "…{number:032x}");
    text.into()
}

/// FNV-1a of 128 bits: the same in every process and version.
fn number_of(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> RateLimit {
        RateLimit::read(text, "rateLimit").unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn bare(limit: u32, per_ms: u64, burst: u32) -> RateLimit {
        RateLimit { limit, per_ms, burst, by: None }
    }

    /// A generator of numbers that needs no crate: xorshift.
    fn throw(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// Whether no window of these starts has more than it may; brute force.
    fn assert_within(rate: &RateLimit, starts: &[i64]) {
        for (first, from) in starts.iter().enumerate() {
            for (last, to) in starts.iter().enumerate().skip(first) {
                // The clock is late by less than a millisecond.
                let (count, time) = ((last - first + 1) as i128, i128::from(to - from + 1));
                let above = (count - i128::from(rate.burst)) * i128::from(rate.per_ms);
                let is_within = above < time * i128::from(rate.limit);
                assert!(is_within, "{rate:?}: {count} from {from} to {to}");
            }
        }
    }

    #[test]
    fn no_window_has_more_starts_than_it_may_and_none_is_wasted() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for rate in [
            bare(7, 1_000, 1),
            bare(7, 1_000, 3),
            bare(1, 5, 1),
            bare(3, 2, 4),
            bare(1_000, 7, 2),
            bare(100, 60_000, 10),
        ] {
            let (mut arrival, mut now, mut starts) = (None, -50_i64, Vec::new());
            for _ in 0..400 {
                now += (throw(&mut state) % 20) as i64;
                let wanted = throw(&mut state) % 4;
                for _ in 0..wanted {
                    if rate.tokens(arrival, WallMs(now)) > 0 {
                        arrival = Some(rate.take(arrival, WallMs(now)));
                        starts.push(now);
                    } else {
                        // One more would be too many: the limit is used up to the last token.
                        let full = [&starts[..], &[now]].concat();
                        let is_over = |from: usize| {
                            let more = i128::from(now - full[from]) * i128::from(rate.limit);
                            let most = i128::from(rate.burst) + more / i128::from(rate.per_ms);
                            (full.len() - from) as i128 > most
                        };
                        assert!((0..full.len()).any(is_over), "{rate:?}: a token is held back");
                        let next = rate.next_at(arrival.unwrap());
                        assert!(next.0 > now && rate.tokens(arrival, next) > 0);
                        assert_eq!(rate.tokens(arrival, WallMs(next.0 - 1)), 0);
                    }
                }
            }
            assert_within(&rate, &starts);
        }
    }

    #[test]
    fn a_limit_that_does_not_divide_its_time_does_not_drift() {
        let rate = bare(7, 1_000, 1);
        let (mut arrival, mut now, mut starts) = (None, WallMs(0), Vec::new());
        for _ in 0..70_001 {
            starts.push(now.0);
            arrival = Some(rate.take(arrival, now));
            now = rate.next_at(arrival.unwrap());
        }
        assert_eq!(starts[70_000], 10_000_000, "7 in each of 10,000 seconds");
        assert_eq!(starts[..8], [0, 143, 286, 429, 572, 715, 858, 1_000]);
    }

    #[test]
    fn an_arrival_that_lies_too_far_ahead_is_taken_as_a_burst() {
        let rate = bare(1, 1_000, 5);
        let arrival = rate.take(None, WallMs(3_600_000));
        assert!(!rate.is_too_far(arrival, WallMs(3_600_000)));
        assert!(rate.is_too_far(arrival, WallMs(0)));
        let (empty, now) = (rate.empty(WallMs(0)), WallMs(0));
        assert!(!rate.is_too_far(empty, now));
        assert_eq!((rate.tokens(Some(empty), now), rate.next_at(empty)), (0, WallMs(1_000)));
    }

    #[test]
    fn an_arrival_of_another_limit_is_never_too_early() {
        let old = bare(7, 1_000, 1);
        let arrival = old.take(None, WallMs(0));
        assert_eq!((arrival.at.0, arrival.part, arrival.parts), (142, 6, 7));
        assert_eq!(arrival.rests_at(), WallMs(143));
        for limit in [1, 3, 1_000_000_000] {
            let next = bare(limit, u64::from(limit), 1).next_at(arrival);
            assert!((143..=144).contains(&next.0), "{limit}: {next:?}");
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        for (text, written) in [
            (r#"{"limit":100,"per":"1m"}"#, r#"{"limit":100,"per":60000,"burst":1}"#),
            (
                r#"{"by":"data.account","burst":10,"per":7,"limit":1}"#,
                r#"{"limit":1,"per":7,"burst":10,"by":"data.account"}"#,
            ),
            (
                r#"{"limit":1,"per":1,"by":"tags.0"}"#,
                r#"{"limit":1,"per":1,"burst":1,"by":"tags.0"}"#,
            ),
        ] {
            assert_eq!(rate(text).to_json(), written);
            assert_eq!(rate(written), rate(text));
        }
    }

    #[test]
    fn every_wrong_member_is_named() {
        for (text, path) in [
            ("100", "rateLimit"),
            ("{}", "rateLimit.limit"),
            (r#"{"limit":0,"per":1}"#, "rateLimit.limit"),
            (r#"{"limit":1.5,"per":1}"#, "rateLimit.limit"),
            (r#"{"limit":1}"#, "rateLimit.per"),
            (r#"{"limit":1,"per":0}"#, "rateLimit.per"),
            (r#"{"limit":1,"per":1,"burst":0}"#, "rateLimit.burst"),
            (r#"{"limit":1,"per":"7d","burst":1000000000}"#, "rateLimit.burst"),
            (r#"{"limit":1,"per":1,"by":7}"#, "rateLimit.by"),
            (r#"{"limit":1,"per":1,"by":"priority"}"#, "rateLimit.by"),
            (r#"{"limit":1,"per":1,"by":"operation"}"#, "rateLimit.by"),
            (r#"{"limit":1,"per":1,"by":"data..a"}"#, "rateLimit.by"),
            (r#"{"limit":1,"per":1,"max":1}"#, "rateLimit.max"),
        ] {
            let error = RateLimit::read(text, "rateLimit").unwrap_err();
            let facts = (error.code(), error.facts().path.as_deref());
            assert_eq!(facts, (Code::Invalid, Some(path)), "{text}");
        }
    }

    #[test]
    fn a_key_is_the_text_of_the_value_and_absent_is_one_too() {
        let by = rate(r#"{"limit":1,"per":1,"by":"data.a"}"#);
        let key = |data: &str| {
            let task = Value::from_json(&format!(r#"{{"data":{data}}}"#)).unwrap();
            key_at(&task, by.by.as_deref().unwrap())
        };
        for (data, expected) in [
            (r#"{"a":"x"}"#, r#""x""#),
            (r#"{"a":7.0}"#, "7"),
            (r#"{"a":null}"#, "null"),
            (r#"{"b":1}"#, ""),
            ("7", ""),
            (r#"{"a":{"c":1,"b":2}}"#, r#"{"b":2,"c":1}"#),
        ] {
            assert_eq!(&*key(data), expected, "{data}");
        }
        let long = |last: char| key(&format!(r#"{{"a":"{}{last}"}}"#, "é".repeat(9_999)));
        assert!(long('a').len() <= RATE_KEY_BYTES_MAX);
        assert_ne!(long('a'), long('b'));
        assert_eq!(long('a'), long('a'));
    }
}
