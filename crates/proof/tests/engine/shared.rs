//! Two engines on one disk, each in a process of its own: what one does, the other knows (F-8).

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::limits;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{AttemptEnd, Cause, OnInterrupted, OnStop, TaskEnd};
use tasker_engine::effect::{Answer, Effect, RemoteEvent, RunEnd, TaskEvent};
use tasker_engine::input::{Input, RemoteFilter, StopOptions, Subscription, Ticket};
use tasker_proof::faulty_store::Call;

use crate::bench::{self, Bench, json, reason};

/// An engine that adds and one that runs operation `a`.
fn two() -> (Bench, Bench) {
    let one = Bench::new(1);
    let mut two = one.beside(2);
    two.assign("a", None);
    (one, two)
}

/// Two engines that both run operation `a`, at most so many at once over both.
fn both(limit: u32) -> (Bench, Bench) {
    let mut one = Bench::new(5);
    one.call(Input::Start);
    one.assign("a", Some(limit));
    let mut two = one.beside(5);
    two.assign("a", Some(limit));
    (one, two)
}

fn flag(effect: &Effect) -> bool {
    matches!(effect, Effect::Answer(_, Answer::Flag(true)))
}

/// The outcome with which a watch was answered.
fn ended(effects: &[Effect], watch: Ticket) -> Option<TaskEnd> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer(ticket, Answer::Ended(outcome)) if *ticket == watch => Some(outcome.clone()),
        _ => None,
    })
}

#[test]
fn a_task_that_one_adds_starts_in_the_other() {
    let (mut one, mut two) = two();
    let ids = [one.add("a", 0.0), one.add("a", 1.0), one.add("a", 2.0)];
    assert!(one.starts().is_empty());
    two.look();
    assert_eq!(two.starts(), [ids[2], ids[1]], "in the order of the queue");
    two.settle_oldest(Settlement::Returned(None));
    assert_eq!(two.starts(), [ids[2], ids[1], ids[0]]);
    assert_eq!(one.state(ids[2]), State::Done);
}

/// I-4
#[test]
fn a_task_starts_in_one_of_them_only() {
    let (mut one, mut two) = both(9);
    let ids: Vec<TaskId> = (0..4).map(|_| one.add("b", 0.0)).collect();
    two.look();
    one.assign("b", None);
    two.assign("b", None);
    assert_eq!((one.starts(), two.starts()), (ids, Vec::new()));
}

/// I-6
#[test]
fn the_limit_of_an_operation_counts_the_runs_of_both() {
    let (mut one, mut two) = both(3);
    let ids: Vec<TaskId> = (0..2).map(|_| one.add("a", 0.0)).collect();
    let third = two.add("a", 0.0);
    let waits = two.add("a", 0.0);
    assert_eq!((one.starts(), two.starts()), (ids, vec![third]));
    one.look();
    assert_eq!(one.state(waits), State::Ready);
    one.settle_oldest(Settlement::Returned(None));
    assert_eq!(one.starts().len() + two.starts().len(), 4);
    assert_eq!(one.starts().last(), Some(&waits));
    two.look();
    assert_eq!(two.running_of("a"), 1);
}

/// I-6, I-12
#[test]
fn a_place_that_one_frees_is_taken_by_the_other() {
    let (mut one, mut two) = both(1);
    let first = one.add("a", 0.0);
    let second = two.add("a", 0.0);
    assert!(two.starts().is_empty());
    one.call(|t| Input::Unassign(t, "a".into()));
    one.settle_oldest(Settlement::Threw(json()));
    two.look();
    assert_eq!((one.starts(), two.starts()), (vec![first], vec![second]));
}

/// I-7
#[test]
fn a_task_that_one_prioritizes_is_the_next_in_the_other() {
    let (mut one, mut two) = two();
    let (_, _) = (two.add("a", 0.0), two.add("a", 0.0));
    let ids = [two.add("a", 1.0), two.add("a", 0.0)];
    assert!(flag(&one.call(|t| Input::Prioritize(t, ids[1], bench::priority(2.0)))));
    two.settle_oldest(Settlement::Returned(None));
    two.settle_oldest(Settlement::Returned(None));
    assert_eq!(two.starts()[2..], [ids[1], ids[0]]);
    assert!(!flag(&one.call(|t| Input::Prioritize(t, ids[0], bench::priority(2.0)))), "it runs");
}

/// I-3
#[test]
fn a_waiting_task_that_one_aborts_never_runs_in_the_other() {
    let (mut one, mut two) = two();
    let ids: Vec<TaskId> = (0..4).map(|_| two.add("a", 0.0)).collect();
    assert!(flag(&one.call(|t| Input::Abort(t, ids[2], reason(Cause::User)))));
    two.settle_oldest(Settlement::Returned(None));
    assert_eq!(two.starts(), [ids[0], ids[1], ids[3]]);
    assert_eq!(two.state(ids[2]), State::Aborted);
}

#[test]
fn an_abort_by_one_fires_the_signal_in_the_other() {
    let (mut one, mut two) = two();
    let id = two.add("a", 0.0);
    assert!(flag(&one.call(|t| Input::Abort(t, id, reason(Cause::User)))));
    assert_eq!(one.state(id), State::Running, "its runner decides");
    two.look();
    two.look();
    assert_eq!(two.signals(), [(1, Cause::User)]);
    let effects = two.turn(vec![Input::Settle(1, Settlement::Threw(json()))]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Aborted(reason(Cause::User)))]);
    assert_eq!(one.outcome(id), Some(TaskEnd::Aborted(Cause::User, json())));
    assert!(!flag(&one.call(|t| Input::Abort(t, id, reason(Cause::User)))), "it has ended");
}

/// I-1: an acknowledged abort counts for a runner that throws before it has heard of it.
#[test]
fn an_abort_and_a_throw_that_cross_end_as_aborted() {
    let (mut one, mut two) = two();
    let id = two.add("a", 0.0);
    assert!(flag(&one.call(|t| Input::Abort(t, id, reason(Cause::User)))));
    let effects = two.turn(vec![Input::Settle(1, Settlement::Threw(json()))]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Aborted(reason(Cause::User)))]);
}

/// I-1
#[test]
fn an_abort_by_one_is_not_undone_by_a_stop_of_the_other() {
    let (mut one, mut two) = two();
    let id = two.add("a", 0.0);
    assert!(flag(&one.call(|t| Input::Abort(t, id, reason(Cause::User)))));
    let options = StopOptions { on_stop: Some(OnStop::Postpone), timeout_ms: Some(10) };
    let stop = two.ticket();
    let effects = two.turn(vec![Input::Stop(stop, options)]);
    assert_eq!(bench::over(&effects), [(1, RunEnd::Fenced)]);
    assert_eq!(one.outcome(id), Some(TaskEnd::Aborted(Cause::User, json())));
}

/// I-11
#[test]
fn a_watch_of_one_is_answered_by_the_end_in_the_other() {
    let (mut one, mut two) = two();
    let (id, other) = (two.add("a", 0.0), two.add("a", 0.0));
    let watch = one.ticket();
    assert!(one.turn(vec![Input::AwaitEnd(watch, id)]).is_empty());
    two.settle_oldest(Settlement::Returned(Some(json())));
    assert_eq!(ended(&one.look(), watch), Some(TaskEnd::Done(Some(json()))));
    assert!(one.look().is_empty(), "once");
    let [late, waits] = [one.ticket(), one.ticket()];
    two.settle_oldest(Settlement::Threw(json()));
    let effects = one.turn(vec![Input::AwaitEnd(late, id), Input::AwaitEnd(waits, other)]);
    assert!(ended(&effects, late).is_some() && ended(&effects, waits).is_some());
}

/// I-4, I-10
#[test]
fn the_runs_of_the_dead_are_recovered_once_by_those_that_live() {
    let (mut one, two) = both(9);
    let mut three = one.beside(5);
    three.assign("a", Some(9));
    let mut two = two;
    let ids = [two.add("a", 0.0), two.add("a", 5.0)];
    two.die();
    one.look();
    three.look();
    assert_eq!(one.starts(), [ids[1], ids[0]], "in the order of the queue");
    assert!(three.starts().is_empty());
    for id in ids {
        let task = one.get(id).task;
        assert_eq!((task.state, task.attempt), (State::Running, 2));
        let ends: Vec<_> = task.attempts.iter().map(|attempt| attempt.end).collect();
        assert_eq!(ends, [Some(AttemptEnd::Lost), None]);
    }
    let counts = three.memory().counts;
    assert_eq!((counts.get(State::Running), counts, one.memory().counts), (2, counts, counts));
}

/// I-6: a lost run does not keep its place.
#[test]
fn the_place_of_a_dead_run_is_free_after_its_recovery() {
    let (mut one, mut two) = both(1);
    let id = two.add("a", 0.0);
    let waits = one.add("a", 0.0);
    assert!(one.starts().is_empty());
    two.die();
    one.look();
    assert_eq!(one.starts(), [id]);
    one.settle_oldest(Settlement::Returned(None));
    assert_eq!(one.starts(), [id, waits]);
}

/// I-1
#[test]
fn an_abort_asked_for_before_the_owner_died_ends_the_task() {
    let (mut one, mut two) = two();
    let id = two.add("a", 0.0);
    let watch = one.ticket();
    one.turn(vec![Input::AwaitEnd(watch, id)]);
    assert!(flag(&one.call(|t| Input::Abort(t, id, reason(Cause::User)))));
    two.die();
    let effects = one.look();
    let outcome = TaskEnd::Aborted(Cause::User, json());
    assert_eq!(ended(&effects, watch), Some(outcome.clone()));
    let told = |effect: &Effect| matches!(effect, Effect::TaskEnded(other, _) if *other == id);
    assert!(effects.iter().any(told));
    assert_eq!(one.outcome(id), Some(outcome));
    assert_eq!(one.get(id).task.attempts.len(), 1);
}

/// I-10
#[test]
fn a_task_that_kills_every_process_in_turn_is_poison_after_three() {
    let mut one = Bench::new(1);
    let id = one.add_with("a", |def| def.options.on_interrupted = OnInterrupted::Retry);
    for losses in 1..=limits::LOSSES_MAX {
        let mut two = one.beside(1);
        two.assign("a", None);
        assert_eq!(two.starts(), [id]);
        two.die();
        one.look();
        assert_eq!(one.get(id).task.attempt, losses);
    }
    assert!(matches!(one.outcome(id), Some(TaskEnd::Failed(Cause::Poison, _))));
}

/// I-8
#[test]
fn numbers_and_lanes_are_given_once_whoever_adds() {
    let (mut one, mut two) = both(9);
    let mut seqs = Vec::new();
    for operation in ["x", "y", "x", "z"] {
        for bench in [&mut one, &mut two] {
            let id = bench.add(operation, 0.0);
            seqs.push(bench.get(id).task.seq.0);
        }
    }
    assert_eq!(seqs, (1..=8).collect::<Vec<_>>());
    one.look();
    let lanes = |bench: &Bench| ["x", "y", "z"].map(|name| bench.memory().dispatch.operation(name));
    assert_eq!(lanes(&one), lanes(&two));
    assert_eq!(one.memory().counts, two.memory().counts);
}

/// I-13: what could not be read the first time is not counted twice the second time.
#[test]
fn a_look_that_fails_half_way_is_made_good_by_the_next() {
    for call in [Call::Journal, Call::Operations, Call::Briefs, Call::AbortRequests, Call::Head] {
        let (mut one, mut two) = both(3);
        let mine = one.add("a", 0.0);
        let watched = two.add("a", 0.0);
        let watch = one.ticket();
        one.turn(vec![Input::AwaitEnd(watch, watched)]);
        two.settle_oldest(Settlement::Returned(None));
        two.add("new", 0.0);
        two.call(|t| Input::Abort(t, mine, reason(Cause::User)));
        two.add("a", 0.0);
        two.add("a", 0.0);
        one.fail_call(call, Code::Busy);
        let mut effects = one.look();
        effects.extend(one.look());
        assert!(ended(&effects, watch).is_some(), "{call:?}");
        assert_eq!(one.signals().len(), 1, "{call:?}");
        two.settle_oldest(Settlement::Returned(None));
        two.settle_oldest(Settlement::Returned(None));
        let last = [one.add("a", 0.0), one.add("a", 0.0)];
        assert_eq!(one.starts(), [mine, last[0], last[1]], "{call:?}: the places are free");
    }
}

fn subscribe(bench: &mut Bench, remote: RemoteFilter) {
    let subscription = Subscription { remote, ..Subscription::default() };
    bench.call(|t| Input::Subscribe(t, subscription));
}

fn told(effects: &[Effect]) -> Vec<String> {
    let event_name = |effect: &Effect| match effect {
        Effect::Remote(_, RemoteEvent::Task(_, news)) => Some(match news {
            TaskEvent::Added { has_started: false } => "added".into(),
            TaskEvent::Added { has_started: true } => "added and run".into(),
            TaskEvent::Run => "run".into(),
            TaskEvent::Prioritized(to) => format!("prioritized {}", to.get()),
            TaskEvent::Updated => "updated".into(),
            TaskEvent::Retrying(..) => "retrying".into(),
            TaskEvent::Ended(outcome) => format!("{:?}", outcome.state()),
        }),
        Effect::Remote(_, other) => Some(format!("{other:?}")),
        _ => None,
    };
    effects.iter().filter_map(event_name).collect()
}

/// I-11
#[test]
fn what_the_other_did_is_told_once_in_its_order_to_those_who_follow() {
    let (mut one, mut two) = two();
    subscribe(&mut one, RemoteFilter::All);
    one.add("a", 0.0);
    assert!(told(&one.look()).is_empty(), "what one did oneself is told otherwise");
    two.look();
    two.add("a", 0.0);
    let third = two.add("a", 0.0);
    two.call(|t| Input::Prioritize(t, third, bench::priority(7.0)));
    two.settle_oldest(Settlement::Returned(None));
    let expected = ["run", "added and run", "added", "prioritized 7", "Done", "run", "AwaitAck"];
    assert_eq!(told(&one.look()), expected);
    two.settle_oldest(Settlement::Threw(json()));
    assert!(told(&one.look()).is_empty(), "nothing more before it was heard");
    let heard = one.ticket();
    assert_eq!(told(&one.turn(vec![Input::Ack(heard)])), ["Failed", "AwaitAck"]);
}

/// I-11
#[test]
fn those_who_follow_ends_hear_of_nothing_else() {
    let (mut one, mut two) = two();
    two.add("a", 0.0);
    subscribe(&mut one, RemoteFilter::Ends);
    assert!(told(&one.look()).is_empty(), "what was before is not told");
    two.add("a", 0.0);
    two.settle_oldest(Settlement::Returned(None));
    assert_eq!(told(&one.look()), ["Done", "AwaitAck"]);
}
