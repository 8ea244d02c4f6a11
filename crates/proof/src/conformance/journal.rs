//! One row for each batch, trimmed behind a floor: what may be seen of it through the port.

use tasker_core::error::Result;

use super::head::assert_head;
use super::world::{World, done, read};

/// A batch may hold no change: it is a commit all the same.
pub(super) fn an_empty_batch_moves_the_number(world: &mut World) -> Result<()> {
    world.turn(Vec::new())?;
    world.turn(Vec::new())?;
    assert_eq!(world.number(), 2);
    world.crash()?;
    assert_head(world)
}

/// The journal is trimmed behind a floor; the head never is.
pub(super) fn the_head_outlives_a_trimmed_journal(world: &mut World) -> Result<()> {
    for _ in 0..2_100 {
        world.turn(Vec::new())?;
    }
    world.add(read())?;
    world.trim()?;
    assert_head(world)?;
    world.crash()?;
    assert_head(world)
}

/// I-8: the number of a batch is never used again, also when the last one is all that is kept.
pub(super) fn batches_go_on_counting_behind_a_trimmed_journal(world: &mut World) -> Result<()> {
    for _ in 0..3 {
        for _ in 0..1_100 {
            world.turn(Vec::new())?;
        }
        world.trim()?;
        world.reopen()?;
        assert_head(world)?;
    }
    Ok(())
}

/// I-3: what was trimmed is the journal and no task.
pub(super) fn a_trimmed_journal_leaves_every_task(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let task = world.add(read())?;
    let before = (world.get(live.task)?, world.get(task)?);
    for _ in 0..2_100 {
        world.turn(Vec::new())?;
    }
    world.trim()?;
    assert_eq!((world.get(live.task)?, world.get(task)?), before);
    assert_eq!(world.count("{}")?, 2);
    Ok(())
}
