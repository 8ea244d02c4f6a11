//! What a task leaves to its operation.

/// Which options of a task its caller has left to its operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsaid(u8);

impl Unsaid {
    /// None: what a stored task has.
    pub const NONE: Self = Self(0);
    /// Its priority.
    pub const PRIORITY: Self = Self(1);
    /// Its run timeout.
    pub const RUN_TIMEOUT: Self = Self(1 << 1);
    /// What a crash means.
    pub const ON_INTERRUPTED: Self = Self(1 << 2);
    /// How often it is tried.
    pub const RETRY: Self = Self(1 << 3);
    /// How long it may wait for its first start.
    pub const QUEUE_TIMEOUT: Self = Self(1 << 4);
    /// How long it is kept.
    pub const RETENTION: Self = Self(1 << 5);
    /// What the last stop means while it waits.
    pub const ON_STOP_WAITING: Self = Self(1 << 6);
    /// All of them.
    pub const ALL: Self = Self((1 << 7) - 1);

    /// Whether all are decided.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one was not said.
    pub const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }

    /// These and those.
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }
}
