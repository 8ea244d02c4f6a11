//! The contract of a store, kept by the model.

use tasker_core::error::Result;
use tasker_proof::conformance::Lab;
use tasker_proof::model::Disk;

fn a_new_disk() -> Result<Box<dyn Lab>> {
    Ok(Box::new(Disk::default()))
}

tasker_proof::conformance!(a_new_disk);
