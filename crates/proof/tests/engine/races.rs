//! Calls that meet in one turn, or overtake each other.

use tasker_core::error::Code;
use tasker_core::limits;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, OnStop, TaskEnd};
use tasker_engine::effect::{Effect, RunEnd};
use tasker_engine::input::{Input, StopOptions};

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
