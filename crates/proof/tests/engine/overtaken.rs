//! Turns that another owner overtakes, and what a turn says before it begins.

use std::sync::{Arc, Mutex};

use tasker_core::id::IdempotencyKey;
use tasker_core::key::Key;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::Cause;
use tasker_engine::effect::Effect;
use tasker_engine::input::Input;
use tasker_proof::model::Disk;

use crate::bench::{self, Bench, reason};

/// Two engines that may overtake each other, with runners for `a`.
fn two() -> (Bench, Arc<Mutex<Bench>>) {
    let mut one = Bench::on(Disk::optimistic(), 1);
    one.call(Input::Start);
    let mut two = one.beside(1);
    one.assign("a", Some(1));
    two.assign("a", Some(1));
    (one, Arc::new(Mutex::new(two)))
}

/// I-6, I-7, I-11
#[test]
fn a_turn_that_was_overtaken_is_planned_again_and_nobody_is_told() {
    let (mut one, two) = two();
    let other = two.clone();
    one.before_commit(move || {
        other.lock().unwrap().add("a", 0.0);
    });
    let mine = one.add("a", 0.0);
    let theirs = two.lock().unwrap().starts();
    assert_eq!(theirs.len(), 1);
    assert_eq!(one.starts(), [], "the limit of one is used up");
    assert_eq!(one.get(mine).task.seq.0, 2, "the number was given to the other task");
    assert_eq!((one.state(theirs[0]), one.state(mine)), (State::Running, State::Ready));
    two.lock().unwrap().settle_oldest(Settlement::Returned(None));
    one.look();
    let starts = [one.starts(), two.lock().unwrap().starts()].concat();
    assert_eq!(starts.iter().filter(|id| **id == mine).count(), 1);
}

/// I-3, I-11
#[test]
fn what_an_overtaken_turn_was_asked_is_answered_by_how_things_stand_then() {
    let (mut one, two) = two();
    let id = one.add("b", 0.0);
    one.before_commit(move || {
        two.lock().unwrap().call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    });
    let ticket = one.ticket();
    let effects = one.turn(vec![Input::Prioritize(ticket, id, bench::priority(1.0))]);
    let [Effect::Answer(_, answer)] = &effects[..] else { panic!("{effects:?}") };
    assert!(matches!(answer, tasker_engine::effect::Answer::Flag(false)), "{answer:?}");
    assert_eq!(one.state(id), State::Aborted);
}

/// I-2
#[test]
fn a_key_that_an_overtaking_turn_has_used_adds_nothing() {
    let (mut one, two) = two();
    one.look();
    let before = one.batches();
    let key = IdempotencyKey(uuid::Uuid::from_u128(7));
    let adding = move |ticket| Input::AddIdempotent(ticket, vec![(key, bench::def("b"))]);
    let other = two.clone();
    one.before_commit(move || {
        other.lock().unwrap().call(adding);
    });
    one.call(adding);
    assert_eq!((one.memory().counts.total(), one.batches()), (1, before + 1));
    // It lives until now: a death would be a batch more.
    drop(two);
}

#[test]
fn a_turn_says_before_it_begins_what_it_will_look_up() {
    let mut bench = Bench::started(1);
    let id = bench.add("b", 0.0);
    let seq = bench.get(id).task.seq;
    let key = IdempotencyKey(uuid::Uuid::from_u128(7));
    bench.assign("b", None);
    let [watch, find] = [bench.ticket(), bench.ticket()];
    bench.add("a", 0.0);
    bench.turn(vec![Input::AwaitEnd(watch, id), Input::FindByKey(find, key)]);
    let preview = bench.preview();
    assert_eq!((preview.seqs, preview.keys), (vec![seq], vec![Key::Idempotency(key)]));
}
