//! How a store is opened.

use std::time::Duration;

use crate::link::Settings;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How the server is reached, and what it must be.
    pub settings: Settings,
    /// How long an owner may be silent before the others take it for dead.
    pub lease: Duration,
    /// How long a turn may last before the others need not wait for it any more.
    pub turn: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (lease, turn) = (Duration::from_secs(5), Duration::from_millis(250));
        Self { settings: Settings::default(), lease, turn }
    }
}

impl Options {
    /// How often an owner lets itself be heard.
    pub(crate) fn beat(&self) -> Duration {
        (self.lease / 5).min(Duration::from_secs(1))
    }
}
