//! Keys of unique tasks: whose they are, and how they change hands.

use tasker_core::error::Result;
use tasker_core::id::{IdempotencyKey, Seq};
use tasker_core::key::{Key, KeyKind, OnConflict, Unique, UniqueWhile};
use tasker_core::store::{Change, KeyHolder};
use tasker_core::task::{NewTask, TaskOptions};
use tasker_core::time::WallMs;
use uuid::Uuid;

use super::world::{Task, World, done, of};

/// A task that says this key.
pub(super) fn unique(
    operation: &str,
    key: &str,
    hold: UniqueWhile,
    ttl_ms: Option<u64>,
) -> NewTask {
    let on_conflict = OnConflict::Return;
    let unique = Unique { key: key.into(), hold, ttl_ms, on_conflict };
    let options = TaskOptions { unique: Some(unique.into()), ..TaskOptions::default() };
    NewTask { options: options.into(), ..of(operation) }
}

fn key_of(world: &mut World, operation: &str, key: &str) -> Key {
    Key::Unique(world.lane(operation).0.id.operation(), key.into())
}

/// A task takes the key that it says, if it says one.
fn taking(
    world: &mut World,
    def: &NewTask,
    (task, created_at): (Task, WallMs),
    had_by: Option<Seq>,
) -> Option<Change> {
    let unique = def.options.unique.as_deref()?;
    let key = key_of(world, &def.operation, &unique.key);
    let (kind, until) = (KeyKind::Unique(unique.hold), unique.until(created_at));
    Some(Change::Key { key, seq: task.seq, kind, until, had_by })
}

/// The changes that add such a task; not yet written.
pub(super) fn adding(world: &mut World, def: &NewTask, had_by: Option<Seq>) -> (Task, Vec<Change>) {
    let (task, mut changes) = world.adding(def.clone());
    let at = changes.iter().find_map(|change| match change {
        Change::Add { at, .. } => Some(*at),
        _ => None,
    });
    let taken = taking(world, def, (task, at.unwrap_or_default()), had_by);
    changes.extend(taken);
    (task, changes)
}

fn add(world: &mut World, def: &NewTask, had_by: Option<Seq>) -> Result<Task> {
    let (task, changes) = adding(world, def, had_by);
    world.turn(changes)?;
    Ok(task)
}

fn holder(world: &mut World, operation: &str, key: &str) -> Result<Option<KeyHolder>> {
    let key = key_of(world, operation, key);
    world.inside(|store| Ok(store.find_by_keys(&[key])?.remove(0)))
}

pub(super) fn owner(world: &mut World, operation: &str, key: &str) -> Result<Option<Seq>> {
    Ok(holder(world, operation, key)?.map(|holder| holder.seq))
}

/// I-2: two operations have nothing to do with each other, and each byte counts.
pub(super) fn a_unique_key_belongs_to_its_operation(world: &mut World) -> Result<()> {
    let longest = "x".repeat(255);
    let all = [("read", "a"), ("write", "a"), ("read", "aa"), ("read", "é"), ("read", &*longest)];
    let mut tasks = Vec::new();
    for (operation, key) in all {
        let def = unique(operation, key, UniqueWhile::Unfinished, None);
        tasks.push(add(world, &def, None)?);
    }
    for ((operation, key), task) in all.into_iter().zip(tasks) {
        let kind = KeyKind::Unique(UniqueWhile::Unfinished);
        let expected = KeyHolder { seq: task.seq, id: task.id, kind, until: None };
        assert_eq!(holder(world, operation, key)?, Some(expected));
    }
    assert_eq!(holder(world, "write", "aa")?, None);
    Ok(())
}

pub(super) fn a_holder_comes_back_with_how_long_it_holds(world: &mut World) -> Result<()> {
    for (key, hold) in
        [("a", UniqueWhile::New), ("b", UniqueWhile::Unfinished), ("c", UniqueWhile::Always)]
    {
        let def = unique("read", key, hold, Some(70));
        let task = add(world, &def, None)?;
        let until = Some(world.get(task)?.created_at.plus(70));
        let expected = KeyHolder { seq: task.seq, id: task.id, kind: KeyKind::Unique(hold), until };
        assert_eq!(holder(world, "read", key)?, Some(expected));
        assert_eq!(world.get(task)?.def, def);
        let brief = world.brief(task.seq)?;
        assert_eq!(brief.and_then(|brief| brief.unique), def.options.unique);
    }
    Ok(())
}

/// I-2: the second of two is refused, with all that came with it.
pub(super) fn a_unique_key_that_another_has_is_refused(world: &mut World) -> Result<()> {
    let def = || unique("read", "a", UniqueWhile::Unfinished, None);
    let first = add(world, &def(), None)?;
    for had_by in [None, Some(Seq(first.seq.0 + 70))] {
        let (_, changes) = adding(world, &def(), had_by);
        world.assert_fenced(changes);
    }
    let (_, mut changes) = adding(world, &unique("read", "b", UniqueWhile::New, None), None);
    changes.extend(adding(world, &unique("read", "b", UniqueWhile::New, None), None).1);
    world.assert_fenced(changes);
    assert_eq!((owner(world, "read", "a")?, owner(world, "read", "b")?), (Some(first.seq), None));
    assert_eq!(world.count("{}")?, 1);
    Ok(())
}

/// I-2, I-1: whoever takes a key over names the task that had it, and a crash changes nothing.
pub(super) fn a_unique_key_is_taken_over_from_the_task_that_had_it(
    world: &mut World,
) -> Result<()> {
    let def = || unique("read", "a", UniqueWhile::Unfinished, None);
    let first = add(world, &def(), None)?;
    let live = world.start(first)?;
    world.end(live, done())?;
    assert_eq!(owner(world, "read", "a")?, Some(first.seq));
    let second = add(world, &unique("read", "a", UniqueWhile::New, Some(7)), Some(first.seq))?;
    let (_, late) = adding(world, &def(), Some(first.seq));
    world.assert_fenced(late);
    world.crash()?;
    let found = holder(world, "read", "a")?.map(|holder| (holder.seq, holder.kind));
    assert_eq!(found, Some((second.seq, KeyKind::Unique(UniqueWhile::New))));
    Ok(())
}

/// In the batch that ends a task the next one may take its key.
pub(super) fn a_task_ends_and_the_next_takes_its_key_in_one_batch(world: &mut World) -> Result<()> {
    let def = || unique("read", "a", UniqueWhile::Unfinished, None);
    let first = add(world, &def(), None)?;
    let live = world.start(first)?;
    let end = world.ending(live, done());
    let (second, changes) = adding(world, &def(), Some(first.seq));
    world.turn([vec![end], changes].concat())?;
    assert_eq!(owner(world, "read", "a")?, Some(second.seq));
    Ok(())
}

/// A task may have been added from an outbox, and more than once.
pub(super) fn a_task_may_have_keys_of_both_kinds(world: &mut World) -> Result<()> {
    let task = add(world, &unique("read", "a", UniqueWhile::Always, None), None)?;
    let row = |n| Key::Idempotency(IdempotencyKey(Uuid::from_u128(n)));
    let naming = |n| {
        let (key, seq, kind) = (row(n), task.seq, KeyKind::Idempotency);
        Change::Key { key, seq, kind, until: None, had_by: None }
    };
    world.turn(vec![naming(1), naming(2)])?;
    let keys = [row(1), row(2), row(3)];
    let found = world.inside(|store| store.find_by_keys(&keys))?;
    let ids: Vec<_> = found.iter().map(|holder| holder.map(|holder| holder.id)).collect();
    assert_eq!(ids, [Some(task.id), Some(task.id), None]);
    assert_eq!(owner(world, "read", "a")?, Some(task.seq));
    Ok(())
}

pub(super) fn queries_know_what_is_unique(world: &mut World) -> Result<()> {
    add(world, &unique("read", "a", UniqueWhile::New, Some(7)), None)?;
    world.add(of("read"))?;
    for (query, count) in [
        (r#"{"unique.key":"a"}"#, 1),
        (r#"{"unique.while":"new","unique.ttl":7,"unique.onConflict":"return"}"#, 1),
        (r#"{"unique":{"$exists":false}}"#, 1),
    ] {
        assert_eq!(world.count(query)?, count, "{query}");
    }
    Ok(())
}
