//! Start times: what is due by the wall clock, whatever becomes of it.

use tasker_core::error::Code;
use tasker_core::id::TaskId;
use tasker_core::rules::Settlement;
use tasker_core::state::State;
use tasker_core::task::{Cause, Priority, StartTime};
use tasker_core::time::WallMs;
use tasker_engine::effect::{Answer, Effect};
use tasker_engine::input::Input;
use tasker_engine::turn::Next;
use tasker_proof::faulty_store::Call;

use crate::bench::{Bench, def, reason};

const HOUR: u64 = 3_600_000;
const TEN_YEARS: i64 = 315_576_000_000;

fn add_later(bench: &mut Bench, ms: u64) -> TaskId {
    bench.add_with("a", |def| def.options.start_time = Some(StartTime::After(ms)))
}

#[test]
fn a_task_waits_for_its_start_time_and_starts_then_in_one_commit() {
    let mut bench = Bench::started(2);
    let id = add_later(&mut bench, 1_000);
    assert_eq!((bench.state(id), bench.wait_ms()), (State::Delayed, None));
    assert_eq!(bench.next_timer(), Some(WallMs(bench.wall().0 + 1_000)));
    bench.advance(999);
    assert!(bench.starts().is_empty(), "a millisecond too early");
    let before = bench.batches();
    bench.advance(1);
    assert_eq!((bench.starts(), bench.batches()), (vec![id], before + 1));
    assert_eq!(bench.next_timer(), None);
}

#[test]
fn a_start_time_that_is_over_delays_nothing() {
    let mut bench = Bench::started(1);
    let now = bench.wall();
    let id = bench.add_with("a", |def| def.options.start_time = Some(StartTime::At(now)));
    assert_eq!((bench.starts(), bench.next_timer()), (vec![id], None));
    assert_eq!(bench.get(id).task.def.options.run_at(), Some(now), "it is kept all the same");
}

#[test]
fn what_is_due_without_a_runner_waits_in_its_place() {
    let mut bench = Bench::new(1);
    let late = add_later(&mut bench, 5);
    let ready = bench.add("a", 0.0);
    bench.advance(5);
    assert_eq!(bench.state(late), State::Ready);
    bench.call(Input::Start);
    bench.assign("a", None);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), [late, ready], "the older one stands first");
}

#[test]
fn a_delayed_task_that_is_aborted_never_starts() {
    let mut bench = Bench::started(1);
    let id = add_later(&mut bench, 5);
    let answer = bench.call(|ticket| Input::Abort(ticket, id, reason(Cause::User)));
    assert!(matches!(answer, Effect::Answer(_, Answer::Flag(true))));
    assert_eq!(bench.state(id), State::Aborted);
    bench.advance(5);
    assert_eq!((bench.starts(), bench.next_timer()), (vec![], None), "its timer is dropped");
}

#[test]
fn an_abort_and_a_priority_meet_what_is_due_in_their_turn() {
    let mut bench = Bench::started(1);
    let ids = [5, 5, 5].map(|ms| add_later(&mut bench, ms));
    bench.wait(5);
    let priority = Priority::new(1.0).unwrap();
    let inputs = vec![
        Input::Abort(bench.ticket(), ids[0], reason(Cause::User)),
        Input::Prioritize(bench.ticket(), ids[2], priority),
    ];
    bench.turn(inputs);
    assert_eq!(bench.state(ids[0]), State::Aborted);
    bench.settle_oldest(Settlement::Returned(None));
    assert_eq!(bench.starts(), [ids[2], ids[1]]);
}

#[test]
fn a_clock_that_is_set_loses_nothing_and_starts_nothing_early() {
    for jump in [-TEN_YEARS, -(HOUR as i64), HOUR as i64, TEN_YEARS] {
        let mut bench = Bench::started(2);
        let id = add_later(&mut bench, 2 * HOUR);
        let due = WallMs(bench.wall().0 + 2 * HOUR as i64);
        bench.set_wall(WallMs(bench.wall().0 + jump));
        bench.turn(Vec::new());
        assert_eq!(bench.starts().is_empty(), bench.wall() < due, "{jump}");
        bench.crash();
        bench.call(Input::Start);
        bench.assign("a", None);
        assert_eq!(bench.starts().is_empty(), bench.wall() < due, "{jump} after a crash");
        bench.set_wall(due);
        bench.turn(Vec::new());
        assert!(bench.starts().contains(&id), "{jump}: it is late, and not lost");
    }
}

/// Tasks that are due after seven milliseconds; one turn fires 1,024 of them.
fn add_flood(bench: &mut Bench, count: usize) -> Vec<TaskId> {
    let delayed = || {
        let mut def = def("a");
        def.options.start_time = Some(StartTime::After(7));
        def
    };
    let defs = (0..count).map(|_| delayed()).collect();
    let Effect::Answer(_, Answer::Tasks(ids)) = bench.call(|ticket| Input::AddMany(ticket, defs))
    else {
        panic!("they are added")
    };
    assert!(bench.starts().is_empty());
    ids
}

#[test]
fn calls_come_in_between_the_portions_of_a_flood() {
    let mut bench = Bench::started(10_000);
    let ids = add_flood(&mut bench, 1_025);
    bench.wait(7);
    let (after, _) = bench.turn_once(Vec::new());
    assert_eq!((after, bench.starts().len()), (Next::More, 1_024));
    let ticket = bench.ticket();
    let aborting = Input::Abort(ticket, ids[1_024], reason(Cause::User));
    let (after, told) = bench.turn_once(vec![aborting]);
    let is_answered = |effect: &Effect| matches!(effect, Effect::Answer(_, Answer::Flag(true)));
    assert!(told.iter().any(is_answered), "{told:?}");
    assert_eq!((after, bench.starts().len()), (Next::Wait(None), 1_024));
}

#[test]
fn a_flood_of_due_tasks_enters_in_portions_and_loses_none() {
    let mut bench = Bench::started(10_000);
    let ids = add_flood(&mut bench, 2_500);
    let before = bench.batches();
    bench.advance(7);
    assert_eq!(bench.batches(), before + 3);
    assert_eq!(bench.starts(), ids);
}

#[test]
fn a_neighbour_looks_first_and_finds_it_done() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    let id = add_later(&mut one, 5);
    two.look();
    assert_eq!(two.next_timer(), one.next_timer(), "it heard of the timer");
    one.advance(5);
    two.wait(5);
    let before = two.batches();
    two.look();
    assert_eq!((one.starts(), two.next_timer()), (vec![id], None));
    assert_eq!(two.batches(), before + 1, "it caught up and wrote nothing");
}

#[test]
fn a_neighbour_does_what_is_due_if_nobody_else_does() {
    let mut one = Bench::started(1);
    let mut two = one.beside(1);
    two.assign("a", None);
    let id = add_later(&mut one, 5);
    one.die();
    two.look();
    two.wait(5);
    two.look();
    assert_eq!(two.starts(), [id]);
}

#[test]
fn what_is_due_waits_for_a_store_that_can_be_written() {
    let mut bench = Bench::started(1);
    let id = add_later(&mut bench, 5);
    bench.fail_next(Code::Full);
    bench.advance(5);
    assert_eq!((bench.state(id), bench.next_timer()), (State::Delayed, None));
    assert!(bench.wait_ms().is_some_and(|ms| ms > 0), "it must not turn for ever");
    let again = bench.wait_ms().unwrap();
    bench.fail_call(Call::Timers, Code::Busy);
    bench.advance(again);
    let again = bench.wait_ms().unwrap();
    bench.advance(again);
    assert_eq!(bench.starts(), [id]);
}
