//! After so many failures nothing starts for a time; then a few runs are tried.
//!
//! # Promises
//! - Given to an executor it is the `circuitBreaker` of each operation that it runs: stored,
//!   counted over all processes, those of Node.js too.
//! - Used alone it decides by the same rules, in this process.
//!
//! Proof: the tests below, `task/tests/limits.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tasker_core::circuit::{self, Access, Circuit, GuardedRun, Moment, Phase, Verdict};
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_engine::clock::{Clock, SystemClock};

use crate::duration::ms;

/// Opens after so many failures, and lets nothing start then for a time.
///
/// ```
/// use std::time::Duration;
/// use task::CircuitBreaker;
///
/// # #[tokio::main]
/// # async fn main() {
/// let minute = Duration::from_secs(60);
/// let breaker = CircuitBreaker::new(2, minute, minute);
/// for _ in 0..2 {
///     let failed = breaker.call(async { Err::<(), _>("HTTP 503") }).await;
///     assert_eq!(failed, Some(Err("HTTP 503")));
/// }
/// assert!(breaker.is_open());
/// assert_eq!(breaker.call(async { Ok::<_, &str>("never asked") }).await, None);
/// # }
/// ```
pub struct CircuitBreaker {
    rule: circuit::CircuitBreaker,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    circuit: Option<Circuit>,
    /// How often something has happened to it.
    batch: u64,
    /// Runs that have begun.
    begun: u64,
}

impl CircuitBreaker {
    /// Opens with so many failures within a time, and stays open for a time. Then one run is tried,
    /// which closes it again, or opens it anew. Each is at least 1, the times in milliseconds.
    pub fn new(failures: u32, within: Duration, open_for: Duration) -> Self {
        let rule = circuit::CircuitBreaker {
            failures: failures.max(1),
            within_ms: ms(within).max(1),
            open_for_ms: ms(open_for).max(1),
            probes: 1,
            by: None,
            when: None,
        };
        Self { rule, state: Mutex::default(), clock: Arc::new(SystemClock::new()) }
    }

    /// Opens with 5 failures within a minute, for 30 seconds.
    pub fn with_defaults() -> Self {
        Self::new(5, Duration::from_secs(60), Duration::from_secs(30))
    }

    /// So many runs must succeed to close it again, and so many are tried at once at most; 1 by
    /// default, and at least.
    #[must_use]
    pub fn probes(mut self, probes: u32) -> Self {
        self.rule.probes = probes.max(1);
        self
    }

    #[cfg(test)]
    fn by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// As the engine keeps it for an operation.
    ///
    /// # Errors
    /// `Invalid` for more than the engine counts.
    pub(crate) fn stored(&self) -> Result<circuit::CircuitBreaker> {
        circuit::CircuitBreaker::read(&self.rule.to_json(), "circuitBreaker")
    }

    /// Runs a future if the circuit lets it, and counts how it ends; nothing if the circuit is
    /// open. A future that is dropped, or panics, counts for nothing.
    pub async fn call<T, E>(
        &self,
        run: impl Future<Output = std::result::Result<T, E>>,
    ) -> Option<std::result::Result<T, E>> {
        let mut begun = self.begin()?;
        let ended = run.await;
        begun.verdict = if ended.is_ok() { Verdict::Succeeded } else { Verdict::Failed };
        Some(ended)
    }

    /// Whether nothing may start just now.
    pub fn is_open(&self) -> bool {
        let mut state = self.state.lock();
        matches!(self.access(&mut state), Access::Until(_) | Access::Probing)
    }

    fn access(&self, state: &mut State) -> Access {
        let now = self.clock.now().wall;
        let moment = Moment { now, batch: state.batch, from: 0 };
        if state.circuit.as_ref().is_some_and(|circuit| self.rule.is_too_far(circuit, now))
            && let Some(circuit) = state.circuit.as_mut()
        {
            // The clock was set back.
            circuit.phase = Phase::Open(now.plus(self.rule.open_for_ms));
        }
        self.rule.access(self.rule.known(state.circuit.as_ref(), moment), now)
    }

    fn begin(&self) -> Option<Begun<'_>> {
        let mut state = self.state.lock();
        if matches!(self.access(&mut state), Access::Until(_) | Access::Probing) {
            return None;
        }
        let moment = self.next(&mut state);
        state.begun += 1;
        let (seq, now) = (Seq(state.begun), moment.now);
        let known = self.rule.known(state.circuit.as_ref(), moment);
        if let Some((circuit, _)) = self.rule.start(known, seq, now) {
            state.circuit = Some(circuit);
        }
        let run = GuardedRun { seq, began: Some(moment.batch) };
        Some(Begun { breaker: self, run, verdict: Verdict::Nothing })
    }

    fn next(&self, state: &mut State) -> Moment {
        state.batch += 1;
        Moment { now: self.clock.now().wall, batch: state.batch, from: 0 }
    }
}

/// A run that counts when it is over.
struct Begun<'b> {
    breaker: &'b CircuitBreaker,
    run: GuardedRun,
    verdict: Verdict,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let rule = &self.breaker.rule;
        let mut state = self.breaker.state.lock();
        let moment = self.breaker.next(&mut state);
        let known = rule.known(state.circuit.as_ref(), moment);
        if let Some((circuit, _)) = rule.settle(known, self.run, self.verdict, moment) {
            state.circuit = Some(circuit);
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self::with_defaults()
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CircuitBreaker({})", self.rule.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tasker_engine::virtual_clock::VirtualClock;

    const SECOND: Duration = Duration::from_secs(1);

    async fn fail(breaker: &CircuitBreaker) -> bool {
        breaker.call(async { Err::<(), _>(()) }).await.is_some()
    }

    async fn succeed(breaker: &CircuitBreaker) -> bool {
        breaker.call(async { Ok::<_, ()>(()) }).await.is_some()
    }

    #[tokio::test]
    async fn it_opens_tries_one_run_and_closes_again() {
        let clock = Arc::new(VirtualClock::new());
        let breaker = CircuitBreaker::new(2, 10 * SECOND, 5 * SECOND);
        let breaker = breaker.by(Arc::<VirtualClock>::clone(&clock));
        assert!(fail(&breaker).await && succeed(&breaker).await && !breaker.is_open());
        assert!(fail(&breaker).await && breaker.is_open());
        assert!(!succeed(&breaker).await, "nothing starts");
        clock.advance(5_000);
        assert!(fail(&breaker).await && breaker.is_open(), "the run that is tried opens it anew");
        clock.advance(5_000);
        let first = breaker.begin().unwrap();
        assert!(breaker.is_open(), "one run is tried, no second beside it");
        drop(first);
        assert!(succeed(&breaker).await, "a run that was dropped gives its place back");
        assert!(fail(&breaker).await && !breaker.is_open(), "it is closed, and counts from anew");
    }

    #[tokio::test]
    async fn failures_that_lie_apart_do_not_open_it() {
        let clock = Arc::new(VirtualClock::new());
        let breaker = CircuitBreaker::new(2, SECOND, SECOND);
        let breaker = breaker.by(Arc::<VirtualClock>::clone(&clock));
        for _ in 0..3 {
            assert!(fail(&breaker).await);
            clock.advance(1_000);
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn it_is_stored_as_the_engine_reads_it() {
        let stored = CircuitBreaker::with_defaults().probes(2).stored().unwrap();
        let text = r#"{"failures":5,"within":60000,"openFor":30000,"probes":2}"#;
        assert_eq!(stored.to_json(), text);
        assert!(CircuitBreaker::new(5_000, SECOND, SECOND).stored().is_err());
    }
}
