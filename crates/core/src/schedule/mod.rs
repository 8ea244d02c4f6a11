//! Schedules: which moments one names, and which of them are due.
//!
//! A schedule has a rule, a cron in a time zone or a fixed interval, and makes a task at each
//! *tick*, a moment that the rule names. What is due is a matter of numbers: whoever asks says what
//! time it is.
//!
//! # Promises
//! - Equal schedules have equal texts, and what is stored is read again as it was.
//! - Each tick is due once; none is before the one that comes next, though a clock is set back.
//! - What has become due is found without a walk over it, after ten years of seconds too.
//! - The jitter of a tick is the same whenever, and in whatever process, it is planned.
//!
//! # Left to others
//! Storing schedules, making the tasks, and what the last task of a schedule says of the next one:
//! the engine. Whether the task is one: `definition`.
//!
//! Proof: the tests below; `__test__/contract/schedule-zones.test.mjs`.

mod zone;
mod fields;
mod cron;
mod calendar;
mod read;
mod next_times;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::chance::mixed;
use crate::limits::{SCHEDULE_LATE_MS, SCHEDULE_MISSED_MAX};
use crate::time::WallMs;
use crate::words::words;
use calendar::Calendar;
pub use next_times::next_times;

/// What a tick does while the last task of its schedule has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Overlap {
    /// It makes no task.
    #[default]
    Skip = 1,
    /// Its task waits for the end of that one; one waits at most.
    Queue = 2,
    /// It aborts that one.
    Replace = 3,
    /// Its task runs beside that one.
    Allow = 4,
}

words!(Overlap { Skip "skip", Queue "queue", Replace "replace", Allow "allow" });

/// What becomes of ticks that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Missed {
    /// Nothing.
    Skip = 1,
    /// The last of them makes a task.
    #[default]
    Once = 2,
    /// Each makes a task, of at most [`SCHEDULE_MISSED_MAX`] the last.
    All = 3,
}

words!(Missed { Skip "skip", Once "once", All "all" });

/// A schedule, as it was given: everything but its name.
#[derive(Clone, Debug)]
pub struct ScheduleSpec {
    rule: Rule,
    /// What a tick does while the last task has not ended.
    pub overlap: Overlap,
    /// What becomes of ticks that were missed.
    pub missed: Missed,
    /// By how much the start of a task may come later than its tick, in milliseconds.
    pub jitter_ms: u64,
    /// No tick is before it.
    pub start_at: Option<WallMs>,
    /// No tick is after it.
    pub end_at: Option<WallMs>,
    /// How many tasks it makes in all.
    pub limit: Option<u32>,
    /// What it adds, as the JSON text of what `addTask` takes. Nobody has checked it yet.
    pub task: Arc<str>,
    text: Arc<str>,
}

impl PartialEq for ScheduleSpec {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ScheduleSpec {}

/// Which moments a schedule names.
#[derive(Clone, Debug)]
enum Rule {
    Cron(Box<Calendar>),
    /// One in so many milliseconds.
    Every(u64),
}

/// What is due of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The ticks to make tasks of, at most [`SCHEDULE_MISSED_MAX`], in order.
    pub ticks: Vec<WallMs>,
    /// How many ticks are passed over.
    pub missed: u64,
    /// The tick that comes next; absent if there is none any more.
    pub next_at: Option<WallMs>,
}

impl ScheduleSpec {
    /// Its JSON text: equal schedules have equal texts.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names its moments by the same rule as another one, so that the phase of its
    /// interval goes on: the same `cron` or `every`, `timezone` and `startAt`.
    pub fn has_rule_of(&self, other: &Self) -> bool {
        let same = match (&self.rule, &other.rule) {
            (Rule::Cron(own), Rule::Cron(other)) => {
                own.cron.text() == other.cron.text() && own.zone.name() == other.zone.name()
            }
            (Rule::Every(own), Rule::Every(other)) => own == other,
            (Rule::Cron(_), Rule::Every(_)) | (Rule::Every(_), Rule::Cron(_)) => false,
        };
        same && self.start_at == other.start_at
    }

    /// The first tick at or after `now`, of a schedule that is new or has another rule.
    ///
    /// `anchor` is the moment of its first `addSchedule`: an interval without a `startAt` counts
    /// from there, and its first tick is one interval later.
    pub fn first(&self, anchor: WallMs, now: WallMs) -> Option<WallMs> {
        let first = self.next(anchor, WallMs(now.0.saturating_sub(1)));
        debug_assert!(first.is_none_or(|first| first >= now), "the first tick is over");
        first
    }

    /// The first tick after a moment; absent if there is none, because of `endAt` or since the
    /// calendar ends with the year 9998.
    pub fn next(&self, anchor: WallMs, after: WallMs) -> Option<WallMs> {
        let start = self.start_at.unwrap_or(WallMs::FIRST);
        let after = after.max(WallMs(start.0.saturating_sub(1)));
        let next = match &self.rule {
            Rule::Cron(calendar) => calendar.next(second(after)).map(of_second),
            Rule::Every(ms) => {
                let first = self.interval(anchor, *ms, after).map_or(0, |nth| nth + 1);
                self.nth(anchor, *ms, first)
            }
        };
        next.filter(|at| self.is_before_end(*at))
    }

    /// What is due at `now` of a schedule whose next tick is `next_at`.
    ///
    /// A tick is missed if a later one is due too, or if it is more than [`SCHEDULE_LATE_MS`] late.
    /// A `next_at` that the rule does not name, for another version of the time zones did, is
    /// kept as it was promised.
    pub fn due(&self, anchor: WallMs, next_at: WallMs, now: WallMs) -> Due {
        if next_at > now {
            let next_at = Some(next_at).filter(|at| self.is_before_end(*at));
            return Due { ticks: Vec::new(), missed: 0, next_at };
        }
        let next = self.next(anchor, now);
        if !self.is_before_end(next_at) {
            return Due { ticks: Vec::new(), missed: 0, next_at: next };
        }
        let until = self.end_at.map_or(now, |end| end.min(now));
        let last = self.last(anchor, next_at, until).unwrap_or(next_at);
        debug_assert!(next_at <= last && last <= now, "a tick that is not due");
        let ticks = match self.missed {
            Missed::Skip if now.ms_since(last) > SCHEDULE_LATE_MS => Vec::new(),
            Missed::Skip | Missed::Once => vec![last],
            Missed::All => self.last_ticks(anchor, next_at, until),
        };
        let all = 1 + self.count(anchor, next_at, until);
        debug_assert!(ticks.len() as u64 <= all, "a tick is due twice");
        debug_assert!(ticks.is_sorted_by(|one, next| one < next), "ticks are not in order");
        debug_assert!(next.is_none_or(|next| next > now), "the next tick is due already");
        Due { missed: all - ticks.len() as u64, ticks, next_at: next }
    }

    /// By how much the start of the task of a tick comes later, in milliseconds: 0 to `jitter`. By
    /// chance, but the same whenever it is planned.
    pub fn jitter(&self, schedule: &str, tick: WallMs) -> u64 {
        let name = schedule
            .bytes()
            .fold(0_u64, |hash, byte| mixed(hash ^ u64::from(byte)).wrapping_add(1));
        let chance = u128::from(mixed(mixed(name) ^ tick.0 as u64));
        let jitter_ms = ((chance * (u128::from(self.jitter_ms) + 1)) >> 64) as u64;
        debug_assert!(jitter_ms <= self.jitter_ms, "a jitter beyond its bound");
        jitter_ms
    }

    fn is_before_end(&self, at: WallMs) -> bool {
        self.end_at.is_none_or(|end| at <= end)
    }

    /// The last ticks from `next_at` to `until`, in order, as many as may be made at once.
    fn last_ticks(&self, anchor: WallMs, next_at: WallMs, until: WallMs) -> Vec<WallMs> {
        let mut ticks = Vec::new();
        let mut until = until;
        while ticks.len() < SCHEDULE_MISSED_MAX {
            let Some(tick) = self.last(anchor, next_at, until) else {
                ticks.push(next_at);
                break;
            };
            ticks.push(tick);
            until = WallMs(tick.0 - 1);
        }
        ticks.reverse();
        ticks
    }

    /// The last tick after `after`, up to `until`.
    fn last(&self, anchor: WallMs, after: WallMs, until: WallMs) -> Option<WallMs> {
        let last = match &self.rule {
            Rule::Cron(calendar) => calendar.last(second(after) + 1, second(until)).map(of_second),
            Rule::Every(ms) => {
                self.interval(anchor, *ms, until).and_then(|nth| self.nth(anchor, *ms, nth))
            }
        };
        last.filter(|last| *last > after)
    }

    /// How many ticks there are after `after`, up to `until`.
    fn count(&self, anchor: WallMs, after: WallMs, until: WallMs) -> u64 {
        match &self.rule {
            Rule::Cron(calendar) => calendar.count(second(after) + 1, second(until)),
            Rule::Every(ms) => {
                let count = |at| self.interval(anchor, *ms, at).map_or(0, |nth| nth + 1);
                count(until) - count(after)
            }
        }
    }

    /// The number of the last interval that has begun at a moment, from 0; none if none has.
    fn interval(&self, anchor: WallMs, ms: u64, at: WallMs) -> Option<u64> {
        debug_assert!(ms > 0, "an interval of nothing");
        let zeroth = self.nth(anchor, ms, 0)?;
        (at >= zeroth).then(|| at.ms_since(zeroth) / ms)
    }

    /// The n-th tick of an interval, from 0.
    fn nth(&self, anchor: WallMs, ms: u64, nth: u64) -> Option<WallMs> {
        let zeroth = self.start_at.or_else(|| Some(anchor.plus(ms)))?;
        let at = zeroth.plus(nth.checked_mul(ms)?);
        (at < of_second(zone::LAST)).then_some(at)
    }
}

/// The second that a moment is in.
fn second(at: WallMs) -> i64 {
    at.0.div_euclid(1_000)
}

fn of_second(second: i64) -> WallMs {
    WallMs(second.saturating_mul(1_000))
}
