//! Trying a task again: after a run of it, and by hand after its end.

use tasker_core::error::{Error, Result};
use tasker_core::limits::{ATTEMPTS_KEPT_MAX, LOSSES_MAX};
use tasker_core::state::State;
use tasker_core::store::Change;
use tasker_core::task::{AttemptEnd, AttemptError, Cause, NewTask, TaskEnd, TaskOptions};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::progress::progressing;
use super::world::{Live, Task, World, aborted, done, failed, json, read};

fn timers(world: &mut World) -> Result<Vec<Timer>> {
    world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, usize::MAX))
}

/// A run of this task fails, and the next one begins.
fn fail_and_start(world: &mut World, live: Live, failures: u32) -> Result<Live> {
    let failing = world.failing(live, failures, None);
    world.turn(vec![failing])?;
    world.start_attempt(live.task, live.attempt + 1)
}

pub(super) fn a_failed_attempt_is_kept_with_its_error_and_its_task_is_ready(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    let failing = world.failing(live, 1, None);
    world.turn(vec![progressing(live, 3.0), failing])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempt), (State::Ready, 1));
    assert_eq!((record.outcome, record.progress, record.ended_at), (None, None, None));
    assert_eq!((record.def.options.run_at(), timers(world)?), (None, vec![]));
    let [attempt] = record.attempts.as_slice() else { return Err(Error::bug("one attempt")) };
    assert_eq!((attempt.run, attempt.end), (live.run, Some(AttemptEnd::Failed)));
    assert_eq!(attempt.error, AttemptError::of(&failed()));
    let next = world.start_attempt(live.task, 2)?;
    world.end(next, failed())?;
    let record = world.get(live.task)?;
    let errors: Vec<_> = record.attempts.iter().map(|attempt| attempt.error.clone()).collect();
    assert_eq!(errors, [AttemptError::of(&failed()), AttemptError::of(&failed())]);
    Ok(())
}

pub(super) fn a_pause_is_a_start_time_with_a_timer(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let failing = world.failing(live, 1, Some(70));
    world.turn(vec![failing])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.def.options.run_at()), (State::Delayed, Some(WallMs(70))));
    let timer = Timer { at: WallMs(70), kind: TimerKind::Due, seq: live.task.seq };
    assert_eq!(timers(world)?, [timer]);
    assert_eq!(world.brief(live.task.seq)?.and_then(|brief| brief.run_at), Some(WallMs(70)));
    let (next, start) = world.starting(live.task, 2);
    world.assert_fenced(vec![start]);
    let due = world.becoming_due(live.task);
    let (again, start) = world.starting(live.task, 2);
    world.turn(vec![due, start])?;
    assert_ne!(next.run, again.run);
    // A task that had options before has them still, to the last byte.
    let (id, run_timeout_ms) = (Some(json("{ \"n\":1.0, \"x\":null }")), Some(7));
    let options = TaskOptions { id: id.clone(), run_timeout_ms, ..TaskOptions::default() };
    let task = world.add(NewTask { options: options.into(), ..read() })?;
    let live = world.start(task)?;
    let snoozing = world.snoozing(live, 80);
    world.turn(vec![snoozing])?;
    let def = world.get(task)?.def;
    let kept = (&def.options.id, def.options.run_timeout_ms, def.options.run_at());
    assert_eq!(kept, (&id, run_timeout_ms, Some(WallMs(80))));
    Ok(())
}

pub(super) fn a_snoozed_run_is_not_counted(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let snoozing = world.snoozing(live, 70);
    world.turn(vec![snoozing])?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.attempt), (State::Delayed, 0));
    let end = (record.attempts[0].end, record.attempts[0].error.clone());
    assert_eq!(end, (Some(AttemptEnd::Snoozed), None));
    Ok(())
}

/// I-10: failures and losses have a budget each, and both are kept with the task.
pub(super) fn failures_come_back_with_the_window_and_the_orphan(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let live = fail_and_start(world, live, 1)?;
    let failing = world.failing(live, 2, None);
    world.turn(vec![failing])?;
    let waiting = world.window("read")?.tasks.remove(0);
    assert_eq!((waiting.attempt, waiting.failures, waiting.losses), (2, 2, 0));
    world.start_attempt(live.task, 3)?;
    world.crash()?;
    let orphan = world.orphans()?.remove(0);
    assert_eq!((orphan.attempt, orphan.failures, orphan.losses), (3, 2, 0));
    Ok(())
}

/// I-17.
pub(super) fn the_last_attempts_are_kept_and_the_others_are_counted(
    world: &mut World,
) -> Result<()> {
    let mut live = world.running()?;
    let mut runs = vec![live.run];
    for n in 1..ATTEMPTS_KEPT_MAX + 3 {
        live = fail_and_start(world, live, n)?;
        runs.push(live.run);
        let record = world.get(live.task)?;
        let left_out = (n + 1).saturating_sub(ATTEMPTS_KEPT_MAX);
        let kept: Vec<_> = record.attempts.iter().map(|attempt| attempt.run).collect();
        assert_eq!(
            (kept.as_slice(), record.attempts_left_out),
            (&runs[left_out as usize..], left_out)
        );
    }
    Ok(())
}

pub(super) fn an_ended_task_is_opened_again_with_its_history(world: &mut World) -> Result<()> {
    let error = |cause| Some(AttemptError { cause, error: json("{\"message\":\"not now\"}") });
    for (outcome, end, error, result) in [
        (done(), AttemptEnd::Done, None, Some(json("{\"pages\":412}"))),
        (TaskEnd::Done(None), AttemptEnd::Done, None, None),
        (failed(), AttemptEnd::Failed, AttemptError::of(&failed()), None),
        (aborted(), AttemptEnd::Aborted, error(Cause::User), None),
    ] {
        let live = world.running()?;
        world.end(live, outcome.clone())?;
        let before = world.get(live.task)?;
        let reopening = world.reopening(live.task, &outcome);
        world.turn(vec![reopening])?;
        let record = world.get(live.task)?;
        assert_eq!((record.state, record.attempt), (State::Ready, 1));
        assert_eq!((record.ended_at, &record.outcome), (None, &None));
        assert_eq!((record.created_at, &record.def), (before.created_at, &before.def));
        let [attempt] = record.attempts.as_slice() else { return Err(Error::bug("one attempt")) };
        assert_eq!((attempt.run, attempt.end), (live.run, Some(end)));
        assert_eq!((attempt.ended_at, &attempt.error), (before.ended_at, &error));
        assert_eq!(attempt.result, result);
        let next = world.start_attempt(live.task, 2)?;
        world.end(next, done())?;
        assert_eq!(world.get(live.task)?.attempts.len(), 2);
    }
    Ok(())
}

pub(super) fn a_task_that_ended_before_it_ran_is_opened_again(world: &mut World) -> Result<()> {
    let never = world.add(read())?;
    let live = world.running()?;
    let failing = world.failing(live, 1, Some(70));
    world.turn(vec![failing])?;
    for (task, attempts) in [(never, 0), (live.task, 1)] {
        let abort = world.aborting(task);
        world.turn(vec![abort])?;
        let reopening = world.reopening(task, &aborted());
        world.turn(vec![reopening])?;
        let record = world.get(task)?;
        assert_eq!((record.state, record.attempts.len()), (State::Ready, attempts));
    }
    let window = world.window("read")?;
    let facts: Vec<_> = window.tasks.iter().map(|task| (task.attempt, task.failures)).collect();
    assert_eq!(facts, [(0, 0), (1, 0)]);
    Ok(())
}

/// I-10.
pub(super) fn failures_and_losses_count_no_more_after_a_task_was_opened_again(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    let live = fail_and_start(world, live, 1)?;
    let losing = world.losing(live, LOSSES_MAX - 1);
    world.turn(vec![losing])?;
    let live = world.start_attempt(live.task, 3)?;
    world.end(live, failed())?;
    let reopening = world.reopening(live.task, &failed());
    world.turn(vec![reopening])?;
    let waiting = world.window("read")?.tasks.remove(0);
    assert_eq!((waiting.attempt, waiting.failures, waiting.losses), (3, 0, 0));
    Ok(())
}

pub(super) fn a_task_may_be_opened_delayed_and_started_in_one_batch(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    world.end(live, failed())?;
    let changes = vec![world.reopening(live.task, &failed()), world.delaying(live.task, 70)];
    world.turn(changes)?;
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.def.options.run_at()), (State::Delayed, Some(WallMs(70))));
    let timer = Timer { at: WallMs(70), kind: TimerKind::Due, seq: live.task.seq };
    assert_eq!(timers(world)?, [timer]);

    let live = world.running()?;
    let end = world.ending(live, failed());
    let (next, start) = world.starting(live.task, 2);
    let changes = vec![end, world.reopening(live.task, &failed()), start];
    world.turn(changes)?;
    world.end(next, done())?;
    assert_eq!(world.get(live.task)?.attempts.len(), 2);
    Ok(())
}

/// I-3.
pub(super) fn only_an_ended_task_is_opened_again(world: &mut World) -> Result<()> {
    let ready = world.add(read())?;
    let delayed = world.add_delayed(read(), 70)?;
    let running = world.running()?.task;
    for task in [ready, delayed, running] {
        let before = world.get(task)?;
        let reopening = world.reopening(task, &failed());
        world.assert_fenced(vec![reopening]);
        assert_eq!(world.get(task)?, before);
    }
    Ok(())
}

pub(super) fn the_error_of_the_last_attempt_is_found(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let find = |world: &mut World, task: Task| {
        let nobody = tasker_core::id::Seq(1 << 40);
        world.inside(|store| store.last_errors(&[nobody, task.seq]))
    };
    assert_eq!(find(world, live.task)?, [None, None]);
    let next = fail_and_start(world, live, 1)?;
    let error = AttemptError::of(&failed()).map(|error| error.error);
    assert_eq!(find(world, live.task)?, [None, error]);
    let losing = world.losing(next, 1);
    world.turn(vec![losing])?;
    assert_eq!(find(world, live.task)?, [None, None]);
    Ok(())
}

pub(super) fn queries_know_attempts_and_policy(world: &mut World) -> Result<()> {
    let retry = tasker_core::retry::read(r#"{"attempts":3,"on":["timeout"]}"#, "retry")?;
    let options = TaskOptions { retry: Some(retry.into()), ..TaskOptions::default() };
    let task = world.add(NewTask { options: options.into(), ..read() })?;
    let live = world.start(task)?;
    let live = fail_and_start(world, live, 1)?;
    world.end(live, failed())?;
    let other = world.running()?;
    world.end(other, done())?;
    for (query, count) in [
        (r#"{"attempts.error.message":"no such book"}"#, 1),
        (r#"{"attempts.1.outcome":"failed","attempts.cause":"error"}"#, 1),
        (r#"{"retry.attempts":3,"retry.on":"timeout"}"#, 1),
        (r#"{"retry":{"$exists":false}}"#, 1),
        (r#"{"attemptsLeftOut":{"$exists":true}}"#, 0),
    ] {
        assert_eq!(world.count(query)?, count, "{query}");
    }
    Ok(())
}

/// I-1.
pub(super) fn a_task_that_was_tried_often_survives_a_crash(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let live = fail_and_start(world, live, 1)?;
    let failing = world.failing(live, 2, Some(70));
    world.turn(vec![failing])?;
    let (before, timers_before) = (world.get(live.task)?, timers(world)?);
    world.crash()?;
    assert_eq!((world.get(live.task)?, timers(world)?), (before, timers_before));
    let due = world.becoming_due(live.task);
    let fired = Change::Fired(timers(world)?[0]);
    world.turn(vec![due, fired])?;
    let waiting = world.window("read")?.tasks.remove(0);
    assert_eq!((waiting.attempt, waiting.failures), (2, 2));
    Ok(())
}
