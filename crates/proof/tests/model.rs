//! The contract of a store, kept by the model.

use tasker_core::error::Result;
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;

fn a_new_disk() -> Result<Box<dyn Backend>> {
    Ok(Box::new(Disk::default()))
}

tasker_proof::conformance!(a_new_disk);
