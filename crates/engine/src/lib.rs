//! The machine that turns: inputs and two clocks go in, one batch is committed, effects come out.
//!
//! [`turn::Engine`] is deterministic and knows no backend; tests drive it with a fake clock.
//! [`thread`] drives the same code in production: one OS thread, the real clock.

// A new input, change, state or kind of transition must be answered everywhere.
#![deny(clippy::wildcard_enum_match_arm)]

pub mod moment;
pub mod metrics;
pub mod client_id;
pub mod poll;
pub mod input;
pub mod guarded;
pub mod effect;
pub mod live;
mod event_feed;
mod subscribers;
mod rest;
mod gathering;
pub mod log_listeners;
mod polls;
mod leases;
pub mod memory;
mod lapse;
mod timers;
mod known_schedules;
pub mod gather;
pub mod draft;
mod offers;
mod transition;
mod settle;
mod bulk;
mod remove;
mod retry;
mod runs;
mod record;
mod timeout;
mod abort;
mod pause;
mod prioritize;
mod await_end;
mod conditions;
mod operations;
mod dependents;
mod update;
mod patch;
mod unique;
mod add;
mod rates;
mod circuits;
mod polling;
mod leasing;
mod outside;
mod starts;
mod batches;
mod postpone;
mod stop;
mod control;
mod apply;
mod attached;
mod lapsing;
mod recover;
mod due;
mod holds;
mod schedules;
mod expire;
mod plan;
mod catch_up;
mod check;
mod refused;
mod forward;
mod debug;
mod explain;
pub mod turn;
pub mod clock;
pub mod virtual_clock;
pub mod quiet;
mod inbox;
mod open_read;
mod turns_of_reads;
pub mod watching;
mod reads;
mod clients;
pub mod client;
pub mod thread;
mod travel;
pub mod backlog;
