//! What is due.

use super::*;
use crate::limits::{SCHEDULE_LATE_MS, SCHEDULE_MISSED_MAX};

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

fn hourly(missed: &str) -> ScheduleSpec {
    spec(&format!(r#"{{"cron":"0 * * * *","missed":"{missed}","task":{{}}}}"#))
}

fn due(spec: &ScheduleSpec, next_at: i64, now: i64) -> (Vec<i64>, u64, Option<i64>) {
    let Due { ticks, missed, next_at } = spec.due(WallMs(0), WallMs(next_at), WallMs(now));
    (ticks.into_iter().map(|tick| tick.0).collect(), missed, next_at.map(|at| at.0))
}

#[test]
fn a_tick_is_due_at_its_moment_and_not_before() {
    for missed in ["skip", "once", "all"] {
        let spec = hourly(missed);
        assert_eq!(due(&spec, HOUR, HOUR - 1), (vec![], 0, Some(HOUR)));
        assert_eq!(due(&spec, HOUR, HOUR), (vec![HOUR], 0, Some(2 * HOUR)));
    }
}

#[test]
fn a_tick_that_is_late_is_missed() {
    let (late, later) = (HOUR + SCHEDULE_LATE_MS as i64, HOUR + SCHEDULE_LATE_MS as i64 + 1);
    assert_eq!(due(&hourly("skip"), HOUR, late), (vec![HOUR], 0, Some(2 * HOUR)));
    assert_eq!(due(&hourly("skip"), HOUR, later), (vec![], 1, Some(2 * HOUR)));
    for missed in ["once", "all"] {
        assert_eq!(due(&hourly(missed), HOUR, later), (vec![HOUR], 0, Some(2 * HOUR)));
    }
}

#[test]
fn of_several_ticks_the_last_is_not_missed_if_it_is_on_time() {
    let now = 5 * HOUR + 1;
    assert_eq!(due(&hourly("skip"), HOUR, now), (vec![5 * HOUR], 4, Some(6 * HOUR)));
    assert_eq!(due(&hourly("once"), HOUR, now), (vec![5 * HOUR], 4, Some(6 * HOUR)));
    let all = (1..=5).map(|n| n * HOUR).collect();
    assert_eq!(due(&hourly("all"), HOUR, now), (all, 0, Some(6 * HOUR)));
    let now = 6 * HOUR - 1;
    assert_eq!(due(&hourly("skip"), HOUR, now), (vec![], 5, Some(6 * HOUR)));
    assert_eq!(due(&hourly("once"), HOUR, now), (vec![5 * HOUR], 4, Some(6 * HOUR)));
}

#[test]
fn a_clock_that_is_set_back_makes_no_tick_again() {
    let spec = hourly("all");
    let (_, _, next) = due(&spec, 100 * HOUR, 100 * HOUR + 5);
    assert_eq!(due(&spec, next.unwrap(), 3 * HOUR), (vec![], 0, Some(101 * HOUR)));
}

#[test]
fn ten_years_of_seconds_cost_no_walk() {
    let seconds = 10 * YEAR / 1_000;
    for (rule, ms) in
        [(r#""cron":"* * * * * *","timezone":"Europe/Berlin""#, 0), (r#""every":"1s""#, 0)]
    {
        let spec = spec(&format!(r#"{{{rule},"missed":"all","task":{{}}}}"#));
        let (ticks, missed, next) = due(&spec, 1_000, 10 * YEAR + ms);
        assert_eq!(ticks.len(), SCHEDULE_MISSED_MAX);
        assert_eq!(ticks.last(), Some(&(10 * YEAR)));
        assert!(ticks.windows(2).all(|pair| pair[0] + 1_000 == pair[1]));
        assert_eq!(missed + SCHEDULE_MISSED_MAX as u64, seconds as u64);
        assert_eq!(next, Some(10 * YEAR + 1_000));
    }
}

#[test]
fn a_moment_that_was_promised_is_kept_though_the_rule_does_not_name_it() {
    let spec = hourly("once");
    assert_eq!(due(&spec, HOUR + 7, HOUR + 8), (vec![HOUR + 7], 0, Some(2 * HOUR)));
    assert_eq!(
        due(&hourly("all"), HOUR + 7, 2 * HOUR),
        (vec![HOUR + 7, 2 * HOUR], 0, Some(3 * HOUR))
    );
}

#[test]
fn an_interval_counts_from_its_start_or_from_the_first_add() {
    let from_add = spec(r#"{"every":"15m","task":{}}"#);
    let quarter = HOUR / 4;
    let add = WallMs(1_234_567);
    assert_eq!(from_add.first(add, add), Some(add.plus(quarter as u64)));
    assert_eq!(from_add.first(add, add.plus(quarter as u64)), Some(add.plus(quarter as u64)));
    assert_eq!(from_add.next(add, add.plus(quarter as u64)), Some(add.plus(2 * quarter as u64)));
    let from_start = spec(r#"{"every":"15m","startAt":7,"task":{}}"#);
    assert_eq!(from_start.first(add, WallMs(-HOUR)), Some(WallMs(7)));
    assert_eq!(from_start.first(add, WallMs(7)), Some(WallMs(7)));
    assert_eq!(from_start.first(add, WallMs(8)), Some(WallMs(7 + quarter)));
    assert_eq!(from_start.next(add, WallMs(7)), Some(WallMs(7 + quarter)));
    assert_eq!(from_start.next(add, WallMs::LAST), None);
    assert_eq!(from_start.next(add, WallMs::FIRST), Some(WallMs(7)));
}

#[test]
fn nothing_comes_before_the_start_or_after_the_end() {
    let text = format!(
        r#"{{"cron":"0 * * * *","startAt":{HOUR},"endAt":{},"missed":"all","task":{{}}}}"#,
        3 * HOUR
    );
    let spec = spec(&text);
    assert_eq!(spec.first(WallMs(0), WallMs(0)), Some(WallMs(HOUR)));
    assert_eq!(spec.next(WallMs(0), WallMs(HOUR)), Some(WallMs(2 * HOUR)));
    assert_eq!(spec.next(WallMs(0), WallMs(3 * HOUR)), None);
    assert_eq!(due(&spec, 2 * HOUR, 9 * HOUR), (vec![2 * HOUR, 3 * HOUR], 0, None));
    assert_eq!(due(&spec, 3 * HOUR, 3 * HOUR), (vec![3 * HOUR], 0, None));
    // The end was brought forward meanwhile.
    assert_eq!(due(&spec, 4 * HOUR, 0), (vec![], 0, None));
    assert_eq!(due(&spec, 4 * HOUR, 9 * HOUR), (vec![], 0, None));
    let over = format!(r#"{{"every":"1h","endAt":{},"task":{{}}}}"#, HOUR / 2);
    assert_eq!(super::spec(&over).first(WallMs(0), WallMs(0)), None);
}

#[test]
fn the_jitter_of_a_tick_is_always_the_same_and_within_its_bound() {
    let spec = spec(r#"{"every":"1h","jitter":"30s","task":{}}"#);
    let jitter = |id: &str, tick| spec.jitter(id, WallMs(tick));
    assert_eq!([jitter("a", 0), jitter("a", HOUR), jitter("b", 0)], [23_010, 7_914, 3_942]);
    let all: Vec<_> = (0..1_000).map(|n| jitter("nightly", n * HOUR)).collect();
    assert!(all.iter().all(|ms| *ms <= 30_000));
    // Spread over all of it: none of ten parts is empty, whatever the hash.
    assert!((0..10).all(|part| all.iter().any(|ms| ms / 3_001 == part)));
    let none = super::spec(r#"{"every":"1h","task":{}}"#);
    assert_eq!(none.jitter("a", WallMs(HOUR)), 0);
    let one = super::spec(r#"{"every":"1h","jitter":1,"task":{}}"#);
    let both: Vec<_> = (0..100).map(|n| one.jitter("a", WallMs(n * HOUR))).collect();
    assert!(both.contains(&0) && both.contains(&1));
}
