//! The contract of a store, kept by Redis: one server for each process of tests, one prefix for
//! each case.

use tasker_core::error::Result;
use tasker_proof::conformance::Backend;
use tasker_proof::redis_keys::Keys;

fn new_keys() -> Result<Box<dyn Backend>> {
    Ok(Box::new(Keys::new()?))
}

tasker_proof::conformance!(new_keys);
