//! Every operation, by number.

use tasker_core::error::Result;
use tasker_core::id::OperationId;
use tasker_core::store::{Change, Operation};

use super::world::{World, of, read};

fn operations(world: &mut World) -> Result<Vec<Operation>> {
    world.inside(|store| store.operations())
}

/// Nothing comes from nowhere.
pub(super) fn a_new_store_has_no_operations(world: &mut World) -> Result<()> {
    assert!(operations(world)?.is_empty());
    Ok(())
}

/// In the commit of its first task.
pub(super) fn an_operation_comes_with_its_first_task(world: &mut World) -> Result<()> {
    world.add(read())?;
    world.add(read())?;
    assert_eq!(operations(world)?, [Operation { id: OperationId(1), name: "read".into() }]);
    Ok(())
}

/// Also after a crash, and whatever the order of names.
pub(super) fn operations_come_back_by_number(world: &mut World) -> Result<()> {
    let names = ["zebra", "apple", "Ünïcødé 🦀", "a b", "x'; --"];
    world.add_many(names.iter().copied().map(of).collect())?;
    world.crash()?;
    let kept = operations(world)?;
    let expected: Vec<_> = (1..).zip(names).map(|(n, name)| (OperationId(n), name)).collect();
    let kept: Vec<_> = kept.iter().map(|operation| (operation.id, &*operation.name)).collect();
    assert_eq!(kept, expected);
    Ok(())
}

/// I-17: the longest name there may be.
pub(super) fn an_operation_of_the_greatest_length_comes_back(world: &mut World) -> Result<()> {
    let name = "x".repeat(tasker_core::limits::OPERATION_BYTES_MAX);
    let task = world.add(of(&name))?;
    assert_eq!(&*operations(world)?[0].name, name);
    assert_eq!(&*world.get(task)?.def.operation, name);
    Ok(())
}

/// I-17: the last number there may be.
pub(super) fn an_operation_with_the_greatest_number_comes_back(world: &mut World) -> Result<()> {
    let last = Operation { id: OperationId(u16::MAX), name: "last".into() };
    world.turn(vec![Change::Operation(last.clone())])?;
    assert_eq!(operations(world)?, [last]);
    Ok(())
}

/// I-2: an operation that was never committed is none.
pub(super) fn an_operation_goes_with_its_refused_batch(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (_, again) = world.starting(live.task, 2);
    let write = Operation { id: OperationId(2), name: "write".into() };
    world.assert_fenced(vec![Change::Operation(write), again]);
    assert_eq!(operations(world)?.len(), 1);
    Ok(())
}
