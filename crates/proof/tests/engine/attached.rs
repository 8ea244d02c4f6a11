//! Tasks that are attached to the process that added them.

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask, OnStop, StartTime, TaskEnd};
use tasker_engine::effect::{Added, Answer, Effect, Skipped};
use tasker_engine::input::{
    Bulk, BulkVerb, Input, PostponeOptions, RetryOptions, RunSlot, StopOptions,
};
use tasker_engine::turn::Next;

use crate::bench::{Bench, def, json, priority, reason};

const HOUR_MS: u64 = 3_600_000;

/// Two processes that both run operation `a`.
fn two() -> (Bench, Bench) {
    let one = Bench::started(9);
    let mut two = one.beside(9);
    two.assign("a", None);
    (one, two)
}

fn attach(bench: &mut Bench, operation: &str) -> TaskId {
    bench.add_with(operation, |def| def.is_attached = true)
}

fn attach_with(bench: &mut Bench, change: impl FnOnce(&mut NewTask)) -> TaskId {
    bench.add_with("b", |def| {
        def.is_attached = true;
        change(def);
    })
}

fn depend(def: &mut NewTask, on: TaskId, on_failure: OnFailure) {
    let all = Dependencies { on: vec![Dependency::Task(on)], on_failure, is_list: false };
    def.options.depends_on = Some(all.into());
}

fn returned() -> Settlement {
    Settlement::Returned(None)
}

fn is_lost(bench: &Bench, id: TaskId) -> bool {
    matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::Lost, _)))
}

fn refusal(effect: &Effect) -> Option<Code> {
    match effect {
        Effect::Refuse(_, error) => Some(error.code()),
        _ => None,
    }
}

fn slot_of(bench: &Bench, id: TaskId) -> RunSlot {
    let live = bench.memory().live.in_order();
    live.into_iter().find(|run| run.id == id).expect("it runs").slot
}

fn close(bench: &mut Bench, timeout_ms: u64) -> Vec<Effect> {
    let ticket = bench.ticket();
    let options = StopOptions { on_stop: Some(OnStop::Wait), timeout_ms: Some(timeout_ms) };
    bench.turn(vec![Input::Close(ticket, options)])
}

fn has_closed(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Closed(None)))
}

#[test]
fn an_attached_task_starts_only_in_the_process_that_added_it() {
    let (mut one, mut two) = two();
    let id = two.add_with("a", |def| def.is_attached = true);
    assert_eq!(two.starts(), [id]);
    let waits = attach(&mut two, "b");
    one.look();
    one.assign("b", None);
    assert!(one.starts().is_empty());
    two.assign("b", None);
    assert_eq!(two.starts(), [id, waits]);
}

#[test]
fn whatever_an_attached_task_waits_for_and_whoever_acts_on_it_it_stays_where_it_is() {
    let (mut one, mut two) = two();
    let first = one.add("c", 0.0);
    let delayed = attach_with(&mut two, |def| {
        def.options.start_time = Some(StartTime::After(HOUR_MS));
    });
    let blocked = attach_with(&mut two, |def| depend(def, first, OnFailure::Abort));
    let [paused, moved, postponed] = [(); 3].map(|()| attach_with(&mut two, |_| ()));
    one.look();
    one.assign("b", None);
    one.call(|ticket| Input::Pause(ticket, paused));
    one.call(|ticket| Input::Resume(ticket, paused));
    one.call(|ticket| Input::Prioritize(ticket, moved, priority(1.0)));
    let options = PostponeOptions { delay_ms: Some(HOUR_MS), reason: json() };
    one.call(|ticket| Input::PostponeTask(ticket, postponed, options));
    one.assign("c", None);
    one.settle_oldest(returned());
    one.advance(2 * HOUR_MS);
    assert_eq!(one.starts(), [first]);
    two.wait(2 * HOUR_MS);
    two.look();
    two.assign("b", None);
    assert_eq!(two.starts(), [moved, delayed, blocked, paused, postponed]);
}

#[test]
fn an_attached_task_is_tried_again_where_it_is() {
    let (mut one, mut two) = two();
    let id = two.add_with("a", |def| {
        def.is_attached = true;
        def.options.retry = retry::read("3", "retry").ok().map(Into::into);
    });
    two.settle_oldest(Settlement::Threw(json()));
    one.look();
    two.settle_oldest(Settlement::Snoozed(HOUR_MS));
    one.advance(HOUR_MS);
    two.advance(HOUR_MS);
    assert_eq!((one.starts(), two.starts()), (vec![], vec![id; 3]));
}

/// I-1
#[test]
fn what_is_attached_to_a_process_that_died_ends_wherever_it_waited() {
    let (mut one, mut two) = two();
    let first = one.add("c", 0.0);
    let free = two.add("b", 0.0);
    let ready = attach(&mut two, "b");
    let delayed = attach_with(&mut two, |def| {
        def.options.start_time = Some(StartTime::After(HOUR_MS));
    });
    let blocked = attach_with(&mut two, |def| depend(def, first, OnFailure::Abort));
    let paused = attach(&mut two, "b");
    two.call(|ticket| Input::Pause(ticket, paused));
    let runs = attach(&mut two, "a");
    let aborted = attach(&mut two, "a");
    let follows = one.add_with("d", |def| depend(def, ready, OnFailure::Run));
    one.call(|ticket| Input::Abort(ticket, aborted, reason(Cause::User)));
    let options = PostponeOptions { delay_ms: None, reason: json() };
    one.call(|ticket| Input::PostponeTask(ticket, runs, options));
    two.die();
    let told = one.look();
    let told =
        |id| told.iter().any(|effect| matches!(effect, Effect::TaskEnded(one, _) if *one == id));
    for id in [ready, delayed, blocked, paused, runs] {
        assert!(is_lost(&one, id) && told(id), "{:?}", one.get(id));
    }
    assert!(matches!(one.outcome(aborted), Some(TaskEnd::Aborted(Cause::User, _))));
    assert_eq!((one.state(free), one.state(follows)), (State::Ready, State::Ready));
    assert_eq!(one.waits(), 1, "only what waits for a runner holds what it depended on");
}

/// In portions, each a commit of its own; also if nobody else lives.
#[test]
fn many_that_were_attached_end_in_portions_when_the_file_is_opened_again() {
    let mut bench = Bench::new(1);
    let defs = |n: usize| (0..n).map(|_| NewTask { is_attached: true, ..def("b") }).collect();
    for _ in 0..5 {
        bench.call(|ticket| Input::AddMany(ticket, defs(500)));
    }
    let before = bench.batches();
    bench.crash();
    assert_eq!(bench.batches(), before + 3, "1,000 at a time");
    assert_eq!(bench.memory().counts.get(State::Aborted), 2_500);
}

#[test]
fn a_stop_keeps_what_is_attached_and_a_close_ends_it() {
    let (mut one, mut two) = two();
    let ready = attach(&mut two, "b");
    let runs = attach(&mut two, "a");
    let stop = StopOptions { on_stop: Some(OnStop::Postpone), timeout_ms: None };
    two.call(|ticket| Input::Stop(ticket, stop));
    assert_eq!((two.state(ready), two.state(runs)), (State::Ready, State::Ready));
    two.call(Input::Start);
    let again = slot_of(&two, runs);
    assert!(!has_closed(&close(&mut two, HOUR_MS)), "its run is not over");
    assert_eq!(two.state(ready), State::Ready);
    let late = attach(&mut two, "b");
    let told = two.turn(vec![Input::Settle(again, returned())]);
    assert!(has_closed(&told), "{told:?}");
    one.look();
    assert_eq!(one.state(runs), State::Done);
    assert!(is_lost(&one, ready) && is_lost(&one, late));
}

#[test]
fn a_close_ends_what_comes_with_it_and_more_than_a_turn_takes() {
    let (mut one, mut two) = two();
    let many = (0..1_500).map(|_| NewTask { is_attached: true, ..def("b") }).collect();
    two.call(|ticket| Input::AddMany(ticket, many));
    let (add, ticket) = (two.ticket(), two.ticket());
    let attached = NewTask { is_attached: true, ..def("b") };
    let close = Input::Close(ticket, StopOptions::default());
    let told = two.turn(vec![Input::Add(add, attached), close]);
    assert!(has_closed(&told));
    one.look();
    assert_eq!(one.memory().counts.get(State::Aborted), 1_501);
    assert_eq!(one.memory().counts.total(), 1_501);
}

#[test]
fn a_close_that_cannot_write_leaves_them_to_whoever_comes_next() {
    let mut bench = Bench::started(1);
    let id = attach(&mut bench, "b");
    bench.fail_next(Code::Full);
    let ticket = bench.ticket();
    let options = StopOptions { on_stop: None, timeout_ms: Some(1_000) };
    let (next, told) = bench.turn_once(vec![Input::Close(ticket, options)]);
    assert!(matches!(next, Next::Wait(Some(_))) && !has_closed(&told), "{next:?} {told:?}");
    bench.fail_next(Code::Full);
    bench.wait(1_000);
    assert_eq!(bench.turn_once(Vec::new()).0, Next::Closed);
    assert_eq!(bench.state(id), State::Ready);
    bench.crash();
    assert!(is_lost(&bench, id));
}

#[test]
fn an_ended_task_that_was_attached_does_not_run_again() {
    let mut bench = Bench::started(1);
    let id = attach(&mut bench, "a");
    let other = bench.add("a", 0.0);
    bench.settle_oldest(returned());
    bench.settle_oldest(returned());
    let retried = bench.call(|ticket| Input::Retry(ticket, id, RetryOptions::default()));
    assert_eq!(refusal(&retried), Some(Code::Unsupported));
    let seqs = [id, other].map(|id| bench.get(id).task.seq).to_vec();
    for is_dry in [true, false] {
        let verb = BulkVerb::Retry(RetryOptions::default());
        let bulk = Bulk { seqs: seqs.clone(), verb, is_dry };
        let Effect::Answer(_, Answer::Bulk(outcome)) =
            bench.call(|ticket| Input::Bulk(ticket, bulk))
        else {
            panic!("a bulk call is answered")
        };
        assert_eq!(outcome.changed, 1);
        assert_eq!(outcome.skipped.into_iter().collect::<Vec<_>>(), [(Skipped::Attached, 1)]);
    }
    assert_eq!((bench.state(id), bench.state(other)), (State::Done, State::Running));
}

#[test]
fn an_attached_task_is_replaced_by_no_other() {
    let mut bench = Bench::new(1);
    let unique = |on_conflict| {
        let (key, hold, ttl_ms) = ("x".into(), UniqueWhile::Unfinished, None);
        Some(Unique { key, hold, ttl_ms, on_conflict }.into())
    };
    let mut first = NewTask { is_attached: true, ..def("a") };
    first.options.unique = unique(OnConflict::Return);
    let mut second = def("a");
    second.options.unique = unique(OnConflict::Replace);
    let (both, later) = (vec![first, second.clone()], second);
    let added = |effect: Effect| match effect {
        Effect::Answer(_, Answer::Adds(adds)) => adds,
        other => panic!("{other:?}"),
    };
    let adds = added(bench.call(|ticket| Input::AddMany(ticket, both)));
    let id = adds[0].0;
    assert_eq!(adds, [(id, Added::New), (id, Added::Duplicate)]);
    let adds = added(bench.call(|ticket| Input::Add(ticket, later)));
    assert_eq!(adds, [(id, Added::Duplicate)]);
}
