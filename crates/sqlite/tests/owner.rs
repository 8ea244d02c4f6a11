//! Who holds the file, and what the dead leave.
#![allow(clippy::unwrap_used)]

mod hand;

use std::fs::{self, File};
use std::path::Path;

use hand::{Hand, def, failed, folder, names, try_open};
use rusqlite::Connection;
use tasker_core::error::Code;
use tasker_core::reader::Reader;
use tasker_core::store::{Commit, Orphan, Store};
use tasker_core::task::AttemptEnd;

fn owners(path: &Path) -> Vec<(u64, String)> {
    let other = Connection::open(path).unwrap();
    let mut statement = other.prepare("SELECT id, lock_file FROM owners ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.map(|(id, name): (i64, String)| (id as u64, name)).unwrap()).collect()
}

fn orphans(hand: &mut Hand) -> Vec<Orphan> {
    hand.store.begin_read().unwrap().orphans().unwrap()
}

/// A file whose owner died with two running tasks, the second of which is more urgent.
fn with_two_runs(path: &Path) -> Vec<(u64, tasker_core::id::RunId)> {
    let mut hand = Hand::open(path);
    let lane = hand.lane(1, "read-book");
    let tasks = [hand.add(&lane, def("1", 0.0)), hand.add(&lane, def("2", 5.0))];
    tasks.map(|task| (task.seq.0, hand.start(task, 1))).to_vec()
}

/// I-5
#[test]
fn a_second_handle_is_locked_and_told_by_whom() {
    let (folder, path) = folder();
    let hand = Hand::open(&path);
    let before = names(folder.path());
    let error = try_open(&path).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    assert_eq!(error.facts().pid, Some(std::process::id()));
    assert!(error.message().contains(&std::process::id().to_string()), "{error}");
    assert!(error.message().contains("in this process"), "{error}");
    assert_eq!(names(folder.path()), before, "the refused handle left something");
    hand.close();
    Hand::open(&path).close();
}

/// I-5: a process in another container often has the same pid.
#[test]
fn a_living_process_with_our_pid_is_not_taken_for_this_one() {
    let (_folder, path) = folder();
    let hand = Hand::open(&path);
    let other = Connection::open(&path).unwrap();
    other
        .execute("UPDATE owners SET pid_started_at = coalesce(pid_started_at, 0) + 1", [])
        .unwrap();
    drop(other);
    let error = try_open(&path).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    assert!(error.message().contains("in use by process"), "{error}");
    drop(hand);
}

#[test]
fn an_owner_that_closed_leaves_no_trace() {
    let (folder, path) = folder();
    Hand::open(&path).close();
    assert!(owners(&path).is_empty());
    assert_eq!(names(folder.path()), ["tasks.db"]);
}

#[test]
fn owner_ids_are_never_used_again() {
    let (_folder, path) = folder();
    let first = Hand::open(&path);
    let id = first.store.owner();
    first.close();
    let second = Hand::open(&path);
    assert!(second.store.owner() > id);
    second.close();
}

/// I-4, I-5
#[test]
fn the_runs_of_a_dead_owner_are_orphans_in_queue_order() {
    let (_folder, path) = folder();
    let runs = with_two_runs(&path);
    let mut hand = Hand::open(&path);
    let found: Vec<_> = orphans(&mut hand).iter().map(|o| (o.seq.0, o.run)).collect();
    assert_eq!(found, [runs[1], runs[0]]);
    assert_eq!(owners(&path).len(), 2, "the dead owner is kept while it has runs");
}

#[test]
fn a_free_lock_file_is_as_dead_as_a_missing_one() {
    let (folder, path) = folder();
    with_two_runs(&path);
    let name = owners(&path).pop().unwrap().1;
    fs::write(folder.path().join(&name), "").unwrap();
    let mut hand = Hand::open(&path);
    assert_eq!(orphans(&mut hand).len(), 2);
    assert!(folder.path().join(&name).exists(), "it goes with its last run");
}

#[test]
fn a_held_lock_file_means_alive_whatever_process_holds_it() {
    let (folder, path) = folder();
    with_two_runs(&path);
    let name = owners(&path).pop().unwrap().1;
    let held = File::create(folder.path().join(&name)).unwrap();
    held.lock().unwrap();
    assert_eq!(try_open(&path).map(drop).unwrap_err().code(), Code::Locked);
    drop(held);
    assert!(try_open(&path).is_ok());
}

/// I-4: the owner is forgotten in the commit that deals with its last run, not before.
#[test]
fn a_dead_owner_is_forgotten_with_its_last_run() {
    let (folder, path) = folder();
    let runs = with_two_runs(&path);
    let name = owners(&path).pop().unwrap().1;
    fs::write(folder.path().join(&name), "").unwrap();
    let mut hand = Hand::open(&path);
    let (first, second) = (runs[0], runs[1]);
    let release = hand.releasing(tasker_core::id::Seq(first.0), first.1, AttemptEnd::Lost);
    hand.turn(vec![release]);
    assert_eq!(owners(&path).len(), 2);
    let end = hand.ending(tasker_core::id::Seq(second.0), Some(second.1), failed());
    hand.turn(vec![end]);
    assert!(orphans(&mut hand).is_empty());
    assert_eq!(owners(&path).len(), 1);
    assert!(!folder.path().join(&name).exists());
}

#[test]
fn a_batch_that_is_refused_forgets_nobody() {
    let (_folder, path) = folder();
    let runs = with_two_runs(&path);
    let mut hand = Hand::open(&path);
    let release = |hand: &mut Hand, (seq, run)| {
        hand.releasing(tasker_core::id::Seq(seq), run, AttemptEnd::Lost)
    };
    let changes = vec![release(&mut hand, runs[0]), release(&mut hand, runs[1])];
    let refused = [changes.clone(), vec![changes[0].clone()]].concat();
    assert_eq!(hand.refused(refused), 2);
    assert_eq!(orphans(&mut hand).len(), 2);
    hand.turn(changes);
    assert!(orphans(&mut hand).is_empty());
    assert_eq!(owners(&path).len(), 1);
}

/// I-4, F-2: a row that no table may have is found when all is written. Nobody knows then what a
/// commit has become, and the next one who opens finds what there was.
#[test]
fn a_commit_of_unknown_fate_forgets_nobody() {
    let (folder, path) = folder();
    let runs = with_two_runs(&path);
    let name = owners(&path).pop().unwrap().1;
    fs::write(folder.path().join(&name), "").unwrap();
    let mut hand = Hand::open(&path);
    let stranger = Connection::open(&path).unwrap();
    let trap = "CREATE TABLE known (id INTEGER PRIMARY KEY);
         CREATE TABLE wrong (id INTEGER REFERENCES known DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER trap AFTER INSERT ON batches BEGIN INSERT INTO wrong VALUES (1); END";
    stranger.execute_batch(trap).unwrap();
    let changes = runs
        .iter()
        .map(|(seq, run)| hand.releasing(tasker_core::id::Seq(*seq), *run, AttemptEnd::Lost));
    let changes = changes.collect();
    let commit = hand.try_turn(changes).unwrap();
    assert!(
        matches!(&commit, Commit::Unknown(error) if error.code() == Code::Unknown),
        "{commit:?}"
    );
    drop(hand);
    stranger.execute_batch("DROP TRIGGER trap; DROP TABLE wrong; DROP TABLE known").unwrap();
    drop(stranger);
    assert!(folder.path().join(&name).exists(), "its lock file goes with its last run");
    let mut hand = Hand::open(&path);
    assert_eq!(orphans(&mut hand).len(), 2);
    assert!(owners(&path).iter().any(|(_, other)| *other == name));
}

/// F-2
#[test]
fn a_death_during_recovery_leaves_the_same_orphans() {
    let (_folder, path) = folder();
    with_two_runs(&path);
    for _ in 0..3 {
        assert_eq!(orphans(&mut Hand::open(&path)).len(), 2);
    }
    assert_eq!(
        owners(&path).len(),
        2,
        "those that died without runs are forgotten at the next open"
    );
}

#[test]
fn closing_with_a_live_run_makes_it_an_orphan() {
    let (folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    hand.start(task, 1);
    hand.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
    let mut hand = Hand::open(&path);
    assert_eq!(orphans(&mut hand).len(), 1);
    hand.close();
}

#[test]
fn lock_files_of_killed_opens_are_swept_and_others_are_not() {
    let (folder, path) = folder();
    let stray = folder.path().join("tasks.db-owner-0123456789abcdef");
    let held = folder.path().join("tasks.db-owner-fedcba9876543210");
    let foreign = folder.path().join("tasks.db-owner-notes");
    for path in [&stray, &held, &foreign] {
        fs::write(path, "").unwrap();
    }
    let lock = File::open(&held).unwrap();
    lock.lock().unwrap();
    Hand::open(&path).close();
    assert!(!stray.exists() && held.exists() && foreign.exists());
}

#[test]
fn a_reader_that_goes_last_keeps_no_lock_and_leaves_no_log() {
    let (folder, path) = folder();
    let Hand { store, mut reader, .. } = Hand::open(&path);
    store.close().unwrap();
    let hand = Hand::open(&path);
    assert!(reader.count(&tasker_core::query::Query::all(), &|| false).is_ok());
    drop(reader);
    hand.close();
    assert_eq!(names(folder.path()), ["tasks.db"]);
    let Hand { store, reader, .. } = Hand::open(&path);
    store.close().unwrap();
    drop(reader);
    assert_eq!(names(folder.path()), ["tasks.db"]);
}
