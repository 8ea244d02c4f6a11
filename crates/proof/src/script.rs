//! `ts/constants.ts`, drawn from the code: what both sides of the bridge must agree on.
//!
//! # Promises
//! - No constant of the engine is written in `ts/` by hand; `tests/tidy` compares the file, and
//!   rewrites it if the variable `UPDATE` is set.
//!
//! Proof: `tests/tidy/rendered.rs`.

use std::fmt::Write;

use tasker_core::definition;
use tasker_core::operation;
use tasker_core::task::Level;

const HEAD: &str = "\
/**
 * What TypeScript needs to know of the engine before it asks it: drawn from `crates/core` and
 * `crates/sqlite`. To change it, change it there and run
 * `UPDATE=1 cargo test -p tasker-proof --test tidy`.
 */
";

/// The longest line, with its end.
const COLUMNS_MAX: usize = 101;

/// The limits that `ts/` checks before a text crosses the bridge.
const LIMITS: [&str; 13] = [
    "TASKS_PER_CALL_MAX",
    "TASKS_PER_CHUNK_MAX",
    "CALL_BYTES_MAX",
    "LOG_LINE_BYTES_MAX",
    "LOGS_PER_TASK_MAX",
    "PROGRESS_UNIT_BYTES_MAX",
    "CONCURRENCY_MAX",
    "THREADS_MAX",
    "CONDITIONS_MAX",
    "DURATION_MS_MAX",
    "QUERY_BYTES_MAX",
    "QUERY_IN_MAX",
    "PROJECTION_FIELDS_MAX",
];

/// The text of `ts/constants.ts`, from that of `core::limits` and that of `sqlite::migrate`. `None`
/// if a constant is not there.
pub fn constants(limits: &str, migrate: &str) -> Option<String> {
    let mut out = HEAD.to_owned();
    for name in LIMITS {
        out.push_str(&constant(limits, "pub const ", name)?);
    }
    out.push_str(&constant(migrate, "pub(crate) const ", "APPLICATION_ID")?);
    let levels = Level::WORDS.iter().map(|(word, _)| *word);
    list(&mut out, "The levels of log lines, the gravest first.", "LEVELS", levels);
    list(&mut out, "What `addTask` takes.", "TASK_WORDS", definition::words());
    let words = operation::words();
    list(&mut out, "What `defineOperation` and `assignRunner` take.", "OPERATION_WORDS", words);
    Some(out)
}

/// A constant with the comment above it.
fn constant(source: &str, keyword: &str, name: &str) -> Option<String> {
    let (before, rest) = source.split_once(&format!("{keyword}{name}: "))?;
    let comment = before.trim_end().rsplit('\n').next()?.strip_prefix("/// ")?;
    let (_, value) = rest.split_once(';')?.0.split_once(" = ")?;
    Some(format!("\n/** {comment} */\nexport const {name} = {value}\n"))
}

/// A list of words, on one line if it fits.
fn list(out: &mut String, comment: &str, name: &str, words: impl Iterator<Item = &'static str>) {
    let words: Vec<_> = words.map(|word| format!("'{word}'")).collect();
    let short = format!("export const {name} = [{}] as const\n", words.join(", "));
    let long = format!("export const {name} = [\n  {},\n] as const\n", words.join(",\n  "));
    let text = if short.len() <= COLUMNS_MAX { short } else { long };
    // Writing to a String cannot fail.
    let _ = write!(out, "\n/** {comment} */\n{text}");
}
