//! What aborting, prioritizing and awaiting need to know.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::state::State;
use tasker_core::store::Brief;
use tasker_core::task::Priority;

use super::world::{Task, World, aborted, done, failed, of, with_priority};

fn brief(world: &mut World, task: Task) -> Result<Option<Brief>> {
    world.brief(task.seq)
}

/// I-1.
pub(super) fn a_waiting_task_in_brief(world: &mut World) -> Result<()> {
    world.add(of("write"))?;
    let task = world.add(with_priority(2.0)?)?;
    let (lane, _) = world.lane("read");
    let (id, state, priority) = (task.id, State::Ready, Priority::new(2.0)?);
    let latest_at = world.get(task)?.created_at;
    let expected = Brief {
        id,
        lane: lane.id,
        state,
        priority,
        run_at: None,
        queue_timeout: None,
        on_failure: None,
        has_started: false,
        has_delay: false,
        is_held: false,
        lapses: false,
        paused_at: None,
        run: None,
        is_outside: false,
        latest_at,
        outcome: None,
        created_at: latest_at,
        unique: None,
        retention: None,
        is_needed: false,
    };
    assert_eq!(brief(world, task)?, Some(expected));
    Ok(())
}

/// I-10.
pub(super) fn a_running_task_in_brief(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let seen = brief(world, live.task)?;
    let started_at = world.get(live.task)?.started_at;
    assert_eq!(seen.as_ref().map(|brief| brief.latest_at), started_at);
    assert_eq!(seen.as_ref().map(|brief| brief.has_started), Some(true));
    assert_eq!(seen.map(|brief| (brief.state, brief.outcome)), Some((State::Running, None)));
    Ok(())
}

/// I-3.
pub(super) fn an_ended_task_in_brief_brings_its_outcome(world: &mut World) -> Result<()> {
    for outcome in [done(), failed(), aborted()] {
        let live = world.running()?;
        world.end(live, outcome.clone())?;
        let seen = brief(world, live.task)?.map(|brief| (brief.id, brief.state, brief.outcome));
        assert_eq!(seen, Some((live.task.id, outcome.state(), Some(outcome))));
    }
    Ok(())
}

/// I-2.
pub(super) fn a_number_that_is_not_given_yet_is_nothing(world: &mut World) -> Result<()> {
    let live = world.running()?;
    for seq in [Seq(0), Seq(live.task.seq.0 + 1), Seq((1 << 53) - 1)] {
        assert_eq!(brief(world, Task { seq, ..live.task })?, None);
    }
    Ok(())
}

/// I-3: what the caller compares with the uuid that it was asked for.
pub(super) fn a_brief_names_the_uuid_of_its_row(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![of("read"); 3])?;
    for task in tasks {
        assert_eq!(brief(world, task)?.map(|brief| brief.id), Some(task.id));
    }
    Ok(())
}
