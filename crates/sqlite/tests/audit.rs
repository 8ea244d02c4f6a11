//! The audit finds what does not balance (I-13).
#![allow(clippy::unwrap_used)]

mod hand;

use std::path::Path;

use hand::{Hand, LANE, aborted, def, done, folder, line};
use rusqlite::Connection;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{AttemptEnd, Level};
use tasker_sqlite::audit;

/// A file with a task in every state, a history and a log.
fn filled(path: &Path) {
    let mut hand = Hand::open(path);
    let lane = hand.lane(1, "read-book");
    let tasks: Vec<_> = (0..5).map(|_| hand.add(&lane, def("1", 0.0))).collect();
    let run = hand.start(tasks[0], 1);
    let log = Change::Log { seq: tasks[0].seq, lane: LANE, run, line: line(1, Level::Info) };
    let release = hand.releasing(tasks[0].seq, run, AttemptEnd::Lost);
    hand.turn(vec![log, release]);
    let run = hand.start(tasks[1], 1);
    hand.end(tasks[1], Some(run), done());
    hand.end(tasks[2], None, aborted());
    hand.start(tasks[3], 1);
    hand.add_delayed(&lane, 9_000);
    hand.close();
}

#[test]
fn a_sound_file_is_clean() {
    let (_folder, path) = folder();
    filled(&path);
    let audit = audit(&path).unwrap();
    assert_eq!(audit.faults, Vec::<String>::new());
    assert_eq!((audit.counts.total(), audit.counts.get(State::Delayed)), (6, 1));
    assert!(audit.number > 0);
}

#[test]
fn every_kind_of_fault_is_found() {
    let cases = [
        ("UPDATE tasks SET state = 7, ended_at = 1 WHERE seq = 5", "counted"),
        ("UPDATE tasks SET lane_id = 9 WHERE seq = 5", "no operation"),
        ("UPDATE operations SET id = 65537", "no lane can carry"),
        ("UPDATE tasks SET lane_id = 65537 WHERE seq = 4", "place in the queue"),
        ("UPDATE tasks SET priority = 9 WHERE seq = 5", "place in the queue"),
        ("DELETE FROM tasks WHERE seq = 2", "is not there"),
        ("UPDATE tasks SET run_id = NULL WHERE seq = 4", "no run"),
        ("DELETE FROM owners", "no owner"),
        ("UPDATE tasks SET run_id = zeroblob(16) WHERE seq = 5", "waiting task has a run"),
        ("UPDATE tasks SET ended_at = NULL WHERE seq = 2", "no end"),
        ("UPDATE tasks SET cause = NULL WHERE seq = 3", "no cause"),
        ("UPDATE batches SET seq_next = 3 WHERE number = 99 OR number > 3", "still free"),
        ("UPDATE tasks SET lane_id = 65537 WHERE seq = 4", "a lane whose number is still free"),
        ("UPDATE attempts SET seq = 77", "belongs to no task"),
        ("UPDATE logs SET seq = 77", "belongs to no task"),
        ("DELETE FROM batches WHERE number = 3", "missing"),
        ("UPDATE batches SET transitions = x'ff' WHERE number = 2", "cannot be read"),
        ("UPDATE batches SET transitions = x'04020a01' WHERE number = 6", "journal says"),
        (
            "UPDATE batches SET transitions = x'04020201' WHERE number = 2;
             UPDATE tasks SET state = 7, ended_at = 1 WHERE seq = 1",
            "task 1 was done before its",
        ),
        ("UPDATE timers SET kind = 9", "a timer is of no kind"),
        ("INSERT INTO gates VALUES (9, 1, '', 5, NULL)", "a gate is of no operation"),
        ("INSERT INTO gates VALUES (1, 3, '', 5, NULL)", "or of no type: 1"),
        ("UPDATE timers SET kind = 9", "no timer that wakes it in time"),
        ("UPDATE timers SET ref = 77", "a timer names a number that is still free"),
        (
            r#"UPDATE tasks SET options = '{"retention":5}' WHERE seq = 2"#,
            "nothing looks when that is over",
        ),
        (
            r#"UPDATE tasks SET options = '{"retention":{"done":5}}' WHERE seq = 2"#,
            "nothing looks when that is over",
        ),
        (
            "UPDATE batches SET transitions = x'1a020401'
             WHERE number = (SELECT max(number) FROM batches)",
            "task 2 is there, and was removed",
        ),
        ("UPDATE timers SET ref = 5", "no timer that wakes it in time"),
        ("UPDATE timers SET at = at + 1", "no timer that wakes it in time"),
        ("DELETE FROM batches WHERE number = 3", "that no outline knows"),
        ("UPDATE batches SET first_at = 1, last_at = 1", "does not allow task"),
        (
            "INSERT INTO totals VALUES (1, 1, 0, 0, 0, 0, 0, 0, 0, 0)",
            "of operation OperationId(1), but",
        ),
        (
            "INSERT INTO totals VALUES (9, 1, 0, 0, 0, 0, 0, 0, 0, 0)",
            "of operation OperationId(9), no task",
        ),
        ("DELETE FROM timers", "no timer that wakes it in time"),
    ];
    assert_found(&cases);
}

#[test]
fn every_kind_of_fault_of_keys_is_found() {
    let cases = [
        ("INSERT INTO keys (key, seq, holds) VALUES (x'69', 77, 0)", "a key belongs to no task"),
        (
            "INSERT INTO keys (key, seq, holds, uuid, until) VALUES (x'69', 2, 0, x'02', 3)",
            "a key belongs to no task",
        ),
        (
            "INSERT INTO keys (key, seq, holds, uuid) VALUES (x'69', 77, 0, x'02')",
            "a key belongs to no task",
        ),
        (
            "INSERT INTO keys (key, seq, holds, uuid, until) VALUES (x'75', 77, 2, x'02', 3)",
            "a key belongs to no task",
        ),
        ("INSERT INTO keys (key, seq, holds) VALUES (x'75', 2, 0)", "a key is of no kind"),
        ("INSERT INTO keys (key, seq, holds) VALUES (x'75', 2, 9)", "a key is of no kind"),
        (
            "INSERT INTO keys (key, seq, holds) VALUES (x'7500016b', 2, 2)",
            "a unique key is not the one that its task says",
        ),
        (
            r#"UPDATE tasks SET options = '{"unique":{"key":"k","while":"always"}}' WHERE seq = 2"#,
            "a task does not have the key that its state holds",
        ),
    ];
    assert_found(&cases);
}

#[test]
fn every_kind_of_fault_of_schedules_is_found() {
    let sound = "INSERT INTO schedules (no, id, version, spec, anchor_at, next_at, made)
        VALUES (3, 'mail', 1, '{}', 0, 60000, 0); INSERT INTO timers VALUES (60000, 7, 3);";
    let cases = [
        ("UPDATE timers SET at = 60001 WHERE kind = 7", "nothing looks when a schedule is due"),
        ("UPDATE timers SET ref = 4 WHERE kind = 7", "nothing looks when a schedule is due"),
        ("UPDATE schedules SET no = 4", "nothing looks when a schedule is due"),
        ("UPDATE schedules SET version = 0", "a schedule has no version"),
        ("UPDATE schedules SET last_at = 0", "half of a last task"),
        ("UPDATE schedules SET last_uuid = zeroblob(16)", "half of a last task"),
    ];
    let cases: Vec<_> =
        cases.iter().map(|(damage, fault)| (format!("{sound}{damage}"), *fault)).collect();
    let cases: Vec<_> = cases.iter().map(|(damage, fault)| (damage.as_str(), *fault)).collect();
    assert_found(&cases);
    let (_folder, path) = folder();
    filled(&path);
    Connection::open(&path).unwrap().execute_batch(sound).unwrap();
    assert_eq!(audit(&path).unwrap().faults, Vec::<String>::new());
}

/// Each damage is found, and called so.
fn assert_found(cases: &[(&str, &str)]) {
    for (damage, fault) in cases {
        let (_folder, path) = folder();
        filled(&path);
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let faults = audit(&path).unwrap().faults;
        assert!(faults.iter().any(|found| found.contains(fault)), "{damage}: {faults:?}");
    }
}

/// In a file with a task that waits for two others, of which one has ended since.
#[test]
fn every_kind_of_fault_of_dependencies_is_found() {
    let cases = [
        ("DELETE FROM waits", "a blocked task waits for nothing"),
        ("UPDATE waits SET is_met = 1", "a blocked task waits for nothing"),
        ("UPDATE waits SET is_met = 0 WHERE dependency = 1", "and no timer says so"),
        ("UPDATE waits SET dependency = 77 WHERE is_met = 0", "a dependency is not there"),
        ("UPDATE waits SET dependent = 77", "a task depends on others that is not there"),
        ("UPDATE waits SET dependent = 1 WHERE dependency = 2", "has ended"),
        ("UPDATE waits SET dependent = 4 WHERE dependency = 2", "waits while it may run"),
    ];
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let on = [hand.add(&lane, def("1", 0.0)), hand.add(&lane, def("2", 0.0))];
    let dependent = hand.add_blocked(&lane, &on);
    hand.add(&lane, def("4", 0.0));
    let run = hand.start(on[0], 1);
    let met = Change::Met { dependency: on[0].seq, dependents: dependent.seq..=dependent.seq };
    let end = hand.ending(on[0].seq, Some(run), done());
    hand.turn(vec![end, met]);
    hand.close();
    assert_eq!(audit(&path).unwrap().faults, Vec::<String>::new());
    let sound = std::fs::read(&path).unwrap();
    for (damage, fault) in cases {
        std::fs::write(&path, &sound).unwrap();
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let faults = audit(&path).unwrap().faults;
        assert!(faults.iter().any(|found| found.contains(fault)), "{damage}: {faults:?}");
    }
}
