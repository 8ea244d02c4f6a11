//! Logs belong to their run.

use tasker_core::error::{Error, Result};
use tasker_core::id::Seq;
use tasker_core::read::LogsPart;
use tasker_core::store::Change;
use tasker_core::task::{Level, LogLine};
use tasker_core::time::WallMs;

use super::world::{Live, World, done, json, read};

/// I-19.
pub(super) fn every_field_of_a_line_comes_back(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let line = LogLine {
        n: 1,
        attempt: 1,
        level: Level::Notice,
        at: WallMs(-3),
        message: "öffnet \"dune\"\n\u{0} '; --".into(),
        fields: Some(json("{ \"book\" : \"dune\" }")),
    };
    let (seq, lane, run) = (live.task.seq, live.task.lane, live.run);
    world.turn(vec![Change::Log { seq, lane, run, line: line.clone() }])?;
    assert_eq!(world.logs(live.task, Level::Debug)?, [line]);
    Ok(())
}

/// I-19.
pub(super) fn lines_come_back_in_the_order_of_their_numbers(world: &mut World) -> Result<()> {
    let live = world.running()?;
    for batch in 0..20 {
        let lines = (1..=10).map(|i| world.logging(live, batch * 10 + i, Level::Info)).collect();
        world.turn(lines)?;
    }
    let numbers: Vec<_> = world.logs(live.task, Level::Debug)?.iter().map(|line| line.n).collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    Ok(())
}

/// The level asked for and graver ones.
pub(super) fn a_level_brings_itself_and_graver_ones(world: &mut World) -> Result<()> {
    let live = world.running()?;
    for (i, level) in Level::ALL.iter().enumerate() {
        let line = world.logging(live, i as u32 + 1, *level);
        world.turn(vec![line])?;
    }
    for (i, level) in Level::ALL.iter().enumerate() {
        let levels: Vec<_> = world.logs(live.task, *level)?.iter().map(|line| line.level).collect();
        assert_eq!(levels, Level::ALL[..=i]);
    }
    Ok(())
}

/// I-19: whoever reads part by part misses no line and sees none twice.
pub(super) fn lines_come_part_by_part_until_the_task_is_over(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let part = LogsPart { after: 0, level_max: Level::Info, lines_max: 2 };
    let read = |world: &mut World, part| {
        let read = world.reader()?.logs(live.task.id, part)?;
        let read = read.ok_or_else(|| Error::bug("the task is gone"))?;
        let numbers: Vec<u32> = read.lines.iter().map(|line| line.n).collect();
        Ok((numbers, read.last, read.is_over))
    };
    assert_eq!(read(world, part)?, (vec![], 0, false));
    let levels = [Level::Info, Level::Debug, Level::Error, Level::Info, Level::Debug];
    for (n, level) in (1..).zip(levels) {
        let line = world.logging(live, n, level);
        world.turn(vec![line])?;
    }
    assert_eq!(read(world, part)?, (vec![1, 3], 5, false));
    assert_eq!(read(world, LogsPart { after: 3, ..part })?, (vec![4], 5, false));
    assert_eq!(read(world, LogsPart { lines_max: 0, ..part })?, (vec![], 5, false));
    let end = world.ending(live, done());
    world.turn(vec![end])?;
    assert_eq!(read(world, LogsPart { after: 5, ..part })?, (vec![], 5, true));
    let unknown = world.task_id(Seq(999));
    assert!(world.reader()?.logs(unknown, part)?.is_none());
    Ok(())
}

/// I-19: lines that were taken before the end are stored with it.
pub(super) fn lines_before_the_end_of_a_batch_are_stored_with_it(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let lines = [world.logging(live, 1, Level::Info), world.logging(live, 2, Level::Info)];
    let end = world.ending(live, done());
    world.turn(lines.into_iter().chain([end]).collect())?;
    assert_eq!(world.logs(live.task, Level::Debug)?.len(), 2);
    Ok(())
}

/// I-19, I-3.
pub(super) fn a_line_after_the_end_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let (end, line) = (world.ending(live, done()), world.logging(live, 1, Level::Info));
    world.assert_fenced(vec![end.clone(), line.clone()]);
    world.turn(vec![end])?;
    world.assert_fenced(vec![line]);
    assert!(world.logs(live.task, Level::Debug)?.is_empty());
    Ok(())
}

/// I-19, I-4.
pub(super) fn a_line_of_a_fenced_run_is_refused(world: &mut World) -> Result<()> {
    let old = world.running()?;
    let (lost, line) = (world.losing(old, 1), world.logging(old, 1, Level::Info));
    world.turn(vec![lost])?;
    world.assert_fenced(vec![line.clone()]);
    world.start_attempt(old.task, 2)?;
    world.assert_fenced(vec![line]);
    assert!(world.logs(old.task, Level::Debug)?.is_empty());
    Ok(())
}

/// I-4.
pub(super) fn a_line_under_a_forged_run_is_refused(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let forged = Live { run: world.run_id(), ..live };
    let line = world.logging(forged, 1, Level::Info);
    world.assert_fenced(vec![line]);
    Ok(())
}

/// Asked for and none there is not the same as not asked for.
pub(super) fn logs_come_only_when_asked_for(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    assert_eq!(world.found(task, None)?.logs, None);
    assert!(world.logs(task, Level::Debug)?.is_empty());
    Ok(())
}

/// I-1, I-19.
pub(super) fn lines_survive_a_crash(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let line = world.logging(live, 1, Level::Crit);
    world.turn(vec![line])?;
    let before = world.logs(live.task, Level::Debug)?;
    world.crash()?;
    assert_eq!(world.logs(live.task, Level::Debug)?, before);
    Ok(())
}

/// I-19: two tasks number their lines apart.
pub(super) fn each_task_has_its_own_lines(world: &mut World) -> Result<()> {
    let (one, two) = (world.running()?, world.running()?);
    let lines = [world.logging(one, 1, Level::Info), world.logging(two, 1, Level::Debug)];
    world.turn(lines.into())?;
    assert_eq!(world.logs(one.task, Level::Debug)?[0].level, Level::Info);
    assert_eq!(world.logs(two.task, Level::Debug)?[0].level, Level::Debug);
    Ok(())
}
