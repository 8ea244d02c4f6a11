//! Faults that public schedulers had, one by one, with the thread in which each was reported.

use super::*;

type Fault = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

fn assert_none(faults: &[Fault]) {
    for (source, cron, zone, from, expected) in faults {
        let ticks = after(&of_cron(cron, zone), at(from), expected.len());
        let ticks: Vec<_> = ticks.into_iter().map(said).collect();
        assert_eq!(ticks, *expected, "{source}: {cron} in {zone}");
    }
}

/// Nothing is left out and nothing comes twice in five hours: a step lies between all ticks.
fn assert_steps(source: &str, cron: &str, zone: &str, from: &str, step_ms: u64) {
    let count = 5 * 3_600_000 / step_ms;
    let ticks = after(&of_cron(cron, zone), at(from), count as usize);
    let expected: Vec<_> = (1..=count).map(|n| at(from).plus(n * step_ms)).collect();
    assert_eq!(ticks, expected, "{source}: {cron} in {zone}");
}

#[test]
fn a_time_in_a_gap_is_lost_or_comes_months_later() {
    assert_none(&[
        (
            "kelektiv/node-cron #563",
            "30 2 * * *",
            "America/New_York",
            "2021-03-13T12:00:00Z",
            &["2021-03-14T07:00:00Z", "2021-03-15T06:30:00Z"],
        ),
        (
            "kelektiv/node-cron #638: searched for ever",
            "30 2 * * SUN",
            "Europe/Amsterdam",
            "2023-03-20T00:00:00Z",
            &["2023-03-26T01:00:00Z", "2023-04-02T00:30:00Z"],
        ),
        (
            "node-cron/node-cron #518: ten months later",
            "30 2 * * *",
            "America/New_York",
            "2026-03-08T06:30:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        ),
        (
            "harrisiirak/cron-parser #404: nothing came any more",
            "30 2 * * 7",
            "Europe/Rome",
            "2025-03-29T00:00:00Z",
            &["2025-03-30T01:00:00Z", "2025-04-06T00:30:00Z"],
        ),
        (
            "harrisiirak/cron-parser #404",
            "0 5 * * 7",
            "Europe/Rome",
            "2025-03-29T00:00:00Z",
            &["2025-03-30T03:00:00Z"],
        ),
        (
            "dragonmantank/cron-expression #202: the day of the change, hours after it",
            "0 10 * * *",
            "America/Chicago",
            "2025-03-08T12:00:00Z",
            &["2025-03-08T16:00:00Z", "2025-03-09T15:00:00Z", "2025-03-10T15:00:00Z"],
        ),
        (
            "Hexagon/croner-rust #67: also after a gap that it is not in",
            "0 0 * * *",
            "Europe/London",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"],
        ),
    ]);
}

#[test]
fn midnight_is_missing_and_the_search_never_ends() {
    assert_none(&[
        (
            "harrisiirak/cron-parser #25",
            "0 0 0 10 * *",
            "America/Sao_Paulo",
            "2014-10-13T00:00:00Z",
            &["2014-11-10T02:00:00Z"],
        ),
        (
            "harrisiirak/cron-parser #25: the midnight itself",
            "0 0 * * *",
            "America/Sao_Paulo",
            "2014-10-18T12:00:00Z",
            &["2014-10-19T03:00:00Z", "2014-10-20T02:00:00Z"],
        ),
        (
            "kelektiv/node-cron #118",
            "0 0 12 11,26 * *",
            "America/Sao_Paulo",
            "2014-10-12T00:00:00Z",
            &["2014-10-26T14:00:00Z"],
        ),
    ]);
}

#[test]
fn a_time_that_is_there_twice_comes_twice_or_before_now() {
    assert_none(&[
        (
            "kelektiv/node-cron #563",
            "30 1 * * *",
            "America/New_York",
            "2021-11-06T12:00:00Z",
            &["2021-11-07T05:30:00Z", "2021-11-08T06:30:00Z"],
        ),
        (
            "OptimalBits/bull #2207: an hour apart on the day after",
            "0 6 * * MON",
            "America/New_York",
            "2021-11-02T00:00:00Z",
            &["2021-11-08T11:00:00Z", "2021-11-15T11:00:00Z"],
        ),
        (
            "QwenLM/qwen-code #11720: before the moment that was asked for",
            "* * * * *",
            "America/New_York",
            "2026-11-01T06:30:15Z",
            &["2026-11-01T06:31:00Z"],
        ),
        (
            "node-cron/node-cron #517: the same, before a gap",
            "0 * * * *",
            "America/New_York",
            "2026-03-08T06:30:00Z",
            &["2026-03-08T07:00:00Z"],
        ),
        (
            "jmrozanec/cron-utils #112: back in the first half",
            "* * * * *",
            "America/Sao_Paulo",
            "2016-02-21T02:00:00Z",
            &["2016-02-21T02:01:00Z"],
        ),
    ]);
}

#[test]
fn short_intervals_stand_still_or_leave_out_an_hour() {
    for (source, cron, zone, from, step_ms) in [
        (
            "kelektiv/node-cron #120",
            "00 */1 * * * *",
            "America/New_York",
            "2014-11-02T04:00:00Z",
            60_000,
        ),
        (
            "kelektiv/node-cron #881",
            "*/30 * * * *",
            "Australia/Melbourne",
            "2024-04-06T14:00:00Z",
            1_800_000,
        ),
        ("node-cron #492", "*/30 * * * * *", "America/Chicago", "2025-11-02T04:00:00Z", 30_000),
        ("node-cron #509", "* * * * *", "America/New_York", "2026-03-08T05:00:00Z", 60_000),
        ("Hexagon/croner #343", "* * * * * *", "Europe/Vienna", "2025-10-25T23:00:00Z", 1_000),
        ("Hexagon/croner #142", "*/15 * * * *", "Europe/Berlin", "2023-03-25T23:00:00Z", 900_000),
        ("cron-plus #108", "*/15 * * * * *", "Europe/London", "2025-10-25T22:00:00Z", 15_000),
        ("Hexagon/croner #284", "0 0 * * * *", "UTC", "2025-10-05T00:00:00Z", 3_600_000),
    ] {
        assert_steps(source, cron, zone, from, step_ms);
    }
}

#[test]
fn days_are_left_out() {
    // Hexagon/croner #132: a day of a year, where the clocks change at midnight.
    let ticks = after(&of_cron("0 0 * * *", "America/Santiago"), at("2025-01-01T04:00:00Z"), 365);
    assert_eq!(ticks.last().copied().map(said), Some("2026-01-01T03:00:00Z".to_owned()));
    assert_none(&[
        (
            "Abilityai/trinity #220: the Monday after a change",
            "5 9 * * 1",
            "UTC",
            "2026-03-24T00:00:00Z",
            &["2026-03-30T09:05:00Z", "2026-04-06T09:05:00Z"],
        ),
        (
            "kelektiv/node-cron #430: all days by number, on a Sunday",
            "0 02 21 * * 1,2,3,4,5,6,7",
            "Asia/Kolkata",
            "2019-06-23T04:36:12.588Z",
            &["2019-06-23T15:32:00Z", "2019-06-24T15:32:00Z"],
        ),
        (
            "node-cron/node-cron #216: steps of days from the third on",
            "0 0 */3 * *",
            "UTC",
            "2026-01-28T00:00:00Z",
            &["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-04T00:00:00Z"],
        ),
        (
            "pallets-eco/croniter #89: the last day only where it is the 31st",
            "0 0 31,L * *",
            "UTC",
            "2024-08-12T00:00:00Z",
            &["2024-08-31T00:00:00Z", "2024-09-30T00:00:00Z", "2024-10-31T00:00:00Z"],
        ),
        (
            "sidekiq/sidekiq #5214: by the offset of today",
            "* * * 5 *",
            "America/Los_Angeles",
            "2022-02-22T18:39:51Z",
            &["2022-05-01T07:00:00Z", "2022-05-01T07:01:00Z"],
        ),
        (
            "kelektiv/node-cron #210: refused, for February has no 31st",
            "10 10 31 * *",
            "UTC",
            "2026-02-01T00:00:00Z",
            &["2026-03-31T10:10:00Z"],
        ),
    ]);
}

#[test]
fn what_never_comes_is_looked_for_for_ever() {
    // kelektiv/node-cron #79, jaclarke/cronosjs #37, floraison/fugit #20, cron-plus #110.
    for cron in ["0 0 31 4 *", "0 0 30 2 *", "0 0 31 2,4,6 *", "* * 31 11 *", "* * * 31 4 *"] {
        assert_refused(&format!(r#"{{"cron":"{cron}","task":{{}}}}"#), "cron", "never comes");
    }
    assert_none(&[(
        "jaclarke/cronosjs #37",
        "0 0 31 4,5 *",
        "UTC",
        "2029-03-26T09:22:30Z",
        &["2029-05-31T00:00:00Z"],
    )]);
}

#[test]
fn a_wrong_number_of_fields_is_taken_for_something() {
    // node-cron/node-cron #81 ran every five minutes; node-schedule #506 has no years.
    for cron in ["* * * Sunday", "*/10 * * * * * *"] {
        assert_refused(&format!(r#"{{"cron":"{cron}","task":{{}}}}"#), "cron", "write 5 or 6");
    }
}

#[test]
fn looking_back_leaves_out_a_day_or_never_ends() {
    // harrisiirak/cron-parser #378: the day of a gap.
    let two = of_cron("0 2 * * *", "America/New_York");
    let due = two.due(WallMs(0), at("2020-03-07T07:00:00Z"), at("2020-03-08T07:01:00Z"));
    assert_eq!((due.ticks, due.missed), (vec![at("2020-03-08T07:00:00Z")], 1));
    // staticlibs/ccronexpr #32: the last leap day.
    let leap = of_cron("* * * 29 2 *", "UTC");
    let due = leap.due(WallMs(0), at("2020-02-29T00:00:00Z"), at("2021-12-07T12:00:00Z"));
    assert_eq!((due.ticks, due.missed), (vec![at("2020-02-29T23:59:59Z")], 86_399));
}

#[test]
fn the_phase_of_an_interval_is_lost() {
    // taskforcesh/bullmq #3705: at :03, :18, :33 and :48, whenever it is asked.
    let text = r#"{"every":"15m","startAt":180000,"task":{}}"#;
    let next = spec(text).next(at("2026-01-16T10:20:00Z"), at("2026-01-16T10:20:00Z"));
    assert_eq!(next.map(said), Some("2026-01-16T10:33:00Z".to_owned()));
}
