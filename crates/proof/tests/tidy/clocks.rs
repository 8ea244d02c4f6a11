//! Tests wait for signals and measure nothing: what lasts how long is for a bench to print.

use crate::repository::{File, files};
use crate::source::{Language, identifiers, line_of};
use crate::verdict;

/// What reads a clock, or lets time go by.
const CLOCKS: [&str; 6] =
    ["Instant", "disallowed_methods", "elapsed", "hrtime", "performance", "sleep"];

/// What lets time go by in a script.
const TIMERS: [&str; 2] = ["setInterval", "setTimeout"];

/// Who kills at random moments, and so needs a clock but asserts nothing about it.
const STORMS: [&str; 4] = [
    "__test__/process/exits",
    "__test__/process/outbox/",
    "__test__/process/storm",
    "__test__/process/workers",
];

/// Who needs time to go by for another reason.
const OTHERS: [(&str, &str); 5] = [
    ("__test__/contract/looks.mjs", "setTimeout"), // It replaces it.
    ("__test__/border/realm.test.mjs", "performance"), // It fakes it.
    ("__test__/contract/clock.mjs", "performance"), // It replaces it.
    ("__test__/contract/options.test.mjs", "setInterval"), // It keeps the process alive.
    ("__test__/process/loop.test.mjs", "performance"), // It blocks the event loop for a while.
];

fn is_of_tests(file: &File) -> bool {
    let path = &file.path;
    path.starts_with("__test__/") || (path.starts_with("crates/") && path.contains("/tests/"))
}

#[test]
fn no_test_reads_a_clock_or_sleeps() {
    let mut faults = Vec::new();
    let tests = files().iter().filter(|file| is_of_tests(file) && !file.path.contains("/tidy/"));
    for file in tests.filter(|file| !STORMS.iter().any(|storm| file.path.starts_with(storm))) {
        let timers = if file.language == Language::Script { TIMERS.as_slice() } else { &[] };
        for (at, word) in identifiers(file.code()) {
            let is_clock = CLOCKS.contains(&word) || timers.contains(&word);
            if is_clock && !OTHERS.contains(&(&file.path, word)) {
                faults.push(format!("{}:{}: {word}", file.path, line_of(file.code(), at)));
            }
        }
    }
    verdict(faults);
}
