//! How often a task is tried, and how long it pauses in between.
//!
//! # Promises
//! - A policy is stored with its task as the engine's own, so that any process goes on with it;
//!   but for a custom one, which is code and holds in this process.
//!
//! Proof: the tests below, `task/tests/retries.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tasker_core::backoff;

use crate::duration::ms;
use crate::error::{Again, TaskError};

/// Decides after so many failures, 1 and more, how long to pause; nothing ends the task.
type Decide = dyn Fn(u32, &TaskError) -> Option<Duration> + Send + Sync;

/// How often a task is tried again after a failure, and how long it pauses before that.
///
/// The number is of **retries**: with 3 a task is tried four times in all. (`retry` of the Node.js
/// class counts attempts, the first one too.) A run that is lost with its process is no failure.
///
/// ```
/// use std::time::Duration;
/// use task::RetryPolicy;
///
/// let policy = RetryPolicy::exponential_backoff(3, Duration::from_secs(1))
///     .max_delay(Duration::from_secs(30))
///     .jitter(0.2);
/// ```
#[derive(Clone)]
pub struct RetryPolicy {
    retries: u32,
    /// The stored backoff; nothing where there is no pause, and where code decides.
    backoff: Option<Value>,
    on_timeout: bool,
    decide: Option<Arc<Decide>>,
}

impl RetryPolicy {
    fn kind(word: &str, retries: u32, delay: Duration) -> Self {
        let backoff = (!delay.is_zero()).then(|| json!({ "type": word, "delay": ms(delay) }));
        Self { retries, backoff, on_timeout: false, decide: None }
    }

    /// Always this pause.
    pub fn fixed(retries: u32, delay: Duration) -> Self {
        Self::kind("fixed", retries, delay)
    }

    /// Each pause is longer by the first one: 1, 2, 3, 4 … s for a second.
    pub fn linear(retries: u32, delay: Duration) -> Self {
        Self::kind("linear", retries, delay)
    }

    /// Each pause is twice as long: 1, 2, 4, 8 … s for a second.
    pub fn exponential_backoff(retries: u32, delay: Duration) -> Self {
        Self::kind("exponential", retries, delay)
    }

    /// Each pause is the sum of the last two: 1, 1, 2, 3, 5 … s for a second.
    pub fn fibonacci(retries: u32, delay: Duration) -> Self {
        Self::kind("fibonacci", retries, delay)
    }

    /// Code decides: it is given the number of failures so far, 1 and more, and the last error,
    /// and says how long to pause. `None` ends the task. Such a policy cannot be stored: it holds
    /// for the runs of this process, and another one that takes the task tries it again at once.
    pub fn custom(
        retries: u32,
        decide: impl Fn(u32, &TaskError) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        let decide: Arc<Decide> = Arc::new(decide);
        Self { retries, backoff: None, on_timeout: false, decide: Some(decide) }
    }

    /// No pause is longer than this.
    #[must_use]
    pub fn max_delay(self, most: Duration) -> Self {
        self.with("max", json!(ms(most)))
    }

    /// Which part of each pause is left to chance, from 0 to 1; 0 by default. Another number is
    /// refused when a task is added.
    #[must_use]
    pub fn jitter(self, part: f64) -> Self {
        self.with("jitter", json!(part))
    }

    /// A run that took longer than the task's timeout is tried again too; it is not by default.
    #[must_use]
    pub fn on_timeout(mut self) -> Self {
        self.on_timeout = true;
        self
    }

    fn with(mut self, word: &str, value: Value) -> Self {
        if let Some(backoff) = self.backoff.as_mut() {
            backoff[word] = value;
        }
        self
    }

    /// As the engine reads it.
    pub(crate) fn to_json(&self) -> Value {
        let mut policy = json!({ "attempts": self.retries.saturating_add(1) });
        if let Some(backoff) = &self.backoff {
            policy["backoff"] = backoff.clone();
        }
        if self.on_timeout {
            policy["on"] = json!(["error", "timeout"]);
        }
        policy
    }

    /// Whether code decides.
    pub(crate) fn is_custom(&self) -> bool {
        self.decide.is_some()
    }

    /// Whether code decides on the runs of a task that has this policy stored.
    pub(crate) fn decides(&self, stored: &backoff::RetryPolicy) -> bool {
        let attempts = self.retries.saturating_add(1);
        self.is_custom() && stored.backoff.is_none() && stored.attempts == attempts
    }

    /// What code says of the error of a run, if it has not said so itself.
    pub(crate) fn judge(&self, failures: u32, error: TaskError) -> TaskError {
        let Some(decide) = self.decide.as_ref().filter(|_| error.how_again() == Again::AsPolicy)
        else {
            return error;
        };
        let pause = decide(failures, &error);
        error.again(pause.map_or(Again::Never, Again::After))
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = if self.is_custom() { " and code" } else { "" };
        write!(f, "RetryPolicy({}{code})", self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasker_core::retry;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_engine_reads_every_kind_and_counts_the_first_attempt() {
        for (policy, text) in [
            (
                RetryPolicy::fixed(3, SECOND),
                r#"{"attempts":4,"backoff":{"delay":1000,"type":"fixed"}}"#,
            ),
            (
                RetryPolicy::linear(0, SECOND).jitter(0.5),
                r#"{"attempts":1,"backoff":{"delay":1000,"jitter":0.5,"type":"linear"}}"#,
            ),
            (
                RetryPolicy::fibonacci(1, SECOND).max_delay(2 * SECOND),
                r#"{"attempts":2,"backoff":{"delay":1000,"max":2000,"type":"fibonacci"}}"#,
            ),
            (
                RetryPolicy::fixed(1, Duration::ZERO).on_timeout(),
                r#"{"attempts":2,"on":["error","timeout"]}"#,
            ),
            (RetryPolicy::fixed(2, Duration::ZERO), r#"{"attempts":3}"#),
            (RetryPolicy::custom(2, |_, _| None), r#"{"attempts":3}"#),
        ] {
            let written = policy.to_json().to_string();
            assert_eq!(written, text);
            assert!(retry::read(&written, "retry").is_ok(), "{written}");
        }
    }

    #[test]
    fn code_decides_unless_the_error_says_so_itself() {
        let policy = RetryPolicy::custom(9, |failures, _| (failures < 2).then_some(SECOND));
        let after = |failures, error| policy.judge(failures, error).how_again();
        assert_eq!(after(1, TaskError::new("x")), Again::After(SECOND));
        assert_eq!(after(2, TaskError::new("x")), Again::Never);
        assert_eq!(after(1, TaskError::unrecoverable("x")), Again::Never);
    }
}
