//! What the heartbeat tells.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use redis::Value;
use tasker_redis::link::{Beat, Heartbeat, Pulse, Script};

use crate::redis_server::RedisServer;
use crate::{at, bytes, settings, started};

fn beating(server: &RedisServer, text: &str) -> (Heartbeat, Receiver<Beat>) {
    let (tell, told) = channel();
    let on_beat = Arc::new(move |beat| tell.send(beat).unwrap_or_default());
    let (script, keys) = (Script::new("beat", text), bytes(&["o"]));
    let pulse = Pulse { period: Duration::from_millis(20), script, keys, args: Vec::new() };
    (Heartbeat::start(&at(&server.url()), settings(), pulse, on_beat).unwrap(), told)
}

const COUNT: &str = "return redis.call('incr', KEYS[1])";

#[test]
fn each_answer_says_when_its_beat_was_sent() {
    let server = started(&[]);
    let (heartbeat, told) = beating(&server, COUNT);
    let mut last = None;
    for count in 1..=3 {
        match told.recv().unwrap() {
            Beat::Answered { sent, reply } => {
                assert_eq!(reply, Value::Int(count));
                assert!(last < Some(sent), "a later beat was sent later");
                last = Some(sent);
            }
            // A slow machine.
            Beat::Failed(error) => panic!("{error}"),
        }
    }
    drop(heartbeat);
    told.iter().for_each(drop);
}

#[test]
fn a_server_that_is_gone_is_told_and_found_again() {
    let mut server = started(&[]);
    let (heartbeat, told) = beating(&server, COUNT);
    let is_answered = |beat: &Beat| matches!(beat, Beat::Answered { .. });
    told.iter().find(is_answered).unwrap();
    server.kill();
    told.iter().find(|beat| !is_answered(beat)).unwrap();
    server.restart().unwrap();
    told.iter().find(is_answered).unwrap();
    server.freeze().unwrap();
    told.iter().find(|beat| !is_answered(beat)).unwrap();
    drop(heartbeat);
    assert!(told.iter().all(|beat| !is_answered(&beat)), "its thread is gone");
}

#[test]
fn a_script_that_refuses_is_told() {
    let server = started(&[]);
    let (_heartbeat, told) = beating(&server, "return redis.error_reply('CORRUPT no owner')");
    let Beat::Failed(error) = told.recv().unwrap() else { panic!("it was answered") };
    assert!(error.message().contains("no owner"), "{error}");
}
