//! Executors: programs outside that poll for the tasks of an operation, and lease what they take.
//!
//! A task that was given out is *claimed*, and must begin within a time; then it runs, and must be
//! heard of within another one, from each report to the next. Its run is its own: no process of
//! ours owns it, so none takes it along when it dies.
//!
//! # Promises
//! - A lease that is over is a failure of the attempt whatever `retry.on` says, and a claim that is
//!   over is none.
//! - `retryOnFail` decides about what an executor reports as failed, and about nothing else.
//!
//! Proof: the tests below, `proof/tests/engine/executors.rs`, `conformance::outside`.

use std::sync::Arc;

use crate::argument;
use crate::backoff::{Backoff, BackoffKind, RetryPolicy};
use crate::error::{Error, Result};
use crate::id::RunId;
use crate::members::Members;
use crate::time::WallMs;

/// How the tasks of an operation are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executor {
    /// How long a claim may last before its task begins, in milliseconds.
    pub claim_ms: u64,
    /// How long a run may be silent, in milliseconds.
    pub lease_ms: u64,
    /// Whether what an executor reports as failed is tried again, as `retry` says.
    pub retry_on_fail: bool,
}

impl Default for Executor {
    fn default() -> Self {
        Self { claim_ms: 10_000, lease_ms: 120_000, retry_on_fail: false }
    }
}

/// The attempts of a task of which neither it nor its operation says anything.
const ATTEMPTS: u32 = 2;
/// How long it then waits for the second one, in milliseconds.
const BACKOFF_MS: u64 = 10_000;

impl Executor {
    /// Reads what a user gives: `true`, or an object.
    ///
    /// # Errors
    /// `Invalid` with the path of the member.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let usual = Self::default();
        if text == "true" {
            return Ok(usual);
        }
        let wrong = "must be true, or { claimTimeout, lease, retryOnFail }";
        let mut members = Members::read(text, path, wrong)?;
        let claim_ms = members.optional("claimTimeout", argument::duration)?;
        let lease_ms = members.optional("lease", argument::duration)?;
        let flag = |text: &str, path: &str| {
            serde_json::from_str(text).map_err(|_| Error::invalid(path, "must be true or false"))
        };
        let retry_on_fail = members.optional("retryOnFail", flag)?;
        members.end("claimTimeout, lease, retryOnFail")?;
        Ok(Self {
            claim_ms: claim_ms.unwrap_or(usual.claim_ms),
            lease_ms: lease_ms.unwrap_or(usual.lease_ms),
            retry_on_fail: retry_on_fail.unwrap_or(usual.retry_on_fail),
        })
    }

    /// The JSON text that [`Executor::read`] reads.
    pub fn to_json(&self) -> String {
        let Self { claim_ms, lease_ms, retry_on_fail } = self;
        format!(r#"{{"claimTimeout":{claim_ms},"lease":{lease_ms},"retryOnFail":{retry_on_fail}}}"#)
    }

    /// How often its tasks are tried where nobody says it.
    pub fn retry(&self) -> Arc<RetryPolicy> {
        let backoff = Backoff {
            kind: BackoffKind::Fixed,
            delay_ms: BACKOFF_MS,
            factor: None,
            max_ms: None,
            jitter: 0.0,
        };
        Arc::new(RetryPolicy {
            attempts: ATTEMPTS,
            backoff: Some(backoff),
            on_error: true,
            on_timeout: false,
        })
    }
}

/// A run that an executor outside has, or a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its identity: the executor names it in each call.
    pub run: RunId,
    /// Until when the executor must be heard of.
    pub until: WallMs,
    /// Who took it, as it calls itself.
    pub executor: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn what_was_written_comes_back_and_true_is_the_usual() {
        assert_eq!(Executor::read("true", "executor").unwrap(), Executor::default());
        assert_eq!(Executor::read("{}", "executor").unwrap(), Executor::default());
        let text = r#"{"claimTimeout":"1s","lease":7,"retryOnFail":true}"#;
        let read = Executor::read(text, "executor").unwrap();
        assert_eq!(read, Executor { claim_ms: 1_000, lease_ms: 7, retry_on_fail: true });
        assert_eq!(Executor::read(&read.to_json(), "executor").unwrap(), read);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, path) in [
            ("false", "executor"),
            ("7", "executor"),
            (r#"{"lease":0}"#, "executor.lease"),
            (r#"{"claimTimeout":false}"#, "executor.claimTimeout"),
            (r#"{"retryOnFail":1}"#, "executor.retryOnFail"),
            (r#"{"timeout":7}"#, "executor.timeout"),
        ] {
            let error = Executor::read(text, "executor").unwrap_err();
            assert_eq!((error.code(), error.facts().path.as_deref()), (Code::Invalid, Some(path)));
        }
    }
}
