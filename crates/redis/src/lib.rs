//! The store on a Redis or Valkey server.
//!
//! Modules stand in dependency order.

pub mod link;
