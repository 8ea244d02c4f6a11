//! What a cron may say, and what it means where the clocks stay.

use super::*;

fn utc(cron: &str, from: &str, expected: &[&str]) {
    assert_next(cron, "UTC", from, expected);
}

fn refused(cron: &str, words: &str) {
    assert_refused(&format!(r#"{{"cron":"{cron}","task":{{}}}}"#), "cron", words);
}

fn text_of(cron: &str) -> String {
    let Rule::Cron(calendar) = of_cron(cron, "UTC").rule else { unreachable!("{cron}") };
    calendar.cron.text().to_owned()
}

/// The days of a month that a cron has.
fn days(cron: &str, month: &str) -> Vec<i8> {
    let from = format!("{month}-01T00:00:00Z").parse::<jiff::Timestamp>().unwrap();
    let date = from.to_zoned(jiff::tz::TimeZone::UTC).date();
    let count = |ticks: &WallMs| zone::date(second(*ticks) / zone::DAY);
    let ticks = after(&of_cron(cron, "UTC"), WallMs(from.as_millisecond() - 1), 40);
    let dates = ticks.iter().map(count);
    dates
        .filter(|day| (day.year(), day.month()) == (date.year(), date.month()))
        .map(|d| d.day())
        .collect()
}

#[test]
fn five_fields_begin_with_the_minute_and_six_with_the_second() {
    let from = "2026-01-01T00:00:00Z";
    utc("5 4 * * *", from, &["2026-01-01T04:05:00Z", "2026-01-02T04:05:00Z"]);
    utc("6 5 4 * * *", from, &["2026-01-01T04:05:06Z", "2026-01-02T04:05:06Z"]);
    utc("*/20 * * * * *", from, &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]);
    for cron in ["", "*", "* * * *", "* * * * * * *", "0 0 1 1 * 2027 *"] {
        refused(cron, "write 5 or 6");
    }
}

#[test]
fn short_forms_stand_for_their_fields() {
    for (form, fields) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        (" @Annually ", "0 0 1 1 *"),
    ] {
        let ticks = |cron| after(&of_cron(cron, "Europe/Berlin"), at("2026-03-28T11:11:11Z"), 50);
        assert_eq!(ticks(form), ticks(fields), "{form}");
    }
    refused("@reboot", "there are @hourly");
    refused("@every 5m", "there are @hourly");
    refused("0 @hourly", "write 5 or 6");
}

#[test]
fn names_stand_in_their_fields_only() {
    let from = "2026-01-01T00:00:00Z";
    utc("0 0 1 feb,Apr *", from, &["2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z"]);
    utc("0 0 * * mon-WED", from, &["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"]);
    utc("0 0 1 JAN-MAR/2 *", from, &["2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
    refused("0 MON * * *", "is no hour");
    refused("0 0 JAN * *", "is no day of the month");
    refused("0 0 * FRI *", "is no month; write 1 to 12 or JAN to DEC");
    refused("0 0 * JANUARY *", "is no month");
    refused("0 0 * * MAY", "is no day of the week; write 0 to 7 or SUN to SAT");
    refused("0 0 * * MONDAY", "is no day of the week");
}

#[test]
fn sunday_is_0_and_7_and_ends_a_week() {
    let sundays = days("0 0 * * SUN", "2026-03");
    assert_eq!(sundays, [1, 8, 15, 22, 29]);
    for other in ["0", "7", "0,7", "7-7"] {
        assert_eq!(days(&format!("0 0 * * {other}"), "2026-03"), sundays, "{other}");
    }
    assert_eq!(days("0 0 * * FRI-SUN", "2026-03")[..4], [1, 6, 7, 8]);
    assert_eq!(days("0 0 * * 5-7", "2026-03"), days("0 0 * * FRI-SUN", "2026-03"));
    assert_eq!(days("0 0 * * SUN-MON", "2026-03")[..4], [1, 2, 8, 9]);
}

#[test]
fn a_day_of_the_month_or_one_of_the_week_is_enough() {
    // Vixie's rule: both are limited, so one of them is enough.
    assert_eq!(days("0 0 13 * FRI", "2026-03"), [6, 13, 20, 27]);
    assert_eq!(days("0 0 15 * FRI", "2026-03"), [6, 13, 15, 20, 27]);
    // One that is not limited does not count.
    assert_eq!(days("0 0 13 * *", "2026-03"), [13]);
    assert_eq!(days("0 0 ? * FRI", "2026-03"), [6, 13, 20, 27]);
    assert_eq!(days("0 0 13 * ?", "2026-03"), [13]);
    assert_eq!(days("0 0 */1 * FRI", "2026-03"), [6, 13, 20, 27]);
    // A step limits it.
    assert_eq!(days("0 0 */10 * MON", "2026-03"), [1, 2, 9, 11, 16, 21, 23, 30, 31]);
    refused("0 0 13 * +FRI", "is no day of the week");
}

#[test]
fn the_last_day_is_that_of_each_month() {
    let from = "2027-12-31T00:00:00Z";
    let ends = ["2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"];
    utc("0 0 L * *", from, &ends);
    assert_eq!(days("0 0 L * *", "2026-02"), [28]);
    assert_eq!(days("0 0 31,L * *", "2026-03"), [31]);
    assert_eq!(days("0 0 31,L * *", "2026-04"), [30]);
    assert_eq!(days("0 0 1,15,L * *", "2026-04"), [1, 15, 30]);
    refused("0 0 L-3 * *", "is no day of the month");
    refused("0 0 * * L", "is no day of the week");
    refused("0 L * * *", "is no hour");
    refused("0 0 L,LW * *", "make two schedules");
}

#[test]
fn the_31st_leaves_out_short_months() {
    let expected = ["2026-03-31T09:00:00Z", "2026-05-31T09:00:00Z", "2026-07-31T09:00:00Z"];
    utc("0 9 31 * *", "2026-02-01T00:00:00Z", &expected);
    utc("0 9 30 * *", "2026-02-01T00:00:00Z", &["2026-03-30T09:00:00Z"]);
    utc("0 9 31 4,5 *", "2026-01-01T00:00:00Z", &["2026-05-31T09:00:00Z"]);
}

#[test]
fn a_leap_day_comes_every_four_years_but_1900_2100_and_2200() {
    utc("0 0 29 2 *", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    utc("0 0 29 2 *", "2096-02-29T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    utc("0 0 29 2 *", "1999-01-01T00:00:00Z", &["2000-02-29T00:00:00Z"]);
    // A fifth Friday of February: 28 years apart, 12 or 40 over a century.
    let fridays = ["2064-02-29T00:00:00Z", "2092-02-29T00:00:00Z", "2104-02-29T00:00:00Z"];
    utc("0 0 * 2 FRI#5", "2037-01-01T00:00:00Z", &fridays);
}

#[test]
fn the_weekday_next_to_a_day_stays_in_its_month() {
    assert_eq!(days("0 0 15W * *", "2026-08"), [14]); // The 15th is a Saturday.
    assert_eq!(days("0 0 15W * *", "2026-03"), [16]); // A Sunday.
    assert_eq!(days("0 0 15W * *", "2026-04"), [15]); // A Wednesday.
    assert_eq!(days("0 0 1W * *", "2026-08"), [3]); // A Saturday, and no day before it.
    assert_eq!(days("0 0 31W * *", "2026-05"), [29]); // A Sunday, and no day after it.
    assert_eq!(days("0 0 31W * *", "2026-04"), Vec::<i8>::new());
    assert_eq!(days("0 0 LW * *", "2026-05"), [29]);
    assert_eq!(days("0 0 LW * *", "2026-02"), [27]);
    refused("0 0 1-5W * *", "is no day of the month");
    refused("0 0 W * *", "is no day of the month");
    refused("0 0 0W * *", "is no day of the month");
}

#[test]
fn the_nth_and_the_last_weekday_of_a_month() {
    assert_eq!(days("0 0 * * TUE#2", "2026-03"), [10]);
    assert_eq!(days("0 0 * * SUN#5", "2026-03"), [29]);
    assert_eq!(days("0 0 * * SUN#5", "2026-04"), Vec::<i8>::new());
    for last in ["5L", "5#L", "FRIL", "FRI#L"] {
        assert_eq!(days(&format!("0 0 * * {last}"), "2026-03"), [27], "{last}");
    }
    for last in ["7L", "0L", "7#L", "SUNL"] {
        assert_eq!(days(&format!("0 0 * * {last}"), "2026-03"), [29], "{last}");
    }
    assert_eq!(days("0 0 * * MON#1,MON#3", "2026-03"), [2, 16]);
    for wrong in ["MON#0", "MON#6", "MON#", "#1", "MON#-1", "1-5#2"] {
        refused(&format!("0 0 * * {wrong}"), "");
    }
}

#[test]
fn a_step_begins_at_the_start_of_its_range() {
    utc("*/25 0 1 * *", "2026-01-01T00:00:00Z", &["2026-01-01T00:25:00Z", "2026-01-01T00:50:00Z"]);
    utc(
        "10-50/20 0 1 * *",
        "2026-01-01T00:00:00Z",
        &["2026-01-01T00:10:00Z", "2026-01-01T00:30:00Z"],
    );
    utc("*/60 * * * *", "2026-01-01T00:00:00Z", &["2026-01-01T01:00:00Z"]);
    assert_eq!(days("0 0 */2 * *", "2026-02")[..3], [1, 3, 5]);
    assert_eq!(days("0 0 1 */5 *", "2026-06"), [1]);
    refused("*/0 * * * *", "write a step from 1 to 60");
    refused("*/61 * * * *", "use `every`");
    refused("*/90 * * * *", "use `every`");
    refused("0 */25 * * *", "a step from 1 to 24");
    refused("10-19/11 * * * *", "a step from 1 to 10");
    refused("5/10 * * * *", "write 5-59/10");
    refused("/10 * * * *", "a step follows * or a range");
    refused("*/-5 * * * *", "a step from 1 to 60");
    refused("*/5/5 * * * *", "a step from 1 to 60");
    refused("*/1.5 * * * *", "a step from 1 to 60");
}

#[test]
fn a_range_that_runs_backwards_is_refused_with_what_to_write() {
    refused("0 22-6 * * *", "write \"22-23,0-6\"");
    refused("0 0 * NOV-FEB *", "write \"11-12,1-2\"");
    refused("0 0 * * FRI-MON", "write \"5-7,0-1\"");
    refused("30-10 * * * *", "runs backwards");
    assert_eq!(days("0 0 * * 5-7,0-1", "2026-03")[..5], [1, 2, 6, 7, 8]);
}

#[test]
fn what_is_no_value_of_its_field_is_refused() {
    for (cron, words) in [
        ("60 * * * *", "\"60\" is no minute; write 0 to 59"),
        ("60 * * * * *", "\"60\" is no second"),
        ("0 24 * * *", "is no hour; write 0 to 23"),
        ("0 0 0 * *", "is no day of the month; write 1 to 31"),
        ("0 0 32 * *", "is no day of the month"),
        ("0 0 1 0 *", "is no month"),
        ("0 0 1 13 *", "is no month"),
        ("0 0 * * 8", "is no day of the week"),
        ("-1 * * * *", "is no minute"),
        ("1- * * * *", "is no minute"),
        ("1-2-3 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        (", * * * *", "is no minute"),
        ("1, * * * *", "is no minute"),
        ("*,5 * * * *", "is no minute"),
        ("** * * * *", "is no minute"),
        ("? * * * *", "is no minute"),
        ("0 0 * ? *", "is no month"),
        ("0 0 1,? * *", "is no day of the month"),
        ("1e1 * * * *", "is no minute"),
        ("256 * * * *", "is no minute"),
        ("١ * * * *", "is no minute"),
        ("H H * * *", "is no minute"),
    ] {
        refused(cron, words);
    }
}

#[test]
fn one_that_never_comes_is_refused() {
    for cron in ["0 0 30 2 *", "0 0 31 2 *", "0 0 31 4,6,9,11 *", "* * 31 11 *", "0 0 30W 2 *"] {
        refused(cron, "never comes");
    }
    // A day of the week is enough, so this comes.
    utc("0 0 30 2 MON", "2026-01-31T00:00:00Z", &["2026-02-02T00:00:00Z"]);
}

#[test]
fn one_spelling_comes_out() {
    assert_eq!(text_of("  0\\t9   * * mon-Fri "), "0 9 * * MON-FRI");
    assert_eq!(text_of("@Daily"), "@daily");
    assert_eq!(of_cron("0 9 * * mon", "europe/BERLIN"), of_cron("0  9 * * MON", "Europe/Berlin"));
    assert_ne!(of_cron("0 9 * * *", "Europe/Berlin"), of_cron("0 9 * * *", "Europe/Paris"));
}

#[test]
fn years_far_ahead_are_found_and_the_calendar_ends_with_9998() {
    utc("0 0 1 1 *", "5432-01-01T00:00:00Z", &["5433-01-01T00:00:00Z"]);
    utc("0 0 1 1 *", "9997-06-01T00:00:00Z", &["9998-01-01T00:00:00Z"]);
    let spec = of_cron("0 0 1 1 *", "UTC");
    for late in ["9998-06-01T00:00:00Z", "9999-06-01T00:00:00Z"] {
        assert_eq!(spec.next(WallMs(0), at(late)), None);
    }
    assert_eq!(spec.next(WallMs(0), WallMs::LAST), None);
    assert_eq!(spec.due(WallMs(0), WallMs(0), WallMs::LAST).next_at, None);
    let first = spec.next(WallMs(0), WallMs::FIRST).map(said).unwrap();
    assert!(first.starts_with("0000-12-31T") || first.starts_with("0001-"), "{first}");
}

#[test]
fn a_time_with_parts_of_a_second_is_past_its_second() {
    let spec = of_cron("* * * * * *", "UTC");
    assert_eq!(spec.next(WallMs(0), WallMs(999)), Some(WallMs(1_000)));
    assert_eq!(spec.next(WallMs(0), WallMs(1_000)), Some(WallMs(2_000)));
    assert_eq!(spec.next(WallMs(0), WallMs(-1)), Some(WallMs(0)));
    assert_eq!(spec.first(WallMs(0), WallMs(1_000)), Some(WallMs(1_000)));
    assert_eq!(spec.first(WallMs(0), WallMs(1_001)), Some(WallMs(2_000)));
}
