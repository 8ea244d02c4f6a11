//! The contract of a store, written once and run on every backend.
//!
//! A case is a function whose name is a promise. It gets a [`World`]: an empty database of the
//! backend under test, which it drives in turns, crashes and opens again. What no case asks for, a
//! backend is free to do as it likes.
//!
//! # Promises
//! - Each promise of [`tasker_core::store`] has a case here: I-1 to I-8, I-10, I-11, I-13,
//!   I-14, I-16, I-19.
//! - Each case runs on the model, on SQLite and, if a server is on the machine, on Redis, from one
//!   table.
//! - Through the engine each store gives every verb the answer that `docs/internals/interplay.md`
//!   names: `interplay`.
//!
//! # Left to others
//! Faults of the disk are tested where the backend is; what the engine makes of a store, by the
//! engine's own tests and the storm.
//!
//! Proof: `tests/model.rs`, `tests/sqlite.rs`, `tests/redis.rs`.

#[macro_use]
mod table;
mod books;
mod world;
mod timers;
mod progress;

mod add;
mod asked;
mod attached;
mod brief;
mod close;
mod commit;
mod contents;
mod dependencies;
mod end;
mod explaining;
mod gates;
mod outside;
mod guards;
mod head;
mod heads;
mod journal;
mod key;
mod lanes;
mod library;
mod log;
mod lookup;
mod order;
mod offers;
mod holds;
mod schedules;
mod lapsing;
mod operations;
mod orphans;
mod pause;
mod prioritize;
mod numbers;
mod reader;
mod release;
mod postponing;
mod queue_timeout;
mod retry;
mod shared;
mod start;
mod unique;
mod removal;
mod update;
mod watching;
mod window;
pub mod interplay;

use tasker_core::error::{Error, Result};

pub use world::{Backend, Handle, World};

/// One promise, to be kept by any store.
pub struct Case {
    /// What it is about.
    pub noun: &'static str,
    /// The promise, as the name of its function.
    pub name: &'static str,
    check: fn(&mut World) -> Result<()>,
}

macro_rules! list {
    (() $($noun:ident { $($case:ident,)* })*) => {
        /// Every case.
        pub const CASES: &[Case] = &[
            $($(Case {
                noun: stringify!($noun),
                name: stringify!($case),
                check: $noun::$case,
            },)*)*
        ];
    };
}
conformance_cases!(list);

/// Runs one case on a new database.
///
/// # Errors
/// What the store said where the case expected it to succeed.
pub fn run(lab: fn() -> Result<Box<dyn Backend>>, noun: &str, name: &str) -> Result<()> {
    let found = CASES.iter().find(|case| case.noun == noun && case.name == name);
    let case = found.ok_or_else(|| Error::bug(format!("there is no case {noun}::{name}")))?;
    (case.check)(&mut World::new(lab()?)?)
}
