//! Tasks that wait for others: unblocked, ended with them, and reached in portions.

use std::sync::Arc;

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Cause, NewTask, OnInterrupted, QueueTimeout, StartTime, TaskEnd,
};
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::{Input, RetryOptions};
use tasker_engine::turn::Next;
use tasker_proof::faulty_store::Call;

use crate::bench::{self, Bench, def, json, reason};

/// What one turn reaches.
const PORTION: usize = 1_024;

fn on(ids: &[TaskId]) -> Option<Arc<Dependencies>> {
    let on = ids.iter().copied().map(Dependency::Task).collect();
    Some(Arc::new(Dependencies { on, on_failure: OnFailure::Abort, is_list: true }))
}

fn add(bench: &mut Bench, ids: &[TaskId]) -> TaskId {
    bench.add_with("a", |def| def.options.depends_on = on(ids))
}

fn add_running(bench: &mut Bench, ids: &[TaskId]) -> TaskId {
    bench.add_with("a", |def| {
        let mut all = Dependencies::clone(on(ids).as_deref().unwrap());
        all.on_failure = OnFailure::Run;
        def.options.depends_on = Some(Arc::new(all));
    })
}

fn graph(bench: &mut Bench, edges: &[&[usize]]) -> Vec<TaskId> {
    let task = |earlier: &&[usize]| {
        let mut task: NewTask = def("a");
        let on = earlier.iter().copied().map(Dependency::Earlier).collect();
        let all = Dependencies { on, on_failure: OnFailure::Abort, is_list: true };
        task.options.depends_on = (!earlier.is_empty()).then(|| Arc::new(all));
        task
    };
    let tasks = edges.iter().map(task).collect();
    match bench.call(|ticket| Input::AddMany(ticket, tasks)) {
        Effect::Answer(_, Answer::Tasks(ids)) => ids,
        other => panic!("{other:?}"),
    }
}

fn threw() -> Settlement {
    Settlement::Unrecoverable(json())
}

fn cause(bench: &Bench, id: TaskId) -> Option<Cause> {
    bench.outcome(id).as_ref().and_then(TaskEnd::cause)
}

fn states(bench: &Bench, ids: &[TaskId]) -> Vec<State> {
    ids.iter().map(|id| bench.state(*id)).collect()
}

#[test]
fn a_task_waits_for_all_that_it_depends_on_and_starts_with_the_commit_of_the_last() {
    let mut bench = Bench::started(2);
    let (first, second) = (bench.add("a", 0.0), bench.add("a", 0.0));
    let id = add(&mut bench, &[second, first, second]);
    assert_eq!(bench.state(id), State::Blocked);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!((bench.state(id), bench.starts().len()), (State::Blocked, 2));
    let before = bench.batches();
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!((bench.starts(), bench.batches()), (vec![first, second, id], before + 1));
}

#[test]
fn what_is_met_at_the_add_is_waited_for_no_more() {
    let mut bench = Bench::started(1);
    let done = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Returned(None));
    let id = add(&mut bench, &[done]);
    assert_eq!(bench.starts(), [done, id]);
}

#[test]
fn the_failure_of_one_aborts_those_who_wait_and_those_who_wait_for_them() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let second = add(&mut bench, &[first]);
    let third = add(&mut bench, &[second]);
    let watch = bench.ticket();
    bench.turn(vec![Input::AwaitEnd(watch, third)]);
    let before = bench.batches();
    let effects = bench.turn(vec![Input::Settle(1, threw())]);
    let ended = effects.iter().filter_map(|effect| match effect {
        Effect::TaskEnded(id, _) => Some(*id),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [second, third]);
    assert_eq!((cause(&bench, third), bench.batches()), (Some(Cause::Dependency), before + 1));
    assert!(bench::answers(&effects).contains(&watch));
    let reason = bench.outcome(third).unwrap().payload().unwrap().as_str().to_owned();
    assert!(reason.contains(&second.0.to_string()), "{reason}");
    assert!(reason.contains("\"AbortError\"") && reason.contains("\"dependency\""), "{reason}");
}

#[test]
fn whoever_runs_all_the_same_waits_for_every_end() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let second = bench.add("a", 0.0);
    let id = add_running(&mut bench, &[first, second]);
    bench.settle_oldest(threw());
    assert_eq!(bench.state(id), State::Blocked);
    bench.call(|ticket| Input::Abort(ticket, second, reason(Cause::User)));
    bench.settle_oldest(threw());
    assert_eq!(bench.starts(), [first, second, id]);
}

#[test]
fn an_add_that_depends_on_what_has_failed_is_aborted_as_it_comes() {
    let mut bench = Bench::started(1);
    let failed = bench.add("a", 0.0);
    bench.settle_oldest(threw());
    let ticket = bench.ticket();
    let mut task = def("a");
    task.options.depends_on = on(&[failed]);
    let effects = bench.turn(vec![Input::Add(ticket, task)]);
    let [Effect::Answer(_, Answer::Task(id)), Effect::TaskEnded(ended, _)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((id, bench.state(*id)), (ended, State::Aborted));
    assert_eq!(cause(&bench, *id), Some(Cause::Dependency));
    let runs = add_running(&mut bench, &[failed]);
    assert_eq!(bench.starts(), [failed, runs]);
}

#[test]
fn what_is_not_there_refuses_the_add_with_its_path_and_nothing_is_added() {
    let mut bench = Bench::started(1);
    let known = bench.add("a", 0.0);
    let mut task = def("new");
    task.options.depends_on = on(&[known, bench::unknown_task()]);
    let path = |effect: &Effect| match effect {
        Effect::Refuse(_, error) if error.code() == Code::NotFound => error.facts().path.clone(),
        other => panic!("{other:?}"),
    };
    let before = bench.batches();
    let one = bench.call(|ticket| Input::Add(ticket, task.clone()));
    assert_eq!(path(&one).as_deref(), Some("dependsOn[1]"));
    let tasks = vec![def("a"), def("other"), task];
    let many = bench.call(|ticket| Input::AddMany(ticket, tasks));
    assert_eq!(path(&many).as_deref(), Some("[2].dependsOn[1]"));
    assert_eq!(bench.batches(), before);
}

#[test]
fn a_graph_is_one_commit_and_runs_in_its_order() {
    let mut bench = Bench::started(9);
    let before = bench.batches();
    let ids = graph(&mut bench, &[&[], &[0], &[0], &[1, 2]]);
    assert_eq!(bench.batches(), before + 1);
    for _ in 0..4 {
        bench.settle_oldest(Settlement::Returned(None));
    }
    assert_eq!(bench.starts(), ids);
    let all = bench.get(ids[3]).task.def.options.depends_on.clone().unwrap();
    assert_eq!(all.tasks().collect::<Vec<_>>(), ids[1..3]);
}

#[test]
fn a_start_time_counts_from_the_add_and_is_looked_at_after_the_dependencies() {
    let mut bench = Bench::started(2);
    let first = bench.add("a", 0.0);
    let late = bench.add_with("a", |def| {
        def.options.depends_on = on(&[first]);
        def.options.start_time = Some(StartTime::After(1_000));
    });
    let soon = bench.add_with("a", |def| {
        def.options.depends_on = on(&[first]);
        def.options.start_time = Some(StartTime::After(300));
    });
    bench.advance(400);
    assert_eq!(states(&bench, &[late, soon]), [State::Blocked; 2]);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(states(&bench, &[late, soon]), [State::Delayed, State::Running]);
    bench.advance(599);
    assert_eq!(bench.state(late), State::Delayed);
    bench.advance(1);
    assert_eq!(bench.starts(), [first, soon, late]);
}

#[test]
fn a_task_keeps_its_place_and_its_priority_when_it_is_unblocked() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 9.0);
    let old = add(&mut bench, &[first]);
    let urgent = add(&mut bench, &[first]);
    let young = bench.add("a", 0.0);
    let to = bench::priority(5.0);
    bench.call(|ticket| Input::Prioritize(ticket, urgent, to));
    for _ in 0..4 {
        bench.settle_oldest(Settlement::Returned(None));
    }
    assert_eq!(bench.starts(), [first, urgent, old, young]);
}

#[test]
fn a_blocked_task_that_is_aborted_lets_go() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let id = add(&mut bench, &[first]);
    let next = add(&mut bench, &[id]);
    bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    assert_eq!(
        (cause(&bench, id), cause(&bench, next)),
        (Some(Cause::User), Some(Cause::Dependency))
    );
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), [first]);
}

#[test]
fn a_retry_by_hand_revives_nobody_and_what_ended_with_a_dependency_does_not_look_again() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let id = add(&mut bench, &[first]);
    bench.settle_oldest(threw());
    let again = |bench: &mut Bench, id| {
        bench.call(|ticket| Input::Retry(ticket, id, RetryOptions::default()))
    };
    again(&mut bench, first);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(id), State::Aborted);
    again(&mut bench, first);
    bench.settle_oldest(threw());
    again(&mut bench, id);
    assert_eq!(bench.state(id), State::Running);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(id), State::Done);
}

#[test]
fn an_end_and_an_add_in_one_turn_meet_in_either_order() {
    for is_first in [true, false] {
        for (settlement, state) in
            [(Settlement::Returned(None), State::Running), (threw(), State::Aborted)]
        {
            let mut bench = Bench::started(1);
            let first = bench.add("a", 0.0);
            let mut task = def("a");
            task.options.depends_on = on(&[first]);
            let ticket = bench.ticket();
            let mut inputs = vec![Input::Add(ticket, task), Input::Settle(1, settlement)];
            if is_first {
                inputs.reverse();
            }
            let effects = bench.turn(inputs);
            let id = effects.iter().find_map(|effect| match effect {
                Effect::Answer(_, Answer::Task(id)) => Some(*id),
                _ => None,
            });
            assert_eq!(bench.state(id.unwrap()), state, "{is_first}");
        }
    }
}

/// I-12: whoever waits waits for the new end, and not for ever.
#[test]
fn a_task_that_ends_and_is_opened_again_in_one_turn_has_not_ended_for_those_who_wait() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    let id = add(&mut bench, &[first]);
    let ticket = bench.ticket();
    let retry = Input::Retry(ticket, first, RetryOptions::default());
    bench.turn(vec![Input::Settle(1, threw()), retry]);
    assert_eq!(bench.state(id), State::Blocked);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.state(id), State::Running);
}

#[test]
fn a_dead_process_ends_those_who_wait_for_what_it_ran() {
    let mut one = Bench::started(1);
    let first = one.add_with("a", |def| def.options.on_interrupted = OnInterrupted::Fail);
    let id = add(&mut one, &[first]);
    let mut two = one.beside(1);
    one.die();
    let effects = two.look();
    let ended = effects.iter().filter(|effect| matches!(effect, Effect::TaskEnded(..)));
    assert_eq!(ended.count(), 2);
    assert_eq!(cause(&two, id), Some(Cause::Dependency));
}

fn add_waiting(bench: &mut Bench, count: usize, on_one: TaskId) -> Vec<TaskId> {
    let mut task = def("a");
    task.options.depends_on = on(&[on_one]);
    match bench.call(|ticket| Input::AddMany(ticket, vec![task; count])) {
        Effect::Answer(_, Answer::Tasks(ids)) => ids,
        other => panic!("{other:?}"),
    }
}

fn count(bench: &Bench, ids: &[TaskId], state: State) -> usize {
    ids.iter().filter(|id| bench.state(**id) == state).count()
}

#[test]
fn the_queue_timeout_of_a_blocked_task_begins_when_its_last_dependency_has_ended() {
    let mut bench = Bench::new(1);
    bench.call(Input::Start);
    bench.assign("before", None);
    let first = bench.add("before", 0.0);
    let then = AfterQueueTimeout::Abort;
    let queue_timeout = Some(QueueTimeout { after_ms: 1_000, then, ends_at: None });
    let id = bench.add_with("a", |def| {
        def.options.depends_on = on(&[first]);
        def.options.queue_timeout = queue_timeout;
    });
    let late = bench.add_with("a", |def| {
        def.options.depends_on = on(&[first]);
        def.options.queue_timeout = queue_timeout;
        def.options.start_time = Some(StartTime::After(6_000));
    });
    bench.advance(5_000);
    assert_eq!(states(&bench, &[id, late]), [State::Blocked; 2]);
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(999);
    assert_eq!(states(&bench, &[id, late]), [State::Ready, State::Delayed]);
    bench.advance(1);
    assert_eq!(cause(&bench, id), Some(Cause::QueueTimeout));
    bench.advance(999);
    assert_eq!(bench.state(late), State::Ready);
    bench.advance(1);
    assert_eq!(cause(&bench, late), Some(Cause::QueueTimeout));
}

/// I-12: a process that dies in the middle leaves a timer, and another one goes on.
#[test]
fn many_dependents_are_reached_in_portions_by_whoever_lives() {
    for (settlement, state) in
        [(Settlement::Returned(None), State::Ready), (threw(), State::Aborted)]
    {
        let mut one = Bench::new(1);
        one.call(Input::Start);
        one.assign("before", None);
        let first = one.add("before", 0.0);
        let ids = add_waiting(&mut one, 2 * PORTION + 500, first);
        let (next, _) = one.turn_once(vec![Input::Settle(1, settlement)]);
        assert_eq!((next, count(&one, &ids, state)), (Next::More, PORTION));
        let mut two = one.beside(1);
        two.turn_once(vec![]);
        one.die();
        two.look();
        two.turn(vec![]);
        assert_eq!(count(&two, &ids, state), ids.len());
        assert_eq!(two.next_timer(), None);
    }
}

/// The rest of them waits for the new end of a task that was opened again meanwhile.
#[test]
fn who_was_not_reached_before_a_retry_by_hand_waits_for_the_new_end() {
    let mut bench = Bench::new(1);
    bench.call(Input::Start);
    bench.assign("before", None);
    let first = bench.add("before", 0.0);
    let ids = add_waiting(&mut bench, PORTION + 10, first);
    bench.turn_once(vec![Input::Settle(1, threw())]);
    bench.call(|ticket| Input::Retry(ticket, first, RetryOptions::default()));
    assert_eq!(count(&bench, &ids, State::Blocked), 10);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(count(&bench, &ids, State::Ready), 10);
}

#[test]
fn a_long_chain_ends_in_portions_and_to_its_last_task() {
    let mut bench = Bench::new(1);
    bench.call(Input::Start);
    bench.assign("before", None);
    let first = bench.add("before", 0.0);
    let length = 3 * PORTION;
    let task = |n: usize| {
        let mut task = def("a");
        task.options.depends_on = if n == 0 {
            on(&[first])
        } else {
            let (on, on_failure) = (vec![Dependency::Earlier(n - 1)], OnFailure::Abort);
            Some(Arc::new(Dependencies { on, on_failure, is_list: true }))
        };
        task
    };
    let tasks = (0..length).map(task).collect();
    let Effect::Answer(_, Answer::Tasks(ids)) = bench.call(|ticket| Input::AddMany(ticket, tasks))
    else {
        panic!("refused")
    };
    bench.turn_once(vec![Input::Settle(1, threw())]);
    let ended = count(&bench, &ids, State::Aborted);
    assert!((PORTION..=PORTION + 1).contains(&ended), "{ended}");
    bench.turn(vec![]);
    assert_eq!(count(&bench, &ids, State::Aborted), length);
}

#[test]
fn what_cannot_be_read_of_dependents_is_read_again() {
    for call in [Call::Dependents, Call::OpenDependencies, Call::States] {
        let mut bench = Bench::started(1);
        let first = bench.add("a", 0.0);
        let id = add(&mut bench, &[first]);
        bench.fail_call(call, Code::Busy);
        bench.turn(vec![Input::Settle(1, Settlement::Returned(None))]);
        assert_eq!((bench.state(first), bench.state(id)), (State::Running, State::Blocked));
        bench.advance(100);
        assert_eq!((bench.state(first), bench.state(id)), (State::Done, State::Running));
    }
}

#[test]
fn the_preview_of_a_turn_names_what_new_tasks_depend_on() {
    let mut bench = Bench::started(1);
    let first = bench.add("a", 0.0);
    add(&mut bench, &[first]);
    assert_eq!(bench.preview().dependencies, [bench.get(first).task.seq]);
}
