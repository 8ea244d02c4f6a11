//! The connection layer against real servers, which the tests start, stop, fill and kill.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is a test")]

use std::time::Duration;

use tasker_redis::link::{Demands, Failure, Link, Location, Script, Settings};

#[path = "../../../proof/src/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a public module of the proof kit")]
mod redis_server;

mod proxy;
mod server;
mod opening;
mod calls;
mod refusals;
mod cuts;
mod resolving;
mod listening;
mod beating;
mod failover;
mod logging;
#[cfg(feature = "tls")]
mod tls;

use redis_server::RedisServer;

fn started(lines: &[&str]) -> RedisServer {
    RedisServer::start(lines).unwrap()
}

/// Timeouts that a test waits out, and patience that no slow machine uses up.
fn settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(10),
        reply_timeout: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        demands: Demands::default(),
    }
}

/// Settings for a test in which nothing hangs.
fn patient() -> Settings {
    let long = Duration::from_secs(60);
    Settings { connect_timeout: long, reply_timeout: long, patience: long, ..settings() }
}

fn at(url: &str) -> Location {
    Location::parse(url).unwrap()
}

fn open(server: &RedisServer, settings: Settings) -> Link {
    Link::open(&at(&server.url()), settings).unwrap()
}

/// Appends its argument to its key and returns the whole.
fn append() -> Script {
    Script::new(
        "append",
        "redis.call('append', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
    )
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Appends `x` to `k`.
fn append_x(link: &mut Link) -> Result<redis::Value, Failure> {
    link.call(&append(), &bytes(&["k"]), &bytes(&["x"]))
}

fn text(value: &str) -> redis::Value {
    redis::Value::BulkString(value.as_bytes().to_vec())
}

/// The code of a call that did not run.
fn not_executed<T: std::fmt::Debug>(result: Result<T, Failure>) -> tasker_core::error::Error {
    match result {
        Err(Failure::NotExecuted(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// The error of a call that may have run.
fn unknown<T: std::fmt::Debug>(result: Result<T, Failure>) -> tasker_core::error::Error {
    match result {
        Err(Failure::Unknown(error)) => error,
        other => panic!("{other:?}"),
    }
}
