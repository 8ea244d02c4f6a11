//! Tasks that lapse: those that say so, by their operation, until they end.

use tasker_core::error::Result;
use tasker_core::id::{OperationId, Seq};
use tasker_core::store::Change;
use tasker_core::task::OnStopWaiting;

use super::world::{Task, World, read};

fn lapsing(world: &mut World, operation: u16, first: u64, max: usize) -> Result<Vec<u64>> {
    let (operation, seqs) = (OperationId(operation), Seq(first)..=Seq(u64::MAX >> 1));
    let found = world.inside(|store| store.lapsing(operation, seqs, max))?;
    Ok(found.into_iter().map(|seq| seq.0).collect())
}

fn change(task: Task, lapses: bool) -> Change {
    Change::Lapses { seq: task.seq, operation: task.lane.operation(), lapses }
}

/// Adds one that says so.
fn add(world: &mut World) -> Result<Task> {
    let mut def = read();
    def.options.on_stop_waiting = OnStopWaiting::Abort;
    let (task, mut changes) = world.adding_to(0, def);
    changes.push(change(task, true));
    world.turn(changes)?;
    Ok(task)
}

/// Whatever it waits for, and while it runs; over a crash.
pub(super) fn those_that_lapse_are_found_by_their_operation(world: &mut World) -> Result<()> {
    let tasks = [add(world)?, add(world)?, add(world)?];
    world.add(read())?;
    let seqs = tasks.map(|task| task.seq.0);
    for _ in 0..2 {
        assert_eq!(lapsing(world, 1, 0, 9)?, seqs);
        assert_eq!(lapsing(world, 1, seqs[1], 9)?, seqs[1..]);
        assert_eq!(lapsing(world, 1, 0, 2)?, seqs[..2]);
        assert_eq!(lapsing(world, 2, 0, 9)?, [0; 0]);
        world.crash()?;
    }
    let delay = world.delaying(tasks[0], 7);
    let pause = world.pausing(tasks[1]);
    world.turn(vec![delay, pause])?;
    world.start(tasks[2])?;
    assert_eq!(lapsing(world, 1, 0, 9)?, seqs);
    Ok(())
}

/// Said twice, it is said once.
pub(super) fn who_does_not_lapse_any_more_is_not_found(world: &mut World) -> Result<()> {
    let tasks = [add(world)?, add(world)?];
    world.turn(vec![change(tasks[0], true)])?;
    let abort = world.aborting(tasks[0]);
    world.turn(vec![abort, change(tasks[0], false)])?;
    assert_eq!(lapsing(world, 1, 0, 9)?, [tasks[1].seq.0]);
    world.turn(vec![change(tasks[0], false)])?;
    assert_eq!(lapsing(world, 1, 0, 9)?, [tasks[1].seq.0]);
    Ok(())
}
