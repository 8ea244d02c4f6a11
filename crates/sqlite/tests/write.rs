//! Batches: guards, whole or nothing, journal, housekeeping.
#![allow(clippy::unwrap_used)]

mod hand;

use std::path::Path;

use hand::{Hand, LANE, aborted, def, done, folder, line, progress};
use rusqlite::Connection;
use tasker_core::error::Code;
use tasker_core::id::{RunId, Seq};
use tasker_core::journal;
use tasker_core::queue::QueueKey;
use tasker_core::read::WithLogs;
use tasker_core::reader::Reader;
use tasker_core::store::{Change, Commit, Lane, Lookups, Start, Store, Window, WindowQuery};
use tasker_core::task::{AttemptEnd, Json, Level, Priority, Tally, TaskEnd};
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;
use tasker_sqlite::audit;
use uuid::Uuid;

const FORGED: RunId = RunId(Uuid::from_u128(7));

/// I-3, I-4, I-19
#[test]
fn every_change_of_a_run_is_fenced_by_its_run_id() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    let run = hand.start(task, 1);
    let (seq, priority, at) = (task.seq, Priority::default(), WallMs(9));
    let changes = |run: RunId| {
        [
            Change::Log { seq, lane: LANE, run, line: line(1, Level::Info) },
            Change::Progress { seq, lane: LANE, run, progress: progress(1.0) },
            Change::Release {
                seq,
                lane: LANE,
                priority,
                run,
                end: AttemptEnd::Lost,
                error: None,
                tally: Tally { attempt: 1, failures: 0, losses: 1 },
                due_at: None,
                at,
            },
            Change::End { seq, lane: LANE, priority, run: Some(run), outcome: done(), at },
        ]
    };
    for change in changes(FORGED) {
        assert_eq!(hand.refused(vec![change]), 0);
    }
    hand.end(task, Some(run), done());
    for change in changes(run) {
        assert_eq!(hand.refused(vec![change]), 0);
    }
}

/// I-3
#[test]
fn only_a_ready_task_is_started_prioritized_or_ended_without_a_run() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    hand.start(task, 1);
    let start = Start { run: FORGED, attempt: 1, at: WallMs(3) };
    let (lane, priority, to) = (LANE, Priority::default(), Priority::new(1.0).unwrap());
    for seq in [task.seq, Seq(99)] {
        let (run, outcome, at) = (None, aborted(), WallMs(3));
        let changes = [
            Change::Start { seq, lane, priority, start, is_due: false },
            Change::Prioritize { seq, lane, from: priority, to, is_queued: true },
            Change::End { seq, lane, priority, run, outcome, at },
        ];
        for change in changes {
            assert_eq!(hand.refused(vec![change]), 0);
        }
    }
}

#[test]
fn a_refused_batch_leaves_nothing_and_names_the_change() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    let run = hand.start(task, 1);
    let (_, add) = hand.adding(&lane, def("2", 0.0));
    let seq = task.seq;
    let told = |run| Change::Progress { seq, lane: LANE, run, progress: progress(1.0) };
    let (forged, good) = (told(FORGED), told(run));
    assert_eq!(hand.refused(vec![add, good, forged]), 2);
    assert_eq!(hand.find("{}", None, None), [1]);
    assert!(hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap().task.progress.is_none());
}

#[test]
fn an_add_with_a_start_is_running_from_its_first_commit() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let (task, change) = hand.adding(&lane, def("1", 0.0));
    let (run, start) = hand.starting(task.seq, 1);
    let (Change::Add { seq, id, lane, def, at, .. }, Change::Start { start, .. }) = (change, start)
    else {
        unreachable!("the hand makes these")
    };
    hand.turn(vec![Change::Add { seq, id, lane, def, at, start: Some(start) }]);
    let found = hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap().task;
    assert_eq!(found.attempts.len(), 1);
    assert_eq!((found.attempts[0].run, found.attempt), (run, 1));
    hand.end(task, Some(run), done());
}

#[test]
fn a_number_that_is_taken_is_a_fault_and_no_fence() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let (_, add) = hand.adding(&lane, def("1", 0.0));
    hand.turn(vec![add.clone()]);
    let commit = hand.try_turn(vec![add]).unwrap();
    assert!(matches!(commit, Commit::NotCommitted(error) if error.code() == Code::Bug));
    hand.turn(vec![]);
}

#[test]
fn a_batch_number_is_written_once() {
    let mut hand = Hand::in_memory();
    hand.turn(vec![]);
    let mut batch = hand.batch(vec![]);
    batch.number -= 1;
    let commit = hand.store.begin(&Lookups::default).unwrap().commit(&batch);
    assert!(matches!(commit, Commit::NotCommitted(error) if error.code() == Code::Bug));
}

fn window(hand: &mut Hand, lane: &Lane, tasks_max: usize, bytes_max: usize) -> Window {
    let query = WindowQuery { lane: lane.clone(), from: QueueKey::FIRST, tasks_max };
    hand.store.begin_read().unwrap().windows(&[query], bytes_max).unwrap().remove(0)
}

fn steps(path: &Path) -> Vec<(u64, TransitionKind)> {
    let other = Connection::open(path).unwrap();
    let mut statement = other.prepare("SELECT transitions FROM batches ORDER BY number").unwrap();
    let blobs = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let entries: Vec<Vec<u8>> = blobs.map(Result::unwrap).collect();
    let steps = entries.iter().flat_map(|entry| journal::unpack(entry));
    steps.map(|kind| kind.unwrap()).map(|transition| (transition.seq.0, transition.kind)).collect()
}

/// I-11, I-13
#[test]
fn the_journal_tells_every_step_in_order() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let (one, two) = (hand.add(&lane, def("1", 0.0)), hand.add(&lane, def("2", 0.0)));
    let run = hand.start(one, 1);
    let release = hand.releasing(one.seq, run, AttemptEnd::Postponed);
    let (from, to) = (Priority::default(), Priority::default());
    let (seq, lane, is_queued) = (two.seq, LANE, true);
    hand.turn(vec![release, Change::Prioritize { seq, lane, from, to, is_queued }]);
    let run = hand.start(one, 1);
    hand.end(one, Some(run), done());
    hand.end(two, None, aborted());
    let expected = [
        // Of no task.
        (0, TransitionKind::Operation),
        (1, TransitionKind::Add),
        (2, TransitionKind::Add),
        (1, TransitionKind::Start),
        (1, TransitionKind::Postpone),
        (2, TransitionKind::Leave),
        (2, TransitionKind::Prioritize),
        (1, TransitionKind::Start),
        (1, TransitionKind::Done),
        (2, TransitionKind::Withdraw),
    ];
    assert_eq!(steps(&path), expected);
    hand.close();
    assert!(audit(&path).unwrap().is_clean());
}

#[test]
fn the_history_keeps_every_attempt_and_the_logs_go_on() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let task = hand.add(&lane, def("1", 0.0));
    let mut runs = Vec::new();
    for n in 1..=3 {
        let run = hand.start(task, 1);
        runs.push(run);
        let log = Change::Log { seq: task.seq, lane: LANE, run, line: line(n, Level::Info) };
        let end = if n < 3 { AttemptEnd::Postponed } else { AttemptEnd::Lost };
        let release = hand.releasing(task.seq, run, end);
        hand.turn(vec![log, release]);
    }
    let window = window(&mut hand, &lane, 5, 1_000);
    assert_eq!((window.tasks[0].logs, window.tasks[0].losses), (3, 1));
    let run = hand.start(task, 1);
    hand.end(task, Some(run), done());
    let logs = Some(WithLogs { level_max: Level::Debug });
    let found = hand.reader.get(task.id, logs, usize::MAX).unwrap().unwrap();
    runs.push(run);
    let kept: Vec<RunId> = found.task.attempts.iter().map(|attempt| attempt.run).collect();
    assert_eq!(kept, runs);
    assert_eq!(found.task.attempts[0].end, Some(AttemptEnd::Postponed));
    assert_eq!(found.task.attempts[3].end, Some(AttemptEnd::Done));
    assert_eq!(found.logs.unwrap().len(), 3);
}

#[test]
fn priorities_of_infinity_and_odd_texts_come_back_as_they_were() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    let texts = [r#""\ud800 \u0000 é""#, r#"{"a":1,"a":2, "b" : 1e400}"#, "null", "-0.0"];
    for (text, priority) in texts.iter().zip([f64::INFINITY, f64::NEG_INFINITY, 0.5, -1e308]) {
        let task = hand.add(&lane, def(text, priority));
        let found = hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap().task;
        assert_eq!(found.def, def(text, priority));
    }
}

#[test]
fn a_window_stops_at_its_bounds_and_says_whether_it_is_complete() {
    let mut hand = Hand::in_memory();
    let lane = hand.lane(1, "read-book");
    for n in 0..5 {
        hand.add(&lane, def("\"twelve byte\"", f64::from(n % 2)));
    }
    let mut window = |tasks_max, bytes_max| {
        let window = window(&mut hand, &lane, tasks_max, bytes_max);
        let seqs: Vec<u64> = window.tasks.iter().map(|task| task.seq.0).collect();
        (seqs, window.is_complete)
    };
    assert_eq!(window(9, 900), (vec![2, 4, 1, 3, 5], true));
    assert_eq!(window(5, 900), (vec![2, 4, 1, 3, 5], true));
    assert_eq!(window(4, 900), (vec![2, 4, 1, 3], false));
    assert_eq!(window(9, 20), (vec![2, 4], false), "the task that passes the bound is the last");
    assert_eq!(window(9, 0), (vec![2], false));
}

/// I-8
#[test]
fn tidying_trims_the_journal_and_keeps_the_last_batch() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    for _ in 0..2_500 {
        hand.turn(vec![]);
    }
    let kept = || -> (i64, i64) {
        let other = Connection::open(&path).unwrap();
        let all = "SELECT count(*), max(number) FROM batches";
        other.query_row(all, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    hand.store.maintain(false).unwrap();
    assert_eq!(kept(), (2_500, 2_500), "under load it can wait");
    hand.store.maintain(true).unwrap();
    assert_eq!(kept(), (2_500, 2_500), "what is young is kept");
    hand.clock += 60_001;
    hand.turn(vec![]);
    (0..2).for_each(|_| hand.store.maintain(true).unwrap());
    let (count, last) = kept();
    assert!((1_000..1_064).contains(&count), "{count} of what is old are kept");
    assert_eq!(last, 2_501);
    assert_eq!(hand.store.begin_read().unwrap().head().unwrap().number, 2_501);
    hand.close();
    assert!(audit(&path).unwrap().is_clean());
}

/// F-16: the log is written back when idle, and under load when it has grown.
#[test]
fn tidying_writes_the_log_back() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    let lane = hand.lane(1, "read-book");
    let size = || std::fs::metadata(&path).unwrap().len();
    let before = size();
    let wide = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..20 {
        hand.add(&lane, def(&wide, 0.0));
    }
    hand.store.maintain(false).unwrap();
    assert_eq!(size(), before, "a small log can wait");
    hand.store.maintain(true).unwrap();
    assert!(size() > before + 1_000_000);
    for _ in 0..180 {
        hand.add(&lane, def(&wide, 0.0));
    }
    hand.store.maintain(false).unwrap();
    assert!(size() > 19_000_000, "a log of 4,000 pages is written back under load");
    hand.close();
}

/// Bytes of the rows of all tasks, without the pages around them.
fn row_bytes(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    let text = "SELECT sum(payload) FROM dbstat WHERE name = 'tasks'";
    connection.query_row(text, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_row_keeps_its_size_all_its_life() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    hand.clock = 1_700_000_000_000;
    let lane = hand.lane(1, "read-book");
    let tasks: Vec<_> = (0..4).map(|_| hand.add(&lane, def("1", 0.0))).collect();
    let bytes = row_bytes(&path);
    let mut run = RunId(Uuid::nil());
    for task in &tasks[..3] {
        run = hand.start(*task, 1);
        assert_eq!(row_bytes(&path), bytes);
        if task.seq != tasks[2].seq {
            hand.end(*task, Some(run), done());
            assert_eq!(row_bytes(&path), bytes);
        }
    }
    let release = hand.releasing(tasks[2].seq, run, AttemptEnd::Postponed);
    hand.turn(vec![release]);
    assert_eq!(row_bytes(&path), bytes);
    run = hand.start(tasks[2], 1);
    hand.end(tasks[2], Some(run), TaskEnd::Done(None));
    hand.end(tasks[3], None, aborted());
    assert_eq!(row_bytes(&path), bytes);
}

/// So many running tasks, and the changes that end them together, each with a result of its own.
fn running(hand: &mut Hand, count: u64) -> (Vec<hand::Task>, Vec<Change>) {
    let lane = hand.lane(1, "read-book");
    let tasks: Vec<_> = (0..count).map(|_| hand.add(&lane, def("1", 0.0))).collect();
    let (at, mut starts, mut ends) = (WallMs(5), Vec::new(), Vec::new());
    for task in &tasks {
        let run = RunId(Uuid::from_u128(task.seq.0.into()));
        let (seq, lane, priority) = (task.seq, LANE, Priority::default());
        let start = Start { run, attempt: 1, at };
        starts.push(Change::Start { seq, lane, priority, start, is_due: false });
        let outcome = TaskEnd::Done(Some(Json::trusted(&format!("[{}]", task.seq.0))));
        ends.push(Change::End { seq, lane, priority, run: Some(run), outcome, at });
    }
    hand.turn(starts);
    (tasks, ends)
}

#[test]
fn what_ends_together_keeps_its_own_run_and_result() {
    let mut hand = Hand::in_memory();
    let (tasks, ends) = running(&mut hand, 9);
    hand.turn(ends);
    for task in tasks {
        let found = hand.reader.get(task.id, None, usize::MAX).unwrap().unwrap().task;
        let text = format!("[{}]", task.seq.0);
        assert_eq!(found.outcome, Some(TaskEnd::Done(Some(Json::trusted(&text)))));
        assert_eq!(found.attempts[0].run, RunId(Uuid::from_u128(task.seq.0.into())));
    }
}

/// I-4
#[test]
fn of_what_starts_together_the_first_that_is_not_ready_is_refused() {
    for taken in 0..4 {
        let mut hand = Hand::in_memory();
        let lane = hand.lane(1, "read-book");
        let tasks: Vec<_> = (0..4).map(|_| hand.add(&lane, def("1", 0.0))).collect();
        for task in &tasks[taken..] {
            hand.start(*task, 1);
        }
        let start = Start { run: FORGED, attempt: 1, at: WallMs(5) };
        let (lane, priority) = (LANE, Priority::default());
        let starts = tasks.iter().map(|task| {
            let seq = task.seq;
            Change::Start { seq, lane, priority, start, is_due: false }
        });
        assert_eq!(hand.refused(starts.collect()), taken);
        assert_eq!(hand.find(r#"{"status":"new"}"#, None, None).len(), taken);
    }
}

/// I-3, I-4
#[test]
fn of_what_ends_together_the_first_that_does_not_run_is_refused() {
    for forged in 0..4 {
        let mut hand = Hand::in_memory();
        let (_tasks, ends) = running(&mut hand, 4);
        let mut wrong = ends.clone();
        for change in &mut wrong[forged..] {
            if let Change::End { run, .. } = change {
                *run = Some(FORGED);
            }
        }
        assert_eq!(hand.refused(wrong), forged);
        hand.turn(ends.clone());
        assert_eq!(hand.refused(ends), 0);
    }
}
