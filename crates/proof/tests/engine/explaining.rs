//! Why a task does not run, as the engine says it.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::condition::Conditions;
use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::task::{Json, StartTime};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, PostponeOptions, Question, StopOptions};
use tasker_engine::turn::Next;
use tasker_proof::faulty_store::Call;

use crate::bench::{Bench, unknown_task};

const HOUR_MS: u64 = 3_600_000;

fn ask(bench: &mut Bench, question: Question) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, question)) {
        Effect::Answer(_, Answer::Json(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn explain(bench: &mut Bench, id: TaskId) -> Value {
    ask(bench, Question::Task(id))
}

/// What holds a task back.
fn obstacles(bench: &mut Bench, id: TaskId) -> Vec<Value> {
    let explained = explain(bench, id);
    let all = explained["reasons"].as_array().unwrap().clone();
    assert_eq!(explained["runnable"], json!(all.is_empty()), "{explained}");
    all
}

/// The same in words alone.
fn words(bench: &mut Bench, id: TaskId) -> Vec<String> {
    let all = obstacles(bench, id);
    all.iter().map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
}

fn unserved(bench: &mut Bench, names: &[&str], of_all: bool) -> Value {
    let names = names.iter().map(|name| (*name).into()).collect();
    ask(bench, Question::Unserved { names, of_all })
}

fn add_later(bench: &mut Bench) -> TaskId {
    bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(HOUR_MS)))
}

fn add_after(bench: &mut Bench, operation: &str, on: &[TaskId]) -> TaskId {
    let on = on.iter().copied().map(Dependency::Task).collect();
    let all = Dependencies { on, on_failure: OnFailure::Abort, is_list: true };
    bench.add_with(operation, |def| def.options.depends_on = Some(Arc::new(all)))
}

#[test]
fn a_task_that_runs_or_has_ended_is_held_back_by_nothing() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let running = explain(&mut bench, id);
    assert_eq!(running["uuid"], id.0.to_string());
    assert_eq!((&running["operation"], &running["state"]), (&json!("a"), &json!("running")));
    assert_eq!((&running["status"], &running["runnable"]), (&json!("running"), &json!(false)));
    assert_eq!((&running["reasons"], &running["ended"]), (&json!([]), &Value::Null));
    let error = Json::trusted(r#"{"name":"TypeError","message":"x"}"#);
    bench.settle_oldest(Settlement::Threw(error));
    let failed = explain(&mut bench, id);
    assert_eq!((&failed["state"], &failed["reasons"]), (&json!("failed"), &json!([])));
    let ended = json!({ "at": bench.wall().0, "cause": "error", "error": "TypeError" });
    assert_eq!((&failed["ended"], &failed["runnable"]), (&ended, &json!(false)));
    let id = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(explain(&mut bench, id)["ended"], json!({ "at": bench.wall().0 }));
}

#[test]
fn an_unknown_task_is_not_found() {
    let mut bench = Bench::started(1);
    let answer = bench.call(|ticket| Input::Ask(ticket, Question::Task(unknown_task())));
    assert!(matches!(answer, Effect::Refuse(_, error) if error.code() == Code::NotFound));
}

#[test]
fn a_start_time_says_when_it_comes_and_why_it_lies_ahead() {
    let mut bench = Bench::started(1);
    let id = add_later(&mut bench);
    let until = bench.wall().0 + HOUR_MS as i64;
    let expected = json!([{ "reason": "start-time", "until": until, "cause": "own" }]);
    assert_eq!(json!(obstacles(&mut bench, id)), expected);

    let policy = r#"{"attempts":2,"backoff":{"type":"fixed","delay":500}}"#;
    let policy = retry::read(policy, "retry").unwrap();
    let failing = bench.add_with("a", |def| def.options.retry = Some(policy.into()));
    bench.settle_oldest(Settlement::Threw(crate::bench::json()));
    let until = bench.wall().0 + 500;
    let expected = json!([{ "reason": "start-time", "until": until, "cause": "retry" }]);
    assert_eq!(json!(obstacles(&mut bench, failing)), expected);

    let snoozing = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Snoozed(700));
    assert_eq!(obstacles(&mut bench, snoozing)[0]["cause"], "snooze");

    let postponed = bench.add("a", 0.0);
    let options = PostponeOptions { delay_ms: Some(900), reason: crate::bench::json() };
    bench.call(|ticket| Input::PostponeTask(ticket, postponed, options));
    assert_eq!(obstacles(&mut bench, postponed)[0]["cause"], "postponed");
}

#[test]
fn a_dependency_is_named_until_it_has_ended() {
    let mut bench = Bench::started(1);
    let on = [bench.add("a", 0.0), bench.add("b", 0.0)];
    let id = add_after(&mut bench, "a", &on);
    let uuids = on.map(|id| id.0.to_string());
    let dependency = json!({ "reason": "dependency", "count": 2, "uuids": uuids });
    let place = json!({ "reason": "place", "limit": 1, "running": 1 });
    assert_eq!(json!(obstacles(&mut bench, id)), json!([dependency, place]));
    bench.settle_oldest(Settlement::Returned(None));
    let dependency = json!({ "reason": "dependency", "count": 1, "uuids": [uuids[1]] });
    assert_eq!(json!(obstacles(&mut bench, id)), json!([dependency]));
}

#[test]
fn a_pause_is_named_with_what_is_paused_and_since_when() {
    let mut bench = Bench::started(2);
    let id = add_later(&mut bench);
    bench.call(|ticket| Input::Pause(ticket, id));
    let since = bench.wall().0;
    bench.wait(1_000);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    let all = obstacles(&mut bench, id);
    let until = bench.wall().0 + HOUR_MS as i64;
    let expected = json!([
        { "reason": "start-time", "until": until, "cause": "own" },
        { "reason": "paused", "what": "task", "since": since },
        { "reason": "paused", "what": "operation", "operation": "a", "since": since + 1_000 },
    ]);
    assert_eq!(json!(all), expected, "what is left of a delay stands still");
}

#[test]
fn a_run_that_halts_is_paused_until_it_goes_on() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    bench.call(|ticket| Input::Pause(ticket, id));
    assert_eq!(explain(&mut bench, id)["isPausing"], true);
    let slot = bench.memory().live.in_order()[0].slot;
    bench.turn(vec![Input::Halt(slot)]);
    let halted = explain(&mut bench, id);
    assert_eq!((&halted["state"], &halted["status"]), (&json!("paused"), &json!("running")));
    assert_eq!(halted["reasons"], json!([{ "reason": "paused", "what": "task" }]));
    bench.add("a", 0.0);
    bench.call(|ticket| Input::Resume(ticket, id));
    assert_eq!(words(&mut bench, id), ["place"]);
    let other = bench.memory().live.in_order()[1].slot;
    bench.turn(vec![Input::Settle(other, Settlement::Returned(None))]);
    assert_eq!(explain(&mut bench, id)["state"], "running");
}

#[test]
fn a_runner_is_missing_as_long_as_no_process_has_one_and_is_started() {
    let mut one = Bench::started(1);
    let mut two = Bench::on(one.disk(), 1);
    let id = one.add("b", 0.0);
    assert_eq!(
        json!(obstacles(&mut one, id)),
        json!([{ "reason": "no-runner", "operation": "b" }])
    );
    two.assign("b", None);
    assert_eq!(words(&mut one, id), ["no-runner"], "it is not started");
    two.call(|ticket| Input::PauseOperation(ticket, "b".into(), true));
    two.call(Input::Start);
    assert_eq!(words(&mut one, id), ["paused"]);
    two.call(|ticket| Input::Stop(ticket, StopOptions::default()));
    assert_eq!(words(&mut one, id), ["paused", "no-runner"]);
    two.call(Input::Start);
    two.die();
    let all = words(&mut one, id);
    assert_eq!(all, ["paused", "no-runner"], "who is dead is found dead before it is said");
}

#[test]
fn a_task_that_another_process_is_going_to_start_is_runnable() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    two.assign("b", None);
    let id = one.add("b", 0.0);
    assert!(words(&mut one, id).is_empty());
    two.look();
    assert_eq!(two.starts(), [id]);
    assert_eq!(explain(&mut one, id)["state"], "running");
}

#[test]
fn a_limit_names_those_who_run_in_whatever_process() {
    let mut one = Bench::started(9);
    one.assign("b", Some(2));
    let mut two = one.beside(9);
    two.assign("b", Some(2));
    let runs = [one.add("b", 0.0), two.add("b", 0.0)];
    let waits = [one.add("b", 0.0), one.add("b", 1.0), one.add("b", 0.0)];
    let uuids = runs.map(|id| id.0.to_string());
    let limit = json!({
        "reason": "limit", "operation": "b", "limit": 2, "running": 2, "uuids": uuids,
    });
    assert_eq!(json!(obstacles(&mut one, waits[1])), json!([limit]), "it is the first");
    let order = json!({ "reason": "order", "ahead": 2, "isCapped": false });
    for bench in [&mut one, &mut two] {
        assert_eq!(json!(obstacles(bench, waits[2])), json!([limit, order]));
    }
}

#[test]
fn the_places_of_a_process_hold_back_what_it_alone_would_start() {
    let mut one = Bench::started(1);
    let (runs, waits) = (one.add("a", 0.0), [one.add("a", 0.0), one.add("a", 0.0)]);
    let place = json!({ "reason": "place", "limit": 1, "running": 1 });
    assert_eq!(json!(obstacles(&mut one, waits[0])), json!([place]));
    let order = json!({ "reason": "order", "ahead": 1, "isCapped": false });
    assert_eq!(json!(obstacles(&mut one, waits[1])), json!([order, place]));
    let mut two = one.beside(1);
    two.assign("a", None);
    assert_eq!(one.starts(), [runs]);
    assert_eq!(two.starts(), [waits[0]]);
    assert!(words(&mut one, waits[1]).is_empty(), "somebody else may have a place");
}

/// Adds a task that runs beside so many others of an operation.
fn add_beside(bench: &mut Bench, operation: &str, of: &str, limit: i64) -> TaskId {
    let condition =
        format!(r#"[{{"scope":"running","query":{{"operation":"{of}"}},"limit":{limit}}}]"#);
    bench.add_with(operation, |def| {
        def.options.conditions = Conditions::read(&condition, "concurrency").unwrap();
    })
}

#[test]
fn a_task_behind_one_that_a_condition_holds_back_is_not_held_by_order() {
    let mut one = Bench::started(9);
    one.assign("b", Some(1));
    let mut two = one.beside(9);
    let run = one.add("a", 0.0);
    let since = one.wall().0;
    one.wait(5);
    let held = [add_beside(&mut one, "b", "a", 0), add_beside(&mut one, "b", "a", 0)];
    let first = one.add("b", 0.0);
    assert_eq!(one.starts(), [run, first]);
    let waits = one.add("b", 0.0);
    for bench in [&mut one, &mut two] {
        assert_eq!(words(bench, waits), ["limit"]);
        for id in held {
            assert_eq!(words(bench, id), ["condition", "limit"]);
        }
        let condition = json!({
            "reason": "condition", "scope": "running", "query": { "operation": "a" }, "limit": 0,
            "count": 1, "uuids": [run.0.to_string()], "since": [since],
        });
        assert_eq!(obstacles(bench, held[1])[0], condition);
        assert_eq!(ask(bench, Question::Operation("b".into()))["held"], 2);
    }
    one.settle_oldest(Settlement::Returned(None));
    for bench in [&mut one, &mut two] {
        assert_eq!(words(bench, held[0]), ["limit"]);
        assert_eq!(words(bench, waits), ["limit", "order"]);
        assert_eq!(ask(bench, Question::Operation("b".into()))["held"], 0);
    }
}

#[test]
fn a_negative_limit_is_named_and_what_it_holds_back_is_known_to_have_no_runner() {
    let mut bench = Bench::started(9);
    let id = add_beside(&mut bench, "a", "b", -1);
    let all = obstacles(&mut bench, id);
    assert_eq!((&all[0]["limit"], &all[0]["count"]), (&json!(-1), &json!(0)));
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    assert_eq!(words(&mut bench, id), ["condition", "no-runner"]);
    assert_eq!(unserved(&mut bench, &[], true), json!(["a"]));
}

/// What stands behind the window of a lane is counted in the store, up to a bound.
#[test]
fn those_who_stand_ahead_are_counted_as_far_as_it_matters() {
    let mut bench = Bench::started(1);
    bench.add("a", 9.0);
    let adds: Vec<_> = (0..1_200).map(|_| crate::bench::def("a")).collect();
    bench.call(|ticket| Input::AddMany(ticket, adds));
    bench.crash();
    bench.assign("a", None);
    let last = bench.add("a", -1.0);
    bench.call(Input::Start);
    let order = json!({ "reason": "order", "ahead": 1_000, "isCapped": true });
    assert_eq!(obstacles(&mut bench, last)[0], order);
}

#[test]
fn the_death_of_the_only_process_that_ran_a_task_is_known_before_it_is_explained() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    two.assign("a", None);
    let id = one.add("a", 0.0);
    two.look();
    assert_eq!(two.starts(), [id]);
    two.die();
    let lost = explain(&mut one, id);
    assert_eq!(
        (&lost["state"], &lost["reasons"][0]["reason"]),
        (&json!("ready"), &json!("no-runner"))
    );
}

#[test]
fn the_reasons_of_an_operation_are_those_of_its_ready_tasks() {
    let mut bench = Bench::started(1);
    bench.add("a", 0.0);
    let of = |bench: &mut Bench, name: &str| ask(bench, Question::Operation(name.into()));
    assert_eq!(of(&mut bench, "a")["reasons"][0]["reason"], "place");
    let nobody = json!([{ "reason": "no-runner", "operation": "nobody" }]);
    assert_eq!(of(&mut bench, "nobody")["reasons"], nobody);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(of(&mut bench, "a"), json!({ "reasons": [], "held": 0, "rated": 0, "guarded": 0 }));
}

#[test]
fn what_nobody_starts_is_known_over_all_processes() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    two.assign("c", None);
    let ids = ["a", "b", "c", "d"].map(|operation| one.add(operation, 0.0));
    add_after(&mut one, "e", &ids[1..2]);
    one.call(|ticket| Input::PauseOperation(ticket, "d".into(), true));
    assert_eq!(unserved(&mut one, &[], false), json!([]));
    assert_eq!(unserved(&mut one, &["a", "c", "d", "x"], false), json!(["x"]));
    assert_eq!(unserved(&mut one, &["x"], true), json!(["x", "b"]));
    two.die();
    assert_eq!(unserved(&mut one, &["c"], false), json!(["c"]));
}

/// Nobody is left without an answer.
#[test]
fn an_answer_that_cannot_be_read_refuses_the_question_and_no_other_call() {
    let mut bench = Bench::started(1);
    let waits = [bench.add("b", 0.0), bench.add("b", 0.0)];
    for call in [Call::RefreshOwners, Call::BeginRead, Call::Backgrounds, Call::Unburied] {
        bench.fail_call(call, Code::Busy);
        let (ask, add) = (bench.ticket(), bench.ticket());
        let question = Input::Ask(ask, Question::Task(waits[0]));
        let effects = bench.turn(vec![question, Input::Add(add, crate::bench::def("b"))]);
        let is_answered = |effect: &&Effect| match effect {
            Effect::Answer(ticket, _) | Effect::Refuse(ticket, _) => *ticket == ask,
            _ => false,
        };
        assert_eq!(effects.iter().filter(is_answered).count(), 1, "{call:?}: {effects:?}");
    }
    bench.fail_next(Code::Full);
    let (ask, add) = (bench.ticket(), bench.ticket());
    let question = Input::Ask(ask, Question::Task(waits[0]));
    let effects = bench.turn(vec![question, Input::Add(add, crate::bench::def("b"))]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Refuse(t, _) if *t == add)));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Answer(t, _) if *t == ask)));
    assert_eq!(words(&mut bench, waits[0]), ["no-runner"]);
}

#[test]
fn a_commit_that_the_store_refused_is_told_until_one_is_taken_or_for_a_while() {
    let mut bench = Bench::started(1);
    assert_eq!(ask(&mut bench, Question::Refused), Value::Null);
    let refuse = |bench: &mut Bench| {
        bench.fail_next(Code::Full);
        bench.call(|ticket| Input::Add(ticket, crate::bench::def("b")));
        assert_eq!(ask(bench, Question::Refused), "TASKER_FULL");
    };
    refuse(&mut bench);
    bench.add("b", 0.0);
    assert_eq!(ask(&mut bench, Question::Refused), Value::Null);
    refuse(&mut bench);
    bench.wait(9_999);
    assert_eq!(ask(&mut bench, Question::Refused), "TASKER_FULL");
    bench.wait(1);
    assert_eq!(ask(&mut bench, Question::Refused), Value::Null);
}

#[test]
fn a_question_of_a_close_is_answered_or_refused() {
    let mut bench = Bench::started(1);
    let id = bench.add("b", 0.0);
    let (ask, close) = (bench.ticket(), bench.ticket());
    let inputs =
        vec![Input::Ask(ask, Question::Task(id)), Input::Close(close, StopOptions::default())];
    let (after, effects) = bench.turn_once(inputs);
    assert_eq!(after, Next::Closed);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Answer(t, _) if *t == ask)));
}

/// Whatever holds a task back is named, so without all that is named it starts, and not before.
#[test]
fn a_task_starts_when_the_last_of_its_reasons_is_gone_and_not_before() {
    let mut bench = Bench::started(1);
    bench.assign("b", Some(1));
    let (on, first) = (bench.add("b", 0.0), bench.add("b", 9.0));
    let id = add_after(&mut bench, "b", &[on]);
    bench.call(|ticket| Input::PauseOperation(ticket, "b".into(), true));
    bench.call(|ticket| Input::Pause(ticket, id));
    bench.call(|ticket| Input::Unassign(ticket, "b".into()));
    let all = words(&mut bench, id);
    assert_eq!(all, ["dependency", "limit", "paused", "paused", "no-runner", "order"]);
    let steps: [fn(&mut Bench, TaskId); 5] = [
        |bench, id| drop(bench.call(|ticket| Input::Resume(ticket, id))),
        |bench, _| bench.assign("b", None),
        |bench, _| bench.settle_oldest(Settlement::Returned(None)),
        |bench, _| drop(bench.call(|ticket| Input::PauseOperation(ticket, "b".into(), false))),
        |bench, _| bench.settle_oldest(Settlement::Returned(None)),
    ];
    for step in steps {
        assert!(!bench.starts().contains(&id));
        assert!(!words(&mut bench, id).is_empty());
        step(&mut bench, id);
    }
    assert_eq!(bench.starts(), [on, first, id]);
}
