//! A running task that is to be aborted, by whoever asks.

use tasker_core::error::Result;
use tasker_core::store::{Change, Start};
use tasker_core::task::{AbortReason, Cause};

use super::world::{Live, World, done, json, read};

fn asked(world: &mut World, live: Live) -> Result<Option<String>> {
    let found = world.abort_request(live)?;
    assert!(found.as_ref().is_none_or(|abort| abort.cause == Cause::User));
    Ok(found.map(|abort| abort.reason.as_str().to_owned()))
}

fn ask(world: &mut World, live: Live, text: &str) -> Result<()> {
    world.turn(vec![World::asking_abort(live, text)])
}

/// I-3.
pub(super) fn a_run_is_not_to_be_aborted_unless_somebody_asks(world: &mut World) -> Result<()> {
    let (one, two) = (world.running()?, world.running()?);
    ask(world, one, "1")?;
    assert_eq!((asked(world, one)?, asked(world, two)?), (Some("1".into()), None));
    Ok(())
}

/// I-1: what was acknowledged first.
pub(super) fn the_first_reason_for_a_run_stays(world: &mut World) -> Result<()> {
    let live = world.running()?;
    ask(world, live, "1")?;
    ask(world, live, "2")?;
    assert_eq!(asked(world, live)?, Some("1".into()));
    world.crash()?;
    assert_eq!(asked(world, live)?, Some("1".into()));
    Ok(())
}

/// I-4.
pub(super) fn an_abort_that_was_asked_for_holds_for_its_run_alone(world: &mut World) -> Result<()> {
    let first = world.running()?;
    ask(world, first, "1")?;
    let postponed = world.postponing(first);
    world.turn(vec![postponed])?;
    let second = world.start(first.task)?;
    assert_eq!(asked(world, second)?, None);
    ask(world, second, "2")?;
    assert_eq!(asked(world, second)?, Some("2".into()));
    world.crash()?;
    assert_eq!(world.orphans()?[0].abort.as_ref().map(|abort| abort.reason.as_str()), Some("2"));
    Ok(())
}

/// I-3, I-4.
pub(super) fn an_abort_of_a_run_that_is_not_live_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let forged = Live { run: world.run_id(), ..live };
    world.assert_fenced(vec![World::asking_abort(forged, "1")]);
    assert_eq!(asked(world, live)?, None);
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    world.assert_fenced(vec![World::asking_abort(live, "1")]);
    let again = world.start_attempt(live.task, 2)?;
    world.end(again, done())?;
    world.assert_fenced(vec![World::asking_abort(again, "1")]);
    Ok(())
}

/// I-1: an abort that was acknowledged outlives the owner of the run.
pub(super) fn an_orphan_says_why_it_was_to_be_aborted(world: &mut World) -> Result<()> {
    let (one, _two) = (world.running()?, world.running()?);
    ask(world, one, "\"not now\"")?;
    world.crash()?;
    let aborts: Vec<_> = world.orphans()?.into_iter().map(|orphan| orphan.abort).collect();
    let reason = AbortReason { cause: Cause::User, reason: json("\"not now\"") };
    assert_eq!(aborts, [Some(reason), None]);
    Ok(())
}

/// A later change of a batch sees the earlier ones.
pub(super) fn an_abort_asked_for_in_the_batch_of_the_start_is_found(
    world: &mut World,
) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    let first = Start { run: world.run_id(), attempt: 1, at: world.tick() };
    for change in &mut changes {
        if let Change::Add { start, .. } = change {
            *start = Some(first);
        }
    }
    let live = Live { task, lane: task.lane, run: first.run, attempt: 1 };
    changes.push(World::asking_abort(live, "1"));
    world.turn(changes)?;
    assert_eq!(asked(world, live)?, Some("1".into()));
    Ok(())
}
