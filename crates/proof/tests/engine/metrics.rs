//! What is counted as tasks come, run and end, and how the store stands.

use serde_json::{Value, json};
use tasker_core::error::Code;
use tasker_core::operation::{OperationOptions, WHOLE_STORE};
use tasker_core::rules::{Settlement, engine_error};
use tasker_core::state::State;
use tasker_core::task::Cause;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, PostponeOptions, Question};
use tasker_engine::metrics::{Figures, Format};

use crate::bench::{Bench, def, reason};

fn asked(bench: &mut Bench, format: Format, operations_max: usize) -> String {
    let question = Question::Metrics { format, operations_max };
    match bench.call(|ticket| Input::Ask(ticket, question)) {
        Effect::Answer(_, Answer::Json(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// An engine with so many places that starts tasks of an operation.
fn started(concurrency: u32, operation: &str, limit: Option<u32>) -> Bench {
    let mut bench = Bench::new(concurrency);
    bench.assign(operation, limit);
    bench.call(Input::Start);
    bench
}

fn figures(bench: &mut Bench) -> Box<Figures> {
    match bench.call(|ticket| Input::Ask(ticket, Question::Figures)) {
        Effect::Answer(_, Answer::Figures(figures)) => figures,
        other => panic!("{other:?}"),
    }
}

fn metrics(bench: &mut Bench) -> Value {
    serde_json::from_str(&asked(bench, Format::Json, 100)).unwrap()
}

/// The text for Prometheus, line by line.
fn lines(bench: &mut Bench, format: Format) -> Vec<String> {
    let text: String = serde_json::from_str(&asked(bench, format, 100)).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn adds_starts_and_ends_are_counted_by_operation() {
    let mut bench = started(1, "a", None);
    bench.add("a", 0.0);
    let waits = bench.add("a", 0.0);
    bench.add("b", 0.0);
    bench.wait(2_000);
    bench.settle_oldest(Settlement::Returned(None));
    bench.call(|ticket| Input::Abort(ticket, waits, reason(Cause::User)));
    let told = metrics(&mut bench);
    let a = &told["operations"]["a"];
    assert_eq!((&a["added"], &a["runs"]["started"]), (&json!(2), &json!(2)));
    assert_eq!(a["ended"]["done"], 1);
    assert_eq!(a["duration"]["max"], 2_000.0);
    assert_eq!(a["wait"]["max"], 2_000.0);
    assert_eq!(told["operations"]["b"]["store"]["waiting"], json!({ "no-runner": 1 }));
    assert_eq!(told["process"]["concurrency"], 1);
}

#[test]
fn a_ready_task_waits_for_the_first_that_holds_all_of_its_operation_back() {
    let mut bench = started(9, "a", Some(1));
    bench.add("a", 0.0);
    let next = bench.add("a", 0.0);
    bench.add("a", 0.0);
    let told = metrics(&mut bench);
    let store = &told["operations"]["a"]["store"];
    assert_eq!(store["waiting"], json!({ "limit": 2 }));
    assert_eq!((&store["tasks"]["running"], &store["runners"]), (&json!(1), &json!(1)));
    assert_eq!(store["nextReadyAt"], bench.get(next).task.created_at.0);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    let told = metrics(&mut bench);
    let store = &told["operations"]["a"]["store"];
    assert_eq!((&store["waiting"]["limit"], &store["paused"]), (&json!(2), &json!(true)));
}

#[test]
fn a_run_that_is_given_back_is_postponed_whether_for_a_time_or_not() {
    for delay_ms in [None, Some(5_000)] {
        let mut bench = started(1, "a", None);
        let id = bench.add("a", 0.0);
        let options = PostponeOptions { delay_ms, reason: engine_error("Error", "later") };
        bench.call(|ticket| Input::PostponeTask(ticket, id, options));
        let told = metrics(&mut bench);
        let ended = &told["operations"]["a"]["runs"]["ended"];
        assert_eq!((&ended["postponed"], &ended["snoozed"]), (&json!(1), &json!(0)), "{told}");
    }
}

#[test]
fn what_is_said_of_the_whole_store_is_no_operation() {
    let mut bench = Bench::new(1);
    let options = OperationOptions::at_once(1);
    bench.call(|ticket| Input::Define(ticket, WHOLE_STORE.into(), options));
    bench.add("a", 0.0);
    let told = metrics(&mut bench);
    let names: Vec<_> = told["operations"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["a"]);
    let store = &told["store"];
    assert_eq!((&store["processes"], &store["schedules"]), (&json!(1), &json!(0)));
    assert_eq!(store["bytes"], Value::Null);
}

#[test]
fn figures_count_from_earlier_ones_of_their_handle() {
    let mut bench = started(1, "a", None);
    bench.fail_next(Code::Full);
    bench.call(|ticket| Input::Add(ticket, def("a")));
    bench.add("a", 0.0);
    bench.wait(2_000);
    bench.settle_oldest(Settlement::Returned(None));
    let earlier = figures(&mut bench);
    bench.add("a", 0.0);
    bench.add("b", 0.0);
    bench.wait(1_000);
    bench.settle_oldest(Settlement::Returned(None));
    let mut later = figures(&mut bench);
    later.count_from(&earlier);
    assert_eq!((later.since, later.refused.len()), (earlier.at, 0));
    let meters = later.operations.iter().map(|one| (&*one.name, &one.meter));
    let counts = meters.map(|(name, one)| (name, one.added, one.started, one.run.count()));
    assert_eq!(counts.collect::<Vec<_>>(), [("a", 1, 1, 1), ("b", 1, 0, 0)]);
    let a = &later.operations[0];
    assert_eq!(
        (a.meter.ended().next(), a.gauges.tasks.of(State::Done)),
        (Some((State::Done, 1)), 2)
    );
    assert_eq!(a.meter.run.sum(), 1_000_000);
}

#[test]
fn what_was_not_committed_is_not_counted_but_as_refused() {
    let mut bench = Bench::new(1);
    bench.fail_next(Code::Full);
    let refused = bench.call(|ticket| Input::Add(ticket, def("a")));
    assert!(matches!(refused, Effect::Refuse(..)), "{refused:?}");
    bench.add("a", 0.0);
    let told = metrics(&mut bench);
    assert_eq!(told["operations"]["a"]["added"], 1);
    assert_eq!(told["process"]["refused"], json!({ "TASKER_FULL": 1 }));
}

#[test]
fn each_process_counts_what_it_committed_and_tells_the_same_of_the_store() {
    let mut bench = Bench::new(1);
    bench.add("a", 0.0);
    let mut other = bench.beside(1);
    other.add("a", 0.0);
    other.add("a", 0.0);
    let (own, its) = (metrics(&mut bench), metrics(&mut other));
    let added = |told: &Value| told["operations"]["a"]["added"].clone();
    assert_eq!((added(&own), added(&its)), (json!(1), json!(2)));
    assert_eq!(own["store"], its["store"]);
    assert_eq!(own["operations"]["a"]["store"], its["operations"]["a"]["store"]);
    assert_eq!(own["operations"]["a"]["store"]["tasks"]["ready"], 3);
}

#[test]
fn of_many_operations_the_busiest_are_told_by_name() {
    let mut bench = Bench::new(1);
    for _ in 0..3 {
        bench.add("often", 0.0);
    }
    bench.add("a", 0.0);
    bench.add("b", 0.0);
    let told: Value = serde_json::from_str(&asked(&mut bench, Format::Json, 1)).unwrap();
    let names: Vec<_> = told["operations"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["_other", "often"]);
    assert_eq!(told["operations"]["_other"]["store"]["tasks"]["ready"], 2);
}

/// What has a head has samples of its name; each line is a head or a sample.
#[test]
fn the_text_has_a_head_for_each_family_and_open_metrics_an_end() {
    let mut bench = started(1, "a\"\n\\", None);
    bench.add("a\"\n\\", 0.0);
    let lines_of = lines(&mut bench, Format::Prometheus);
    let label = r#"tasker_tasks_added_total{operation="a\"\n\\"} 1"#;
    assert!(lines_of.iter().any(|line| line == label), "{lines_of:#?}");
    let families = lines_of.iter().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: Vec<_> = families.filter_map(|rest| rest.split(' ').next()).collect();
    let is_known = |line: &String| {
        line.starts_with('#') || families.iter().any(|family| line.starts_with(family))
    };
    assert!(lines_of.iter().all(is_known), "{lines_of:#?}");
    let open = lines(&mut bench, Format::OpenMetrics);
    assert_eq!(open.last().unwrap(), "# EOF");
    assert!(open.contains(&"# TYPE tasker_tasks_added counter".to_owned()));
}
