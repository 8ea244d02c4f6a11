//! tasker: the store on one SQLite file.
//!
//! [`open`] gives the two halves of one handle: a [`SqliteStore`] that writes in turns and a
//! [`SqliteReader`] with a connection of its own, so that a long read never stalls a turn. Each
//! belongs to one thread at a time.
//!
//! # Promises
//! - A committed batch survives `kill -9`, and with [`Durability::Full`] a power cut (I-1).
//! - A file of another program, a damaged file and a file of a newer tasker are left as they are
//!   (I-18, F-14).
//! - While a handle is open no other one gets its runs; when it dies, the others do (I-5).
//! - Any number of handles, in one process or several, work on one file at once (F-8).
//!
//! # Left to others
//! What to write is the engine's work. This crate decides nothing.
//!
//! Proof: `proof::conformance` on SQLite, the tests in `tests/`, `storm`.
//!
//! Modules stand in dependency order. Those that read a change or a state answer each one.

mod error;
mod code_words;
mod sql;
mod mount;
mod identity;
mod open_files;
mod temporary;
mod location;
mod test_folder;
mod side_file;
mod process;
mod write_queue;
mod notifier;
mod owner;
mod settings;
mod padding;
#[deny(clippy::wildcard_enum_match_arm)]
mod row;
mod schema;
mod removal;
mod views;
mod explain;
mod migrate;
#[deny(clippy::wildcard_enum_match_arm)]
mod coalesce;
#[deny(clippy::wildcard_enum_match_arm)]
mod write;
mod writer;
mod transaction;
mod journal_kept;
mod store;
mod operations;
mod outside;
mod outlines;
#[deny(clippy::wildcard_enum_match_arm)]
mod indexes;
mod declare;
#[deny(clippy::wildcard_enum_match_arm)]
mod audit;
mod backup;
mod pages;
mod open;

pub use audit::{Audit, audit};
pub use location::Location;
pub use open::{Durability, Options, open};
pub use pages::{SqlitePages, SqliteReader, SqliteSnapshot};
pub use store::SqliteStore;
pub use test_folder::TestFolder;
