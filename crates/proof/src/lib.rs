//! Why we believe it: never shipped, imported by nobody.
//!
//! Modules stand in dependency order; each imports only from those above it.

pub mod rng;
pub mod faulty_store;
pub mod conformance;
pub mod model;
pub mod file;
#[cfg(all(unix, feature = "redis"))]
pub mod redis_server;
#[cfg(all(unix, feature = "redis"))]
pub mod redis_keys;
pub mod render;
pub mod script;
pub mod storm;
