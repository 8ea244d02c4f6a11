//! Tasks that are put off, and runs that go back to the queue because a call asked for it.

use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, AttemptEnd, Cause, OnInterrupted, QueueTimeout, StartTime, TaskEnd,
};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect, RunEnd};
use tasker_engine::input::{Input, PostponeOptions, Ticket};

use crate::bench::{self, Bench, json, reason, unknown_task};

const HOUR: u64 = 3_600_000;

fn postponing(ticket: Ticket, id: TaskId, delay_ms: Option<u64>) -> Input {
    Input::PostponeTask(ticket, id, PostponeOptions { delay_ms, reason: json() })
}

fn postpone(bench: &mut Bench, id: TaskId, delay_ms: Option<u64>) -> bool {
    match bench.call(|ticket| postponing(ticket, id, delay_ms)) {
        Effect::Answer(_, Answer::Flag(does)) => does,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_waiting_task_waits_longer_and_never_shorter() {
    let mut bench = Bench::started(1);
    let (ready, long) = (bench.add("b", 0.0), Some(StartTime::After(2 * HOUR)));
    let delayed = bench.add_with("b", |def| def.options.start_time = long);
    let start = bench.get(delayed).task.def.options.run_at();
    for id in [ready, delayed] {
        assert!(postpone(&mut bench, id, None));
    }
    assert_eq!([bench.state(ready), bench.state(delayed)], [State::Ready, State::Delayed]);
    for id in [ready, delayed] {
        assert!(postpone(&mut bench, id, Some(HOUR)));
    }
    assert_eq!(bench.get(ready).task.def.options.run_at(), Some(bench.wall().plus(HOUR)));
    assert_eq!(bench.get(delayed).task.def.options.run_at(), start);
    bench.assign("b", None);
    bench.advance(HOUR - 1);
    assert!(bench.starts().is_empty());
    bench.advance(1);
    assert_eq!(bench.starts(), [ready]);
    assert!(postpone(&mut bench, delayed, Some(3 * HOUR)));
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(2 * HOUR);
    assert_eq!(bench.starts(), [ready], "the timer of its old start time wakes it not");
    bench.advance(HOUR);
    assert_eq!(bench.starts(), [ready, delayed]);
}

#[test]
fn a_run_is_given_back_and_its_attempt_is_not_counted() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let ticket = bench.ticket();
    let told = bench.turn(vec![postponing(ticket, id, Some(9))]);
    assert_eq!(bench::over(&told), [(1, RunEnd::Postponed(Some(json())))]);
    let task = bench.get(id).task;
    assert_eq!((task.state, task.attempt), (State::Delayed, 0));
    let ends: Vec<_> = task.attempts.iter().map(|attempt| attempt.end).collect();
    assert_eq!(ends, [Some(AttemptEnd::Postponed)]);
    // What the runner says now comes too late.
    bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert_eq!(bench.state(id), State::Delayed);
    bench.advance(9);
    assert_eq!(bench.starts(), [id, id]);
    assert!(postpone(&mut bench, id, None));
    assert_eq!((bench.starts(), bench.get(id).task.attempt), (vec![id; 3], 1), "again at once");
}

#[test]
fn a_run_of_another_process_is_given_back_by_that() {
    let mut bench = Bench::started(1);
    let mut neighbour = bench.beside(1);
    let id = bench.add("a", 0.0);
    assert!(postpone(&mut neighbour, id, Some(HOUR)));
    assert_eq!(bench.state(id), State::Running, "it has not heard of it");
    let told = bench.look();
    assert_eq!(bench::over(&told), [(1, RunEnd::Postponed(Some(json())))]);
    let task = bench.get(id).task;
    let run_at = task.def.options.run_at();
    assert_eq!(
        (task.state, task.attempt, run_at),
        (State::Delayed, 0, Some(bench.wall().plus(HOUR)))
    );
    assert_eq!(bench.wait_ms(), None, "it comes to rest");
    // A wish whose time is over by then lets it start at once.
    let other = bench.add("a", 0.0);
    assert!(postpone(&mut neighbour, other, Some(5)));
    bench.wait(5);
    bench.look();
    assert_eq!(bench.starts(), [id, other, other]);
}

#[test]
fn the_wish_outlives_the_process_that_has_the_run() {
    for on_interrupted in OnInterrupted::ALL {
        let mut bench = Bench::new(1);
        bench.assign("a", None);
        bench.call(Input::Start);
        let mut neighbour = bench.beside(1);
        let id = bench.add_with("a", |def| def.options.on_interrupted = *on_interrupted);
        assert!(postpone(&mut neighbour, id, Some(HOUR)));
        bench.die();
        neighbour.look();
        let task = neighbour.get(id).task;
        assert_eq!((task.state, task.attempt), (State::Delayed, 0));
        assert_eq!(task.attempts[0].end, Some(AttemptEnd::Postponed), "that is no loss");
        neighbour.assign("a", None);
        neighbour.advance(HOUR);
        assert_eq!(neighbour.starts(), [id]);
    }
}

#[test]
fn an_abort_is_stronger_than_a_wish_to_give_the_run_back() {
    let mut bench = Bench::started(3);
    let mut neighbour = bench.beside(1);
    let ids = [(); 3].map(|()| bench.add("a", 0.0));
    let abort = |ticket, id| Input::Abort(ticket, id, reason(Cause::User));
    // Asked for here, and elsewhere: before the wish, and after it.
    bench.call(|ticket| abort(ticket, ids[0]));
    neighbour.call(|ticket| abort(ticket, ids[1]));
    assert!(postpone(&mut neighbour, ids[2], None));
    neighbour.call(|ticket| abort(ticket, ids[2]));
    for id in &ids[..2] {
        assert!(!postpone(&mut bench, *id, None));
        assert!(!postpone(&mut neighbour, *id, None));
    }
    bench.look();
    for (slot, id) in (1..).zip(ids) {
        assert_eq!(bench.state(id), State::Running);
        bench.turn(vec![Input::Settle(slot, Settlement::Threw(json()))]);
        assert!(matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::User, _))));
    }
    assert_eq!(bench.wait_ms(), None, "it comes to rest");
}

#[test]
fn in_one_turn_each_call_meets_what_the_one_before_left() {
    let mut bench = Bench::started(4);
    let ids = [(); 4].map(|()| bench.add("a", 0.0));
    let inputs = vec![
        Input::Settle(1, Settlement::Snoozed(5)),
        postponing(bench.ticket(), ids[0], Some(HOUR)),
        postponing(bench.ticket(), ids[1], Some(HOUR)),
        Input::Settle(2, Settlement::Returned(None)),
        Input::Settle(3, Settlement::Returned(None)),
        postponing(bench.ticket(), ids[2], Some(HOUR)),
        postponing(bench.ticket(), ids[3], Some(HOUR)),
        Input::Abort(bench.ticket(), ids[3], reason(Cause::User)),
    ];
    let told = bench.turn(inputs);
    let does: Vec<_> = told
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer(_, Answer::Flag(does)) => Some(*does),
            _ => None,
        })
        .collect();
    assert_eq!(does, [true, true, false, true, true]);
    let states = ids.map(|id| bench.state(id));
    assert_eq!(states, [State::Delayed, State::Delayed, State::Done, State::Aborted]);
    assert_eq!(bench.get(ids[0]).task.def.options.run_at(), Some(bench.wall().plus(HOUR)));
}

#[test]
fn the_queue_timeout_of_a_task_that_is_put_off_counts_from_its_start_time() {
    let mut bench = Bench::started(1);
    let then = AfterQueueTimeout::Abort;
    let timeout = QueueTimeout { after_ms: 100, then, ends_at: None };
    let id = bench.add_with("b", |def| def.options.queue_timeout = Some(timeout));
    assert!(postpone(&mut bench, id, Some(HOUR)));
    bench.advance(HOUR + 99);
    assert_eq!(bench.state(id), State::Ready);
    bench.advance(1);
    assert_eq!(bench.state(id), State::Aborted);
}

fn on(id: TaskId) -> Option<Arc<Dependencies>> {
    let on = [Dependency::Task(id)].into();
    Some(Arc::new(Dependencies { on, on_failure: OnFailure::Abort, is_list: true }))
}

#[test]
fn a_blocked_task_is_not_put_off() {
    let mut bench = Bench::started(2);
    let first = bench.add("a", 0.0);
    let id = bench.add_with("a", |def| def.options.depends_on = on(first));
    for delay_ms in [None, Some(HOUR)] {
        assert!(!postpone(&mut bench, id, delay_ms));
    }
    assert_eq!(bench.state(id), State::Blocked);
    // In one turn, in either order: only one that is unblocked already may be put off.
    let end = Input::Settle(1, Settlement::Returned(None));
    let ticket = bench.ticket();
    let told = bench.turn(vec![postponing(ticket, id, Some(HOUR)), end]);
    let said = told.iter().find_map(|effect| match effect {
        Effect::Answer(other, Answer::Flag(does)) if *other == ticket => Some(*does),
        _ => None,
    });
    assert_eq!(said, Some(false), "{told:?}");
    assert_eq!(bench.starts(), [first, id]);
}

#[test]
fn a_run_that_is_given_back_is_not_blocked_again() {
    let mut bench = Bench::started(2);
    let first = bench.add("a", 0.0);
    let id = bench.add_with("a", |def| def.options.depends_on = on(first));
    bench.settle_oldest(Settlement::Returned(None));
    assert!(postpone(&mut bench, id, Some(HOUR)));
    assert_eq!(bench.state(id), State::Delayed);
    bench.advance(HOUR);
    assert_eq!(bench.starts(), [first, id, id]);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(id), State::Done);
}

#[test]
fn a_wish_for_a_run_that_is_over_is_refused_and_for_no_task_not_found() {
    let mut bench = Bench::started(1);
    let mut neighbour = bench.beside(1);
    let id = bench.add("a", 0.0);
    neighbour.refuse_next(id);
    let ticket = neighbour.ticket();
    let told = neighbour.turn(vec![postponing(ticket, id, None)]);
    let is_refused = |effect: &Effect| match effect {
        Effect::Refuse(other, error) => *other == ticket && error.code() == Code::Fenced,
        _ => false,
    };
    assert!(told.iter().any(is_refused), "{told:?}");
    let unknown = bench.call(|ticket| postponing(ticket, unknown_task(), None));
    assert!(matches!(&unknown, Effect::Refuse(_, error) if error.code() == Code::NotFound));
    bench.settle_oldest(Settlement::Returned(None));
    assert!(!postpone(&mut bench, id, Some(1)));
    assert_eq!(bench.get(id).task.def.options.run_at(), None::<WallMs>);
}
