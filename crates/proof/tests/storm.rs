//! A short storm; the long one is the program `storm`.

use tasker_core::error::Result;
use tasker_proof::storm::{Plan, storm};

#[test]
fn twenty_kills_lose_nothing_and_double_nothing() -> Result<()> {
    let (program, seed) = (env!("CARGO_BIN_EXE_storm").into(), u64::from(std::process::id()));
    let report = storm(Plan { program, seed, kills: 20 })?;
    assert!(report.violations.is_empty(), "{report}");
    Ok(())
}
