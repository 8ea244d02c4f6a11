//! Sentinels are asked where the primary is.

use tasker_core::error::Code;
use tasker_redis::link::Link;

use crate::redis_server::RedisServer;
use crate::{append_x, at, patient, settings, started, text};

#[test]
fn a_link_follows_the_primary() {
    let old = started(&[]);
    let new = started(&[&format!("replicaof 127.0.0.1 {}", old.port())]);
    let monitor = format!("sentinel monitor main 127.0.0.1 {} 1", old.port());
    let sentinel = RedisServer::start_sentinel(&[&monitor]).unwrap();
    let mut gone = started(&[]);
    gone.kill();

    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", gone.port(), sentinel.port());
    let url = format!("redis+sentinel://{hosts}/main");
    let mut link = Link::open(&at(&url), patient()).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("x"));

    while new.send(&["get", "k"]).unwrap() != "x" {}
    // What a sentinel does when it fails over, without its timers.
    new.send(&["replicaof", "no", "one"]).unwrap();
    sentinel.send(&["sentinel", "remove", "main"]).unwrap();
    let port = new.port().to_string();
    sentinel.send(&["sentinel", "monitor", "main", "127.0.0.1", &port, "1"]).unwrap();
    old.send(&["replicaof", "127.0.0.1", &port]).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("xx"));
    assert_eq!(new.send(&["get", "k"]).unwrap(), "xx");
}

#[test]
fn a_name_no_sentinel_knows_is_told() {
    let primary = started(&[]);
    let monitor = format!("sentinel monitor main 127.0.0.1 {} 1", primary.port());
    let sentinel = RedisServer::start_sentinel(&[&monitor]).unwrap();
    let url = format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port());
    let error = Link::open(&at(&url), settings()).unwrap_err();
    assert_eq!(error.code(), Code::Busy, "{error}");
    assert!(error.message().contains("check its name"), "{error}");
}
