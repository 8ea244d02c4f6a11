//! tasker: the store on a Redis or Valkey server, for many machines.
//!
//! Every owner plans for itself, with the rules of the core, and commits with one script that looks
//! whether the store still stands where the plan was made. The scripts are thin: they check, write
//! raw values and read; what a change means is decided here, as for any backend.
//!
//! All keys of a store begin with its prefix in braces, so they lie in one slot. Scripts are given
//! the first key and make the others from it: those of rows are known only when an entry of a set
//! was read. Ordered sets are sorted by bytes, so one set is the queue of all lanes, where the
//! design had one for each: any of them is a range of it, and one script finds the heads of all.
//!
//! # Promises
//! - The contract of [`tasker_core::store`], on Redis 7.0 and later.
//!
//! # Given up
//! - `read.lua` and `commit.lua` name keys that are not declared. Servers that lock by declared
//!   keys are not supported.
//! - A batch goes to the server as one script, however large it is.
//!
//! Proof: `proof/tests/redis.rs`.

pub mod link;

mod bytes;
mod keys;
mod value;
mod row;
mod packed;
mod ask;
mod writes;
mod overlay;
mod write;
mod options;
mod owners;
mod notifier;
mod writer;
mod commit;
mod transaction;
mod store;
mod pages;

use tasker_core::error::Result;

use link::Location;

pub use options::Options;
pub use pages::{RedisPages, RedisReader};
pub use store::RedisStore;

/// Opens both sides of a store; makes it if there is none with this prefix.
///
/// # Errors
/// As [`link::Link::open`]; `Version` for the store of another version, `Corrupt` for keys that are
/// no store.
pub fn open(location: &Location, options: &Options) -> Result<(RedisStore, RedisReader)> {
    let store = RedisStore::open(location, options)?;
    let pages = RedisPages::open(location, options.settings, store.id_key_of())?;
    Ok((store, RedisReader::new(pages)))
}
