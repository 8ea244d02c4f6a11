//! What is left in the file of a task that was removed: nothing, if it had no pages of its own.
#![allow(clippy::unwrap_used)]

mod hand;

use std::path::Path;

use hand::{Hand, LANE, Task, def, folder, line};
use tasker_core::state::State;
use tasker_core::store::{Change, Store};
use tasker_core::task::{AttemptEnd, Cause, Json, Level, TaskEnd};
use tasker_core::time::WallMs;
use tasker_sqlite::audit;

const SECRET: &[u8] = b"mademoiselle-hortense";

fn secret() -> String {
    format!("\"{}\"", String::from_utf8_lossy(SECRET))
}

/// A task whose data, attempts, log and error say what they must not.
fn tell(hand: &mut Hand, data: &str) -> Task {
    let task = hand.add(&tasker_lane(), def(data, 0.0));
    let run = hand.start(task, 1);
    let mut line = line(1, Level::Info);
    line.message = secret().into();
    let log = Change::Log { seq: task.seq, lane: LANE, run, line };
    let mut release = hand.releasing(task.seq, run, AttemptEnd::Failed);
    if let Change::Release { error, .. } = &mut release {
        let json = Json::trusted(&secret());
        *error = Some(tasker_core::task::AttemptError { cause: Cause::Error, error: json });
    }
    hand.turn(vec![log, release]);
    let run = hand.start(task, 2);
    hand.end(task, Some(run), TaskEnd::Failed(Cause::Error, Json::trusted(&secret())));
    task
}

fn tasker_lane() -> tasker_core::store::Lane {
    tasker_core::store::Lane { id: LANE, operation: "read-book".into() }
}

fn remove(hand: &mut Hand, task: Task) {
    hand.counts.leave(State::Failed);
    hand.turn(vec![Change::Purge {
        seq: task.seq,
        lane: LANE,
        from: State::Failed,
        at: WallMs(9),
    }]);
}

fn holds_secret(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(SECRET.len()).any(|window| window == SECRET)
}

#[test]
fn what_a_removed_task_held_is_not_in_the_file_any_more() {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    hand.lane(1, "read-book");
    let kept = hand.add(&tasker_lane(), def("1", 0.0));
    let tasks = [secret(), secret()].map(|data| tell(&mut hand, &data));
    hand.store.maintain(true).unwrap();
    hand.close();
    assert!(holds_secret(&path), "the test looks in the wrong place");

    let mut hand = Hand::open(&path);
    tasks.into_iter().for_each(|task| remove(&mut hand, task));
    assert_eq!(hand.find("{}", None, None), [kept.seq.0]);
    hand.close();
    assert!(!holds_secret(&path));
    assert_eq!(audit(&path).unwrap().faults, Vec::<String>::new());
}
