//! The connection to a server of Redis.
//!
//! A [`Link`] is one connection that is made anew when it is lost, and belongs to one thread. It
//! repeats nothing that may have run: it says which of three things happened to a script. It was
//! answered; it did not run ([`Failure::NotExecuted`]); or nobody knows ([`Failure::Unknown`]),
//! and then [`Link::resolve`] finds out.
//!
//! # Promises
//! - What may have run is never called not executed, and never sent a second time.
//! - After a reply that did not come whole the connection is dropped: no later call reads it.
//! - A password stands in no error, no log and no `Debug`.
//! - A server that would lose what it has acknowledged is refused, at each new connection.
//! - Threads end, and are joined, when their owner is dropped.
//!
//! # Left to others
//! What the scripts do, and what their replies mean, is the store's.
//!
//! Proof: `tests/link/main.rs`.
//!
//! Modules stand in dependency order.

pub(crate) mod clock;
mod location;
mod failure;
mod script;
mod checks;
mod connect;
mod calls;
mod listener;
mod heartbeat;

pub use calls::Link;
pub use checks::{Appendfsync, Demands, Durability, Server};
pub use connect::Settings;
pub use failure::Failure;
pub use heartbeat::{Beat, Heartbeat, OnBeat, Pulse};
pub use listener::Listener;
pub use location::Location;
pub use script::Script;
