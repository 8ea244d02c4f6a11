//! Every limit at, below and above (I-17). What the border bounds is tried in `__test__/contract`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use tasker_core::argument;
use tasker_core::circuit::CircuitBreaker;
use tasker_core::definition::{self, Defaults, Operations};
use tasker_core::error::{Code, Error, Result};
use tasker_core::hold::HoldQuery;
use tasker_core::limits;
use tasker_core::query::{Query, Sort};
use tasker_core::schedule::{ScheduleSpec, next_times};

/// Below and at the limit it is taken; above, refused with this code and path.
fn bounded<T>(max: usize, code: Code, path: &str, take: impl Fn(usize) -> Result<T>) {
    assert!(take(max - 1).is_ok(), "{path}: below {max}");
    assert!(take(max).is_ok(), "{path}: at {max}");
    let Err(error) = take(max + 1) else { unreachable!("{path}: above {max}") };
    assert_eq!((error.code(), error.facts().path.as_deref()), (code, Some(path)), "{error}");
}

fn read_task(text: &str) -> Result<()> {
    definition::task(text, &Defaults::default(), &mut Operations::default()).map(|_| ())
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn data_is_bounded_in_bytes() {
    bounded(limits::DATA_BYTES_MAX, Code::TooLarge, "data", |bytes| {
        read_task(&format!(r#"{{"operation":"a","data":"{}"}}"#, "x".repeat(bytes - 2)))
    });
}

#[test]
fn the_query_of_a_hold_is_bounded_in_bytes() {
    bounded(limits::HOLD_QUERY_BYTES_MAX, Code::TooLarge, "query", |bytes| {
        HoldQuery::read(&format!(r#"{{"label":"{}"}}"#, "x".repeat(bytes - 12)))
    });
}

#[test]
fn the_query_of_a_circuit_breaker_is_bounded_in_bytes() {
    bounded(limits::CIRCUIT_WHEN_BYTES_MAX, Code::TooLarge, "x.when", |bytes| {
        let when = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        let text = format!(r#"{{"failures":1,"within":1,"openFor":1,"when":{when}}}"#);
        CircuitBreaker::read(&text, "x")
    });
}

#[test]
fn the_numbers_of_a_circuit_breaker_are_bounded() {
    let read = |failures, within, open_for, probes| {
        let numbers = format!(r#""failures":{failures},"within":{within},"openFor":{open_for}"#);
        CircuitBreaker::read(&format!(r#"{{{numbers},"probes":{probes}}}"#), "x")
    };
    let ms_max = limits::CIRCUIT_MS_MAX as usize;
    bounded(limits::CIRCUIT_FAILURES_MAX as usize, Code::Invalid, "x.failures", |n| {
        read(n, 1, 1, 1)
    });
    bounded(ms_max, Code::Invalid, "x.within", |ms| read(1, ms, 1, 1));
    bounded(ms_max, Code::Invalid, "x.openFor", |ms| read(1, 1, ms, 1));
    bounded(limits::CIRCUIT_PROBES_MAX as usize, Code::Invalid, "x.probes", |n| read(1, 1, 1, n));
}

#[test]
fn a_cron_is_bounded_in_bytes() {
    bounded(limits::CRON_BYTES_MAX, Code::TooLarge, "cron", |bytes| {
        let cron = format!("0{} 9 * * *", " ".repeat(bytes - 9));
        ScheduleSpec::read(&format!(r#"{{"cron":"{cron}","task":{{}}}}"#))
    });
}

#[test]
fn the_interval_of_a_schedule_is_bounded() {
    let read = |ms: u64| ScheduleSpec::read(&format!(r#"{{"every":{ms},"task":{{}}}}"#));
    for (ms, is_taken) in [
        (limits::SCHEDULE_EVERY_MS_MIN - 1, false),
        (limits::SCHEDULE_EVERY_MS_MIN, true),
        (limits::DURATION_MS_MAX, true),
        (limits::DURATION_MS_MAX + 1, false),
    ] {
        let refused = read(ms).err().map(|error| (error.code(), error.facts().path.clone()));
        let expected = (!is_taken).then(|| (Code::Invalid, Some("every".to_owned())));
        assert_eq!(refused, expected, "{ms}");
    }
}

#[test]
fn the_times_that_one_call_looks_at_are_bounded() {
    let read =
        |count: usize| next_times(&format!(r#"{{"cron":"* * * * *","count":{count},"from":0}}"#));
    bounded(limits::NEXT_TIMES_MAX as usize, Code::Invalid, "count", read);
}

#[test]
fn data_is_bounded_in_depth() {
    bounded(limits::JSON_DEPTH_MAX, Code::TooLarge, "data", |levels| {
        read_task(&format!(r#"{{"operation":"a","data":{}}}"#, nested(levels)))
    });
}

#[test]
fn a_result_and_an_error_are_bounded_in_bytes() {
    for max in [limits::RESULT_BYTES_MAX, limits::ERROR_BYTES_MAX] {
        bounded(max, Code::TooLarge, "result", |bytes| {
            argument::payload(&format!("\"{}\"", "x".repeat(bytes - 2)), "result", max)
        });
    }
}

#[test]
fn the_name_of_an_operation_is_bounded() {
    bounded(limits::OPERATION_BYTES_MAX, Code::TooLarge, "operation", |bytes| {
        read_task(&format!(r#"{{"operation":"{}"}}"#, "o".repeat(bytes)))
    });
}

#[test]
fn the_tasks_of_one_call_are_bounded_in_number() {
    bounded(limits::TASKS_PER_CALL_MAX, Code::TooLarge, "tasks", |count| {
        let all = vec![r#"{"operation":"a"}"#; count].join(",");
        definition::tasks(&format!("[{all}]"), &Defaults::default(), &mut Operations::default())
    });
}

#[test]
fn the_tasks_of_one_call_are_bounded_in_bytes() {
    bounded(limits::CALL_BYTES_MAX, Code::TooLarge, "tasks", |bytes| {
        let padding = " ".repeat(bytes - 2);
        definition::tasks(&format!("[{padding}]"), &Defaults::default(), &mut Operations::default())
    });
}

#[test]
fn threads_are_bounded() {
    bounded(limits::THREADS_MAX as usize, Code::Invalid, "threads", |count| {
        argument::count(&count.to_string(), "threads", limits::THREADS_MAX)
    });
    let zero = argument::count("0", "threads", limits::THREADS_MAX);
    assert_eq!(zero.map_err(|e: Error| e.code()), Err(Code::Invalid));
}

#[test]
fn a_concurrency_is_bounded() {
    bounded(limits::CONCURRENCY_MAX as usize, Code::Invalid, "concurrency", |count| {
        argument::count(&count.to_string(), "concurrency", limits::CONCURRENCY_MAX)
    });
    let zero = argument::count("0", "concurrency", limits::CONCURRENCY_MAX);
    assert_eq!(zero.map_err(|e: Error| e.code()), Err(Code::Invalid));
}

#[test]
fn a_duration_is_bounded() {
    bounded(limits::DURATION_MS_MAX as usize, Code::Invalid, "runTimeout", |ms| {
        read_task(&format!(r#"{{"operation":"a","runTimeout":{ms}}}"#))
    });
}

#[test]
fn a_unit_of_progress_is_bounded() {
    bounded(limits::PROGRESS_UNIT_BYTES_MAX, Code::TooLarge, "unit", |bytes| {
        argument::unit(&format!("\"{}\"", "u".repeat(bytes)))
    });
}

#[test]
fn a_query_is_bounded_in_nodes_and_values() {
    bounded_query(limits::QUERY_NODES_MAX, |nodes| {
        let fields: Vec<String> = (0..nodes).map(|n| format!(r#""data.f{n}":1"#)).collect();
        format!("{{{}}}", fields.join(","))
    });
    bounded_query(limits::QUERY_IN_MAX, |count| {
        let values: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        format!(r#"{{"data.n":{{"$in":[{}]}}}}"#, values.join(","))
    });
}

#[test]
fn a_query_is_bounded_in_depth() {
    bounded_query(limits::QUERY_DEPTH_MAX, |levels| {
        let inner = levels - 1;
        format!("{}{{\"seq\":1}}{}", r#"{"$and":["#.repeat(inner), "]}".repeat(inner))
    });
}

fn bounded_query(max: usize, text: impl Fn(usize) -> String) {
    assert!(Query::parse(&text(max - 1)).is_ok(), "below {max}");
    assert!(Query::parse(&text(max)).is_ok(), "at {max}");
    let refused = Query::parse(&text(max + 1)).map_err(|error| error.code());
    assert_eq!(refused.err(), Some(Code::InvalidQuery), "above {max}");
}

#[test]
fn a_sort_is_bounded() {
    let sort = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|n| format!(r#""data.f{n}":1"#)).collect();
        Sort::parse(&format!("{{{}}}", fields.join(","))).map(|_| ())
    };
    assert!(sort(limits::SORT_FIELDS_MAX).is_ok());
    let refused = sort(limits::SORT_FIELDS_MAX + 1).map_err(|error| error.code());
    assert_eq!(refused, Err(Code::InvalidQuery));
}
