//! The rules of tasker: no I/O, no clock, no threads, no async.
//!
//! Modules stand in dependency order; each imports only from those above it.

pub mod error;
pub mod limits;
pub mod time;
pub mod id;
pub mod state;
pub mod task;
pub mod json;
pub mod query;
pub mod read;
pub mod store;
pub mod document;
pub mod search;
pub mod journal;
pub mod argument;
pub mod definition;
pub mod rules;
pub mod dispatch;
