//! All of a batch or nothing of it.

use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::store::Lookups;
use tasker_core::task::{Level, Priority};

use super::progress::progressing;
use super::world::{World, aborted, done, read};

/// I-1.
pub(super) fn what_is_committed_survives_a_crash(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(); 10])?;
    let before = tasks.iter().map(|task| world.get(*task)).collect::<Result<Vec<_>>>()?;
    world.crash()?;
    let after = tasks.iter().map(|task| world.get(*task)).collect::<Result<Vec<_>>>()?;
    assert_eq!(after, before);
    Ok(())
}

/// I-3, I-4: one guard that does not hold refuses them all.
pub(super) fn a_refused_change_takes_the_whole_batch_with_it(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let waiting = world.add(read())?;
    let (new, mut changes) = world.adding(read());
    let (line, end) = (world.logging(live, 1, Level::Info), world.ending(live, done()));
    changes.extend([line, progressing(live, 1.0), end, world.prioritizing(waiting, 5.0)?]);
    let (_, start) = world.starting(waiting, 1);
    let forged = world.run_id();
    let late = world.ending(super::world::Live { run: forged, ..live }, done());
    changes.extend([start, late]);
    let before = (world.get(live.task)?, world.get(waiting)?);
    world.assert_fenced(changes);
    assert_eq!((world.get(live.task)?, world.get(waiting)?), before);
    assert_eq!(world.reader()?.get(new.id, None, usize::MAX)?, None);
    assert!(world.logs(live.task, Level::Debug)?.is_empty());
    Ok(())
}

/// The engine drops the named change and tries again.
pub(super) fn a_refusal_names_its_change_and_the_rest_can_be_written(
    world: &mut World,
) -> Result<()> {
    let (live, old) = (world.running()?, world.running()?);
    world.end(old, done())?;
    let (late, good) = (world.ending(old, aborted()), world.ending(live, done()));
    assert_eq!(world.refused(vec![late, good.clone()]), Some(0));
    world.turn(vec![good])?;
    assert_eq!(world.get(live.task)?.state, State::Done);
    Ok(())
}

/// A later change of a batch sees the earlier ones.
pub(super) fn changes_are_applied_in_their_order(world: &mut World) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    let up = world.prioritizing(task, 3.0)?;
    let (first, start) = world.starting(task, 1);
    changes.extend([up, start, progressing(first, 1.0)]);
    let (lost, up) = (world.losing(first, 1), world.prioritizing(task, 4.0)?);
    let (second, again) = world.starting(task, 2);
    let line = world.logging(second, 1, Level::Info);
    changes.extend([lost, up, again, line]);
    changes.push(world.ending(second, done()));
    world.turn(changes)?;
    let record = world.get(task)?;
    assert_eq!((record.state, record.attempt), (State::Done, 2));
    assert_eq!(record.def.priority, Priority::new(4.0)?);
    let runs: Vec<_> = record.attempts.iter().map(|attempt| attempt.run).collect();
    assert_eq!(runs, [first.run, second.run]);
    assert_eq!(world.logs(task, Level::Debug)?.len(), 1);
    Ok(())
}

/// I-2: a turn that finds nothing to do, or cannot go on, breaks nothing.
pub(super) fn a_transaction_that_is_dropped_changes_nothing(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let before = world.get(task)?;
    for _ in 0..3 {
        drop(world.store()?.begin(&Lookups::default)?);
    }
    assert_eq!(world.get(task)?, before);
    assert_eq!(world.inside(|store| store.head())?.number, world.number());
    Ok(())
}

/// I-1: each of many commits.
pub(super) fn a_hundred_commits_are_all_kept(world: &mut World) -> Result<()> {
    for _ in 0..100 {
        world.add(read())?;
    }
    world.crash()?;
    assert_eq!(world.count("{}")?, 100);
    assert_eq!(world.queue()?, (1..=100).collect::<Vec<_>>());
    Ok(())
}

/// Housekeeping is not a change.
pub(super) fn tidying_changes_nothing(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let task = world.add(read())?;
    let before = (world.get(live.task)?, world.get(task)?, world.queue()?);
    for is_idle in [false, true, true] {
        world.store()?.maintain(is_idle)?;
        let after = (world.get(live.task)?, world.get(task)?, world.queue()?);
        assert_eq!(after, before);
    }
    world.crash()?;
    assert_eq!((world.get(live.task)?, world.get(task)?, world.queue()?), before);
    Ok(())
}
