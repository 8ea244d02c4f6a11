//! What an end must keep: it is final, and only the right run brings it about.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{AttemptEnd, Cause, TaskEnd};

use super::world::{Task, World, aborted, done, failed, json, read};

/// I-1.
pub(super) fn a_result_comes_back_byte_for_byte(world: &mut World) -> Result<()> {
    for text in ["{ \"pages\" : 412 }", "null", "\"\\udfff\"", "[1.0,1e0]"] {
        let live = world.running()?;
        let outcome = TaskEnd::Done(Some(json(text)));
        world.end(live, outcome.clone())?;
        assert_eq!(world.get(live.task)?.outcome, Some(outcome));
    }
    Ok(())
}

/// I-1: `undefined` is not null.
pub(super) fn an_absent_result_stays_absent(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, TaskEnd::Done(None))?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.outcome), (State::Done, Some(TaskEnd::Done(None))));
    Ok(())
}

/// I-1.
pub(super) fn an_end_has_its_state_time_and_attempt(world: &mut World) -> Result<()> {
    let ends = [
        (done(), State::Done, AttemptEnd::Done),
        (failed(), State::Failed, AttemptEnd::Failed),
        (aborted(), State::Aborted, AttemptEnd::Aborted),
    ];
    for (outcome, state, end) in ends {
        let live = world.running()?;
        world.end(live, outcome.clone())?;
        let record = world.get(live.task)?;
        assert_eq!((record.state, record.attempt), (state, 1));
        assert_eq!(record.outcome, Some(outcome));
        assert!(record.ended_at > record.started_at);
        let attempt = &record.attempts[0];
        assert_eq!((attempt.run, attempt.end), (live.run, Some(end)));
        assert_eq!(attempt.ended_at, record.ended_at);
    }
    Ok(())
}

/// I-1.
pub(super) fn every_cause_comes_back(world: &mut World) -> Result<()> {
    for cause in Cause::ALL.iter().copied() {
        let reason = json(&format!("{{\"message\":\"{}\"}}", cause.as_str()));
        for outcome in [TaskEnd::Failed(cause, reason.clone()), TaskEnd::Aborted(cause, reason)] {
            let live = world.running()?;
            world.end(live, outcome.clone())?;
            assert_eq!(world.get(live.task)?.outcome, Some(outcome));
        }
    }
    Ok(())
}

/// I-10: whatever becomes of its task, an attempt whose process died was lost.
pub(super) fn an_end_by_a_loss_ends_its_attempt_as_lost(world: &mut World) -> Result<()> {
    for cause in [Cause::Lost, Cause::Poison] {
        for outcome in [TaskEnd::Failed(cause, json("{}")), TaskEnd::Aborted(cause, json("{}"))] {
            let live = world.running()?;
            world.end(live, outcome)?;
            assert_eq!(world.get(live.task)?.attempts[0].end, Some(AttemptEnd::Lost));
        }
    }
    Ok(())
}

/// I-2: no attempt from nowhere.
pub(super) fn a_waiting_task_that_is_aborted_never_had_an_attempt(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let abort = world.aborting(task);
    world.turn(vec![abort])?;
    let record = world.get(task)?;
    assert_eq!((record.state, record.outcome), (State::Aborted, Some(aborted())));
    assert_eq!((record.attempt, record.started_at), (0, None));
    assert!(record.attempts.is_empty() && record.ended_at.is_some());
    assert!(world.queue()?.is_empty());
    Ok(())
}

/// I-2: the history stays as it was, and no attempt is added to it.
pub(super) fn a_task_aborted_between_two_attempts_keeps_one(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    let before = world.get(live.task)?.attempts;
    let abort = world.aborting(live.task);
    world.turn(vec![abort])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempt), (State::Aborted, 1));
    assert_eq!(record.attempts, before);
    Ok(())
}

/// I-3.
pub(super) fn an_end_under_the_same_run_twice_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let before = world.get(live.task)?;
    let again = world.ending(live, failed());
    world.assert_fenced(vec![again]);
    assert_eq!(world.get(live.task)?, before);
    Ok(())
}

/// I-4: the run that was replaced settles late.
pub(super) fn a_late_end_of_an_old_run_is_refused(world: &mut World) -> Result<()> {
    let old = world.running()?;
    let lost = world.losing(old, 1);
    world.turn(vec![lost])?;
    let late = world.ending(old, done());
    world.assert_fenced(vec![late]);
    let new = world.start_attempt(old.task, 2)?;
    let later = world.ending(old, done());
    world.assert_fenced(vec![later]);
    world.end(new, failed())?;
    assert_eq!(world.get(old.task)?.outcome, Some(failed()));
    Ok(())
}

/// I-4.
pub(super) fn an_end_under_a_forged_run_is_refused(world: &mut World) -> Result<()> {
    let mut live = world.running()?;
    live.run = world.run_id();
    let forged = world.ending(live, done());
    world.assert_fenced(vec![forged]);
    assert_eq!(world.get(live.task)?.state, State::Running);
    Ok(())
}

/// I-4: a run's id is good for its own task only.
pub(super) fn an_end_under_the_run_of_another_task_is_refused(world: &mut World) -> Result<()> {
    let (mut one, two) = (world.running()?, world.running()?);
    one.run = two.run;
    let crossed = world.ending(one, done());
    world.assert_fenced(vec![crossed]);
    Ok(())
}

/// I-4: an abort of a waiting task that has started in between.
pub(super) fn an_end_without_a_run_does_not_touch_a_running_task(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let abort = world.aborting(live.task);
    world.assert_fenced(vec![abort]);
    assert_eq!(world.get(live.task)?.state, State::Running);
    Ok(())
}

/// I-4.
pub(super) fn an_end_under_a_run_does_not_touch_a_waiting_task(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let (live, _) = world.starting(task, 1);
    let end = world.ending(live, done());
    world.assert_fenced(vec![end]);
    assert_eq!(world.get(task)?.state, State::Ready);
    Ok(())
}

/// I-2.
pub(super) fn a_task_that_never_was_does_not_end(world: &mut World) -> Result<()> {
    let (seq, lane) = (Seq(77), LaneId(1));
    let id = world.task_id(seq);
    let abort = world.aborting(Task { seq, lane, id });
    world.assert_fenced(vec![abort]);
    Ok(())
}

/// I-1, I-3: the image of an ended task outlives processes.
pub(super) fn an_end_survives_crash_after_crash(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, failed())?;
    let before = world.get(live.task)?;
    for _ in 0..3 {
        world.crash()?;
        assert_eq!(world.get(live.task)?, before);
    }
    Ok(())
}

/// I-17.
pub(super) fn a_result_of_four_mebibytes_comes_back(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let result = json(&format!("\"{}\"", "y".repeat(4 << 20)));
    world.end(live, TaskEnd::Done(Some(result.clone())))?;
    assert_eq!(world.get(live.task)?.outcome, Some(TaskEnd::Done(Some(result))));
    Ok(())
}

/// I-10: a batch may hold a whole life.
pub(super) fn a_whole_life_fits_one_batch(world: &mut World) -> Result<()> {
    let (task, mut changes) = world.adding(read());
    let (live, start) = world.starting(task, 1);
    let end = world.ending(live, done());
    changes.extend([start, end]);
    assert!(matches!(changes.last(), Some(Change::End { .. })));
    world.turn(changes)?;
    let record = world.get(task)?;
    assert_eq!((record.state, record.attempt), (State::Done, 1));
    assert_eq!(record.attempts[0].end, Some(AttemptEnd::Done));
    Ok(())
}
