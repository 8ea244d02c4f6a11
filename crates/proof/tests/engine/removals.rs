//! Removal: by hand, and when the retention is over.

use tasker_core::dependency::{Dependencies, Dependency, OnFailure};
use tasker_core::error::Code;
use tasker_core::id::{Seq, TaskId};
use tasker_core::key::{OnConflict, Unique, UniqueWhile};
use tasker_core::retention::{BLOCK, Retention};
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, NewTask, OnInterrupted, StartTime};
use tasker_engine::effect::{Added, Answer, Effect, RemoteEvent, Skipped, TaskEvent};
use tasker_engine::input::{Bulk, BulkVerb, Input, RemoteFilter, RetryOptions, Subscription};
use tasker_engine::turn::Next;

use crate::bench::{Bench, def, json, reason};

/// A retention, and the longest that its removal may be late.
const KEPT_MS: u64 = 1_000;
const LATE_MS: u64 = 500;

fn add_kept(bench: &mut Bench, ms: u64) -> TaskId {
    bench.add_with("a", |def| def.options.retention = Retention::after(ms).shared())
}

fn remove(bench: &mut Bench, id: TaskId) -> Effect {
    bench.call(|ticket| Input::Remove(ticket, id))
}

fn flag(effect: &Effect) -> Option<bool> {
    match effect {
        Effect::Answer(_, Answer::Flag(flag)) => Some(*flag),
        _ => None,
    }
}

fn is_not_found(effect: &Effect) -> bool {
    matches!(effect, Effect::Refuse(_, error) if error.code() == Code::NotFound)
}

#[test]
fn a_removed_task_is_gone_for_every_call_and_counts_no_more() {
    let mut bench = Bench::started(2);
    let (gone, stays) = (bench.add("a", 0.0), bench.add("a", 0.0));
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(flag(&remove(&mut bench, stays)), Some(false), "it runs");
    assert_eq!(flag(&remove(&mut bench, gone)), Some(true));
    assert!(is_not_found(&remove(&mut bench, gone)));
    assert!(is_not_found(&bench.call(|t| Input::AwaitEnd(t, gone))));
    assert!(is_not_found(&bench.call(|t| Input::Abort(t, gone, reason(Cause::User)))));
    assert!(is_not_found(&bench.call(|t| Input::Retry(t, gone, RetryOptions::default()))));
    assert_eq!(bench.memory().counts.total(), 1);
    let next = bench.add("a", 0.0);
    assert!(bench.get(next).task.seq > bench.get(stays).task.seq, "numbers go on (I-8)");
}

#[test]
fn calls_of_one_turn_meet_a_removal_as_if_they_came_one_after_the_other() {
    let mut bench = Bench::started(1);
    let id = bench.add("a", 0.0);
    let [early, remove, late, again, retry] = [(); 5].map(|()| bench.ticket());
    let effects = bench.turn(vec![
        Input::Remove(early, id),
        Input::Settle(1, Settlement::Returned(None)),
        Input::Remove(remove, id),
        Input::Remove(again, id),
        Input::Retry(retry, id, RetryOptions::default()),
        Input::AwaitEnd(late, id),
    ]);
    let of = |ticket| {
        let is_it = |effect: &&Effect| match effect {
            Effect::Answer(one, _) | Effect::Refuse(one, _) => *one == ticket,
            _ => false,
        };
        effects.iter().find(is_it).unwrap()
    };
    assert_eq!([early, remove].map(|ticket| flag(of(ticket))), [Some(false), Some(true)]);
    assert!([again, retry, late].iter().all(|ticket| is_not_found(of(*ticket))));
    assert_eq!(bench.memory().counts.total(), 0);
}

#[test]
fn a_task_is_kept_as_long_as_it_says_and_little_longer() {
    let mut bench = Bench::started(9);
    let (kept, ever) = (add_kept(&mut bench, KEPT_MS), bench.add("a", 0.0));
    let by_end = bench.add_with("a", |def| {
        let text = r#"{"failed":1000,"aborted":false}"#;
        def.options.retention = Retention::read(text, "retention").unwrap().shared();
    });
    bench.advance(10 * KEPT_MS);
    assert_eq!(bench.state(kept), State::Running, "what has not ended is not removed");
    for _ in 0..3 {
        bench.settle_oldest(Settlement::Returned(None));
    }
    bench.advance(KEPT_MS - 1);
    assert_eq!(bench.state(kept), State::Done, "a millisecond too early");
    bench.advance(1 + LATE_MS);
    assert!(is_not_found(&remove(&mut bench, kept)));
    assert_eq!([bench.state(ever), bench.state(by_end)], [State::Done; 2]);
    assert_eq!(bench.next_timer(), None);
}

#[test]
fn each_way_to_end_has_its_timer() {
    let mut bench = Bench::started(9);
    let mut ids = Vec::new();
    for settled in [Settlement::Returned(None), Settlement::Threw(json())] {
        ids.push(add_kept(&mut bench, KEPT_MS));
        bench.settle_oldest(settled);
    }
    let running = add_kept(&mut bench, KEPT_MS);
    bench.call(|t| Input::Abort(t, running, reason(Cause::User)));
    bench.settle_oldest(Settlement::Threw(json()));
    let delayed = bench.add_with("b", |def| {
        def.options.retention = Retention::after(KEPT_MS).shared();
        def.options.start_time = Some(StartTime::After(1_000_000));
    });
    bench.call(|t| Input::Abort(t, delayed, reason(Cause::User)));
    let lost = bench.add_with("a", |def| {
        def.options.retention = Retention::after(KEPT_MS).shared();
        def.options.on_interrupted = OnInterrupted::Fail;
    });
    bench.crash();
    ids.extend([running, delayed, lost]);
    assert!(ids.iter().all(|id| bench.state(*id).is_final()));
    bench.advance(KEPT_MS + LATE_MS);
    assert!(ids.iter().all(|id| is_not_found(&remove(&mut bench, *id))));
    bench.advance(1_000_000);
    assert_eq!(bench.next_timer(), None, "the timer of a start time fires for nothing");
}

#[test]
fn a_task_that_was_opened_again_is_kept_for_its_new_end() {
    let mut bench = Bench::started(1);
    let id = add_kept(&mut bench, KEPT_MS);
    bench.settle_oldest(Settlement::Returned(None));
    bench.wait(KEPT_MS + LATE_MS);
    // The first end is over in the very turn that opens the task again.
    let retry = bench.ticket();
    bench.turn(vec![Input::Retry(retry, id, RetryOptions::default())]);
    assert_eq!(bench.state(id), State::Running);
    bench.settle_oldest(Settlement::Returned(None));
    bench.advance(KEPT_MS - 1);
    assert_eq!(bench.state(id), State::Done);
    bench.advance(1 + LATE_MS);
    assert!(is_not_found(&remove(&mut bench, id)));
}

#[test]
fn a_removal_by_hand_and_by_time_in_one_turn_are_one() {
    let mut bench = Bench::started(1);
    let ids = [(); 2].map(|()| {
        let id = add_kept(&mut bench, KEPT_MS);
        bench.settle_oldest(Settlement::Returned(None));
        id
    });
    bench.wait(KEPT_MS + LATE_MS);
    let ticket = bench.ticket();
    let effects = bench.turn(vec![Input::Remove(ticket, ids[1])]);
    assert!(effects.iter().any(|effect| flag(effect) == Some(true)));
    assert_eq!(bench.memory().counts.total(), 0);
}

/// As many as may end at once go in portions, and calls come in between.
#[test]
fn a_flood_of_removals_goes_in_portions_and_leaves_none() {
    const TASKS: usize = 5_000;
    let mut bench = Bench::started(TASKS as u32);
    let mut task = def("a");
    task.options.retention = Retention::after(KEPT_MS).shared();
    bench.call(|ticket| Input::AddMany(ticket, vec![task; TASKS]));
    let slots = 1..=TASKS as u64;
    bench.turn(slots.map(|slot| Input::Settle(slot, Settlement::Returned(None))).collect());
    bench.wait(KEPT_MS + LATE_MS);
    let mut left = bench.memory().counts.total();
    assert_eq!(left, TASKS as u64);
    loop {
        let (next, _) = bench.turn_once(Vec::new());
        let now = bench.memory().counts.total();
        assert!(left - now < 1_024 + BLOCK, "{} went in one turn", left - now);
        left = now;
        if next != Next::More {
            break;
        }
    }
    assert_eq!((left, bench.next_timer()), (0, None));
}

#[test]
fn tasks_of_one_block_that_end_together_go_together() {
    let mut bench = Bench::started(100);
    for _ in 0..100 {
        add_kept(&mut bench, KEPT_MS);
    }
    let settle = (1..=100).map(|slot| Input::Settle(slot, Settlement::Returned(None)));
    bench.turn(settle.collect());
    let before = bench.batches();
    bench.advance(KEPT_MS + LATE_MS);
    assert_eq!(bench.batches(), before + 1);
    assert_eq!(bench.memory().counts.total(), 0);
}

/// F-8
#[test]
fn a_wait_for_a_task_that_another_process_removes_is_refused() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let id = add_kept(&mut one, KEPT_MS);
    let wait = two.ticket();
    two.turn(vec![Input::AwaitEnd(wait, id)]);
    // Ended and removed before the other one has looked.
    one.settle_oldest(Settlement::Returned(None));
    assert_eq!(flag(&remove(&mut one, id)), Some(true));
    let effects = two.look();
    assert!(effects.iter().any(is_not_found), "{effects:?}");
    assert!(is_not_found(&two.call(|t| Input::AwaitEnd(t, id))));
    assert_eq!(two.memory().counts.total(), 0);
}

/// F-8
#[test]
fn who_reads_everything_anew_refuses_the_waits_for_what_is_gone() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let (id, waits) = (one.add("a", 0.0), two.add("z", 0.0));
    let wait = two.ticket();
    two.turn(vec![Input::AwaitEnd(wait, id)]);
    one.settle_oldest(Settlement::Returned(None));
    remove(&mut one, id);
    two.refuse_next(waits);
    let ticket = two.ticket();
    let effects = two.turn(vec![Input::Abort(ticket, waits, reason(Cause::User))]);
    assert!(effects.iter().any(is_not_found), "{effects:?}");
}

/// F-8: the process that knew of a timer dies.
#[test]
fn another_process_removes_what_is_over() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let id = add_kept(&mut one, KEPT_MS);
    one.settle_oldest(Settlement::Returned(None));
    two.look();
    assert!(two.next_timer().is_some());
    one.die();
    two.advance(KEPT_MS + LATE_MS);
    assert!(is_not_found(&remove(&mut two, id)));
}

/// A process that comes late hears nothing of what is gone, and of the rest everything.
#[test]
fn what_is_removed_before_it_is_told_is_not_told() {
    let mut one = Bench::started(2);
    let mut two = one.beside(1);
    let subscription = Subscription { remote: RemoteFilter::All, ..Subscription::default() };
    two.call(|ticket| Input::Subscribe(ticket, subscription));
    let (gone, stays) = (one.add("a", 0.0), one.add("a", 0.0));
    one.settle_oldest(Settlement::Returned(None));
    one.settle_oldest(Settlement::Returned(None));
    remove(&mut one, gone);
    let ends = two.look().into_iter().filter_map(|effect| match effect {
        Effect::Remote(_, RemoteEvent::Task(id, TaskEvent::Ended(_))) => Some(id),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [stays]);
}

/// F-10
#[test]
fn a_removal_that_cannot_be_written_is_made_later() {
    let mut bench = Bench::started(1);
    let id = add_kept(&mut bench, KEPT_MS);
    bench.settle_oldest(Settlement::Returned(None));
    bench.wait(KEPT_MS + LATE_MS);
    bench.fail_next(Code::Full);
    bench.turn(Vec::new());
    assert_eq!(bench.state(id), State::Done);
    bench.advance(100);
    assert!(is_not_found(&remove(&mut bench, id)));
}

fn depends_on(ids: &[TaskId]) -> Dependencies {
    let on = ids.iter().copied().map(Dependency::Task).collect();
    Dependencies { on, on_failure: OnFailure::Run, is_list: true }
}

/// By hand and by time, whether it is met or not.
#[test]
fn a_task_on_which_another_depends_stays_until_that_has_ended() {
    let mut bench = Bench::started(2);
    let on = add_kept(&mut bench, KEPT_MS);
    bench.settle_oldest(Settlement::Returned(None));
    let open = bench.add("a", 0.0);
    let id = bench.add_with("b", |def| {
        def.options.depends_on = Some(depends_on(&[on, open]).into());
    });
    assert_eq!(flag(&remove(&mut bench, on)), Some(false), "it is needed");
    let seqs = vec![bench.get(on).task.seq];
    for is_dry in [true, false] {
        let bulk = Bulk { seqs: seqs.clone(), verb: BulkVerb::Remove, is_dry };
        let answer = bench.call(|ticket| Input::Bulk(ticket, bulk));
        let Effect::Answer(_, Answer::Bulk(outcome)) = answer else { panic!("{answer:?}") };
        assert_eq!((outcome.changed, outcome.skipped[&Skipped::Needed]), (0, 1));
    }
    for _ in 0..5 {
        bench.advance(2 * KEPT_MS);
        assert_eq!(bench.state(on), State::Done, "it is needed for longer than it was to be kept");
    }
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!((bench.state(id), bench.state(on)), (State::Ready, State::Done));
    bench.call(|t| Input::Abort(t, id, reason(Cause::User)));
    bench.advance(2 * LATE_MS);
    assert!(is_not_found(&remove(&mut bench, on)));
}

#[test]
fn an_add_and_a_removal_of_what_it_depends_on_meet_in_either_order() {
    for removes_first in [true, false] {
        let mut bench = Bench::started(1);
        let on = bench.add("a", 0.0);
        bench.settle_oldest(Settlement::Returned(None));
        let [add, remove] = [(); 2].map(|()| bench.ticket());
        let mut def = def("b");
        def.options.depends_on = Some(depends_on(&[on]).into());
        let mut inputs = vec![Input::Add(add, def), Input::Remove(remove, on)];
        if removes_first {
            inputs.reverse();
        }
        let effects = bench.turn(inputs);
        let of = |ticket| {
            let is_it = |effect: &&Effect| match effect {
                Effect::Answer(one, _) | Effect::Refuse(one, _) => *one == ticket,
                _ => false,
            };
            effects.iter().find(is_it).unwrap()
        };
        assert_eq!(is_not_found(of(add)), removes_first);
        assert_eq!(flag(of(remove)), Some(removes_first));
    }
}

/// One that ends as it comes too.
#[test]
fn a_task_that_ends_as_it_comes_is_kept_as_long_as_it_says() {
    let mut bench = Bench::started(1);
    let on = bench.add("a", 0.0);
    bench.settle_oldest(Settlement::Threw(json()));
    let id = bench.add_with("b", |def| {
        let all = Dependencies { on_failure: OnFailure::Abort, ..depends_on(&[on]) };
        def.options.depends_on = Some(all.into());
        def.options.retention = Retention::after(KEPT_MS).shared();
    });
    assert_eq!(bench.state(id), State::Aborted);
    bench.advance(KEPT_MS + LATE_MS);
    assert!(is_not_found(&remove(&mut bench, id)));
}

fn keyed() -> NewTask {
    let (hold, on_conflict) = (UniqueWhile::Always, OnConflict::Replace);
    let unique = Unique { key: "k".into(), hold, ttl_ms: None, on_conflict };
    let mut task = def("a");
    task.options.unique = Some(unique.into());
    task
}

/// I-2: nothing is left of a key that a task took in the turn that removed it.
#[test]
fn a_removed_task_gives_its_key_away_in_any_order_of_one_turn() {
    for replaces in [true, false] {
        let mut bench = Bench::new(1);
        let answer = bench.call(|ticket| Input::Add(ticket, keyed()));
        let Effect::Answer(_, Answer::Adds(adds)) = answer else { panic!("{answer:?}") };
        let id = adds[0].0;
        let tickets = [(); 5].map(|()| bench.ticket());
        let mut other = keyed();
        other.options.unique = keyed()
            .options
            .unique
            .clone()
            .map(|unique| Unique { hold: UniqueWhile::Unfinished, ..(*unique).clone() }.into());
        let mut inputs =
            vec![Input::Abort(tickets[1], id, reason(Cause::User)), Input::Remove(tickets[2], id)];
        if replaces {
            inputs.insert(0, Input::Add(tickets[0], other));
        }
        inputs.push(Input::Add(tickets[3], keyed()));
        inputs.push(Input::Add(tickets[4], keyed()));
        let effects = bench.turn(inputs);
        let added = |effect: &Effect| match effect {
            Effect::Answer(_, Answer::Adds(adds)) => Some(adds[0]),
            _ => None,
        };
        let adds: Vec<_> = effects.iter().filter_map(added).collect();
        let [.., (next, added), (same, again)] = adds[..] else { panic!("{adds:?}") };
        assert_eq!((added, again), (Added::New, Added::Replaced));
        assert_eq!((next == id, next), (false, same));
        bench.crash();
        assert_eq!(bench.memory().counts.total(), 1);
        let answer = bench.call(|ticket| Input::Add(ticket, keyed()));
        assert!(matches!(answer, Effect::Answer(_, Answer::Adds(adds)) if adds[0].0 == next));
    }
}

#[test]
fn a_task_whose_key_another_one_has_is_not_run_again_with_the_others() {
    let mut bench = Bench::started(3);
    let unfinished = || {
        let mut task = keyed();
        let unique = keyed().options.unique.clone().unwrap();
        let (hold, on_conflict) = (UniqueWhile::Unfinished, OnConflict::Return);
        task.options.unique = Some(Unique { hold, on_conflict, ..(*unique).clone() }.into());
        task
    };
    for _ in 0..2 {
        bench.call(|ticket| Input::Add(ticket, unfinished()));
        bench.settle_oldest(Settlement::Returned(None));
    }
    for is_dry in [false, true] {
        let bulk = Bulk {
            seqs: vec![Seq(1), Seq(2)],
            verb: BulkVerb::Retry(RetryOptions::default()),
            is_dry,
        };
        let answer = bench.call(|ticket| Input::Bulk(ticket, bulk));
        let Effect::Answer(_, Answer::Bulk(outcome)) = answer else { panic!("{answer:?}") };
        assert_eq!(outcome.skipped.get(&Skipped::Duplicate), Some(&1), "{outcome:?}");
        assert_eq!(outcome.changed, u64::from(!is_dry));
    }
}
