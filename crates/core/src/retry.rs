//! Whether a task is tried again after a run, and when.
//!
//! # Promises
//! - What follows from a run depends on how it settled, on the signal that fired, on the policy of
//!   its task, on the failures before, and on nothing else: a turn that is planned again comes to
//!   the same. The random part of a pause comes from the id of the run.
//! - Failures are counted, losses are not: a task with one attempt survives a crash.
//! - What cannot be stored, and what its runner calls unrecoverable, is final.
//!
//! # Left to others
//! Losses have a budget of their own: `rules::loss`.
//!
//! Proof: the tests below, `proof/tests/engine/retries.rs`, `conformance::interplay`.

use crate::argument;
use crate::backoff::{Backoff, BackoffKind, RetryPolicy};
use crate::error::{Error, Result};
use crate::id::RunId;
use crate::limits;
use crate::members::Members;
use crate::rules::{self, Settlement};
use crate::task::{AbortReason, AttemptEnd, AttemptError, Cause, TaskEnd};

/// What is known of a task whose run is over.
#[derive(Clone, Copy, Debug)]
pub struct Tries<'t> {
    /// What its definition says.
    pub policy: Option<&'t RetryPolicy>,
    /// Failures before this run.
    pub failures: u32,
    /// The run.
    pub run: RunId,
}

/// What follows from a run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterRun {
    /// The task ends.
    End(TaskEnd),
    /// Another run follows.
    Again(Again),
}

/// Another run follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// How this one ended: failed, aborted by its timeout, or snoozed.
    pub end: AttemptEnd,
    /// Its error, if it failed or was aborted.
    pub error: Option<AttemptError>,
    /// How long to wait for the next one, in milliseconds.
    pub delay_ms: u64,
}

/// What follows from a run that has settled so.
pub fn after_run(settled: Settlement, fired: Option<&AbortReason>, tries: Tries<'_>) -> AfterRun {
    let (is_final, pause_ms) = match &settled {
        Settlement::Returned(_) | Settlement::Unstorable(_) | Settlement::Unrecoverable(_) => {
            (true, None)
        }
        Settlement::Threw(_) => (false, None),
        Settlement::RetryLater(_, ms) | Settlement::Snoozed(ms) => (false, Some(*ms)),
    };
    match rules::outcome(settled, fired) {
        None => {
            let delay_ms = pause_ms.unwrap_or_default();
            AfterRun::Again(Again { end: AttemptEnd::Snoozed, error: None, delay_ms })
        }
        Some(end) if is_final => AfterRun::End(end),
        Some(end) => tries.follow(end, pause_ms),
    }
}

impl Tries<'_> {
    /// What follows from a run that would end its task so. `pause_ms` is the pause that its runner
    /// asked for.
    pub fn follow(&self, end: TaskEnd, pause_ms: Option<u64>) -> AfterRun {
        let Some(policy) = self.policy else { return AfterRun::End(end) };
        let (how, is_retried) = match &end {
            TaskEnd::Failed(Cause::Error, _) => (AttemptEnd::Failed, policy.on_error),
            TaskEnd::Aborted(Cause::RunTimeout, _) => (AttemptEnd::Aborted, policy.on_timeout),
            TaskEnd::Done(_) | TaskEnd::Failed(..) | TaskEnd::Aborted(..) => {
                return AfterRun::End(end);
            }
        };
        if is_retried { self.again(policy, (end, how), pause_ms) } else { AfterRun::End(end) }
    }

    /// What follows from a run of an executor outside of which nothing was heard in time: another
    /// one as long as there are attempts left, whatever else the policy says.
    pub fn follow_lease(&self) -> AfterRun {
        let text = "nothing was heard of the executor in time";
        let end = TaskEnd::Failed(Cause::Lease, rules::engine_error("LeaseError", text));
        match self.policy {
            Some(policy) => self.again(policy, (end, AttemptEnd::Failed), None),
            None => AfterRun::End(end),
        }
    }

    fn again(
        &self,
        policy: &RetryPolicy,
        (end, how): (TaskEnd, AttemptEnd),
        pause_ms: Option<u64>,
    ) -> AfterRun {
        let failures = self.failures.saturating_add(1);
        if failures >= policy.attempts {
            return AfterRun::End(end);
        }
        let pause = || policy.backoff.map_or(0, |backoff| backoff.pause_ms(failures, self.run));
        let delay_ms = pause_ms.unwrap_or_else(pause);
        AfterRun::Again(Again { end: how, error: AttemptError::of(&end).map(bounded), delay_ms })
    }
}

/// The error of an attempt as it is kept when another one follows.
fn bounded(AttemptError { cause, error }: AttemptError) -> AttemptError {
    AttemptError { cause, error: rules::attempt_error(error) }
}

/// Reads what a user gives for `retry`: how many attempts, or an object.
///
/// # Errors
/// `Invalid` with the path of the member.
pub fn read(text: &str, path: &str) -> Result<RetryPolicy> {
    if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        let attempts = attempts(text, path)?;
        return Ok(RetryPolicy { attempts, backoff: None, on_error: true, on_timeout: false });
    }
    let wrong = "must be a number of attempts, or { attempts, backoff, on }";
    let mut members = Members::read(text, path, wrong)?;
    let attempts = members.required("attempts", attempts)?;
    let backoff = members.optional("backoff", read_backoff)?;
    let on = members.optional("on", read_on)?;
    members.end("attempts, backoff, on")?;
    let (on_error, on_timeout) = on.unwrap_or((true, false));
    Ok(RetryPolicy { attempts, backoff, on_error, on_timeout })
}

fn attempts(text: &str, path: &str) -> Result<u32> {
    argument::count(text, path, limits::RETRY_ATTEMPTS_MAX)
}

fn read_backoff(text: &str, path: &str) -> Result<Backoff> {
    let mut members = Members::read(text, path, "must be { type, delay, factor, max, jitter }")?;
    let word = |text: &str, path: &str| argument::word(text, path, &BackoffKind::WORDS);
    let kind = members.required("type", word)?;
    let delay_ms = members.required("delay", argument::duration)?;
    let factor = members.optional("factor", |text, path| factor(text, path, kind))?;
    let max_ms = members.optional("max", argument::duration)?;
    let jitter = members.optional("jitter", |text, path| {
        number(text, path, |n| (0.0..=1.0).contains(&n), "must be a number from 0 to 1")
    })?;
    members.end("type, delay, factor, max, jitter")?;
    Ok(Backoff { kind, delay_ms, factor, max_ms, jitter: jitter.unwrap_or(0.0) })
}

fn factor(text: &str, path: &str, kind: BackoffKind) -> Result<f64> {
    match kind {
        BackoffKind::Fixed | BackoffKind::Fibonacci => {
            Err(Error::invalid(path, "goes with the types linear and exponential only"))
        }
        BackoffKind::Linear => number(text, path, |n| n >= 0.0, "must be a number from 0 on"),
        BackoffKind::Exponential => number(text, path, |n| n >= 1.0, "must be a number from 1 on"),
    }
}

fn number(text: &str, path: &str, is_right: fn(f64) -> bool, wrong: &str) -> Result<f64> {
    let read = serde_json::from_str::<f64>(text).ok().filter(|n| is_right(*n));
    read.ok_or_else(|| Error::invalid(path, wrong))
}

/// Whether errors are retried, and whether timeouts are.
fn read_on(text: &str, path: &str) -> Result<(bool, bool)> {
    let words = argument::split(text, path)?;
    if words.is_empty() {
        return Err(Error::invalid(path, "must name error or timeout; say attempts: 1 for none"));
    }
    let mut on = (false, false);
    for (index, word) in words.iter().enumerate() {
        let path = format!("{path}[{index}]");
        match argument::word(word.get(), &path, &[("error", false), ("timeout", true)])? {
            false => on.0 = true,
            true => on.1 = true,
        }
    }
    Ok(on)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::task::Json;

    const RUN: RunId = RunId(Uuid::from_u128(7));

    fn policy(text: &str) -> RetryPolicy {
        read(text, "retry").unwrap()
    }

    fn pauses(backoff: &str) -> Vec<u64> {
        let backoff = policy(&format!(r#"{{"attempts":9,"backoff":{backoff}}}"#)).backoff.unwrap();
        (1..=6).map(|failures| backoff.pause_ms(failures, RUN)).collect()
    }

    #[test]
    fn pauses_grow_as_their_type_says() {
        assert_eq!(pauses(r#"{"type":"fixed","delay":10}"#), [10; 6]);
        assert_eq!(pauses(r#"{"type":"linear","delay":10}"#), [10, 20, 30, 40, 50, 60]);
        assert_eq!(pauses(r#"{"type":"linear","delay":10,"factor":0.5}"#)[..3], [10, 15, 20]);
        assert_eq!(pauses(r#"{"type":"exponential","delay":10}"#), [10, 20, 40, 80, 160, 320]);
        assert_eq!(pauses(r#"{"type":"exponential","delay":10,"factor":3}"#)[..3], [10, 30, 90]);
        assert_eq!(pauses(r#"{"type":"fibonacci","delay":"10ms"}"#), [10, 10, 20, 30, 50, 80]);
        let capped = pauses(r#"{"type":"exponential","delay":10,"max":50}"#);
        assert_eq!(capped, [10, 20, 40, 50, 50, 50]);
    }

    #[test]
    fn a_pause_never_passes_the_longest_duration() {
        for kind in ["linear", "exponential", "fibonacci"] {
            let text = format!(
                r#"{{"attempts":1000000,"backoff":{{"type":"{kind}","delay":{}}}}}"#,
                limits::DURATION_MS_MAX
            );
            let pause = policy(&text).backoff.unwrap().pause_ms(999_999, RUN);
            assert_eq!(pause, limits::DURATION_MS_MAX, "{kind}");
        }
    }

    #[test]
    fn chance_takes_its_part_and_is_the_same_for_the_same_run() {
        let text = r#"{"attempts":9,"backoff":{"type":"fixed","delay":1000,"jitter":0.5}}"#;
        let backoff = policy(text).backoff.unwrap();
        let pause = |run: u128| backoff.pause_ms(1, RunId(Uuid::from_u128(run)));
        let all: Vec<u64> = (0..1_000).map(pause).collect();
        assert!(all.iter().all(|ms| (500..=1000).contains(ms)), "{all:?}");
        assert!(all.iter().any(|ms| *ms < 600) && all.iter().any(|ms| *ms > 900), "{all:?}");
        assert_eq!(all, (0..1_000).map(pause).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "1",
            r#"{"attempts":3,"on":["timeout"]}"#,
            r#"{"attempts":3,"on":["error","timeout"]}"#,
            r#"{"attempts":3,"backoff":{"type":"linear","delay":"2s","factor":0.1,"jitter":1}}"#,
            r#"{"attempts":3,"backoff":{"type":"fibonacci","delay":"2s","max":"1m"}}"#,
            r#"{"attempts":3,"backoff":{"type":"exponential","delay":7,"factor":1e9}}"#,
        ] {
            let read_once = policy(text);
            assert_eq!(policy(&read_once.to_json()), read_once, "{text}");
        }
        assert_eq!(policy("4").to_json(), r#"{"attempts":4,"on":["error"]}"#);
    }

    #[test]
    fn every_wrong_member_is_named() {
        for (text, path) in [
            ("null", "retry"),
            ("true", "retry"),
            (r#""3""#, "retry"),
            ("[]", "retry"),
            ("0", "retry"),
            ("-1", "retry"),
            ("1.5", "retry"),
            ("1000001", "retry"),
            ("{}", "retry.attempts"),
            (r#"{"attempts":"3"}"#, "retry.attempts"),
            (r#"{"attempts":0}"#, "retry.attempts"),
            (r#"{"attempts":3,"delay":1}"#, "retry.delay"),
            (r#"{"attempts":3,"on":"error"}"#, "retry.on"),
            (r#"{"attempts":3,"on":[]}"#, "retry.on"),
            (r#"{"attempts":3,"on":["error","lost"]}"#, "retry.on[1]"),
            (r#"{"attempts":3,"backoff":1000}"#, "retry.backoff"),
            (r#"{"attempts":3,"backoff":{"delay":1}}"#, "retry.backoff.type"),
            (r#"{"attempts":3,"backoff":{"type":"cubic","delay":1}}"#, "retry.backoff.type"),
            (r#"{"attempts":3,"backoff":{"type":"fixed"}}"#, "retry.backoff.delay"),
            (r#"{"attempts":3,"backoff":{"type":"fixed","delay":0}}"#, "retry.backoff.delay"),
            (
                r#"{"attempts":3,"backoff":{"type":"fixed","delay":1,"factor":2}}"#,
                "retry.backoff.factor",
            ),
            (
                r#"{"attempts":3,"backoff":{"type":"exponential","delay":1,"factor":0.5}}"#,
                "retry.backoff.factor",
            ),
            (
                r#"{"attempts":3,"backoff":{"type":"fixed","delay":1,"jitter":1.1}}"#,
                "retry.backoff.jitter",
            ),
            (
                r#"{"attempts":3,"backoff":{"type":"fixed","delay":1,"max":false}}"#,
                "retry.backoff.max",
            ),
            (r#"{"attempts":3,"backoff":{"type":"fixed","delay":1,"x":1}}"#, "retry.backoff.x"),
        ] {
            let error = read(text, "retry").unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}: {error}");
        }
    }

    fn json() -> Json {
        Json::trusted("{}")
    }

    /// What follows from a settlement, under a policy and after so many failures.
    fn after(settled: Settlement, fired: Option<Cause>, text: &str, failures: u32) -> AfterRun {
        let fired = fired.map(|cause| AbortReason { cause, reason: json() });
        let policy = policy(text);
        let tries = Tries { policy: Some(&policy), failures, run: RUN };
        after_run(settled, fired.as_ref(), tries)
    }

    fn again(after: AfterRun) -> Option<(AttemptEnd, u64)> {
        match after {
            AfterRun::Again(again) => Some((again.end, again.delay_ms)),
            AfterRun::End(_) => None,
        }
    }

    #[test]
    fn a_throw_is_retried_until_its_attempts_are_used_up() {
        let threw = || Settlement::Threw(json());
        for failures in [0, 1] {
            let expected = Some((AttemptEnd::Failed, 0));
            assert_eq!(again(after(threw(), None, "3", failures)), expected);
        }
        let failed = AfterRun::End(TaskEnd::Failed(Cause::Error, json()));
        assert_eq!(after(threw(), None, "3", 2), failed);
        assert_eq!(after(threw(), None, r#"{"attempts":3,"on":["timeout"]}"#, 0), failed);
        let none = Tries { policy: None, failures: 0, run: RUN };
        assert_eq!(after_run(threw(), None, none), failed);
    }

    #[test]
    fn what_is_final_is_not_retried() {
        for settled in [
            Settlement::Returned(None),
            Settlement::Unstorable(json()),
            Settlement::Unrecoverable(json()),
        ] {
            assert_eq!(again(after(settled.clone(), None, "3", 0)), None, "{settled:?}");
        }
        for cause in [Cause::User, Cause::Signal, Cause::Stop] {
            let on = r#"{"attempts":3,"on":["error","timeout"]}"#;
            let aborted = AfterRun::End(TaskEnd::Aborted(cause, json()));
            assert_eq!(after(Settlement::Threw(json()), Some(cause), on, 0), aborted);
            assert_eq!(after(Settlement::Snoozed(5), Some(cause), on, 0), aborted);
        }
    }

    #[test]
    fn a_timeout_is_retried_only_if_the_policy_says_so() {
        let threw = || Settlement::Threw(json());
        let timeout = Some(Cause::RunTimeout);
        assert_eq!(again(after(threw(), timeout, "3", 0)), None);
        let on = r#"{"attempts":3,"on":["timeout"]}"#;
        assert_eq!(again(after(threw(), timeout, on, 0)), Some((AttemptEnd::Aborted, 0)));
        assert_eq!(again(after(Settlement::Returned(None), timeout, on, 0)), None);
        let last = AfterRun::End(TaskEnd::Aborted(Cause::RunTimeout, json()));
        assert_eq!(after(threw(), timeout, on, 2), last);
    }

    #[test]
    fn a_runner_may_choose_its_pause_and_a_snooze_is_no_failure() {
        let later = || Settlement::RetryLater(json(), 70);
        assert_eq!(again(after(later(), None, "3", 1)), Some((AttemptEnd::Failed, 70)));
        assert_eq!(again(after(later(), None, "3", 2)), None);
        let snoozed = Some((AttemptEnd::Snoozed, 70));
        assert_eq!(again(after(Settlement::Snoozed(70), None, "1", 9)), snoozed);
    }

    #[test]
    fn a_lease_that_is_over_is_a_failure_whatever_the_policy_is_on() {
        let run = RunId(Uuid::from_u128(7));
        let policy = read(r#"{"attempts":2,"on":["timeout"]}"#, "retry").unwrap();
        let tries = |failures| Tries { policy: Some(&policy), failures, run };
        assert!(matches!(tries(0).follow_lease(), AfterRun::Again(again) if again.delay_ms == 0));
        for tries in [tries(1), Tries { policy: None, failures: 0, run }] {
            let end = tries.follow_lease();
            assert!(matches!(end, AfterRun::End(TaskEnd::Failed(Cause::Lease, _))), "{end:?}");
        }
    }
}
