//! Conditions that count what stands ahead in the queue: readers and writers, alone and in several
//! processes.

use serde_json::{Value, json};
use tasker_core::condition::Conditions;
use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::hold::{HeldBy, HoldId, HoldQuery};
use tasker_core::id::TaskId;
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Json, NewTask, StartTime};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, Question};
use tasker_proof::faulty_store::Call;

use crate::bench::{Bench, def, priority};

const HOUR_MS: u64 = 3_600_000;

/// At most one other reader of the book, no writer of it that runs, and none that stands ahead.
fn reads(book: &str) -> String {
    let of = |operation: &str| format!(r#"{{"operation":"{operation}","data.book":"{book}"}}"#);
    let (readers, writers) = (of("read"), of("write"));
    format!(
        r#"[{{"scope":"running","query":{readers},"limit":1}},
            {{"scope":"running","query":{writers},"limit":0}},
            {{"scope":"before-queued","query":{writers},"limit":0}}]"#
    )
}

/// Nobody else is at the book.
fn writes(book: &str) -> String {
    format!(r#"[{{"scope":"running","query":{{"data.book":"{book}"}},"limit":0}}]"#)
}

fn about(def: &mut NewTask, book: &str, of: f64, conditions: &str) {
    def.data = Some(Json::trusted(&format!(r#"{{"book":"{book}"}}"#)));
    def.priority = priority(of);
    def.options.conditions = Conditions::read(conditions, "concurrency").unwrap();
}

fn read(bench: &mut Bench, of: f64) -> TaskId {
    bench.add_with("read", |def| about(def, "dune", of, &reads("dune")))
}

fn write(bench: &mut Bench, of: f64) -> TaskId {
    bench.add_with("write", |def| about(def, "dune", of, &writes("dune")))
}

fn done(bench: &mut Bench) {
    bench.settle_oldest(Settlement::Returned(None));
}

/// A process that runs these operations, and is started.
fn process(operations: &[&str]) -> Bench {
    let mut bench = Bench::new(9);
    operations.iter().for_each(|operation| bench.assign(operation, None));
    bench.call(Input::Start);
    bench
}

fn beside(bench: &Bench, operations: &[&str]) -> Bench {
    let mut other = bench.beside(9);
    operations.iter().for_each(|operation| other.assign(operation, None));
    other
}

/// A writer that does not overtake readers either. In a process without readers it would: those
/// may start, and their process has not had its turn yet.
fn polite(book: &str) -> String {
    let readers = format!(r#"{{"operation":"read","data.book":"{book}"}}"#);
    let ahead = format!(r#"{{"scope":"before-queued","query":{readers},"limit":0}}"#);
    writes(book).replace(']', &format!(",{ahead}]"))
}

/// R100 W99 W98 R97 R96 R95 W94, added by a process that starts none of them.
fn seven(bench: &mut Bench, writes: &str) -> Vec<TaskId> {
    let tasks = [("r", 100), ("w", 99), ("w", 98), ("r", 97), ("r", 96), ("r", 95), ("w", 94)];
    let add = |(kind, of): &(&str, i32)| match *kind {
        "r" => read(bench, f64::from(*of)),
        _ => bench.add_with("write", |def| about(def, "dune", f64::from(*of), writes)),
    };
    tasks.iter().map(add).collect()
}

#[test]
fn readers_and_writers_of_a_book_take_turns() {
    let mut bench = Bench::new(9);
    let ids = seven(&mut bench, &writes("dune"));
    for operation in ["read", "write"] {
        bench.assign(operation, None);
    }
    bench.call(Input::Start);
    // Who has started after each end.
    for started in [1, 2, 3, 5, 6, 6, 7] {
        assert_eq!(bench.starts(), ids[..started]);
        done(&mut bench);
    }
    assert_eq!(bench.starts().len(), 7);
}

/// Lets each see what the others did, until nothing more starts.
fn look_all(all: &mut [Bench]) {
    for _ in 0..all.len() {
        all.iter_mut().for_each(|bench| drop(bench.look()));
    }
}

#[test]
fn they_do_so_in_two_processes_and_in_three() {
    let two: &[&[&str]] = &[&["read"], &["write"]];
    for processes in [two, &[&["read"], &["write"], &["read", "write"]]] {
        let mut producer = Bench::new(9);
        let mut all: Vec<Bench> =
            processes.iter().map(|operations| beside(&producer, operations)).collect();
        look_all(&mut all);
        let ids = seven(&mut producer, &polite("dune"));
        for started in [1, 2, 3, 5, 6, 6, 7] {
            look_all(&mut all);
            let mut seen: Vec<TaskId> = all.iter().flat_map(Bench::starts).collect();
            let mut expected = ids[..started].to_vec();
            seen.sort_unstable();
            expected.sort_unstable();
            assert_eq!(seen, expected, "{processes:?}");
            // The oldest that runs ends, wherever it does.
            let oldest = ids.iter().find(|id| producer.state(**id) == State::Running);
            let ends = |bench: &&mut Bench| bench.starts().contains(oldest.unwrap());
            done(all.iter_mut().find(ends).unwrap());
        }
    }
}

#[test]
fn writers_of_a_dead_process_hold_nobody_back_until_one_is_back() {
    let mut readers = process(&["read"]);
    let writers = beside(&readers, &["write"]);
    let reading = read(&mut readers, 9.0);
    let writing = write(&mut readers, 8.0);
    let waits = read(&mut readers, 7.0);
    assert_eq!(readers.starts(), [reading]);
    writers.die();
    readers.look();
    assert_eq!(readers.starts(), [reading, waits], "nobody is left who writes");
    let mut back = beside(&readers, &["write"]);
    readers.look();
    let later = read(&mut readers, 6.0);
    done(&mut readers);
    assert_eq!(readers.starts(), [reading, waits], "a writer stands ahead again");
    done(&mut readers);
    back.look();
    assert_eq!(back.starts(), [writing]);
    done(&mut back);
    readers.look();
    assert_eq!(readers.starts(), [reading, waits, later]);
}

#[test]
fn what_stands_ahead_counts_whatever_holds_it_back() {
    let mut bench = process(&["read"]);
    bench.assign("write", Some(1));
    let other = bench.add_with("write", |def| about(def, "emma", 9.0, "[]"));
    let writing = write(&mut bench, 8.0);
    let waits = read(&mut bench, 7.0);
    assert_eq!(bench.starts(), [other], "the limit holds the writer back, and that the reader");
    done(&mut bench);
    assert_eq!(bench.starts(), [other, writing]);
    done(&mut bench);
    assert_eq!(bench.starts(), [other, writing, waits]);
}

#[test]
fn what_has_no_place_in_the_queue_does_not_count() {
    let mut bench = process(&["read", "write"]);
    let first = bench.add_with("write", |def| about(def, "emma", 9.0, &writes("emma")));
    bench.add_with("write", |def| {
        about(def, "dune", 9.0, &writes("dune"));
        def.options.start_time = Some(StartTime::After(HOUR_MS));
    });
    bench.add_with("write", |def| {
        about(def, "dune", 9.0, &writes("dune"));
        let on = vec![Dependency::Task(first)];
        let all = Dependencies { on, on_failure: OnFailure::Abort, is_list: false };
        def.options.depends_on = Some(all.into());
    });
    let one = read(&mut bench, 7.0);
    assert_eq!(bench.starts(), [first, one]);
    let writing = write(&mut bench, 8.0);
    let waits = read(&mut bench, 7.0);
    assert_eq!(bench.state(waits), State::Ready);
    bench.call(|t| Input::Pause(t, writing));
    assert_eq!(bench.starts(), [first, one, waits], "it is paused");
}

#[test]
fn a_pause_of_their_operation_lets_readers_pass() {
    let mut bench = process(&["read", "write"]);
    let first = read(&mut bench, 9.0);
    let writing = write(&mut bench, 8.0);
    let waits = read(&mut bench, 7.0);
    assert_eq!(bench.starts(), [first]);
    bench.call(|t| Input::PauseOperation(t, "write".into(), true));
    assert_eq!(bench.starts(), [first, waits]);
    done(&mut bench);
    done(&mut bench);
    bench.call(|t| Input::PauseOperation(t, "write".into(), false));
    assert_eq!(bench.starts(), [first, waits, writing]);
}

#[test]
fn a_task_attached_elsewhere_counts() {
    let mut one = process(&["read"]);
    let mut two = one.beside(9);
    two.assign("write", Some(1));
    let other = two.add_with("write", |def| about(def, "emma", 9.0, "[]"));
    let attached = two.add_with("write", |def| {
        about(def, "dune", 8.0, "[]");
        def.is_attached = true;
    });
    let waits = read(&mut one, 7.0);
    assert_eq!((one.starts(), two.starts()), (vec![], vec![other]));
    done(&mut two);
    one.look();
    assert_eq!((one.starts(), two.starts()), (vec![], vec![other, attached]));
    done(&mut two);
    one.look();
    assert_eq!(one.starts(), [waits]);
}

#[test]
fn what_replaces_another_counts_with_its_new_data() {
    let mut bench = process(&["read", "write"]);
    let first = read(&mut bench, 9.0);
    let replace = |bench: &mut Bench, book: &str| {
        let mut def = def("write");
        about(&mut def, book, 8.0, &writes("dune"));
        let unique = Unique {
            key: "k".into(),
            hold: UniqueWhile::New,
            ttl_ms: None,
            on_conflict: OnConflict::Replace,
        };
        def.options.unique = Some(unique.into());
        bench.call(|t| Input::Add(t, def))
    };
    replace(&mut bench, "dune");
    let waits = read(&mut bench, 7.0);
    assert_eq!(bench.starts(), [first]);
    replace(&mut bench, "emma");
    assert_eq!(bench.starts(), [first, waits], "it is about another book now");
}

#[test]
fn a_process_that_opens_looks_at_what_stands_ahead() {
    let mut bench = Bench::new(9);
    for n in 0..700 {
        bench
            .add_with("write", |def| about(def, if n == 650 { "dune" } else { "emma" }, 8.0, "[]"));
    }
    let waits = read(&mut bench, 7.0);
    bench.crash();
    bench.assign("read", None);
    let mut writers = bench.beside(1);
    writers.assign("write", None);
    bench.call(Input::Start);
    assert_eq!((bench.starts(), bench.state(waits)), (vec![], State::Ready));
    writers.die();
    bench.look();
    bench.turn(Vec::new());
    assert_eq!(bench.starts(), [waits]);
}

#[test]
fn what_cannot_be_read_is_read_again() {
    for call in [Call::Windows, Call::Contents] {
        let mut bench = Bench::new(9);
        let writing = write(&mut bench, 8.0);
        let waits = read(&mut bench, 7.0);
        bench.crash();
        bench.assign("read", None);
        bench.assign("write", None);
        bench.fail_call(call, Code::Busy);
        bench.call(Input::Start);
        bench.advance(100);
        assert_eq!(bench.starts(), [writing], "{call:?}");
        done(&mut bench);
        assert_eq!(bench.starts(), [writing, waits], "{call:?}");
    }
}

#[test]
fn a_turn_that_is_not_committed_moves_no_bar() {
    let mut bench = process(&["read", "write"]);
    let first = read(&mut bench, 9.0);
    let writing = write(&mut bench, 8.0);
    let waits = read(&mut bench, 7.0);
    bench.fail_next(Code::Full);
    let ticket = bench.ticket();
    let reason = crate::bench::reason(tasker_core::task::Cause::User);
    bench.turn(vec![Input::Abort(ticket, writing, reason)]);
    assert_eq!((bench.starts(), bench.state(writing)), (vec![first], State::Ready));
    bench.advance(100);
    assert_eq!(bench.starts(), [first]);
    done(&mut bench);
    assert_eq!(bench.starts(), [first, writing]);
    done(&mut bench);
    assert_eq!(bench.starts(), [first, writing, waits]);
}

fn reasons(bench: &mut Bench, id: TaskId) -> Value {
    let answer = bench.call(|ticket| Input::Ask(ticket, Question::Task(id)));
    let Effect::Answer(_, Answer::Json(text)) = answer else { panic!("{answer:?}") };
    let mut said: Value = serde_json::from_str(&text).unwrap();
    said["reasons"].take()
}

#[test]
fn an_explanation_names_what_stands_ahead() {
    let mut bench = process(&["read", "write"]);
    read(&mut bench, 9.0);
    let ahead: Vec<String> = (0..3).map(|_| write(&mut bench, 8.0).0.to_string()).collect();
    let waits = read(&mut bench, 7.0);
    let said = reasons(&mut bench, waits);
    let query = json!({ "operation": "write", "data.book": "dune" });
    assert_eq!((&said[0]["reason"], said.as_array().unwrap().len()), (&json!("condition"), 1));
    assert_eq!((&said[0]["scope"], &said[0]["query"]), (&json!("before-queued"), &query));
    assert_eq!((&said[0]["limit"], &said[0]["count"]), (&json!(0), &json!(3)));
    assert_eq!(said[0]["uuids"], json!(ahead));
    // Also of one that has no place in the queue, and in a process that runs none of them.
    let mut other = bench.beside(1);
    let delayed = other.add_with("read", |def| {
        about(def, "dune", 7.5, &reads("dune"));
        def.options.start_time = Some(StartTime::After(HOUR_MS));
    });
    let said = reasons(&mut other, delayed);
    assert_eq!((&said[1]["scope"], &said[1]["count"]), (&json!("before-queued"), &json!(3)));
}

fn hold(bench: &mut Bench, operation: &str) -> HoldId {
    let query = HoldQuery::read(&format!(r#"{{"operation":"{operation}"}}"#)).unwrap();
    let (until, by) = (bench.wall().plus(HOUR_MS), HeldBy { pid: 7, task: None });
    match bench.call(|ticket| Input::Hold(ticket, query, until, by)) {
        Effect::Answer(_, Answer::Number(id)) => HoldId(id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_held_stands_ahead_of_nobody_until_it_is_freed() {
    let mut bench = process(&["read", "write"]);
    let first = read(&mut bench, 9.0);
    let writing = write(&mut bench, 8.0);
    let second = read(&mut bench, 7.0);
    let id = hold(&mut bench, "write");
    assert_eq!(bench.starts(), [first], "it has not come up: it is ready, and counts");
    done(&mut bench);
    assert_eq!((bench.starts(), bench.state(writing)), (vec![first, second], State::Delayed));
    bench.call(|ticket| Input::ReleaseHold(ticket, id));
    let third = read(&mut bench, 6.0);
    assert_eq!((bench.starts(), bench.state(writing)), (vec![first, second], State::Ready));
    done(&mut bench);
    assert_eq!(bench.starts(), [first, second, writing]);
    done(&mut bench);
    assert_eq!(bench.starts(), [first, second, writing, third]);
}

#[test]
fn a_held_reader_lets_a_writer_pass_that_would_wait_for_it() {
    let mut bench = process(&["read", "write"]);
    hold(&mut bench, "read");
    let held = read(&mut bench, 9.0);
    let writing = bench.add_with("write", |def| about(def, "dune", 8.0, &polite("dune")));
    assert_eq!((bench.starts(), bench.state(held)), (vec![writing], State::Delayed));
}
