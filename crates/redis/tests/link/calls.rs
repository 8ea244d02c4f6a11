//! Calls, and connections that are made anew.

use std::thread;

use tasker_core::error::Code;
use tasker_redis::link::{Link, Script};

use crate::{append_x, at, bytes, not_executed, open, patient, settings, started, text, unknown};

#[test]
fn a_script_is_sent_as_text_only_when_the_server_does_not_know_it() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    for seen in ["x", "xx", "xxx"] {
        assert_eq!(append_x(&mut link).unwrap(), text(seen));
    }
    server.send(&["script", "flush"]).unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("xxxx"));
    let statistics = server.send(&["info", "commandstats"]).unwrap();
    assert!(statistics.contains("cmdstat_eval:calls=2,"), "{statistics}");
    assert!(statistics.contains("cmdstat_evalsha:calls=4,"), "{statistics}");
}

#[test]
fn every_byte_arrives() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    let echo = Script::new("echo", "return {KEYS[1], ARGV[1], 7}");
    let all: Vec<u8> = (0..=255).collect();
    let reply = link.call(&echo, std::slice::from_ref(&all), std::slice::from_ref(&all)).unwrap();
    let all = redis::Value::BulkString(all);
    assert_eq!(reply, redis::Value::Array(vec![all.clone(), all, redis::Value::Int(7)]));
}

#[test]
fn an_error_within_an_array_is_the_stores_to_judge() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    let inner = "redis.call('set', KEYS[1], 'v') return {1, redis.pcall('incr', KEYS[1])}";
    let reply = link.call(&Script::new("inner", inner), &bytes(&["k"]), &[]).unwrap();
    assert!(format!("{reply:?}").contains("not an integer"), "{reply:?}");
}

#[test]
fn a_killed_server_is_unknown_once_and_not_reached_then() {
    let mut server = started(&[]);
    let mut link = open(&server, settings());
    append_x(&mut link).unwrap();
    server.kill();
    assert_eq!(unknown(append_x(&mut link)).code(), Code::Unknown);
    assert_eq!(not_executed(append_x(&mut link)).code(), Code::Busy);
    server.restart().unwrap();
    assert_eq!(append_x(&mut link).unwrap(), text("xx"));
}

#[test]
fn a_call_waits_for_a_server_that_comes_back() {
    let mut server = started(&[]);
    let mut link = open(&server, patient());
    append_x(&mut link).unwrap();
    server.kill();
    link.disconnect();
    let waiting = thread::Builder::new().spawn(move || append_x(&mut link)).unwrap();
    server.restart().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), text("xx"));
}

#[test]
fn a_server_that_came_back_different_is_refused_until_it_is_mended() {
    let mut server = started(&["requirepass hunter2"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    let mut link = Link::open(&at(&url), patient()).unwrap();
    for lines in [["requirepass other", "maxmemory 0"], ["requirepass hunter2", "appendonly no"]] {
        server.restart_with(&lines).unwrap();
        link.disconnect();
        let error = not_executed(append_x(&mut link));
        assert_eq!(error.code(), Code::ReadOnly, "{error}");
        assert!(!format!("{error:?} {link:?}").contains("hunter2"), "{error:?}");
    }
    server.restart_with(&["requirepass hunter2"]).unwrap();
    append_x(&mut link).unwrap();
}
