//! Taste as a test, over the whole repository.
//!
//! # Promises
//! - Bounds on functions, files and lines; one word per idea; no leftovers; no machine's own paths.
//! - Who may import whom, who owns which foreign crate, in which order modules stand.
//! - What a document says about the code is there: codes, limits, states, invariants, proofs.
//!
//! Nothing here is skipped for old files: there are none.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says so when it cannot go on")]

mod assertions;
mod borders;
mod bridge;
mod clocks;
mod crates;
mod documents;
mod rendered;
mod repository;
mod size;
mod source;
mod statements;
mod words;

/// Fails with all the faults at once, one to a line.
fn verdict(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
