//! A key makes one task, in whatever turns and with whatever it comes.

use tasker_core::error::Code;
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, StopOptions};
use uuid::Uuid;

use crate::bench::{Bench, def};

const KEYS: [IdempotencyKey; 3] = [
    IdempotencyKey(Uuid::from_u128(1)),
    IdempotencyKey(Uuid::from_u128(2)),
    IdempotencyKey(Uuid::from_u128(3)),
];

fn once(bench: &mut Bench, keys: &[IdempotencyKey]) -> Vec<(TaskId, bool)> {
    let defs = keys.iter().map(|key| (*key, def("a"))).collect();
    match bench.call(|ticket| Input::AddIdempotent(ticket, defs)) {
        Effect::Answer(_, Answer::Idempotent(tasks)) => tasks,
        other => panic!("{other:?}"),
    }
}

fn keyed(bench: &mut Bench, key: IdempotencyKey) -> Option<TaskId> {
    match bench.call(|ticket| Input::FindByKey(ticket, key)) {
        Effect::Answer(_, Answer::Found(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// I-2
#[test]
fn adding_again_answers_with_the_first_task_and_starts_nothing() {
    let mut bench = Bench::started(9);
    let [(first, true)] = once(&mut bench, &KEYS[..1])[..] else { panic!("not new") };
    let batches = bench.batches();
    assert_eq!(once(&mut bench, &KEYS[..1]), [(first, false)]);
    assert_eq!(bench.starts(), [first]);
    assert_eq!(bench.batches(), batches, "nothing was to be written");
}

/// I-2
#[test]
fn a_key_that_stands_twice_in_one_turn_makes_one_task() {
    let mut bench = Bench::started(9);
    let [one, two] = [bench.ticket(), bench.ticket()];
    let many = |keys: [IdempotencyKey; 2]| keys.map(|key| (key, def("a"))).to_vec();
    let effects = bench.turn(vec![
        Input::AddIdempotent(one, many([KEYS[0], KEYS[0]])),
        Input::AddIdempotent(two, many([KEYS[1], KEYS[0]])),
    ]);
    let answer = |effect: &Effect| match effect {
        Effect::Answer(_, Answer::Idempotent(tasks)) => Some(tasks.clone()),
        _ => None,
    };
    let answers: Vec<_> = effects.iter().filter_map(answer).collect();
    let ids = bench.starts();
    assert_eq!(ids.len(), 2);
    let expected = [[(ids[0], true), (ids[0], false)], [(ids[1], true), (ids[0], false)]];
    assert_eq!(answers, expected);
}

/// I-2
#[test]
fn a_key_is_known_after_a_crash_and_after_the_end_of_its_task() {
    let mut bench = Bench::started(9);
    let tasks = once(&mut bench, &KEYS[..2]);
    bench.settle_oldest(Settlement::Returned(None));
    bench.crash();
    let known: Vec<_> = tasks.iter().map(|(id, _)| (*id, false)).collect();
    assert_eq!(once(&mut bench, &KEYS[..2]), known);
    assert_eq!(keyed(&mut bench, KEYS[0]), Some(tasks[0].0));
    assert_eq!(keyed(&mut bench, KEYS[2]), None);
    assert_eq!(bench.state(tasks[0].0), State::Done);
}

/// I-2
#[test]
fn a_key_whose_commit_failed_is_free_again() {
    let mut bench = Bench::started(9);
    bench.fail_next(Code::Full);
    let defs = vec![(KEYS[0], def("a"))];
    let refused = bench.call(|ticket| Input::AddIdempotent(ticket, defs));
    assert!(matches!(refused, Effect::Refuse(_, error) if error.code() == Code::Full));
    assert_eq!(keyed(&mut bench, KEYS[0]), None);
    assert!(once(&mut bench, &KEYS[..1])[0].1);
}

/// I-14
#[test]
fn a_closing_engine_takes_keys_in_until_its_last_run_is_over() {
    let mut bench = Bench::started(9);
    once(&mut bench, &KEYS[..1]);
    let close = bench.ticket();
    bench.turn(vec![Input::Close(close, StopOptions::default())]);
    assert!(once(&mut bench, &KEYS[1..2])[0].1);
    bench.settle_oldest(Settlement::Returned(None));
    let defs = vec![(KEYS[0], def("a"))];
    let refused = bench.call(|ticket| Input::AddIdempotent(ticket, defs));
    assert!(matches!(refused, Effect::Refuse(_, error) if error.code() == Code::Closed));
}
