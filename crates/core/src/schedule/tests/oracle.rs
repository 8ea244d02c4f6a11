//! The same answers as slower ways give.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

/// Crons of all kinds.
const CRONS: [&str; 16] = [
    "* * * * * *",
    "*/7 * * * * *",
    "* * * * *",
    "*/15 * * * *",
    "7 * * * *",
    "0 */2 * * *",
    "*/20 1-3 * * *",
    "0,30 0,2,23 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "30 23 L * *",
    "0 2 15W * *",
    "0 3 * * SUN#L",
    "15,45 2 * 3,10 SUN",
    "10 20-50/10 0-2 * * *",
    "59 59 23 31 12 *",
];

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Nuuk",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Santiago",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Where the clocks stay, croner's own search is another one.
    #[test]
    fn in_utc_the_next_time_is_that_of_croner(
        cron in prop::sample::select(&CRONS[..]),
        from in 0_i64..4_000_000_000,
    ) {
        let start = jiff::Timestamp::from_second(from).unwrap().to_zoned(TimeZone::UTC);
        let parsed: croner::Cron = cron.parse().unwrap();
        let found = parsed.find_next_occurrence(&start, false).unwrap();
        let next = of_cron(cron, "UTC").next(WallMs(0), WallMs(from * 1_000)).unwrap();
        prop_assert_eq!(next.0, found.timestamp().as_millisecond(), "{}", cron);
    }

    /// Counting and looking back agree with going ahead, over changes of the clocks too.
    #[test]
    fn what_is_due_is_what_comes_next_one_by_one(
        cron in prop::sample::select(&CRONS[..]),
        zone in prop::sample::select(&ZONES[..]),
        from in 1_000_000_000_i64..2_200_000_000,
        steps in 1_usize..300,
        late_s in 0_i64..100,
    ) {
        let text = format!(r#"{{"cron":"{cron}","timezone":"{zone}","missed":"all","task":{{}}}}"#);
        let spec = spec(&text);
        let ticks = after(&spec, WallMs(from * 1_000), steps);
        prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        let now = WallMs(ticks.last().unwrap().0 + late_s * 1_000);
        let later = after(&spec, *ticks.last().unwrap(), 120);
        let all: Vec<_> = ticks.into_iter().chain(later).collect();
        let next_at = *all.iter().find(|tick| **tick > now).unwrap();
        let expected: Vec<_> = all.iter().copied().filter(|tick| *tick <= now).collect();
        let due = spec.due(WallMs(0), all[0], now);
        prop_assert_eq!(due, Due { ticks: expected, missed: 0, next_at: Some(next_at) });
    }

    /// The same for intervals, with and without a start and an end.
    #[test]
    fn what_is_due_of_an_interval_is_what_comes_next_one_by_one(
        every in 1_000_u64..100_000_000,
        start in prop::option::of(-1_000_000_000_i64..1_000_000_000),
        lasts in prop::option::of(1_i64..100_000_000_000),
        anchor in -1_000_000_000_i64..1_000_000_000,
        steps in 1_usize..300,
        late_ms in 0_i64..100_000,
        missed in prop::sample::select(&["skip", "once", "all"][..]),
    ) {
        let begins = start.unwrap_or(anchor);
        let said = |name, at: Option<i64>| {
            at.map_or_else(String::new, |at| format!(r#","{name}":{at}"#))
        };
        let end = lasts.map(|lasts| begins + every as i64 + lasts);
        let (start, end) = (said("startAt", start), said("endAt", end));
        let text = format!(r#"{{"every":{every}{start}{end},"missed":"{missed}","task":{{}}}}"#);
        let (spec, anchor) = (spec(&text), WallMs(anchor));
        let mut all = vec![spec.first(anchor, WallMs(begins)).unwrap()];
        while let Some(next) = spec.next(anchor, *all.last().unwrap()) {
            all.push(next);
            if all.len() > steps + 200 { break }
        }
        prop_assert!(all.windows(2).all(|pair| pair[1].ms_since(pair[0]) == every));
        let now = all[steps.min(all.len()) - 1].plus(late_ms as u64);
        let due: Vec<_> = all.iter().copied().filter(|tick| *tick <= now).collect();
        let next_at = all.iter().copied().find(|tick| *tick > now);
        let last = *due.last().unwrap();
        let made = match spec.missed {
            Missed::Skip if now.ms_since(last) > SCHEDULE_LATE_MS => vec![],
            Missed::Skip | Missed::Once => vec![last],
            Missed::All => due.clone(),
        };
        let passed = (due.len() - made.len()) as u64;
        let expected = Due { ticks: made, missed: passed, next_at };
        prop_assert_eq!(spec.due(anchor, all[0], now), expected);
    }
}
