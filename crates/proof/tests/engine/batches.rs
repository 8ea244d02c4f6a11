//! Batches: tasks of one operation that one call of its runner takes.

use serde_json::{Value, json};
use tasker_core::batching::Batching;
use tasker_core::circuit::CircuitBreaker;
use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::hold::{HeldBy, HoldQuery};
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::rate::RateLimit;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, Json, NewTask, Priority};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect, RunEnd};
use tasker_engine::input::{Input, Question, RunSlot, StopOptions};

use crate::bench::{self, Bench};

/// How long a batch waits here.
const WAIT: u64 = 1_000;

fn assign(bench: &mut Bench, operation: &str, max: u32, wait_ms: u64) {
    let batching = Batching { max, wait_ms };
    let answer = bench.call(|ticket| Input::AssignBatch(ticket, operation.into(), None, batching));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
}

/// An engine whose runner for operation `a` takes up to `max` tasks, and waits for them so long.
fn batching(concurrency: u32, max: u32, wait_ms: u64) -> Bench {
    let mut bench = Bench::new(concurrency);
    assign(&mut bench, "a", max, wait_ms);
    bench.call(Input::Start);
    bench
}

fn add(bench: &mut Bench, count: usize) -> Vec<TaskId> {
    let defs = (0..count).map(|_| bench::def("a")).collect();
    match bench.call(|ticket| Input::AddMany(ticket, defs)) {
        Effect::Answer(_, Answer::Tasks(ids)) => ids,
        other => panic!("{other:?}"),
    }
}

/// The batches that were told: the first run of each, and how many there are.
fn batches(effects: &[Effect]) -> Vec<(RunSlot, u32)> {
    let batch = |effect: &Effect| match effect {
        Effect::Batch(slot, runs) => Some((*slot, *runs)),
        _ => None,
    };
    effects.iter().filter_map(batch).collect()
}

fn settle(bench: &mut Bench, slots: impl IntoIterator<Item = RunSlot>) -> Vec<Effect> {
    let settle = |slot| Input::Settle(slot, Settlement::Returned(None));
    bench.turn(slots.into_iter().map(settle).collect())
}

fn explain(bench: &mut Bench, id: TaskId) -> Value {
    match bench.call(|ticket| Input::Ask(ticket, Question::Task(id))) {
        Effect::Answer(_, Answer::Json(text)) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn reasons(bench: &mut Bench, id: TaskId) -> Vec<String> {
    let said = explain(bench, id);
    let reasons = said["reasons"].as_array().unwrap().iter();
    reasons.map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_batch_starts_at_once_and_takes_one_place() {
    let mut bench = batching(1, 3, WAIT);
    let first = add(&mut bench, 2);
    assert_eq!(bench.starts(), []);
    assert_eq!((bench.memory().dispatch.running(), bench.wait_ms()), (0, Some(WAIT)));
    let more = add(&mut bench, 2);
    let all = [first[0], first[1], more[0]];
    assert_eq!(bench.starts(), all);
    assert_eq!(bench.memory().dispatch.running(), 1, "all of them have one place");
    assert_eq!(bench.state(more[1]), State::Ready);
    // The place is free when the last one has settled.
    settle(&mut bench, [1, 2]);
    bench.advance(WAIT);
    assert_eq!(bench.starts().len(), 3);
    settle(&mut bench, [3]);
    assert_eq!(bench.starts().len(), 4, "it had waited long enough meanwhile");
}

#[test]
fn the_runs_of_a_batch_are_told_together_in_queue_order() {
    let mut bench = Bench::new(10);
    let assign_a = bench.ticket();
    let (b, start) = (bench.ticket(), bench.ticket());
    let batching = Batching { max: 2, wait_ms: 0 };
    let add = |operation: &str| Input::Add(0, bench::def(operation));
    let mut inputs = vec![
        Input::AssignBatch(assign_a, "a".into(), None, batching),
        Input::Assign(b, "b".into(), None),
        Input::Start(start),
    ];
    inputs.extend(["a", "b", "a", "b", "a"].map(add));
    let (_, effects) = bench.turn_once(inputs);
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Batch(slot, runs) => Some(format!("{slot} and {} more", runs - 1)),
        Effect::Start(run) => Some(format!("{} {}", run.operation, run.slot)),
        _ => None,
    });
    let expected = ["1 and 1 more", "a 1", "a 2", "b 3", "b 4", "5 and 0 more", "a 5"];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(bench.memory().dispatch.running(), 4);
}

#[test]
fn it_starts_at_the_latest_when_the_first_has_waited_long_enough() {
    let mut bench = batching(10, 5, WAIT);
    add(&mut bench, 1);
    bench.advance(WAIT - 1);
    add(&mut bench, 1);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (0, Some(1)));
    let effects = bench.advance(1);
    assert_eq!(batches(&effects), [(1, 2)]);
    // The next one waits anew.
    add(&mut bench, 1);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (2, Some(WAIT)));
}

#[test]
fn behind_a_full_batch_the_wait_begins_anew() {
    let mut bench = batching(10, 3, WAIT);
    add(&mut bench, 2);
    bench.advance(WAIT / 2);
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 3])]);
    assert_eq!(batches(&effects), [(1, 3)]);
    assert_eq!(bench.wait_ms(), Some(WAIT));
    // Also if the wait was over as more came than fit.
    bench.wait(WAIT);
    let effects = bench.turn(vec![Input::AddMany(8, vec![bench::def("a"); 3])]);
    assert_eq!(batches(&effects), [(4, 3)]);
    assert_eq!(bench.wait_ms(), Some(WAIT));
}

#[test]
fn without_a_wait_it_takes_what_can_start_now() {
    let mut bench = batching(2, 3, 0);
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 10])]);
    assert_eq!(batches(&effects), [(1, 3), (4, 3)], "as many as there are places");
    let effects = settle(&mut bench, [1, 2, 3]);
    assert_eq!(batches(&effects), [(7, 3)]);
    let effects = settle(&mut bench, 4..=9);
    assert_eq!(batches(&effects), [(10, 1)]);
}

#[test]
fn who_waits_lets_others_pass() {
    let mut bench = batching(1, 3, WAIT);
    bench.assign("b", None);
    let waiting = add(&mut bench, 2);
    let other = bench.add("b", -1.0);
    assert_eq!(bench.starts(), [other]);
    assert_eq!(reasons(&mut bench, waiting[1]), ["place"]);
    // It has the place now, and what has waited goes on to wait.
    bench.advance(WAIT);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (1, None));
    let effects = settle(&mut bench, [1]);
    assert_eq!(batches(&effects), [(2, 2)]);
}

#[test]
fn a_batch_is_told_by_who_asks_why() {
    let mut bench = batching(5, 3, WAIT);
    bench.assign("b", None);
    let waiting = add(&mut bench, 2);
    bench.wait(300);
    let said = explain(&mut bench, waiting[0]);
    assert_eq!(said["runnable"], false);
    let starts_at = bench.wall().0 + WAIT as i64 - 300;
    let batch = json!({
        "reason": "batch", "operation": "a", "waiting": 2, "max": 3, "startsAt": starts_at,
    });
    assert_eq!(said["reasons"], json!([batch]));
    let of_all = bench.call(|ticket| Input::Ask(ticket, Question::Operation("a".into())));
    let Effect::Answer(_, Answer::Json(text)) = of_all else { panic!("{of_all:?}") };
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["reasons"], json!([batch]));
    // What could not start anyway says that too.
    bench.advance(WAIT);
    let rate = RateLimit::read(r#"{"limit":1,"per":60000,"burst":2}"#, "rateLimit").unwrap();
    let options = OperationOptions { rate_limit: Some(rate.into()), ..OperationOptions::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    add(&mut bench, 1);
    bench.advance(WAIT);
    let waiting = add(&mut bench, 2);
    assert_eq!(reasons(&mut bench, waiting[1]), ["rate-limit", "batch"]);
}

#[test]
fn it_takes_no_more_than_the_limit_of_its_operation_allows() {
    let mut bench = batching(10, 5, 0);
    let options = OperationOptions::at_once(3);
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 5])]);
    assert_eq!(batches(&effects), [(1, 3)]);
    assert_eq!(batches(&settle(&mut bench, [2])), [(4, 1)], "each task counts");
}

#[test]
fn what_waits_takes_no_token() {
    let mut bench = batching(10, 3, WAIT);
    let rate = RateLimit::read(r#"{"limit":1,"per":3600000,"burst":3}"#, "rateLimit").unwrap();
    let options = OperationOptions { rate_limit: Some(rate.into()), ..OperationOptions::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    add(&mut bench, 2);
    assert_eq!(bench.gates(), 0);
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 2])]);
    assert_eq!(batches(&effects), [(1, 3)]);
    settle(&mut bench, [1, 2, 3]);
    bench.advance(WAIT);
    assert_eq!(bench.starts().len(), 3, "no token is left");
}

#[test]
fn each_task_of_a_batch_counts_for_the_circuit_of_its_operation() {
    let mut bench = batching(10, 4, WAIT);
    let breaker = r#"{"failures":2,"within":60000,"openFor":500,"probes":2}"#;
    let breaker = CircuitBreaker::read(breaker, "circuitBreaker").unwrap();
    let circuit_breaker = Some(breaker.into());
    let options = OperationOptions { circuit_breaker, ..OperationOptions::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    add(&mut bench, 4);
    let throw = |slot| Input::Settle(slot, Settlement::Threw(bench::json()));
    bench.turn(vec![throw(1), throw(2)]);
    settle(&mut bench, [3, 4]);
    let waiting = add(&mut bench, 4);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (4, None), "it is open");
    assert_eq!(reasons(&mut bench, waiting[0]), ["circuit"]);
    // Half open it lets two start: no other one can join them before they end.
    assert_eq!(batches(&bench.advance(500)), [(5, 2)]);
    // They close it, and the others wait.
    assert_eq!(batches(&settle(&mut bench, [5, 6])), []);
    assert_eq!(bench.wait_ms(), Some(WAIT));
    assert_eq!(batches(&bench.advance(WAIT)), [(7, 2)]);
}

#[test]
fn fewer_than_the_probes_of_a_half_open_circuit_are_none_as_long_as_they_wait() {
    let mut bench = batching(10, 4, WAIT);
    let breaker = r#"{"failures":1,"within":60000,"openFor":500,"probes":2}"#;
    let breaker = CircuitBreaker::read(breaker, "circuitBreaker").unwrap();
    let circuit_breaker = Some(breaker.into());
    let options = OperationOptions { circuit_breaker, ..OperationOptions::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    add(&mut bench, 1);
    bench.advance(WAIT);
    bench.turn(vec![Input::Settle(1, Settlement::Threw(bench::json()))]);
    bench.advance(500);
    add(&mut bench, 1);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (1, Some(WAIT)));
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 3])]);
    assert_eq!(batches(&effects), [(2, 2)], "the other two are no probes");
    // One that fails opens it again, with all that wait.
    bench.turn(vec![Input::Settle(2, Settlement::Threw(bench::json()))]);
    settle(&mut bench, [3]);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (3, None));
}

#[test]
fn nothing_waits_for_what_can_never_join_it() {
    // As many as the operation may run at once are a batch.
    let mut bench = batching(10, 5, WAIT);
    bench.call(|ticket| Input::Define(ticket, "a".into(), OperationOptions::at_once(3)));
    add(&mut bench, 2);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (0, Some(WAIT)));
    let effects = bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 4])]);
    assert_eq!(batches(&effects), [(1, 3)]);
    // One place of it is free: two others may be by the time that the batch starts.
    settle(&mut bench, [1]);
    assert_eq!((bench.starts().len(), bench.wait_ms()), (3, Some(WAIT)));
    assert_eq!(batches(&settle(&mut bench, [2, 3])), [(4, 3)]);
    // So is a whole burst of tokens.
    let mut bench = batching(10, 5, WAIT);
    let rate = RateLimit::read(r#"{"limit":1,"per":100,"burst":2}"#, "rateLimit").unwrap();
    let options = OperationOptions { rate_limit: Some(rate.into()), ..OperationOptions::default() };
    bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    assert_eq!(batches(&bench.turn(vec![Input::AddMany(7, vec![bench::def("a"); 4])])), [(1, 2)]);
    assert_eq!(batches(&bench.advance(100)), []);
    assert_eq!(batches(&bench.advance(100)), [(3, 2)]);
}

#[test]
fn a_pause_of_the_operation_ends_the_wait_and_it_begins_anew() {
    let mut bench = batching(10, 3, WAIT);
    let waiting = add(&mut bench, 2);
    bench.wait(WAIT - 1);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    assert_eq!(bench.wait_ms(), None);
    assert_eq!(reasons(&mut bench, waiting[0]), ["paused"]);
    bench.advance(WAIT);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), false));
    assert_eq!((bench.starts().len(), bench.wait_ms()), (0, Some(WAIT)));
    assert_eq!(batches(&bench.advance(WAIT)), [(1, 2)]);
}

#[test]
fn a_run_timeout_ends_one_task_of_a_batch_and_the_others_have_the_place() {
    let mut bench = batching(1, 2, 0);
    let of = |run_timeout_ms| {
        let mut def = bench::def("a");
        def.options.run_timeout_ms = run_timeout_ms;
        def
    };
    bench.turn(vec![Input::AddMany(7, vec![of(Some(10)), of(None)])]);
    bench.advance(10);
    assert_eq!(bench.signals(), [(1, Cause::RunTimeout)]);
    settle(&mut bench, [1]);
    assert_eq!(bench.memory().dispatch.running(), 1);
    settle(&mut bench, [2]);
    assert_eq!(bench.memory().dispatch.running(), 0);
}

#[test]
fn conditions_hold_within_a_batch() {
    let mut bench = batching(10, 5, 0);
    for book in [1, 1, 2, 2, 3] {
        bench.add_with("a", |def| {
            let of_book = format!(r#"{{"data.book":{book}}}"#);
            let text = format!(r#"[{{"limit":0,"query":{of_book},"scope":"running"}}]"#);
            def.data = Some(Json::trusted(&format!(r#"{{"book":{book}}}"#)));
            def.options.conditions = Conditions::read(&text, "x").unwrap();
            def.priority = Priority::new(f64::from(book)).unwrap();
        });
    }
    let running = bench.running_of("a");
    assert_eq!(running, 3, "one of each book");
    let all = (1..=3).collect::<Vec<_>>();
    let effects = settle(&mut bench, all);
    assert_eq!(batches(&effects), [(4, 2)], "the second of two books, together");
}

#[test]
fn a_held_task_leaves_its_batch() {
    let mut bench = batching(10, 3, WAIT);
    let query = HoldQuery::read(r#"{"data.x":1}"#).unwrap();
    let until = WallMs(bench.wall().0 + 60_000);
    bench.call(|ticket| Input::Hold(ticket, query, until, HeldBy { pid: 1, task: None }));
    let held = add(&mut bench, 2);
    let free = bench.add_with("a", |def| def.data = None);
    assert_eq!(held.map_state(&bench), [State::Delayed; 2]);
    assert_eq!(bench.starts(), []);
    bench.advance(WAIT);
    assert_eq!(bench.starts(), [free]);
}

#[test]
fn what_waits_goes_back_past_a_task_that_was_held_behind_it() {
    let mut bench = batching(10, 4, WAIT);
    let query = HoldQuery::read(r#"{"data.x":1}"#).unwrap();
    let until = WallMs(bench.wall().0 + 60_000);
    bench.call(|ticket| Input::Hold(ticket, query, until, HeldBy { pid: 1, task: None }));
    // In one turn: the first is picked, the second held back, the third picked.
    let free = || NewTask { data: None, ..bench::def("a") };
    let defs = vec![free(), bench::def("a"), free()];
    let Effect::Answer(_, Answer::Tasks(all)) = bench.call(|ticket| Input::AddMany(ticket, defs))
    else {
        panic!("they were not added");
    };
    assert_eq!(all.map_state(&bench), [State::Ready, State::Delayed, State::Ready]);
    assert_eq!(bench.starts(), []);
    bench.advance(WAIT);
    assert_eq!(bench.starts(), [all[0], all[2]]);
}

trait MapState {
    fn map_state(&self, bench: &Bench) -> Vec<State>;
}

impl MapState for Vec<TaskId> {
    fn map_state(&self, bench: &Bench) -> Vec<State> {
        self.iter().map(|id| bench.state(*id)).collect()
    }
}

#[test]
fn an_aborted_task_leaves_its_batch_and_the_wait_is_forgotten_with_the_last() {
    let mut bench = batching(10, 3, WAIT);
    let waiting = add(&mut bench, 2);
    for id in waiting {
        assert_eq!(bench.wait_ms(), Some(WAIT));
        bench.call(|ticket| Input::Abort(ticket, id, bench::reason(Cause::User)));
    }
    assert_eq!(bench.wait_ms(), None);
    bench.wait(WAIT - 1);
    add(&mut bench, 1);
    assert_eq!(bench.wait_ms(), Some(WAIT), "it is the first of another batch");
}

#[test]
fn each_task_of_a_batch_ends_by_itself() {
    let mut bench = batching(1, 3, 0);
    let all = add(&mut bench, 3);
    bench.call(|ticket| Input::Abort(ticket, all[1], bench::reason(Cause::User)));
    assert_eq!(bench.signals(), [(2, Cause::User)]);
    let threw = Settlement::Threw(bench::json());
    let effects = bench.turn(vec![
        Input::Settle(1, Settlement::Returned(None)),
        Input::Settle(2, threw.clone()),
        Input::Settle(3, threw),
    ]);
    let ends = bench::over(&effects).into_iter().map(|(_, end)| end);
    let aborted = RunEnd::Aborted(bench::reason(Cause::User));
    assert_eq!(ends.collect::<Vec<_>>(), [RunEnd::Done, aborted, RunEnd::Failed(Cause::Error)]);
    assert_eq!(bench.memory().dispatch.running(), 0);
}

#[test]
fn a_batch_gives_its_place_up_when_all_its_runs_have_halted() {
    let mut bench = batching(1, 2, 0);
    bench.assign("b", None);
    let all = add(&mut bench, 2);
    for (id, slot) in all.iter().zip(1..) {
        assert_eq!(bench.memory().dispatch.running(), 1);
        bench.call(|ticket| Input::Pause(ticket, *id));
        bench.turn(vec![Input::Halt(slot)]);
    }
    assert_eq!(bench.memory().dispatch.running(), 0);
    let other = bench.add("b", 0.0);
    assert_eq!(bench.starts().last(), Some(&other));
    for id in &all {
        bench.call(|ticket| Input::Resume(ticket, *id));
    }
    assert_eq!(bench.state(all[0]), State::Paused, "there is no place");
    let effects = settle(&mut bench, [3]);
    let goes_on = |effect: &&Effect| matches!(effect, Effect::GoOn(_));
    assert_eq!(effects.iter().filter(goes_on).count(), 2, "they share the place again");
    assert_eq!(bench.memory().dispatch.running(), 1);
    settle(&mut bench, [1]);
    assert_eq!(bench.memory().dispatch.running(), 1);
    settle(&mut bench, [2]);
    assert_eq!(bench.memory().dispatch.running(), 0);
}

#[test]
fn one_goes_on_beside_the_others_of_its_batch_without_a_place_of_its_own() {
    let mut bench = batching(1, 2, 0);
    let all = add(&mut bench, 2);
    bench.call(|ticket| Input::Pause(ticket, all[0]));
    bench.turn(vec![Input::Halt(1)]);
    assert_eq!((bench.state(all[0]), bench.memory().dispatch.running()), (State::Paused, 1));
    bench.call(|ticket| Input::Resume(ticket, all[0]));
    assert_eq!((bench.state(all[0]), bench.memory().dispatch.running()), (State::Running, 1));
    // One that ends while it has halted frees no place either.
    bench.call(|ticket| Input::Pause(ticket, all[1]));
    bench.turn(vec![Input::Halt(2)]);
    settle(&mut bench, [2]);
    assert_eq!(bench.memory().dispatch.running(), 1);
    settle(&mut bench, [1]);
    assert_eq!(bench.memory().dispatch.running(), 0);
}

#[test]
fn after_a_crash_the_tasks_of_a_batch_run_again() {
    let mut bench = batching(5, 3, WAIT);
    let all = add(&mut bench, 3);
    assert_eq!(bench.starts(), all);
    bench.crash();
    assert_eq!(all.map_state(&bench), [State::Ready; 3]);
    assign(&mut bench, "a", 2, WAIT);
    bench.call(Input::Start);
    assert_eq!(bench.starts()[3..], all[..2], "the runner says anew how many it takes");
}

#[test]
fn each_process_gathers_for_itself() {
    let mut bench = batching(5, 3, WAIT);
    let mut other = bench.beside(5);
    let waiting = add(&mut bench, 2);
    assert_eq!(bench.starts(), []);
    // Another one without batches takes the first that waits here.
    bench.call(|ticket| Input::Abort(ticket, waiting[1], bench::reason(Cause::User)));
    other.look();
    other.assign("a", None);
    assert_eq!(other.starts(), waiting[..1]);
    bench.wait(WAIT - 1);
    bench.look();
    assert_eq!(bench.wait_ms(), None, "nothing is left to wait for");
    other.call(|ticket| Input::Unassign(ticket, "a".into()));
    bench.look();
    add(&mut bench, 1);
    assert_eq!(bench.wait_ms(), Some(WAIT));
    // What comes from another process begins a wait too, and a look is enough to see it.
    bench.wait(WAIT);
    bench.look();
    let effects = settle(&mut bench, [1]);
    assert_eq!((bench.starts().len(), batches(&effects).len()), (1, 0));
    other.call(|ticket| Input::Add(ticket, bench::def("a")));
    bench.look();
    assert_eq!(bench.wait_ms(), Some(WAIT));
}

#[test]
fn a_stop_lets_them_wait_and_the_handle_is_not_idle_before() {
    let mut bench = batching(5, 3, WAIT);
    let waiting = add(&mut bench, 2);
    let idle = bench.ticket();
    assert!(bench::answers(&bench.turn(vec![Input::AwaitIdle(idle)])).is_empty());
    bench.call(|ticket| Input::Stop(ticket, StopOptions::default()));
    assert_eq!((waiting.map_state(&bench), bench.wait_ms()), (vec![State::Ready; 2], None));
    bench.call(Input::Start);
    assert_eq!(bench.wait_ms(), Some(WAIT));
    let idle = bench.ticket();
    bench.turn(vec![Input::AwaitIdle(idle)]);
    bench.advance(WAIT);
    assert_eq!(bench::answers(&settle(&mut bench, [1, 2])), [idle]);
}

#[test]
fn a_runner_that_is_taken_away_takes_its_batch_with_it() {
    let mut bench = batching(5, 3, WAIT);
    let waiting = add(&mut bench, 2);
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    assert_eq!(bench.wait_ms(), None);
    bench.assign("a", None);
    assert_eq!(bench.starts(), waiting);
    assert_eq!(bench.memory().dispatch.running(), 2, "each has a place");
}

#[test]
fn a_batch_that_was_not_committed_is_put_together_anew() {
    let mut bench = batching(1, 3, WAIT);
    add(&mut bench, 2);
    bench.fail_next(Code::Full);
    let refused = bench.call(|ticket| Input::Add(ticket, bench::def("a")));
    assert!(matches!(refused, Effect::Refuse(..)), "{refused:?}");
    assert_eq!((bench.starts().len(), bench.memory().dispatch.running()), (0, 0));
    add(&mut bench, 1);
    assert_eq!((bench.starts().len(), bench.memory().dispatch.running()), (3, 1));
}

#[test]
fn a_batch_whose_data_a_turn_cannot_hold_starts_with_what_fits() {
    let mut bench = batching(1, 4, WAIT);
    let wide = format!("\"{}\"", "x".repeat(7 * 1024 * 1024));
    let ids: Vec<TaskId> =
        (0..3).map(|_| bench.add_with("a", |def| def.data = Some(Json::trusted(&wide)))).collect();
    assert_eq!(ids.map_state(&bench).len(), 3);
    let started = bench.starts().len();
    assert!(started < 3, "they would wait for a fourth");
    bench.advance(WAIT);
    assert!(!bench.starts().is_empty());
}

#[test]
fn a_fenced_run_of_a_batch_frees_the_place_with_the_last() {
    let mut bench = batching(1, 2, 0);
    let all = add(&mut bench, 2);
    bench.steal(all[0]);
    let effects = settle(&mut bench, [1]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced)]);
    assert_eq!(bench.memory().dispatch.running(), 1);
    settle(&mut bench, [2]);
    assert_eq!(bench.memory().dispatch.running(), 0);
}
