//! How far those who listen have been told what other owners did.
//!
//! Proof: `proof/tests/engine/shared.rs`.

use crate::input::Follow;

/// How far the outside has been told.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// What is told.
    pub(crate) follow: Follow,
    /// The number of the last batch that was told.
    pub(crate) position: u64,
    /// Whether a portion is under way to those who listen.
    pub(crate) is_under_way: bool,
}

impl Feed {
    /// From now on this is told, beginning after batch `number`.
    pub(crate) fn set(&mut self, follow: Follow, number: u64) {
        if self.follow == Follow::Nothing {
            self.position = number;
        }
        self.follow = follow;
    }

    /// The portion was heard.
    pub(crate) fn heard(&mut self) {
        self.is_under_way = false;
    }

    /// Whether anything is told.
    pub(crate) fn is_on(&self) -> bool {
        self.follow != Follow::Nothing
    }

    /// Whether there is something to tell up to batch `number`.
    pub(crate) fn is_due(&self, number: u64) -> bool {
        self.is_on() && !self.is_under_way && self.position < number
    }
}
