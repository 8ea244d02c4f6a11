//! Every lane, by number.

use tasker_core::error::Result;
use tasker_core::id::LaneId;
use tasker_core::store::{Change, Lane};

use super::world::{World, of, read};

fn lanes(world: &mut World) -> Result<Vec<Lane>> {
    world.inside(|store| store.lanes())
}

/// Nothing comes from nowhere.
pub(super) fn a_new_store_has_no_lanes(world: &mut World) -> Result<()> {
    assert!(lanes(world)?.is_empty());
    Ok(())
}

/// In the commit of its first task.
pub(super) fn a_lane_comes_with_its_first_task(world: &mut World) -> Result<()> {
    world.add(read())?;
    world.add(read())?;
    assert_eq!(lanes(world)?, [Lane { id: LaneId(1), operation: "read".into() }]);
    Ok(())
}

/// Also after a crash, and whatever the order of names.
pub(super) fn lanes_come_back_by_number(world: &mut World) -> Result<()> {
    let names = ["zebra", "apple", "Ünïcødé 🦀", "a b", "x'; --"];
    world.add_many(names.iter().copied().map(of).collect())?;
    world.crash()?;
    let kept = lanes(world)?;
    let expected: Vec<_> = (1..).zip(names).map(|(n, name)| (LaneId(n), name)).collect();
    let kept: Vec<_> = kept.iter().map(|lane| (lane.id, &*lane.operation)).collect();
    assert_eq!(kept, expected);
    Ok(())
}

/// I-17: the longest name there may be.
pub(super) fn an_operation_of_the_greatest_length_comes_back(world: &mut World) -> Result<()> {
    let name = "x".repeat(tasker_core::limits::OPERATION_BYTES_MAX);
    let task = world.add(of(&name))?;
    assert_eq!(&*lanes(world)?[0].operation, name);
    assert_eq!(&*world.get(task)?.def.operation, name);
    Ok(())
}

/// I-2: a lane that was never committed is none.
pub(super) fn a_lane_goes_with_its_refused_batch(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (_, again) = world.starting(live.task, 2);
    let lane = Lane { id: LaneId(2), operation: "write".into() };
    world.assert_fenced(vec![Change::Lane(lane), again]);
    assert_eq!(lanes(world)?.len(), 1);
    Ok(())
}
