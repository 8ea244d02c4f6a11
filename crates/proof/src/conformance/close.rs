//! Closed means closed, and open again means as before.

use tasker_core::error::Result;
use tasker_core::state::State;

use super::world::{World, done, read};

/// I-14.
pub(super) fn a_closed_store_opens_again_as_it_was(world: &mut World) -> Result<()> {
    let (live, task) = (world.running()?, world.add(read())?);
    world.end(live, done())?;
    let before = (world.get(live.task)?, world.get(task)?);
    world.reopen()?;
    assert_eq!((world.get(live.task)?, world.get(task)?), before);
    assert_eq!(world.queue()?, [task.seq.0]);
    Ok(())
}

/// I-14: nothing is held back by a handle that was closed.
pub(super) fn twenty_open_and_close_cycles_leave_the_way_free(world: &mut World) -> Result<()> {
    for n in 1..=20 {
        world.add(read())?;
        world.reopen()?;
        assert_eq!(world.count("{}")?, n);
    }
    Ok(())
}

/// I-1: also what came right before it.
pub(super) fn a_close_right_after_a_commit_loses_nothing(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    world.reopen()?;
    assert_eq!(world.get(live.task)?.state, State::Done);
    Ok(())
}

/// F-1, I-14: crashes and closes in any order.
pub(super) fn crash_and_close_may_alternate(world: &mut World) -> Result<()> {
    for n in 1..=6 {
        world.add(read())?;
        world.crash()?;
        world.add(read())?;
        world.reopen()?;
        assert_eq!(world.count("{}")?, 2 * n);
    }
    Ok(())
}
