//! The whole engine over the model store, with a clock that the test moves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod ahead;
mod attached;
mod batches;
mod bench;
mod bulk;
mod circuits;
mod clients;
mod conditions;
mod dependencies;
mod overtaken;
mod explaining;
mod holds;
mod keys;
mod lapsing;
mod listening;
mod metrics;
mod offers;
mod operations;
mod pauses;
mod postponing;
mod queue_timeouts;
mod executors;
mod rates;
mod races;
mod removals;
mod rest;
mod retries;
mod schedule_calls;
mod schedules;
mod shared;
mod templates;
mod threads;
mod timers;
mod unique;
mod updates;

use bench::{Bench, json, reason};
use tasker_core::error::Code;
use tasker_core::limits;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, Level, OnInterrupted, OnStop, Progress, TaskEnd};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect, RunEnd};
use tasker_engine::input::{Input, Record, StopOptions, Subscription};

#[test]
fn nothing_starts_before_a_start_and_a_runner() {
    let mut bench = Bench::new(2);
    let id = bench.add("a", 0.0);
    assert!(bench.starts().is_empty());
    bench.call(Input::Start);
    assert!(bench.starts().is_empty());
    bench.assign("a", None);
    assert_eq!(bench.starts(), [id]);
}

/// What an idle tasker takes is then nothing, on any machine.
#[test]
fn an_engine_with_nothing_to_do_asks_for_no_turn() {
    let mut bench = Bench::started(2);
    bench.add("nobody-does", 0.0);
    bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Returned(None));
    while bench.wait_ms() == Some(0) {
        bench.turn(Vec::new());
    }
    assert_eq!(bench.wait_ms(), None);
}

#[test]
fn greater_priority_first_then_the_older_one() {
    let mut bench = Bench::started(1);
    let ids: Vec<_> = [1.0, 5.0, 5.0, f64::INFINITY].map(|p| bench.add("b", p)).to_vec();
    bench.assign("b", None);
    for _ in 0..3 {
        bench.settle_oldest(Settlement::Returned(None));
    }
    assert_eq!(bench.starts(), [ids[3], ids[1], ids[2], ids[0]]);
}

#[test]
fn at_most_n_run_here_and_at_most_m_of_an_operation() {
    let mut bench = Bench::new(3);
    bench.assign("a", Some(2));
    bench.assign("b", None);
    bench.call(Input::Start);
    for _ in 0..4 {
        bench.add("a", 1.0);
    }
    bench.add("b", 0.0);
    bench.add("b", 0.0);
    assert_eq!(bench.starts().len(), 3);
    assert_eq!(bench.running_of("a"), 2);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.running_of("a"), 2);
}

#[test]
fn an_add_and_its_start_are_one_commit() {
    let mut bench = Bench::started(1);
    let before = bench.batches();
    bench.add("a", 0.0);
    assert_eq!(bench.starts().len(), 1);
    assert_eq!(bench.batches(), before + 1);
}

#[test]
fn a_return_is_done_a_throw_is_failed_and_a_second_word_changes_nothing() {
    let mut bench = Bench::started(2);
    let (good, bad) = (bench.add("a", 0.0), bench.add("a", 0.0));
    assert_eq!(bench.starts(), [good, bad]);
    let effects = bench.turn(vec![
        Input::Settle(1, Settlement::Returned(Some(json()))),
        Input::Settle(1, Settlement::Threw(json())),
        Input::Settle(2, Settlement::Threw(json())),
        Input::Settle(99, Settlement::Threw(json())),
    ]);
    let over: Vec<_> = bench::over(&effects);
    assert_eq!(over, [(1, RunEnd::Done), (2, RunEnd::Failed(Cause::Error))]);
    assert_eq!(bench.outcome(good), Some(TaskEnd::Done(Some(json()))));
    assert_eq!(bench.outcome(bad), Some(TaskEnd::Failed(Cause::Error, json())));
}

#[test]
fn a_task_aborted_while_it_waits_never_runs() {
    let mut bench = Bench::new(1);
    let id = bench.add("a", 0.0);
    let answer = bench.call(|t| Input::Abort(t, id, reason(Cause::User)));
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))));
    bench.assign("a", None);
    bench.call(Input::Start);
    assert!(bench.starts().is_empty());
    assert_eq!(bench.state(id), State::Aborted);
}

#[test]
fn an_abort_of_a_running_task_fires_its_signal_and_the_settle_decides() {
    let mut bench = Bench::started(2);
    let (stops, returns) = (bench.add("a", 0.0), bench.add("a", 0.0));
    for id in [stops, returns] {
        bench.call(|t| Input::Abort(t, id, reason(Cause::User)));
    }
    assert_eq!(bench.signals(), [(1, Cause::User), (2, Cause::User)]);
    bench.turn(vec![
        Input::Settle(1, Settlement::Threw(json())),
        Input::Settle(2, Settlement::Returned(None)),
    ]);
    assert_eq!(bench.state(stops), State::Aborted);
    assert_eq!(bench.state(returns), State::Done);
}

#[test]
fn an_ended_task_cannot_be_aborted_or_prioritised_and_an_unknown_one_is_refused() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Returned(None));
    let answer = bench.call(|t| Input::Abort(t, id, reason(Cause::User)));
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(false))));
    let answer = bench.call(|t| Input::Prioritize(t, id, bench::priority(1.0)));
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(false))));
    let unknown = bench::unknown_task();
    let answer = bench.call(|t| Input::AwaitEnd(t, unknown));
    assert!(matches!(answer, Effect::Refuse(_, error) if error.code() == Code::NotFound));
}

#[test]
fn a_prioritised_task_overtakes() {
    let mut bench = Bench::started(1);
    let running = bench.add("a", 0.0);
    let (first, second) = (bench.add("a", 0.0), bench.add("a", 0.0));
    bench.call(|t| Input::Prioritize(t, second, bench::priority(9.0)));
    bench.settle_oldest(Settlement::Returned(None));
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), [running, second, first]);
}

#[test]
fn a_watch_is_answered_when_the_task_ends_and_at_once_if_it_had() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let (early, late) = (bench.ticket(), bench.ticket());
    assert!(!bench::answers(&bench.turn(vec![Input::AwaitEnd(early, id)])).contains(&early));
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(Some(json())))]);
    assert!(bench::answers(&effects).contains(&early));
    let effects = bench.turn(vec![Input::AwaitEnd(late, id)]);
    assert!(bench::answers(&effects).contains(&late));
}

#[test]
fn a_watch_and_the_end_in_one_turn_do_not_miss_each_other() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let ticket = bench.ticket();
    let effects =
        bench.turn(vec![Input::Settle(1, Settlement::Returned(None)), Input::AwaitEnd(ticket, id)]);
    assert!(bench::answers(&effects).contains(&ticket));
}

#[test]
fn a_run_timeout_fires_the_signal_and_after_the_grace_takes_the_place() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| def.options.run_timeout_ms = Some(1_000));
    bench.advance(999);
    assert!(bench.signals().is_empty());
    bench.advance(1);
    assert_eq!(bench.signals(), [(1, Cause::RunTimeout)]);
    assert_eq!(bench.state(id), State::Running);
    bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    assert_eq!(bench.state(id), State::Aborted);
    assert!(matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::RunTimeout, _))));
    let next = bench.add("a", 0.0);
    assert!(bench.starts().contains(&next), "the place is free");
    let late = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert!(bench::over(&late).is_empty(), "a late word is fenced");
}

#[test]
fn records_before_the_settle_are_stored_with_it_and_none_after() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let log = |text: &str| Record::Log {
        level: Level::Info,
        at: Some(WallMs(5)),
        message: text.into(),
        fields: None,
    };
    let progress = Progress { current: 3.0, total: Some(4.0), unit: None };
    bench.turn(vec![
        Input::Record(1, log("one")),
        Input::Record(1, Record::Progress(progress.clone())),
        Input::Record(1, log("two")),
        Input::Settle(1, Settlement::Returned(None)),
        Input::Record(1, log("late")),
    ]);
    let found = bench.get(id);
    let logs: Vec<_> = found.logs.unwrap().iter().map(|l| l.message.to_string()).collect();
    assert_eq!(logs, ["one", "two"]);
    assert_eq!(found.task.progress, Some(progress));
}

#[test]
fn logs_per_task_are_bounded() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let line = Record::Log { level: Level::Info, at: None, message: "x".into(), fields: None };
    let over = limits::LOGS_PER_TASK_MAX as usize + 5;
    let mut inputs: Vec<_> = (0..over).map(|_| Input::Record(1, line.clone())).collect();
    inputs.push(Input::Settle(1, Settlement::Returned(None)));
    let ticket = bench.ticket();
    let subscription = Subscription { logs: true, ..Subscription::default() };
    inputs.insert(0, Input::Subscribe(ticket, subscription));
    let effects = bench.turn(inputs);
    assert_eq!(bench.get(id).logs.unwrap().len(), limits::LOGS_PER_TASK_MAX as usize);
    let confirmed = effects.iter().map(|effect| match effect {
        Effect::Recorded(1, lines, _) => *lines,
        _ => 0,
    });
    assert_eq!(confirmed.sum::<u32>(), limits::LOGS_PER_TASK_MAX, "only what is stored");
}

#[test]
fn a_line_without_a_time_has_that_of_its_turn() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let line = Record::Log { level: Level::Info, at: None, message: "x".into(), fields: None };
    bench.advance(7);
    let now = bench.wall();
    bench.turn(vec![Input::Record(1, line)]);
    assert_eq!(bench.get(id).logs.unwrap()[0].at, now);
}

#[test]
fn a_clock_that_was_set_back_turns_no_order_around() {
    let mut bench = Bench::started(3);
    bench.assign("b", None);
    let (done, given_back, lost) = (bench.add("a", 0.0), bench.add("a", 0.0), bench.add("a", 0.0));
    let waiting = bench.add("b", 0.0);
    bench.set_back(3_600_000);
    let never = bench.add("b", 0.0);
    bench.call(|t| Input::Abort(t, waiting, reason(Cause::User)));
    bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    let stop = bench.ticket();
    bench.turn(vec![Input::Stop(stop, StopOptions { timeout_ms: Some(0), on_stop: None })]);
    bench.call(|t| Input::Abort(t, given_back, reason(Cause::User)));
    bench.call(Input::Start);
    bench.crash();
    for id in [done, given_back, lost, waiting, never] {
        let task = bench.get(id).task;
        let started = task.started_at.unwrap_or(task.created_at);
        assert!(started >= task.created_at && task.ended_at.is_none_or(|end| end >= started));
        for attempt in &task.attempts {
            assert!(attempt.ended_at.is_none_or(|end| end >= attempt.started_at), "{attempt:?}");
        }
    }
    assert!(bench.get(waiting).task.ended_at.is_some());
}

#[test]
fn a_stop_waits_then_postpones_and_the_attempt_is_not_counted() {
    let mut bench = Bench::started(2);
    let id = bench.add("a", 0.0);
    let waits = bench.add("z", 0.0);
    let stop = bench.ticket();
    let effects = bench.turn(vec![Input::Stop(stop, StopOptions::default())]);
    assert!(!bench::answers(&effects).contains(&stop));
    let effects = bench.advance(limits::STOP_TIMEOUT_MS);
    assert!(bench::answers(&effects).contains(&stop));
    assert_eq!(bench::over(&effects), [(1, RunEnd::Postponed(None))]);
    let task = bench.get(id).task;
    assert_eq!((task.state, task.attempt, task.attempts.len()), (State::Ready, 0, 1));
    assert_eq!(bench.state(waits), State::Ready);
    bench.call(Input::Start);
    assert_eq!(bench.get(id).task.attempt, 1);
}

#[test]
fn a_stop_follows_the_task_unless_it_says_otherwise() {
    let mut bench = Bench::started(3);
    let back = bench.add_with("a", |def| def.options.on_stop = Some(OnStop::Postpone));
    let ended = bench.add_with("a", |def| def.options.on_stop = Some(OnStop::Abort));
    let waits = bench.add("a", 0.0);
    let stop = bench.ticket();
    bench.turn(vec![Input::Stop(stop, StopOptions::default())]);
    assert_eq!(bench.signals(), [(2, Cause::Stop)]);
    assert_eq!(bench.state(back), State::Ready);
    bench.turn(vec![Input::Settle(2, Settlement::Threw(json()))]);
    let effects = bench.turn(vec![Input::Settle(3, Settlement::Returned(None))]);
    assert!(bench::answers(&effects).contains(&stop));
    assert_eq!([bench.state(ended), bench.state(waits)], [State::Aborted, State::Done]);
}

#[test]
fn a_run_that_ignores_a_stops_abort_is_fenced_when_patience_ends() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let stop = bench.ticket();
    let options = StopOptions { on_stop: Some(OnStop::Abort), timeout_ms: Some(10) };
    bench.turn(vec![Input::Stop(stop, options)]);
    let effects = bench.advance(10);
    assert!(bench::answers(&effects).contains(&stop));
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced)]);
    assert!(matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::Stop, _))));
}

#[test]
fn a_start_during_a_stop_takes_effect_after_it() {
    let mut bench = Bench::started(1);
    bench.add("a", 0.0);
    let (stop, start) = (bench.ticket(), bench.ticket());
    let effects = bench.turn(vec![Input::Stop(stop, StopOptions::default()), Input::Start(start)]);
    assert!(bench::answers(&effects).is_empty());
    let next = bench.add("a", 0.0);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert_eq!(bench::answers(&effects), [stop, start]);
    assert!(bench.starts().contains(&next));
}

#[test]
fn a_closing_engine_serves_its_live_runs_and_then_refuses_everything() {
    let mut bench = Bench::started(1);
    bench.add("a", 0.0);
    let (close, add) = (bench.ticket(), bench.ticket());
    bench.turn(vec![Input::Close(close, StopOptions::default())]);
    let added = bench.turn(vec![Input::Add(add, bench::def("a"))]);
    assert_eq!(bench::answers(&added), [add]);
    let effects = bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
    assert!(bench::answers(&effects).contains(&close));
    assert!(matches!(effects.last(), Some(Effect::Closed(None))));
    let refused = bench.turn(vec![Input::Ready(add)]);
    assert!(matches!(&refused[..], [Effect::Refuse(_, e)] if e.code() == Code::Closed));
}

#[test]
fn a_run_that_postpones_itself_waits_again_and_its_attempt_is_not_counted() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let stop = bench.ticket();
    bench.turn(vec![Input::Stop(stop, StopOptions::default())]);
    let threw = Input::Settle(1, Settlement::Threw(json()));
    let effects = bench.turn(vec![Input::Postpone(1), threw]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Postponed(None))]);
    assert_eq!(bench::answers(&effects), [stop]);
    assert_eq!((bench.state(id), bench.get(id).task.attempt), (State::Ready, 0));
}

#[test]
fn a_run_that_postpones_itself_after_its_abort_ends_as_aborted() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    bench.turn(vec![Input::Postpone(1)]);
    assert!(matches!(bench.outcome(id), Some(TaskEnd::Aborted(Cause::User, _))));
}

#[test]
fn a_second_runner_is_refused_until_the_first_is_unassigned() {
    let mut bench = Bench::started(1);
    let assign = |t| Input::Assign(t, "a".into(), None);
    let again = bench.call(assign);
    assert!(matches!(again, Effect::Refuse(_, error) if error.code() == Code::Conflict));
    bench.call(|t| Input::Unassign(t, "a".into()));
    assert!(matches!(bench.call(assign), Effect::Answer(..)));
}

#[test]
fn a_lost_run_follows_on_interrupted_and_the_third_loss_is_poison() {
    let mut bench = Bench::started(10);
    let retried = bench.add("a", 0.0);
    let aborted = bench.add_with("a", |def| def.options.on_interrupted = OnInterrupted::Abort);
    let failed = bench.add_with("a", |def| def.options.on_interrupted = OnInterrupted::Fail);
    for losses in 1..=limits::LOSSES_MAX {
        let effects = bench.crash();
        assert_eq!(effects.len(), if losses == 1 { 2 } else { usize::from(losses == 3) });
        if losses < limits::LOSSES_MAX {
            let task = bench.get(retried).task;
            assert_eq!((task.state, task.attempt), (State::Ready, losses));
            bench.assign("a", None);
            bench.call(Input::Start);
        }
    }
    assert!(matches!(bench.outcome(retried), Some(TaskEnd::Failed(Cause::Poison, _))));
    assert!(matches!(bench.outcome(aborted), Some(TaskEnd::Aborted(Cause::Lost, _))));
    assert!(matches!(bench.outcome(failed), Some(TaskEnd::Failed(Cause::Lost, _))));
    assert_eq!(bench.get(retried).task.attempts.len(), 3);
}

#[test]
fn what_a_runner_said_survives_a_store_that_cannot_write() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.fail_next(Code::Full);
    let add = bench.ticket();
    let effects = bench.turn(vec![
        Input::Settle(1, Settlement::Returned(Some(json()))),
        Input::Add(add, bench::def("a")),
    ]);
    assert!(matches!(&effects[..], [Effect::Refuse(_, e)] if e.code() == Code::Full));
    assert_eq!(bench.state(id), State::Running);
    let effects = bench.advance(100);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Done)]);
    assert_eq!(bench.outcome(id), Some(TaskEnd::Done(Some(json()))));
}

#[test]
fn an_open_fate_is_told_to_all_and_closes_the_handle() {
    let mut bench = Bench::started(1);
    bench.fail_next(Code::Unknown);
    let add = bench.ticket();
    let effects = bench.turn(vec![Input::Add(add, bench::def("a"))]);
    let [Effect::Refuse(_, refused), Effect::Closed(Some(closed))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((refused.code(), closed.code()), (Code::Unknown, Code::Unknown));
    assert_eq!(refused.facts().uuids.len(), 1);
}

#[test]
fn a_run_whose_row_was_taken_is_fenced_and_the_rest_of_the_turn_goes_on() {
    let mut bench = Bench::started(2);
    let (taken, kept) = (bench.add("a", 0.0), bench.add("a", 0.0));
    bench.steal(taken);
    let add = bench.ticket();
    let effects = bench.turn(vec![
        Input::Settle(1, Settlement::Returned(None)),
        Input::Settle(2, Settlement::Returned(None)),
        Input::Add(add, bench::def("z")),
    ]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced), (2, RunEnd::Done)]);
    assert!(bench::answers(&effects).contains(&add));
    assert_eq!(bench.state(kept), State::Done);
    assert_eq!(bench.state(taken), State::Aborted);
}

#[test]
fn a_close_does_not_wait_for_ever_for_a_store_that_cannot_write() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let close = bench.ticket();
    let options = StopOptions { on_stop: None, timeout_ms: Some(10) };
    bench.turn(vec![Input::Close(close, options)]);
    bench.fail_next(Code::Full);
    let effects = bench.advance(10);
    let [Effect::Refuse(ticket, refused), Effect::Closed(Some(_))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*ticket, refused.code()), (close, Code::Full));
    assert_eq!(bench.crash().len(), 0);
    assert_eq!(bench.state(id), State::Ready);
}
