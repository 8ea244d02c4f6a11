//! The contract of a store, kept by the model: with a write lock, and where owners overtake each
//! other.

use tasker_core::error::Result;
use tasker_core::state::Counts;
use tasker_core::store::{Batch, Commit, Head, Lookups, Store};
use tasker_core::time::WallMs;
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;

fn a_new_disk() -> Result<Box<dyn Backend>> {
    Ok(Box::new(Disk::default()))
}

tasker_proof::conformance!(a_new_disk);

mod optimistic {
    use super::{Backend, Disk, Result};

    fn a_new_disk() -> Result<Box<dyn Backend>> {
        Ok(Box::new(Disk::optimistic()))
    }

    tasker_proof::conformance!(a_new_disk);
}

fn empty(store: &dyn Store, Head { number, seq_next, lane_next, .. }: Head) -> Batch {
    let (owner, at, counts) = (store.owner(), WallMs(0), Counts::default());
    let (number, changes, notes) = (number + 1, Vec::new(), Vec::new());
    Batch { number, owner, at, seq_next, lane_next, counts, changes, notes }
}

/// I-2
#[test]
fn a_transaction_that_another_one_overtook_is_not_committed() -> Result<()> {
    let disk = Disk::optimistic();
    let (mut one, mut two) = (disk.open()?.store, disk.open()?.store);
    let head = one.begin_read()?.head()?;
    let (first, late) = (empty(two.as_ref(), head), empty(one.as_ref(), head));
    let transaction = one.begin(&Lookups::default)?;
    assert!(matches!(two.begin(&Lookups::default)?.commit(&first), Commit::Committed));
    assert!(matches!(transaction.commit(&late), Commit::Overtaken));
    let mut again = one.begin(&Lookups::default)?;
    assert!(again.has_news());
    assert_eq!(again.journal(0, 9)?.len(), 1);
    let next = Batch { number: 2, ..late };
    assert!(matches!(again.commit(&next), Commit::Committed));
    Ok(())
}
