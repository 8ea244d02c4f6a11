//! Who offers what: each engine knows of every operation whether somebody starts its tasks.

use tasker_core::error::Code;
use tasker_core::rules::Settlement;
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, StopOptions};

use crate::bench::Bench;

/// Whether somebody starts tasks of `a`, as these two know it.
fn is_offered(one: &Bench, two: &Bench) -> [bool; 2] {
    [one, two].map(|bench| bench.memory().dispatch.is_offered("a"))
}

fn offers(bench: &Bench) -> Vec<String> {
    bench.memory().offers.iter().map(ToString::to_string).collect()
}

#[test]
fn what_one_offers_the_other_knows_from_its_start_to_its_stop() {
    let mut one = Bench::new(1);
    let mut two = Bench::on(one.disk(), 1);
    one.assign("a", None);
    two.look();
    assert_eq!(is_offered(&one, &two), [false, false], "nothing is started");
    one.call(Input::Start);
    two.look();
    assert_eq!(is_offered(&one, &two), [true, true]);
    one.call(|ticket| Input::Stop(ticket, StopOptions::default()));
    two.look();
    assert_eq!(is_offered(&one, &two), [false, false]);
}

#[test]
fn a_runner_that_comes_or_goes_is_told() {
    let mut one = Bench::started(1);
    let mut two = Bench::on(one.disk(), 1);
    one.assign("b", None);
    assert_eq!(offers(&one), ["a", "b"]);
    one.call(|ticket| Input::Unassign(ticket, "a".into()));
    two.look();
    assert_eq!((offers(&one), is_offered(&one, &two)), (vec!["b".into()], [false, false]));
}

#[test]
fn a_turn_that_changes_no_offer_writes_none() {
    let mut bench = Bench::started(1);
    let before = bench.batches();
    bench.turn(Vec::new());
    bench.call(Input::Start);
    bench.call(|ticket| Input::Unassign(ticket, "nobody".into()));
    let (t, u) = (bench.ticket(), bench.ticket());
    bench.turn(vec![Input::Unassign(t, "a".into()), Input::Assign(u, "a".into(), None)]);
    assert_eq!(bench.batches(), before);
    bench.add("a", 0.0);
    assert_eq!(bench.batches(), before + 1);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.batches(), before + 2);
}

/// D8
#[test]
fn who_finds_an_owner_dead_buries_it_and_the_others_learn_of_that() {
    let mut one = Bench::new(1);
    let mut two = Bench::on(one.disk(), 1);
    let mut dead = one.beside(1);
    dead.assign("a", None);
    one.look();
    two.look();
    assert_eq!(is_offered(&one, &two), [true, true]);
    dead.die();
    let before = one.batches();
    two.look();
    assert_eq!((two.batches(), two.memory().remote_offers.len()), (before + 1, 0));
    one.look();
    assert_eq!(is_offered(&one, &two), [false, false]);
    assert_eq!(one.batches(), before + 1, "one burial is enough");
}

#[test]
fn what_the_dead_offered_and_ran_is_over_in_one_commit() {
    let mut one = Bench::new(1);
    let mut dead = one.beside(1);
    dead.assign("a", None);
    dead.add("a", 0.0);
    one.look();
    let before = one.batches();
    dead.die();
    one.look();
    assert_eq!(one.batches(), before + 1);
    assert!(!one.memory().dispatch.is_offered("a"));
}

#[test]
fn an_engine_that_opens_after_a_crash_offers_nothing_and_knows_of_nobody() {
    let mut bench = Bench::started(1);
    bench.crash();
    assert!(offers(&bench).is_empty() && bench.memory().remote_offers.is_empty());
    let other = Bench::on(bench.disk(), 1);
    assert!(other.memory().remote_offers.is_empty());
}

/// I-2: neither here nor there.
#[test]
fn what_could_not_be_written_is_written_by_the_next_turn() {
    let mut one = Bench::new(1);
    let mut two = Bench::on(one.disk(), 1);
    one.assign("a", None);
    one.fail_next(Code::Full);
    one.call(Input::Start);
    two.look();
    assert_eq!(is_offered(&one, &two), [true, false], "it starts tasks, and nobody knows");
    assert_eq!(one.wait_ms(), Some(100));
    one.advance(100);
    two.look();
    assert_eq!(is_offered(&one, &two), [true, true]);
}

/// F-10: a full disk keeps no handle open.
#[test]
fn a_close_does_not_wait_for_its_offers_to_be_taken_back() {
    let mut one = Bench::started(1);
    let mut two = Bench::on(one.disk(), 1);
    one.fail_next(Code::Full);
    let closed = one.call(|ticket| Input::Close(ticket, StopOptions::default()));
    assert!(matches!(closed, Effect::Answer(..)), "{closed:?}");
    drop(one);
    two.look();
    assert!(!two.memory().dispatch.is_offered("a"), "it is buried");
}
