//! A database of Redis under a prefix of its own, for the cases of the conformance suite.
//!
//! One server runs for all cases of a process, and dies with it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tasker_core::error::Result;
use tasker_redis::Options;
use tasker_redis::link::Location;

use crate::conformance::{Backend, Handle};
use crate::redis_server::RedisServer;

/// A prefix without a store.
#[derive(Debug)]
pub struct Keys {
    location: Location,
    options: Options,
}

/// The server of this process.
///
/// # Errors
/// `Io` if none can be started; the message says what to install.
pub fn server() -> Result<&'static RedisServer> {
    static SERVER: OnceLock<Result<RedisServer>> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start(&[])).as_ref().map_err(Clone::clone)
}

impl Keys {
    /// A new prefix.
    ///
    /// # Errors
    /// As [`server`].
    pub fn new() -> Result<Self> {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let case = CASES.fetch_add(1, Ordering::Relaxed);
        let location = Location::parse(&format!("{}?prefix=case-{case}", server()?.url()))?;
        Ok(Self { location, options: Options::default() })
    }

    /// The same with other options.
    #[must_use]
    pub fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }
}

impl Backend for Keys {
    fn open(&self) -> Result<Handle> {
        let (store, reader) = tasker_redis::open(&self.location, &self.options)?;
        Ok(Handle { store: Box::new(store), reader: Box::new(reader) })
    }
}
