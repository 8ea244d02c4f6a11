//! Every kind of change against every state: what the table of transitions does not allow is
//! refused and changes nothing (I-3, I-4).

use tasker_core::error::{Error, Result};
use tasker_core::state::{State, Verb};
use tasker_core::store::Change;
use tasker_core::task::{Level, TaskRecord};

use super::world::{Live, World, aborted, done, failed, progressing, read};

/// A task brought to a state, and the run it had last.
fn bring(world: &mut World, state: State) -> Result<Live> {
    let task = world.add(read())?;
    if state == State::Ready {
        return Ok(world.starting(task, 1).0);
    }
    let live = world.start(task)?;
    match state {
        State::Done => world.end(live, done())?,
        State::Failed => world.end(live, failed())?,
        State::Aborted => world.end(live, aborted())?,
        State::Ready | State::Running => {}
    }
    Ok(live)
}

/// The change that stands for a verb, as the engine would make it for a task in this state.
fn change(world: &mut World, (state, live): (State, Live), verb: Verb) -> Change {
    match verb {
        Verb::Start => world.starting(live.task, 2).1,
        Verb::Done => world.ending(live, done()),
        Verb::Fail => world.ending(live, failed()),
        Verb::Abort if state == State::Ready => world.aborting(live.task),
        Verb::Abort => world.ending(live, aborted()),
        Verb::Postpone => world.postponing(live),
        Verb::Lost => world.losing(live, 1),
    }
}

const VERBS: [Verb; 6] =
    [Verb::Start, Verb::Done, Verb::Fail, Verb::Abort, Verb::Postpone, Verb::Lost];

/// I-3, I-4.
pub(super) fn a_store_allows_what_the_table_allows_and_nothing_else(
    world: &mut World,
) -> Result<()> {
    for state in State::ALL.iter().copied() {
        for verb in VERBS {
            let live = bring(world, state)?;
            let before = world.get(live.task)?;
            let change = change(world, (state, live), verb);
            if let Some(to) = state.after(verb) {
                world.turn(vec![change])?;
                assert_eq!(world.get(live.task)?.state, to, "{state:?} {verb:?}");
            } else {
                world.assert_fenced(vec![change]);
                assert_eq!(world.get(live.task)?, before, "{state:?} {verb:?}");
            }
        }
    }
    Ok(())
}

/// Every change that names a run.
fn of_a_run(world: &mut World, live: Live) -> Vec<Change> {
    vec![
        world.ending(live, done()),
        world.ending(live, aborted()),
        world.losing(live, 1),
        world.postponing(live),
        progressing(live, 1.0),
        world.logging(live, 1, Level::Info),
    ]
}

fn assert_all_fenced(world: &mut World, live: Live) -> Result<()> {
    let before = world.get(live.task)?;
    for change in of_a_run(world, live) {
        world.assert_fenced(vec![change]);
    }
    assert_eq!(world.get(live.task)?, before);
    Ok(())
}

/// I-4.
pub(super) fn nothing_of_a_forged_run_is_written(world: &mut World) -> Result<()> {
    for state in State::ALL.iter().copied() {
        let live = bring(world, state)?;
        let run = world.run_id();
        assert_all_fenced(world, Live { run, ..live })?;
    }
    Ok(())
}

/// I-4: a run id is never good again once its run is over, however it ended.
pub(super) fn nothing_of_a_run_that_is_over_is_written(world: &mut World) -> Result<()> {
    for is_lost in [true, false] {
        let old = bring(world, State::Running)?;
        let over = if is_lost { world.losing(old, 1) } else { world.postponing(old) };
        world.turn(vec![over])?;
        assert_all_fenced(world, old)?;
        world.start_attempt(old.task, 2)?;
        assert_all_fenced(world, old)?;
    }
    Ok(())
}

/// I-3: nothing at all moves an ended task.
pub(super) fn an_ended_task_never_changes(world: &mut World) -> Result<()> {
    for state in State::ALL.iter().copied().filter(|state| state.is_final()) {
        let live = bring(world, state)?;
        let before: TaskRecord = world.get(live.task)?;
        assert_all_fenced(world, live)?;
        for change in [world.aborting(live.task), world.prioritizing(live.task, 1.0)?] {
            world.assert_fenced(vec![change]);
        }
        let (_, start) = world.starting(live.task, 2);
        world.assert_fenced(vec![start]);
        world.crash()?;
        assert_eq!(world.get(live.task)?, before);
    }
    Ok(())
}

/// I-4: the run of one task in the name of another.
pub(super) fn runs_are_not_interchangeable(world: &mut World) -> Result<()> {
    let (one, two) = (bring(world, State::Running)?, bring(world, State::Running)?);
    assert_all_fenced(world, Live { task: one.task, ..two })?;
    assert_all_fenced(world, Live { task: two.task, ..one })?;
    world.end(one, done())?;
    world.end(two, done())
}

/// I-5, I-4: after the death of its owner a run is still the only one, until it is released.
pub(super) fn a_run_outlives_its_owner_until_it_is_released(world: &mut World) -> Result<()> {
    let live = bring(world, State::Running)?;
    world.crash()?;
    let (_, start) = world.starting(live.task, 2);
    world.assert_fenced(vec![start]);
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    let (next, start) = world.starting(live.task, 2);
    world.turn(vec![start])?;
    let run = world.get(live.task)?.attempts.last().map(|attempt| attempt.run);
    if run == Some(next.run) { Ok(()) } else { Err(Error::bug("the wrong run is live")) }
}
