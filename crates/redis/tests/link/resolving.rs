//! After an unknown commit the answer is found, and holds.

use std::thread;
use std::time::Duration;

use redis::Value;
use tasker_core::error::Code;
use tasker_redis::link::{Link, Script};

use crate::proxy::Proxy;
use crate::{at, bytes, open, patient, settings, started, text, unknown};

const LONG: Duration = Duration::from_secs(60);

/// Counts up for a session that is not void.
fn commit() -> Script {
    let text = "local session = redis.call('hget', KEYS[1], 'session') or '1' \
        if session ~= ARGV[1] then return 'void' end \
        return redis.call('hincrby', KEYS[1], 'number', 1)";
    Script::new("commit", text)
}

/// Voids the sessions before this one and says how far they came.
fn resolve() -> Script {
    let text = "redis.call('hset', KEYS[1], 'session', ARGV[1]) \
        return tonumber(redis.call('hget', KEYS[1], 'number') or 0)";
    Script::new("resolve", text)
}

fn commit_on(link: &mut Link) -> Result<Value, tasker_redis::link::Failure> {
    link.call(&commit(), &bytes(&["h"]), &bytes(&["1"]))
}

fn resolve_on(link: &mut Link, time: Duration) -> tasker_core::error::Result<Value> {
    link.resolve(&resolve(), &bytes(&["h"]), &bytes(&["2"]), time)
}

#[test]
fn a_commit_whose_reply_was_cut_is_found() {
    let server = started(&[]);
    let proxy = Proxy::before(&server);
    let mut link = Link::open(&at(&proxy.url()), patient()).unwrap();
    assert_eq!(commit_on(&mut link).unwrap(), Value::Int(1));
    proxy.cut_after(2, 1);
    unknown(commit_on(&mut link));
    // Three connections break before the answer comes.
    proxy.cut_after(1, 3);
    assert_eq!(resolve_on(&mut link, LONG).unwrap(), Value::Int(2));
    assert_eq!(commit_on(&mut link).unwrap(), text("void"));
}

#[test]
fn what_comes_late_changes_the_answer_no_more() {
    let server = started(&[]);
    let mut link = open(&server, settings());
    commit_on(&mut link).unwrap();
    server.freeze().unwrap();
    unknown(commit_on(&mut link));
    server.thaw().unwrap();
    let Value::Int(found) = resolve_on(&mut link, LONG).unwrap() else { panic!("no number") };
    // The late commit was run before the answer, or it found its session void.
    let late = "cmdstat_evalsha:calls=3,";
    while !server.send(&["info", "commandstats"]).unwrap().contains(late) {}
    assert_eq!(server.send(&["hget", "h", "number"]).unwrap(), found.to_string());
}

#[test]
fn a_server_that_comes_back_in_time_answers() {
    let mut server = started(&["appendfsync always"]);
    let mut link = open(&server, patient());
    commit_on(&mut link).unwrap();
    server.kill();
    unknown(commit_on(&mut link));
    let resolving = thread::Builder::new().spawn(move || resolve_on(&mut link, LONG)).unwrap();
    server.restart().unwrap();
    assert_eq!(resolving.join().unwrap().unwrap(), Value::Int(1));
}

#[test]
fn nobody_there_stays_unknown() {
    let mut server = started(&[]);
    let mut link = open(&server, settings());
    server.kill();
    let error = resolve_on(&mut link, Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.code(), Code::Unknown, "{error}");
}

#[test]
fn the_fault_of_the_script_is_not_tried_again() {
    let server = started(&[]);
    let mut link = open(&server, patient());
    let wrong = Script::new("wrong", "this is no Lua");
    let error = link.resolve(&wrong, &[], &[], LONG).unwrap_err();
    assert_eq!(error.code(), Code::Bug, "{error}");
}
