//! Documents that are drawn from the code: the state machine, the tables of errors and of limits.
//!
//! # Promises
//! - What stands in the document is what the code says; `tests/tidy` compares them, and rewrites
//!   them if the variable `UPDATE` is set.
//!
//! Proof: `tests/tidy/rendered.rs`.

use std::fmt::Write;

use tasker_core::error::Code;
use tasker_core::state::State;
use tasker_core::transition::{
    After, EventKind, QueueEffect, RunEffect, TRANSITIONS, TransitionRule,
};

const HEAD: &str = "\
# The life of a task

Drawn from `crates/core/src/transition.rs`; to change it, change the table there and run
`UPDATE=1 cargo test -p tasker-proof --test tidy`.

Every transition is on disk before anyone is told. An ended state never changes.

```mermaid
stateDiagram-v2
";

const TABLE: &str = "\
```

| transition | code | from | to | queue | run | told | what happens |
|---|---|---|---|---|---|---|---|
";

const RESERVED: &str = "
Reserved: no version makes these transitions yet, but this one reads them.

| transition | code | from | to | queue | run | told | what happens |
|---|---|---|---|---|---|---|---|
";

const STATES: &str = "
| state | `status` | code in the file | ended | reached |
|---|---|---|---|---|
";

/// The text of `docs/state-machine.md`, from the table and the text of `core::transition`: what
/// happens is the comment of each kind.
pub fn state_machine(source: &str) -> String {
    let mut out = HEAD.to_owned();
    let comments: Vec<_> = commented(source).collect();
    TRANSITIONS.iter().filter(is_made).for_each(|rule| arrows(&mut out, rule));
    for state in State::ALL.iter().filter(|state| state.is_final()) {
        line(&mut out, format_args!("    {} --> [*]", state.as_str()));
    }
    out.push_str(TABLE);
    TRANSITIONS.iter().filter(is_made).for_each(|rule| row(&mut out, rule, &comments));
    out.push_str(RESERVED);
    let reserved = TRANSITIONS.iter().filter(|rule| rule.is_reserved);
    reserved.for_each(|rule| row(&mut out, rule, &comments));
    out.push_str(STATES);
    for state in State::ALL {
        let (word, status) = (state.as_str(), state.status().as_str());
        let ended = yes_or_no(state.is_final());
        let reached = yes_or_no(is_reached(*state));
        let code = state.code();
        line(&mut out, format_args!("| {word} | {status} | {code} | {ended} | {reached} |"));
    }
    out
}

fn is_made(rule: &&TransitionRule) -> bool {
    !rule.is_reserved
}

/// Whether a transition that is made leads there.
fn is_reached(state: State) -> bool {
    TRANSITIONS.iter().filter(is_made).any(|rule| rule.after == After::Becomes(state))
}

/// The arrows of a transition that leads to another state.
fn arrows(out: &mut String, rule: &TransitionRule) {
    let After::Becomes(to) = rule.after else { return };
    let from = rule.from.iter().filter(|state| is_reached(**state)).map(|state| state.as_str());
    for from in rule.is_entry().then_some("[*]").into_iter().chain(from) {
        line(out, format_args!("    {from} --> {}: {}", to.as_str(), word(rule)));
    }
}

fn row(out: &mut String, rule: &TransitionRule, comments: &[(String, &str)]) {
    let from: Vec<_> = rule.from.iter().map(|state| state.as_str()).collect();
    let from = if rule.is_entry() { "new".to_owned() } else { from.join(", ") };
    let to = match rule.after {
        After::Becomes(state) => state.as_str(),
        After::Stays if rule.is_of_task() => "the same",
        After::Stays => "",
        After::Removed => "removed",
    };
    let queue = match rule.queue {
        QueueEffect::Enters => "enters",
        QueueEffect::Leaves => "leaves",
        QueueEffect::Keeps => "",
    };
    let run = match rule.runs {
        RunEffect::Begins => "begins",
        RunEffect::Ends => "ends",
        RunEffect::Keeps => "",
    };
    let told = rule.events.iter().map(|event| match event {
        EventKind::Added => "added",
        EventKind::Run => "run",
        EventKind::Prioritized => "prioritized",
        EventKind::Updated => "updated",
        EventKind::Retrying => "retrying",
        EventKind::Ended => "ended",
    });
    let told = told.collect::<Vec<_>>().join(", ");
    let (word, code) = (word(rule), rule.kind.code());
    let variant = format!("{:?} = {code},", rule.kind);
    let what = comments.iter().find(|(_, text)| text.trim() == variant);
    let what = what.map_or("", |(comment, _)| comment);
    line(
        out,
        format_args!("| {word} | {code} | {from} | {to} | {queue} | {run} | {told} | {what} |"),
    );
}

/// `RequestAbort` as `request abort`.
fn word(rule: &TransitionRule) -> String {
    let mut out = String::new();
    for c in format!("{:?}", rule.kind).chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
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
    for (what, text) in commented(source) {
        if let Some((name, value)) = constant(text) {
            line(&mut out, format_args!("| {what} | {} |", written(name, value)));
        }
    }
    out
}

/// Each line below a comment for documents, after that comment without its last full stop.
fn commented(source: &str) -> impl Iterator<Item = (String, &str)> {
    let mut comment = String::new();
    source.lines().filter_map(move |text| {
        if let Some(more) = text.trim_start().strip_prefix("///") {
            comment.push_str(more);
            return None;
        }
        let what = std::mem::take(&mut comment);
        let what = what.trim().trim_end_matches('.');
        (!what.is_empty()).then(|| (what.to_owned(), text))
    })
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
    fn what_is_made_is_drawn_and_what_is_reserved_is_not() {
        let text = state_machine("    /// It entered.\n    Add = 1,\n");
        assert!(text.contains("| added | It entered |\n"), "{text}");
        let (drawing, tables) = text.split_once(TABLE).expect("the table follows the drawing");
        for rule in TRANSITIONS {
            let arrow = format!(": {}\n", word(rule));
            let is_arrow = !rule.is_reserved && matches!(rule.after, After::Becomes(_));
            assert_eq!(drawing.contains(&arrow), is_arrow, "{arrow}");
            assert!(tables.contains(&format!("| {} | {} |", word(rule), rule.kind.code())));
        }
    }
}
