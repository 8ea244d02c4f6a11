//! Replies that do not come, or not whole: then nobody guesses.

use tasker_core::error::Code;
use tasker_redis::link::Link;

use crate::proxy::Proxy;
use crate::unknown;
use crate::{append, append_x, at, bytes, not_executed, open, patient, settings, started, text};

/// `$3\r\nxxx\r\n`, of which the last byte does not come in the longest cut.
const REPLY_BYTES: usize = 9;

#[test]
fn a_reply_that_is_cut_anywhere_is_unknown_and_was_run_once() {
    let server = started(&[]);
    let proxy = Proxy::before(&server);
    let mut link = Link::open(&at(&proxy.url()), patient()).unwrap();
    append_x(&mut link).unwrap();
    for cut in 0..REPLY_BYTES {
        server.send(&["set", "k", "xx"]).unwrap();
        proxy.cut_after(cut, 1);
        let error = unknown(append_x(&mut link));
        assert_eq!(error.code(), Code::Unknown, "{error}");
        assert!(error.message().contains("append"), "{error}");
        assert_eq!(server.send(&["get", "k"]).unwrap(), "xxx", "cut after {cut}");
        // The rest of the reply belongs to nobody.
        assert_eq!(append_x(&mut link).unwrap(), text("xxxx"), "cut after {cut}");
    }
}

#[test]
fn a_pause_is_unknown() {
    let server = started(&[]);
    let mut link = open(&server, settings());
    append_x(&mut link).unwrap();
    server.send(&["client", "pause", "600000", "write"]).unwrap();
    assert_eq!(unknown(append_x(&mut link)).code(), Code::Unknown);
    server.send(&["client", "unpause"]).unwrap();
    append_x(&mut link).unwrap();
}

#[test]
fn a_server_that_sleeps_is_unknown_and_runs_it_when_it_wakes() {
    let server = started(&[]);
    let mut link = open(&server, settings());
    append_x(&mut link).unwrap();
    server.freeze().unwrap();
    assert_eq!(unknown(append_x(&mut link)).code(), Code::Unknown);
    server.thaw().unwrap();
    // Its connection is closed long since, and it runs all the same.
    while server.send(&["get", "k"]).unwrap() != "xx" {}
}

#[test]
fn a_debug_sleep_is_never_taken_for_a_refusal() {
    let server = started(&[]);
    let mut link = open(&server, settings());
    append_x(&mut link).unwrap();
    let asleep = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    std::io::Write::write_all(&mut &asleep, b"DEBUG SLEEP 2\r\n").unwrap();
    // Only a machine that starves us for two seconds has it answered.
    let late = append_x(&mut link);
    assert!(matches!(late, Ok(_) | Err(tasker_redis::link::Failure::Unknown(_))), "{late:?}");
    std::io::Read::read_exact(&mut &asleep, &mut [0; 5]).unwrap();
    while server.send(&["get", "k"]).unwrap() != "xx" {}
}

#[test]
fn a_command_that_was_not_taken_whole_is_not_executed() {
    let server = started(&[]);
    let mut link = open(&server, settings());
    append_x(&mut link).unwrap();
    server.freeze().unwrap();
    let more_than_buffers_hold = vec![vec![b'y'; 64 * 1024 * 1024]];
    let error = not_executed(link.call(&append(), &bytes(&["k"]), &more_than_buffers_hold));
    assert_eq!(error.code(), Code::Busy, "{error}");
    server.thaw().unwrap();
    assert_eq!(append_x(&mut open(&server, patient())).unwrap(), text("xx"));
}
