//! What a start must keep, and when it is refused.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::state::State;

use super::world::{Task, World, aborted, done, failed, read};

/// I-4, I-10.
pub(super) fn a_started_task_is_running_under_its_run(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let live = world.start(task)?;
    let record = world.get(task)?;
    assert_eq!((record.state, record.attempt), (State::Running, 1));
    assert_eq!(record.attempts.len(), 1);
    let attempt = &record.attempts[0];
    assert_eq!((attempt.attempt, attempt.run), (1, live.run));
    assert_eq!(record.started_at, Some(attempt.started_at));
    assert_eq!((attempt.ended_at, attempt.end), (None, None));
    Ok(())
}

/// I-4.
pub(super) fn a_running_task_does_not_start_again(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (_, change) = world.starting(live.task, 2);
    world.assert_fenced(vec![change]);
    assert_eq!(world.get(live.task)?.attempts[0].run, live.run);
    Ok(())
}

/// I-3.
pub(super) fn an_ended_task_does_not_start_again(world: &mut World) -> Result<()> {
    for outcome in [done(), failed(), aborted()] {
        let live = world.running()?;
        world.end(live, outcome)?;
        let before = world.get(live.task)?;
        let (_, change) = world.starting(live.task, 2);
        world.assert_fenced(vec![change]);
        assert_eq!(world.get(live.task)?, before);
    }
    Ok(())
}

/// I-2.
pub(super) fn a_task_that_never_was_does_not_start(world: &mut World) -> Result<()> {
    let (seq, lane) = (Seq(77), LaneId(1));
    let id = world.task_id(seq);
    let (_, change) = world.starting(Task { seq, lane, id }, 1);
    world.assert_fenced(vec![change]);
    assert_eq!(world.count("{}")?, 0);
    Ok(())
}

/// I-4: two starts of one task in one batch.
pub(super) fn the_second_start_of_a_batch_is_refused_with_the_first(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let (_, first) = world.starting(task, 1);
    let (_, second) = world.starting(task, 1);
    world.assert_fenced(vec![first, second]);
    assert_eq!(world.get(task)?.state, State::Ready);
    Ok(())
}

/// I-10: whoever kills the process after the commit finds the attempt counted.
pub(super) fn an_attempt_is_counted_before_its_process_dies(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.crash()?;
    let record = world.get(live.task)?;
    assert_eq!((record.attempt, record.attempts.len()), (1, 1));
    assert_eq!(record.attempts[0].run, live.run);
    Ok(())
}

/// I-4.
pub(super) fn the_next_attempt_has_its_own_run_and_keeps_the_first(
    world: &mut World,
) -> Result<()> {
    let first = world.running()?;
    let lost = world.losing(first, 1);
    world.turn(vec![lost])?;
    let second = world.start_attempt(first.task, 2)?;
    let record = world.get(first.task)?;
    assert_eq!((record.state, record.attempt), (State::Running, 2));
    let runs: Vec<_> = record.attempts.iter().map(|a| (a.attempt, a.run)).collect();
    assert_eq!(runs, [(1, first.run), (2, second.run)]);
    assert_eq!(record.started_at, Some(record.attempts[1].started_at));
    Ok(())
}

/// I-7.
pub(super) fn a_started_task_leaves_the_queue(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read(), read()])?;
    world.start(tasks[1])?;
    assert_eq!(world.queue()?, [tasks[0].seq.0, tasks[2].seq.0]);
    Ok(())
}
