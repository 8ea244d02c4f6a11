//! The leases of all executors outside: when the next one is over.
//!
//! What is stored is a moment of the wall clock, for it outlives the process. A process that has
//! seen a lease waits by its stopwatch: a wall clock that is set meanwhile ends none too early and
//! keeps none for longer than it was given. A lease that was renewed elsewhere is found to stand at
//! another moment, and is waited for anew; so a heartbeat costs nobody else anything.
//!
//! # Promises
//! - What is known of a lease is its run and where it ended then: it is over only if it still ends
//!   there.
//!
//! # Left to others
//! What follows from its end: `outside`.
//!
//! Proof: `proof/tests/engine/executors.rs`.

use rustc_hash::FxHashSet;
use tasker_core::executor::Executor;
use tasker_core::id::Seq;
use tasker_core::state::State;
use tasker_core::store::OutsideRun;
use tasker_core::time::Now;

use crate::leases::KnownLease;
use crate::memory::Memory;

impl Memory {
    /// An executor has this run, or the claim.
    pub(crate) fn learn_lease(&mut self, run: &OutsideRun, now: Now) {
        let known = self.leases.get(run.seq).filter(|known| known.run == run.lease.run).copied();
        let is_known =
            |known: KnownLease| (known.state, known.until) == (run.state, run.lease.until);
        if known.is_some_and(is_known) {
            return;
        }
        let executor = self.dispatch.executor(run.lane.operation()).unwrap_or_default();
        let Executor { claim_ms, lease_ms, .. } = executor;
        let whole_ms = if run.state == State::Claimed { claim_ms } else { lease_ms };
        let until = run.lease.until;
        // No longer than it was given, whatever has become of the clock since.
        let ends = now.mono.plus(until.ms_since(now.wall).min(whole_ms));
        let timeout = run.started_at.zip(run.run_timeout_ms).map(|(started_at, ms)| {
            let left = started_at.plus(ms).ms_since(now.wall).min(ms);
            known.and_then(|known| known.timeout).unwrap_or(now.mono.plus(left))
        });
        let deadline = timeout.map_or(ends, |timeout| timeout.min(ends));
        let (run_id, state) = (run.lease.run, run.state);
        let lease = KnownLease { run: run_id, state, until, deadline, timeout };
        self.leases.set(run.seq, lease);
    }

    /// No executor has this task any more.
    pub(crate) fn forget_lease(&mut self, seq: Seq) {
        self.leases.remove(seq);
    }

    /// Executors have no more than these tasks.
    pub(crate) fn keep_leases(&mut self, leased: &[Seq]) {
        let leased: FxHashSet<Seq> = leased.iter().copied().collect();
        let gone = self.leases.tasks().into_iter().filter(|seq| !leased.contains(seq));
        gone.for_each(|seq| self.leases.remove(seq));
    }
}
