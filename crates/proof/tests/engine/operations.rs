//! A file knows a bounded number of operations (I-17), and what is said of each holds for all
//! processes.

use tasker_core::error::{Code, Error};
use tasker_core::id::{IdempotencyKey, OperationId};
use tasker_core::limits::OPERATIONS_MAX;
use tasker_core::operation::{OperationOptions, QueueWait, RunTimeout};
use tasker_core::queue_timeout;
use tasker_core::retry;
use tasker_core::rules::Settlement;
use tasker_core::state::{Counts, State};
use tasker_core::store::{Batch, Change, Commit, Lookups, Operation};
use tasker_core::task::{NewTask, OnInterrupted, OnStop, Priority, Unsaid};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, StopOptions, Ticket};
use tasker_proof::conformance::Backend;
use tasker_proof::model::Disk;
use uuid::Uuid;

use crate::bench::{Bench, def};

/// An engine on a file in which there is room for this many more operations.
fn bench(room: usize) -> Bench {
    let disk = Disk::default();
    let mut store = disk.open().unwrap().store;
    let ids = 1..=u16::try_from(OPERATIONS_MAX - room).unwrap();
    let operation = |id| Operation::new(OperationId(id), format!("known {id}"));
    let changes = ids.map(operation).map(|operation| Change::Operation(operation.into())).collect();
    let (owner, at, counts) = (store.owner(), WallMs(0), Counts::default());
    let seq_next = tasker_core::id::Seq(1);
    let notes = Vec::new();
    let batch = Batch { number: 1, owner, at, seq_next, lane_next: 1, counts, changes, notes };
    let committed = store.begin(&Lookups::default).unwrap().commit(&batch);
    assert!(matches!(committed, Commit::Committed));
    drop(store);
    Bench::on(disk, 1)
}

fn refusal(bench: &mut Bench, call: impl FnOnce(Ticket) -> Input) -> Error {
    match bench.call(call) {
        Effect::Refuse(_, error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_operation_is_taken_and_one_more_is_refused() {
    let mut bench = bench(1);
    bench.add("last", 0.0);
    let refused = refusal(&mut bench, |ticket| Input::Add(ticket, def("one more")));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(refused.facts().path.as_deref(), Some("operation"));
    bench.add("last", 0.0);
    bench.crash();
    let refused = refusal(&mut bench, |ticket| Input::Add(ticket, def("one more")));
    assert_eq!(refused.code(), Code::Limit);
    bench.add("known 1", 0.0);
}

#[test]
fn a_call_that_is_refused_for_one_task_adds_none_and_takes_no_room() {
    let mut bench = bench(1);
    let tasks = || ["known 1", "first", "second"].map(def);
    let refused = refusal(&mut bench, |ticket| Input::AddMany(ticket, tasks().into()));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(refused.facts().path.as_deref(), Some("[2].operation"));
    let keyed = |(n, def)| (IdempotencyKey(Uuid::from_u128(n)), def);
    let tasks = (1..).zip(tasks()).map(keyed).collect();
    let refused = refusal(&mut bench, |ticket| Input::AddIdempotent(ticket, tasks));
    assert_eq!(refused.code(), Code::Limit);
    assert_eq!(bench.memory().counts.total(), 0);
    bench.add("second", 0.0);
}

#[test]
fn a_key_that_is_known_takes_no_room_with_another_operation() {
    let mut bench = bench(1);
    let key = IdempotencyKey(Uuid::from_u128(1));
    for operations in [["known 1", "other"], ["first", "second"]] {
        let tasks = operations.map(|operation| (key, def(operation))).to_vec();
        let answer = bench.call(|ticket| Input::AddIdempotent(ticket, tasks));
        assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
    }
    assert_eq!(bench.memory().counts.total(), 1);
    bench.add("last", 0.0);
}

fn define(bench: &mut Bench, operation: &str, options: OperationOptions) {
    let answer = bench.call(|ticket| Input::Define(ticket, operation.into(), options));
    assert!(matches!(answer, Effect::Answer(_, Answer::Done)), "{answer:?}");
}

/// Whether that changed anything.
fn pause(bench: &mut Bench, operation: &str, pauses: bool) -> bool {
    match bench.call(|ticket| Input::PauseOperation(ticket, operation.into(), pauses)) {
        Effect::Answer(_, Answer::Flag(is_changed)) => is_changed,
        other => panic!("{other:?}"),
    }
}

fn priority(value: f64) -> OperationOptions {
    OperationOptions { priority: Priority::new(value).ok(), ..OperationOptions::default() }
}

/// A task of which its caller says nothing.
fn unsaid(operation: &str) -> NewTask {
    NewTask { unsaid: Unsaid::ALL, ..def(operation) }
}

/// I-6
#[test]
fn a_limit_holds_at_once_also_for_tasks_that_wait_and_in_every_process() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    define(&mut one, "a", OperationOptions::at_once(1));
    for _ in 0..6 {
        two.add("a", 0.0);
    }
    one.look();
    assert_eq!(one.starts().len() + two.starts().len(), 1);
    define(&mut one, "a", OperationOptions::at_once(3));
    two.look();
    assert_eq!(one.starts().len() + two.starts().len(), 3);
    define(&mut one, "a", OperationOptions::default());
    two.look();
    assert_eq!(one.starts().len() + two.starts().len(), 6);
}

#[test]
fn a_paused_operation_starts_nothing_in_any_process_and_its_runs_go_on() {
    let mut one = Bench::started(10);
    let mut two = one.beside(10);
    two.assign("a", None);
    one.add("a", 0.0);
    assert_eq!(one.starts().len(), 1);
    assert!(pause(&mut two, "a", true));
    assert!(!pause(&mut one, "a", true), "it is paused already");
    let waiting = [one.add("a", 1.0), two.add("a", 2.0)];
    one.settle_oldest(Settlement::Returned(None));
    one.look();
    two.look();
    assert_eq!((one.starts().len(), two.starts().len()), (1, 0));
    assert!(pause(&mut one, "a", false));
    assert!(!pause(&mut two, "a", false), "it is resumed already");
    assert_eq!(one.starts()[1..], [waiting[1], waiting[0]]);
}

#[test]
fn a_pause_and_a_definition_outlive_every_process() {
    let mut bench = Bench::new(1);
    assert!(pause(&mut bench, "a", true), "nobody has defined it");
    define(&mut bench, "a", OperationOptions::at_once(1));
    bench.wait(5);
    assert!(!pause(&mut bench, "a", true));
    let before = bench.memory().dispatch.record("a");
    assert_eq!(before.paused_at, Some(WallMs(bench.wall().0 - 5)), "since the first time");
    bench.crash();
    assert_eq!(bench.memory().dispatch.record("a"), before);
    bench.assign("a", None);
    bench.call(Input::Start);
    bench.add("a", 0.0);
    assert!(bench.starts().is_empty());
    assert!(pause(&mut bench, "a", false));
    assert_eq!(bench.starts().len(), 1);
}

#[test]
fn an_operation_of_which_nothing_is_known_is_not_paused_and_stays_unknown() {
    let mut bench = Bench::new(1);
    assert!(!pause(&mut bench, "a", false));
    assert_eq!((bench.memory().number, bench.memory().dispatch.operation("a")), (0, None));
}

#[test]
fn what_a_task_does_not_say_its_operation_says_whoever_adds_it() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let options = OperationOptions {
        run_timeout: Some(RunTimeout::Ms(7)),
        retry: retry::read("3", "retry").ok().map(Into::into),
        queue_timeout: queue_timeout::read("9", "x").unwrap().map(QueueWait::AtMost),
        on_interrupted: Some(OnInterrupted::Fail),
        ..priority(9.0)
    };
    define(&mut one, "a", options);
    let (silent, plain) = (two.add_with("a", |def| *def = unsaid("a")), two.add("a", 0.0));
    // As a row of an outbox comes.
    let (row, key) = (unsaid("a"), IdempotencyKey(Uuid::from_u128(1)));
    let answer = two.call(|ticket| Input::AddIdempotent(ticket, vec![(key, row)]));
    let Effect::Answer(_, Answer::Idempotent(rows)) = answer else { panic!("{answer:?}") };
    assert_eq!(two.get(rows[0].0).task.def, two.get(silent).task.def);
    define(&mut one, "a", OperationOptions::default());
    let def = two.get(silent).task.def;
    assert_eq!(
        (def.priority.get(), def.options.run_timeout_ms),
        (9.0, Some(7)),
        "taken when it was added"
    );
    assert_eq!((def.options.on_interrupted, def.unsaid), (OnInterrupted::Fail, Unsaid::NONE));
    assert_eq!(def.options.retry.as_ref().map(|policy| policy.attempts), Some(3));
    let ends_at = def.options.queue_timeout.and_then(|timeout| timeout.ends_at);
    assert_eq!(ends_at, Some(two.wall().plus(9)), "it counts from the add");
    assert_eq!(two.get(plain).task.def, super::bench::def("a"), "it said everything");
    let later = two.add_with("a", |def| *def = unsaid("a"));
    assert_eq!(two.get(later).task.def, super::bench::def("a"));
}

#[test]
fn the_layer_of_define_wins_and_each_replaces_its_own_whole() {
    let mut bench = Bench::new(1);
    let both = OperationOptions { concurrency: Some(5), ..priority(1.0) };
    let answer = bench.call(|ticket| Input::Assign(ticket, "a".into(), Some(both)));
    assert!(matches!(answer, Effect::Answer(..)), "{answer:?}");
    define(&mut bench, "a", priority(2.0));
    let in_force = |bench: &Bench| bench.memory().dispatch.record("a").in_force();
    assert_eq!(in_force(&bench), OperationOptions { concurrency: Some(5), ..priority(2.0) });
    define(&mut bench, "a", OperationOptions::at_once(3));
    assert_eq!(in_force(&bench), OperationOptions { concurrency: Some(3), ..priority(1.0) });
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    bench.assign("a", None);
    assert_eq!(bench.memory().dispatch.record("a").version, 3, "without options nothing changes");
}

#[test]
fn what_a_turn_says_of_an_operation_holds_for_what_it_adds_and_starts() {
    let mut bench = Bench::started(10);
    let (define, add, pause, other) =
        (bench.ticket(), bench.ticket(), bench.ticket(), bench.ticket());
    bench.turn(vec![
        Input::Add(add, unsaid("a")),
        Input::Define(define, "a".into(), priority(9.0)),
        Input::Add(other, unsaid("a")),
        Input::PauseOperation(pause, "a".into(), true),
    ]);
    assert!(bench.starts().is_empty());
    self::pause(&mut bench, "a", false);
    let started = bench.starts();
    let order: Vec<f64> = started.iter().map(|id| bench.get(*id).task.def.priority.get()).collect();
    assert_eq!(order, [9.0, 0.0]);
}

#[test]
fn to_say_the_same_again_writes_nothing() {
    let mut bench = Bench::new(1);
    let say = |bench: &mut Bench| {
        define(bench, "a", priority(1.0));
        bench.assign("b", Some(2));
        bench.call(|ticket| Input::Unassign(ticket, "b".into()));
    };
    say(&mut bench);
    let number = bench.memory().number;
    say(&mut bench);
    bench.crash();
    say(&mut bench);
    assert_eq!(bench.memory().number, number);
}

#[test]
fn a_runner_whose_options_cannot_be_written_is_none() {
    let mut bench = Bench::new(10);
    bench.call(Input::Start);
    bench.add("a", 0.0);
    bench.fail_next(Code::Full);
    let options = OperationOptions::at_once(1);
    let refused =
        refusal(&mut bench, |ticket| Input::Assign(ticket, "a".into(), Some(options.clone())));
    assert_eq!(refused.code(), Code::Full);
    bench.advance(1_000);
    assert!(bench.starts().is_empty());
    assert_eq!(bench.memory().dispatch.record("a").version, 1);
    bench.assign("a", Some(1));
    assert_eq!(bench.starts().len(), 1);
}

#[test]
fn a_later_runner_stays_if_the_options_of_an_earlier_one_cannot_be_written() {
    let mut bench = Bench::new(10);
    bench.add("a", 0.0);
    bench.fail_next(Code::Full);
    let (first, gone, second) = (bench.ticket(), bench.ticket(), bench.ticket());
    bench.turn(vec![
        Input::Assign(first, "a".into(), Some(OperationOptions::at_once(1))),
        Input::Unassign(gone, "a".into()),
        Input::Assign(second, "a".into(), None),
    ]);
    assert!(bench.memory().dispatch.has_runner("a"));
}

#[test]
fn one_operation_more_than_a_file_can_know_is_neither_defined_paused_nor_run() {
    let mut bench = bench(0);
    let calls: [fn(Ticket) -> Input; 3] = [
        |ticket| Input::Define(ticket, "one more".into(), OperationOptions::at_once(1)),
        |ticket| Input::PauseOperation(ticket, "one more".into(), true),
        |ticket| Input::Assign(ticket, "one more".into(), Some(OperationOptions::at_once(1))),
    ];
    for call in calls {
        let refused = refusal(&mut bench, call);
        let facts = (refused.code(), refused.facts().path.as_deref());
        assert_eq!(facts, (Code::Limit, Some("operation")));
    }
    assert!(!bench.memory().dispatch.has_runner("one more"));
    define(&mut bench, "known 1", OperationOptions::at_once(1));
}

#[test]
fn a_stop_does_what_the_operation_says_where_neither_task_nor_call_do() {
    for (said, expected) in [(None, State::Ready), (Some(OnStop::Wait), State::Running)] {
        let mut bench = Bench::started(1);
        let on_stop = Some(OnStop::Postpone);
        define(&mut bench, "a", OperationOptions { on_stop, ..OperationOptions::default() });
        let id = bench.add_with("a", |def| def.options.on_stop = said);
        let stop = Input::Stop(bench.ticket(), StopOptions::default());
        bench.turn(vec![stop]);
        assert_eq!(bench.state(id), expected);
    }
}

/// The versions of each pair that one was told to disagree about.
fn disagreements(effects: &[Effect]) -> Vec<(u32, u32)> {
    let versions = |effect: &Effect| match effect {
        Effect::OperationChanged(_, name, versions) if **name == *"a" => Some(*versions),
        _ => None,
    };
    effects.iter().filter_map(versions).collect()
}

#[test]
fn runners_that_come_with_other_options_are_told_of_once_a_pair_of_versions() {
    let mut one = Bench::new(1);
    one.assign("a", Some(1));
    let mut two = one.beside(1);
    two.assign("a", Some(1));
    assert_eq!(disagreements(&one.look()), [], "they agree");
    two.call(|ticket| Input::Unassign(ticket, "a".into()));
    two.assign("a", Some(2));
    assert_eq!(disagreements(&one.look()), [(1, 2)]);
    assert_eq!(disagreements(&one.look()), []);
    define(&mut two, "a", priority(1.0));
    pause(&mut two, "a", true);
    assert_eq!(disagreements(&one.look()), [], "that is no word of the runner");
    two.call(|ticket| Input::Unassign(ticket, "a".into()));
    two.assign("a", Some(3));
    assert_eq!(disagreements(&one.look()), [(1, 5)]);
    one.call(|ticket| Input::Unassign(ticket, "a".into()));
    one.assign("a", Some(1));
    assert_eq!(disagreements(&two.look()), [(5, 6)]);
    two.call(|ticket| Input::Unassign(ticket, "a".into()));
    two.assign("a", None);
    one.call(|ticket| Input::Unassign(ticket, "a".into()));
    one.assign("a", Some(7));
    assert_eq!(disagreements(&two.look()), [], "one without options has none that differ");
}
