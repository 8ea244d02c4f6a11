//! Other definitions for tasks that wait.

use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{NewTask, Priority, StartTime, TaskOptions};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::world::{Task, World, done, json, read, with_data, with_priority};

fn timers(world: &mut World) -> Result<Vec<Timer>> {
    world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, usize::MAX))
}

fn due(task: Task, at: i64) -> Timer {
    Timer { at: WallMs(at), kind: TimerKind::Due, seq: task.seq }
}

fn at(def: NewTask, run_at: i64) -> NewTask {
    let mut def = def;
    def.options.start_time = Some(StartTime::At(WallMs(run_at)));
    def
}

fn update(world: &mut World, task: Task, def: NewTask, is_queued: bool) -> Result<()> {
    let change = world.updating(task, def, is_queued);
    world.turn(vec![change])
}

/// I-1, I-7: all of it but what makes it this task.
pub(super) fn a_task_that_waits_gets_another_definition_and_stays_the_same(
    world: &mut World,
) -> Result<()> {
    let options = TaskOptions { label: Some(json("\"old\"")), ..TaskOptions::default() };
    let task = world.add(NewTask { options: options.into(), ..with_data("1") })?;
    let before = world.get(task)?;
    let options = TaskOptions { id: Some(json("{ \"n\":1.0}")), ..TaskOptions::default() };
    let data = Some(json("{ \"s\":\"\\ud800\" }"));
    let def = NewTask { data, options: options.into(), ..with_priority(2.0)? };
    update(world, task, def.clone(), true)?;
    let expected = tasker_core::task::TaskRecord { def, ..before };
    assert_eq!(world.get(task)?, expected);
    world.crash()?;
    assert_eq!(world.get(task)?, expected);
    update(world, task, read(), true)?;
    assert_eq!(world.get(task)?.def, read());
    Ok(())
}

pub(super) fn its_place_in_the_queue_is_that_of_its_priority(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(); 3])?;
    update(world, tasks[2], with_priority(1.0)?, true)?;
    update(world, tasks[0], with_data("7"), true)?;
    let order = [tasks[2], tasks[0], tasks[1]].map(|task| task.seq.0);
    assert_eq!(world.queue()?, order);
    let window = world.window("read")?;
    let data: Vec<_> = window.tasks.iter().map(|task| task.def.data.clone()).collect();
    assert_eq!(data, [None, Some(json("7")), None]);
    let live = world.start(tasks[2])?;
    world.end(live, done())
}

pub(super) fn a_delayed_task_gets_another_moment_and_a_timer(world: &mut World) -> Result<()> {
    let task = world.add_delayed(read(), 50)?;
    for (run_at, expected) in [(70, vec![50, 70]), (30, vec![30, 50, 70])] {
        update(world, task, at(with_data("7"), run_at), false)?;
        let stored = world.get(task)?;
        assert_eq!((stored.state, stored.def.data), (State::Delayed, Some(json("7"))));
        assert_eq!(stored.def.options.run_at(), Some(WallMs(run_at)));
        let timers = timers(world)?;
        assert_eq!(timers, expected.into_iter().map(|at| due(task, at)).collect::<Vec<_>>());
    }
    Ok(())
}

pub(super) fn a_task_may_be_updated_and_delayed_or_made_ready_in_one_batch(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let changes =
        vec![world.updating(task, at(with_priority(3.0)?, 70), true), { world.delaying(task, 70) }];
    world.turn(changes)?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.priority), (State::Delayed, Priority::new(3.0)?));
    assert_eq!((world.queue()?, timers(world)?), (vec![], vec![due(task, 70)]));
    let changes =
        vec![world.updating(task, with_priority(4.0)?, false), { world.becoming_due(task) }];
    world.turn(changes)?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def), (State::Ready, with_priority(4.0)?));
    assert_eq!(world.queue()?, [task.seq.0]);
    Ok(())
}

/// Its new definition depends on nothing: the waits go in the batch that gives it.
pub(super) fn a_blocked_task_gets_another_definition_and_waits_for_nothing(
    world: &mut World,
) -> Result<()> {
    let on = world.add(read())?;
    let (now, later) = (world.add_blocked(read(), &[on])?, world.add_blocked(read(), &[on])?);
    let changes = vec![
        world.updating(now, with_priority(4.0)?, false),
        Change::LetGo { seq: now.seq },
        world.unblocking(now),
    ];
    world.turn(changes)?;
    let stored = world.get(now)?;
    assert_eq!((stored.state, stored.def), (State::Ready, with_priority(4.0)?));
    let mut change = world.updating(later, at(with_data("7"), 70), false);
    if let Change::Update { due_at, .. } = &mut change {
        *due_at = None;
    }
    let delay = world.delaying(later, 70);
    world.turn(vec![change, Change::LetGo { seq: later.seq }, delay])?;
    let stored = world.get(later)?;
    assert_eq!((stored.state, stored.def.data), (State::Delayed, Some(json("7"))));
    assert_eq!((world.queue()?, timers(world)?), (vec![now.seq.0, on.seq.0], vec![due(later, 70)]));
    let waits = world.inside(|store| store.dependents(&[on.seq], 9, 9))?;
    assert_eq!(waits, []);
    Ok(())
}

/// I-3: where a task does not wait as it is said to, nothing of the change is written.
pub(super) fn an_update_of_a_task_that_waits_elsewhere_is_refused(world: &mut World) -> Result<()> {
    let (ready, delayed) = (world.add(read())?, world.add_delayed(read(), 50)?);
    for (task, is_queued) in [(ready, false), (delayed, true)] {
        let before = world.get(task)?;
        let change = world.updating(task, at(read(), 7), is_queued);
        world.assert_fenced(vec![change]);
        assert_eq!(world.get(task)?, before);
    }
    assert_eq!(timers(world)?, [due(delayed, 50)]);
    Ok(())
}
