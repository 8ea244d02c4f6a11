//! One connection that runs scripts.
//!
//! # Promises
//! - What fails says whether it may have been executed (I-2).
//!
//! Proof: `conformance::commit`.

use std::time::Duration;

use redis::{Client, Connection, ErrorKind, RedisError, ServerErrorKind, Value};
use rustc_hash::FxHashMap;
use tasker_core::error::{Code, Error, Result};

/// How long a server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a store is: a server, and the prefix of all its keys.
#[derive(Clone, Debug)]
pub struct Location {
    client: Client,
    prefix: String,
}

impl Location {
    /// A server and a prefix, which has no braces.
    ///
    /// # Errors
    /// `Invalid` for a text that is no address.
    pub fn new(url: &str, prefix: &str) -> Result<Self> {
        let client = Client::open(url)
            .map_err(|error| Error::invalid("url", "is no address").with_source(error))?;
        if prefix.is_empty() || prefix.contains(['{', '}']) {
            return Err(Error::invalid("prefix", "must be a text without braces"));
        }
        Ok(Self { client, prefix: format!("{{{prefix}}}") })
    }

    /// The prefix of all keys, in braces.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        let connection = self.client.get_connection_with_timeout(CONNECT_TIMEOUT).map_err(of)?;
        connection.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(of)?;
        connection.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(of)?;
        Ok(connection)
    }
}

/// What the server runs.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    text: &'static str,
}

impl Script {
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }
}

/// A call that failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of it was executed.
    NotExecuted(Error),
    /// Nobody knows.
    Unknown(Error),
}

impl Failure {
    /// The error, for a call that changes nothing.
    pub(crate) fn error(self) -> Error {
        match self {
            Failure::NotExecuted(error) | Failure::Unknown(error) => error,
        }
    }
}

/// A connection, made again when it broke.
pub(crate) struct Link {
    location: Location,
    connection: Option<Connection>,
    /// The hashes of the scripts that the server knows.
    known: FxHashMap<&'static str, String>,
}

impl Link {
    pub(crate) fn open(location: &Location) -> Result<Self> {
        let connection = Some(location.connect()?);
        Ok(Self { location: location.clone(), connection, known: FxHashMap::default() })
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// Runs a script.
    pub(crate) fn call(
        &mut self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
    ) -> std::result::Result<Value, Failure> {
        for _ in 0..2 {
            let hash = self.hash(script)?;
            let mut command = redis::cmd("EVALSHA");
            command.arg(hash).arg(keys.len()).arg(keys).arg(args);
            let connection = self.connection().map_err(Failure::NotExecuted)?;
            match command.query::<Value>(connection) {
                Ok(value) => return Ok(value),
                Err(error) if is_server(&error, ServerErrorKind::NoScript) => {
                    self.known.remove(script.name);
                }
                Err(error) => return Err(self.failure(error)),
            }
        }
        Err(Failure::NotExecuted(Error::new(Code::Io, "the server forgets scripts at once")))
    }

    fn hash(&mut self, script: &Script) -> std::result::Result<String, Failure> {
        if let Some(hash) = self.known.get(script.name) {
            return Ok(hash.clone());
        }
        let connection = self.connection().map_err(Failure::NotExecuted)?;
        let loaded = redis::cmd("SCRIPT").arg("LOAD").arg(script.text).query::<String>(connection);
        match loaded {
            Ok(hash) => {
                self.known.insert(script.name, hash.clone());
                Ok(hash)
            }
            Err(error) => match self.failure(error) {
                Failure::NotExecuted(error) | Failure::Unknown(error) => {
                    Err(Failure::NotExecuted(error))
                }
            },
        }
    }

    fn connection(&mut self) -> Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.location.connect()?,
        };
        Ok(self.connection.insert(connection))
    }

    /// After anything but an answer the connection is not used again: the next answer on it could
    /// be that of the last question.
    fn failure(&mut self, error: RedisError) -> Failure {
        if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
            let was_refused = !is_server(&error, ServerErrorKind::ResponseError);
            let error = of(error);
            return if was_refused { Failure::NotExecuted(error) } else { Failure::Unknown(error) };
        }
        self.connection = None;
        Failure::Unknown(of(error))
    }
}

fn is_server(error: &RedisError, kind: ServerErrorKind) -> bool {
    error.kind() == ErrorKind::Server(kind)
}

/// An error of the server or of the connection, with its code.
pub(crate) fn of(error: RedisError) -> Error {
    let code = match error.code() {
        Some("OOM" | "MISCONF") => Code::Full,
        Some("READONLY" | "NOPERM" | "NOAUTH") => Code::ReadOnly,
        Some("BUSY" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN") => Code::Busy,
        Some("WRONGTYPE") => Code::Corrupt,
        _ if error.is_timeout() || error.is_io_error() => Code::Busy,
        _ => Code::Bug,
    };
    Error::new(code, format!("the server: {error}")).with_source(error)
}
