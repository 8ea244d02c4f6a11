//! How far the events of other owners have been forwarded.
//!
//! Proof: `proof/tests/engine/shared.rs`.

use crate::input::RemoteFilter;

/// How far the event feed has come.
#[derive(Debug, Default)]
pub(crate) struct EventFeed {
    /// What is forwarded.
    pub(crate) filter: RemoteFilter,
    /// The number of the last batch that was forwarded.
    pub(crate) position: u64,
    /// Whether a portion waits for its acknowledgement.
    pub(crate) is_unacked: bool,
}

impl EventFeed {
    /// From now on this is forwarded, beginning after batch `number`.
    pub(crate) fn set(&mut self, filter: RemoteFilter, number: u64) {
        if self.filter == RemoteFilter::Nothing {
            debug_assert!(self.position <= number, "a feed goes back: it would tell twice (I-11)");
            self.position = number;
        }
        self.filter = filter;
    }

    /// The last portion has arrived.
    pub(crate) fn ack(&mut self) {
        self.is_unacked = false;
    }

    /// Whether anything is forwarded.
    pub(crate) fn is_on(&self) -> bool {
        self.filter != RemoteFilter::Nothing
    }

    /// Whether there is something to forward, up to batch `number`.
    pub(crate) fn is_due(&self, number: u64) -> bool {
        self.is_on() && !self.is_unacked && self.position < number
    }
}
