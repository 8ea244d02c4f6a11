//! Two clocks, never mixed.
//!
//! Wall time names moments that users see; monotonic time measures waits. No decision of safety
//! depends on wall time (F-19). Both are arguments everywhere but in the driver, which is what
//! makes a simulation possible.

/// Milliseconds since the Unix epoch, as the wall clock tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

/// Milliseconds since some fixed moment of this process; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoMs(pub u64);

/// The last moment that a `Date` has, in milliseconds since 1970; the first one lies as far away.
pub const DATE_MS_MAX: f64 = 8.64e15;

impl WallMs {
    /// The first moment of all.
    pub const FIRST: Self = Self(i64::MIN);
    /// The last one.
    pub const LAST: Self = Self(i64::MAX);

    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add_unsigned(ms))
    }

    /// How many milliseconds lie between `before` and this moment; none if it is not later.
    pub fn ms_since(self, before: WallMs) -> u64 {
        u64::try_from(self.0.saturating_sub(before.0)).unwrap_or(0)
    }
}

impl MonoMs {
    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The time of one turn, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What a calendar would say.
    pub wall: WallMs,
    /// What a stopwatch would say.
    pub mono: MonoMs,
}
