//! Rate limits: how many tasks of an operation start in a time, in all processes together.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::hold::{HeldBy, HoldQuery};
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::patch::Patch;
use tasker_core::rate::RateLimit;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Json, Priority};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, PostponeOptions, Question, Update};

use crate::bench::{self, Bench};

const HOUR: u64 = 3_600_000;
/// What another process waits longer for a token than the one that took the last.
const LATER: u64 = 20;

fn options(rate: &str) -> OperationOptions {
    let rate = RateLimit::read(rate, "rateLimit").unwrap();
    OperationOptions { rate_limit: Some(Arc::new(rate)), ..OperationOptions::default() }
}

fn define(bench: &mut Bench, options: OperationOptions) {
    let answer = bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
}

/// An engine with a runner for operation `a`, which has this rate limit.
fn limited(rate: &str) -> Bench {
    let mut bench = Bench::started(100);
    define(&mut bench, options(rate));
    bench
}

fn add(bench: &mut Bench, count: usize) -> Vec<TaskId> {
    (0..count).map(|_| bench.add("a", 0.0)).collect()
}

/// A task of an account.
fn add_of(bench: &mut Bench, account: &str, priority: f64) -> TaskId {
    bench.add_with("a", |def| {
        def.data = Some(Json::trusted(&format!(r#"{{"account":{account}}}"#)));
        def.priority = Priority::new(priority).unwrap();
    })
}

fn ask(bench: &mut Bench, question: Question) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, question)) {
        Effect::Answer(_, Answer::Json(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn reasons(bench: &mut Bench, id: TaskId) -> Value {
    ask(bench, Question::Task(id))["reasons"].clone()
}

/// In how many milliseconds the engine looks at the clock.
fn next_in(bench: &Bench) -> Option<i64> {
    bench.next_timer().map(|at| at.0 - bench.wall().0)
}

#[test]
fn a_burst_starts_at_once_and_then_one_with_each_token() {
    let mut bench = limited(r#"{"limit":10,"per":1000,"burst":3}"#);
    let ids = add(&mut bench, 6);
    assert_eq!(bench.starts(), ids[..3]);
    assert_eq!(next_in(&bench), Some(100));
    bench.advance(99);
    assert_eq!(bench.starts().len(), 3);
    bench.advance(1);
    assert_eq!(bench.starts(), ids[..4]);
    bench.advance(250);
    assert_eq!(bench.starts(), ids, "two have come meanwhile");
    assert_eq!(next_in(&bench), Some(WallMs(60_000).0 - bench.wall().0 % 60_000), "a sweep alone");
    bench.advance(HOUR);
    assert_eq!(bench.next_timer(), None, "nothing is left to look at");
    let more = add(&mut bench, 5);
    assert_eq!(bench.starts().len(), ids.len() + 3, "no more than a burst is saved up");
    assert_eq!(bench.state(more[3]), State::Ready);
}

#[test]
fn without_a_burst_tasks_start_one_by_one() {
    let mut bench = limited(r#"{"limit":2,"per":"1s"}"#);
    let ids = add(&mut bench, 3);
    assert_eq!(bench.starts(), ids[..1]);
    bench.advance(500);
    assert_eq!(bench.starts(), ids[..2]);
    bench.advance(500);
    assert_eq!(bench.starts(), ids);
}

#[test]
fn nothing_gives_a_token_back() {
    let mut bench = limited(r#"{"limit":1,"per":1000}"#);
    let id = add(&mut bench, 1)[0];
    bench.settle_oldest(Settlement::Snoozed(1));
    bench.advance(10);
    assert_eq!((bench.starts(), bench.state(id)), (vec![id], State::Ready), "a snooze");
    bench.advance(990);
    assert_eq!(bench.starts(), [id, id]);
    let back = PostponeOptions { delay_ms: None, reason: bench::json() };
    bench.call(|ticket| Input::PostponeTask(ticket, id, back));
    assert_eq!(bench.starts(), [id, id], "a postponement");
    bench.advance(1_000);
    assert_eq!(bench.starts().len(), 3);
    bench.crash();
    bench.assign("a", None);
    bench.call(Input::Start);
    assert_eq!(bench.starts().len(), 3, "a loss");
    bench.advance(1_000);
    assert_eq!(bench.starts().len(), 4);
}

#[test]
fn a_token_is_taken_by_a_start_alone() {
    let mut bench = limited(r#"{"limit":1,"per":1000}"#);
    bench.fail_next(Code::Full);
    let ticket = bench.ticket();
    bench.turn(vec![Input::Add(ticket, bench::def("a"))]);
    assert!(bench.starts().is_empty(), "its commit has failed");
    bench.advance(200);
    let ids = add(&mut bench, 2);
    assert_eq!(bench.starts(), ids[..1], "the token is there");
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    bench.advance(5_000);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), false));
    assert_eq!(bench.starts(), ids, "nobody took it while the operation was paused");
}

#[test]
fn every_operation_and_every_value_has_tokens_of_its_own() {
    let mut bench = limited(r#"{"limit":1,"per":1000,"by":"data.account"}"#);
    bench.assign("b", None);
    let first = add_of(&mut bench, r#""x""#, 0.0);
    let second = add_of(&mut bench, r#""x""#, 5.0);
    let other = add_of(&mut bench, r#""y""#, 0.0);
    let absent = bench.add("a", 0.0);
    let null = add_of(&mut bench, "null", 0.0);
    let absent_too = bench.add("a", 0.0);
    let elsewhere = bench.add("b", 0.0);
    assert_eq!(bench.starts(), [first, other, absent, null, elsewhere]);
    bench.advance(1_000);
    assert_eq!(bench.starts()[5..], [second, absent_too]);
}

/// I-7
#[test]
fn the_first_of_a_value_takes_its_token_and_none_of_another_waits_for_it() {
    let mut bench = limited(r#"{"limit":1,"per":1000,"by":"data.account"}"#);
    let mut inputs = Vec::new();
    for (account, priority) in [(1, 0.0), (1, 9.0), (2, 1.0), (1, 5.0), (2, 2.0)] {
        let mut def = bench::def("a");
        def.data = Some(Json::trusted(&format!(r#"{{"account":{account}}}"#)));
        def.priority = bench::priority(priority);
        inputs.push(Input::Add(bench.ticket(), def));
    }
    bench.turn(inputs);
    let started = |bench: &Bench| {
        let data = |id| bench.get(id).task.def.priority.get();
        bench.starts().into_iter().map(data).collect::<Vec<_>>()
    };
    assert_eq!(started(&bench), [9.0, 2.0]);
    bench.advance(1_000);
    assert_eq!(started(&bench), [9.0, 2.0, 5.0, 1.0]);
    bench.advance(1_000);
    assert_eq!(started(&bench)[4..], [0.0]);
}

#[test]
fn a_changed_limit_applies_at_once_and_none_opens() {
    let mut bench = limited(r#"{"limit":1,"per":"1h"}"#);
    let ids = add(&mut bench, 6);
    assert_eq!(bench.starts(), ids[..1]);
    define(&mut bench, options(r#"{"limit":1,"per":"1s"}"#));
    assert_eq!(next_in(&bench), Some(1_000), "an arrival of the old limit is no hour away");
    bench.advance(1_000);
    assert_eq!(bench.starts(), ids[..2]);
    define(&mut bench, options(r#"{"limit":1,"per":"1s","burst":3}"#));
    assert_eq!(bench.starts(), ids[..4], "the burst is there at once");
    define(&mut bench, OperationOptions::default());
    assert_eq!(bench.starts(), ids);
}

#[test]
fn what_waits_is_sorted_by_a_path_that_comes_later() {
    let mut bench = limited(r#"{"limit":1,"per":"1h"}"#);
    let all = [("1", 0.0), ("1", 0.0), ("1", 0.0), ("2", 0.0), ("1", 0.0), ("3", 0.0)];
    let ids = all.map(|(account, priority)| add_of(&mut bench, account, priority));
    assert_eq!(bench.starts(), ids[..1]);
    define(&mut bench, options(r#"{"limit":1,"per":1000,"by":"data.account"}"#));
    assert_eq!(bench.starts(), [ids[0], ids[1], ids[3], ids[5]], "one holds up no other");
    for id in [ids[2], ids[4]] {
        let task = bench.get(id).task;
        assert_eq!(
            (task.state, task.def.data),
            (State::Ready, Some(Json::trusted(r#"{"account":1}"#)))
        );
    }
    let late = add_of(&mut bench, "1", 9.0);
    bench.crash();
    bench.assign("a", None);
    bench.call(Input::Start);
    bench.advance(1_000);
    // Those that the crash has given back stand ahead of what is younger.
    assert_eq!(bench.starts()[4..], [late, ids[3], ids[5]]);
    bench.advance(1_000);
    assert_eq!(bench.starts()[7..], [ids[0]]);
    define(&mut bench, options(r#"{"limit":1,"per":"1h"}"#));
    bench.advance(1_000);
    let next = bench.starts().len();
    define(&mut bench, OperationOptions::default());
    assert_eq!(bench.starts()[next..], [ids[1], ids[2], ids[4]], "whatever lane they are in");
}

#[test]
fn a_task_that_is_changed_takes_the_token_of_its_new_value() {
    let mut bench = limited(r#"{"limit":1,"per":"1h","by":"data.account"}"#);
    let (first, second) = (add_of(&mut bench, "1", 0.0), add_of(&mut bench, "1", 0.0));
    assert_eq!(bench.starts(), [first]);
    let patch = Patch::read(r#"{"data":{"account":2}}"#).unwrap();
    bench.call(|ticket| Input::Update(ticket, second, Update { patch, only_if: None }.into()));
    assert_eq!(bench.starts(), [first, second]);
}

#[test]
fn pauses_holds_conditions_limits_and_rates_hold_together() {
    let mut bench = Bench::started(100);
    let both = OperationOptions {
        concurrency: Some(1),
        ..options(r#"{"limit":1,"per":1000,"burst":2,"by":"data.account"}"#)
    };
    define(&mut bench, both);
    let ids =
        [add_of(&mut bench, "1", 0.0), add_of(&mut bench, "1", 0.0), add_of(&mut bench, "1", 0.0)];
    assert_eq!(bench.starts(), ids[..1], "the limit");
    assert_eq!(reasons(&mut bench, ids[1])[0]["reason"], "limit");
    bench.settle_oldest(Settlement::Returned(None));
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), ids[..2], "the rate");
    let until = bench.wall().plus(5_000);
    let query = HoldQuery::read(r#"{"data.account":1}"#).unwrap();
    let by = HeldBy { pid: 7, task: None };
    bench.call(|ticket| Input::Hold(ticket, query, until, by));
    bench.advance(1_000);
    assert_eq!((bench.starts().len(), bench.state(ids[2])), (2, State::Delayed), "the hold");
    bench.advance(4_000);
    assert_eq!(bench.starts(), ids, "which took no token");
    let alone = r#"[{"scope":"running","query":{"operation":"a"},"limit":0}]"#;
    let conditions = Conditions::read(alone, "concurrency").unwrap();
    let conditioned = bench.add_with("a", |def| {
        def.data = Some(Json::trusted(r#"{"account":1}"#));
        def.options.conditions = conditions.clone();
    });
    assert_eq!(bench.starts().len(), 3);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts()[3..], [conditioned]);
}

/// I-6
#[test]
fn a_restart_neither_saves_up_nor_loses_tokens() {
    let mut bench = limited(r#"{"limit":1,"per":1000,"burst":2}"#);
    let ids = add(&mut bench, 4);
    for _ in 0..3 {
        bench.crash();
        bench.assign("a", None);
        bench.call(Input::Start);
        assert_eq!(bench.starts(), ids[..2]);
    }
    assert_eq!(next_in(&bench), Some(1_000));
    bench.advance(1_000);
    assert_eq!(bench.starts().len(), 3);
}

/// I-6
#[test]
fn two_processes_take_from_the_same_tokens() {
    for rate in [
        r#"{"limit":1,"per":1000,"burst":2}"#,
        r#"{"limit":1,"per":1000,"burst":2,"by":"data.account"}"#,
    ] {
        let mut one = limited(rate);
        let mut two = one.beside(100);
        two.assign("a", None);
        let mut def = bench::def("a");
        def.data = Some(Json::trusted(r#"{"account":1}"#));
        let ticket = one.ticket();
        one.turn(vec![Input::AddMany(ticket, vec![def; 6])]);
        assert_eq!(one.starts().len(), 2, "{rate}");
        two.look();
        assert!(two.starts().is_empty(), "{rate}");
        assert_eq!((next_in(&one), next_in(&two)), (Some(1_000), Some((1_000 + LATER) as i64)));
        // Who took the last token takes the next one, if it can.
        [&mut one, &mut two].into_iter().for_each(|bench| bench.wait(1_000));
        one.turn(Vec::new());
        two.look();
        assert_eq!((one.starts().len(), two.starts().len()), (3, 0), "{rate}");
        assert_eq!(next_in(&two), Some((1_000 + LATER) as i64));
        // It cannot: the other one does, a moment later.
        one.call(|ticket| Input::Unassign(ticket, "a".into()));
        [&mut one, &mut two].into_iter().for_each(|bench| bench.wait(1_000 + LATER));
        two.look();
        assert_eq!((one.starts().len(), two.starts().len()), (3, 1), "{rate}");
        assert_eq!(next_in(&two), Some(1_000 - LATER as i64), "{rate}");
    }
}

/// F-19
#[test]
fn a_clock_that_is_set_back_gives_no_burst_and_no_stall() {
    for rate in [
        r#"{"limit":1,"per":1000,"burst":2}"#,
        r#"{"limit":1,"per":1000,"burst":2,"by":"data.account"}"#,
    ] {
        let mut bench = limited(rate);
        let ids: Vec<TaskId> = (0..6).map(|_| add_of(&mut bench, "1", 0.0)).collect();
        assert_eq!(bench.starts(), ids[..2], "{rate}");
        bench.set_back(HOUR as i64);
        bench.turn(Vec::new());
        assert_eq!(bench.starts(), ids[..2], "{rate}: no burst");
        assert_eq!(next_in(&bench), Some(1_000), "{rate}: no stall");
        // Each turn looks at it anew, and puts it off no further.
        bench.advance(400);
        bench.advance(400);
        assert_eq!(next_in(&bench), Some(200), "{rate}");
        bench.advance(200);
        assert_eq!(bench.starts(), ids[..3], "{rate}");
        bench.wait(HOUR);
        bench.turn(Vec::new());
        assert_eq!(bench.starts(), ids[..5], "{rate}: set forward, one burst more");
    }
}

#[test]
fn what_waits_for_a_token_says_so_with_its_numbers() {
    let mut bench = limited(r#"{"limit":2,"per":1000,"burst":2}"#);
    let ids = add(&mut bench, 5);
    let next_at = bench.wall().0 + 500;
    let rate = |ahead: u32| {
        json!([{
            "reason": "rate-limit", "operation": "a", "limit": 2, "per": 1_000, "burst": 2,
            "nextAt": next_at, "ahead": ahead, "isCapped": false,
        }])
    };
    assert_eq!(reasons(&mut bench, ids[2]), rate(0));
    assert_eq!(reasons(&mut bench, ids[4]), rate(2));
    let all = ask(&mut bench, Question::Operation("a".into()));
    assert_eq!(all["reasons"], rate(3));
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    bench.advance(500);
    let words = |reasons: Value| {
        let all = reasons.as_array().unwrap().iter();
        all.map(|one| one["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(reasons(&mut bench, ids[2])), ["paused"], "there is a token");
    assert_eq!(words(reasons(&mut bench, ids[3])), ["rate-limit", "paused"], "which another takes");
}

#[test]
fn what_waits_for_a_token_of_its_value_says_which() {
    let mut bench = limited(r#"{"limit":1,"per":1000,"by":"data.account"}"#);
    let ids: Vec<TaskId> = ["1", "1", "\"x\"", "\"x\"", "1"]
        .into_iter()
        .map(|account| add_of(&mut bench, account, 0.0))
        .collect();
    let next_at = bench.wall().0 + 1_000;
    let rate = |key: Value, ahead: u32| {
        json!([{
            "reason": "rate-limit", "operation": "a", "limit": 1, "per": 1_000, "burst": 1,
            "by": "data.account", "key": key, "nextAt": next_at, "ahead": ahead, "isCapped": false,
        }])
    };
    assert_eq!(reasons(&mut bench, ids[1]), rate(json!(1), 0));
    assert_eq!(reasons(&mut bench, ids[4]), rate(json!(1), 1));
    assert_eq!(reasons(&mut bench, ids[3]), rate(json!("x"), 0));
    let all = ask(&mut bench, Question::Operation("a".into()));
    assert_eq!((&all["reasons"], &all["rated"]), (&json!([]), &json!(3)));
    let absent = (0..2).map(|_| bench.add("a", 0.0)).collect::<Vec<_>>()[1];
    assert_eq!(reasons(&mut bench, absent)[0].get("key"), None);
}

/// C of the model: a task that waits for a token stands ahead all the same.
#[test]
fn what_waits_for_a_token_is_counted_by_those_behind() {
    let mut bench = limited(r#"{"limit":1,"per":"1h"}"#);
    bench.assign("b", None);
    let ids = add(&mut bench, 2);
    let none_ahead = r#"[{"scope":"before-queued","query":{"operation":"a"},"limit":0}]"#;
    let conditions = Conditions::read(none_ahead, "concurrency").unwrap();
    let behind = bench.add_with("b", |def| def.options.conditions = conditions.clone());
    assert_eq!(bench.starts(), ids[..1]);
    define(&mut bench, OperationOptions::default());
    assert_eq!(bench.starts(), [ids[0], ids[1], behind]);
}

#[test]
fn gates_that_rest_are_forgotten() {
    let mut bench = limited(r#"{"limit":1,"per":100,"by":"data.account"}"#);
    for account in 0..2_000 {
        add_of(&mut bench, &account.to_string(), 0.0);
        if bench.running_of("a") == 100 {
            while bench.running_of("a") > 0 {
                bench.settle_oldest(Settlement::Returned(None));
            }
        }
    }
    assert_eq!((bench.starts().len(), bench.gates()), (2_000, 2_000));
    bench.advance(HOUR);
    assert_eq!((bench.gates(), bench.next_timer()), (0, None));
}

#[test]
fn what_is_attached_is_not_taken_with_a_limit_by_value_yet() {
    let mut bench = limited(r#"{"limit":1,"per":100,"by":"data.account"}"#);
    let ticket = bench.ticket();
    let mut def = bench::def("a");
    def.is_attached = true;
    let effects = bench.turn(vec![Input::Add(ticket, def)]);
    let Some(Effect::Refuse(_, error)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((error.code(), error.facts().path.as_deref()), (Code::Unsupported, Some("attach")));
}
