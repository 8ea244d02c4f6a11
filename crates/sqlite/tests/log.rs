//! The length of the log under load.
#![allow(clippy::unwrap_used)]

mod hand;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use hand::{Hand, def, folder};
use rusqlite::Connection;
use tasker_core::store::Store;

const MIB: u64 = 1024 * 1024;
/// What the log may have (G-14).
const LOG_BYTES_MAX: u64 = 64 * MIB;

/// Reads that follow each other so closely that one is always under way, until the end.
fn relay(path: &Path, has_begun: &AtomicBool, is_over: &AtomicBool) {
    let connections = [Connection::open(path).unwrap(), Connection::open(path).unwrap()];
    let begin = |at: usize| {
        let read = "BEGIN; SELECT count(*) FROM operations";
        connections[at].execute_batch(read).unwrap();
    };
    begin(0);
    has_begun.store(true, Ordering::Release);
    for at in (0..2).cycle() {
        begin(1 - at);
        connections[at].execute_batch("ROLLBACK").unwrap();
        if is_over.load(Ordering::Acquire) {
            return;
        }
    }
}

/// F-16: a snapshot that lasts, such as that of a backup.
#[test]
fn the_log_grows_under_a_long_read_and_begins_anew_behind_it() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let data = format!("\"{}\"", "x".repeat(MIB as usize));
    let mut log_bytes = || {
        hand.add(&lane, def(&data, 0.0));
        hand.store.maintain(false).unwrap();
        std::fs::metadata(path.with_extension("db-wal")).unwrap().len()
    };
    let long = Connection::open(&path).unwrap();
    long.execute_batch("BEGIN; SELECT count(*) FROM operations").unwrap();
    let grown = (0..96).map(|_| log_bytes()).max().unwrap();
    assert!(grown > LOG_BYTES_MAX, "the read must be in the way to prove anything");

    long.execute_batch("ROLLBACK").unwrap();
    let is_short = (0..96).any(|_| log_bytes() <= LOG_BYTES_MAX);
    assert!(is_short, "the log has not begun anew");
    hand.close();
}

/// F-16, G-14
#[test]
fn the_log_stays_bounded_while_reads_follow_each_other_without_a_gap() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let (has_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let data = format!("\"{}\"", "x".repeat(MIB as usize));
    let longest = std::thread::scope(|scope| {
        scope.spawn(|| relay(&path, &has_begun, &is_over));
        while !has_begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let mut log_bytes = || {
            hand.add(&lane, def(&data, 0.0));
            hand.store.maintain(false).unwrap();
            std::fs::metadata(path.with_extension("db-wal")).unwrap().len()
        };
        let longest = (0..3 * LOG_BYTES_MAX / MIB).map(|_| log_bytes()).max();
        is_over.store(true, Ordering::Release);
        longest.unwrap()
    });
    assert!(longest <= LOG_BYTES_MAX, "{} MiB", longest / MIB);
    assert!(longest > LOG_BYTES_MAX / 4, "the reads must be in the way to prove anything");
    hand.close();
}
