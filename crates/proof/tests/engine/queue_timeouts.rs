//! How long tasks may wait for their first start, and what becomes of them then.

use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{AfterQueueTimeout, Cause, Priority, QueueTimeout, StartTime, TaskEnd};
use tasker_engine::effect::{Answer, Effect, RemoteEvent, TaskEvent};
use tasker_engine::input::{Input, RemoteFilter, RetryOptions, Subscription};
use tasker_engine::turn::Next;

use crate::bench::{Bench, json, priority, reason};

const ABORT: AfterQueueTimeout = AfterQueueTimeout::Abort;

/// A task of operation `b`, which has no runner, that may wait so long.
fn add(bench: &mut Bench, after_ms: u64, then: AfterQueueTimeout) -> TaskId {
    add_at(bench, None, (after_ms, then))
}

fn add_at(
    bench: &mut Bench,
    start_ms: Option<u64>,
    (after_ms, then): (u64, AfterQueueTimeout),
) -> TaskId {
    bench.add_with("b", |def| {
        def.options.start_time = start_ms.map(StartTime::After);
        def.options.queue_timeout = Some(QueueTimeout { after_ms, then, ends_at: None });
    })
}

fn prioritized(effects: &[Effect]) -> Vec<(TaskId, Priority)> {
    let of = |effect: &Effect| match effect {
        Effect::Prioritized(id, to) => Some((*id, *to)),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

#[test]
fn a_task_that_waits_too_long_ends_as_aborted_and_whoever_waits_is_told() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, 1_000, ABORT);
    let watch = bench.ticket();
    bench.turn(vec![Input::AwaitEnd(watch, id)]);
    bench.advance(999);
    assert_eq!(bench.state(id), State::Ready, "a millisecond too early");
    let told = bench.advance(1);
    let outcome = bench.outcome(id).unwrap();
    let TaskEnd::Aborted(Cause::QueueTimeout, reason) = &outcome else { panic!("{outcome:?}") };
    let reason: serde_json::Value = serde_json::from_str(reason.as_str()).unwrap();
    assert_eq!((&reason["code"], &reason["cause"]), (&"ABORT_ERR".into(), &"queue-timeout".into()));
    let ends = |effect: &&Effect| match effect {
        Effect::TaskEnded(told, end) => (*told, end) == (id, &outcome),
        Effect::Answer(ticket, Answer::Ended(end)) => (*ticket, end) == (watch, &outcome),
        _ => false,
    };
    assert_eq!(told.iter().filter(ends).count(), 2, "{told:?}");
    bench.assign("b", None);
    assert_eq!((bench.starts(), bench.next_timer()), (vec![], None));
}

#[test]
fn the_time_counts_from_the_start_time_if_that_is_later() {
    let mut bench = Bench::started(1);
    let id = add_at(&mut bench, Some(500), (1_000, ABORT));
    bench.advance(1_499);
    assert_eq!(bench.state(id), State::Ready);
    bench.advance(1);
    assert_eq!(bench.state(id), State::Aborted);
    // One that becomes due and has waited too long in one turn never starts.
    let late = add_at(&mut bench, Some(500), (1_000, ABORT));
    bench.assign("b", None);
    bench.advance(9_000);
    assert_eq!((bench.state(late), bench.starts()), (State::Aborted, vec![]));
    let past = bench.wall();
    let early = bench.add_with("c", |def| {
        def.options.start_time = Some(StartTime::At(tasker_core::time::WallMs(past.0 - 5_000)));
        def.options.queue_timeout = Some(QueueTimeout { after_ms: 9, then: ABORT, ends_at: None });
    });
    bench.advance(8);
    assert_eq!(bench.state(early), State::Ready, "it counts from the add");
    bench.advance(1);
    assert_eq!(bench.state(early), State::Aborted);
}

#[test]
fn it_ends_at_the_first_start_and_what_is_tried_again_is_not_affected() {
    let mut bench = Bench::started(1);
    let timeout = QueueTimeout { after_ms: 100, then: ABORT, ends_at: None };
    let id = bench.add_with("a", |def| def.options.queue_timeout = Some(timeout));
    bench.settle_oldest(Settlement::Snoozed(50));
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    bench.advance(9_000);
    assert_eq!(bench.state(id), State::Ready);
    let given_back = bench.add_with("b", |def| def.options.queue_timeout = Some(timeout));
    bench.assign("b", None);
    bench.call(|ticket| Input::Unassign(ticket, "b".into()));
    bench.turn(vec![Input::Postpone(2)]);
    bench.advance(9_000);
    assert_eq!((bench.state(given_back), bench.get(given_back).task.attempt), (State::Ready, 0));
}

#[test]
fn it_may_move_a_task_once_and_that_is_told() {
    let mut bench = Bench::started(1);
    let to = priority(5.0);
    let mut neighbour = bench.beside(1);
    let subscription = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
    neighbour.call(|ticket| Input::Subscribe(ticket, subscription));
    let ids = [None, Some(10)]
        .map(|start| add_at(&mut bench, start, (100, AfterQueueTimeout::Prioritize(to))));
    neighbour.look();
    neighbour.call(Input::Ack);
    assert_eq!(prioritized(&bench.advance(110)), [(ids[0], to), (ids[1], to)]);
    let heard = neighbour.look();
    let heard: Vec<_> = heard
        .iter()
        .filter_map(|effect| match effect {
            Effect::Remote(_, RemoteEvent::Task(id, TaskEvent::Prioritized(to))) => {
                Some((*id, *to))
            }
            _ => None,
        })
        .collect();
    assert_eq!(heard, [(ids[0], to), (ids[1], to)]);
    for id in ids {
        let task = bench.get(id).task;
        assert_eq!((task.state, task.def.priority), (State::Ready, to));
        // What is said by hand afterwards stays.
        bench.call(|ticket| Input::Prioritize(ticket, id, priority(-1.0)));
    }
    assert_eq!(prioritized(&bench.advance(9_000)), []);
    assert_eq!(bench.get(ids[0]).task.def.priority, priority(-1.0));
    assert_eq!(bench.next_timer(), None);
}

#[test]
fn a_neighbour_ends_it_whose_process_knew_nothing_of_it_before() {
    let mut bench = Bench::new(1);
    let mut neighbour = bench.beside(1);
    let id = add(&mut bench, 1_000, ABORT);
    bench.die();
    neighbour.look();
    assert!(neighbour.next_timer().is_some(), "it came with the journal");
    neighbour.advance(1_000);
    assert_eq!(neighbour.outcome(id).unwrap().cause(), Some(Cause::QueueTimeout));
}

#[test]
fn it_outlives_a_crash() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, 1_000, ABORT);
    bench.crash();
    bench.advance(999);
    assert_eq!(bench.state(id), State::Ready);
    bench.wait(1);
    bench.crash();
    assert_eq!(bench.outcome(id).unwrap().cause(), Some(Cause::QueueTimeout));
}

#[test]
fn a_task_that_is_run_again_by_hand_waits_as_long_as_it_takes() {
    let mut bench = Bench::started(1);
    let [late, aborted] = [10, 10_000].map(|after| add(&mut bench, after, ABORT));
    bench.call(|ticket| Input::Abort(ticket, aborted, reason(Cause::User)));
    bench.advance(10);
    for (id, delay_ms) in [(late, None), (aborted, Some(5))] {
        let options = RetryOptions { delay_ms, priority: None };
        let answer = bench.call(|ticket| Input::Retry(ticket, id, options));
        assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))), "{answer:?}");
    }
    bench.advance(1_000_000);
    assert_eq!([bench.state(late), bench.state(aborted)], [State::Ready; 2]);
}

#[test]
fn many_that_have_waited_too_long_end_in_portions() {
    let mut bench = Bench::new(1);
    let timeout = QueueTimeout { after_ms: 5, then: ABORT, ends_at: None };
    let ids: Vec<_> = (0..1_500)
        .map(|_| bench.add_with("b", |def| def.options.queue_timeout = Some(timeout)))
        .collect();
    bench.wait(5);
    let (after, told) = bench.turn_once(Vec::new());
    let ended = told.iter().filter(|effect| matches!(effect, Effect::TaskEnded(..))).count();
    assert_eq!((after, ended), (Next::More, 1_024));
    bench.turn(Vec::new());
    assert!(ids.iter().all(|id| bench.state(*id) == State::Aborted));
}

#[test]
fn a_verb_and_the_end_of_the_wait_meet_in_one_turn() {
    let mut bench = Bench::started(1);
    let ids = [(); 3].map(|()| add(&mut bench, 10, ABORT));
    bench.wait(10);
    let inputs = vec![
        Input::Abort(bench.ticket(), ids[0], reason(Cause::User)),
        Input::Prioritize(bench.ticket(), ids[1], priority(2.0)),
        Input::AwaitEnd(bench.ticket(), ids[2]),
    ];
    let told = bench.turn(inputs);
    assert_eq!(bench.outcome(ids[0]), Some(TaskEnd::Aborted(Cause::User, json())));
    for id in &ids[1..] {
        assert_eq!(bench.outcome(*id).unwrap().cause(), Some(Cause::QueueTimeout));
    }
    assert!(told.iter().any(|effect| matches!(effect, Effect::Answer(_, Answer::Ended(_)))));
}
