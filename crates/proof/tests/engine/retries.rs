//! Tasks that are tried again: by their policy after a run, and by hand after their end.

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{AttemptEnd, Cause, Level, OnStop, TaskEnd};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect, RemoteEvent, RunEnd, TaskEvent};
use tasker_engine::input::{Input, Record, RemoteFilter, RetryOptions, StopOptions, Subscription};

use crate::bench::{self, Bench, json, reason};

const ON_BOTH: &str = r#"{"attempts":3,"on":["error","timeout"]}"#;
const PAUSED: &str = r#"{"attempts":3,"backoff":{"type":"exponential","delay":1000}}"#;

fn add(bench: &mut Bench, policy: &str) -> TaskId {
    let policy = retry::read(policy, "retry").unwrap();
    bench.add_with("a", |def| def.options.retry = Some(policy.into()))
}

fn threw() -> Settlement {
    Settlement::Threw(json())
}

fn retry(bench: &mut Bench, id: TaskId, options: RetryOptions) -> bool {
    match bench.call(|ticket| Input::Retry(ticket, id, options)) {
        Effect::Answer(_, Answer::Flag(does)) => does,
        other => panic!("{other:?}"),
    }
}

fn ends(bench: &Bench, id: TaskId) -> Vec<Option<AttemptEnd>> {
    bench.get(id).task.attempts.iter().map(|attempt| attempt.end).collect()
}

#[test]
fn a_task_without_a_pause_is_tried_again_in_the_same_commit_until_its_attempts_are_used_up() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, "3");
    for _ in 0..2 {
        let before = bench.batches();
        bench.settle_oldest(threw());
        assert_eq!((bench.state(id), bench.batches()), (State::Running, before + 1));
    }
    bench.settle_oldest(threw());
    assert_eq!((bench.state(id), bench.starts()), (State::Failed, vec![id; 3]));
    assert_eq!(ends(&bench, id), [Some(AttemptEnd::Failed); 3]);
    assert_eq!(bench.outcome(id), Some(TaskEnd::Failed(Cause::Error, json())));
}

#[test]
fn a_pause_is_kept_to_the_millisecond_and_outlives_the_process() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, PAUSED);
    bench.settle_oldest(threw());
    assert_eq!((bench.state(id), bench.wait_ms()), (State::Delayed, None));
    assert_eq!(bench.next_timer(), Some(WallMs(bench.wall().0 + 1_000)));
    bench.advance(999);
    assert_eq!(bench.starts().len(), 1, "a millisecond too early");
    bench.crash();
    bench.call(Input::Start);
    bench.assign("a", None);
    bench.advance(1);
    assert_eq!(bench.starts().len(), 2);
    bench.settle_oldest(threw());
    bench.advance(1_999);
    assert_eq!(bench.state(id), State::Delayed, "the second pause is twice as long");
    bench.advance(1);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!((bench.state(id), bench.get(id).task.attempt), (State::Done, 3));
}

#[test]
fn only_failures_are_counted_and_losses_have_a_budget_of_their_own() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, "2");
    for _ in 0..limits::LOSSES_MAX - 1 {
        bench.crash();
        bench.call(Input::Start);
        bench.assign("a", None);
    }
    bench.settle_oldest(threw());
    for _ in 0..limits::LOSSES_MAX - 1 {
        bench.crash();
        bench.call(Input::Start);
        bench.assign("a", None);
    }
    assert_eq!(bench.state(id), State::Running, "a failure begins the losses anew");
    bench.settle_oldest(threw());
    assert_eq!(bench.outcome(id), Some(TaskEnd::Failed(Cause::Error, json())));
    let task = bench.get(id).task;
    assert_eq!((task.attempt, task.attempts.len()), (6, 6));
}

#[test]
fn waiters_wait_through_the_attempts_and_get_the_last_error() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, "2");
    let ticket = bench.ticket();
    bench.turn(vec![Input::AwaitEnd(ticket, id)]);
    let told = bench.turn(vec![Input::Settle(1, threw())]);
    assert!(bench::answers(&told).is_empty() && !has_end(&told), "{told:?}");
    let last = TaskEnd::Failed(Cause::Error, tasker_core::task::Json::trusted("{\"n\":2}"));
    let thrown = Settlement::Threw(tasker_core::task::Json::trusted("{\"n\":2}"));
    let told = bench.turn(vec![Input::Settle(2, thrown)]);
    let answer = told.iter().find_map(|effect| match effect {
        Effect::Answer(_, Answer::Ended(end)) => Some(end.clone()),
        _ => None,
    });
    assert_eq!(answer, Some(last));
}

fn has_end(told: &[Effect]) -> bool {
    told.iter().any(|effect| matches!(effect, Effect::TaskEnded(..)))
}

#[test]
fn a_timeout_is_retried_after_its_grace_and_the_run_has_no_say_any_more() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| {
        def.options.retry = Some(retry::read(ON_BOTH, "retry").unwrap().into());
        def.options.run_timeout_ms = Some(10);
    });
    bench.advance(10);
    assert_eq!(bench.signals(), [(1, Cause::RunTimeout)]);
    let told = bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
    let [(1, RunEnd::Retrying(at, Some(_)))] = *bench::over(&told).as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((at, bench.starts()), (bench.wall(), vec![id, id]));
    assert!(bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]).is_empty());
    // The second one throws after its signal: that is a timeout as well.
    bench.advance(10);
    bench.settle_oldest(threw());
    bench.advance(10);
    bench.settle_oldest(threw());
    let outcome = bench.outcome(id).unwrap();
    assert_eq!((outcome.state(), outcome.cause()), (State::Aborted, Some(Cause::RunTimeout)));
    assert_eq!(ends(&bench, id), [Some(AttemptEnd::Aborted); 3]);
}

#[test]
fn a_timeout_is_final_unless_the_policy_says_otherwise() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| {
        def.options.retry = Some(retry::read("3", "retry").unwrap().into());
        def.options.run_timeout_ms = Some(10);
    });
    bench.advance(10);
    bench.settle_oldest(threw());
    assert_eq!(bench.outcome(id).unwrap().cause(), Some(Cause::RunTimeout));
}

/// Whoever has aborted a task sees it end, also if a timeout had fired the signal before.
#[test]
fn what_somebody_has_aborted_is_not_tried_again() {
    for settles in [true, false] {
        let mut bench = Bench::started(1);
        let id = bench.add_with("a", |def| {
            def.options.retry = Some(retry::read(ON_BOTH, "retry").unwrap().into());
            def.options.run_timeout_ms = Some(10);
        });
        bench.advance(10);
        bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
        if settles {
            bench.settle_oldest(threw());
        } else {
            bench.advance(limits::RUN_TIMEOUT_GRACE_MS);
        }
        assert_eq!(bench.state(id), State::Aborted);
    }
}

#[test]
fn a_neighbour_that_aborts_a_task_after_its_timeout_sees_it_end() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let id = one.add_with("a", |def| {
        def.options.retry = Some(retry::read(ON_BOTH, "retry").unwrap().into());
        def.options.run_timeout_ms = Some(10);
    });
    one.advance(10);
    two.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    one.settle_oldest(threw());
    assert_eq!(one.state(id), State::Aborted);
    assert_eq!(one.signals(), [(1, Cause::RunTimeout)], "a signal fires once");
}

#[test]
fn what_no_attempt_can_mend_is_final() {
    for settlement in [Settlement::Unrecoverable(json()), Settlement::Unstorable(json())] {
        let mut bench = Bench::started(1);
        let id = add(&mut bench, "3");
        bench.settle_oldest(settlement);
        assert_eq!((bench.state(id), bench.starts().len()), (State::Failed, 1));
    }
}

#[test]
fn a_snoozed_task_goes_on_later_however_often_and_its_attempt_is_not_counted() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    for _ in 0..5 {
        let told = bench.turn(vec![]);
        assert!(told.is_empty());
        bench.settle_oldest(Settlement::Snoozed(70));
        assert_eq!(bench.state(id), State::Delayed);
        bench.advance(70);
        assert_eq!(bench.get(id).task.attempt, 1);
    }
    bench.settle_oldest(Settlement::Returned(None));
    let task = bench.get(id).task;
    assert_eq!((task.state, task.attempt, task.attempts.len()), (State::Done, 1, 6));
}

#[test]
fn a_runner_may_choose_the_pause_of_its_failure() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, PAUSED);
    bench.settle_oldest(Settlement::RetryLater(json(), 7));
    assert_eq!(bench.next_timer(), Some(WallMs(bench.wall().0 + 7)));
    bench.advance(7);
    bench.settle_oldest(Settlement::RetryLater(json(), 7));
    bench.advance(7);
    bench.settle_oldest(Settlement::RetryLater(json(), 7));
    assert_eq!(bench.state(id), State::Failed, "it has failed three times");
}

#[test]
fn a_task_keeps_its_place_when_it_is_tried_again() {
    let mut bench = Bench::started(1);
    let first = add(&mut bench, "2");
    let (second, urgent) = (bench.add("a", 0.0), bench.add("a", 1.0));
    bench.settle_oldest(threw());
    bench.settle_oldest(Settlement::Returned(None));
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), [first, urgent, first, second]);
}

#[test]
fn the_logs_of_all_attempts_are_kept_in_order() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, "3");
    for slot in 1..=3 {
        let line = |text: &str| {
            let (level, at, fields) = (Level::Info, None, None);
            Input::Record(slot, Record::Log { level, at, message: text.into(), fields })
        };
        bench.turn(vec![line("one"), line("two"), Input::Settle(slot, threw())]);
    }
    let lines: Vec<_> = bench.get(id).logs.unwrap();
    let numbers: Vec<_> = lines.iter().map(|line| (line.n, line.attempt)).collect();
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)]);
}

#[test]
fn a_delayed_attempt_is_aborted_at_once_and_keeps_its_error() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, PAUSED);
    bench.settle_oldest(threw());
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    let task = bench.get(id).task;
    assert_eq!((task.state, task.outcome.unwrap().cause()), (State::Aborted, Some(Cause::User)));
    assert_eq!(task.attempts[0].error.as_ref().unwrap().cause, Cause::Error);
    bench.advance(5_000);
    assert_eq!(bench.starts().len(), 1);
}

#[test]
fn a_stop_gives_back_what_is_live_and_no_failure_is_forgotten() {
    let mut bench = Bench::started(1);
    let id = add(&mut bench, "2");
    bench.settle_oldest(threw());
    let options = StopOptions { on_stop: Some(OnStop::Postpone), timeout_ms: None };
    bench.call(|ticket| Input::Stop(ticket, options));
    assert_eq!(bench.state(id), State::Ready);
    bench.call(Input::Start);
    bench.settle_oldest(threw());
    assert_eq!(bench.state(id), State::Failed);
}

#[test]
fn a_commit_that_fails_is_tried_again_and_the_failure_counts_once() {
    for code in [Code::Full, Code::Busy] {
        let mut bench = Bench::started(1);
        let id = add(&mut bench, PAUSED);
        bench.fail_next(code);
        bench.settle_oldest(threw());
        assert_eq!(bench.state(id), State::Running);
        bench.advance(100);
        assert_eq!((bench.state(id), ends(&bench, id).len()), (State::Delayed, 1));
        let run_at = bench.get(id).task.def.options.run_at();
        assert_eq!(run_at, Some(WallMs(bench.wall().0 + 1_000)), "from the commit on");
    }
}

#[test]
fn an_ended_task_runs_again_by_hand_and_whoever_waits_then_waits_for_the_new_end() {
    for settlement in [Settlement::Returned(None), threw()] {
        let mut bench = Bench::started(1);
        let id = add(&mut bench, "1");
        assert!(!retry(&mut bench, id, RetryOptions::default()), "it has not ended");
        bench.settle_oldest(settlement);
        assert!(retry(&mut bench, id, RetryOptions::default()));
        assert_eq!((bench.state(id), bench.starts().len()), (State::Running, 2));
        let ticket = bench.ticket();
        let told = bench.turn(vec![Input::AwaitEnd(ticket, id)]);
        assert!(told.is_empty(), "{told:?}");
        let told = bench.turn(vec![Input::Settle(2, Settlement::Returned(Some(json())))]);
        assert_eq!(bench::answers(&told), [ticket]);
        assert_eq!(bench.outcome(id), Some(TaskEnd::Done(Some(json()))));
        assert_eq!(bench.get(id).task.attempt, 2);
    }
}

#[test]
fn a_task_that_runs_again_may_get_a_pause_and_a_priority() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.settle_oldest(threw());
    let options = RetryOptions { delay_ms: Some(70), priority: Some(bench::priority(9.0)) };
    assert!(retry(&mut bench, id, options));
    let def = bench.get(id).task.def;
    assert_eq!((bench.state(id), def.priority.get()), (State::Delayed, 9.0));
    assert_eq!(bench.next_timer(), Some(WallMs(bench.wall().0 + 70)));
    // The timer of an earlier pause wakes nothing early.
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    retry(&mut bench, id, RetryOptions { delay_ms: Some(500), priority: None });
    bench.advance(70);
    assert_eq!((bench.state(id), bench.starts().len()), (State::Delayed, 1));
    bench.advance(430);
    assert_eq!((bench.state(id), bench.starts().len()), (State::Running, 2));
}

#[test]
fn calls_in_one_turn_meet_each_other_as_if_they_came_one_after_the_other() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let again = RetryOptions::default();
    let tickets: Vec<_> = (0..6).map(|_| bench.ticket()).collect();
    let line = Record::Log { level: Level::Info, at: None, message: "one".into(), fields: None };
    let told = bench.turn(vec![
        Input::Record(1, line),
        Input::Settle(1, threw()),
        Input::Retry(tickets[0], id, again),
        Input::Retry(tickets[1], id, again),
        Input::Prioritize(tickets[2], id, bench::priority(3.0)),
        Input::Abort(tickets[3], id, reason(Cause::User)),
        Input::Retry(tickets[4], id, again),
        Input::AwaitEnd(tickets[5], id),
    ]);
    let flags: Vec<bool> = told.iter().filter_map(flag).collect();
    assert_eq!(flags, [true, false, true, true, true]);
    let news: Vec<_> = told.iter().filter_map(news).collect();
    assert_eq!(news, ["run ended", "retrying", "ended", "retrying"]);
    assert!(!bench::answers(&told).contains(&tickets[5]) || bench.state(id) == State::Running);
    assert_eq!((bench.state(id), bench.starts().len()), (State::Running, 2));
    let line = Record::Log { level: Level::Info, at: None, message: "two".into(), fields: None };
    bench.turn(vec![Input::Record(2, line), Input::Settle(2, Settlement::Returned(None))]);
    assert_eq!(bench.get(id).logs.unwrap().len(), 2);
}

#[test]
fn a_snoozed_attempt_is_not_counted_by_a_retry_by_hand_in_its_turn() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let tickets = [bench.ticket(), bench.ticket()];
    bench.turn(vec![
        Input::Settle(1, Settlement::Snoozed(70)),
        Input::Abort(tickets[0], id, reason(Cause::User)),
        Input::Retry(tickets[1], id, RetryOptions::default()),
    ]);
    assert_eq!((bench.state(id), bench.get(id).task.attempt), (State::Running, 1));
}

fn flag(effect: &Effect) -> Option<bool> {
    match effect {
        Effect::Answer(_, Answer::Flag(flag)) => Some(*flag),
        _ => None,
    }
}

fn news(effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::RunEnded(..) => Some("run ended"),
        Effect::TaskEnded(..) => Some("ended"),
        Effect::Retrying(..) => Some("retrying"),
        _ => None,
    }
}

#[test]
fn a_neighbour_hears_of_each_retry_with_its_error_and_its_time() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let subscription = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
    two.call(|ticket| Input::Subscribe(ticket, subscription));
    let id = add(&mut one, PAUSED);
    one.settle_oldest(threw());
    let told = two.look();
    let heard: Vec<_> = told.iter().filter_map(retrying).collect();
    assert_eq!(heard, [(id, WallMs(one.wall().0 + 1_000), Some(json()))]);
    // It runs the next attempt, if the first one has no runner by then.
    one.die();
    two.assign("a", None);
    two.advance(1_000);
    assert_eq!(two.starts(), [id]);
    two.settle_oldest(threw());
    two.advance(2_000);
    two.settle_oldest(threw());
    assert_eq!(two.state(id), State::Failed, "the failures before are counted");
}

fn retrying(effect: &Effect) -> Option<(TaskId, WallMs, Option<tasker_core::task::Json>)> {
    match effect {
        Effect::Remote(_, RemoteEvent::Task(id, TaskEvent::Retrying(at, error))) => {
            Some((*id, *at, error.clone()))
        }
        _ => None,
    }
}
