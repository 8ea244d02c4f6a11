//! The rules of tasker: no I/O, no clock, no threads, no async.
//!
//! Modules stand in dependency order; each imports only from those above it.

// A new state or kind of transition must be answered everywhere.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod fault;
pub mod error;
pub mod limits;
pub mod time;
pub mod range;
pub mod id;
pub mod timer;
pub mod state;
pub mod totals;
pub mod reason;
pub mod transition;
pub mod json;
mod words;
mod chance;
#[allow(clippy::wildcard_enum_match_arm, reason = "the types of JSON are all there ever are")]
pub mod query;
#[allow(clippy::wildcard_enum_match_arm, reason = "the types of JSON are all there ever are")]
pub mod condition;
pub mod backoff;
pub mod dependency;
pub mod key;
pub mod retention;
pub mod task;
pub mod hold;
pub mod queue;
pub mod argument;
mod members;
pub mod schedule;
pub mod schedules;
pub mod index;
pub mod rules;
pub mod standing;
mod keep;
pub mod executor;
pub mod retry;
pub mod queue_timeout;
pub mod batching;
pub mod rate;
pub mod circuit;
pub mod unique;
pub mod trace;
pub mod option;
pub mod stored;
pub mod operation;
pub mod explanation;
pub mod store;
pub mod read;
pub mod document;
pub mod journal;
pub mod journal_notes;
pub mod changes;
pub mod search;
pub mod reader;
pub mod watch;
pub mod definition;
pub mod patch;
pub mod dispatch;
