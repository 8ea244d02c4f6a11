//! Circuit breakers: after so many failures nothing of an operation starts for a time.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_core::circuit::{Circuit, CircuitBreaker, Phase, Turned};
use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::rate::RateLimit;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::store::GateId;
use tasker_core::task::{Cause, Json};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::guarded::CircuitNews;
use tasker_engine::input::{Input, PostponeOptions, Question};

use crate::bench::{self, Bench};

const DAY: u64 = 24 * 3_600_000;
const PLAIN: &str = r#"{"failures":2,"within":1000,"openFor":500}"#;
const BY_HOST: &str = r#"{"failures":1,"within":1000,"openFor":500,"by":"data.host"}"#;

fn options(breaker: &str) -> OperationOptions {
    let breaker = CircuitBreaker::read(breaker, "circuitBreaker").unwrap();
    OperationOptions { circuit_breaker: Some(Arc::new(breaker)), ..OperationOptions::default() }
}

fn define(bench: &mut Bench, options: OperationOptions) {
    let answer = bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
}

/// An engine with a runner for operation `a`, which has this circuit breaker.
fn guarded(breaker: &str) -> Bench {
    let mut bench = Bench::started(100);
    define(&mut bench, options(breaker));
    bench
}

fn add_to(bench: &mut Bench, host: &str) -> TaskId {
    bench.add_with("a", |def| {
        def.data = Some(Json::trusted(&format!(r#"{{"host":{host}}}"#)));
    })
}

fn thrown(text: &str) -> Settlement {
    Settlement::Threw(Json::trusted(text))
}

/// The oldest live run ends so. What is told of circuits.
fn settle(bench: &mut Bench, settled: Settlement) -> Vec<CircuitNews> {
    let slot = bench.oldest();
    let effects = bench.turn(vec![Input::Settle(slot, settled)]);
    news(&effects)
}

fn fail(bench: &mut Bench) -> Vec<Turned> {
    settle(bench, thrown("{}")).into_iter().map(|news| news.turned).collect()
}

fn succeed(bench: &mut Bench) -> Vec<Turned> {
    settle(bench, Settlement::Returned(None)).into_iter().map(|news| news.turned).collect()
}

fn news(effects: &[Effect]) -> Vec<CircuitNews> {
    let news = |effect: &Effect| match effect {
        Effect::Circuit(news) => Some(news.clone()),
        _ => None,
    };
    effects.iter().filter_map(news).collect()
}

fn turned(effects: &[Effect]) -> Vec<Turned> {
    news(effects).into_iter().map(|news| news.turned).collect()
}

/// What is stored of the circuit of a key.
fn stored(bench: &Bench, key: &str) -> Option<Circuit> {
    let gate: GateId = (bench.memory().dispatch.operation("a").unwrap(), key.into());
    bench.disk().circuit(&gate)
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

/// Opens the circuit of all tasks, or of this host.
fn open(bench: &mut Bench, host: &str, failures: usize) {
    for n in 0..failures {
        add_to(bench, host);
        let expected: &[Turned] = if n + 1 == failures { &[Turned::Opened] } else { &[] };
        assert_eq!(fail(bench), expected);
    }
}

#[test]
fn the_failure_that_is_one_too_many_opens_it_and_a_probe_that_succeeds_closes_it() {
    let mut bench = guarded(PLAIN);
    add_to(&mut bench, "1");
    assert_eq!(fail(&mut bench), []);
    add_to(&mut bench, "1");
    assert_eq!(succeed(&mut bench), [], "a success does not reset the count");
    add_to(&mut bench, "1");
    bench.wait(999);
    let opened = settle(&mut bench, thrown(r#"{"name":"E"}"#));
    let until = bench.wall().plus(500);
    let (operation, key, error) = ("a".into(), "".into(), Some(Json::trusted(r#"{"name":"E"}"#)));
    let turned = Turned::Opened;
    assert_eq!(opened, [CircuitNews { operation, key, turned, until: Some(until), error }]);
    let ids: Vec<TaskId> = (0..3).map(|_| add_to(&mut bench, "1")).collect();
    assert_eq!((bench.starts().len(), next_in(&bench)), (3, Some(500)), "nothing polls");
    bench.advance(499);
    assert_eq!(bench.starts().len(), 3);
    let told = bench.advance(1);
    assert_eq!(news(&told).len(), 1);
    assert_eq!((news(&told)[0].turned, &news(&told)[0].until), (Turned::HalfOpened, &None));
    assert_eq!(bench.starts()[3..], ids[..1], "one is tried");
    assert_eq!(bench.get(ids[1]).task.attempt, 0, "no attempt is used");
    assert_eq!(succeed(&mut bench), [Turned::Closed]);
    assert_eq!(bench.starts()[3..], ids);
}

#[test]
fn failures_that_are_too_far_apart_open_nothing() {
    let mut bench = guarded(PLAIN);
    for _ in 0..3 {
        add_to(&mut bench, "1");
        assert_eq!(fail(&mut bench), []);
        bench.advance(1_000);
    }
    assert_eq!(bench.starts().len(), 3);
}

#[test]
fn a_probe_that_fails_opens_it_anew_for_as_long() {
    let mut bench = guarded(PLAIN);
    open(&mut bench, "1", 2);
    let ids: Vec<TaskId> = (0..2).map(|_| add_to(&mut bench, "1")).collect();
    bench.advance(500);
    bench.advance(300);
    assert_eq!(fail(&mut bench), [Turned::Opened]);
    assert_eq!((bench.starts()[2..].to_vec(), next_in(&bench)), (ids[..1].to_vec(), Some(500)));
    bench.advance(500);
    assert_eq!(bench.starts()[2..], ids);
}

#[test]
fn as_many_are_tried_as_must_succeed() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500,"probes":3}"#);
    open(&mut bench, "1", 1);
    let ids: Vec<TaskId> = (0..6).map(|_| add_to(&mut bench, "1")).collect();
    bench.advance(500);
    assert_eq!(bench.starts()[1..], ids[..3]);
    assert_eq!(succeed(&mut bench), []);
    assert_eq!(bench.starts()[1..], ids[..3], "no more than may be needed");
    assert_eq!(settle(&mut bench, Settlement::Snoozed(1)), []);
    assert_eq!(bench.starts()[1..], ids[..4], "its place is free");
    assert_eq!((succeed(&mut bench), succeed(&mut bench)), (vec![], vec![Turned::Closed]));
    assert_eq!(bench.starts()[1..], ids);
}

#[test]
fn each_value_has_a_circuit_of_its_own_and_absent_is_one() {
    let mut bench = guarded(BY_HOST);
    open(&mut bench, "1", 1);
    let one = add_to(&mut bench, "1");
    let absent = bench.add("a", 0.0);
    let two = add_to(&mut bench, "2");
    assert_eq!(bench.starts()[1..], [absent, two], "they pass what waits");
    assert_eq!(bench.state(one), State::Ready);
    let failed = settle(&mut bench, thrown("{}"));
    assert_eq!((&*failed[0].key, failed[0].turned), ("", Turned::Opened));
    bench.settle_oldest(Settlement::Returned(None));
    let absent = bench.add("a", 0.0);
    let two = add_to(&mut bench, "2");
    assert_eq!(bench.starts().last(), Some(&two));
    assert_eq!(bench.state(absent), State::Ready);
    bench.advance(500);
    assert_eq!(bench.starts()[4..], [one, absent]);
}

#[test]
fn what_matches_counts_also_if_it_is_tried_again() {
    let mut bench = guarded(
        r#"{"failures":2,"within":1000,"openFor":500,"when":{"name":"H","status":{"$gte":500}}}"#,
    );
    let again = |def: &mut tasker_core::task::NewTask| {
        def.options.retry = retry::read("9", "retry").ok().map(Arc::new);
    };
    let id = bench.add_with("a", again);
    assert_eq!(settle(&mut bench, thrown(r#"{"name":"H","status":404}"#)), []);
    assert_eq!(settle(&mut bench, thrown(r#""H""#)), []);
    assert_eq!(settle(&mut bench, thrown(r#"{"name":"H","status":500}"#)), []);
    let opened = settle(&mut bench, thrown(r#"{"name":"H","status":503}"#));
    assert_eq!(opened[0].error.as_ref().map(Json::as_str), Some(r#"{"name":"H","status":503}"#));
    assert_eq!((bench.starts().len(), bench.state(id)), (4, State::Ready));
    bench.advance(500);
    assert_eq!(settle(&mut bench, thrown(r#"{"name":"H","status":404}"#)), [], "it is no verdict");
    assert_eq!(bench.starts().len(), 6, "another one is tried");
    assert_eq!(settle(&mut bench, thrown(r#"{"name":"H","status":503}"#)).len(), 1);
}

#[test]
fn timeouts_count_and_aborts_do_not() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500}"#);
    let id = bench.add("a", 0.0);
    bench.call(|ticket| Input::Abort(ticket, id, bench::reason(Cause::User)));
    assert_eq!(fail(&mut bench), [], "an abort");
    let timed = |def: &mut tasker_core::task::NewTask| def.options.run_timeout_ms = Some(10);
    bench.add_with("a", timed);
    bench.advance(10);
    assert_eq!(fail(&mut bench), [Turned::Opened], "its signal had fired");
    bench.advance(500);
    bench.add_with("a", timed);
    bench.advance(10);
    let told = bench.advance(5_000);
    assert_eq!(turned(&told), [Turned::Opened], "its grace was over");
}

#[test]
fn a_run_that_began_before_it_opened_or_closed_again_counts_for_nothing() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500}"#);
    let before: Vec<TaskId> = (0..4).map(|_| add_to(&mut bench, "1")).collect();
    assert_eq!(fail(&mut bench), [Turned::Opened]);
    assert_eq!(fail(&mut bench), [], "it is open");
    let probe = add_to(&mut bench, "1");
    bench.advance(500);
    assert_eq!(bench.starts().last(), Some(&probe));
    assert_eq!(fail(&mut bench), [], "it is no probe: {before:?}");
    let slot = bench.newest();
    let effects = bench.turn(vec![Input::Settle(slot, Settlement::Returned(None))]);
    assert_eq!(turned(&effects), [Turned::Closed]);
    assert_eq!(fail(&mut bench), [], "it began long before");
    add_to(&mut bench, "1");
    assert_eq!(fail(&mut bench), [Turned::Opened]);
}

#[test]
fn a_success_of_a_closed_circuit_writes_no_row() {
    let mut bench = guarded(PLAIN);
    add_to(&mut bench, "1");
    assert_eq!((succeed(&mut bench), bench.gates()), (vec![], 0));
    add_to(&mut bench, "1");
    fail(&mut bench);
    let before = stored(&bench, "");
    assert!(before.is_some());
    add_to(&mut bench, "1");
    succeed(&mut bench);
    assert_eq!(stored(&bench, ""), before);
}

#[test]
fn a_probe_whose_process_dies_or_gives_it_back_lets_another_one_be_tried() {
    for is_lost in [true, false] {
        let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500}"#);
        open(&mut bench, "1", 1);
        let ids = [add_to(&mut bench, "1"), add_to(&mut bench, "1")];
        bench.advance(500);
        let probing = |bench: &Bench| stored(bench, "").map_or(0, |circuit| circuit.probing());
        assert_eq!((bench.starts()[1..].to_vec(), probing(&bench)), (ids[..1].to_vec(), 1));
        if is_lost {
            bench.crash();
            assert_eq!(probing(&bench), 0, "in the commit that recovers the run");
            bench.assign("a", None);
            bench.call(Input::Start);
        } else {
            let back = PostponeOptions { delay_ms: Some(100), reason: bench::json() };
            bench.call(|ticket| Input::PostponeTask(ticket, ids[0], back));
        }
        assert_eq!((bench.starts().len(), probing(&bench)), (3, 1), "{is_lost}");
        assert_eq!(succeed(&mut bench), [Turned::Closed], "{is_lost}");
    }
}

#[test]
fn a_circuit_outlives_its_processes() {
    let mut bench = guarded(BY_HOST);
    open(&mut bench, "1", 1);
    let id = add_to(&mut bench, "1");
    bench.crash();
    bench.assign("a", None);
    bench.call(Input::Start);
    assert_eq!((bench.starts().len(), bench.state(id)), (1, State::Ready));
    bench.advance(500);
    assert_eq!(bench.starts().last(), Some(&id));
}

#[test]
fn other_processes_obey_before_their_next_start_and_see_probes() {
    for breaker in [r#"{"failures":1,"within":1000,"openFor":500}"#, BY_HOST] {
        let mut one = guarded(breaker);
        let mut two = one.beside(100);
        two.assign("a", None);
        // Both know that it is closed.
        add_to(&mut one, "1");
        add_to(&mut two, "1");
        assert_eq!((one.starts().len(), two.starts().len()), (1, 1), "{breaker}");
        assert_eq!(fail(&mut one), [Turned::Opened]);
        let ids = [add_to(&mut two, "1"), add_to(&mut two, "1")];
        assert_eq!(two.starts().len(), 1, "{breaker}");
        assert_eq!(fail(&mut two), [], "it began before");
        [&mut one, &mut two].into_iter().for_each(|bench| bench.wait(500));
        let told = one.look();
        assert_eq!(turned(&told), [Turned::HalfOpened]);
        two.look();
        assert_eq!((one.starts()[1..].to_vec(), two.starts().len()), (ids[..1].to_vec(), 1));
        assert_eq!(next_in(&two).filter(|ms| *ms < 1_000), None, "it waits for that probe");
        assert_eq!(succeed(&mut one), [Turned::Closed], "{breaker}");
        two.look();
        let started = one.starts().len() + two.starts().len();
        assert_eq!(started, 4, "{breaker}");
    }
}

#[test]
fn a_failure_of_another_process_counts_with_ours() {
    let mut one = guarded(PLAIN);
    let mut two = one.beside(100);
    two.assign("a", None);
    add_to(&mut one, "1");
    assert_eq!(fail(&mut one), []);
    add_to(&mut two, "1");
    assert_eq!(fail(&mut two), [Turned::Opened]);
}

/// F-19
#[test]
fn a_clock_that_is_set_back_or_forward_puts_no_probe_off_for_ever() {
    for breaker in [r#"{"failures":1,"within":1000,"openFor":500}"#, BY_HOST] {
        let mut bench = guarded(breaker);
        open(&mut bench, "1", 1);
        let id = add_to(&mut bench, "1");
        bench.set_back(DAY as i64);
        bench.turn(Vec::new());
        assert_eq!((bench.starts().len(), next_in(&bench)), (1, Some(500)), "{breaker}");
        bench.advance(400);
        bench.advance(50);
        assert_eq!(next_in(&bench), Some(50), "{breaker}: each turn puts it off no further");
        bench.advance(50);
        assert_eq!(bench.starts().last(), Some(&id), "{breaker}");
        assert_eq!(fail(&mut bench), [Turned::Opened]);
        let id = add_to(&mut bench, "1");
        bench.set_wall(bench.wall().plus(DAY));
        bench.turn(Vec::new());
        assert_eq!(bench.starts().last(), Some(&id), "{breaker}: set forward, it is tried");
    }
}

#[test]
fn other_numbers_leave_it_open_and_another_path_or_none_forgets_it() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500}"#);
    open(&mut bench, "1", 1);
    let id = add_to(&mut bench, "1");
    define(&mut bench, options(r#"{"failures":9,"within":9,"openFor":10000}"#));
    assert_eq!((bench.state(id), next_in(&bench)), (State::Ready, Some(500)));
    define(&mut bench, options(r#"{"failures":9,"within":9,"openFor":100}"#));
    assert_eq!(next_in(&bench), Some(100), "no longer than that");
    define(&mut bench, options(BY_HOST));
    assert_eq!(bench.starts().last(), Some(&id), "another path");
    assert_eq!(fail(&mut bench), [Turned::Opened]);
    let id = add_to(&mut bench, "1");
    define(&mut bench, OperationOptions::default());
    assert_eq!(bench.starts().last(), Some(&id), "none");
    define(&mut bench, options(BY_HOST));
    assert_eq!(fail(&mut bench), [], "it began before there was one");
    let id = add_to(&mut bench, "1");
    assert_eq!(bench.starts().last(), Some(&id), "what is stored is older");
}

#[test]
fn two_paths_are_refused() {
    let mut bench = guarded(BY_HOST);
    let limited = |by: &str| {
        let text = format!(r#"{{"limit":100,"per":1,"by":"{by}"}}"#);
        let rate_limit = RateLimit::read(&text, "rateLimit").ok().map(Arc::new);
        OperationOptions { rate_limit, ..OperationOptions::default() }
    };
    let assign = |by| move |ticket| Input::Assign(ticket, "a".into(), Some(limited(by)));
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    let Effect::Refuse(_, error) = bench.call(assign("data.account")) else {
        panic!("it is taken")
    };
    let path = error.facts().path.as_deref();
    assert_eq!((error.code(), path), (Code::Invalid, Some("circuitBreaker.by")));
    assert!(matches!(bench.call(assign("data.host")), Effect::Answer(..)));
    open(&mut bench, "1", 1);
}

#[test]
fn a_token_is_for_all_and_a_circuit_by_value_or_the_other_way_round() {
    for (rate, breaker) in [
        (r#"{"limit":1,"per":100}"#, BY_HOST),
        (
            r#"{"limit":1,"per":100,"by":"data.host"}"#,
            r#"{"failures":1,"within":1000,"openFor":500}"#,
        ),
        (r#"{"limit":1,"per":100,"by":"data.host"}"#, BY_HOST),
    ] {
        let mut bench = Bench::started(100);
        let rate_limit = RateLimit::read(rate, "rateLimit").ok().map(Arc::new);
        define(&mut bench, OperationOptions { rate_limit, ..options(breaker) });
        add_to(&mut bench, "1");
        let ids = [add_to(&mut bench, "1"), add_to(&mut bench, "1")];
        assert_eq!(fail(&mut bench), [Turned::Opened]);
        bench.advance(100);
        assert_eq!(bench.starts().len(), 1, "{rate} {breaker}: there is a token");
        bench.advance(400);
        assert_eq!(bench.starts()[1..], ids[..1], "{rate} {breaker}");
        assert_eq!(succeed(&mut bench), [Turned::Closed]);
        assert_eq!(bench.starts()[1..], ids[..1], "{rate} {breaker}: there is no token");
        bench.advance(100);
        assert_eq!(bench.starts()[1..], ids, "{rate} {breaker}");
    }
}

#[test]
fn what_fails_to_be_committed_turns_nothing() {
    for breaker in [r#"{"failures":1,"within":1000,"openFor":500}"#, BY_HOST] {
        let mut bench = guarded(breaker);
        add_to(&mut bench, "1");
        bench.fail_next(Code::Full);
        let slot = bench.oldest();
        let told = bench.turn(vec![Input::Settle(slot, thrown("{}"))]);
        assert_eq!((turned(&told), stored(&bench, "")), (vec![], None), "{breaker}");
        let told = bench.advance(200);
        assert_eq!(turned(&told), [Turned::Opened], "{breaker}: what it reported waits");
        let id = add_to(&mut bench, "1");
        bench.wait(500);
        bench.fail_next(Code::Full);
        let told = bench.turn(Vec::new());
        assert_eq!((turned(&told), bench.state(id)), (vec![], State::Ready), "{breaker}");
        let told = bench.advance(200);
        assert_eq!(turned(&told), [Turned::HalfOpened], "{breaker}");
        assert_eq!(bench.starts().last(), Some(&id));
    }
}

#[test]
fn what_waits_for_a_circuit_says_so_with_its_numbers() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500,"probes":2}"#);
    open(&mut bench, "1", 1);
    let until = bench.wall().0 + 500;
    let ids: Vec<TaskId> = (0..4).map(|_| add_to(&mut bench, "1")).collect();
    let circuit = |more: Value| {
        let mut reason = json!({
            "reason": "circuit", "operation": "a", "failures": 1, "within": 1_000, "openFor": 500,
            "probes": 2, "isCapped": false,
        });
        let members = reason.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        json!([reason])
    };
    let open = json!({ "state": "open", "until": until, "probing": 0, "ahead": 1 });
    assert_eq!(reasons(&mut bench, ids[1]), circuit(open));
    let all = ask(&mut bench, Question::Operation("a".into()));
    let open = json!({ "state": "open", "until": until, "probing": 0, "ahead": 4 });
    assert_eq!(all["reasons"], circuit(open));
    bench.advance(500);
    let half_open = json!({ "state": "half-open", "probing": 2, "ahead": 0 });
    assert_eq!(reasons(&mut bench, ids[2]), circuit(half_open));
    let slot = bench.oldest();
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    bench.turn(vec![Input::Settle(slot, Settlement::Snoozed(9))]);
    let words = |reasons: Value| {
        let all = reasons.as_array().unwrap().iter();
        all.map(|one| one["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(reasons(&mut bench, ids[2])), ["paused"], "it may be tried");
    assert_eq!(words(reasons(&mut bench, ids[3])), ["circuit", "paused"], "another one is");
}

#[test]
fn what_waits_for_a_circuit_of_its_value_says_which() {
    let mut bench = guarded(BY_HOST);
    open(&mut bench, "\"x\"", 1);
    let id = add_to(&mut bench, "\"x\"");
    let reason = reasons(&mut bench, id)[0].clone();
    assert_eq!((&reason["by"], &reason["key"]), (&json!("data.host"), &json!("x")));
    let all = ask(&mut bench, Question::Operation("a".into()));
    assert_eq!(
        (&all["reasons"], &all["guarded"], &all["rated"]),
        (&json!([]), &json!(1), &json!(0))
    );
}

#[test]
fn circuits_that_rest_are_forgotten() {
    let mut bench = guarded(r#"{"failures":2,"within":1000,"openFor":500,"by":"data.host"}"#);
    for host in 0..50 {
        add_to(&mut bench, &host.to_string());
        fail(&mut bench);
    }
    open_again(&mut bench);
    assert_eq!(bench.gates(), 50);
    bench.advance(DAY);
    assert_eq!(bench.gates(), 1, "one was open");
    bench.advance(31 * DAY);
    bench.advance(DAY);
    assert_eq!((bench.gates(), bench.next_timer()), (0, None));
    let id = add_to(&mut bench, "7");
    assert_eq!(bench.starts().last(), Some(&id));
}

/// One of them opens.
fn open_again(bench: &mut Bench) {
    add_to(bench, "7");
    assert_eq!(fail(bench), [Turned::Opened]);
    assert!(matches!(stored(bench, "7").unwrap().phase, Phase::Open(_)));
}

#[test]
fn what_is_attached_is_not_taken_with_a_circuit_by_value_yet() {
    let mut bench = guarded(BY_HOST);
    let ticket = bench.ticket();
    let mut def = bench::def("a");
    def.is_attached = true;
    let effects = bench.turn(vec![Input::Add(ticket, def)]);
    let Some(Effect::Refuse(_, error)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((error.code(), error.facts().path.as_deref()), (Code::Unsupported, Some("attach")));
}

/// C of the model: a task that waits for a circuit stands ahead all the same.
#[test]
fn what_waits_for_a_circuit_is_counted_by_those_behind() {
    let mut bench = guarded(r#"{"failures":1,"within":1000,"openFor":500}"#);
    bench.assign("b", None);
    open(&mut bench, "1", 1);
    let id = add_to(&mut bench, "1");
    let none_ahead = r#"[{"scope":"before-queued","query":{"operation":"a"},"limit":0}]"#;
    let conditions = Conditions::read(none_ahead, "concurrency").unwrap();
    let behind = bench.add_with("b", |def| def.options.conditions = conditions.clone());
    assert_eq!(bench.state(behind), State::Ready);
    bench.advance(500);
    assert_eq!(bench.starts()[1..], [id, behind]);
}
