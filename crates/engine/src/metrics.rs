//! Metrics: what this process has done since it opened the handle, and how the store stands.
//!
//! [`Meters`] are counted where a turn has been committed, a few additions for each task, whether
//! anybody asks or not. [`Figures`] join them with gauges of the store and are written as JSON
//! ([`json`]) or in the text format of Prometheus ([`text`]).
//!
//! # Promises
//! - A count only grows as long as the handle is open; what was not committed is not counted.
//! - Labels come from closed lists, but for names of operations; of those so many are told by name,
//!   the others together as `_other`.
//! - Percentiles come from the counts of narrow buckets, never from averages.
//!
//! Proof: the tests of each file, `proof/tests/engine/metrics.rs`, `proof/tests/random`.

mod distribution;
pub mod json;
mod meters;
mod figures;
pub mod text;

pub use distribution::Distribution;
pub use figures::{Figures, Gauges, OperationFigures};
pub use meters::{Meters, OperationMeter, Outcome};

/// How an answer about metrics is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object of JSON, with percentiles; times in milliseconds.
    Json,
    /// The text format 0.0.4 of Prometheus, in a JSON string; times in seconds.
    Prometheus,
    /// The same for `OpenMetrics` 1.0.
    OpenMetrics,
}
