//! `batch`: how many tasks of an operation one call of its runner takes, and how long it waits for
//! them.
//!
//! It concerns one runner in one process: it is not stored, and other processes do not hear of it.
//!
//! # Promises
//! - What is wrong with it is an error with the path of the member.
//!
//! # Left to others
//! Which tasks start together: `dispatch`. When: the engine.
//!
//! Proof: the tests below; `proof/tests/engine/batches.rs`.

use crate::argument;
use crate::error::{Error, Result};
use crate::limits::{BATCH_MAX, BATCH_WAIT_MS_MAX};
use crate::members::Members;

/// How a runner takes several tasks at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// At most so many, at least 2.
    pub max: u32,
    /// So many milliseconds after the first of them could start, it takes those that there are.
    pub wait_ms: u64,
}

impl Batching {
    /// Reads `{ max, wait }`.
    ///
    /// # Errors
    /// `Invalid` with the path of the member.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let mut members = Members::read(text, path, "must be { max, wait }")?;
        let max = members.required("max", max)?;
        let wait_ms = members.optional("wait", wait)?.unwrap_or(0);
        members.end("max, wait")?;
        Ok(Self { max, wait_ms })
    }
}

fn max(text: &str, path: &str) -> Result<u32> {
    let wrong = format!("must be a whole number from 2 to {BATCH_MAX}");
    let max = argument::count(text, path, BATCH_MAX).ok().filter(|max| *max > 1);
    max.ok_or_else(|| Error::invalid(path, wrong))
}

/// 0 is what nobody has to say: what can start now, starts now.
fn wait(text: &str, path: &str) -> Result<u64> {
    let ms = if text == "0" { 0 } else { argument::duration(text, path)? };
    if ms > BATCH_WAIT_MS_MAX {
        return Err(Error::invalid(path, "is longer than an hour"));
    }
    Ok(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Batching> {
        Batching::read(text, "batch")
    }

    #[test]
    fn what_is_not_said_waits_for_nothing() {
        assert_eq!(read(r#"{"max":2}"#).unwrap(), Batching { max: 2, wait_ms: 0 });
        assert_eq!(read(r#"{"max":2,"wait":0}"#).unwrap(), Batching { max: 2, wait_ms: 0 });
        let hour = Batching { max: 1_000, wait_ms: 3_600_000 };
        assert_eq!(read(r#"{"max":1000,"wait":"1h"}"#).unwrap(), hour);
    }

    #[test]
    fn what_is_wrong_has_its_path() {
        for (text, path) in [
            ("7", "batch"),
            ("{}", "batch.max"),
            (r#"{"max":1}"#, "batch.max"),
            (r#"{"max":1001}"#, "batch.max"),
            (r#"{"max":2.5}"#, "batch.max"),
            (r#"{"max":2,"wait":-1}"#, "batch.wait"),
            (r#"{"max":2,"wait":"61m"}"#, "batch.wait"),
            (r#"{"max":2,"size":3}"#, "batch.size"),
        ] {
            assert_eq!(read(text).unwrap_err().facts().path.as_deref(), Some(path), "{text}");
        }
    }
}
