//! Sets of tasks by number, in a few bits each where they are many.

use std::collections::BTreeMap;

use crate::id::Seq;

/// Numbers of a block.
const BLOCK_BITS: u32 = 12;
/// Words of the bits of a block.
const WORDS: usize = (1 << BLOCK_BITS) / 64;
/// Members of a block above which bits take less than numbers.
const FEW_MAX: usize = 256;

/// A set of tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(BTreeMap<u64, Block>);

#[derive(Clone, Debug)]
enum Block {
    /// In order.
    Few(Vec<u16>),
    Many(Box<[u64; WORDS]>),
}

impl Members {
    pub(super) fn has(&self, seq: Seq) -> bool {
        let (block, low) = split(seq);
        match self.0.get(&block) {
            None => false,
            Some(Block::Few(all)) => all.binary_search(&low).is_ok(),
            Some(Block::Many(bits)) => bits[word(low)] & bit(low) != 0,
        }
    }

    pub(super) fn insert(&mut self, seq: Seq) {
        let (block, low) = split(seq);
        let block = self.0.entry(block).or_insert_with(|| Block::Few(Vec::new()));
        match block {
            Block::Few(all) => {
                let Err(at) = all.binary_search(&low) else { return };
                all.insert(at, low);
                if all.len() > FEW_MAX {
                    let mut bits = Box::new([0; WORDS]);
                    all.iter().for_each(|low| bits[word(*low)] |= bit(*low));
                    *block = Block::Many(bits);
                }
            }
            Block::Many(bits) => bits[word(low)] |= bit(low),
        }
    }

    pub(super) fn remove(&mut self, seq: Seq) {
        let (number, low) = split(seq);
        let is_empty = match self.0.get_mut(&number) {
            None => return,
            Some(Block::Few(all)) => {
                if let Ok(at) = all.binary_search(&low) {
                    all.remove(at);
                }
                all.is_empty()
            }
            Some(Block::Many(bits)) => {
                bits[word(low)] &= !bit(low);
                bits.iter().all(|word| *word == 0)
            }
        };
        if is_empty {
            self.0.remove(&number);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn split(seq: Seq) -> (u64, u16) {
    (seq.0 >> BLOCK_BITS, (seq.0 & ((1 << BLOCK_BITS) - 1)) as u16)
}

fn word(low: u16) -> usize {
    usize::from(low) / 64
}

fn bit(low: u16) -> u64 {
    1 << (low % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_set_holds(
            steps in prop::collection::vec((0_u64..9_000, any::<bool>()), 0..3_000),
        ) {
            let (mut members, mut plain) = (Members::default(), BTreeSet::new());
            for (seq, comes) in steps {
                if comes {
                    members.insert(Seq(seq));
                    plain.insert(seq);
                } else {
                    members.remove(Seq(seq));
                    plain.remove(&seq);
                }
            }
            prop_assert!((0..9_000).all(|seq| members.has(Seq(seq)) == plain.contains(&seq)));
        }
    }

    #[test]
    fn many_take_a_few_bits_each_and_none_nothing() {
        let mut members = Members::default();
        (0..4_096).for_each(|seq| members.insert(Seq(seq)));
        assert!(matches!(members.0.get(&0), Some(Block::Many(_))));
        (0..4_096).for_each(|seq| members.remove(Seq(seq)));
        assert!(members.0.is_empty());
    }
}
