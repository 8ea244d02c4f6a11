//! A running task that is to go back to the queue, by whoever asks, and tasks that are put off.

use tasker_core::error::Result;
use tasker_core::queue_timeout;
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::Postponement;
use tasker_core::time::WallMs;

use super::world::{Live, World, json, read};

fn wish(due_at: Option<i64>, text: &str) -> Option<Postponement> {
    Some(Postponement { due_at: due_at.map(WallMs), reason: json(text) })
}

/// I-1: the last wish counts, and for its run alone.
pub(super) fn a_wish_to_give_a_run_back_is_kept_for_its_run(world: &mut World) -> Result<()> {
    let (one, two) = (world.running()?, world.running()?);
    world.turn(vec![World::asking_postpone(one, None, "{\"n\":1.0}")])?;
    assert_eq!(world.postpone_request(one)?, wish(None, "{\"n\":1.0}"));
    world.turn(vec![World::asking_postpone(one, Some(-7), "2")])?;
    assert_eq!(world.postpone_request(one)?, wish(Some(-7), "2"));
    assert_eq!(world.postpone_request(two)?, None);
    world.crash()?;
    let orphans = world.orphans()?;
    let wishes: Vec<_> = orphans.into_iter().map(|orphan| orphan.postponement).collect();
    assert_eq!(wishes, [wish(Some(-7), "2"), None]);
    let given_back = world.postponing(one);
    world.turn(vec![given_back])?;
    let next = world.start(one.task)?;
    assert_eq!(world.postpone_request(next)?, None);
    world.turn(vec![World::asking_postpone(next, Some(9), "3")])?;
    assert_eq!(world.postpone_request(next)?, wish(Some(9), "3"));
    Ok(())
}

/// I-4.
pub(super) fn a_wish_for_a_run_that_is_not_live_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let forged = Live { run: world.run_id(), ..live };
    world.assert_fenced(vec![World::asking_postpone(forged, None, "1")]);
    let given_back = world.postponing(live);
    world.turn(vec![given_back])?;
    world.assert_fenced(vec![World::asking_postpone(live, None, "1")]);
    Ok(())
}

pub(super) fn a_run_may_be_given_back_until_a_moment(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let mut given_back = world.postponing(live);
    if let Change::Release { due_at, .. } = &mut given_back {
        *due_at = Some(WallMs(77));
    }
    world.turn(vec![given_back])?;
    let stored = world.get(live.task)?;
    assert_eq!((stored.state, stored.attempt), (State::Delayed, 0));
    assert_eq!(stored.def.options.run_at(), Some(WallMs(77)));
    Ok(())
}

pub(super) fn a_delayed_task_may_be_put_off(world: &mut World) -> Result<()> {
    let task = world.add_delayed(read(), 5)?;
    let later = world.delaying(task, 50);
    world.turn(vec![later])?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.options.run_at()), (State::Delayed, Some(WallMs(50))));
    let timers = world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, 9))?;
    assert_eq!(timers.iter().map(|timer| timer.at.0).collect::<Vec<_>>(), [5, 50]);
    world.crash()?;
    assert_eq!(world.get(task)?, stored);
    Ok(())
}

/// What it waited for is looked at once: it is ready again, and its results are kept.
pub(super) fn a_run_that_is_given_back_keeps_its_dependencies(world: &mut World) -> Result<()> {
    let dependency = world.add(read())?;
    let task = world.add_blocked(read(), &[dependency])?;
    let seqs = [dependency.seq];
    let waits = |world: &mut World| world.inside(|store| store.dependents(&seqs, 9, 9));
    let before = waits(world)?;
    let unblock = world.unblocking(task);
    world.turn(vec![unblock])?;
    let live = world.start(task)?;
    let given_back = world.postponing(live);
    world.turn(vec![World::asking_postpone(live, Some(9), "1"), given_back])?;
    assert_eq!((world.get(task)?.state, waits(world)?), (State::Ready, before));
    let orphan = world.start(task)?;
    world.turn(vec![World::asking_postpone(orphan, Some(7), "2")])?;
    world.crash()?;
    let orphans = world.orphans()?;
    let facts = orphans.into_iter().map(|orphan| (orphan.has_dependencies, orphan.postponement));
    assert_eq!(facts.collect::<Vec<_>>(), [(true, wish(Some(7), "2"))]);
    Ok(())
}

/// A task that is put off waits longer for its first start: both timers are there, and the old ones
/// find another moment.
pub(super) fn a_task_that_is_put_off_has_a_later_queue_timeout(world: &mut World) -> Result<()> {
    let mut def = read();
    def.options.queue_timeout = queue_timeout::read("500", "queueTimeout")?;
    let task = world.add(def)?;
    world.turn(vec![World::timing_out(task, Some(500))])?;
    for (due_at, ends_at) in [(100, 600), (200, 700)] {
        let put_off = world.delaying(task, due_at);
        world.turn(vec![put_off, World::timing_out(task, Some(ends_at))])?;
        world.crash()?;
        let options = world.get(task)?.def.options;
        let timeout = options.queue_timeout.and_then(|timeout| timeout.ends_at);
        assert_eq!((options.run_at(), timeout), (Some(WallMs(due_at)), Some(WallMs(ends_at))));
    }
    let timers = world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, 9))?;
    let moments: Vec<_> = timers.iter().map(|timer| timer.at.0).collect();
    assert_eq!(moments, [100, 200, 500, 600, 700]);
    Ok(())
}
