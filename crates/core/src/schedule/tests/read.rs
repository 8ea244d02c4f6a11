//! How a schedule is read and written.

use super::*;
use crate::limits;

#[test]
fn what_is_written_is_read_again() {
    for text in [
        r#"{"cron":"0 9 * * *","timezone":"UTC","overlap":"skip","missed":"once","task":{}}"#,
        concat!(
            r#"{"every":900000,"overlap":"queue","missed":"all","jitter":5,"startAt":-7,"#,
            r#""endAt":9000000,"limit":3,"task":{"operation":"a","data":{"b":[1.50,"\u00e9"]}}}"#,
        ),
        concat!(
            r#"{"cron":"@daily","timezone":"Europe/Berlin","overlap":"replace","#,
            r#""missed":"skip","task":{"x":1}}"#,
        ),
    ] {
        let spec = spec(text);
        assert_eq!(spec.text(), text);
        assert_eq!(ScheduleSpec::read(spec.text()).unwrap(), spec);
    }
}

#[test]
fn what_says_the_same_is_the_same() {
    let short = spec(r#"{"every":"15m","task":{}}"#);
    let long = r#"{"task":{},"missed":"once","jitter":false,"overlap":"skip","every":900000.0}"#;
    assert_eq!(spec(long), short);
    assert_eq!((short.overlap, short.missed), (Overlap::Skip, Missed::Once));
    assert_eq!((short.jitter_ms, short.limit), (0, None));
}

#[test]
fn the_rule_is_what_names_the_moments() {
    let one = spec(r#"{"every":"15m","task":{}}"#);
    assert!(one.has_rule_of(&spec(r#"{"every":900000,"limit":3,"task":{"a":1}}"#)));
    assert!(!one.has_rule_of(&spec(r#"{"every":900001,"task":{}}"#)));
    assert!(!one.has_rule_of(&spec(r#"{"every":"15m","startAt":7,"task":{}}"#)));
    assert!(!one.has_rule_of(&of_cron("*/15 * * * *", "UTC")));
    let cron = of_cron("0 9 * * *", "UTC");
    assert!(cron.has_rule_of(&spec(r#"{"cron":"0  9 * * *","jitter":5,"task":{}}"#)));
    assert!(!cron.has_rule_of(&of_cron("0 9 * * *", "Europe/Berlin")));
    assert!(!cron.has_rule_of(&of_cron("0 8 * * *", "UTC")));
}

#[test]
fn what_is_wrong_is_named() {
    let long = format!(r#"{{"cron":"{}","task":{{}}}}"#, "0".repeat(limits::CRON_BYTES_MAX + 1));
    let error = ScheduleSpec::read(&long).unwrap_err();
    assert_eq!((error.code(), error.facts().path.as_deref()), (Code::TooLarge, Some("cron")));
    for (text, path, words) in [
        ("7", "schedule", "must be an object"),
        (r#"{"task":{}}"#, "cron", "say `cron`"),
        (r#"{"cron":7,"task":{}}"#, "cron", "must be a string"),
        (r#"{"cron":"* * * * *","every":"1m","task":{}}"#, "every", "excludes"),
        (r#"{"every":"1m","timezone":"UTC","task":{}}"#, "timezone", "leave it out"),
        (r#"{"every":999,"task":{}}"#, "every", "at least 1000 ms"),
        (r#"{"every":0,"task":{}}"#, "every", "must be a duration"),
        (r#"{"every":"1 h","task":{}}"#, "every", "must be a duration"),
        (r#"{"every":"1h"}"#, "task", "is missing"),
        (r#"{"every":"1h","task":"a"}"#, "task", "what addTask takes"),
        (r#"{"every":"1h","task":{},"overlap":"no"}"#, "overlap", "one of skip, queue"),
        (r#"{"every":"1h","task":{},"missed":"no"}"#, "missed", "one of skip, once, all"),
        (r#"{"every":"1h","task":{},"jitter":-1}"#, "jitter", "must be a duration"),
        (r#"{"every":"1h","task":{},"limit":0}"#, "limit", "whole number from 1"),
        (r#"{"every":"1h","task":{},"limit":1.5}"#, "limit", "whole number from 1"),
        (r#"{"every":"1h","task":{},"startAt":"2026"}"#, "startAt", "must be a Date"),
        (r#"{"every":"1h","task":{},"startAt":2,"endAt":1}"#, "endAt", "is before `startAt`"),
        (r#"{"every":"1h","task":{},"id":"a"}"#, "id", "is not known; there are cron"),
        (
            r#"{"cron":"0 0 1 1 *","task":{},"startAt":86400000,"endAt":864000000}"#,
            "endAt",
            "before the first time",
        ),
        (r#"{"cron":"* * * * *","timezone":"Mars","task":{}}"#, "timezone", "time zone"),
        (r#"{"cron":"* * * * *","timezone":"","task":{}}"#, "timezone", "time zone"),
        (r#"{"cron":"* * * * *","timezone":"+02:00","task":{}}"#, "timezone", "time zone"),
        (r#"{"cron":"* * * * *","timezone":"Etc/Unknown","task":{}}"#, "timezone", "time zone"),
        (r#"{"cron":"* * * * *","timezone":2,"task":{}}"#, "timezone", "time zone"),
    ] {
        assert_refused(text, path, words);
    }
}

#[test]
fn next_times_are_a_look_at_a_cron() {
    let times = |text: &str| next_times(text).unwrap();
    assert_eq!(times(r#"{"cron":"* * * * *","from":1000}"#), "[60000,120000,180000,240000,300000]");
    let tokyo = r#"{"cron":"0 9 * * *","timezone":"Asia/Tokyo","count":2,"from":0}"#;
    assert_eq!(times(tokyo), "[86400000,172800000]");
    assert_eq!(times(r#"{"cron":"* * * * *","from":8640000000000000}"#), "[]");
    for (text, path) in [
        (r#"{"cron":"* * * *","from":0}"#, "cron"),
        ("{}", "cron"),
        (r#"{"cron":"* * * * *","timezone":"no"}"#, "timezone"),
        (r#"{"cron":"* * * * *","count":0}"#, "count"),
        (r#"{"cron":"* * * * *","count":1001}"#, "count"),
        (r#"{"cron":"* * * * *","from":"now"}"#, "from"),
        (r#"{"cron":"* * * * *"}"#, "from"),
        (r#"{"cron":"* * * * *","from":0,"to":1}"#, "to"),
    ] {
        let error = next_times(text).unwrap_err();
        assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
    }
}
