//! The runs of the dead, and of nobody else.

use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::store::{Orphan, Start};
use tasker_core::task::{AttemptEnd, NewTask, OnInterrupted, Priority, TaskOptions};

use super::world::{Live, World, done, failed, read, with_priority};

fn seqs(orphans: &[Orphan]) -> Vec<u64> {
    orphans.iter().map(|orphan| orphan.seq.0).collect()
}

/// I-5.
pub(super) fn a_new_store_has_no_orphans(world: &mut World) -> Result<()> {
    assert!(world.orphans()?.is_empty());
    Ok(())
}

/// I-5: a living owner keeps its runs.
pub(super) fn the_runs_of_the_living_are_no_orphans(world: &mut World) -> Result<()> {
    world.running()?;
    world.running()?;
    assert!(world.orphans()?.is_empty());
    Ok(())
}

/// I-10: all that the rule of losses needs.
pub(super) fn a_run_of_a_dead_owner_is_an_orphan_with_its_facts(world: &mut World) -> Result<()> {
    let (priority, on_interrupted, attempt) = (Priority::new(2.5)?, OnInterrupted::Fail, 4);
    let options = TaskOptions { on_interrupted, ..TaskOptions::default() }.into();
    let task = world.add(NewTask { priority, options, ..read() })?;
    let live = world.start_attempt(task, 3)?;
    let lost = world.losing(live, 2);
    world.turn(vec![lost])?;
    let live = world.start_attempt(task, attempt)?;
    let started_at = world.get(task)?.started_at.unwrap_or_default();
    world.crash()?;
    let (super::world::Task { seq, lane, id }, run, losses) = (task, live.run, 2);
    let expected = Orphan {
        retention: None,
        seq,
        lane,
        priority,
        id,
        run,
        started_at,
        attempt,
        failures: 0,
        losses,
        on_interrupted,
        has_dependencies: false,
        lapses: false,
        abort: None,
        postponement: None,
        wish: None,
        is_paused: false,
    };
    assert_eq!(world.orphans()?, [expected]);
    Ok(())
}

/// I-10: a run that began with its task is an orphan like any other.
pub(super) fn a_run_that_began_with_its_add_is_an_orphan(world: &mut World) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    let first = Start { run: world.run_id(), attempt: 1, at: world.tick() };
    for change in &mut changes {
        if let tasker_core::store::Change::Add { start, .. } = change {
            *start = Some(first);
        }
    }
    world.turn(changes)?;
    world.crash()?;
    let orphans = world.orphans()?;
    assert_eq!((seqs(&orphans), orphans[0].run), (vec![task.seq.0], first.run));
    Ok(())
}

/// I-7: they come back in the order in which they would be started.
pub(super) fn orphans_come_in_queue_order(world: &mut World) -> Result<()> {
    let priorities = [0.0, 2.0, f64::NEG_INFINITY, 2.0, f64::INFINITY];
    for priority in priorities {
        let task = world.add(with_priority(priority)?)?;
        world.start(task)?;
    }
    world.crash()?;
    assert_eq!(seqs(&world.orphans()?), [5, 2, 4, 1, 3]);
    Ok(())
}

/// I-5.
pub(super) fn waiting_and_ended_tasks_of_the_dead_are_no_orphans(world: &mut World) -> Result<()> {
    world.add(read())?;
    let live = world.running()?;
    world.end(live, done())?;
    world.crash()?;
    assert!(world.orphans()?.is_empty());
    assert_eq!(world.queue()?, [1]);
    Ok(())
}

/// I-4: recovered once.
pub(super) fn a_released_orphan_is_none_any_more(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.crash()?;
    let lost = world.losing(live, 1);
    world.turn(vec![lost.clone()])?;
    assert!(world.orphans()?.is_empty());
    world.assert_fenced(vec![lost]);
    world.crash()?;
    assert!(world.orphans()?.is_empty());
    assert_eq!(world.get(live.task)?.attempts.len(), 1);
    Ok(())
}

/// I-3: a task that may not run again ends with its owner.
pub(super) fn an_ended_orphan_is_none_any_more(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.crash()?;
    world.end(live, failed())?;
    assert!(world.orphans()?.is_empty());
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempts[0].end), (State::Failed, Some(AttemptEnd::Failed)));
    Ok(())
}

/// I-5: the part that is left stays findable, also by the next process.
pub(super) fn what_is_left_after_a_part_was_recovered_are_orphans(world: &mut World) -> Result<()> {
    let lives: Vec<Live> = (0..5).map(|_| world.running()).collect::<Result<_>>()?;
    world.crash()?;
    let part = lives[..2].iter().map(|live| world.losing(*live, 1)).collect();
    world.turn(part)?;
    assert_eq!(seqs(&world.orphans()?), [3, 4, 5]);
    world.crash()?;
    assert_eq!(seqs(&world.orphans()?), [3, 4, 5]);
    Ok(())
}

/// F-2: killed before the recovery, many times.
pub(super) fn a_crash_before_the_recovery_is_committed_changes_nothing(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    for _ in 0..4 {
        world.crash()?;
        assert_eq!(world.orphans()?.len(), 1);
    }
    world.crash()?;
    let orphans = world.orphans()?;
    assert_eq!((orphans.len(), orphans[0].losses), (1, 0));
    assert_eq!(world.get(live.task)?.attempts.len(), 1);
    Ok(())
}

/// I-5: two generations of dead owners.
pub(super) fn the_runs_of_several_dead_owners_are_all_found(world: &mut World) -> Result<()> {
    for _ in 0..3 {
        world.running()?;
        world.crash()?;
    }
    assert_eq!(seqs(&world.orphans()?), [1, 2, 3]);
    Ok(())
}

/// I-14: closed with live runs.
pub(super) fn runs_left_at_close_are_orphans(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.reopen()?;
    let orphans = world.orphans()?;
    assert_eq!((seqs(&orphans), orphans[0].run), (vec![live.task.seq.0], live.run));
    Ok(())
}

/// I-5: an owner's number is never used again, else the next one would inherit its runs.
pub(super) fn an_owner_is_new_at_every_open(world: &mut World) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..6 {
        assert!(seen.insert(world.store()?.owner()), "open number {n}");
        world.running()?;
        if n % 2 == 0 {
            world.crash()?;
        } else {
            world.reopen()?;
        }
        let orphans = world.orphans()?;
        assert_eq!(orphans.len(), n + 1);
    }
    Ok(())
}
