//! What is due at a moment of the wall clock.
//!
//! A timer is *lazy*: it says when to look at something, and not what has to be done then. Whoever
//! finds it due looks at the row, and acts or drops the timer. So nobody has to take one back, and
//! one that comes too early or for nothing does no harm.
//!
//! # Promises
//! - Whatever is due at a moment has a timer at that moment or before it.
//!
//! Proof: `proof::conformance::timers`; the audit of a backend.

use crate::id::Seq;
use crate::time::WallMs;

/// What a timer is about. Codes are stored in the file and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TimerKind {
    /// The start time of a task.
    Due = 1,
    /// An ended task whose dependents no turn has come to yet.
    Unblock = 2,
    /// The end of the `queueTimeout` of a task.
    QueueTimeout = 3,
    /// The end of the retention of tasks: those of the block that begins with this number.
    Purge = 4,
    /// The end of the hold with this number.
    Hold = 6,
    /// The next tick of the schedule with this number.
    Schedule = 7,
    /// A look at the gates of the operation with this number: those that rest are forgotten.
    Gate = 8,
}

impl TimerKind {
    /// Every kind, by code.
    pub const ALL: &[TimerKind] = &[
        TimerKind::Due,
        TimerKind::Unblock,
        TimerKind::QueueTimeout,
        TimerKind::Purge,
        TimerKind::Hold,
        TimerKind::Schedule,
        TimerKind::Gate,
    ];

    /// The code under which it is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        TimerKind::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

/// A moment at which to look at a task, or a block of them. In the order in which they fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// When.
    pub at: WallMs,
    /// Why.
    pub kind: TimerKind,
    /// Which task, the number with which its block begins, or that of a hold, a schedule or an
    /// operation.
    pub seq: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_by_time_and_then_by_number() {
        let timer = |at, seq| Timer { at: WallMs(at), kind: TimerKind::Due, seq: Seq(seq) };
        let mut timers = [timer(2, 1), timer(1, 9), timer(-5, 7), timer(1, 3)];
        timers.sort();
        assert_eq!(timers.map(|timer| timer.seq.0), [7, 3, 9, 1]);
    }

    #[test]
    fn codes_survive_a_round_trip() {
        for kind in TimerKind::ALL {
            assert_eq!(TimerKind::from_code(kind.code()), Some(*kind));
        }
        assert_eq!([0, u8::MAX].map(TimerKind::from_code), [None; 2]);
    }
}
