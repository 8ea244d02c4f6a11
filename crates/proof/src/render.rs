//! Documents that are drawn from the code: the state machine, the tables of errors and of limits.
//!
//! # Promises
//! - What stands in the document is what the code says; `tests/tidy` compares them, and rewrites
//!   them if the variable `UPDATE` is set.
//!
//! Proof: `tests/tidy/rendered.rs`.

use std::fmt::Write;

use tasker_core::error::Code;
use tasker_core::state::{State, TRANSITIONS, Verb};

const HEAD: &str = "\
# The life of a task

Drawn from `crates/core/src/state.rs`; to change it, change the table there and run
`UPDATE=1 cargo test -p tasker-proof --test tidy`.

A task enters as `ready`. Every transition is on disk before anyone is told. An ended state never
changes.

```mermaid
stateDiagram-v2
    [*] --> ready: add
";

/// The text of `docs/state-machine.md`.
pub fn state_machine() -> String {
    let mut out = HEAD.to_owned();
    for (from, verb, to) in TRANSITIONS {
        line(
            &mut out,
            format_args!("    {} --> {}: {}", from.as_str(), to.as_str(), verb.as_str()),
        );
    }
    for state in State::ALL.iter().filter(|state| state.is_final()) {
        line(&mut out, format_args!("    {} --> [*]", state.as_str()));
    }
    out.push_str("```\n\n| from | verb | to | when |\n|---|---|---|---|\n");
    for (from, verb, to) in TRANSITIONS {
        let (from, word, to) = (from.as_str(), verb.as_str(), to.as_str());
        line(&mut out, format_args!("| {from} | {word} | {to} | {} |", when(*verb)));
    }
    out.push_str("\n| state | `status` | code in the file | ended |\n|---|---|---|---|\n");
    for state in State::ALL {
        let (word, status) = (state.as_str(), state.status().as_str());
        let ended = yes_or_no(state.is_final());
        line(&mut out, format_args!("| {word} | {status} | {} | {ended} |", state.code()));
    }
    out
}

const fn when(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "a runner is free and nothing holds the task; its attempt is counted",
        Verb::Done => "the runner returned",
        Verb::Fail => "the runner threw, or the task lost its process too often",
        Verb::Abort => "a user, a signal, a stop or a run timeout ended it",
        Verb::Postpone => "a stop gave the run back; the attempt is not counted",
        Verb::Lost => "the process of the run died; the attempt stays counted",
    }
}

/// The table of `docs/reference/errors.md`.
pub fn codes() -> String {
    let mut out = "| code | meaning | retryable |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let (name, help) = (code.as_str(), code.help());
        line(&mut out, format_args!("| `{name}` | {help} | {} |", yes_or_no(code.is_retryable())));
    }
    out
}

/// The table of `docs/reference/limits.md`, from the text of `core::limits`: each constant with the
/// comment above it.
pub fn limits(source: &str) -> String {
    let mut out = "| limit | value |\n|---|---|\n".to_owned();
    let mut comment = String::new();
    for text in source.lines() {
        if let Some(more) = text.strip_prefix("///") {
            comment.push_str(more);
        } else if let Some((name, value)) = constant(text) {
            let what = comment.trim().trim_end_matches('.');
            line(&mut out, format_args!("| {what} | {} |", written(name, value)));
            comment.clear();
        }
    }
    out
}

/// The name and the value of `pub const NAME: type = 2 * 3;`.
fn constant(text: &str) -> Option<(&str, u64)> {
    let (name, rest) = text.strip_prefix("pub const ")?.split_once(':')?;
    let (_, value) = rest.trim_end_matches(';').split_once('=')?;
    let factors = value.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok());
    Some((name, factors.product::<Option<u64>>()?))
}

fn written(name: &str, value: u64) -> String {
    let kib = 1024;
    let is_bytes = name.contains("_BYTES_");
    match value {
        _ if name.contains("_MS") => format!("{} ms", grouped(value)),
        _ if is_bytes && value.is_multiple_of(kib * kib) => format!("{} MiB", value / (kib * kib)),
        _ if is_bytes && value.is_multiple_of(kib) => format!("{} KiB", value / kib),
        _ => grouped(value),
    }
}

/// `10000` as `10,000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

const fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_for_people() {
        let source = "/// Bytes of `data`.\npub const DATA_BYTES_MAX: usize = 16 * 1024 * 1024;\n\
            /// Tasks\n/// in one call.\npub const TASKS_MAX: usize = 10_000;\n\
            /// How long.\npub const STOP_TIMEOUT_MS: u64 = 30_000;\n";
        let table = limits(source);
        assert!(table.contains("| Bytes of `data` | 16 MiB |\n"), "{table}");
        assert!(table.contains("| Tasks in one call | 10,000 |\n"), "{table}");
        assert!(table.contains("| How long | 30,000 ms |\n"), "{table}");
    }

    #[test]
    fn every_transition_is_drawn() {
        let text = state_machine();
        for (from, verb, to) in TRANSITIONS {
            let arrow = format!("{} --> {}: {}\n", from.as_str(), to.as_str(), verb.as_str());
            assert!(text.contains(&arrow), "{arrow}");
        }
    }
}
