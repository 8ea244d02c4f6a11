//! Limits that `ts/` checks before a text crosses the bridge are those of the core.

use tasker_core::limits;

use crate::repository::file;
use crate::verdict;

/// Where a limit stands a second time, under which name, and what the core says.
const COPIES: [(&str, &str, u64); 9] = [
    ("ts/options.ts", "OPERATION_BYTES_MAX", limits::OPERATION_BYTES_MAX as u64),
    ("ts/options.ts", "CONCURRENCY_MAX", limits::CONCURRENCY_MAX as u64),
    ("ts/options.ts", "TASKS_PER_CALL_MAX", limits::TASKS_PER_CALL_MAX as u64),
    ("ts/options.ts", "CALL_BYTES_MAX", limits::CALL_BYTES_MAX as u64),
    ("ts/query.ts", "BYTES_MAX", limits::QUERY_BYTES_MAX as u64),
    ("ts/query.ts", "IN_MAX", limits::QUERY_IN_MAX as u64),
    ("ts/run.ts", "UNIT_BYTES_MAX", limits::PROGRESS_UNIT_BYTES_MAX as u64),
    ("ts/logger.ts", "LINE_BYTES_MAX", limits::LOG_LINE_BYTES_MAX as u64),
    ("ts/calls.ts", "DURATION_MS_MAX", limits::DURATION_MS_MAX),
];

/// The product that a constant is set to, such as `64 * 1024`.
fn value(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!("const {name} = "))?;
    let factors = rest.lines().next()?.split('*');
    factors.map(|factor| factor.trim().replace('_', "").parse::<u64>().ok()).product()
}

#[test]
fn a_limit_that_stands_twice_is_the_same() {
    let copies =
        COPIES.iter().filter(|(path, name, own)| value(&file(path).text, name) != Some(*own));
    verdict(copies.map(|(path, name, own)| format!("{path}: {name} is not {own}")));
}
