//! A connection that is made anew, and what is called on it.
//!
//! # Promises
//! - A call sends its script a second time only if the server has said, or cannot but have found,
//!   that the first did not run.
//! - A call waits for a connection no longer than `Settings::patience` and one attempt.
//! - [`Link::resolve`] asks on a new connection until it is answered or its time is over.
//!
//! Proof: `tests/link/calls.rs`, `tests/link/cuts.rs`, `tests/link/resolving.rs`.

use std::fmt;
use std::time::Duration;

use redis::{Cmd, Connection, RedisError, Value};
use tasker_core::error::{Code, Error, Result};

use super::checks::Server;
use super::clock::{BackOff, Stop, now};
use super::connect::{Settings, answered, connect};
use super::failure::{Failure, Lost, of_read, of_reply, of_write};
use super::location::Location;
use super::script::Script;

/// One connection to a server, made anew when it is lost.
pub struct Link {
    location: Location,
    name: String,
    settings: Settings,
    connection: Option<Connection>,
    server: Option<Server>,
    back_off: BackOff,
    stop: Stop,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.connection.is_some() { "connected" } else { "not connected" };
        write!(f, "{} ({state})", self.name)
    }
}

/// How an exchange failed.
enum Broken {
    Write(RedisError),
    Read(RedisError),
    Reply(RedisError),
}

impl Link {
    /// Connects and checks the server.
    ///
    /// # Errors
    /// `Invalid`, if it does not take the login. `Unsupported`, if it is not what the caller wants
    /// or too old. `Busy`, if it cannot be reached or is not ready. `ReadOnly`, if it is a replica
    /// or the user lacks a right.
    pub fn open(location: &Location, settings: Settings) -> Result<Link> {
        let mut link = Link::unconnected(location, settings, Stop::default());
        link.connect().map_err(at_store)?;
        Ok(link)
    }

    /// One that connects with its first call, and waits no longer when it is told to stop.
    pub(crate) fn unconnected(location: &Location, settings: Settings, stop: Stop) -> Link {
        let (connection, server, back_off) = (None, None, BackOff::default());
        let (location, name) = (location.clone(), location.name());
        Link { location, name, settings, connection, server, back_off, stop }
    }

    /// Where it leads.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The server that was found at the last connection.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Runs a script.
    ///
    /// # Errors
    /// `NotExecuted`, if it did not run and will not. `Unknown`, if it may have run or may still
    /// run; the connection is gone then, and `resolve` finds out.
    pub fn call(
        &mut self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
    ) -> std::result::Result<Value, Failure> {
        let mut is_second = false;
        loop {
            self.connect().map_err(|error| Failure::NotExecuted(in_service(error)))?;
            debug_assert!(self.connection.is_some(), "it was just made");
            let lost = match self.run(script, keys, args) {
                Ok(reply) => return Ok(reply),
                Err(lost) => lost,
            };
            if lost.must_reconnect {
                self.disconnect();
            }
            let may_repeat = matches!(lost.failure, Failure::NotExecuted(_)) && !is_second;
            if !lost.must_reconnect || !may_repeat {
                return Err(lost.failure);
            }
            is_second = true;
        }
    }

    /// Finds out about a call that is `Unknown`: drops the connection and runs a script that ends
    /// what the lost call may still do and says what it did, on new connections until one answers.
    /// The script must bear to be run several times with the same arguments.
    ///
    /// # Errors
    /// `Unknown`, if nobody answered in this time; what the script itself fails with.
    pub fn resolve(
        &mut self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
        time: Duration,
    ) -> Result<Value> {
        let started = now();
        let mut back_off = BackOff::default();
        self.disconnect();
        loop {
            let error = match self.call(script, keys, args) {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure.error(),
            };
            if !may_pass(error.code()) {
                return Err(error);
            }
            let left = time.saturating_sub(now() - started);
            if left.is_zero() || self.stop.wait(back_off.advance().min(left)) {
                let message = format!("{} could not be asked: {}", self.name, error.message());
                return Err(Error::new(Code::Unknown, message).with_source(error));
            }
        }
    }

    /// Gives the connection up; the next call makes a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    fn connect(&mut self) -> Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let started = now();
        loop {
            let error = match connect(&self.location, &self.settings) {
                Ok((connection, server)) => {
                    tracing::debug!(server = self.name, version = server.version, "connected");
                    self.back_off.reset();
                    (self.connection, self.server) = (Some(connection), Some(server));
                    return Ok(());
                }
                Err(error) => error,
            };
            tracing::debug!(server = self.name, %error, "not connected");
            let left = self.settings.patience.saturating_sub(now() - started);
            let is_over = error.code() != Code::Busy || left.is_zero();
            if is_over || self.stop.wait(self.back_off.advance().min(left)) {
                return Err(error);
            }
        }
    }

    fn run(
        &mut self,
        script: &Script,
        keys: &[Vec<u8>],
        args: &[Vec<u8>],
    ) -> std::result::Result<Value, Lost> {
        let Some(connection) = &mut self.connection else {
            let failure = Failure::NotExecuted(Error::bug("a call without a connection"));
            return Err(Lost { failure, must_reconnect: false });
        };
        let reply = match exchange(connection, &script.by_hash(keys, args)) {
            Err(Broken::Reply(error)) if error.code() == Some("NOSCRIPT") => {
                exchange(connection, &script.by_text(keys, args))
            }
            reply => reply,
        };
        reply.map_err(|broken| match broken {
            Broken::Write(error) => of_write(&self.name, error),
            Broken::Read(error) => of_read(&self.name, script.name(), error),
            Broken::Reply(error) => of_reply(&self.name, script.name(), error),
        })
    }
}

/// Sends a command and waits for its reply. A command that could not be written to its last byte
/// is no command to the server.
fn exchange(connection: &mut Connection, command: &Cmd) -> std::result::Result<Value, Broken> {
    connection.send_packed_command(&command.get_packed_command()).map_err(Broken::Write)?;
    let reply = connection.recv_response().map_err(Broken::Read)?;
    answered(reply).map_err(Broken::Reply)
}

fn may_pass(code: Code) -> bool {
    matches!(code, Code::Busy | Code::Full | Code::ReadOnly | Code::Unknown)
}

/// The error of a connection that was lost: whatever it is, it may pass.
fn in_service(error: Error) -> Error {
    if may_pass(error.code()) {
        return error;
    }
    Error::new(Code::ReadOnly, error.message()).with_source(error)
}

/// The error of an opening: it is about the address.
fn at_store(error: Error) -> Error {
    if error.facts().path.is_some() {
        return error;
    }
    Error::at(error.code(), "store", error.message()).with_source(error)
}
