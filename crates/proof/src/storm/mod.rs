//! Real processes, really killed.
//!
//! A parent starts one worker process at a time on one database file. The worker drives the real
//! engine: it adds tasks, runs them with random outcomes, aborts, prioritises, stops and starts,
//! and tells on its standard output what was acknowledged; each run appends its task and run id to
//! a file of side effects. The parent kills it after a random time, sometimes while it still opens
//! the file, and starts the next. Then it looks at what is left.
//!
//! # Promises
//! - No acknowledged task, end or priority is lost (I-1); nothing is stored twice or from nowhere
//!   (I-2); no run has two side effects (I-4).
//! - An ended task stays as it was when it was first seen so (I-3).
//! - A run that had a side effect is in its task's attempts: it was counted before its code ran
//!   (I-10). No task loses its process more often than its budget allows.
//! - When the faults cease, every task ends (I-12), and the books balance (I-13).
//! - A storm that did no work fails.
//!
//! # Left to others
//! Power cuts: a killed process takes nothing with it that the kernel has. Several workers at once.
//!
//! Proof: `tests/storm.rs`.

mod line;
mod ledger;
mod check;
mod parent;
mod worker;

pub use ledger::Report;
pub use parent::{Plan, storm};
pub use worker::{Orders, work};

/// The database, in the folder of the storm.
const DATABASE: &str = "tasks.db";
/// The file of side effects, beside it.
const EFFECTS: &str = "effects.log";
