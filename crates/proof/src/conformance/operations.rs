//! Every operation, by number, and what is said of it.

use tasker_core::error::Result;
use tasker_core::id::OperationId;
use tasker_core::operation::{OperationOptions, OperationRecord, RunTimeout};
use tasker_core::retry;
use tasker_core::store::{Change, Operation};
use tasker_core::task::{OnInterrupted, OnStop, Priority};
use tasker_core::time::WallMs;

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
    assert_eq!(operations(world)?, [Operation::new(OperationId(1), "read")]);
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
    let last = Operation::new(OperationId(u16::MAX), "last");
    world.turn(vec![Change::Operation(last.clone().into())])?;
    assert_eq!(operations(world)?, [last]);
    Ok(())
}

/// I-2: an operation that was never committed is none.
pub(super) fn an_operation_goes_with_its_refused_batch(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (_, again) = world.starting(live.task, 2);
    let write = Operation::new(OperationId(2), "write");
    world.assert_fenced(vec![Change::Operation(write.into()), again]);
    assert_eq!(operations(world)?.len(), 1);
    Ok(())
}

/// One that says something of everything.
fn whole(version: u32) -> Operation {
    let defined = OperationOptions {
        priority: Some(Priority::MIN),
        run_timeout: Some(RunTimeout::Off),
        retry: retry::read(r#"{"attempts":3,"on":["timeout"]}"#, "retry").ok().map(Into::into),
        on_interrupted: Some(OnInterrupted::Abort),
        on_stop: Some(OnStop::Wait),
        ..OperationOptions::at_once(1)
    };
    let assigned = OperationOptions {
        priority: Priority::new(-2.5).ok(),
        run_timeout: Some(RunTimeout::Ms(300_000)),
        on_interrupted: Some(OnInterrupted::Fail),
        on_stop: Some(OnStop::Postpone),
        ..OperationOptions::at_once(100_000)
    };
    let paused_at = Some(WallMs(-7));
    let (lanes_from, circuit_from) = (9, 8);
    let record =
        OperationRecord { version, paused_at, defined, assigned, lanes_from, circuit_from };
    Operation { record, ..Operation::new(OperationId(1), "x'; --") }
}

/// The next version, which says nothing any more.
fn bare(version: u32) -> Operation {
    let record = OperationRecord { version, ..OperationRecord::first() };
    Operation { record, ..whole(version) }
}

fn put(operation: Operation) -> Vec<Change> {
    vec![Change::Operation(operation.into())]
}

/// I-1: with each version, after a crash, and for another process.
pub(super) fn the_record_of_an_operation_comes_back_with_all_that_it_says(
    world: &mut World,
) -> Result<()> {
    for operation in [whole(1), bare(2), whole(3)] {
        world.turn(put(operation.clone()))?;
        let expected = [operation];
        assert_eq!(operations(world)?, expected);
        world.crash()?;
        assert_eq!(operations(world)?, expected);
    }
    world.open_another()?;
    world.swap();
    assert_eq!(operations(world)?, [whole(3)]);
    Ok(())
}

/// I-16: what users read.
pub(super) fn a_record_without_tasks_is_read_by_name(world: &mut World) -> Result<()> {
    let known = world.add(read())?;
    let other = Operation { id: OperationId(2), name: "apple".into(), record: whole(1).record };
    world.turn(put(other.clone()))?;
    let read = Operation::new(known.lane.operation(), "read");
    assert_eq!(world.reader()?.operations()?, [other, read]);
    Ok(())
}

/// I-3: nobody writes over what he has not seen.
pub(super) fn a_record_has_the_version_after_the_one_before(world: &mut World) -> Result<()> {
    for version in [0, 2] {
        world.assert_fenced(put(whole(version)));
    }
    world.turn(put(whole(1)))?;
    for version in [0, 1, 3] {
        world.assert_fenced(put(bare(version)));
    }
    world.turn(put(bare(2)))?;
    for version in [1, 2, 4] {
        world.assert_fenced(put(whole(version)));
    }
    assert_eq!(operations(world)?, [bare(2)]);
    Ok(())
}

/// I-8: whatever version it has.
pub(super) fn a_number_and_a_name_are_those_of_one_operation(world: &mut World) -> Result<()> {
    world.turn(put(whole(1)))?;
    for version in [1, 2] {
        world.assert_fenced(put(Operation { id: OperationId(2), ..whole(version) }));
        world.assert_fenced(put(Operation { name: "other".into(), ..whole(version) }));
    }
    Ok(())
}

/// I-2: what was not committed was not said.
pub(super) fn a_record_goes_with_its_refused_batch(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (_, again) = world.starting(live.task, 2);
    let operation = Operation { id: live.task.lane.operation(), name: "read".into(), ..whole(2) };
    world.assert_fenced(vec![Change::Operation(operation.into()), again]);
    assert_eq!(operations(world)?, [Operation::new(live.task.lane.operation(), "read")]);
    Ok(())
}
