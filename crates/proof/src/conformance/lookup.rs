//! A uuid finds its row and no other.

use tasker_core::error::Result;
use tasker_core::id::{IdKey, IdSource, Seq, TaskId};
use tasker_core::queue::QueueKey;
use tasker_core::store::WindowQuery;
use tasker_core::time::WallMs;
use uuid::Uuid;

use super::world::{BEGIN, Task, World, of, read};

/// The same uuid with other bits, which a stranger may ask for.
fn altered(id: TaskId, mask: u128) -> TaskId {
    TaskId(Uuid::from_u128(id.0.as_u128() ^ mask))
}

fn is_there(world: &mut World, id: TaskId) -> Result<bool> {
    Ok(world.reader()?.get(id, None, usize::MAX)?.is_some())
}

/// I-16.
pub(super) fn every_task_is_found_by_its_uuid(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(); 500])?;
    for task in tasks {
        assert_eq!(world.get(task)?.seq, task.seq);
    }
    Ok(())
}

/// I-2: the number inside the uuid is right, the rest is not.
pub(super) fn a_uuid_with_another_time_is_not_found(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    for bit in [64, 80, 127] {
        assert!(!is_there(world, altered(task.id, 1 << bit))?);
    }
    assert!(is_there(world, task.id)?);
    Ok(())
}

/// I-2.
pub(super) fn a_uuid_of_another_database_is_not_found(world: &mut World) -> Result<()> {
    world.add_many(vec![read(); 50])?;
    let mut others = IdSource::new(IdKey(1), [1; 32]);
    for seq in 1..=50 {
        let id = others.task(Seq(seq), WallMs(BEGIN));
        assert!(!is_there(world, id)?);
    }
    Ok(())
}

/// I-2: also one that this database might give out next.
pub(super) fn a_uuid_that_is_not_given_yet_is_not_found(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let next = world.task_id(Seq(task.seq.0 + 1));
    assert!(!is_there(world, next)?);
    Ok(())
}

/// extreme values are values.
pub(super) fn the_least_and_the_greatest_uuid_are_not_found(world: &mut World) -> Result<()> {
    world.add(read())?;
    for bits in [0, u128::MAX] {
        assert!(!is_there(world, TaskId(Uuid::from_u128(bits)))?);
    }
    Ok(())
}

/// I-1: the key is part of the database; without it no task would be found again.
pub(super) fn the_key_of_the_ids_survives(world: &mut World) -> Result<()> {
    let key = world.store()?.id_key();
    let task: Task = world.add(read())?;
    world.crash()?;
    assert_eq!(world.store()?.id_key(), key);
    world.reopen()?;
    assert_eq!(world.store()?.id_key(), key);
    assert_eq!(world.get(task)?.id, task.id);
    Ok(())
}

/// I-2: a second task of the same number under another uuid is not the first.
pub(super) fn two_uuids_of_one_number_are_two_names(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let twin = world.task_id(task.seq);
    assert_ne!(twin, task.id);
    assert!(!is_there(world, twin)?);
    Ok(())
}

/// One answer for each question, in their order, also where one is asked twice or about nothing.
pub(super) fn many_are_looked_up_at_once_in_their_order(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), of("write"), read()])?;
    let live = world.start(tasks[2])?;
    world.turn(vec![World::asking_abort(live, "1")])?;
    let asked = [tasks[1].seq, Seq(99), tasks[0].seq, tasks[1].seq];
    let briefs = world.inside(|store| store.briefs(&asked))?;
    let ids: Vec<_> = briefs.iter().map(|brief| brief.as_ref().map(|brief| brief.id)).collect();
    assert_eq!(ids, [Some(tasks[1].id), None, Some(tasks[0].id), Some(tasks[1].id)]);

    let runs = [(live.task.seq, live.run), (tasks[0].seq, live.run)];
    let reasons = world.inside(|store| store.abort_requests(&runs))?;
    assert!(matches!(reasons[..], [Some(_), None]));

    let lanes = ["write", "read"].map(|operation| world.lane(operation).0);
    let lanes = lanes.map(|lane| WindowQuery { lane, from: QueueKey::FIRST, tasks_max: 9 });
    let windows = world.inside(|store| store.windows(&lanes, 9))?;
    let first: Vec<_> = windows.iter().map(|window| window.tasks[0].seq).collect();
    assert_eq!(first, [tasks[1].seq, tasks[0].seq]);
    assert!(world.inside(|store| store.briefs(&[]))?.is_empty());
    Ok(())
}
