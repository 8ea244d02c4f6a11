//! Who is told that nothing is left to do.

use tasker_core::error::Code;
use tasker_core::rules::Settlement;
use tasker_core::task::StartTime;
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RunSlot, StopOptions, Subscription, Ticket};

use crate::bench::{Bench, def};

/// Tickets from here on are waits.
const WAITS: Ticket = 1_000;

/// What is told of a rest, and which waits are answered.
fn told(effects: &[Effect]) -> Vec<String> {
    let word = |effect: &Effect| match effect {
        Effect::Idle(_) => Some("idle".to_owned()),
        Effect::Drained(_) => Some("drained".to_owned()),
        Effect::Answer(ticket, Answer::Done) if *ticket >= WAITS => {
            Some(format!("wait {}", ticket - WAITS))
        }
        _ => None,
    };
    effects.iter().filter_map(word).collect()
}

fn subscribe(bench: &mut Bench) {
    let both = Subscription { idle: true, drained: true, ..Subscription::default() };
    bench.call(|ticket| Input::Subscribe(ticket, both));
}

fn hearing() -> Bench {
    let mut bench = Bench::started(1);
    subscribe(&mut bench);
    bench
}

fn wait(n: Ticket) -> Input {
    Input::AwaitIdle(WAITS + n)
}

fn returning(slot: RunSlot) -> Input {
    Input::Settle(slot, Settlement::Returned(None))
}

#[test]
fn the_end_of_all_work_is_told_once() {
    let mut bench = hearing();
    assert_eq!(told(&bench.turn(vec![wait(1)])), ["wait 1"], "nothing runs");
    let adds = [1, 2].map(|ticket| Input::Add(ticket, def("a")));
    let inputs = adds.into_iter().chain([wait(2)]).collect();
    assert!(told(&bench.turn(inputs)).is_empty());
    assert!(told(&bench.turn(vec![returning(1), wait(3)])).is_empty(), "the next one starts");
    assert_eq!(told(&bench.turn(vec![returning(2)])), ["wait 2", "wait 3", "idle", "drained"]);
    assert!(told(&bench.turn(Vec::new())).is_empty());
    bench.add("a", 0.0);
    assert_eq!(told(&bench.turn(vec![returning(3)])), ["idle", "drained"]);
}

#[test]
fn what_cannot_start_here_is_no_work_and_nothing_is_drained() {
    let mut bench = hearing();
    bench.add("nobody's", 0.0);
    bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(1_000)));
    assert_eq!(told(&bench.turn(vec![wait(1)])), ["wait 1"]);
    assert!(told(&bench.advance(1_000)).is_empty(), "it has started");
    assert_eq!(told(&bench.turn(vec![returning(1)])), ["idle"]);
}

#[test]
fn a_stop_is_the_end_of_work_here() {
    let mut bench = hearing();
    bench.add("a", 0.0);
    let stop = Input::Stop(1, StopOptions::default());
    assert!(told(&bench.turn(vec![stop, wait(1)])).is_empty(), "its run goes on");
    assert_eq!(told(&bench.turn(vec![returning(1)])), ["wait 1", "idle", "drained"]);
    bench.add("a", 0.0);
    assert_eq!(told(&bench.turn(vec![wait(2)])), ["wait 2"], "it does not start");
}

/// F-2
#[test]
fn what_could_not_be_written_is_still_to_do() {
    let mut bench = hearing();
    bench.add("a", 0.0);
    bench.fail_next(Code::Full);
    assert!(told(&bench.turn(vec![returning(1), wait(1)])).is_empty());
    assert_eq!(told(&bench.advance(60_000)), ["wait 1", "idle", "drained"]);
}

#[test]
fn who_waits_no_longer_or_has_gone_is_told_nothing() {
    let mut bench = hearing();
    let gone = ClientId::FIRST.next().unwrap();
    bench.add("a", 0.0);
    let both = Subscription { idle: true, drained: true, ..Subscription::default() };
    bench.turn(vec![
        wait(1),
        Input::AwaitIdle(gone.inside(WAITS)),
        Input::Subscribe(gone.inside(1), both),
        Input::CancelAwait(2, WAITS + 1),
    ]);
    bench.turn(vec![Input::Leave(gone)]);
    assert_eq!(told(&bench.turn(vec![returning(1)])), ["idle", "drained"]);
}

/// I-11
#[test]
fn the_last_end_elsewhere_is_told_here() {
    let mut one = hearing();
    let mut two = one.beside(1);
    two.assign("b", None);
    two.add("b", 0.0);
    assert!(told(&one.look()).is_empty());
    two.turn(vec![returning(1)]);
    assert_eq!(told(&one.look()), ["drained"], "it was idle all the time");
}
