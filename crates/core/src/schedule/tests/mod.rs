//! What `schedule` promises.

use super::*;
use crate::error::Code;

mod cron;
mod due;
mod faults;
mod oracle;
mod read;
mod zones;

fn at(text: &str) -> WallMs {
    WallMs(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn said(at: WallMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()
}

fn spec(text: &str) -> ScheduleSpec {
    ScheduleSpec::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn of_cron(cron: &str, zone: &str) -> ScheduleSpec {
    spec(&format!(r#"{{"cron":"{cron}","timezone":"{zone}","task":{{}}}}"#))
}

/// The first ticks of a schedule after a moment.
fn after(spec: &ScheduleSpec, from: WallMs, count: usize) -> Vec<WallMs> {
    let mut last = from;
    let next = || {
        last = spec.next(WallMs(0), last)?;
        Some(last)
    };
    std::iter::from_fn(next).take(count).collect()
}

/// That these are the next ticks of a cron after a moment, all as UTC.
fn assert_next(cron: &str, zone: &str, from: &str, expected: &[&str]) {
    let ticks = after(&of_cron(cron, zone), at(from), expected.len());
    let ticks: Vec<_> = ticks.into_iter().map(said).collect();
    assert_eq!(ticks, expected, "{cron} in {zone}");
}

/// That a schedule is refused with this path, by a message that has these words.
fn assert_refused(text: &str, path: &str, words: &str) {
    let error = ScheduleSpec::read(text).expect_err(text);
    assert_eq!(
        (error.code(), error.facts().path.as_deref()),
        (Code::Invalid, Some(path)),
        "{text}"
    );
    assert!(error.message().contains(words), "{text}: {}", error.message());
}
