//! How a store is opened.

use std::time::Duration;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long an owner may be silent before the others take it for dead.
    pub lease: Duration,
    /// How long a turn may last before the others need not wait for it any more.
    pub turn: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { lease: Duration::from_secs(5), turn: Duration::from_millis(250) }
    }
}

impl Options {
    /// How often an owner lets itself be heard.
    pub(crate) fn beat(&self) -> Duration {
        (self.lease / 5).min(Duration::from_secs(1))
    }
}
