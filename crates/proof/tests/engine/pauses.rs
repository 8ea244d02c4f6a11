//! Tasks that are paused and resumed: before they run, and at a checkpoint of their run.

use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, AttemptEnd, Cause, NewTask, OnStop, QueueTimeout, StartTime,
};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect, RunEnd};
use tasker_engine::input::{Input, PostponeOptions, RetryOptions, RunSlot, StopOptions};

use crate::bench::{self, Bench, json, reason};

const HOUR_MS: u64 = 3_600_000;

fn flag(effect: &Effect) -> bool {
    match effect {
        Effect::Answer(_, Answer::Flag(flag)) => *flag,
        other => panic!("{other:?}"),
    }
}

fn pause(bench: &mut Bench, id: TaskId) -> bool {
    flag(&bench.call(|ticket| Input::Pause(ticket, id)))
}

fn resume(bench: &mut Bench, id: TaskId) -> bool {
    flag(&bench.call(|ticket| Input::Resume(ticket, id)))
}

fn returned() -> Settlement {
    Settlement::Returned(None)
}

/// A task whose run has halted; its slot is the last one that started.
fn halted(bench: &mut Bench) -> TaskId {
    let id = bench.add("a", 0.0);
    assert!(pause(bench, id));
    halt(bench, id);
    id
}

/// The run of this task comes to a checkpoint, and halts there.
fn halt(bench: &mut Bench, id: TaskId) -> RunSlot {
    let slot = slot_of(bench, id);
    let effects = bench.turn(vec![Input::Halt(slot)]);
    assert!(!went_on(&effects, slot), "{effects:?}");
    assert_eq!(bench.state(id), State::Paused);
    slot
}

fn slot_of(bench: &Bench, id: TaskId) -> RunSlot {
    let mut live = bench.memory().live.in_order().into_iter();
    live.find(|run| run.id == id).map(|run| run.slot).expect("it runs")
}

fn went_on(effects: &[Effect], slot: RunSlot) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::GoOn(other) if *other == slot))
}

fn is_told_to_halt(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Halt(_)))
}

fn ends(bench: &Bench, id: TaskId) -> Vec<Option<AttemptEnd>> {
    bench.get(id).task.attempts.iter().map(|attempt| attempt.end).collect()
}

#[test]
fn a_waiting_task_is_paused_at_once_and_put_back() {
    let mut bench = Bench::new(1);
    let (first, second) = (bench.add("a", 0.0), bench.add("a", 0.0));
    assert!(pause(&mut bench, first) && pause(&mut bench, first), "it is paused already");
    bench.assign("a", None);
    bench.call(Input::Start);
    bench.settle_oldest(returned());
    assert_eq!((bench.starts(), bench.state(first)), (vec![second], State::Paused));
    assert!(resume(&mut bench, first));
    assert_eq!(bench.starts(), [second, first]);
    assert!(!resume(&mut bench, first), "it runs");
    bench.settle_oldest(returned());
    assert!(!pause(&mut bench, first) && !resume(&mut bench, first), "it has ended");
    let nobody = bench.call(|ticket| Input::Pause(ticket, bench::unknown_task()));
    assert!(matches!(nobody, Effect::Refuse(_, error) if error.code() == Code::NotFound));
}

#[test]
fn a_run_halts_at_its_next_checkpoint_and_goes_on_there() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Pause(ticket, id)]);
    let told = effects.iter().position(|effect| matches!(effect, Effect::Halt(1)));
    let answered = effects.iter().position(|effect| matches!(effect, Effect::Answer(..)));
    assert!(told.is_some() && told < answered, "its runner hears before its caller");
    let task = bench.get(id).task;
    assert_eq!((task.state, task.is_pausing), (State::Running, true));
    let before = bench.batches();
    assert!(pause(&mut bench, id));
    assert_eq!(bench.batches(), before, "to wish it again writes nothing");
    halt(&mut bench, id);
    let effects = bench.turn(vec![Input::Halt(1)]);
    assert!(!went_on(&effects, 1), "it waits already");
    let ticket = bench.ticket();
    assert!(went_on(&bench.turn(vec![Input::Resume(ticket, id)]), 1));
    let task = bench.get(id).task;
    assert_eq!((task.state, task.is_pausing, task.attempt), (State::Running, false, 1));
    bench.settle_oldest(returned());
    assert_eq!((bench.state(id), bench.starts()), (State::Done, vec![id]));
}

#[test]
fn a_wish_that_is_taken_back_halts_nobody() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    assert!(pause(&mut bench, id) && resume(&mut bench, id));
    assert!(!bench.get(id).task.is_pausing);
    // It was told, and asks.
    assert!(went_on(&bench.turn(vec![Input::Halt(1)]), 1));
    assert!(!resume(&mut bench, id));
}

/// I-6
#[test]
fn a_run_that_has_halted_frees_its_place_and_takes_one_before_new_starts() {
    let mut bench = Bench::started(1);
    let first = halted(&mut bench);
    let (second, third) = (bench.add("a", 5.0), bench.add("a", 5.0));
    assert_eq!(bench.starts(), [first, second]);
    assert!(resume(&mut bench, first));
    assert_eq!(bench.state(first), State::Paused, "there is no place for it");
    assert!(pause(&mut bench, first) && resume(&mut bench, first));
    let second_slot = slot_of(&bench, second);
    let effects = bench.turn(vec![Input::Settle(second_slot, returned())]);
    assert!(went_on(&effects, 1));
    assert_eq!((bench.state(first), bench.state(third)), (State::Running, State::Ready));
    bench.settle_oldest(returned());
    assert_eq!(bench.starts(), [first, second, third]);
}

/// I-6
#[test]
fn a_run_that_has_halted_counts_for_the_limit_of_its_operation() {
    let mut bench = Bench::new(9);
    bench.assign("a", Some(1));
    bench.call(Input::Start);
    let id = halted(&mut bench);
    let waits = bench.add("a", 0.0);
    let mut other = bench.beside(9);
    other.assign("a", Some(1));
    other.look();
    assert_eq!((bench.state(waits), other.starts()), (State::Ready, Vec::new()));
    assert!(flag(&bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)))));
    let slot = slot_of(&bench, id);
    bench.turn(vec![Input::Settle(slot, Settlement::Threw(json()))]);
    assert_eq!((bench.state(id), bench.state(waits)), (State::Aborted, State::Running));
}

#[test]
fn an_abort_of_a_run_that_has_halted_fires_its_signal() {
    let mut bench = Bench::started(1);
    let id = halted(&mut bench);
    assert!(flag(&bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)))));
    assert_eq!((bench.signals(), bench.state(id)), (&[(1, Cause::User)][..], State::Paused));
    assert!(!pause(&mut bench, id), "it is being aborted");
    assert!(!went_on(&bench.turn(vec![Input::Halt(1)]), 1), "its signal ends the wait");
    bench.settle_oldest(Settlement::Threw(json()));
    assert_eq!(bench.state(id), State::Aborted);
    // A run that is being aborted halts nowhere.
    let next = bench.add("a", 0.0);
    assert!(pause(&mut bench, next));
    bench.call(|ticket| Input::Abort(ticket, next, reason(Cause::User)));
    let slot = slot_of(&bench, next);
    bench.turn(vec![Input::Halt(slot)]);
    assert_eq!(bench.state(next), State::Running);
}

#[test]
fn the_time_of_a_run_that_has_halted_stands_still() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(1_000));
    bench.advance(400);
    pause(&mut bench, id);
    halt(&mut bench, id);
    assert_eq!(bench.wait_ms(), None);
    bench.advance(HOUR_MS);
    assert_eq!(bench.signals(), []);
    assert!(resume(&mut bench, id));
    assert_eq!(bench.wait_ms(), Some(600));
    bench.advance(600);
    assert_eq!(bench.signals(), [(1, Cause::RunTimeout)]);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    assert_eq!(bench.state(id), State::Aborted);
}

#[test]
fn a_stop_gives_back_what_has_halted_and_death_loses_it() {
    let mut bench = Bench::started(2);
    let (first, second) = (halted(&mut bench), halted(&mut bench));
    assert!(matches!(
        bench.call(|ticket| Input::Stop(ticket, StopOptions::default())),
        Effect::Answer(_, Answer::Done)
    ));
    for id in [first, second] {
        let task = bench.get(id).task;
        assert_eq!((task.state, task.attempt, task.has_halted()), (State::Paused, 0, false));
        assert_eq!(ends(&bench, id), [Some(AttemptEnd::Postponed)]);
    }
    bench.call(Input::Start);
    assert!(resume(&mut bench, first));
    assert!(pause(&mut bench, first));
    halt(&mut bench, first);
    bench.crash();
    assert_eq!((bench.state(first), bench.get(first).task.attempt), (State::Paused, 1));
    assert_eq!(ends(&bench, first).last(), Some(&Some(AttemptEnd::Lost)));
    bench.assign("a", None);
    bench.call(Input::Start);
    assert_eq!(bench.state(first), State::Paused);
    assert!(resume(&mut bench, first));
    assert_eq!(bench.state(first), State::Running);
}

#[test]
fn a_run_that_halts_during_a_stop_is_given_back_at_once() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let ticket = bench.ticket();
    bench.turn(vec![Input::Stop(ticket, StopOptions::default())]);
    assert!(pause(&mut bench, id));
    let effects = bench.turn(vec![Input::Halt(1)]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Postponed(None))]);
    assert!(bench::answers(&effects).contains(&ticket));
    assert_eq!(bench.state(id), State::Paused);
    // One that is to be aborted hears so, and is waited for.
    bench.call(Input::Start);
    let next = halted(&mut bench);
    let (on_stop, timeout_ms) = (Some(OnStop::Abort), None);
    let ticket = bench.ticket();
    bench.turn(vec![Input::Stop(ticket, StopOptions { on_stop, timeout_ms })]);
    assert_eq!((bench.signals().len(), bench.state(next)), (1, State::Paused));
    bench.settle_oldest(Settlement::Threw(json()));
    assert_eq!(bench.state(next), State::Aborted);
}

/// I-1
#[test]
fn a_wish_that_no_checkpoint_met_pauses_the_task_when_its_run_is_over() {
    let mut bench = Bench::started(1);
    let policy = r#"{"attempts":9,"backoff":{"type":"fixed","delay":1000}}"#;
    let policy = retry::read(policy, "retry").unwrap();
    let id = bench.add_with("a", |def| def.options.retry = Some(policy.into()));
    for settled in [Settlement::Threw(json()), Settlement::Snoozed(1_000)] {
        assert!(pause(&mut bench, id));
        bench.settle_oldest(settled);
        assert_eq!(bench.state(id), State::Paused);
        bench.advance(HOUR_MS);
        assert_eq!(bench.state(id), State::Paused, "what it waits for stands still");
        assert!(resume(&mut bench, id));
        assert_eq!(bench.state(id), State::Delayed);
        bench.advance(1_000);
        assert_eq!(bench.state(id), State::Running);
    }
    assert!(pause(&mut bench, id));
    let slot = slot_of(&bench, id);
    bench.turn(vec![Input::Postpone(slot)]);
    assert_eq!(bench.state(id), State::Paused);
    assert!(resume(&mut bench, id));
    assert!(pause(&mut bench, id));
    bench.crash();
    assert_eq!(bench.state(id), State::Paused);
    bench.assign("a", None);
    bench.call(Input::Start);
    assert!(resume(&mut bench, id) && pause(&mut bench, id));
    bench.settle_oldest(returned());
    assert_eq!((bench.state(id), bench.get(id).task.is_pausing), (State::Done, false));
}

#[test]
fn what_is_left_of_a_delay_is_left_still_and_a_moment_does_not_shift() {
    let mut bench = Bench::started(9);
    let begin = bench.wall();
    let delayed = bench.add_with("a", |def| {
        def.options.start_time = Some(StartTime::After(5_000));
    });
    let [soon, late] = [5_000, 50_000].map(|ms| WallMs(begin.0 + ms));
    let moments = [soon, late]
        .map(|at| bench.add_with("a", |def| def.options.start_time = Some(StartTime::At(at))));
    bench.advance(2_000);
    for id in [delayed, moments[0], moments[1]] {
        assert!(pause(&mut bench, id));
    }
    bench.advance(10_000);
    assert_eq!(bench.starts(), [], "a timer of what is paused fires for nothing");
    for id in [delayed, moments[0], moments[1]] {
        assert!(resume(&mut bench, id));
    }
    let run_at = |bench: &Bench, id| bench.get(id).task.def.options.run_at();
    assert_eq!(bench.starts(), [moments[0]], "its moment is over");
    assert_eq!(run_at(&bench, delayed), Some(WallMs(begin.0 + 15_000)));
    assert_eq!(run_at(&bench, moments[1]), Some(late));
    bench.advance(3_000);
    assert_eq!(bench.starts(), [moments[0], delayed]);
    bench.advance(35_000);
    assert_eq!(bench.starts(), [moments[0], delayed, moments[1]]);
}

#[test]
fn a_queue_timeout_stands_still_while_its_task_is_paused() {
    let mut bench = Bench::new(1);
    let then = AfterQueueTimeout::Abort;
    let timeout = QueueTimeout { after_ms: 5_000, then, ends_at: None };
    let id = bench.add_with("a", |def| def.options.queue_timeout = Some(timeout));
    bench.advance(3_000);
    assert!(pause(&mut bench, id));
    bench.advance(HOUR_MS);
    assert_eq!(bench.state(id), State::Paused);
    assert!(resume(&mut bench, id));
    bench.advance(1_999);
    assert_eq!(bench.state(id), State::Ready);
    bench.advance(1);
    assert_eq!(bench.state(id), State::Aborted);
}

/// It counts from the moment, and a pause before that takes nothing of it.
#[test]
fn a_queue_timeout_that_counts_from_a_named_moment_stands_still_from_then_on() {
    let timeout = QueueTimeout { after_ms: 5_000, then: AfterQueueTimeout::Abort, ends_at: None };
    // Put back before the moment, and 4,000 ms after it.
    for (resumed_ms, left_ms) in [(8_000, 2_000 + 5_000), (14_000, 5_000)] {
        let mut bench = Bench::new(1);
        let moment = StartTime::At(bench.wall().plus(10_000));
        let id = bench.add_with("a", |def| {
            def.options.start_time = Some(moment);
            def.options.queue_timeout = Some(timeout);
        });
        bench.advance(3_000);
        assert!(pause(&mut bench, id));
        bench.advance(resumed_ms - 3_000);
        assert!(resume(&mut bench, id));
        bench.advance(left_ms - 1);
        assert_eq!(bench.state(id), State::Ready);
        bench.advance(1);
        assert_eq!(bench.state(id), State::Aborted);
    }
}

#[test]
fn a_clock_that_was_set_back_shortens_no_pause() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(5_000)));
    let at = bench.get(id).task.def.options.run_at();
    pause(&mut bench, id);
    bench.set_back(1_000_000);
    assert!(resume(&mut bench, id));
    assert_eq!(bench.get(id).task.def.options.run_at(), at);
}

/// I-11
#[test]
fn a_neighbour_pauses_and_resumes_a_run() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let id = one.add("a", 0.0);
    assert!(pause(&mut two, id));
    assert!(is_told_to_halt(&one.look()));
    assert!(!is_told_to_halt(&one.look()), "once");
    halt(&mut one, id);
    assert!(resume(&mut two, id));
    assert_eq!(one.state(id), State::Paused, "its owner lets it go on");
    assert!(went_on(&one.look(), 1));
    assert_eq!(one.state(id), State::Running);
    assert!(pause(&mut two, id) && resume(&mut two, id));
    one.look();
    assert!(went_on(&one.turn(vec![Input::Halt(1)]), 1));
    // One that closes too soon is no reason to forget it.
    assert!(pause(&mut two, id));
    one.die();
    two.look();
    assert_eq!(two.state(id), State::Paused);
}

#[test]
fn a_pause_sees_what_its_turn_did_before() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let calls = [bench.ticket(), bench.ticket(), bench.ticket(), bench.ticket()];
    let answer = |effects: &[Effect], ticket| {
        let is_it =
            |effect: &&Effect| matches!(effect, Effect::Answer(other, _) if *other == ticket);
        effects.iter().find(is_it).map(flag)
    };
    // It is over, then paused; it halts, then is aborted; it is paused, and goes on.
    let effects = bench.turn(vec![
        Input::Pause(calls[0], id),
        Input::Halt(1),
        Input::Resume(calls[1], id),
        Input::Pause(calls[2], id),
        Input::Abort(calls[3], id, reason(Cause::User)),
    ]);
    assert_eq!(calls.map(|ticket| answer(&effects, ticket)), [Some(true); 4]);
    assert_eq!((bench.state(id), bench.signals().len()), (State::Paused, 1));
    let [late, again, ..] = [bench.ticket(), bench.ticket(), bench.ticket()];
    let effects = bench.turn(vec![
        Input::Settle(1, Settlement::Threw(json())),
        Input::Pause(late, id),
        Input::Resume(again, id),
    ]);
    assert_eq!([late, again].map(|ticket| answer(&effects, ticket)), [Some(false); 2]);
    assert_eq!(bench.state(id), State::Aborted);
    let next = bench.add("a", 0.0);
    let slot = slot_of(&bench, next);
    let [late, again] = [bench.ticket(), bench.ticket()];
    let effects = bench.turn(vec![
        Input::Postpone(slot),
        Input::Pause(late, next),
        Input::Resume(again, next),
    ]);
    assert_eq!([late, again].map(|ticket| answer(&effects, ticket)), [Some(true); 2]);
    assert_eq!(bench.state(next), State::Running, "by another run");
    assert_eq!(ends(&bench, next), [Some(AttemptEnd::Postponed), None]);
}

/// F-10
#[test]
fn a_halt_that_cannot_be_written_is_written_later() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    pause(&mut bench, id);
    bench.fail_next(Code::Full);
    let effects = bench.turn(vec![Input::Halt(1)]);
    assert!(!went_on(&effects, 1));
    assert_eq!(bench.state(id), State::Running);
    let effects = bench.advance(100);
    assert_eq!((bench.state(id), went_on(&effects, 1)), (State::Paused, false));
    bench.fail_next(Code::Full);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Resume(ticket, id)]);
    assert!(matches!(effects[..], [Effect::Refuse(..)]), "{effects:?}");
    assert!(resume(&mut bench, id));
    assert_eq!(bench.state(id), State::Running);
}

/// I-4
#[test]
fn a_run_that_has_halted_and_was_replaced_is_fenced() {
    let mut bench = Bench::started(1);
    let id = halted(&mut bench);
    bench.refuse_next(id);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Resume(ticket, id)]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced)]);
    let next = bench.add("a", 0.0);
    assert_eq!(bench.state(next), State::Running, "its place is free");
}

/// A task that depends on this one.
fn dependent(bench: &mut Bench, on: TaskId, change: impl FnOnce(&mut NewTask)) -> TaskId {
    bench.add_with("a", |def| {
        let on = [Dependency::Task(on)].into();
        let all = Dependencies { on, on_failure: OnFailure::Abort, is_list: true };
        def.options.depends_on = Some(Arc::new(all));
        change(def);
    })
}

#[test]
fn a_blocked_task_is_paused_and_goes_back_to_what_it_waits_for() {
    let mut bench = Bench::started(9);
    let first = bench.add("a", 0.0);
    let [open, met] = [(); 2].map(|()| dependent(&mut bench, first, |_| {}));
    for id in [open, met] {
        assert!(pause(&mut bench, id) && pause(&mut bench, id));
        assert_eq!(bench.state(id), State::Paused);
    }
    assert!(resume(&mut bench, open));
    assert_eq!(bench.state(open), State::Blocked);
    bench.settle_oldest(returned());
    assert_eq!([open, met].map(|id| bench.state(id)), [State::Running, State::Paused]);
    assert!(resume(&mut bench, met));
    assert_eq!(bench.starts(), [first, open, met]);
    // In one turn: the end of what it waits for counts before and after the call.
    let last = dependent(&mut bench, open, |_| {});
    assert!(pause(&mut bench, last));
    let (slot, ticket) = (slot_of(&bench, open), bench.ticket());
    bench.turn(vec![Input::Resume(ticket, last), Input::Settle(slot, returned())]);
    assert_eq!(bench.state(last), State::Running);
    let next = dependent(&mut bench, met, |_| {});
    assert!(pause(&mut bench, next));
    let (slot, ticket) = (slot_of(&bench, met), bench.ticket());
    bench.turn(vec![Input::Settle(slot, returned()), Input::Resume(ticket, next)]);
    assert_eq!(bench.state(next), State::Running);
}

#[test]
fn a_paused_task_whose_dependency_fails_ends_with_it() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let id = dependent(&mut bench, first, |_| {});
    assert!(pause(&mut bench, id));
    bench.settle_oldest(Settlement::Unrecoverable(json()));
    assert_eq!(bench.state(id), State::Aborted);
    assert_eq!(bench.outcome(id).and_then(|end| end.cause()), Some(Cause::Dependency));
    assert!(!resume(&mut bench, id));
    // Run again by hand it waits for nothing more, however often it is paused in that turn.
    let calls = [bench.ticket(), bench.ticket(), bench.ticket()];
    bench.turn(vec![
        Input::Retry(calls[0], id, RetryOptions::default()),
        Input::Pause(calls[1], id),
        Input::Resume(calls[2], id),
    ]);
    assert_eq!(bench.state(id), State::Running);
}

#[test]
fn what_a_paused_blocked_task_waits_for_stands_still() {
    let mut bench = Bench::started(9);
    let first = bench.add("a", 0.0);
    let delay = Some(StartTime::After(5_000));
    let delayed = dependent(&mut bench, first, |def| def.options.start_time = delay);
    let timeout = QueueTimeout { after_ms: 5_000, then: AfterQueueTimeout::Abort, ends_at: None };
    bench.assign("b", None);
    bench.call(|ticket| Input::PauseOperation(ticket, "b".into(), true));
    let timed = bench.add_with("b", |def| {
        let on = [Dependency::Task(first)].into();
        let all = Dependencies { on, on_failure: OnFailure::Abort, is_list: true };
        def.options.depends_on = Some(Arc::new(all));
        def.options.queue_timeout = Some(timeout);
    });
    let run_at = bench.get(delayed).task.def.options.run_at();
    bench.advance(2_000);
    assert!(pause(&mut bench, delayed) && pause(&mut bench, timed));
    bench.advance(HOUR_MS);
    bench.settle_oldest(returned());
    bench.advance(HOUR_MS);
    assert_eq!([delayed, timed].map(|id| bench.state(id)), [State::Paused; 2]);
    assert!(resume(&mut bench, delayed) && resume(&mut bench, timed));
    let shifted = run_at.map(|at| at.plus(2 * HOUR_MS));
    assert_eq!(bench.get(delayed).task.def.options.run_at(), shifted);
    assert_eq!([delayed, timed].map(|id| bench.state(id)), [State::Delayed, State::Ready]);
    bench.advance(3_000);
    assert_eq!([delayed, timed].map(|id| bench.state(id)), [State::Running, State::Ready]);
    bench.advance(1_999);
    assert_eq!(bench.state(timed), State::Ready);
    bench.advance(1);
    assert_eq!(bench.state(timed), State::Aborted);
}

#[test]
fn a_paused_task_is_not_put_off_and_one_that_is_to_halt_is_put_off_and_paused() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let options = || PostponeOptions { delay_ms: Some(HOUR_MS), reason: json() };
    let waits = one.add("b", 0.0);
    assert!(pause(&mut one, waits));
    assert!(!flag(&one.call(|ticket| Input::PostponeTask(ticket, waits, options()))));
    let id = halted(&mut one);
    assert!(!flag(&two.call(|ticket| Input::PostponeTask(ticket, id, options()))));
    assert!(resume(&mut one, id) && pause(&mut one, id));
    assert!(flag(&one.call(|ticket| Input::PostponeTask(ticket, id, options()))));
    assert_eq!((one.state(id), one.get(id).task.attempt), (State::Paused, 0));
    assert!(resume(&mut one, id));
    assert_eq!(one.state(id), State::Delayed, "its delay is whole");
    one.advance(HOUR_MS);
    assert_eq!(one.state(id), State::Running);
    // Asked for elsewhere before it halts, and found when it has.
    assert!(flag(&two.call(|ticket| Input::PostponeTask(ticket, id, options()))));
    assert!(pause(&mut two, id));
    one.die();
    two.look();
    assert_eq!(two.state(id), State::Paused);
    assert_eq!(ends(&two, id).last(), Some(&Some(AttemptEnd::Postponed)));
    assert!(resume(&mut two, id));
    assert_eq!(two.state(id), State::Delayed);
}
