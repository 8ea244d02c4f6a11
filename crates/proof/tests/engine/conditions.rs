//! Conditions that count runs: alone, and with others on the same disk.

use tasker_core::condition::Conditions;
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::limits::CONDITIONS_ALIKE_MAX;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Json, NewTask, Priority};
use tasker_engine::effect::Effect;
use tasker_engine::input::{Input, StopOptions};
use tasker_proof::faulty_store::Call;

use crate::bench::{self, Bench};

/// One condition on what runs.
fn running(query: &str, limit: i64) -> String {
    format!(r#"{{"scope":"running","query":{query},"limit":{limit}}}"#)
}

fn with(def: &mut NewTask, data: &str, conditions: &[String]) {
    def.data = Some(Json::trusted(data));
    let text = format!("[{}]", conditions.join(","));
    def.options.conditions = Conditions::read(&text, "concurrency").unwrap();
}

/// Adds a task about a book, which runs beside so many others about it.
fn add_about(bench: &mut Bench, book: &str, limit: i64) -> TaskId {
    let query = format!(r#"{{"data.book":"{book}"}}"#);
    let data = format!(r#"{{"book":"{book}"}}"#);
    bench.add_with("a", |def| with(def, &data, &[running(&query, limit)]))
}

fn done(bench: &mut Bench) {
    bench.settle_oldest(Settlement::Returned(None));
}

#[test]
fn a_limit_of_nothing_lets_one_run_and_a_limit_of_one_two() {
    for (limit, at_once) in [(0, 1), (1, 2), (2, 3)] {
        let mut bench = Bench::started(10);
        let ids: Vec<TaskId> = (0..5).map(|_| add_about(&mut bench, "dune", limit)).collect();
        assert_eq!(bench.starts(), ids[..at_once]);
        done(&mut bench);
        assert_eq!(bench.starts(), ids[..=at_once]);
    }
}

#[test]
fn other_books_and_tasks_without_conditions_go_on() {
    let mut bench = Bench::started(10);
    let first = add_about(&mut bench, "dune", 0);
    let waits = add_about(&mut bench, "dune", 0);
    let other = add_about(&mut bench, "emma", 0);
    let plain = bench.add("a", 0.0);
    assert_eq!(bench.starts(), [first, other, plain]);
    assert_eq!(bench.state(waits), State::Ready);
    done(&mut bench);
    assert_eq!(bench.starts().last(), Some(&waits));
}

#[test]
fn a_run_that_was_there_before_any_condition_counts() {
    let mut bench = Bench::started(10);
    let plain = bench.add_with("a", |def| def.data = Some(Json::trusted(r#"{"book":"dune"}"#)));
    let waits = add_about(&mut bench, "dune", 0);
    assert_eq!(bench.starts(), [plain]);
    done(&mut bench);
    assert_eq!(bench.starts(), [plain, waits]);
}

#[test]
fn what_begins_in_one_turn_counts_in_it() {
    let mut bench = Bench::new(10);
    bench.assign("a", None);
    let ids: Vec<TaskId> = (0..3).map(|_| add_about(&mut bench, "dune", 1)).collect();
    let plain = bench.add_with("a", |def| {
        def.priority = Priority::MAX;
        def.data = Some(Json::trusted(r#"{"book":["dune","emma"]}"#));
    });
    bench.call(Input::Start);
    assert_eq!(bench.starts(), [plain, ids[0]]);
}

#[test]
fn a_task_that_is_given_back_or_tried_again_waits_for_its_conditions() {
    let mut bench = Bench::started(10);
    let first = add_about(&mut bench, "dune", 0);
    let second = add_about(&mut bench, "dune", 0);
    bench.turn(vec![Input::Postpone(1)]);
    assert_eq!(bench.starts(), [first, first], "it stands before the second one");
    bench.turn(vec![Input::Settle(2, Settlement::Snoozed(70))]);
    assert_eq!(bench.starts(), [first, first, second]);
    bench.advance(70);
    assert_eq!((bench.state(first), bench.running_of("a")), (State::Ready, 1));
    done(&mut bench);
    assert_eq!(bench.starts(), [first, first, second, first]);
}

#[test]
fn runs_of_other_processes_count_and_their_ends_open() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    let first = add_about(&mut one, "dune", 0);
    let waits = add_about(&mut two, "dune", 0);
    let other = add_about(&mut two, "emma", 0);
    assert_eq!((one.starts(), two.starts()), (vec![first], vec![other]));
    let third = add_about(&mut one, "emma", 0);
    assert_eq!(one.starts(), [first], "which runs in the other one");
    done(&mut two);
    assert_eq!(two.starts(), [other, third]);
    one.call(|t| Input::Unassign(t, "a".into()));
    done(&mut one);
    two.look();
    assert_eq!(two.starts(), [other, third, waits]);
}

#[test]
fn what_another_process_begins_after_the_first_look_counts() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    let first = add_about(&mut one, "dune", 0);
    let waits = add_about(&mut one, "dune", 0);
    // The other one begins runs that the first has not seen, some of which are over by then.
    let plain = |two: &mut Bench| {
        two.add_with("a", |def| def.data = Some(Json::trusted(r#"{"book":"dune"}"#)))
    };
    let (over, lasts) = (plain(&mut two), plain(&mut two));
    done(&mut two);
    done(&mut one);
    assert_eq!((one.starts(), one.state(waits)), (vec![first], State::Ready));
    assert_eq!(two.starts(), [over, lasts]);
    two.call(|t| Input::Unassign(t, "a".into()));
    done(&mut two);
    one.look();
    assert_eq!(one.starts(), [first, waits]);
}

#[test]
fn a_process_that_opens_learns_the_conditions_of_what_waits() {
    let mut bench = Bench::started(10);
    let first = add_about(&mut bench, "dune", 0);
    let ids: Vec<TaskId> = (0..3).map(|_| add_about(&mut bench, "dune", 0)).collect();
    let other = add_about(&mut bench, "emma", 0);
    bench.crash();
    bench.assign("a", None);
    bench.call(Input::Start);
    // The one that was lost stands before them.
    assert_eq!(bench.starts(), [first, other, first, other]);
    assert!(ids.iter().all(|id| bench.state(*id) == State::Ready));
}

#[test]
fn the_runs_of_a_dead_process_are_given_back_and_count_no_more() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    one.call(|t| Input::Unassign(t, "a".into()));
    let lost = add_about(&mut two, "dune", 0);
    let waits = add_about(&mut one, "dune", 0);
    one.assign("a", None);
    assert!(one.starts().is_empty());
    two.die();
    one.look();
    assert_eq!(one.starts(), [lost]);
    done(&mut one);
    assert_eq!(one.starts(), [lost, waits]);
}

#[test]
fn a_run_that_has_halted_counts() {
    let mut bench = Bench::started(10);
    let first = add_about(&mut bench, "dune", 0);
    let waits = add_about(&mut bench, "dune", 0);
    bench.call(|t| Input::Pause(t, first));
    bench.turn(vec![Input::Halt(1)]);
    assert_eq!((bench.state(first), bench.state(waits)), (State::Paused, State::Ready));
    bench.crash();
    bench.assign("a", None);
    bench.call(Input::Start);
    assert_eq!(bench.starts(), [first, waits], "it has lost its run");
}

#[test]
fn a_definition_that_replaces_another_brings_its_conditions() {
    let mut bench = Bench::started(10);
    let keyed = |def: &mut NewTask, book: &str| {
        let query = format!(r#"{{"data.book":"{book}"}}"#);
        with(def, &format!(r#"{{"book":"{book}"}}"#), &[running(&query, 0)]);
        let unique = Unique {
            key: "k".into(),
            hold: UniqueWhile::New,
            ttl_ms: None,
            on_conflict: OnConflict::Replace,
        };
        def.options.unique = Some(unique.into());
    };
    let first = add_about(&mut bench, "dune", 0);
    let add = |bench: &mut Bench, book: &str| {
        let mut def = bench::def("a");
        keyed(&mut def, book);
        bench.call(|t| Input::Add(t, def))
    };
    add(&mut bench, "dune");
    assert_eq!(bench.starts(), [first]);
    add(&mut bench, "emma");
    assert_eq!(bench.starts().len(), 2, "it waits for another book now");
    let rows = [("dune", 2), ("emma", 2), ("emil", 3)];
    for (book, starts) in rows {
        add(&mut bench, book);
        assert_eq!(bench.starts().len(), starts, "{book}");
    }
}

#[test]
fn a_limit_below_nothing_holds_for_ever_and_nobody_else_up() {
    let mut bench = Bench::started(10);
    let never = add_about(&mut bench, "dune", -1);
    let next = add_about(&mut bench, "dune", 0);
    assert_eq!((bench.state(never), bench.starts()), (State::Ready, vec![next]));
    done(&mut bench);
    assert_eq!(bench.state(never), State::Ready);
}

#[test]
fn a_turn_that_only_looks_commits_nothing() {
    let mut bench = Bench::started(10);
    add_about(&mut bench, "dune", 0);
    for _ in 0..10 {
        add_about(&mut bench, "dune", 0);
    }
    let before = bench.batches();
    bench.turn(Vec::new());
    bench.look();
    assert_eq!(bench.batches(), before);
}

#[test]
fn a_turn_that_is_not_committed_counts_nothing() {
    let mut bench = Bench::started(10);
    let first = add_about(&mut bench, "dune", 0);
    let second = add_about(&mut bench, "dune", 0);
    bench.fail_next(Code::Full);
    done(&mut bench);
    assert_eq!((bench.state(first), bench.state(second)), (State::Running, State::Ready));
    bench.advance(100);
    assert_eq!(bench.starts(), [first, second]);
    bench.fail_next(Code::Full);
    let ticket = bench.ticket();
    let mut def = bench::def("a");
    with(&mut def, r#"{"book":"emma"}"#, &[running(r#"{"data.book":"emma"}"#, 0)]);
    let effects = bench.turn(vec![Input::Add(ticket, def)]);
    assert!(matches!(&effects[..], [Effect::Refuse(..)]));
    let third = add_about(&mut bench, "emil", 0);
    assert_eq!(bench.starts(), [first, second, third]);
}

#[test]
fn what_cannot_be_read_is_read_again() {
    for call in [Call::Contents, Call::LiveRuns] {
        let mut one = Bench::started(10);
        let mut two = one.beside(10);
        two.assign("a", None);
        let first = add_about(&mut one, "dune", 0);
        one.call(|t| Input::Unassign(t, "a".into()));
        let waits = add_about(&mut one, "dune", 0);
        two.fail_call(call, Code::Busy);
        two.look();
        two.look();
        assert_eq!(two.starts(), []);
        done(&mut one);
        two.look();
        assert_eq!((one.starts(), two.starts()), (vec![first], vec![waits]), "{call:?}");
    }
}

#[test]
fn a_stop_gives_runs_back_and_others_take_their_place() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    let first = add_about(&mut one, "dune", 0);
    let stop = one.ticket();
    one.turn(vec![Input::Stop(stop, StopOptions { timeout_ms: Some(0), on_stop: None })]);
    two.look();
    assert_eq!(two.starts(), [first]);
}

/// I-17
#[test]
fn conditions_that_no_value_tells_apart_are_bounded() {
    let mut bench = Bench::new(1);
    let limit = CONDITIONS_ALIKE_MAX;
    let mut add = |n: usize| {
        let mut def = bench::def("a");
        with(&mut def, "{}", &[running(&format!(r#"{{"data.n":{{"$gt":{n}}}}}"#), 0)]);
        bench.call(|t| Input::Add(t, def))
    };
    for n in 0..limit {
        assert!(matches!(add(n), Effect::Answer(..)), "{n}");
    }
    let Effect::Refuse(_, error) = add(limit) else { panic!("one too many") };
    assert_eq!((error.code(), error.facts().path.as_deref()), (Code::Limit, Some("concurrency")));
    assert!(matches!(add(0), Effect::Answer(..)), "that is there already");
}
