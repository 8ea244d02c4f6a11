//! Copies of a database that is in use.
#![allow(clippy::unwrap_used)]

mod hand;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hand::{Hand, def, done, folder};
use rusqlite::Connection;
use tasker_core::error::Code;
use tasker_core::reader::{Interrupted, Reader};
use tasker_core::state::State;
use tasker_core::store::{Lane, Store};
use tasker_sqlite::audit;

fn never() -> Interrupted {
    Arc::new(|| false)
}

/// A database with tasks in some states, one of them live, and the names of its folder.
fn filled(path: &Path) -> (Hand, Lane) {
    let mut hand = Hand::open(path);
    let lane = hand.lane(1, "read-book");
    let tasks: Vec<_> = (0..4).map(|_| hand.add(&lane, def("1", 0.0))).collect();
    hand.start(tasks[0], 1);
    let run = hand.start(tasks[1], 1);
    hand.end(tasks[1], Some(run), done());
    (hand, lane)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_copy_in_the_same_folder_has_every_task_and_no_living_owner() {
    let (folder, path) = folder();
    let (mut hand, lane) = filled(&path);
    let copy = folder.path().join("copy.db");
    hand.reader.back_up(&copy, never()).unwrap();
    // What is committed later is not in it.
    hand.add(&lane, def("1", 0.0));
    assert_eq!(audit(&copy).unwrap().counts.total(), 4);
    let mut other = Hand::open(&copy);
    let orphans = other.store.begin_read().unwrap().orphans().unwrap();
    assert_eq!(orphans.len(), 1, "the live run of the database is nobody's in the copy");
    assert_eq!(other.counts.get(State::Ready), 2);
    other.close();
    assert_eq!(hand.counts.get(State::Ready), 3);
    hand.close();
}

#[test]
fn a_copy_of_a_database_in_memory_is_a_file() {
    let (folder, _) = folder();
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    hand.add(&lane, def("1", 0.0));
    let copy = folder.path().join("copy.db");
    hand.reader.back_up(&copy, never()).unwrap();
    assert_eq!(audit(&copy).unwrap().counts.total(), 1);
    // The connection reads as before, and does not write.
    assert_eq!(hand.reader.verify(never()).unwrap().tasks, 1);
    hand.close();
}

#[test]
fn a_new_copy_replaces_the_last_one() {
    let (folder, path) = folder();
    let (mut hand, lane) = filled(&path);
    let copy = folder.path().join("copy.db");
    hand.reader.back_up(&copy, never()).unwrap();
    hand.add(&lane, def("1", 0.0));
    // A process that died has left half of one.
    fs::write(folder.path().join("copy.db.partial"), "half").unwrap();
    hand.reader.back_up(&copy, never()).unwrap();
    assert_eq!(audit(&copy).unwrap().counts.total(), 5);
    assert!(!names(folder.path()).iter().any(|name| name.contains("partial")));
    hand.close();
}

#[test]
fn nothing_is_replaced_but_a_copy_that_nobody_has_open() {
    let (folder, path) = folder();
    let (mut hand, _) = filled(&path);
    let foreign = folder.path().join("notes.txt");
    fs::write(&foreign, "not a database, and longer than nothing at all").unwrap();
    let open = folder.path().join("open.db");
    let other = Hand::open(&open);
    let before = names(folder.path());
    for target in [&path, &foreign, &open] {
        let refused = hand.reader.back_up(target, never()).unwrap_err();
        assert_eq!(refused.code(), Code::Invalid, "{refused}");
        assert_eq!(refused.facts().path.as_deref(), Some("path"));
    }
    let nowhere = folder.path().join("no-folder/copy.db");
    assert_eq!(hand.reader.back_up(&nowhere, never()).unwrap_err().code(), Code::Io);
    assert_eq!(fs::read_to_string(&foreign).unwrap().len(), 46);
    assert_eq!(names(folder.path()), before);
    other.close();
    hand.close();
}

#[test]
fn a_copy_that_is_being_made_is_not_made_twice() {
    let (folder, path) = folder();
    let (mut hand, _) = filled(&path);
    let partial = fs::File::create(folder.path().join("copy.db.partial")).unwrap();
    partial.lock().unwrap();
    let copy = folder.path().join("copy.db");
    assert_eq!(hand.reader.back_up(&copy, never()).unwrap_err().code(), Code::Busy);
    drop(partial);
    hand.reader.back_up(&copy, never()).unwrap();
    hand.close();
}

#[test]
fn a_database_that_is_not_sound_gives_no_copy() {
    let (folder, path) = folder();
    filled(&path).0.close();
    let connection = Connection::open(&path).unwrap();
    connection.execute("DELETE FROM tasks WHERE seq = 2", []).unwrap();
    drop(connection);
    let mut hand = Hand::open(&path);
    let refused = hand.reader.back_up(&folder.path().join("copy.db"), never()).unwrap_err();
    assert_eq!(refused.code(), Code::Corrupt);
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("copy")));
    let verified = hand.reader.verify(never()).unwrap();
    assert_eq!(verified.tasks, 3);
    assert!(verified.faults.iter().any(|fault| fault.contains("is not there")), "{verified:?}");
    hand.close();
}

#[test]
fn an_interrupted_copy_leaves_nothing_behind() {
    let (folder, path) = folder();
    let (mut hand, lane) = filled(&path);
    let data = format!("\"{}\"", "x".repeat(4_000));
    for _ in 0..2_000 {
        hand.add(&lane, def(&data, 0.0));
    }
    let copy = folder.path().join("copy.db");
    let looks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&looks);
    let at_once: Interrupted = Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) == 0);
    let refused = hand.reader.back_up(&copy, at_once).unwrap_err();
    assert_eq!(refused.code(), Code::Closed, "{refused}");
    assert!(looks.load(Ordering::Relaxed) > 0);
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("copy")));
    // The connection goes on as before.
    assert!(hand.reader.verify(never()).unwrap().faults.is_empty());
    hand.reader.back_up(&copy, never()).unwrap();
    hand.close();
}
