//! The circuit of one key of a circuit breaker, as far as memory knows.
//!
//! # Promises
//! - While what is stored is open for longer than it may be, the moment that was seen first counts
//!   in its place: so a clock that was set back puts no probe off for ever.
//!
//! Proof: `tests/dispatch_oracle.rs`; `circuit::tests`.

use crate::circuit::{Access, Circuit, CircuitBreaker, Moment, Phase, Turned};
use crate::id::Seq;
use crate::time::WallMs;

/// What keeps everything from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// It is open until this moment.
    Until(WallMs),
    /// As many probes as are needed are under way.
    Probing,
}

/// The circuit of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    /// What the store says, or is about to.
    stored: Option<Circuit>,
    /// Until when it is open, as long as the store says a moment that lies too far ahead.
    clamped: Option<WallMs>,
    /// What was known of the doings of other owners when that was read; nothing if it never was.
    read_at: Option<Elsewhere>,
    /// Whether this process opened it.
    pub(super) is_ours: bool,
    /// What keeps everything from starting, if something does.
    pub(super) shut: Option<Shut>,
}

/// What is known of the doings of other owners, in numbers that grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// How often a circuit of the operation has turned.
    pub(super) turns: u32,
    /// How often a run of it has begun or ended.
    pub(super) runs: u32,
}

impl Breaker {
    /// The store says this, as of so much of what others have done.
    pub(super) fn learn(&mut self, stored: Option<Circuit>, seen: Elsewhere) {
        if self.stored != stored {
            (self.stored, self.clamped, self.is_ours) = (stored, None, false);
        }
        self.read_at = Some(seen);
    }

    /// What was learned of it counts no more.
    pub(super) fn forget(&mut self) {
        self.read_at = None;
    }

    /// Whether it is known what the store says. Of one that is half open every run of others may
    /// have been a probe; any other changes only by a turn.
    pub(super) fn is_read(&self, seen: Elsewhere) -> bool {
        let is_half_open = || {
            let phase = self.stored.as_ref().map(|circuit| &circuit.phase);
            matches!(phase, Some(Phase::HalfOpen { .. }))
        };
        self.read_at.is_some_and(|read| {
            read.turns == seen.turns && (read.runs == seen.runs || !is_half_open())
        })
    }

    /// Whom it lets start.
    pub(super) fn access(&mut self, breaker: &CircuitBreaker, moment: Moment) -> Access {
        let now = moment.now;
        let Some(known) = breaker.known(self.stored.as_ref(), moment) else {
            return Access::Free;
        };
        if !breaker.is_too_far(known, now) {
            self.clamped = None;
            return breaker.access(Some(known), now);
        }
        let longest = now.plus(breaker.open_for_ms);
        let until = self.clamped.filter(|clamped| *clamped <= longest).unwrap_or(longest);
        self.clamped = Some(until);
        if until > now { Access::Until(until) } else { Access::Probes(breaker.probes) }
    }

    /// What is stored, or is about to be, as far as that says something.
    pub(super) fn circuit(&self, breaker: &CircuitBreaker, moment: Moment) -> Option<&Circuit> {
        breaker.known(self.stored.as_ref(), moment)
    }

    /// A task starts. What has become of the circuit, if that makes a difference.
    pub(super) fn start(
        &mut self,
        breaker: &CircuitBreaker,
        seq: Seq,
        (moment, seen): (Moment, Elsewhere),
    ) -> Option<Option<Turned>> {
        debug_assert!(self.read_at.is_some(), "a task starts at a circuit that nobody knows");
        let known = breaker.known(self.stored.as_ref(), moment);
        let (circuit, turned) = breaker.start(known, seq, moment.now)?;
        (self.stored, self.clamped, self.is_ours) = (Some(circuit), None, true);
        // It was as the store says, or the task would not start.
        self.read_at = Some(seen);
        Some(turned)
    }

    /// What was done to it has not been: all is as it was.
    pub(super) fn restore(&mut self, before: Self) {
        *self = Self { shut: self.shut, ..before };
    }
}
