//! Unique tasks: what an add finds, takes over, replaces or refuses.

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::{Code, Error};
use tasker_core::id::{IdempotencyKey, TaskId};
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{
    AfterQueueTimeout, Cause, Json, NewTask, Priority, QueueTimeout, StartTime,
};
use tasker_engine::effect::{Added, Answer, Effect, RemoteEvent, TaskEvent};
use tasker_engine::input::{Input, RemoteFilter, RetryOptions, Subscription};
use uuid::Uuid;

use crate::bench::{Bench, def, priority, reason};

fn said(hold: UniqueWhile, on_conflict: OnConflict, ttl_ms: Option<u64>) -> NewTask {
    let mut task = def("a");
    task.options.unique = Some(Unique { key: "k".into(), hold, ttl_ms, on_conflict }.into());
    task
}

/// One that has its key until it ends.
fn unique(on_conflict: OnConflict) -> NewTask {
    said(UniqueWhile::Unfinished, on_conflict, None)
}

fn with_data(task: NewTask, text: &str) -> NewTask {
    NewTask { data: Some(Json::trusted(text)), ..task }
}

fn try_add(bench: &mut Bench, task: NewTask) -> Result<(TaskId, Added), Error> {
    match bench.call(|ticket| Input::Add(ticket, task)) {
        Effect::Answer(_, Answer::Adds(adds)) => Ok(adds[0]),
        Effect::Refuse(_, error) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn add(bench: &mut Bench, task: NewTask) -> (TaskId, Added) {
    try_add(bench, task).unwrap()
}

fn finish(bench: &mut Bench) {
    bench.settle_oldest(Settlement::Returned(None));
}

/// I-2
#[test]
fn a_key_is_held_until_the_first_start_the_end_or_for_good() {
    use Added::{Duplicate, New};
    for (hold, [waiting, running, ended]) in [
        (UniqueWhile::New, [Duplicate, New, New]),
        (UniqueWhile::Unfinished, [Duplicate, Duplicate, New]),
        (UniqueWhile::Always, [Duplicate, Duplicate, Duplicate]),
    ] {
        let task = || said(hold, OnConflict::Return, None);
        let mut bench = Bench::new(1);
        let (first, _) = add(&mut bench, task());
        assert_eq!(add(&mut bench, task()).1, waiting, "{hold:?}");
        bench.crash();
        assert_eq!(add(&mut bench, task()).1, waiting, "{hold:?} after a crash");
        let mut bench = Bench::started(1);
        add(&mut bench, task());
        let (next, added) = add(&mut bench, task());
        assert_eq!(added, running, "{hold:?}");
        finish(&mut bench);
        if next != first && added == New {
            finish(&mut bench);
        }
        assert_eq!(add(&mut bench, task()).1, ended, "{hold:?}");
    }
}

#[test]
fn a_run_that_is_given_back_takes_no_key_again() {
    let task = || said(UniqueWhile::New, OnConflict::Return, None);
    let mut bench = Bench::started(1);
    let (first, _) = add(&mut bench, task());
    bench.call(|ticket| Input::Unassign(ticket, "a".into()));
    bench.turn(vec![Input::Postpone(1)]);
    assert_eq!(bench.state(first), State::Ready);
    let (second, added) = add(&mut bench, task());
    assert_eq!((added, second == first), (Added::New, false));
}

#[test]
fn a_key_is_free_when_its_time_is_over_also_for_a_task_that_goes_on() {
    let mut bench = Bench::new(1);
    let task = || said(UniqueWhile::Always, OnConflict::Return, Some(70));
    let (first, _) = add(&mut bench, task());
    bench.wait(69);
    assert_eq!(add(&mut bench, task()), (first, Added::Duplicate));
    bench.wait(1);
    let (second, added) = add(&mut bench, task());
    assert_eq!((added, bench.state(first)), (Added::New, State::Ready));
    assert_eq!(add(&mut bench, task()), (second, Added::Duplicate));
}

/// I-3
#[test]
fn a_replacement_changes_all_but_what_makes_it_this_task() {
    let mut bench = Bench::new(1);
    let (id, _) = add(&mut bench, with_data(unique(OnConflict::Return), "1"));
    let before = bench.get(id).task;
    bench.wait(5);
    let mut next = with_data(said(UniqueWhile::New, OnConflict::Replace, Some(9)), "2");
    next.priority = priority(3.0);
    next.options.label = Some(Json::trusted("\"x\""));
    next.options.run_timeout_ms = Some(7);
    let effects = {
        let ticket = bench.ticket();
        bench.turn(vec![Input::Add(ticket, next.clone())])
    };
    let told: Vec<_> = effects.iter().filter(|it| matches!(it, Effect::Updated(_))).collect();
    assert!(matches!(told[..], [Effect::Updated(other)] if *other == id), "{effects:?}");
    let after = bench.get(id).task;
    assert_eq!(after, tasker_core::task::TaskRecord { def: next, ..before });
    assert_eq!(bench.next_timer(), None);
}

#[test]
fn a_replacement_with_a_delay_is_a_debounce() {
    let mut bench = Bench::started(1);
    let task = |n: u32| {
        let mut task = with_data(unique(OnConflict::Replace), &n.to_string());
        task.options.start_time = Some(StartTime::After(100));
        task
    };
    let (id, _) = add(&mut bench, task(0));
    for n in 1..5 {
        bench.advance(60);
        assert_eq!(add(&mut bench, task(n)), (id, Added::Replaced));
        assert_eq!(bench.state(id), State::Delayed);
    }
    bench.advance(99);
    assert!(bench.starts().is_empty());
    bench.advance(1);
    assert_eq!(bench.starts(), [id]);
    assert_eq!(bench.get(id).task.def.data, Some(Json::trusted("4")));
    assert_eq!(add(&mut bench, task(9)), (id, Added::Duplicate), "it runs");
    assert_eq!(bench.get(id).task.def.data, Some(Json::trusted("4")));
}

#[test]
fn a_replacement_moves_a_task_between_its_states_and_places() {
    let mut bench = Bench::new(1);
    let (id, _) = add(&mut bench, unique(OnConflict::Replace));
    let other = bench.add("a", 1.0);
    let mut delayed = unique(OnConflict::Replace);
    delayed.options.start_time = Some(StartTime::After(50));
    let mut urgent = unique(OnConflict::Replace);
    urgent.priority = Priority::MAX;
    for (task, state) in [
        (delayed.clone(), State::Delayed),
        (urgent.clone(), State::Ready),
        (delayed, State::Delayed),
    ] {
        assert_eq!(add(&mut bench, task), (id, Added::Replaced));
        assert_eq!(bench.state(id), state);
    }
    assert_eq!(add(&mut bench, urgent), (id, Added::Replaced));
    bench.assign("a", None);
    bench.call(Input::Start);
    finish(&mut bench);
    assert_eq!(bench.starts(), [id, other]);
    // The timers of the delays fire for nothing.
    bench.advance(60);
    assert_eq!(bench.starts().len(), 2);
}

/// What starts in the turn that replaces it has the new definition, and so in another process.
#[test]
fn what_starts_has_the_definition_that_replaced_the_old_one() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    two.assign("a", None);
    let blocker = two.add("a", 9.0);
    let (id, _) = add(&mut two, with_data(unique(OnConflict::Return), "1"));
    two.look();
    add(&mut one, with_data(unique(OnConflict::Replace), "2"));
    two.look();
    finish(&mut two);
    assert_eq!(two.starts(), [blocker, id]);
    assert_eq!(two.started_data(), Some(Json::trusted("2")));
    finish(&mut two);
    let (again, _) = add(&mut one, with_data(unique(OnConflict::Return), "3"));
    let (ticket, start, assign) = (one.ticket(), one.ticket(), one.ticket());
    two.die();
    one.turn(vec![
        Input::Assign(assign, "a".into(), None),
        Input::Start(start),
        Input::Add(ticket, with_data(unique(OnConflict::Replace), "4")),
    ]);
    assert_eq!(one.starts(), [again]);
    assert_eq!(one.started_data(), Some(Json::trusted("4")));
}

/// A replacement brings its own time.
#[test]
fn a_task_that_waited_too_long_gives_its_key_away() {
    let task = |on_conflict, after_ms| {
        let mut task = unique(on_conflict);
        let then = AfterQueueTimeout::Abort;
        task.options.queue_timeout = Some(QueueTimeout { after_ms, then, ends_at: None });
        task
    };
    let mut bench = Bench::new(1);
    let (id, _) = add(&mut bench, task(OnConflict::Return, 50));
    bench.advance(40);
    assert_eq!(add(&mut bench, task(OnConflict::Replace, 50)), (id, Added::Replaced));
    bench.advance(40);
    assert_eq!(add(&mut bench, task(OnConflict::Return, 50)), (id, Added::Duplicate));
    bench.advance(10);
    assert_eq!(bench.state(id), State::Aborted);
    let (next, added) = add(&mut bench, unique(OnConflict::Return));
    assert_eq!((added, next == id), (Added::New, false));
}

fn depending(task: NewTask, on: Dependency) -> NewTask {
    let mut task = task;
    let (on, on_failure, is_list) = (vec![on], OnFailure::Abort, true);
    task.options.depends_on = Some(Dependencies { on, on_failure, is_list }.into());
    task
}

/// Its definition is another one whole, so it waits for no other task any more.
#[test]
fn a_replacement_of_a_blocked_task_lets_go_of_what_that_waits_for() {
    let later = |ms| {
        let mut task = with_data(unique(OnConflict::Replace), "2");
        task.options.start_time = Some(StartTime::After(ms));
        task
    };
    for (next, state) in
        [(with_data(unique(OnConflict::Replace), "2"), State::Ready), (later(50), State::Delayed)]
    {
        let mut bench = Bench::new(1);
        let on = bench.add("b", 0.0);
        let blocked = || depending(unique(OnConflict::Return), Dependency::Task(on));
        let (id, _) = add(&mut bench, blocked());
        assert_eq!(bench.state(id), State::Blocked);
        assert_eq!(add(&mut bench, next.clone()), (id, Added::Replaced));
        assert_eq!((bench.state(id), bench.waits()), (state, 0));
        // What it waited for ends, and does not touch it.
        bench.call(|ticket| Input::Abort(ticket, on, reason(Cause::User)));
        assert_eq!(bench.state(id), state);
        // All in one turn, in whichever order.
        let on = bench.add("b", 0.0);
        let key = |mut task: NewTask| {
            let unique = task.options.unique.as_deref().cloned();
            let other = unique.map(|unique| Unique { key: "other".into(), ..unique });
            task.options.unique = other.map(Into::into);
            task
        };
        let call =
            [key(depending(unique(OnConflict::Return), Dependency::Task(on))), key(next.clone())];
        let tickets = [bench.ticket(), bench.ticket(), bench.ticket()];
        let [first, second] = call;
        bench.turn(vec![
            Input::Add(tickets[0], first),
            Input::Abort(tickets[1], on, reason(Cause::User)),
            Input::Add(tickets[2], second),
        ]);
        let counts = bench.memory().counts;
        assert_eq!((counts.get(state), counts.get(State::Blocked)), (2, 0));
        assert_eq!(bench.waits(), 0);
    }
}

/// As if the calls came one after the other.
#[test]
fn a_task_that_ends_as_it_comes_gives_its_key_to_the_next_of_its_call() {
    use Added::{Duplicate, New};
    for (hold, expected) in [
        (UniqueWhile::New, [New, New, Duplicate]),
        (UniqueWhile::Unfinished, [New, New, Duplicate]),
        (UniqueWhile::Always, [New, Duplicate, Duplicate]),
    ] {
        let mut bench = Bench::new(1);
        let failed = bench.add("b", 0.0);
        bench.call(|ticket| Input::Abort(ticket, failed, reason(Cause::User)));
        let task = |on_conflict| said(hold, on_conflict, None);
        let call = vec![
            depending(task(OnConflict::Return), Dependency::Task(failed)),
            task(OnConflict::Replace),
            task(OnConflict::Return),
        ];
        let answer = bench.call(|ticket| Input::AddMany(ticket, call));
        let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
        let added: Vec<Added> = adds.iter().map(|(_, added)| *added).collect();
        assert_eq!(added, expected, "{hold:?}");
        assert_eq!(bench.state(adds[0].0), State::Aborted);
    }
}

/// A number names what became of an earlier definition, whichever task that is.
#[test]
fn a_task_may_depend_on_a_duplicate_of_its_call() {
    let mut bench = Bench::started(1);
    let (first, _) = add(&mut bench, unique(OnConflict::Return));
    let call = vec![unique(OnConflict::Return), depending(def("a"), Dependency::Earlier(0))];
    let answer = bench.call(|ticket| Input::AddMany(ticket, call));
    let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
    let (second, _) = adds[1];
    assert_eq!((adds[0], bench.state(second)), ((first, Added::Duplicate), State::Blocked));
    finish(&mut bench);
    assert_eq!(bench.starts(), [first, second]);
}

/// I-2: as if the calls of a turn came one after the other.
#[test]
fn an_end_and_an_add_in_one_turn_meet_in_their_order() {
    for ends_first in [true, false] {
        let mut bench = Bench::started(1);
        let (first, _) = add(&mut bench, unique(OnConflict::Return));
        let ticket = bench.ticket();
        let mut inputs = vec![
            Input::Settle(1, Settlement::Returned(None)),
            Input::Add(ticket, unique(OnConflict::Return)),
        ];
        if !ends_first {
            inputs.reverse();
        }
        let effects = bench.turn(inputs);
        let adds = effects.iter().find_map(|effect| match effect {
            Effect::Answer(_, Answer::Adds(adds)) => Some(adds[0]),
            _ => None,
        });
        let (id, added) = adds.unwrap();
        let expected = if ends_first { Added::New } else { Added::Duplicate };
        assert_eq!((added, id == first), (expected, !ends_first));
    }
}

/// I-2
#[test]
fn equal_keys_in_one_call_are_one_task_and_a_refusal_refuses_the_call() {
    let mut bench = Bench::new(1);
    let many =
        |bench: &mut Bench, defs: Vec<NewTask>| bench.call(|ticket| Input::AddMany(ticket, defs));
    let call = vec![
        with_data(unique(OnConflict::Return), "1"),
        def("a"),
        with_data(unique(OnConflict::Return), "2"),
        with_data(unique(OnConflict::Replace), "3"),
    ];
    let answer = many(&mut bench, call);
    let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
    let expected = [Added::New, Added::New, Added::Duplicate, Added::Replaced];
    assert_eq!(adds.iter().map(|(_, added)| *added).collect::<Vec<_>>(), expected);
    let (first, batches) = (adds[0].0, bench.batches());
    assert_eq!([adds[2].0, adds[3].0], [first, first]);
    assert_eq!(bench.get(first).task.def.data, Some(Json::trusted("3")));
    let call = vec![def("new"), unique(OnConflict::Replace), unique(OnConflict::Reject)];
    let Effect::Refuse(_, error) = many(&mut bench, call) else { panic!("it is refused") };
    let facts = error.facts();
    assert_eq!((error.code(), facts.path.as_deref()), (Code::Duplicate, Some("[2].unique.key")));
    assert_eq!(facts.uuid, Some(first.0.to_string()));
    assert_eq!((bench.batches(), bench.memory().counts.total()), (batches, 2));
    assert_eq!(bench.memory().dispatch.operation("new"), None);
    let error = try_add(&mut bench, unique(OnConflict::Reject)).unwrap_err();
    assert_eq!(error.facts().path.as_deref(), Some("unique.key"));
}

/// As if the calls came one after the other.
#[test]
fn a_replacement_whose_time_is_over_by_then_leaves_the_key_to_the_next_of_its_call() {
    let mut bench = Bench::new(1);
    let (first, _) = add(&mut bench, unique(OnConflict::Return));
    bench.wait(9);
    let short = || said(UniqueWhile::Always, OnConflict::Replace, Some(9));
    let answer = bench.call(|ticket| Input::AddMany(ticket, vec![short(), short(), short()]));
    let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
    let expected = [Added::Replaced, Added::New, Added::Replaced];
    assert_eq!(adds.iter().map(|(_, added)| *added).collect::<Vec<_>>(), expected);
    assert_eq!((adds[0].0, adds[1].0), (first, adds[2].0));
}

#[test]
fn a_task_that_is_run_again_takes_its_key_again_or_is_refused() {
    let mut bench = Bench::started(1);
    let retry = |bench: &mut Bench, id| {
        bench.call(|ticket| Input::Retry(ticket, id, RetryOptions::default()))
    };
    let (first, _) = add(&mut bench, unique(OnConflict::Return));
    finish(&mut bench);
    let (second, added) = add(&mut bench, unique(OnConflict::Return));
    assert_eq!(added, Added::New);
    let Effect::Refuse(_, error) = retry(&mut bench, first) else { panic!("it is refused") };
    assert_eq!(error.code(), Code::Duplicate);
    assert_eq!(error.facts().uuid, Some(second.0.to_string()));
    assert_eq!(bench.state(first), State::Done);
    finish(&mut bench);
    let answer = retry(&mut bench, first);
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))), "{answer:?}");
    assert_eq!(add(&mut bench, unique(OnConflict::Return)), (first, Added::Duplicate));
    let Effect::Refuse(_, error) = retry(&mut bench, second) else { panic!("it is refused") };
    assert_eq!(error.facts().uuid, Some(first.0.to_string()));
    // One that held its key until its start does not take it again.
    finish(&mut bench);
    let (third, _) = add(&mut bench, said(UniqueWhile::New, OnConflict::Return, None));
    finish(&mut bench);
    let (fourth, added) = add(&mut bench, unique(OnConflict::Return));
    assert_eq!(added, Added::New);
    let answer = retry(&mut bench, third);
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))), "{answer:?}");
    assert_eq!(add(&mut bench, unique(OnConflict::Return)), (fourth, Added::Duplicate));
}

#[test]
fn a_task_that_is_aborted_before_it_ran_gives_its_key_away() {
    for hold in [UniqueWhile::New, UniqueWhile::Unfinished] {
        let mut bench = Bench::new(1);
        let (first, _) = add(&mut bench, said(hold, OnConflict::Return, None));
        bench.call(|ticket| Input::Abort(ticket, first, reason(Cause::User)));
        let (second, added) = add(&mut bench, said(hold, OnConflict::Return, None));
        assert_eq!((added, first == second), (Added::New, false));
    }
}

/// I-2: a row of an outbox that is a duplicate leads to the earlier task.
#[test]
fn a_row_that_is_a_duplicate_leads_to_the_earlier_task() {
    let mut bench = Bench::new(1);
    let row = |n| IdempotencyKey(Uuid::from_u128(n));
    let (first, _) = add(&mut bench, unique(OnConflict::Return));
    for expected in [Added::Duplicate, Added::Known] {
        let rows = vec![(row(1), unique(OnConflict::Return)), (row(1), def("a"))];
        let answer = bench.call(|ticket| Input::AddIdempotent(ticket, rows));
        let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
        assert_eq!(adds, [(first, expected), (first, Added::Known)]);
    }
    let answer = bench.call(|ticket| Input::FindByKey(ticket, row(1)));
    assert!(matches!(answer, Effect::Answer(_, Answer::Found(Some(id))) if id == first));
}

/// I-2, I-11
#[test]
fn the_same_key_in_two_processes_makes_one_task_and_both_are_told_of_a_replacement() {
    let mut one = Bench::new(1);
    let mut two = one.beside(1);
    let remote = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
    two.call(|ticket| Input::Subscribe(ticket, remote));
    let (id, _) = add(&mut one, unique(OnConflict::Return));
    assert_eq!(add(&mut two, unique(OnConflict::Return)), (id, Added::Duplicate));
    let ack = two.ticket();
    two.turn(vec![Input::Ack(ack)]);
    add(&mut one, unique(OnConflict::Replace));
    let told = two.look();
    let is_update = |effect: &&Effect| match effect {
        Effect::Remote(_, RemoteEvent::Task(other, TaskEvent::Updated)) => *other == id,
        _ => false,
    };
    assert_eq!(told.iter().filter(is_update).count(), 1, "{told:?}");
}

/// F-10
#[test]
fn a_key_whose_commit_failed_is_free_again_and_a_replacement_is_none() {
    let mut bench = Bench::started(1);
    bench.fail_next(Code::Full);
    assert_eq!(try_add(&mut bench, unique(OnConflict::Return)).unwrap_err().code(), Code::Full);
    let blocker = bench.add("a", 9.0);
    let (id, added) = add(&mut bench, with_data(unique(OnConflict::Return), "1"));
    assert_eq!(added, Added::New);
    bench.fail_next(Code::Full);
    let replace = with_data(unique(OnConflict::Replace), "2");
    assert_eq!(try_add(&mut bench, replace).unwrap_err().code(), Code::Full);
    finish(&mut bench);
    assert_eq!(bench.starts(), [blocker, id]);
    assert_eq!(bench.started_data(), Some(Json::trusted("1")));
}

#[test]
fn a_paused_task_holds_its_key_and_a_replacement_puts_it_back() {
    let mut bench = Bench::new(1);
    let (id, _) = add(&mut bench, unique(OnConflict::Return));
    bench.call(|ticket| Input::Pause(ticket, id));
    assert_eq!(add(&mut bench, unique(OnConflict::Return)), (id, Added::Duplicate));
    assert_eq!(bench.state(id), State::Paused);
    let task = with_data(unique(OnConflict::Replace), "7");
    assert_eq!(add(&mut bench, task), (id, Added::Replaced));
    assert_eq!(
        (bench.state(id), bench.get(id).task.def.data),
        (State::Ready, Some(Json::trusted("7")))
    );
    bench.call(|ticket| Input::Pause(ticket, id));
    let mut later = unique(OnConflict::Replace);
    later.options.start_time = Some(StartTime::After(1_000));
    assert_eq!(add(&mut bench, later), (id, Added::Replaced));
    assert_eq!(bench.state(id), State::Delayed);
    // One that has halted has started.
    bench.assign("a", None);
    bench.call(Input::Start);
    bench.advance(1_000);
    bench.call(|ticket| Input::Pause(ticket, id));
    let slot = bench.memory().live.in_order()[0].slot;
    bench.turn(vec![Input::Halt(slot)]);
    assert_eq!(add(&mut bench, unique(OnConflict::Replace)), (id, Added::Duplicate));
    assert_eq!(bench.state(id), State::Paused);
}
