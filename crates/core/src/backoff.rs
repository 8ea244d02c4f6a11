//! How often a task is tried, and how long it pauses in between.
//!
//! # Promises
//! - The random part of a pause comes from the id of the run before it: planned again, it is the
//!   same.
//!
//! # Left to others
//! Reading what a user gives, and whether a task is tried again: `retry`.
//!
//! Proof: the tests of `retry`.

use std::fmt::Write;

use crate::chance::mixed;
use crate::id::RunId;
use crate::limits;

/// How often a task is tried, and how long it pauses in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all: so many failures end the task.
    pub attempts: u32,
    /// How long it pauses after a failure; not at all if absent.
    pub backoff: Option<Backoff>,
    /// Whether a throw is followed by another attempt.
    pub on_error: bool,
    /// Whether a run timeout is.
    pub on_timeout: bool,
}

/// How long the pauses are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How they grow.
    pub kind: BackoffKind,
    /// The first one, in milliseconds.
    pub delay_ms: u64,
    /// How fast they grow: that of the kind if absent.
    pub factor: Option<f64>,
    /// The longest one, in milliseconds.
    pub max_ms: Option<u64>,
    /// Which part of each is left to chance, from 0 to 1.
    pub jitter: f64,
}

// No number of it is NaN: whoever reads one refuses that.
impl Eq for Backoff {}

/// How the pauses grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackoffKind {
    /// Not at all.
    Fixed,
    /// By `factor` times the first one each; by the first one itself without.
    Linear,
    /// `factor` times as long each; twice as long without.
    Exponential,
    /// As the sum of the last two.
    Fibonacci,
}

impl BackoffKind {
    /// Every word with its kind.
    pub const WORDS: [(&str, BackoffKind); 4] = [
        ("fixed", BackoffKind::Fixed),
        ("linear", BackoffKind::Linear),
        ("exponential", BackoffKind::Exponential),
        ("fibonacci", BackoffKind::Fibonacci),
    ];

    fn as_str(self) -> &'static str {
        match self {
            BackoffKind::Fixed => "fixed",
            BackoffKind::Linear => "linear",
            BackoffKind::Exponential => "exponential",
            BackoffKind::Fibonacci => "fibonacci",
        }
    }
}

impl Backoff {
    /// The pause after so many failures, before chance has its part.
    fn base_ms(&self, failures: u32) -> f64 {
        let (delay, before) = (self.delay_ms as f64, f64::from(failures.saturating_sub(1)));
        match self.kind {
            BackoffKind::Fixed => delay,
            BackoffKind::Linear => delay * (1.0 + self.factor.unwrap_or(1.0) * before),
            BackoffKind::Exponential => delay * self.factor.unwrap_or(2.0).powf(before),
            BackoffKind::Fibonacci => delay * fibonacci(failures),
        }
    }

    /// The pause of a task after so many failures, in milliseconds; the last was that of `run`.
    pub fn pause_ms(&self, failures: u32, run: RunId) -> u64 {
        let max = self.max_ms.unwrap_or(limits::DURATION_MS_MAX) as f64;
        let base = self.base_ms(failures).min(max);
        (base * (1.0 - self.jitter * chance(run))).round() as u64
    }
}

/// 1, 1, 2, 3, 5 …
fn fibonacci(n: u32) -> f64 {
    let (mut last, mut next) = (0.0, 1.0);
    // The numbers after these pass every limit.
    for _ in 0..n.min(200) {
        (last, next) = (next, last + next);
    }
    last
}

/// A number from 0 to 1 that is as good as random, and the same for the same run.
fn chance(run: RunId) -> f64 {
    let (high, low) = run.0.as_u64_pair();
    (mixed(low ^ high.rotate_left(32)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl RetryPolicy {
    /// Its JSON text, which `retry::read` reads again: as a store keeps it and as users see it.
    pub fn to_json(&self) -> String {
        let mut text = format!(r#"{{"attempts":{}"#, self.attempts);
        if let Some(backoff) = &self.backoff {
            let Backoff { kind, delay_ms, factor, max_ms, jitter } = backoff;
            // Writing to a String cannot fail.
            let _ = write!(text, r#","backoff":{{"type":"{}","delay":{delay_ms}"#, kind.as_str());
            if let Some(factor) = factor {
                let _ = write!(text, r#","factor":{factor:?}"#);
            }
            if let Some(max) = max_ms {
                let _ = write!(text, r#","max":{max}"#);
            }
            if *jitter > 0.0 {
                let _ = write!(text, r#","jitter":{jitter:?}"#);
            }
            text.push('}');
        }
        text.push_str(match (self.on_error, self.on_timeout) {
            (true, true) => r#","on":["error","timeout"]}"#,
            (false, true) => r#","on":["timeout"]}"#,
            (true, false) | (false, false) => r#","on":["error"]}"#,
        });
        text
    }
}
