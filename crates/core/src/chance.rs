//! Chance that comes out the same when a turn is planned again: a number from other numbers.
//!
//! # Promises
//! - The same number gives the same one in every version: what is planned in one process may be
//!   planned again in another.
//!
//! Proof: the tests below, those of `retry` and of `schedule`.

/// A number that is as good as random, and the same for the same one (the end of SplitMix64).
pub(crate) const fn mixed(number: u64) -> u64 {
    let mut x = number;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_the_same_one_for_ever() {
        assert_eq!([0, 1, 2].map(mixed), [0, 0x5692_161d_100b_05e5, 0xdbd2_3897_3a2b_148a]);
    }
}
