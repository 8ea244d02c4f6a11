//! Tasks that are attached to an owner, which alone can run them.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId};
use tasker_core::store::{Change, Start, Whose};

use super::world::{Task, World, done, read};

/// Adds a task that is attached to the owner of the handle that is driven.
fn attach(world: &mut World) -> Result<Task> {
    let (task, changes) = attaching(world)?;
    world.turn(changes)?;
    Ok(task)
}

/// The changes that do so.
fn attaching(world: &mut World) -> Result<(Task, Vec<Change>)> {
    let lane = LaneId::attached(OperationId(1), world.store()?.owner());
    let (task, changes) = world.adding_to(lane.0 >> 16, read());
    assert_eq!(task.lane, lane);
    Ok((task, changes))
}

fn attached(world: &mut World, whose: Whose, max: usize) -> Result<Vec<u64>> {
    let seqs = world.inside(|store| store.attached(whose, max))?;
    Ok(seqs.into_iter().map(|seq| seq.0).collect())
}

fn ours(world: &mut World) -> Result<Vec<u64>> {
    attached(world, Whose::Ours, usize::MAX)
}

fn of_the_dead(world: &mut World) -> Result<Vec<u64>> {
    attached(world, Whose::OfTheDead, usize::MAX)
}

/// Whatever it waits for, and while it runs.
pub(super) fn an_attached_task_is_its_owners_until_it_ends(world: &mut World) -> Result<()> {
    world.add(read())?;
    let tasks = [attach(world)?, attach(world)?, attach(world)?];
    let (running, mut changes) = attaching(world)?;
    let first = Start { run: world.run_id(), attempt: 1, at: world.tick() };
    for change in &mut changes {
        if let Change::Add { start, .. } = change {
            *start = Some(first);
        }
    }
    world.turn(changes)?;
    let delay = world.delaying(tasks[0], 7);
    world.turn(vec![delay])?;
    assert_eq!(ours(world)?, [2, 3, 4, running.seq.0]);
    assert_eq!(attached(world, Whose::Ours, 2)?, [2, 3]);
    assert_eq!(of_the_dead(world)?, [0; 0]);
    let abort = world.aborting(tasks[1]);
    world.turn(vec![abort])?;
    let live = world.start(tasks[2])?;
    world.end(live, done())?;
    assert_eq!(ours(world)?, [2, running.seq.0]);
    Ok(())
}

/// I-5
pub(super) fn what_is_attached_to_the_living_is_theirs(world: &mut World) -> Result<()> {
    attach(world)?;
    world.open_another()?;
    world.swap();
    assert_eq!((ours(world)?, of_the_dead(world)?), (vec![], vec![]));
    attach(world)?;
    assert_eq!((ours(world)?, of_the_dead(world)?), (vec![2], vec![]));
    world.lose_other()?;
    assert_eq!((ours(world)?, of_the_dead(world)?), (vec![2], vec![1]));
    Ok(())
}

/// I-1: also if who found them is killed before the last of them has ended.
pub(super) fn what_is_attached_to_the_dead_is_found_until_it_has_ended(
    world: &mut World,
) -> Result<()> {
    let tasks = [attach(world)?, attach(world)?];
    world.crash()?;
    assert_eq!(of_the_dead(world)?, [1, 2]);
    let abort = world.aborting(tasks[0]);
    world.turn(vec![abort])?;
    assert_eq!(of_the_dead(world)?, [2]);
    world.crash()?;
    assert_eq!(of_the_dead(world)?, [2]);
    assert_eq!(attached(world, Whose::OfTheDead, 0)?, [0; 0]);
    let abort = world.aborting(tasks[1]);
    world.turn(vec![abort])?;
    assert_eq!(of_the_dead(world)?, [0; 0]);
    world.crash()?;
    assert_eq!((of_the_dead(world)?, world.orphans()?.len()), (vec![], 0));
    Ok(())
}

/// What a close leaves is like what the dead leave.
pub(super) fn what_is_attached_to_who_has_closed_is_of_the_dead(world: &mut World) -> Result<()> {
    attach(world)?;
    world.reopen()?;
    assert_eq!((ours(world)?, of_the_dead(world)?), (vec![], vec![1]));
    Ok(())
}
