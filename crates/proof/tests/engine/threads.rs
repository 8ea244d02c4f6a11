//! Runners that run each task in a thread of its own: how many at once, and how a run ends that
//! does not end by itself.

use serde_json::{Value, json};
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, OnStop, TaskEnd};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, Question, StopOptions};

use crate::bench::{self, Bench, reason};

/// An engine with more places than it uses, whose operation `a` has so many threads.
fn threaded(threads: u32) -> Bench {
    let mut bench = Bench::new(10);
    assign(&mut bench, threads);
    bench.call(Input::Start);
    bench
}

fn assign(bench: &mut Bench, threads: u32) {
    bench.call(|ticket| Input::Threads(ticket, "a".into(), threads));
    bench.assign("a", None);
}

fn unassign(bench: &mut Bench) {
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
}

fn abort(bench: &mut Bench, id: TaskId) {
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
}

fn reasons(bench: &mut Bench, id: TaskId) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, Question::Task(id))) {
        Effect::Answer(_, Answer::Json(text)) => {
            serde_json::from_str::<Value>(&text).unwrap()["reasons"].clone()
        }
        other => panic!("{other:?}"),
    }
}

fn is_aborted(bench: &Bench, id: TaskId, by: Cause) -> bool {
    matches!(bench.outcome(id), Some(TaskEnd::Aborted(cause, _)) if cause == by)
}

/// I-6
#[test]
fn no_more_tasks_start_than_the_runner_has_threads_and_others_pass() {
    let mut bench = threaded(2);
    bench.assign("b", None);
    let first = [bench.add("a", 0.0), bench.add("a", 0.0)];
    let (waits, other) = (bench.add("a", 9.0), bench.add("b", 0.0));
    assert_eq!(bench.starts(), [first[0], first[1], other]);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts().last(), Some(&waits));
    assert_eq!(bench.running_of("a"), 2);
}

#[test]
fn a_task_that_waits_for_a_thread_says_so() {
    let mut bench = threaded(1);
    bench.add("a", 0.0);
    let (next, last) = (bench.add("a", 0.0), bench.add("a", 0.0));
    let place = json!({ "reason": "place", "operation": "a", "limit": 1, "running": 1 });
    assert_eq!(reasons(&mut bench, next), json!([place]));
    let order = json!({ "reason": "order", "ahead": 1, "isCapped": false });
    assert_eq!(reasons(&mut bench, last), json!([order, place]));
}

#[test]
fn a_task_that_another_process_can_start_does_not_wait_for_a_thread() {
    let mut bench = threaded(1);
    bench.add("a", 0.0);
    let next = bench.add("a", 0.0);
    let mut other = bench.beside(1);
    other.assign("a", None);
    other.look();
    assert_eq!(other.starts(), [next]);
}

#[test]
fn threads_are_those_of_the_runner_that_is_assigned_next() {
    let mut bench = threaded(1);
    unassign(&mut bench);
    bench.assign("a", None);
    let all = [bench.add("a", 0.0), bench.add("a", 0.0)];
    assert_eq!(bench.starts(), all, "this runner has none");
    unassign(&mut bench);
    assign(&mut bench, 3);
    let more = [bench.add("a", 0.0), bench.add("a", 0.0)];
    assert_eq!(bench.starts()[2..], more[..1], "what runs has a thread still");
}

#[test]
fn an_aborted_run_that_has_a_thread_is_over_after_the_grace() {
    let mut bench = threaded(1);
    let id = bench.add("a", 0.0);
    let next = bench.add("a", 0.0);
    abort(&mut bench, id);
    assert_eq!(bench.signals(), [(1, Cause::User)]);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS - 1);
    assert_eq!(bench.state(id), State::Running);
    bench.advance(1);
    assert!(is_aborted(&bench, id, Cause::User));
    assert_eq!(bench.starts(), [id, next]);
    let late = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert!(bench::over(&late).is_empty(), "a late word is fenced");
}

#[test]
fn an_aborted_run_without_a_thread_is_waited_for() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    abort(&mut bench, id);
    bench.advance(100 * limits::RUN_TIMEOUT_GRACE_MS);
    assert_eq!(bench.state(id), State::Running);
}

/// I-12
#[test]
fn a_run_that_another_process_aborts_is_over_after_the_grace() {
    let mut bench = threaded(1);
    let id = bench.add("a", 0.0);
    let mut other = bench.beside(1);
    abort(&mut other, id);
    bench.look();
    assert_eq!(bench.signals(), [(1, Cause::User)]);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS - 1);
    assert_eq!(bench.state(id), State::Running);
    bench.advance(1);
    assert!(is_aborted(&bench, id, Cause::User));
}

#[test]
fn a_grace_that_has_begun_is_not_made_longer_by_an_abort() {
    let mut bench = threaded(1);
    let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(1_000));
    bench.advance(1_000);
    assert_eq!(bench.signals(), [(1, Cause::RunTimeout)]);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS - 1);
    abort(&mut bench, id);
    bench.advance(1);
    assert!(is_aborted(&bench, id, Cause::RunTimeout));
}

#[test]
fn an_aborted_run_is_over_after_the_grace_however_much_of_its_run_timeout_is_left() {
    let mut bench = threaded(1);
    let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(3_600_000));
    abort(&mut bench, id);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    assert!(is_aborted(&bench, id, Cause::User));
}

#[test]
fn an_aborted_run_that_waits_at_a_checkpoint_is_over_after_the_grace() {
    for resumes in [false, true] {
        let mut bench = threaded(1);
        let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(3_600_000));
        bench.call(|ticket| Input::Pause(ticket, id));
        bench.turn(vec![Input::Halt(1)]);
        assert_eq!(bench.state(id), State::Paused);
        abort(&mut bench, id);
        if resumes {
            bench.call(|ticket| Input::Resume(ticket, id));
        }
        bench.advance(limits::RUN_TIMEOUT_GRACE_MS - 1);
        assert_eq!(bench.outcome(id), None);
        bench.advance(1);
        assert!(is_aborted(&bench, id, Cause::User), "{resumes}");
    }
}

#[test]
fn what_a_stop_aborts_has_the_time_of_the_stop() {
    let mut bench = threaded(1);
    let id = bench.add("a", 0.0);
    let ticket = bench.ticket();
    let timeout_ms = Some(3 * limits::RUN_TIMEOUT_GRACE_MS);
    let options = StopOptions { on_stop: Some(OnStop::Abort), timeout_ms };
    bench.turn(vec![Input::Stop(ticket, options)]);
    assert_eq!(bench.signals(), [(1, Cause::Stop)]);
    bench.advance(2 * limits::RUN_TIMEOUT_GRACE_MS);
    assert_eq!(bench.state(id), State::Running);
    let told = bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    assert!(is_aborted(&bench, id, Cause::Stop));
    assert!(bench::answers(&told).contains(&ticket));
}

#[test]
fn a_runner_that_was_taken_away_leaves_its_runs_their_threads() {
    let mut bench = threaded(1);
    let id = bench.add("a", 0.0);
    unassign(&mut bench);
    abort(&mut bench, id);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    assert!(is_aborted(&bench, id, Cause::User));
}
