//! One connection to a server that was checked.
//!
//! It logs in with commands of its own, because the client crate calls every refusal of a login a
//! wrong password.
//!
//! # Promises
//! - Each connection is checked anew: after a failover it leads to another server.
//! - With sentinels the primary is asked for at each connection.
//! - Nothing waits longer than its timeout for the next byte.
//!
//! Proof: `tests/link/opening.rs`.

use std::time::Duration;

use redis::{Cmd, Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use redis::{FromRedisValue, RedisError, RedisResult, Value};
use tasker_core::error::{Code, Error, Result};

use super::checks::{Appendfsync, Demands, Server, Sync, judge};
use super::failure::{of_login, of_setup, unreachable};
use super::location::{Host, Location, Scheme};

/// How to speak to a server.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long the next byte of a reply may take, or room for the next one of a command.
    pub reply_timeout: Duration,
    /// How long a call waits for a connection if there is none.
    pub patience: Duration,
    /// What the server must be.
    pub demands: Demands,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            connect_timeout: Duration::from_secs(1),
            reply_timeout: Duration::from_secs(2),
            patience: Duration::from_millis(250),
            demands: Demands::default(),
        }
    }
}

/// Connects, logs in and checks the server.
pub(crate) fn connect(location: &Location, settings: &Settings) -> Result<(Connection, Server)> {
    let name = location.name();
    let mut connection = match location.scheme {
        Scheme::Sentinel => {
            let host = primary(location, settings)?;
            dial(address(&host, Scheme::Plain), settings).map_err(|e| unreachable(&name, e))?
        }
        scheme @ (Scheme::Plain | Scheme::Tls) => {
            let host = location.hosts.first().ok_or_else(|| Error::bug("a location is nowhere"))?;
            dial(address(host, scheme), settings).map_err(|e| unreachable(&name, e))?
        }
    };
    log_in(&mut connection, location).map_err(|e| of_login(&name, e))?;
    if location.database != 0 {
        let select = redis::cmd("select").arg(location.database).to_owned();
        ask(&mut connection, &select).map_err(|e| of_setup(&name, "select", e))?;
    }
    let info = ask(&mut connection, &redis::cmd("INFO"));
    let info: String = info.and_then(read).map_err(|e| of_setup(&name, "INFO", e))?;
    let sync = sync(&mut connection).map_err(|e| of_setup(&name, "CONFIG", e))?;
    let server = judge(&info, sync, settings.demands)?;
    Ok((connection, server))
}

/// A connection on which nothing was said yet.
fn dial(address: ConnectionAddr, settings: &Settings) -> RedisResult<Connection> {
    // Servers before 7.2 do not know what the client crate would tell them of itself.
    let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
    let info = address.into_connection_info()?.set_redis_settings(silent);
    let client = redis::Client::open(info)?;
    let connection = client.get_connection_with_timeout(settings.connect_timeout)?;
    connection.set_read_timeout(Some(settings.reply_timeout))?;
    connection.set_write_timeout(Some(settings.reply_timeout))?;
    Ok(connection)
}

fn address(host: &Host, scheme: Scheme) -> ConnectionAddr {
    let Host { name, port } = host.clone();
    match scheme {
        Scheme::Plain | Scheme::Sentinel => ConnectionAddr::Tcp(name, port),
        Scheme::Tls => {
            ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None }
        }
    }
}

fn log_in(connection: &mut Connection, location: &Location) -> RedisResult<()> {
    let Some(password) = &location.password else { return Ok(()) };
    let mut command = redis::cmd("AUTH");
    if let Some(user) = &location.user {
        command.arg(user);
    }
    ask(connection, command.arg(password)).map(drop)
}

/// How the server syncs, unless it may not be asked.
fn sync(connection: &mut Connection) -> RedisResult<Option<Sync>> {
    let names = ["appendfsync", "no-appendfsync-on-rewrite"];
    let answer = ask(connection, redis::cmd("CONFIG").arg("GET").arg(&names));
    let pairs: Vec<(String, String)> = match answer {
        Ok(answer) => read(answer)?,
        // Not for this user, or for nobody: some hosters take the command away.
        Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let appendfsync = value(names[0]).and_then(Appendfsync::of_text);
    let pauses_on_rewrite = value(names[1]) == Some("yes");
    Ok(appendfsync.map(|appendfsync| Sync { appendfsync, pauses_on_rewrite }))
}

/// Asks the sentinels, one after the other, where the primary is now.
fn primary(location: &Location, settings: &Settings) -> Result<Host> {
    let mut last = None;
    for sentinel in &location.hosts {
        match primary_of(sentinel, &location.primary, settings) {
            Ok(Some(host)) => return Ok(host),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
    }
    let name = location.name();
    Err(last.map_or_else(
        || {
            let message = format!("no sentinel of {name} knows this primary; check its name");
            Error::at(Code::Busy, "store", message)
        },
        |error| unreachable(&name, error),
    ))
}

fn primary_of(sentinel: &Host, primary: &str, settings: &Settings) -> RedisResult<Option<Host>> {
    let mut connection = dial(address(sentinel, Scheme::Plain), settings)?;
    let command = redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(primary).to_owned();
    let answer: Option<(String, u16)> = read(ask(&mut connection, &command)?)?;
    Ok(answer.map(|(name, port)| Host { name, port }))
}

/// Sends a command that prepares or reads, and returns its answer.
pub(crate) fn ask(connection: &mut Connection, command: &Cmd) -> RedisResult<Value> {
    connection.send_packed_command(&command.get_packed_command())?;
    answered(connection.recv_response()?)
}

/// A reply, unless it is an error as a whole. One inside is the reader's to judge.
pub(crate) fn answered(reply: Value) -> RedisResult<Value> {
    match reply {
        Value::ServerError(error) => Err(error.into()),
        reply => Ok(reply),
    }
}

fn read<T: FromRedisValue>(value: Value) -> RedisResult<T> {
    redis::from_redis_value(value).map_err(RedisError::from)
}
