//! Short storms; the long ones are the program `storm`.

use tasker_core::error::Result;
use tasker_proof::storm::{Plan, storm};

fn twenty_kills(processes: u32) -> Result<()> {
    let (program, seed) = (env!("CARGO_BIN_EXE_storm").into(), u64::from(std::process::id()));
    let report = storm(Plan { program, seed, kills: 20, processes })?;
    assert!(report.violations.is_empty(), "{report}");
    Ok(())
}

#[test]
fn twenty_kills_lose_nothing_and_double_nothing() -> Result<()> {
    twenty_kills(1)
}

/// F-4 F-8
#[test]
fn twenty_kills_of_workers_that_share_a_file_lose_nothing_and_double_nothing() -> Result<()> {
    twenty_kills(3)
}
