//! Conditions of operations and of the whole store, with values of the tasks that are added.

use tasker_core::condition::Template;
use tasker_core::error::{Code, Error};
use tasker_core::id::TaskId;
use tasker_core::operation::{OperationOptions, WHOLE_STORE};
use tasker_core::task::{Json, NewTask};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;

use crate::bench::Bench;

const BOOK: &str = r#"{"scope":"running","query":{"data.book":{"$task":"data.book"}},"limit":0}"#;
const ALONE: &str = r#"{"scope":"running","query":{},"limit":0}"#;

/// Says what must hold for the tasks of an operation, or of all.
fn define(bench: &mut Bench, operation: &str, conditions: &[&str]) {
    let text = format!("[{}]", conditions.join(","));
    let conditions = Some(Template::read(&text, "conditions").unwrap());
    let options = OperationOptions { conditions, ..OperationOptions::default() };
    let answer = bench.call(|ticket| Input::Define(ticket, operation.into(), options));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
}

fn add(bench: &mut Bench, operation: &str, data: &str) -> TaskId {
    bench.add_with(operation, |def| def.data = Some(Json::trusted(data)))
}

fn shown(bench: &Bench, id: TaskId) -> String {
    bench.get(id).task.def.conditions().text().to_owned()
}

#[test]
fn what_an_operation_says_holds_for_its_tasks_with_their_own_values() {
    let mut bench = Bench::started(10);
    define(&mut bench, "a", &[BOOK]);
    let dune = add(&mut bench, "a", r#"{"book":"dune"}"#);
    let waits = add(&mut bench, "a", r#"{"book":"dune"}"#);
    let emma = add(&mut bench, "a", r#"{"book":"emma"}"#);
    assert_eq!(bench.starts(), [dune, emma]);
    let expected = r#"[{"scope":"running","query":{"data.book":"dune"},"limit":0}]"#;
    assert_eq!(shown(&bench, waits), expected);
}

#[test]
fn what_is_said_of_all_of_an_operation_and_of_a_task_adds_up() {
    let mut bench = Bench::started(10);
    define(&mut bench, WHOLE_STORE, &[r#"{"scope":"running","query":{"label":"x"},"limit":0}"#]);
    define(&mut bench, "a", &[BOOK]);
    let own = tasker_core::condition::Conditions::read(&format!("[{ALONE}]"), "x").unwrap();
    let id = bench.add_with("a", |def: &mut NewTask| def.options.conditions = own);
    let expected = concat!(
        r#"[{"scope":"running","query":{"label":"x"},"limit":0},"#,
        r#"{"scope":"running","query":{"data.book":null},"limit":0},"#,
        r#"{"scope":"running","query":{},"limit":0}]"#,
    );
    assert_eq!(shown(&bench, id), expected);
    let other = add(&mut bench, "other", "1");
    assert_eq!(shown(&bench, other), r#"[{"scope":"running","query":{"label":"x"},"limit":0}]"#);
}

#[test]
fn a_change_concerns_what_is_added_later_also_elsewhere_and_after_a_crash() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    define(&mut one, WHOLE_STORE, &[ALONE]);
    two.look();
    let bound = add(&mut two, "a", "1");
    define(&mut two, WHOLE_STORE, &[]);
    one.crash();
    let free = add(&mut one, "a", "2");
    let all = format!("[{ALONE}]");
    assert_eq!([shown(&one, bound), shown(&one, free)], [all, "[]".to_owned()]);
}

#[test]
fn who_replaces_the_conditions_of_the_store_is_told_what_was_said_before() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    let read = |text: &str| Template::read(&format!("[{text}]"), "conditions").unwrap();
    let say = |bench: &mut Bench, name: &str, conditions: &str| {
        let options =
            OperationOptions { conditions: Some(read(conditions)), ..OperationOptions::default() };
        match bench.call(|ticket| Input::Define(ticket, name.into(), options)) {
            Effect::Answer(_, Answer::Done) => None,
            Effect::Answer(_, Answer::Json(texts)) => Some(texts),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(say(&mut one, WHOLE_STORE, ALONE), None);
    assert_eq!(say(&mut two, WHOLE_STORE, ALONE), None, "the same is no news");
    let texts = |before, now| Some(format!("[{},{}]", read(before).text(), read(now).text()));
    assert_eq!(say(&mut two, WHOLE_STORE, BOOK), texts(ALONE, BOOK));
    assert_eq!(say(&mut one, WHOLE_STORE, ""), texts(BOOK, ""));
    assert_eq!(say(&mut two, WHOLE_STORE, ALONE), None, "nothing was said");
    assert_eq!([say(&mut one, "a", ALONE), say(&mut one, "a", BOOK)], [None, None]);
}

#[test]
fn a_task_whose_value_cannot_stand_in_a_query_is_refused_and_none_of_its_call_is_added() {
    let mut bench = Bench::started(10);
    define(&mut bench, "a", &[BOOK]);
    let with = |data: &str| NewTask { data: Some(Json::trusted(data)), ..NewTask::new("a") };
    let tasks = vec![with(r#"{"book":1}"#), with(r#"{"book":{"$gt":""}}"#)];
    let refused: Error = match bench.call(|ticket| Input::AddMany(ticket, tasks)) {
        Effect::Refuse(_, error) => error,
        other => panic!("{other:?}"),
    };
    let facts = (refused.code(), refused.facts().path.as_deref());
    assert_eq!(facts, (Code::InvalidQuery, Some("[1].conditions")));
    assert_eq!(bench.memory().counts.total(), 0);
}
