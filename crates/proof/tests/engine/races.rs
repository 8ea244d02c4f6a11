//! Calls that meet in one turn, or overtake each other.

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, OnStop, TaskEnd};
use tasker_engine::effect::{Answer, Effect, RunEnd};
use tasker_engine::input::{Input, StopOptions, Ticket};

use crate::bench::{self, Bench, json, reason};

fn stop_by(on_stop: OnStop, timeout_ms: u64) -> StopOptions {
    StopOptions { on_stop: Some(on_stop), timeout_ms: Some(timeout_ms) }
}

#[test]
fn a_start_that_a_later_stop_overtakes_is_answered_and_starts_nothing() {
    let mut bench = Bench::started(1);
    bench.add("a", 0.0);
    let [first, start, last] = [bench.ticket(), bench.ticket(), bench.ticket()];
    bench.turn(vec![
        Input::Stop(first, StopOptions::default()),
        Input::Start(start),
        Input::Stop(last, StopOptions::default()),
    ]);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert_eq!(bench::answers(&effects), [first, start, last]);
    let next = bench.add("a", 0.0);
    assert_eq!(bench.state(next), State::Ready);
}

#[test]
fn a_start_that_meets_a_close_is_answered() {
    let mut bench = Bench::started(1);
    let [stop, early, close, late] = [(); 4].map(|()| bench.ticket());
    bench.add("a", 0.0);
    let effects = bench.turn(vec![
        Input::Stop(stop, StopOptions::default()),
        Input::Start(early),
        Input::Close(close, StopOptions::default()),
        Input::Start(late),
    ]);
    assert!(matches!(&effects[..], [Effect::Refuse(ticket, error)]
        if *ticket == late && error.code() == Code::Closed));
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert_eq!(bench::answers(&effects), [stop, early, close]);
}

#[test]
fn a_start_that_waits_for_a_stop_is_refused_when_the_handle_fails() {
    let mut bench = Bench::started(1);
    bench.add("a", 0.0);
    let (stop, start) = (bench.ticket(), bench.ticket());
    bench.turn(vec![Input::Stop(stop, StopOptions::default()), Input::Start(start)]);
    bench.fail_next(Code::Unknown);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    let refused = |effect: &Effect| match effect {
        Effect::Refuse(ticket, _) => Some(*ticket),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(refused).collect::<Vec<_>>(), [stop, start]);
}

/// F-10 F-21
#[test]
fn a_deadline_that_a_full_disk_does_not_let_pass_is_tried_again_later_and_not_at_once() {
    for on_stop in [OnStop::Wait, OnStop::Abort] {
        let mut bench = Bench::started(1);
        let id = bench.add("a", 0.0);
        let stop = bench.ticket();
        bench.turn(vec![Input::Stop(stop, stop_by(on_stop, 10))]);
        bench.fail_next(Code::Full);
        bench.advance(20);
        assert!(bench.wait_ms() > Some(0), "the stop's deadline lies in the past");
        assert_eq!(bench.state(id), State::Running);
        let effects = bench.advance(bench.wait_ms().unwrap());
        assert_eq!(bench::answers(&effects), [stop]);
    }
}

#[test]
fn a_watch_that_is_withdrawn_in_its_own_turn_is_not_answered_and_not_kept() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let (watch, unwatch) = (bench.ticket(), bench.ticket());
    let effects = bench.turn(vec![Input::AwaitEnd(watch, id), Input::CancelAwait(unwatch, watch)]);
    assert_eq!(bench::answers(&effects), [unwatch]);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert!(bench::answers(&effects).is_empty());
}

/// I-1
#[test]
fn an_abort_that_was_acknowledged_is_not_undone_by_a_stop_that_gives_the_run_back() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    let stop = bench.ticket();
    let effects = bench.turn(vec![Input::Stop(stop, stop_by(OnStop::Postpone, 10))]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced)]);
    assert_eq!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::User, json())));
}

/// I-1
#[test]
fn an_abort_in_the_turn_in_which_a_stop_loses_its_patience_is_not_undone() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let (stop, abort) = (bench.ticket(), bench.ticket());
    bench.turn(vec![Input::Stop(stop, StopOptions::default())]);
    bench.wait(limits::STOP_TIMEOUT_MS);
    let effects = bench.turn(vec![Input::Abort(abort, id, reason(Cause::User))]);
    assert_eq!(bench::answers(&effects), [abort, stop]);
    assert_eq!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::User, json())));
}

fn flag(effects: &[Effect], ticket: Ticket) -> Option<bool> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer(other, Answer::Flag(flag)) if *other == ticket => Some(*flag),
        _ => None,
    })
}

/// I-3, I-13: each verb sees what the one before it has done in this turn.
#[test]
fn calls_that_name_one_waiting_task_in_one_turn_act_one_after_the_other() {
    let abort = |t, id| Input::Abort(t, id, reason(Cause::User));
    let raise = |t, id| Input::Prioritize(t, id, bench::priority(5.0));
    let lower = |t, id| Input::Prioritize(t, id, bench::priority(-5.0));
    type Make<'a> = &'a dyn Fn(Ticket, TaskId) -> Input;
    let cases: [([Make<'_>; 2], [bool; 2], State, f64); 4] = [
        ([&abort, &abort], [true, false], State::Aborted, 0.0),
        ([&abort, &raise], [true, false], State::Aborted, 0.0),
        ([&raise, &abort], [true, true], State::Aborted, 5.0),
        ([&raise, &lower], [true, true], State::Ready, -5.0),
    ];
    for (calls, answers, state, priority) in cases {
        let mut bench = Bench::new(1);
        let id = bench.add("a", 0.0);
        let tickets = [bench.ticket(), bench.ticket()];
        let inputs = calls.iter().zip(tickets).map(|(call, ticket)| call(ticket, id));
        let effects = bench.turn(inputs.collect());
        assert_eq!(tickets.map(|ticket| flag(&effects, ticket)), answers.map(Some));
        let task = bench.get(id).task;
        assert_eq!((task.state, task.def.priority), (state, bench::priority(priority)));
        let next = bench.add("a", 0.0);
        bench.assign("a", None);
        bench.call(Input::Start);
        assert_eq!(bench.starts(), [next], "the queue knows of both calls");
    }
}

/// I-3
#[test]
fn an_abort_after_the_settlement_in_one_turn_finds_the_task_ended() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let [abort, wait, raise] = [(); 3].map(|()| bench.ticket());
    let effects = bench.turn(vec![
        Input::AwaitEnd(wait, id),
        Input::Settle(1, Settlement::Returned(None)),
        Input::Settle(1, Settlement::Threw(json())),
        Input::Abort(abort, id, reason(Cause::User)),
        Input::Prioritize(raise, id, bench::priority(1.0)),
    ]);
    assert_eq!(flag(&effects, abort), Some(false));
    assert!(bench.signals().is_empty());
    assert_eq!(bench.outcome(id), Some(TaskEnd::Done(None)));
    let is_end = |effect: &Effect| match effect {
        Effect::Answer(ticket, Answer::Ended(TaskEnd::Done(None))) => *ticket == wait,
        _ => false,
    };
    assert!(effects.iter().any(is_end), "a wait asked for in the turn of the end is answered");
}

/// I-1: the first reason for an abort is the one that ends the run.
#[test]
fn two_aborts_of_one_run_and_its_throw_in_one_turn_end_it_for_the_first_reason() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let [one, two] = [bench.ticket(), bench.ticket()];
    let effects = bench.turn(vec![
        Input::Abort(one, id, reason(Cause::Signal)),
        Input::Abort(two, id, reason(Cause::User)),
        Input::Settle(1, Settlement::Threw(json())),
    ]);
    assert_eq!([one, two].map(|ticket| flag(&effects, ticket)), [Some(true); 2]);
    assert_eq!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::Signal, json())));
}

/// I-4: what somebody else's run refuses concerns the call that named it, and nothing else.
#[test]
fn a_refused_guard_of_a_run_of_others_refuses_the_call_and_not_the_handle() {
    let mut two = Bench::started(1);
    let mut one = two.beside(1);
    one.assign("b", None);
    let id = two.add("a", 0.0);
    let mine = one.add("b", 0.0);
    one.refuse_next(id);
    let [abort, wait, add] = [one.ticket(), one.ticket(), one.ticket()];
    let effects = one.turn(vec![
        Input::Abort(abort, id, reason(Cause::User)),
        Input::AwaitEnd(wait, id),
        Input::Add(add, bench::def("z")),
        Input::Settle(1, Settlement::Returned(None)),
    ]);
    let refused = |effect: &Effect| match effect {
        Effect::Refuse(ticket, error) => *ticket == abort && error.code() == Code::Fenced,
        _ => false,
    };
    assert_eq!(effects.iter().filter(|effect| refused(effect)).count(), 1, "{effects:?}");
    assert!(bench::answers(&effects).contains(&add), "{effects:?}");
    assert_eq!(bench::over(&effects), [(1, RunEnd::Done)]);
    assert_eq!([one.state(id), one.state(mine)], [State::Running, State::Done]);
    one.add("b", 0.0);
    assert_eq!(one.starts().len(), 2, "the handle goes on");
}
