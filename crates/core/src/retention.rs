//! How long a task is kept after its end, and when to look for those that are not kept any longer.
//!
//! A timer of each task would cost a table as long as that of the ended tasks. So tasks share them:
//! a timer names a *block* of consecutive numbers, and its moment is rounded up to a step. Tasks
//! that were added together and end together so have one timer. When it fires, all of the block is
//! looked at, and what is over by then goes.
//!
//! # Left to others
//! Reading what is given: `keep`.
//!
//! # Promises
//! - Nothing goes before its time, and what has a retention has a timer that fires at most half a
//!   second after it is over, or a twentieth of the retention if that is more, but no more than an
//!   hour.
//!
//! Proof: the tests below, `conformance::removal`, `proof/tests/engine/removals.rs`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::id::Seq;
use crate::state::State;
use crate::time::WallMs;
use crate::timer::{Timer, TimerKind};

/// How many numbers a block has.
pub const BLOCK: u64 = 256;

/// How long tasks are kept after their end, by how they end; for ever where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub(crate) done_ms: Option<u64>,
    pub(crate) failed_ms: Option<u64>,
    pub(crate) aborted_ms: Option<u64>,
}

impl Retention {
    /// So many milliseconds, however a task ends.
    pub const fn after(ms: u64) -> Self {
        Self { done_ms: Some(ms), failed_ms: Some(ms), aborted_ms: Some(ms) }
    }

    /// Its JSON text: one number if it is the same for every end.
    pub fn to_json(&self) -> String {
        let Self { done_ms, failed_ms, aborted_ms } = *self;
        if done_ms == failed_ms && done_ms == aborted_ms {
            return done_ms.map_or_else(|| "false".to_owned(), |ms| ms.to_string());
        }
        let words = [("done", done_ms), ("failed", failed_ms), ("aborted", aborted_ms)];
        let said = words.into_iter().filter_map(|(word, ms)| Some((word, ms?)));
        let members: Vec<_> = said.map(|(word, ms)| format!("\"{word}\":{ms}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// As tasks share it; nothing if it keeps all for ever.
    pub fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }

    /// How long a task is kept that has ended so; for ever if absent, or if it has not ended.
    pub fn ms(&self, state: State) -> Option<u64> {
        match state {
            State::Done => self.done_ms,
            State::Failed => self.failed_ms,
            State::Aborted => self.aborted_ms,
            State::Blocked
            | State::Delayed
            | State::Paused
            | State::Claimed
            | State::Running
            | State::Ready => None,
        }
    }

    /// Whether it is over at a moment for a task that ended so.
    pub fn is_over(&self, state: State, ended_at: WallMs, now: WallMs) -> bool {
        self.ms(state).is_some_and(|ms| ended_at.plus(ms) <= now)
    }

    /// The timer for a task that ends so; nothing if it is kept for ever.
    pub fn timer(&self, seq: Seq, state: State, ended_at: WallMs) -> Option<Timer> {
        let ms = self.ms(state)?;
        let timer = timer_from(seq, ended_at.plus(ms), ms);
        debug_assert!(timer.at >= ended_at.plus(ms), "a task is looked at before its time");
        Some(timer)
    }
}

/// The next timer for a task that was to be kept so long, and is needed for longer.
pub fn timer_again(seq: Seq, kept_ms: u64, now: WallMs) -> Timer {
    timer_from(seq, now.plus(1), kept_ms)
}

fn timer_from(seq: Seq, from: WallMs, kept_ms: u64) -> Timer {
    let at = rounded_up(from, (kept_ms / 20).clamp(500, 3_600_000));
    Timer { at, kind: TimerKind::Purge, seq: Seq(seq.0 - seq.0 % BLOCK) }
}

/// The numbers of the block of a timer.
pub fn block(timer: Timer) -> RangeInclusive<Seq> {
    timer.seq..=Seq(timer.seq.0 + (BLOCK - 1))
}

fn rounded_up(at: WallMs, step_ms: u64) -> WallMs {
    let step = step_ms as i64;
    let over = at.0.rem_euclid(step);
    if over == 0 { at } else { at.plus((step - over) as u64) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_timer_is_never_early_and_little_late(
            ended_at in -1_000_000_000_000_i64..10_000_000_000_000,
            ms in prop_oneof![1_u64..100_000, 1_u64..3_000_000_000],
            seq in 1_u64..1 << 53,
        ) {
            let retention = Retention { done_ms: Some(ms), ..Retention::default() };
            let (ended_at, seq) = (WallMs(ended_at), Seq(seq));
            let timer = retention.timer(seq, State::Done, ended_at).unwrap();
            prop_assert!(block(timer).contains(&seq));
            prop_assert!(retention.is_over(State::Done, ended_at, timer.at));
            prop_assert!(!retention.is_over(State::Done, ended_at, ended_at.plus(ms - 1)));
            let late_ms = timer.at.ms_since(ended_at) - ms;
            prop_assert!(late_ms <= (ms / 20).max(500) && late_ms < 3_600_000);
            prop_assert_eq!(retention.timer(seq, State::Failed, ended_at), None);
            let again = timer_again(seq, ms, timer.at);
            prop_assert!(again.at > timer.at && again.seq == timer.seq);
        }
    }
}
