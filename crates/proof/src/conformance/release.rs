//! What it means to give a run back.

use tasker_core::error::Result;
use tasker_core::state::State;
use tasker_core::task::{AttemptEnd, Level};

use super::progress::progressing;
use super::world::{World, done, read, with_priority};

/// I-10.
pub(super) fn a_lost_run_stays_counted_and_goes_to_the_history(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let started_at = world.get(live.task)?.started_at;
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempt), (State::Ready, 1));
    assert_eq!(record.started_at, started_at);
    assert_eq!((record.ended_at, record.outcome), (None, None));
    assert_eq!(record.attempts.len(), 1);
    let attempt = &record.attempts[0];
    assert_eq!((attempt.run, attempt.end), (live.run, Some(AttemptEnd::Lost)));
    assert_eq!(Some(attempt.started_at), started_at);
    assert!(attempt.ended_at > started_at);
    Ok(())
}

/// A postponed attempt does not count; its run is kept in the history all the same.
pub(super) fn a_postponed_run_is_not_counted(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let back = world.postponing(live);
    world.turn(vec![back])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempt), (State::Ready, 0));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].end, Some(AttemptEnd::Postponed));
    let next = world.start_attempt(live.task, 1)?;
    let runs: Vec<_> = world.get(live.task)?.attempts.iter().map(|a| (a.attempt, a.run)).collect();
    assert_eq!(runs, [(1, live.run), (1, next.run)]);
    Ok(())
}

/// I-7: its age and priority give it the place it had.
pub(super) fn a_released_task_returns_to_its_place_in_the_queue(world: &mut World) -> Result<()> {
    let defs = vec![with_priority(1.0)?, with_priority(2.0)?, with_priority(1.0)?];
    let tasks = world.add_many(defs)?;
    let live = world.start(tasks[0])?;
    assert_eq!(world.queue()?, [tasks[1].seq.0, tasks[2].seq.0]);
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    assert_eq!(world.queue()?, [tasks[1].seq.0, tasks[0].seq.0, tasks[2].seq.0]);
    Ok(())
}

/// I-10: the budget of losses is kept with the task.
pub(super) fn attempts_and_losses_come_back_with_the_window(world: &mut World) -> Result<()> {
    let mut live = world.running()?;
    for n in 1..=2 {
        let lost = world.losing(live, n);
        world.turn(vec![lost])?;
        world.crash()?;
        let waiting = world.window("read")?.tasks.remove(0);
        assert_eq!((waiting.attempt, waiting.losses), (n, n));
        live = world.start_attempt(live.task, n + 1)?;
    }
    let back = world.postponing(live);
    world.turn(vec![back])?;
    let waiting = world.window("read")?.tasks.remove(0);
    assert_eq!((waiting.attempt, waiting.losses), (2, 0));
    Ok(())
}

/// I-4.
pub(super) fn a_run_is_released_once(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (once, twice) = (world.losing(live, 1), world.losing(live, 2));
    world.turn(vec![once])?;
    let before = world.get(live.task)?;
    world.assert_fenced(vec![twice]);
    assert_eq!(world.get(live.task)?, before);
    Ok(())
}

/// I-4.
pub(super) fn an_old_run_cannot_release_its_successor(world: &mut World) -> Result<()> {
    let old = world.running()?;
    let (lost, again) = (world.losing(old, 1), world.losing(old, 2));
    world.turn(vec![lost])?;
    world.start_attempt(old.task, 2)?;
    world.assert_fenced(vec![again]);
    assert_eq!(world.get(old.task)?.state, State::Running);
    Ok(())
}

/// I-3.
pub(super) fn an_ended_task_is_not_released(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let (lost, postponed) = (world.losing(live, 1), world.postponing(live));
    world.assert_fenced(vec![lost]);
    world.assert_fenced(vec![postponed]);
    assert_eq!(world.get(live.task)?.attempts[0].end, Some(AttemptEnd::Done));
    Ok(())
}

/// I-4.
pub(super) fn a_waiting_task_is_not_released(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let (live, _) = world.starting(task, 1);
    let lost = world.losing(live, 1);
    world.assert_fenced(vec![lost]);
    assert!(world.get(task)?.attempts.is_empty());
    Ok(())
}

/// I-1: a long history is kept whole and in order.
pub(super) fn fifty_attempts_are_kept_oldest_first(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let mut runs = Vec::new();
    for n in 1..=50 {
        let live = world.start_attempt(task, n)?;
        runs.push((n, live.run));
        let lost = world.losing(live, 1);
        world.turn(vec![lost])?;
    }
    let attempts = world.get(task)?.attempts;
    let kept: Vec<_> = attempts.iter().map(|a| (a.attempt, a.run)).collect();
    assert_eq!(kept, runs);
    assert!(attempts.windows(2).all(|pair| pair[0].ended_at < Some(pair[1].started_at)));
    Ok(())
}

/// I-19.
pub(super) fn the_logs_of_a_lost_run_are_kept(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let line = world.logging(live, 1, Level::Info);
    let lost = world.losing(live, 1);
    world.turn(vec![line, progressing(live, 3.0), lost])?;
    let next = world.start_attempt(live.task, 2)?;
    let line = world.logging(next, 2, Level::Info);
    world.turn(vec![line])?;
    let logs = world.logs(live.task, Level::Debug)?;
    let kept: Vec<_> = logs.iter().map(|line| (line.n, line.attempt)).collect();
    assert_eq!(kept, [(1, 1), (2, 2)]);
    Ok(())
}
