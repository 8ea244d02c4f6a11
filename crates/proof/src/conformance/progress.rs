//! How far a run says it is.

use tasker_core::error::Result;
use tasker_core::store::Change;
use tasker_core::task::Progress;

use super::world::{Live, Task, World, done, read};

pub(super) fn progressing(live: Live, current: f64) -> Change {
    let progress = Progress { current, total: Some(10.0), unit: Some("page".into()) };
    let (Task { seq, lane, .. }, run) = (live.task, live.run);
    Change::Progress { seq, lane, run, progress }
}

/// I-16.
pub(super) fn the_last_report_counts(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.turn(vec![progressing(live, 1.0), progressing(live, 2.0)])?;
    world.turn(vec![progressing(live, 3.5)])?;
    let progress = Progress { current: 3.5, total: Some(10.0), unit: Some("page".into()) };
    assert_eq!(world.get(live.task)?.progress, Some(progress));
    Ok(())
}

/// Absent is not zero.
pub(super) fn a_total_and_a_unit_may_be_absent(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let progress = Progress { current: -0.5, total: None, unit: None };
    let (Live { run, .. }, lane, seq) = (live, live.task.lane, live.task.seq);
    world.turn(vec![progressing(live, 1.0)])?;
    world.turn(vec![Change::Progress { seq, lane, run, progress: progress.clone() }])?;
    assert_eq!(world.get(live.task)?.progress, Some(progress));
    Ok(())
}

/// I-1.
pub(super) fn any_unit_comes_back(world: &mut World) -> Result<()> {
    for unit in ["", "Seiten", "\"\\", "🦀", "a\nb"] {
        let live = world.running()?;
        let progress = Progress { current: 1e300, total: Some(0.1), unit: Some(unit.into()) };
        let (Live { run, .. }, lane, seq) = (live, live.task.lane, live.task.seq);
        world.turn(vec![Change::Progress { seq, lane, run, progress: progress.clone() }])?;
        assert_eq!(world.get(live.task)?.progress, Some(progress));
    }
    Ok(())
}

/// I-3: an end leaves the last report as it is, and none comes after it.
pub(super) fn an_ended_task_keeps_its_last_report(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.turn(vec![progressing(live, 4.0)])?;
    world.end(live, done())?;
    let before = world.get(live.task)?;
    assert_eq!(before.progress.as_ref().map(|progress| progress.current), Some(4.0));
    world.assert_fenced(vec![progressing(live, 5.0)]);
    assert_eq!(world.get(live.task)?, before);
    Ok(())
}

/// I-4.
pub(super) fn a_report_under_a_forged_run_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let forged = Live { run: world.run_id(), ..live };
    world.assert_fenced(vec![progressing(forged, 1.0)]);
    assert_eq!(world.get(live.task)?.progress, None);
    Ok(())
}

/// I-4.
pub(super) fn a_waiting_task_has_no_report(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let (live, _) = world.starting(task, 1);
    world.assert_fenced(vec![progressing(live, 1.0)]);
    assert_eq!(world.get(task)?.progress, None);
    Ok(())
}

/// How far a run was says nothing about the next one.
pub(super) fn a_report_goes_with_its_run(world: &mut World) -> Result<()> {
    for is_lost in [true, false] {
        let live = world.running()?;
        world.turn(vec![progressing(live, 7.0)])?;
        let over = if is_lost { world.losing(live, 1) } else { world.postponing(live) };
        world.turn(vec![over])?;
        assert_eq!(world.get(live.task)?.progress, None);
        world.start_attempt(live.task, 2)?;
        assert_eq!(world.get(live.task)?.progress, None);
    }
    Ok(())
}
