//! Start times: delayed tasks and the timers that wake them.

use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::store::{Change, Lookups};
use tasker_core::task::StartTime;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::world::{Task, World, aborted, done, read, with_priority};

const EVER: std::ops::RangeInclusive<WallMs> = WallMs::FIRST..=WallMs::LAST;

fn timers(world: &mut World) -> Result<Vec<Timer>> {
    world.inside(|store| store.timers(EVER, usize::MAX))
}

fn timer(task: Task, at: i64) -> Timer {
    Timer { at: WallMs(at), kind: TimerKind::Due, seq: task.seq }
}

pub(super) fn a_delayed_task_waits_with_a_timer_and_keeps_its_start_time(
    world: &mut World,
) -> Result<()> {
    let task = world.add_delayed(read(), 5_000)?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.options.run_at()), (State::Delayed, Some(WallMs(5_000))));
    assert_eq!(timers(world)?, [timer(task, 5_000)]);
    assert_eq!(world.find(r#"{"runAt":{"$date":5000},"state":"delayed"}"#, None)?, [task.seq.0]);
    world.crash()?;
    assert_eq!(world.get(task)?, stored);
    assert_eq!(timers(world)?, [timer(task, 5_000)]);
    Ok(())
}

pub(super) fn a_start_time_that_is_over_is_kept_and_has_no_timer(world: &mut World) -> Result<()> {
    let mut def = read();
    def.options.start_time = Some(StartTime::At(WallMs(-7)));
    let task = world.add(def)?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.options.run_at()), (State::Ready, Some(WallMs(-7))));
    assert_eq!(timers(world)?, []);
    Ok(())
}

pub(super) fn timers_come_by_time_and_number_within_bounds(world: &mut World) -> Result<()> {
    let mut all = Vec::new();
    for at in [9, 3, 7, 3] {
        all.push(timer(world.add_delayed(read(), at)?, at));
    }
    all.sort();
    let mut look = |at: std::ops::RangeInclusive<i64>, max| {
        world.inside(|store| store.timers(WallMs(*at.start())..=WallMs(*at.end()), max))
    };
    assert_eq!(look(3..=9, 9)?, all);
    assert_eq!(look(4..=9, 9)?, all[2..]);
    assert_eq!(look(0..=8, 9)?, all[..3]);
    assert_eq!(look(0..=9, 1)?, all[..1]);
    assert_eq!(look(10..=99, 9)?, []);
    Ok(())
}

pub(super) fn what_is_due_takes_its_place_in_the_queue(world: &mut World) -> Result<()> {
    let late = world.add_delayed(read(), 5)?;
    let ready = world.add(read())?;
    let urgent = world.add_delayed(with_priority(1.0)?, 6)?;
    let due = [late, urgent].map(|task| world.becoming_due(task));
    world.turn(due.to_vec())?;
    let order = world.find(r#"{"state":"ready"}"#, None)?;
    assert_eq!(order, [urgent, late, ready].map(|task| task.seq.0));
    world.start(late)?;
    assert_eq!(world.get(late)?.state, State::Running);
    Ok(())
}

pub(super) fn many_are_due_in_one_batch_and_one_that_is_not_refuses_it(
    world: &mut World,
) -> Result<()> {
    let tasks: Vec<Task> =
        (0..1_000).map(|at| world.add_delayed(read(), at)).collect::<Result<_>>()?;
    let (_, early) = world.starting_due(tasks[500]);
    world.turn(vec![early])?;
    let due: Vec<Change> = tasks.iter().map(|task| world.becoming_due(*task)).collect();
    assert_eq!(world.refused(due.clone()), Some(500));
    assert_eq!(world.get(tasks[0])?.state, State::Delayed);
    let rest = due.into_iter().enumerate().filter(|(at, _)| *at != 500);
    world.turn(rest.map(|(_, change)| change).collect())?;
    assert_eq!(world.find(r#"{"state":"ready"}"#, None)?.len(), 999);
    Ok(())
}

/// I-10.
pub(super) fn what_is_due_may_start_in_the_same_batch(world: &mut World) -> Result<()> {
    let tasks: Vec<Task> = (0..3).map(|at| world.add_delayed(read(), at)).collect::<Result<_>>()?;
    let starts: Vec<_> = tasks.iter().map(|task| world.starting_due(*task)).collect();
    world.turn(starts.iter().map(|(_, change)| change.clone()).collect())?;
    for (live, change) in starts {
        assert_eq!(world.get(live.task)?.state, State::Running);
        world.assert_fenced(vec![change]);
        world.end(live, done())?;
    }
    let ready = world.add(read())?;
    let (_, change) = world.starting_due(ready);
    world.assert_fenced(vec![change]);
    Ok(())
}

pub(super) fn timers_that_have_fired_are_forgotten_and_no_others(world: &mut World) -> Result<()> {
    let tasks: Vec<Task> =
        [2, 1, 2, 3].into_iter().map(|at| world.add_delayed(read(), at)).collect::<Result<_>>()?;
    world.turn(vec![Change::Fired(timer(tasks[0], 2))])?;
    assert_eq!(timers(world)?, [timer(tasks[2], 2), timer(tasks[3], 3)]);
    world.turn(vec![Change::Fired(timer(tasks[0], 2))])?;
    let due: Vec<Change> = tasks.iter().map(|task| world.becoming_due(*task)).collect();
    world.turn(due)
}

pub(super) fn a_delayed_task_that_is_aborted_leaves_a_timer_for_nothing(
    world: &mut World,
) -> Result<()> {
    let task = world.add_delayed(read(), 5)?;
    let abort = world.aborting(task);
    world.turn(vec![abort])?;
    assert_eq!(world.get(task)?.outcome, Some(aborted()));
    assert_eq!(timers(world)?, [timer(task, 5)]);
    let due = world.becoming_due(task);
    world.assert_fenced(vec![due]);
    world.turn(vec![Change::Fired(timer(task, 5))])?;
    assert_eq!(timers(world)?, []);
    Ok(())
}

pub(super) fn the_content_of_a_delayed_task_is_there_when_it_is_due(
    world: &mut World,
) -> Result<()> {
    let task = world.add_delayed(read(), 5)?;
    let name = read().operation;
    let asked = [(task.seq, name)];
    let mut transaction = world.store()?.begin(&Lookups::default)?;
    let found = transaction.contents(&asked, usize::MAX)?;
    let seqs: Vec<_> = found.iter().flatten().map(|task| task.seq).collect();
    assert_eq!(seqs, [task.seq]);
    Ok(())
}
