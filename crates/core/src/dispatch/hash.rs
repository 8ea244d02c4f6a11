//! Short names of long texts.

use std::hash::{BuildHasher, RandomState};

/// Gives texts numbers of 128 bits under keys of its own. That two texts have one number is as
/// likely as that two random uuids are the same; no order depends on it.
#[derive(Debug, Default)]
pub(super) struct Hashes(RandomState, RandomState);

impl Hashes {
    /// The number of a text.
    pub(super) fn of(&self, text: &str) -> u128 {
        let (high, low) = (self.0.hash_one(text), self.1.hash_one(text));
        u128::from(high) << 64 | u128::from(low)
    }
}
