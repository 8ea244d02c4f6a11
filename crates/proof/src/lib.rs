//! Why we believe it: never shipped, imported by nobody.
//!
//! Modules stand in dependency order; each imports only from those above it.

pub mod dice;
pub mod around;
pub mod conformance;
pub mod model;
pub mod file;
pub mod drawing;
pub mod storm;
