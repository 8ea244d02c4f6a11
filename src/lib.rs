//! The Node binding, and nothing else: text in, text out, one notifier.
//!
//! Every rule lives in `crates/`; this crate composes the engine with the SQLite store and carries
//! batches across the border as `docs/internals/bridge.md` says.
//!
//! # Promises
//! - No export panics into the host (`catch_unwind` on each, F-6), throws for an expected fault, or
//!   calls into an environment that is being torn down (F-27).
//! - The host process is not ours: no panic hook, no allocator, no signal handler, no runtime of
//!   napi.

mod error;
mod line;
mod message;
mod effect_queue;
mod log;
mod calls;
mod command;
mod options;
mod servers;
mod native;
mod msgpack;
mod testing;
