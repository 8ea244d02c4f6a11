//! The queue against a brute-force oracle: a list of everything, scanned for each start.
//!
//! Random histories of adds, ends, priority changes, runners and limits, in several lanes of each
//! operation, of this process and of others; after each turn what starts must be exactly what a
//! scan of all ready tasks would start, in that order (I-6, I-7). Runs in other processes count
//! against the limit of an operation, not against that of a process. Windows are kept tiny so that
//! most tasks are known only to the store. One turn in four is not committed: then memory must say
//! of the store what it said before (D6).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod dispatch_world;

use dispatch_world::{history, live};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_starts_is_what_a_scan_of_everything_would_start(history in history()) {
        live(history);
    }
}
