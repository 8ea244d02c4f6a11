//! The contract of a store, kept by SQLite on a real file.

use tasker_core::error::Result;
use tasker_proof::conformance::Backend;
use tasker_proof::file::Folder;

fn a_new_folder() -> Result<Box<dyn Backend>> {
    Ok(Box::new(Folder::new()?))
}

tasker_proof::conformance!(a_new_folder);
