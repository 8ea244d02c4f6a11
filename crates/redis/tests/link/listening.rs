//! What the listener hears, and that it ends.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use tasker_redis::link::{Listener, Settings};

use crate::proxy::Proxy;
use crate::{at, settings, started};

fn listening(url: &str, settings: Settings) -> (Listener, Receiver<()>) {
    let (wake, woken) = channel();
    let waker = Arc::new(move || wake.send(()).unwrap_or_default());
    (Listener::start(&at(url), settings, "c", waker).unwrap(), woken)
}

#[test]
fn each_message_and_each_connection_wakes() {
    let mut server = started(&[]);
    let (listener, woken) = listening(&server.url(), settings());
    woken.recv().unwrap();
    for _ in 0..3 {
        assert_eq!(server.send(&["publish", "c", "m"]).unwrap(), "1");
        woken.recv().unwrap();
    }
    server.kill();
    server.restart().unwrap();
    woken.recv().unwrap();
    assert_eq!(server.send(&["publish", "c", "m"]).unwrap(), "1");
    woken.recv().unwrap();
    drop(listener);
    assert_eq!(woken.iter().count(), 0, "its thread is gone");
}

#[test]
fn a_connection_that_died_without_a_word_is_noticed() {
    let server = started(&[]);
    let proxy = Proxy::before(&server);
    let (_listener, woken) = listening(&proxy.url(), settings());
    woken.recv().unwrap();
    proxy.mute();
    woken.recv().unwrap();
    while server.send(&["publish", "c", "m"]).unwrap() == "0" {}
    woken.recv().unwrap();
}

#[test]
fn a_message_that_comes_in_two_halves_is_one() {
    let server = started(&[]);
    let proxy = Proxy::before(&server);
    let (_listener, woken) = listening(&proxy.url(), settings());
    woken.recv().unwrap();
    for half in [1, 9, 30] {
        proxy.hold_after(half);
        assert_eq!(server.send(&["publish", "c", "m"]).unwrap(), "1");
        // The rest comes when the silence is too long for the listener, and it asks.
        woken.recv().unwrap();
    }
    assert_eq!(proxy.accepted(), 1, "no connection was made anew");
}

#[test]
fn it_starts_without_a_server_and_ends_without_one() {
    let mut server = started(&[]);
    server.kill();
    let (listener, woken) = listening(&server.url(), settings());
    server.restart().unwrap();
    woken.recv().unwrap();
    server.freeze().unwrap();
    drop(listener);
    assert_eq!(woken.iter().count(), 0, "its thread is gone");
    server.kill();
    drop(listening(&server.url(), settings()));
}
