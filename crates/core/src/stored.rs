//! JSON texts in which a backend stores what few tasks have: their options and their progress. So
//! those that say nothing need no room, and a backend no column for each.
//!
//! # Promises
//! - What was written comes back, numbers to the last bit. Anything else is nothing, and its reader
//!   calls it `Corrupt` (F-14).
//!
//! Proof: the tests below, `conformance::progress`, `conformance::add`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use crate::condition::Conditions;
use crate::json::write_string;
use crate::option::{self, OPTIONS};
use crate::query::Field;
use crate::task::{Progress, SharedOptions, StartTime, TaskOptions};
use crate::time::WallMs;
use serde_json::value::RawValue;

/// That the start time came of a delay.
const HAS_DELAY: &str = "hasDelay";
/// That a hold keeps it until its start time.
const IS_HELD: &str = "isHeld";
/// Since when it is paused.
const PAUSED_AT: &str = "pausedAt";
/// What must hold at its start.
const CONDITIONS: &str = Field::Concurrency.as_str();
/// How many of its conditions are its own.
const OWN_CONDITIONS: &str = "ownConditions";
const CURRENT: &str = "current";
const TOTAL: &str = "total";
const UNIT: &str = "unit";
/// The moment at which a `queueTimeout` is over; no caller says it.
const QUEUE_TIMEOUT_ENDS_AT: &str = "queueTimeoutEndsAt";

/// The options of a task; nothing if it has none.
pub fn options(options: &SharedOptions) -> Option<String> {
    if options.is_none() {
        return None;
    }
    debug_assert!(!matches!(options.start_time, Some(StartTime::After(_))), "a moment is stored");
    let mut text = String::new();
    option::values(options).for_each(|(word, value)| member(&mut text, word, value));
    if let Some(at) = options.queue_timeout.and_then(|timeout| timeout.ends_at) {
        member(&mut text, QUEUE_TIMEOUT_ENDS_AT, at.0);
    }
    if let Some(StartTime::Delayed(_)) = options.start_time {
        member(&mut text, HAS_DELAY, true);
    }
    if options.is_held() {
        member(&mut text, IS_HELD, true);
    }
    if let Some(at) = options.paused_at {
        member(&mut text, PAUSED_AT, at.0);
    }
    if let Some(count) = options.own_conditions {
        member(&mut text, OWN_CONDITIONS, count);
    }
    let text = (!text.is_empty()).then(|| text + "}");
    debug_assert_eq!(
        text.as_deref().map_or_else(|| Some(SharedOptions::default()), read_options).as_ref(),
        Some(options),
        "options are not read as they were written"
    );
    text
}

/// Reads what [`options`] wrote.
pub fn read_options(text: &str) -> Option<SharedOptions> {
    let (mut options, mut has_delay, mut is_held) = (TaskOptions::default(), false, false);
    let mut ends_at = None;
    for (word, value) in members(text)? {
        match word {
            QUEUE_TIMEOUT_ENDS_AT => ends_at = Some(value),
            HAS_DELAY => has_delay = value.get() == "true",
            IS_HELD => is_held = value.get() == "true",
            PAUSED_AT => options.paused_at = Some(WallMs(number(value)?)),
            // Most tasks start by what is known of their lane.
            CONDITIONS => options.conditions = Conditions::stored(value.get()),
            OWN_CONDITIONS => options.own_conditions = Some(number(value)?),
            _ => {
                let option = OPTIONS.iter().find(|option| option.word() == word)?;
                option.read(&mut options, value.get(), word).ok()?;
            }
        }
    }
    if has_delay {
        options.start_time = Some(StartTime::Delayed(options.run_at()?));
    }
    if is_held {
        options.start_time = Some(StartTime::Held(options.run_at()?));
    }
    if let Some(at) = ends_at {
        options.queue_timeout.as_mut()?.ends_at = Some(WallMs(number(at)?));
    }
    Some(options.into())
}

/// How far a run is.
pub fn progress(progress: &Progress) -> String {
    let mut text = String::new();
    member(&mut text, CURRENT, float(progress.current));
    if let Some(total) = progress.total {
        member(&mut text, TOTAL, float(total));
    }
    if let Some(unit) = &progress.unit {
        member(&mut text, UNIT, quoted(unit));
    }
    text += "}";
    debug_assert_eq!(
        read_progress(&text).as_ref(),
        Some(progress),
        "progress is not read as it was written"
    );
    text
}

/// Reads what [`progress`] wrote.
pub fn read_progress(text: &str) -> Option<Progress> {
    let members = members(text)?;
    let current = number(members.get(CURRENT)?)?;
    let total = match members.get(TOTAL) {
        Some(total) => Some(number(total)?),
        None => None,
    };
    let unit = match members.get(UNIT) {
        Some(unit) => Some(word(unit)?.into()),
        None => None,
    };
    Some(Progress { current, total, unit })
}

fn member(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let mark = if text.is_empty() { '{' } else { ',' };
    // Writing to a String cannot fail.
    let _ = write!(text, "{mark}\"{name}\":{value}");
}

fn quoted(value: &str) -> String {
    let mut text = String::new();
    write_string(value, &mut text);
    text
}

/// The shortest text that gives the same number again.
fn float(value: f64) -> String {
    format!("{value:?}")
}

/// The members of an object. Our own names have nothing that JSON escapes, so none is copied.
fn members(text: &str) -> Option<BTreeMap<&str, &RawValue>> {
    serde_json::from_str(text).ok()
}

fn number<T: FromStr>(value: &RawValue) -> Option<T> {
    value.get().parse().ok()
}

fn word(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use crate::limits::DURATION_MS_MAX;
    use crate::retention::Retention;
    use crate::retry;
    use crate::standing;
    use crate::task::{
        AfterQueueTimeout, Json, OnInterrupted, OnStop, OnStopWaiting, QueueTimeout,
    };
    use crate::time::WallMs;
    use crate::trace;
    use crate::unique;

    use super::*;

    const CONDITIONS: &str = r#"[{"scope":"running","query":{"data.n":1},"limit":0}]"#;
    const TRACE: &str =
        r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;
    const DEPENDS_ON: &str =
        r#"{"uuids":["018f0000-0000-7000-8000-000000000002"],"onFailure":"run"}"#;

    #[test]
    fn a_task_that_says_nothing_stores_nothing() {
        assert_eq!(options(&SharedOptions::default()), None);
        let mut written = SharedOptions::default();
        written.on_stop = None;
        assert_eq!(options(&written), None);
    }

    #[test]
    fn every_option_comes_back_and_reads_like_the_public_one() {
        let on_stops = [None].into_iter().chain(OnStop::ALL.iter().copied().map(Some));
        for on_stop in on_stops {
            for on_interrupted in OnInterrupted::ALL.iter().copied() {
                let run_timeout_ms = Some(DURATION_MS_MAX);
                let start_time = Some(StartTime::At(WallMs(-1)));
                let told = TaskOptions {
                    start_time,
                    run_timeout_ms,
                    on_interrupted,
                    on_stop,
                    ..TaskOptions::default()
                };
                let told = SharedOptions::from(told);
                let text = options(&told).unwrap_or_default();
                assert_eq!(read_options(&text), Some(told), "{text}");
            }
        }
        let told = TaskOptions {
            id: Some(Json::trusted("{ \"n\":1.0}")),
            label: Some(Json::trusted("\"\\ud800\"")),
            tags: Some(Json::trusted("[\"a\", \"a\"]")),
            trace: trace::read(TRACE, "trace").ok(),
            start_time: Some(StartTime::At(WallMs(7))),
            parent: standing::task_id("018f0000-0000-7000-8000-000000000001"),
            schedule_id: Some(Json::trusted("\"\\u00e9\"")),
            scheduled_at: Some(WallMs(-8)),
            depends_on: standing::read(DEPENDS_ON, "dependsOn").ok().flatten().map(Into::into),
            run_timeout_ms: Some(500),
            queue_timeout: Some(QueueTimeout {
                after_ms: 9,
                then: AfterQueueTimeout::Abort,
                ends_at: Some(WallMs(-3)),
            }),
            retry: retry::read("3", "retry").ok().map(Into::into),
            retention: Retention::read(r#"{"failed":7}"#, "retention").unwrap().shared(),
            on_interrupted: OnInterrupted::Fail,
            on_stop: Some(OnStop::Abort),
            on_stop_waiting: OnStopWaiting::Abort,
            unique: unique::read(r#"{"key":"é","ttl":7}"#, "unique").ok().map(Into::into),
            conditions: Conditions::read(CONDITIONS, "concurrency").unwrap(),
            own_conditions: None,
            paused_at: None,
        };
        let told = SharedOptions::from(told);
        let expected = concat!(
            r#"{"id":{ "n":1.0},"label":"\ud800","tags":["a", "a"],"#,
            r#""trace":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},"#,
            r#""runAt":7,"dependsOn":{"uuids":["018f0000-0000-7000-8000-000000000002"],"#,
            r#""onFailure":"run"},"parent":"018f0000-0000-7000-8000-000000000001","#,
            r#""scheduleId":"\u00e9","scheduledAt":-8,"#,
            r#""runTimeout":500,"queueTimeout":9,"retry":{"attempts":3,"on":["error"]},"#,
            r#""retention":{"failed":7},"onInterrupted":"fail","onStop":"abort","#,
            r#""onStopWaiting":"abort","#,
            r#""concurrency":[{"scope":"running","query":{"data.n":1},"limit":0}],"#,
            r#""unique":{"key":"é","while":"unfinished","ttl":7,"onConflict":"return"},"#,
            r#""queueTimeoutEndsAt":-3}"#,
        );
        assert_eq!(options(&told).as_deref(), Some(expected));
        assert_eq!(read_options(expected), Some(told));
    }

    #[test]
    fn what_a_pause_must_know_comes_back_and_is_no_option() {
        let start_time = Some(StartTime::Delayed(WallMs(7)));
        let told =
            TaskOptions { start_time, paused_at: Some(WallMs(-3)), ..TaskOptions::default() };
        let told = SharedOptions::from(told);
        let expected = r#"{"runAt":7,"hasDelay":true,"pausedAt":-3}"#;
        assert_eq!(options(&told).as_deref(), Some(expected));
        assert_eq!(read_options(expected), Some(told));
        assert_eq!(read_options(r#"{"hasDelay":true}"#), None);
        let held = SharedOptions::from(TaskOptions {
            start_time: Some(StartTime::Held(WallMs(7))),
            ..TaskOptions::default()
        });
        assert_eq!(options(&held).as_deref(), Some(r#"{"runAt":7,"isHeld":true}"#));
        assert_eq!(read_options(r#"{"runAt":7,"isHeld":true}"#), Some(held));
        assert_eq!(read_options(r#"{"isHeld":true}"#), None);
    }

    #[test]
    fn progress_comes_back_to_the_last_bit() {
        for current in [0.1, -0.0, 1e300, f64::MIN_POSITIVE, 9_007_199_254_740_993.0] {
            for (total, unit) in [(None, None), (Some(1.0 / 3.0), Some("\"\\\u{1}é"))] {
                let told = Progress { current, total, unit: unit.map(Into::into) };
                let read = read_progress(&progress(&told));
                let bits = read.as_ref().map(|read| read.current.to_bits());
                assert_eq!(bits, Some(current.to_bits()));
                assert_eq!(read, Some(told));
            }
        }
    }

    /// F-14
    #[test]
    fn what_nobody_wrote_is_not_read() {
        for text in ["", "{", "[]", "1", r#"{"onStop":"never"}"#, r#"{"runTimeout":"x"}"#] {
            assert_eq!(read_options(text), None, "{text}");
        }
        for text in [
            r#"{"queueTimeoutEndsAt":1}"#,
            r#"{"runTimeout":-1}"#,
            r#"{"onFire":"run"}"#,
            r#"{"retry":0}"#,
            r#"{"label":1}"#,
        ] {
            assert_eq!(read_options(text), None, "{text}");
        }
        for text in ["", "{}", "null", r#"{"current":null}"#, r#"{"current":1,"unit":2}"#] {
            assert_eq!(read_progress(text), None, "{text}");
        }
    }
}
