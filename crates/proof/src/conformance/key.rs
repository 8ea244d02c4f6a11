//! A key makes one task.

use tasker_core::error::Result;
use tasker_core::id::{IdempotencyKey, Seq, TaskId};
use tasker_core::key::{Key, KeyKind};
use tasker_core::store::Change;
use uuid::Uuid;

use super::world::{Task, World, of, read};

fn key(n: u128) -> Key {
    Key::Idempotency(IdempotencyKey(Uuid::from_u128(n)))
}

/// A task was added under a key that is new.
fn naming(key: Key, seq: Seq) -> Change {
    Change::Key { key, seq, kind: KeyKind::Idempotency, until: None, had_by: None }
}

/// The changes that add a task under a key; not yet written.
fn adding(world: &mut World, key: Key) -> (Task, Vec<Change>) {
    let (task, mut changes) = world.adding(read());
    changes.push(naming(key, task.seq));
    (task, changes)
}

fn add(world: &mut World, key: Key) -> Result<Task> {
    let (task, changes) = adding(world, key);
    world.turn(changes)?;
    Ok(task)
}

fn keyed(world: &mut World, key: Key) -> Result<Option<TaskId>> {
    let holder = world.inside(|store| Ok(store.find_by_keys(&[key])?.remove(0)))?;
    Ok(holder.map(|holder| holder.id))
}

/// I-2.
pub(super) fn a_key_leads_to_its_task(world: &mut World) -> Result<()> {
    let keys = [key(0), key(1), key(u128::MAX)];
    let tasks = keys.clone().map(|key| add(world, key));
    for (key, task) in keys.into_iter().zip(tasks) {
        assert_eq!(keyed(world, key)?, Some(task?.id));
    }
    Ok(())
}

/// I-2.
pub(super) fn an_unknown_key_leads_nowhere(world: &mut World) -> Result<()> {
    world.add(read())?;
    add(world, key(7))?;
    assert_eq!(keyed(world, key(8))?, None);
    Ok(())
}

/// I-2: a second task under a key is refused, with all that came with it.
pub(super) fn a_key_that_is_taken_is_refused(world: &mut World) -> Result<()> {
    let first = add(world, key(7))?;
    let (_, changes) = adding(world, key(7));
    world.assert_fenced(changes);
    assert_eq!(keyed(world, key(7))?, Some(first.id));
    assert_eq!(world.count("{}")?, 1);
    Ok(())
}

/// I-2.
pub(super) fn a_key_that_stands_twice_in_a_batch_is_refused(world: &mut World) -> Result<()> {
    let (_, mut changes) = adding(world, key(7));
    changes.extend(adding(world, key(7)).1);
    world.assert_fenced(changes);
    assert_eq!(keyed(world, key(7))?, None);
    assert_eq!(world.count("{}")?, 0);
    Ok(())
}

/// I-1, I-2: it is there as long as its task, however that ended.
pub(super) fn a_key_outlives_the_process_and_the_end_of_its_task(world: &mut World) -> Result<()> {
    let task = add(world, key(7))?;
    world.crash()?;
    assert_eq!(keyed(world, key(7))?, Some(task.id));
    let change = world.aborting(task);
    world.turn(vec![change])?;
    world.reopen()?;
    assert_eq!(keyed(world, key(7))?, Some(task.id));
    Ok(())
}

/// I-2: what is not committed was never there.
pub(super) fn a_key_goes_with_its_refused_batch(world: &mut World) -> Result<()> {
    let taken = world.add(of("read"))?;
    let (_, mut changes) = adding(world, key(7));
    let again = naming(key(9), taken.seq);
    changes.extend([again.clone(), again]);
    world.assert_fenced(changes);
    assert_eq!(keyed(world, key(7))?, None);
    assert_eq!(keyed(world, key(9))?, None);
    let task = add(world, key(7))?;
    assert_eq!(keyed(world, key(7))?, Some(task.id));
    Ok(())
}
