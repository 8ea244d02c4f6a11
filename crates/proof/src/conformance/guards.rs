//! Every kind of change against every state: what the table of transitions does not allow is
//! refused and changes nothing (I-3, I-4).

use tasker_core::error::{Error, Result};
use tasker_core::state::State;
use tasker_core::store::{Change, PauseWish};
use tasker_core::task::{Level, TaskRecord};
use tasker_core::transition::{After, TRANSITIONS, TransitionKind, TransitionRule};

use super::gates::sorting;
use super::outside;
use super::progress::progressing;
use super::world::{Live, World, aborted, done, failed, read, with_data};

/// What a change of this version makes; to leave a place is a part of taking another one.
fn made() -> impl Iterator<Item = &'static TransitionRule> {
    let is_made = |rule: &&TransitionRule| !rule.is_reserved && rule.kind != TransitionKind::Leave;
    TRANSITIONS.iter().filter(is_made)
}

/// Every state to which such a change leads.
fn reached() -> impl Iterator<Item = State> {
    let is_reached = |state: &State| made().any(|rule| rule.after == After::Becomes(*state));
    State::ALL.iter().copied().filter(is_reached)
}

/// A task brought to a state, and the run it had last.
fn bring(world: &mut World, state: State) -> Result<Live> {
    if state == State::Paused {
        let task = world.add(read())?;
        let pausing = world.pausing(task);
        world.turn(vec![pausing])?;
        return Ok(world.starting(task, 1).0);
    }
    if state == State::Delayed {
        let task = world.add_delayed(read(), 5)?;
        return Ok(world.starting(task, 1).0);
    }
    if state == State::Blocked {
        let dependency = world.add(read())?;
        let task = world.add_blocked(read(), &[dependency])?;
        return Ok(world.starting(task, 1).0);
    }
    let task = world.add(read())?;
    if state == State::Ready {
        return Ok(world.starting(task, 1).0);
    }
    if state == State::Claimed {
        return outside::claim(world, task, 9);
    }
    let live = world.start(task)?;
    match state {
        State::Done => world.end(live, done())?,
        State::Failed => world.end(live, failed())?,
        State::Aborted => world.end(live, aborted())?,
        State::Running => {}
        other => return Err(Error::bug(format!("nothing brings a task to {other:?}"))),
    }
    Ok(live)
}

/// Whether it happens to a live run.
fn is_of_run(kind: TransitionKind) -> bool {
    let leads = |state| kind.rule().leads_from(Some(state));
    leads(State::Running)
}

/// The change that makes a transition of a task that is there.
fn change(world: &mut World, live: Live, kind: TransitionKind) -> Result<Change> {
    Ok(match kind {
        TransitionKind::Start => world.starting(live.task, 2).1,
        TransitionKind::Claim => outside::claiming(world, live.task, 9).1,
        TransitionKind::Begin => outside::beginning(world, live, 99),
        TransitionKind::Unclaim => outside::unclaiming(world, live),
        TransitionKind::Done => world.ending(live, done()),
        TransitionKind::Fail => world.ending(live, failed()),
        TransitionKind::Abort => world.ending(live, aborted()),
        TransitionKind::Postpone => world.postponing(live),
        TransitionKind::Lost => world.losing(live, 1),
        TransitionKind::Prioritize => world.prioritizing(live.task, 1.0)?,
        TransitionKind::Due => world.becoming_due(live.task),
        TransitionKind::Unblock => world.unblocking(live.task),
        TransitionKind::PrioritizeUnqueued => {
            let mut change = world.prioritizing(live.task, 1.0)?;
            if let Change::Prioritize { is_queued, .. } = &mut change {
                *is_queued = false;
            }
            change
        }
        TransitionKind::Update => world.updating(live.task, with_data("7"), false),
        TransitionKind::UpdateQueued => world.updating(live.task, with_data("7"), true),
        TransitionKind::Withdraw => world.aborting(live.task),
        TransitionKind::Expire => world.expiring(live.task),
        TransitionKind::SetQueueTimeout => World::timing_out(live.task, Some(9)),
        TransitionKind::Retry => world.failing(live, 1, Some(9)),
        TransitionKind::RetryAtOnce => world.failing(live, 1, None),
        TransitionKind::Snooze => world.snoozing(live, 9),
        TransitionKind::Reopen => {
            let outcome = world.get(live.task)?.outcome.unwrap_or_else(failed);
            world.reopening(live.task, &outcome)
        }
        TransitionKind::Sort => sorting(world, live.task, live.task.lane),
        TransitionKind::Delay => world.delaying(live.task, 9),
        TransitionKind::RequestPostpone => World::asking_postpone(live, Some(9), "1"),
        TransitionKind::Purge => world.purging(live.task),
        TransitionKind::RequestAbort => World::asking_abort(live, "1"),
        TransitionKind::Progressed => progressing(live, 1.0),
        TransitionKind::Noted => world.logging(live, 1, Level::Info),
        TransitionKind::Pause => world.pausing(live.task),
        TransitionKind::Resume => world.resuming(live.task),
        TransitionKind::Block => world.blocking(live.task, None),
        TransitionKind::RequestPause => World::wishing(live, PauseWish::Halt),
        TransitionKind::PauseRun => World::halting(live),
        TransitionKind::ResumeRun => World::going_on(live),
        other => return Err(Error::bug(format!("no change makes {other:?}"))),
    })
}

/// I-3, I-4.
pub(super) fn a_store_allows_what_the_table_allows_and_nothing_else(
    world: &mut World,
) -> Result<()> {
    for state in reached() {
        for rule in made().filter(|rule| rule.is_of_task() && !rule.is_entry()) {
            // What happens to a run happens to one that has halted.
            let live = match (state, is_of_run(rule.kind)) {
                (State::Paused, true) => world.halted()?,
                _ => bring(world, state)?,
            };
            if (state, rule.kind) == (State::Running, TransitionKind::ResumeRun) {
                world.turn(vec![World::wishing(live, PauseWish::Halt)])?;
            }
            let before = world.get(live.task)?;
            let change = change(world, live, rule.kind)?;
            if rule.leads_from(Some(state)) {
                world.turn(vec![change])?;
                let after = world.find_task(live.task)?.map(|task| task.state);
                assert_eq!(after, rule.leads_to(Some(state)), "{state:?} {rule:?}");
            } else {
                world.assert_fenced(vec![change]);
                assert_eq!(world.get(live.task)?, before, "{state:?} {rule:?}");
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
        world.failing(live, 1, None),
        world.failing(live, 1, Some(9)),
        world.snoozing(live, 9),
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
    for state in reached() {
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
    for state in reached().filter(|state| state.is_final()) {
        let live = bring(world, state)?;
        let before: TaskRecord = world.get(live.task)?;
        assert_all_fenced(world, live)?;
        let delay = world.delaying(live.task, 9);
        for change in [world.aborting(live.task), world.prioritizing(live.task, 1.0)?, delay] {
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
