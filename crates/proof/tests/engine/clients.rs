//! Several clients of one engine: what is told to whom, and what is left of one that has gone.

use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_engine::client_id::ClientId;
use tasker_engine::effect::{Answer, Effect, RemoteEvent, RunEnd};
use tasker_engine::input::{Input, Record, RemoteFilter, Subscription};

use crate::bench::{self, Bench, json};

fn second() -> ClientId {
    ClientId::FIRST.next().unwrap()
}

/// The names of the events that a client is told.
fn told(effects: &[Effect], client: ClientId) -> Vec<&'static str> {
    let name = |effect: &Effect| match effect {
        Effect::Remote(other, event) if *other == client => Some(match event {
            RemoteEvent::Task(..) => "task",
            RemoteEvent::Missed(_) => "missed",
            RemoteEvent::AwaitAck => "await ack",
        }),
        _ => None,
    };
    effects.iter().filter_map(name).collect()
}

/// I-11
#[test]
fn each_client_hears_of_other_owners_as_fast_as_it_says_that_it_has_heard() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    let (slow, fast) = (ClientId::FIRST, second());
    let subscription = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
    one.turn([slow, fast].map(|client| Input::Subscribe(client.inside(1), subscription)).into());
    two.add("a", 0.0);
    let effects = one.look();
    assert_eq!([slow, fast].map(|client| told(&effects, client)), [["task", "await ack"]; 2]);
    one.turn(vec![Input::Ack(fast.inside(2))]);
    two.add("a", 0.0);
    let effects = one.look();
    assert_eq!(told(&effects, fast), ["task", "await ack"]);
    assert!(told(&effects, slow).is_empty(), "it has not heard of the first yet");
    let effects = one.turn(vec![Input::Ack(slow.inside(2))]);
    assert_eq!(told(&effects, slow), ["task", "await ack"]);
    one.turn(vec![Input::Leave(fast), Input::Ack(slow.inside(3))]);
    two.add("a", 0.0);
    let effects = one.look();
    assert_eq!(told(&effects, slow), ["task", "await ack"]);
    assert!(told(&effects, fast).is_empty(), "it has gone");
}

/// I-11
#[test]
fn only_the_client_that_asked_is_told_that_records_of_its_runs_are_stored() {
    let mut bench = Bench::started(2);
    let (quiet, curious) = (ClientId::FIRST, second());
    bench.turn(vec![
        Input::Assign(curious.inside(1), "b".into(), None),
        Input::Subscribe(curious.inside(2), Subscription { logs: true, ..Default::default() }),
    ]);
    bench.add("a", 0.0);
    bench.add("b", 0.0);
    let line = Record::Log {
        level: tasker_core::task::Level::Info,
        at: None,
        message: "x".into(),
        fields: None,
    };
    let (ours, theirs) = (quiet.inside(1), curious.inside(2));
    let records = [ours, theirs].map(|slot| Input::Record(slot, line.clone()));
    let effects = bench.turn(records.into());
    let recorded = |effect: &Effect| match effect {
        Effect::Recorded(slot, logs, _) => Some((*slot, *logs)),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(recorded).collect::<Vec<_>>(), [(theirs, 1)]);
}

/// I-4
#[test]
fn a_client_that_goes_waits_for_nothing_and_its_runs_wait_for_another() {
    let mut bench = Bench::started(3);
    let gone = second();
    bench.turn(vec![Input::Assign(gone.inside(1), "b".into(), None)]);
    let ours = bench.add("a", 0.0);
    let theirs = bench.add("b", 0.0);
    bench.turn(vec![Input::AwaitEnd(gone.inside(2), ours)]);
    let last = vec![Input::AwaitEnd(gone.inside(3), ours), Input::Leave(gone)];
    let effects = bench.turn(last);
    assert_eq!(bench::over(&effects), [(gone.inside(2), RunEnd::Postponed(None))]);
    assert_eq!(bench.state(theirs), State::Ready);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(Some(json())))]);
    assert!(bench::answers(&effects).is_empty(), "nobody waits any more: {effects:?}");
    bench.assign("b", None);
    assert_eq!(bench.starts(), [ours, theirs, theirs]);
}

/// I-4
#[test]
fn what_a_client_leaves_starts_at_once_where_another_takes_over() {
    let mut bench = Bench::started(3);
    let gone = second();
    bench.turn(vec![Input::Assign(gone.inside(1), "b".into(), None)]);
    let id = bench.add("b", 0.0);
    let assign = Input::Assign(bench.ticket(), "b".into(), None);
    bench.turn(vec![Input::Leave(gone), assign]);
    assert_eq!(bench.starts(), [id, id]);
}

#[test]
fn a_runner_is_taken_away_by_its_own_client_only() {
    let mut bench = Bench::started(1);
    let other = second();
    let effects = bench.turn(vec![
        Input::Unassign(other.inside(1), "a".into()),
        Input::Assign(other.inside(2), "a".into(), None),
    ]);
    let is_kept = |effect: &Effect| matches!(effect, Effect::Refuse(..));
    assert!(effects.iter().any(is_kept), "it has a runner: {effects:?}");
    let id = bench.add("a", 0.0);
    assert_eq!(bench.starts(), [id]);
    let answer = bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    assert!(matches!(answer, Effect::Answer(_, Answer::Done)));
    let effects = bench.turn(vec![Input::Assign(other.inside(3), "a".into(), None)]);
    assert_eq!(bench::answers(&effects), [other.inside(3)]);
}
