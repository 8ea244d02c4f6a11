//! Changing the definition of a task that waits.

use tasker_core::condition::Template;
use tasker_core::error::{Code, Error};
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::patch::{self, Patch};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Cause, Json, NewTask, QueueTimeout, StartTime, TaskOptions,
};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RetryOptions, Update};

use crate::bench::{Bench, def};

const BOOK: &str = r#"[{"scope":"running","query":{"data.book":{"$task":"data.book"}},"limit":0}]"#;
const ALONE: &str = r#"[{"scope":"running","query":{},"limit":0}]"#;

fn update_of(patch: &str, only_if: Option<&str>) -> Box<Update> {
    let only_if = only_if.map(|query| patch::condition(query).unwrap());
    Box::new(Update { patch: Patch::read(patch).unwrap(), only_if })
}

fn try_update(
    bench: &mut Bench,
    id: TaskId,
    patch: &str,
    only_if: Option<&str>,
) -> Result<bool, Error> {
    match bench.call(|ticket| Input::Update(ticket, id, update_of(patch, only_if))) {
        Effect::Answer(_, Answer::Flag(changed)) => Ok(changed),
        Effect::Refuse(_, error) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn update(bench: &mut Bench, id: TaskId, patch: &str) -> bool {
    try_update(bench, id, patch, None).unwrap()
}

fn data(book: &str) -> Option<Json> {
    Some(Json::trusted(&format!("{{\"book\":\"{book}\"}}")))
}

fn stored(bench: &Bench, id: TaskId) -> NewTask {
    bench.get(id).task.def
}

fn conditions(bench: &Bench, id: TaskId) -> String {
    stored(bench, id).conditions().text().to_owned()
}

fn define(bench: &mut Bench, conditions: &str) {
    let conditions = Some(Template::read(conditions, "conditions").unwrap());
    let options = OperationOptions { conditions, ..OperationOptions::default() };
    let answer = bench.call(|ticket| Input::Define(ticket, "a".into(), options));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
}

fn queue_timeout(after_ms: u64) -> QueueTimeout {
    QueueTimeout { after_ms, then: AfterQueueTimeout::Abort, ends_at: None }
}

#[test]
fn what_is_named_changes_and_the_rest_stays_also_after_a_crash() {
    let mut bench = Bench::new(1);
    let id = bench.add_with("a", |def| {
        def.data = data("dune");
        def.options.label = Some(Json::trusted("\"old\""));
        def.options.run_timeout_ms = Some(70);
    });
    assert!(update(&mut bench, id, r#"{"label":"new","tags":["x"],"priority":4}"#));
    let expected = NewTask {
        data: data("dune"),
        options: TaskOptions {
            label: Some(Json::trusted("\"new\"")),
            tags: Some(Json::trusted("[\"x\"]")),
            run_timeout_ms: Some(70),
            ..TaskOptions::default()
        }
        .into(),
        priority: crate::bench::priority(4.0),
        ..def("a")
    };
    assert_eq!(stored(&bench, id), expected);
    bench.crash();
    assert_eq!(stored(&bench, id), expected);
}

#[test]
fn what_starts_has_the_new_definition_in_the_same_turn_and_elsewhere() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    two.assign("a", None);
    let (blocker, id) = (two.add("a", 9.0), two.add("a", 0.0));
    two.look();
    assert!(update(&mut one, id, r#"{"data":2}"#));
    two.look();
    two.settle_oldest(Settlement::Returned(None));
    assert_eq!(two.starts(), [blocker, id]);
    assert_eq!(two.started_data(), Some(Json::trusted("2")));
    let again = one.add("a", 0.0);
    let (ticket, start, assign) = (one.ticket(), one.ticket(), one.ticket());
    two.die();
    one.turn(vec![
        Input::Assign(assign, "a".into(), None),
        Input::Start(start),
        Input::Update(ticket, again, update_of(r#"{"data":4,"priority":5}"#, None)),
    ]);
    assert_eq!(
        (one.starts().first(), one.started_data()),
        (Some(&again), Some(Json::trusted("4")))
    );
}

#[test]
fn it_changes_only_if_the_task_matches_at_that_moment() {
    let mut bench = Bench::new(1);
    let id = bench.add_with("a", |def| def.data = data("dune"));
    let is_dune = Some(r#"{"data.book":"dune","state":"ready","attempt":0}"#);
    let tickets = [bench.ticket(), bench.ticket()];
    let emma = update_of(r#"{"data":{"book":"emma"}}"#, is_dune);
    let other = update_of(r#"{"data":{"book":"other"}}"#, is_dune);
    let effects =
        bench.turn(vec![Input::Update(tickets[0], id, emma), Input::Update(tickets[1], id, other)]);
    let flags = effects.iter().filter_map(|effect| match effect {
        Effect::Answer(_, Answer::Flag(flag)) => Some(*flag),
        _ => None,
    });
    assert_eq!(flags.collect::<Vec<_>>(), [true, false]);
    assert_eq!(stored(&bench, id).data, data("emma"));
    assert!(!try_update(&mut bench, id, r#"{"priority":1}"#, is_dune).unwrap());
    let batches = bench.batches();
    assert!(!try_update(&mut bench, id, r#"{"priority":1}"#, is_dune).unwrap());
    assert_eq!(bench.batches(), batches, "what changes nothing writes nothing");
}

#[test]
fn what_runs_or_has_ended_is_left_as_it_is() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    assert!(!update(&mut bench, id, r#"{"data":1}"#));
    bench.settle_oldest(Settlement::Returned(None));
    assert!(!update(&mut bench, id, r#"{"data":1}"#));
    assert_eq!(stored(&bench, id).data, Some(crate::bench::json()));
    let nobody = crate::bench::unknown_task();
    let error = try_update(&mut bench, nobody, r#"{"data":1}"#, None).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

/// Model §6 H: the templates follow the data, and what the task says itself stays.
#[test]
fn conditions_are_resolved_again_with_the_new_data() {
    let mut bench = Bench::started(10);
    define(&mut bench, BOOK);
    let runs = bench.add_with("a", |def| def.data = data("dune"));
    let own = tasker_core::condition::Conditions::read(ALONE, "x").unwrap();
    let id = bench.add_with("a", |def| {
        def.data = data("dune");
        def.options.conditions = own;
    });
    assert_eq!(bench.starts(), [runs]);
    assert!(update(&mut bench, id, r#"{"data":{"book":"emma"}}"#));
    let emma = r#"{"scope":"running","query":{"data.book":"emma"},"limit":0}"#;
    let alone = ALONE.trim_matches(['[', ']']);
    assert_eq!(conditions(&bench, id), format!("[{emma},{alone}]"));
    // Its own condition goes, and that of its operation holds.
    assert!(update(&mut bench, id, r#"{"concurrency":[]}"#));
    assert_eq!(conditions(&bench, id), format!("[{emma}]"));
    assert_eq!(bench.starts(), [runs, id]);
}

#[test]
fn what_conditions_do_not_look_at_leaves_them_as_they_were_fixed() {
    let mut bench = Bench::new(1);
    define(&mut bench, ALONE);
    let id = bench.add("a", 0.0);
    define(&mut bench, "[]");
    assert!(update(&mut bench, id, r#"{"runTimeout":500}"#));
    assert_eq!(conditions(&bench, id), ALONE);
    assert!(update(&mut bench, id, r#"{"label":"x"}"#));
    assert_eq!(conditions(&bench, id), "[]");
}

#[test]
fn a_start_time_counts_from_the_call_and_moves_the_task() {
    let mut bench = Bench::started(1);
    let blocker = bench.add("a", 0.0);
    let id = bench.add("a", 0.0);
    assert!(update(&mut bench, id, r#"{"delay":50}"#));
    assert_eq!(bench.state(id), State::Delayed);
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(40);
    // Later, then sooner: the earlier timers fire for nothing.
    assert!(update(&mut bench, id, r#"{"delay":100}"#));
    bench.advance(20);
    assert_eq!(bench.starts(), [blocker]);
    assert!(update(&mut bench, id, r#"{"label":"it waits on"}"#));
    assert_eq!(bench.state(id), State::Delayed);
    assert!(update(&mut bench, id, r#"{"runAt":-5}"#));
    assert_eq!(bench.starts(), [blocker, id]);
}

/// Model §6 D: what counts stands still while a task is paused.
#[test]
fn a_delay_of_a_paused_task_begins_when_it_is_resumed() {
    let mut bench = Bench::started(1);
    let blocker = bench.add("a", 0.0);
    let id = bench.add_with("a", |def| def.options.queue_timeout = Some(queue_timeout(500)));
    bench.call(|ticket| Input::Pause(ticket, id));
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(1_000);
    assert!(update(&mut bench, id, r#"{"delay":50}"#));
    assert_eq!(bench.state(id), State::Paused);
    bench.advance(1_000);
    bench.call(|ticket| Input::Resume(ticket, id));
    let wall = bench.wall();
    let options = &stored(&bench, id).options;
    assert_eq!(options.start_time, Some(StartTime::Delayed(WallMs(wall.0 + 50))));
    let ends_at = options.queue_timeout.and_then(|timeout| timeout.ends_at);
    assert_eq!(ends_at, Some(WallMs(wall.0 + 550)));
    bench.advance(50);
    assert_eq!(bench.starts(), [blocker, id]);
}

#[test]
fn a_queue_timeout_begins_anew_and_the_old_one_ends_nothing() {
    let mut bench = Bench::new(1);
    let id = bench.add_with("a", |def| def.options.queue_timeout = Some(queue_timeout(50)));
    bench.advance(40);
    assert!(update(&mut bench, id, r#"{"queueTimeout":50}"#));
    bench.advance(40);
    assert_eq!(bench.state(id), State::Ready);
    assert!(update(&mut bench, id, r#"{"queueTimeout":false}"#));
    bench.advance(100);
    assert_eq!(bench.state(id), State::Ready);
    assert!(update(&mut bench, id, r#"{"queueTimeout":10}"#));
    bench.advance(10);
    assert_eq!(bench.state(id), State::Aborted);
}

#[test]
fn the_queue_timeout_of_a_paused_task_that_is_blocked_begins_with_its_last_dependency() {
    let mut bench = Bench::started(1);
    let dependency = bench.add("a", 0.0);
    let id = bench.add_with("a", |def| {
        let on = vec![tasker_core::dependency::Dependency::Task(dependency)];
        let on_failure = tasker_core::dependency::OnFailure::Run;
        let all = tasker_core::dependency::Dependencies { on, on_failure, is_list: true };
        def.options.depends_on = Some(all.into());
    });
    bench.call(|ticket| Input::Pause(ticket, id));
    assert!(update(&mut bench, id, r#"{"queueTimeout":50}"#));
    bench.advance(100);
    bench.call(|ticket| Input::Resume(ticket, id));
    bench.advance(100);
    assert_eq!(bench.state(id), State::Blocked);
    bench.call(|ticket| Input::PauseOperation(ticket, "a".into(), true));
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(40);
    assert_eq!(bench.state(id), State::Ready);
    bench.advance(10);
    assert_eq!(bench.state(id), State::Aborted);
}

#[test]
fn a_blocked_task_and_one_between_attempts_wait_on() {
    let mut bench = Bench::started(1);
    let id = bench.add_with("a", |def| {
        def.options.retry = tasker_core::retry::read(
            r#"{"attempts":2,"backoff":{"type":"fixed","delay":50}}"#,
            "retry",
        )
        .ok()
        .map(Into::into);
    });
    bench.settle_oldest(Settlement::Threw(crate::bench::json()));
    assert_eq!(bench.state(id), State::Delayed);
    assert!(update(&mut bench, id, r#"{"data":2,"retry":5}"#));
    assert_eq!(bench.state(id), State::Delayed);
    let blocked = bench.add_with("a", |def| {
        let on = vec![tasker_core::dependency::Dependency::Task(id)];
        let on_failure = tasker_core::dependency::OnFailure::Abort;
        let all = tasker_core::dependency::Dependencies { on, on_failure, is_list: true };
        def.options.depends_on = Some(all.into());
    });
    assert!(update(&mut bench, blocked, r#"{"data":3,"delay":1000}"#));
    assert_eq!(bench.state(blocked), State::Blocked);
    bench.advance(50);
    assert_eq!(bench.started_data(), Some(Json::trusted("2")));
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(blocked), State::Delayed);
    bench.advance(1_000);
    assert_eq!(bench.started_data(), Some(Json::trusted("3")));
}

#[test]
fn a_task_that_is_attached_takes_no_conditions_and_stays_attached() {
    let mut bench = Bench::new(1);
    let id = bench.add_with("a", |def| def.is_attached = true);
    assert!(update(&mut bench, id, r#"{"data":1}"#));
    let error =
        try_update(&mut bench, id, &format!("{{\"concurrency\":{ALONE}}}"), None).unwrap_err();
    assert_eq!(
        (error.code(), error.facts().path.as_deref()),
        (Code::Unsupported, Some("concurrency"))
    );
    bench.crash();
    bench.turn(Vec::new());
    assert_eq!(bench.state(id), State::Aborted);
}

/// A random world found it: the task had ended when the turn began.
#[test]
fn a_task_that_the_same_turn_runs_again_is_changed() {
    let mut bench = Bench::new(1);
    let id = bench.add("a", 0.0);
    bench.call(|ticket| Input::Abort(ticket, id, crate::bench::reason(Cause::User)));
    let tickets = [bench.ticket(), bench.ticket()];
    bench.turn(vec![
        Input::Retry(tickets[0], id, RetryOptions::default()),
        Input::Update(tickets[1], id, update_of(r#"{"data":2}"#, None)),
    ]);
    assert_eq!(
        (bench.state(id), stored(&bench, id).data),
        (State::Ready, Some(Json::trusted("2")))
    );
}
