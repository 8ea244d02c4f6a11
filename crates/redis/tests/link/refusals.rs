//! What real servers refuse, and what scripts of ours do wrong.

use std::io::Write;
use std::net::TcpStream;

use tasker_core::error::Code;
use tasker_redis::link::Script;

use crate::{append_x, bytes, not_executed, open, patient, started, text, unknown};

#[test]
fn a_full_server_is_full_and_nothing_is_half_done() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    append_x(&mut link).unwrap();
    server.send(&["config", "set", "maxmemory", "1"]).unwrap();
    assert_eq!(not_executed(append_x(&mut link)).code(), Code::Full);
    assert_eq!(server.send(&["get", "k"]).unwrap(), "x");

    // What begins by making room is run to its end.
    let makes_room = "redis.call('del', KEYS[1]) return redis.call('append', KEYS[2], 'y')";
    let makes_room = Script::new("makes-room", makes_room);
    link.call(&makes_room, &bytes(&["k", "l"]), &[]).unwrap();

    server.send(&["config", "set", "maxmemory", "0"]).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("x"));
}

#[test]
fn a_primary_that_became_a_replica_is_read_only() {
    let (server, other) = (started(&[]), started(&[]));
    let mut link = open(&server, patient());
    append_x(&mut link).unwrap();
    let port = other.port().to_string();
    server.send(&["replicaof", "127.0.0.1", &port]).unwrap();
    assert_eq!(not_executed(append_x(&mut link)).code(), Code::ReadOnly);
    server.send(&["replicaof", "no", "one"]).unwrap();
    append_x(&mut link).unwrap();
}

#[test]
fn too_few_replicas_are_busy() {
    let server = started(&["min-replicas-to-write 1"]);
    let mut link = open(&server, patient());
    assert_eq!(not_executed(append_x(&mut link)).code(), Code::Busy);
    assert_eq!(server.send(&["exists", "k"]).unwrap(), "0");
}

#[test]
fn a_script_of_others_that_runs_too_long_is_busy() {
    let server = started(&["busy-reply-threshold 1"]);
    let mut link = open(&server, patient());
    append_x(&mut link).unwrap();
    let mut other = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    other.write_all(b"EVAL \"while true do end\" 0\r\n").unwrap();
    while server.send(&["ping"]).is_ok() {}
    assert_eq!(not_executed(append_x(&mut link)).code(), Code::Busy);
    server.send(&["script", "kill"]).unwrap();
    while server.send(&["ping"]).is_err() {}
    assert_eq!(append_x(&mut link).unwrap(), text("xx"));
}

#[test]
fn a_script_of_ours_that_is_killed_wrote_nothing() {
    let server = started(&["busy-reply-threshold 1"]);
    let mut link = open(&server, patient());
    static ENDLESS: Script = Script::new("endless", "while true do end");
    let running = std::thread::Builder::new().spawn(move || link.call(&ENDLESS, &[], &[])).unwrap();
    while server.send(&["script", "kill"]).is_err() {}
    assert_eq!(not_executed(running.join().unwrap()).code(), Code::Busy);
}

#[test]
fn the_fault_of_a_script_names_it() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    let mut run = |name, text| {
        server.send(&["del", "k"]).unwrap();
        link.call(&Script::new(name, text), &bytes(&["k"]), &[])
    };
    let error = not_executed(run("no-lua", "this is no Lua"));
    assert_eq!(error.code(), Code::Bug, "{error}");
    assert!(error.message().contains("no-lua"), "{error}");

    let checked = "return redis.error_reply('CORRUPT no schema version')";
    let error = not_executed(run("checked", checked));
    assert_eq!(error.code(), Code::Corrupt, "{error}");
    assert!(error.message().contains("no schema version"), "{error}");

    let nil = "redis.call('set', KEYS[1], 'v') local t = nil return t.x";
    let error = unknown(run("half-way", nil));
    assert_eq!(error.code(), Code::Bug, "{error}");
    assert!(error.message().contains("half-way"), "{error}");
    assert_eq!(server.send(&["get", "k"]).unwrap(), "v", "the first write stays");

    let wrong = "redis.call('set', KEYS[1], 'v') return redis.call('hget', KEYS[1], 'f')";
    let error = unknown(run("foreign-key", wrong));
    assert_eq!(error.code(), Code::Corrupt, "{error}");
    assert!(error.message().contains("foreign-key"), "{error}");
}
