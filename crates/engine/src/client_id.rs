//! Whose a number is: each client numbers its calls and knows its runs by numbers of its own.
//!
//! Inside the engine the upper bits of a ticket and of a slot are the client's, so that answers
//! find back and nobody settles a run of another. The first client's numbers are the same inside
//! and outside: as long as it is alone, nothing is translated.
//!
//! # Promises
//! - The numbers of two clients never are the same inside.
//!
//! Proof: the tests below, `proof/tests/thread.rs`.

/// How much of a number is the client's own.
const NUMBER_BITS: u32 = 44;
const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;
const CLIENT_MAX: u32 = (1 << (u64::BITS - NUMBER_BITS)) - 1;

/// One of those who call the engine of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(u32);

impl ClientId {
    /// Who opened the handle.
    pub const FIRST: Self = Self(0);

    /// The client after this one; nothing when the numbers are used up.
    pub fn next(self) -> Option<Self> {
        (self.0 < CLIENT_MAX).then_some(Self(self.0 + 1))
    }

    /// What is inside what this client calls `number`.
    pub fn inside(self, number: u64) -> u64 {
        debug_assert!(number <= NUMBER_MAX, "{number} is too large for a ticket or a slot");
        (u64::from(self.0) << NUMBER_BITS) | (number & NUMBER_MAX)
    }

    /// The client of a number that is inside.
    pub fn of(inside: u64) -> Self {
        Self((inside >> NUMBER_BITS) as u32)
    }
}

/// What its client calls a number that is inside.
pub fn outside(inside: u64) -> u64 {
    inside & NUMBER_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_in_and_comes_back_to_its_client() {
        let last = ClientId(CLIENT_MAX);
        let second = ClientId::FIRST.next().unwrap_or(last);
        for client in [ClientId::FIRST, second, last] {
            for number in [0, 1, NUMBER_MAX] {
                let inside = client.inside(number);
                assert_eq!((ClientId::of(inside), outside(inside)), (client, number));
            }
        }
        assert_eq!(ClientId::FIRST.inside(7), 7);
        assert_ne!(second.inside(7), last.inside(7));
        assert_eq!(last.next(), None);
    }
}
