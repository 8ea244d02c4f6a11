//! Removing ended tasks, and what is left of them.

use tasker_core::error::Result;
use tasker_core::id::{IdempotencyKey, Seq, TaskId};
use tasker_core::key::{KEYS_SWEPT_MAX, Key, KeyKind, UniqueWhile};
use tasker_core::limits::KEYS_KEPT_MS;
use tasker_core::query::Query;
use tasker_core::retention::Retention;
use tasker_core::state::State;
use tasker_core::store::{Change, Expired};
use tasker_core::task::{Level, NewTask, Priority, TaskEnd};
use tasker_core::time::WallMs;
use uuid::Uuid;

use super::unique;
use super::world::{Live, Task, World, aborted, done, failed, read};

fn kept(text: &str) -> Result<NewTask> {
    let mut def = read();
    def.options.retention = Retention::read(text, "retention")?.shared();
    Ok(def)
}

/// A task that has ended so.
fn ended(world: &mut World, def: NewTask, outcome: TaskEnd) -> Result<Task> {
    let task = world.add(def)?;
    let live = world.start(task)?;
    world.end(live, outcome)?;
    Ok(task)
}

fn remove(world: &mut World, task: Task) -> Result<()> {
    let change = world.purging(task);
    world.turn(vec![change])
}

fn naming(key: IdempotencyKey, task: Task) -> Change {
    let (key, kind) = (Key::Idempotency(key), KeyKind::Idempotency);
    Change::Key { key, seq: task.seq, kind, until: None, had_by: None }
}

fn keyed(world: &mut World, key: IdempotencyKey) -> Result<Option<TaskId>> {
    let keys = [Key::Idempotency(key)];
    let holder = world.inside(|store| Ok(store.find_by_keys(&keys)?.remove(0)))?;
    Ok(holder.map(|holder| holder.id))
}

fn expired(world: &mut World, now: WallMs) -> Result<Vec<Seq>> {
    let found = world.inside(|store| store.expired(Seq(1)..=Seq(1 << 40), now))?;
    Ok(found.into_iter().map(|Expired { seq, .. }| seq).collect())
}

pub(super) fn a_removed_task_is_gone_with_all_that_is_of_it(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let first = world.start(task)?;
    let lost = world.losing(first, 1);
    world.turn(vec![lost])?;
    let live = world.start_attempt(task, 2)?;
    let line = world.logging(live, 1, Level::Info);
    world.turn(vec![line, World::asking_abort(live, "1")])?;
    world.end(live, aborted())?;
    remove(world, task)?;
    assert_eq!(world.find_task(task)?, None);
    assert_eq!((world.count("{}")?, world.count(r#"{"state":"aborted"}"#)?), (0, 0));
    assert_eq!(world.find("{}", None)?, [0; 0]);
    let Live { run, .. } = live;
    let (brief, reason) = world.inside(|store| {
        let brief = store.briefs(&[task.seq])?.remove(0);
        Ok((brief, store.abort_requests(&[(task.seq, run)])?.remove(0)))
    })?;
    assert_eq!((brief, reason), (None, None));
    Ok(())
}

/// I-3
pub(super) fn what_has_not_ended_is_not_removed(world: &mut World) -> Result<()> {
    let (ready, running) = (world.add(read())?, world.add(read())?);
    let delayed = world.add_delayed(read(), 5)?;
    world.start(running)?;
    for task in [ready, running, delayed] {
        let before = world.get(task)?;
        let change = world.purging(task);
        world.assert_fenced(vec![change]);
        assert_eq!(world.get(task)?, before);
    }
    Ok(())
}

/// I-8
pub(super) fn a_removed_task_is_not_removed_again_and_its_number_is_not_given_again(
    world: &mut World,
) -> Result<()> {
    let task = ended(world, read(), done())?;
    remove(world, task)?;
    let change = world.purging(task);
    world.assert_fenced(vec![change]);
    world.crash()?;
    let next = world.inside(|store| Ok(store.head()?.seq_next))?;
    assert!(next > task.seq, "number {next:?} would be given again");
    assert!(world.add(read())?.seq > task.seq);
    Ok(())
}

pub(super) fn many_are_removed_in_one_batch_and_one_that_has_not_ended_refuses_it(
    world: &mut World,
) -> Result<()> {
    let mut tasks = Vec::new();
    for _ in 0..300 {
        tasks.push(ended(world, read(), done())?);
    }
    let open = world.add(read())?;
    tasks.push(open);
    let changes: Vec<_> = tasks.iter().map(|task| world.purging(*task)).collect();
    let at = |change: &Change| match change {
        Change::Purge { seq, lane, from, .. } => {
            Change::Purge { seq: *seq, lane: *lane, from: *from, at: WallMs(9) }
        }
        other => other.clone(),
    };
    let mut changes: Vec<_> = changes.iter().map(at).collect();
    assert_eq!(world.refused(changes.clone()), Some(300));
    assert_eq!(world.count("{}")?, 301);
    changes.pop();
    world.turn(changes)?;
    assert_eq!(world.find("{}", None)?, [open.seq.0]);
    Ok(())
}

/// I-1, I-2
pub(super) fn a_removal_survives_a_crash_and_a_refused_one_was_never_there(
    world: &mut World,
) -> Result<()> {
    let (gone, stays) = (ended(world, read(), done())?, ended(world, read(), failed())?);
    let open = world.add(read())?;
    let refused = [stays, open].map(|task| world.purging(task));
    world.assert_fenced(refused.to_vec());
    remove(world, gone)?;
    world.crash()?;
    assert_eq!(world.find("{}", None)?, [open.seq.0, stays.seq.0]);
    Ok(())
}

/// I-20
pub(super) fn a_key_outlives_its_removed_task_and_leads_to_its_uuid(
    world: &mut World,
) -> Result<()> {
    let key = IdempotencyKey(Uuid::from_u128(7));
    let (task, mut changes) = world.adding(read());
    changes.push(naming(key, task));
    world.turn(changes)?;
    let live = world.start(task)?;
    world.end(live, done())?;
    remove(world, task)?;
    world.crash()?;
    assert_eq!(keyed(world, key)?, Some(task.id));
    let (again, mut changes) = world.adding(read());
    changes.push(naming(key, again));
    world.assert_fenced(changes);
    Ok(())
}

pub(super) fn keys_of_removed_tasks_are_forgotten_when_their_time_is_over_and_no_others(
    world: &mut World,
) -> Result<()> {
    let mut keys = Vec::new();
    for n in 0..KEYS_SWEPT_MAX as u128 + 2 {
        let key = IdempotencyKey(Uuid::from_u128(n));
        let (task, mut changes) = world.adding(read());
        changes.push(naming(key, task));
        let (live, start) = world.starting(task, 1);
        changes.extend([start, world.ending(live, done())]);
        world.turn(changes)?;
        keys.push((key, task));
    }
    let purges = keys.iter().skip(1).map(|(_, task)| Change::Purge {
        seq: task.seq,
        lane: task.lane,
        from: State::Done,
        at: WallMs(5),
    });
    world.turn(purges.collect())?;
    let over_at = WallMs(5).plus(KEYS_KEPT_MS);
    world.turn(vec![Change::SweepKeys(WallMs(over_at.0 - 1))])?;
    assert_eq!(keyed(world, keys[1].0)?, Some(keys[1].1.id));
    world.turn(vec![Change::SweepKeys(over_at)])?;
    let known = |world: &mut World| {
        let all: Vec<_> = keys.iter().map(|(key, _)| Key::Idempotency(*key)).collect();
        world.inside(|store| Ok(store.find_by_keys(&all)?.into_iter().flatten().count()))
    };
    assert_eq!(known(world)?, 2, "a change forgets so many at once");
    world.turn(vec![Change::SweepKeys(over_at)])?;
    assert_eq!(known(world)?, 1);
    assert_eq!(keyed(world, keys[0].0)?, Some(keys[0].1.id), "that of a task that is there");
    Ok(())
}

pub(super) fn what_is_expired_has_ended_and_its_own_retention_is_over(
    world: &mut World,
) -> Result<()> {
    let by_end = kept(r#"{"done":"1s","failed":"1h"}"#)?;
    let mut expected = Vec::new();
    for outcome in [done(), failed(), aborted()] {
        expected.push(ended(world, by_end.clone(), outcome)?);
    }
    let same = ended(world, kept("\"1s\"")?, aborted())?;
    ended(world, read(), done())?;
    let open = world.add(kept("1")?)?;
    world.start(open)?;
    world.add(kept("1")?)?;
    let at = |world: &mut World, task| Ok(world.get(task)?.ended_at.unwrap_or_default());
    let (first, last) = (at(world, expected[0])?, at(world, same)?);
    assert_eq!(expired(world, WallMs(first.plus(1_000).0 - 1))?, []);
    assert_eq!(expired(world, first.plus(1_000))?, [expected[0].seq]);
    assert_eq!(expired(world, last.plus(1_000))?, [expected[0].seq, same.seq]);
    let all = expired(world, last.plus(3_600_000))?;
    assert_eq!(all, [expected[0].seq, expected[1].seq, same.seq]);
    let found = world.inside(|store| store.expired(same.seq..=same.seq, last.plus(1_000)))?;
    let (seq, lane, state) = (same.seq, same.lane, State::Aborted);
    let (id, priority, kept_ms, is_needed) = (same.id, Priority::default(), 1_000, false);
    assert_eq!(found, [Expired { seq, lane, state, id, priority, kept_ms, is_needed }]);
    Ok(())
}

pub(super) fn a_brief_and_an_orphan_say_how_long_a_task_is_kept(world: &mut World) -> Result<()> {
    let def = kept("7")?;
    let retention = def.options.retention.clone();
    let task = world.add(def)?;
    world.start(task)?;
    assert_eq!(world.get(task)?.def.options.retention, retention);
    assert_eq!(world.find(r#"{"retention":7}"#, None)?, [task.seq.0]);
    let brief = world.inside(|store| Ok(store.briefs(&[task.seq])?.remove(0)))?;
    assert_eq!(brief.and_then(|brief| brief.retention), retention);
    world.crash()?;
    let orphans = world.orphans()?;
    assert_eq!(orphans[0].retention, retention);
    Ok(())
}

pub(super) fn a_reader_finds_what_is_left_between_removed_tasks(world: &mut World) -> Result<()> {
    let mut tasks = Vec::new();
    for _ in 0..9 {
        tasks.push(ended(world, read(), done())?);
    }
    for task in [tasks[0], tasks[1], tasks[4], tasks[8]] {
        remove(world, task)?;
    }
    let left: Vec<_> = [2, 3, 5, 6, 7].map(|at| tasks[at].seq.0).to_vec();
    assert_eq!(world.find("{}", None)?, left);
    assert_eq!(world.find(r#"{"state":"done"}"#, Some(r#"{"seq":1}"#))?, left);
    assert_eq!((world.count("{}")?, world.count(r#"{"seq":{"$gt":1}}"#)?), (5, 5));
    let id = tasks[4].id.0;
    assert_eq!(world.count(&format!(r#"{{"uuid":"{id}"}}"#))?, 0);
    assert_eq!(world.find_task(tasks[4])?, None);
    Ok(())
}

pub(super) fn what_matches_comes_by_number_whatever_its_state(world: &mut World) -> Result<()> {
    let done = ended(world, read(), done())?;
    let ready = world.add(read())?;
    let running = world.add(read())?;
    world.start(running)?;
    let delayed = world.add_delayed(read(), 5)?;
    let gone = ended(world, read(), failed())?;
    remove(world, gone)?;
    world.add(super::world::of("write"))?;
    let query = Query::parse(r#"{"operation":"read"}"#)?;
    let found = world.reader()?.matching(&query, &|| false)?;
    assert_eq!(found, [done, ready, running, delayed].map(|task| task.seq));
    Ok(())
}

/// As long as a task that depends on it has not ended.
pub(super) fn what_is_needed_is_said_to_be(world: &mut World) -> Result<()> {
    let on = ended(world, kept("1")?, done())?;
    let (task, mut changes) = world.adding(read());
    changes.push(Change::DependOn { seq: task.seq, dependencies: vec![(on.seq, true)].into() });
    world.turn(changes)?;
    let is_needed = |world: &mut World| {
        let brief = world.brief(on.seq)?.map(|brief| brief.is_needed);
        let found = world.inside(|store| store.expired(on.seq..=on.seq, WallMs::LAST))?;
        Ok::<_, tasker_core::error::Error>((brief, found.first().map(|one| one.is_needed)))
    };
    assert_eq!(is_needed(world)?, (Some(true), Some(true)));
    let live = world.start(task)?;
    let end = world.ending(live, done());
    world.turn(vec![end, Change::LetGo { seq: task.seq }])?;
    assert_eq!(is_needed(world)?, (Some(false), Some(false)));
    remove(world, on)
}

/// I-2: it is free, and its next holder names nobody who had it.
pub(super) fn a_unique_key_goes_with_its_task(world: &mut World) -> Result<()> {
    let def = unique::unique("read", "k", UniqueWhile::Always, Some(70));
    let (first, changes) = unique::adding(world, &def, None);
    world.turn(changes)?;
    let live = world.start(first)?;
    world.end(live, done())?;
    remove(world, first)?;
    assert_eq!(unique::owner(world, "read", "k")?, None);
    let (second, changes) = unique::adding(world, &def, None);
    world.turn(changes)?;
    assert_eq!(unique::owner(world, "read", "k")?, Some(second.seq));
    // In one batch with a taking-over: what it had last is not its own any more.
    let live = world.start(second)?;
    world.end(live, done())?;
    let (third, mut changes) = unique::adding(world, &def, Some(second.seq));
    changes.push(world.purging(second));
    world.turn(changes)?;
    assert_eq!(unique::owner(world, "read", "k")?, Some(third.seq));
    Ok(())
}
