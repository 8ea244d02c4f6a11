//! Sentinels are asked where the primary is.

use tasker_core::error::Code;
use tasker_redis::link::Link;

use crate::redis_server::RedisServer;
use crate::{append_x, at, patient, settings, started, text, unknown};

#[test]
fn a_link_follows_the_primary() {
    let old = started(&[]);
    let new = started(&[&format!("replicaof 127.0.0.1 {}", old.port())]);
    let monitor = format!("sentinel monitor main 127.0.0.1 {} 1", old.port());
    let sentinel = RedisServer::start_sentinel(&[&monitor]).unwrap();
    // It would look for replicas each ten seconds only.
    sentinel.send(&["sentinel", "debug", "info-period", "100"]).unwrap();
    let mut gone = started(&[]);
    gone.kill();

    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", gone.port(), sentinel.port());
    let url = format!("redis+sentinel://{hosts}/main");
    let mut link = Link::open(&at(&url), patient()).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("x"));

    while new.send(&["get", "k"]).unwrap() != "x" {}
    while sentinel.send(&["sentinel", "failover", "main"]).is_err() {}
    // Until it is told, the old one takes writes that will be lost.
    for (server, role) in [(&new, "master"), (&old, "slave")] {
        while !server.send(&["role"]).is_ok_and(|found| found.starts_with(role)) {}
    }
    // The sentinel has cut all connections to it.
    unknown(append_x(&mut link));
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
