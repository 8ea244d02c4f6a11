//! What the heartbeat tells.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use redis::Value;
use tasker_redis::link::{Beat, Heartbeat, Pulse, Script};

use crate::redis_server::RedisServer;
use crate::{at, bytes, settings, started};

fn beating(server: &RedisServer, script: &'static Script) -> (Heartbeat, Receiver<Beat>) {
    let (tell, told) = channel();
    let on_beat = Arc::new(move |beat| tell.send(beat).unwrap_or_default());
    let (keys, args) = (bytes(&["o"]), Box::new(Vec::new));
    let pulse = Pulse { period: Duration::from_millis(20), script, keys, args };
    (Heartbeat::start(&at(&server.url()), settings(), pulse, on_beat).unwrap(), told)
}

static COUNT: Script = Script::new("count", "return redis.call('incr', KEYS[1])");
static REFUSE: Script = Script::new("refuse", "return redis.error_reply('CORRUPT no owner')");

#[test]
fn each_answer_says_when_its_beat_was_sent() {
    let server = started(&[]);
    let (heartbeat, told) = beating(&server, &COUNT);
    // On a slow machine some fail.
    let answered = told.iter().filter_map(|beat| match beat {
        Beat::Answered { sent, reply: Value::Int(count) } => Some((sent, count)),
        Beat::Answered { reply, .. } => panic!("{reply:?}"),
        Beat::Failed(_) => None,
    });
    let answered: Vec<_> = answered.take(3).collect();
    assert!(answered.windows(2).all(|pair| pair[0] < pair[1]), "{answered:?}");
    assert!(answered.windows(2).all(|pair| pair[0].1 < pair[1].1), "{answered:?}");
    drop(heartbeat);
    told.iter().for_each(drop);
}

#[test]
fn a_server_that_is_gone_is_told_and_found_again() {
    let mut server = started(&[]);
    let (heartbeat, told) = beating(&server, &COUNT);
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
    let (_heartbeat, told) = beating(&server, &REFUSE);
    let Beat::Failed(error) = told.recv().unwrap() else { panic!("it was answered") };
    assert!(error.message().contains("no owner"), "{error}");
}
