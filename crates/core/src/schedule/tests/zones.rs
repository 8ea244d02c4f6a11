//! What a change of the clocks does.

use super::*;

#[test]
fn a_time_that_the_clocks_skip_runs_once_at_the_first_moment_after_it() {
    // Berlin, 29 March 2026: 02:00 to 03:00 is skipped at 01:00 UTC.
    let from = "2026-03-28T12:00:00Z";
    for cron in ["30 2 * * *", "0 2 * * *", "0,30 2 * * *", "59 59 2 * * *", "*/15 2 * * *"] {
        let first = after(&of_cron(cron, "Europe/Berlin"), at(from), 1);
        assert_eq!(first, [at("2026-03-29T01:00:00Z")], "{cron}");
    }
    let next = ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"];
    assert_next("30 2 * * *", "Europe/Berlin", from, &next);
    // Where 03:00 is a time of the cron itself, it is one.
    let next = ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"];
    assert_next("0 2,3 * * *", "Europe/Berlin", from, &next);
    // The hour before the gap and the one after it are not touched.
    assert_next(
        "30 1 * * *",
        "Europe/Berlin",
        from,
        &["2026-03-29T00:30:00Z", "2026-03-29T23:30:00Z"],
    );
    assert_next(
        "0 3 * * *",
        "Europe/Berlin",
        from,
        &["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"],
    );
    assert_next(
        "0 0 * * *",
        "Europe/London",
        from,
        &["2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"],
    );
}

#[test]
fn a_time_that_the_clocks_repeat_runs_the_first_time_only() {
    // Berlin, 25 October 2026: 02:00 to 03:00 is there twice, from 00:00 UTC on.
    let from = "2026-10-24T12:00:00Z";
    let next = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_next("30 2 * * *", "Europe/Berlin", from, &next);
    let next = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"];
    assert_next("0,30 2 * * *", "Europe/Berlin", from, &next);
    // Asked in the second half of it, it does not come again.
    let next = ["2026-10-26T01:30:00Z"];
    assert_next("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &next);
    // Hours with a step are fixed times too.
    let next = ["2026-10-24T22:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"];
    assert_next("0 */2 * * *", "Europe/Berlin", "2026-10-24T21:00:00Z", &next);
}

#[test]
fn what_runs_every_hour_or_in_steps_runs_as_time_goes_by() {
    let from = "2026-10-24T23:59:00Z";
    let hours = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    for cron in ["0 * * * *", "0 0-23 * * *", "@hourly"] {
        assert_next(cron, "Europe/Berlin", from, &hours);
    }
    let halves = ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"];
    assert_next("*/30 * * * *", "Europe/Berlin", from, &halves);
    assert_next("*/30 2 * * *", "Europe/Berlin", from, &halves);
    // Nothing is added for a gap: the next one is an hour after the last.
    let from = "2026-03-28T23:30:00Z";
    let hours = ["2026-03-29T00:07:00Z", "2026-03-29T01:07:00Z", "2026-03-29T02:07:00Z"];
    assert_next("7 * * * *", "Europe/Berlin", from, &hours);
    for (from, to) in [
        ("2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z"),
    ] {
        let minutes = (at(to).0 - at(from).0) / 60_000;
        let ticks = after(&of_cron("* * * * *", "Europe/Berlin"), at(from), minutes as usize);
        assert!(ticks.iter().zip(1..).all(|(tick, n)| tick.0 == at(from).0 + n * 60_000));
    }
}

#[test]
fn midnights_that_are_skipped_or_repeated() {
    // Cairo, 24 April 2026: 00:00 to 01:00 is skipped, at 22:00 UTC the day before.
    let next = ["2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"];
    assert_next("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", &next);
    assert_next("0 0 24 4 *", "Africa/Cairo", "2026-01-01T00:00:00Z", &next[..1]);
    // And 30 October: 23:00 to 24:00 of the 29th is there twice.
    let next = ["2026-10-29T20:30:00Z", "2026-10-30T21:30:00Z"];
    assert_next("30 23 * * *", "Africa/Cairo", "2026-10-29T12:00:00Z", &next);
    let next = ["2026-10-29T22:00:00Z", "2026-10-30T22:00:00Z"];
    assert_next("0 0 * * *", "Africa/Cairo", "2026-10-29T12:00:00Z", &next);
    // Asuncion, 1 October 2023, and Beirut, 26 March 2023 by the change that was made: midnight.
    assert_next(
        "0 0 * * *",
        "America/Asuncion",
        "2023-09-30T12:00:00Z",
        &["2023-10-01T04:00:00Z", "2023-10-02T03:00:00Z"],
    );
    assert_next(
        "15 0 * * *",
        "Asia/Beirut",
        "2024-03-30T12:00:00Z",
        &["2024-03-30T22:00:00Z", "2024-03-31T21:15:00Z"],
    );
    // Havana: 01:00 goes back to 00:00, so midnight itself is there twice.
    assert_next(
        "0 0 * * *",
        "America/Havana",
        "2024-11-02T12:00:00Z",
        &["2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"],
    );
    assert_next(
        "0 */12 * * *",
        "America/Havana",
        "2024-11-02T17:00:00Z",
        &["2024-11-03T04:00:00Z", "2024-11-03T17:00:00Z"],
    );
    // Nuuk: 23:00 of a Saturday becomes midnight, so the time that is skipped is on another day.
    assert_next(
        "30 23 * * SAT",
        "America/Nuuk",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-04-05T00:30:00Z"],
    );
}

#[test]
fn changes_by_half_an_hour() {
    // Lord Howe, 5 October 2025: 02:00 to 02:30 is skipped at 15:30 UTC; 5 April 2026: 01:30 to
    // 02:00 is there twice.
    assert_next(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2025-10-04T12:00:00Z",
        &["2025-10-04T15:30:00Z", "2025-10-05T15:15:00Z"],
    );
    assert_next(
        "45 2 * * *",
        "Australia/Lord_Howe",
        "2025-10-04T12:00:00Z",
        &["2025-10-04T15:45:00Z", "2025-10-05T15:45:00Z"],
    );
    assert_next(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T12:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
    let minutes = [
        "2026-04-04T14:45:00Z",
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:15:00Z",
        "2026-04-04T15:30:00Z",
    ];
    assert_next("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:31:00Z", &minutes);
    // Zones that are half an hour or 45 minutes off all year.
    assert_next("0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", &["2026-01-01T03:30:00Z"]);
    assert_next("0 9 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", &["2026-01-01T03:15:00Z"]);
}

#[test]
fn a_day_that_is_skipped() {
    // Apia had no 30 December 2011: it began at 10:00 UTC, and the 31st did too.
    let next = ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"];
    assert_next("0 12 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", &next);
    assert_next(
        "0 12 30 12 *",
        "Pacific/Apia",
        "2011-01-01T00:00:00Z",
        &["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"],
    );
    assert_next(
        "0 0 * * *",
        "Pacific/Apia",
        "2011-12-29T00:00:00Z",
        &["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
    );
    let hours = after(&of_cron("@hourly", "Pacific/Apia"), at("2011-12-30T07:30:00Z"), 5);
    assert!(hours.windows(2).all(|pair| pair[0].plus(3_600_000) == pair[1]), "{hours:?}");
}

#[test]
fn a_change_in_the_past_or_in_the_far_future_counts_too() {
    // Summer time of 1986 in Berlin, and of 2090, for which the data has a rule.
    assert_next("0 12 * * *", "Europe/Berlin", "1986-07-01T00:00:00Z", &["1986-07-01T10:00:00Z"]);
    assert_next("0 12 * * *", "Europe/Berlin", "2090-07-01T00:00:00Z", &["2090-07-01T10:00:00Z"]);
    // Moscow stayed in summer time in 2011, and left it in 2014.
    let next = ["2014-10-25T08:00:00Z", "2014-10-26T09:00:00Z"];
    assert_next("0 12 * * *", "Europe/Moscow", "2014-10-25T00:00:00Z", &next);
}

/// The two days of the guide, in Berlin, as the clock on the wall shows them.
fn on_the_wall(cron: &str, day: &str) -> Vec<String> {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let day: jiff::civil::Date = day.parse().unwrap();
    let start = day.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
    let ticks = after(&of_cron(cron, "Europe/Berlin"), WallMs(start - 1), 60);
    let clocks = ticks.iter().map(|tick| {
        jiff::Timestamp::from_millisecond(tick.0).unwrap().to_zoned(zone.clone()).datetime()
    });
    let of_day = clocks.filter(|clock| clock.date() == day);
    of_day.map(|clock| format!("{:02}:{:02}", clock.hour(), clock.minute())).collect()
}

#[test]
fn the_guide_has_a_table_of_what_happens() {
    for (cron, in_march, in_october) in [
        ("30 2 * * *", vec!["03:00"], vec!["02:30"]),
        ("0,30 2 * * *", vec!["03:00"], vec!["02:00", "02:30"]),
        ("0 2,3 * * *", vec!["03:00"], vec!["02:00", "03:00"]),
        ("*/30 2 * * *", vec!["03:00"], vec!["02:00", "02:30", "02:00", "02:30"]),
    ] {
        assert_eq!(on_the_wall(cron, "2026-03-29"), in_march, "{cron}");
        assert_eq!(on_the_wall(cron, "2026-10-25"), in_october, "{cron}");
    }
    assert_eq!(on_the_wall("0 * * * *", "2026-03-29")[1..3], ["01:00", "03:00"]);
    assert_eq!(on_the_wall("0 * * * *", "2026-10-25")[1..5], ["01:00", "02:00", "02:00", "03:00"]);
    assert_eq!(on_the_wall("*/30 * * * *", "2026-03-29")[3..5], ["01:30", "03:00"]);
    assert_eq!(on_the_wall("*/30 * * * *", "2026-10-25").len(), 50);
}
