//! Who may still change places.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::task::Priority;

use super::world::{Task, World, done, read};

/// I-7.
pub(super) fn a_greater_priority_moves_a_waiting_task_ahead(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read(), read()])?;
    world.prioritize(tasks[2], 1.0)?;
    assert_eq!(world.queue()?, [3, 1, 2]);
    world.prioritize(tasks[1], f64::INFINITY)?;
    assert_eq!(world.queue()?, [2, 3, 1]);
    world.prioritize(tasks[2], f64::NEG_INFINITY)?;
    assert_eq!(world.queue()?, [2, 1, 3]);
    Ok(())
}

/// I-1.
pub(super) fn a_new_priority_survives_a_crash(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read()])?;
    world.prioritize(tasks[1], 7.25)?;
    world.crash()?;
    assert_eq!(world.get(tasks[1])?.def.priority, Priority::new(7.25)?);
    assert_eq!(world.queue()?, [2, 1]);
    Ok(())
}

/// I-7: age decides again when priorities are equal again.
pub(super) fn equal_priorities_go_by_age_whatever_they_were(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read(), read()])?;
    world.prioritize(tasks[2], 5.0)?;
    world.prioritize(tasks[0], 5.0)?;
    world.prioritize(tasks[1], 5.0)?;
    assert_eq!(world.queue()?, [1, 2, 3]);
    Ok(())
}

/// I-7.
pub(super) fn minus_zero_is_zero(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read()])?;
    world.prioritize(tasks[0], -0.0)?;
    assert_eq!(world.queue()?, [1, 2]);
    world.prioritize(tasks[1], -0.0)?;
    assert_eq!(world.queue()?, [1, 2]);
    Ok(())
}

/// Waiting tasks only.
pub(super) fn a_running_task_keeps_its_priority(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let change = world.prioritizing(live.task, 9.0)?;
    world.assert_fenced(vec![change]);
    assert_eq!(world.get(live.task)?.def.priority, Priority::default());
    Ok(())
}

/// I-3.
pub(super) fn an_ended_task_keeps_its_priority(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let change = world.prioritizing(live.task, 9.0)?;
    world.assert_fenced(vec![change]);
    assert_eq!(world.get(live.task)?.def.priority, Priority::default());
    Ok(())
}

/// I-2.
pub(super) fn a_task_that_never_was_is_not_prioritized(world: &mut World) -> Result<()> {
    let (seq, lane) = (Seq(77), LaneId(1));
    let id = world.task_id(seq);
    let change = world.prioritizing(Task { seq, lane, id }, 9.0)?;
    world.assert_fenced(vec![change]);
    Ok(())
}

/// A change to the same value is a change all the same: its guard holds.
pub(super) fn the_same_priority_again_is_no_error(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    world.prioritize(task, 0.0)?;
    world.prioritize(task, 0.0)?;
    assert_eq!(world.queue()?, [1]);
    Ok(())
}
