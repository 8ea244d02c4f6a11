//! Schedules, and the timers of their ticks.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::schedule::ScheduleSpec;
use tasker_core::schedules::{LastTask, Schedule, ScheduleName, ScheduleNo, Wanted};
use tasker_core::store::{Change, ScheduleChange};
use tasker_core::task::SharedOptions;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::transition::TransitionKind;

use super::world::{World, read};

const EVER: std::ops::RangeInclusive<WallMs> = WallMs::FIRST..=WallMs::LAST;

fn a_schedule(n: u64, id: &str) -> Result<Schedule> {
    let text = r#"{"every":"1m","limit":7,"task":{"operation":"read","data":[1.0,"\u00e9"]}}"#;
    let mut defaults = SharedOptions::default();
    defaults.run_timeout_ms = Some(500);
    let wanted = Wanted { spec: ScheduleSpec::read(text)?, defaults };
    Ok(Schedule::new(ScheduleNo::new(3, n), id.into(), wanted, WallMs(-7)))
}

fn making(schedule: &Schedule) -> Change {
    Change::Schedule(ScheduleChange::Make(schedule.clone().into()))
}

fn changing(schedule: &Schedule) -> Change {
    Change::Schedule(ScheduleChange::Change(schedule.clone().into()))
}

fn removing(schedule: &Schedule) -> Change {
    Change::Schedule(ScheduleChange::Remove(schedule.no, schedule.version))
}

fn make(world: &mut World, n: u64, id: &str) -> Result<Schedule> {
    let schedule = a_schedule(n, id)?;
    world.turn(vec![making(&schedule)])?;
    Ok(schedule)
}

fn stored(world: &mut World, id: &str) -> Result<Option<Schedule>> {
    let names = [ScheduleName::Id(id.into())];
    world.inside(|store| Ok(store.schedules(&names)?.remove(0)))
}

fn timers(world: &mut World) -> Result<Vec<Timer>> {
    world.inside(|store| store.timers(EVER, usize::MAX))
}

pub(super) fn a_schedule_comes_back_as_it_was_made_with_a_timer_at_its_next_tick(
    world: &mut World,
) -> Result<()> {
    assert_eq!(stored(world, "mail")?, None);
    let id = "mail \u{e9} \"x\"";
    let mut schedule = a_schedule(1, id)?;
    let last = world.add(read())?.id;
    schedule.last = Some(LastTask { at: WallMs(-9), id: last });
    schedule.made = 5;
    world.turn(vec![making(&schedule)])?;
    let timer = Timer { at: WallMs(59_993), kind: TimerKind::Schedule, seq: Seq(schedule.no.0) };
    for _ in 0..2 {
        assert_eq!(stored(world, id)?, Some(schedule.clone()));
        assert_eq!(timers(world)?, [timer]);
        world.crash()?;
    }
    Ok(())
}

pub(super) fn a_number_and_an_id_are_given_to_one_schedule(world: &mut World) -> Result<()> {
    let schedule = make(world, 1, "a")?;
    world.assert_fenced(vec![making(&a_schedule(1, "b")?)]);
    world.assert_fenced(vec![making(&a_schedule(2, "a")?)]);
    assert_eq!(stored(world, "a")?, Some(schedule));
    assert_eq!(stored(world, "b")?, None);
    Ok(())
}

pub(super) fn a_schedule_changes_version_by_version(world: &mut World) -> Result<()> {
    let first = make(world, 1, "a")?;
    world.assert_fenced(vec![changing(&first)]);
    let second = Schedule { version: 2, made: 1, next_at: Some(WallMs(90_000)), ..first };
    world.turn(vec![changing(&second)])?;
    assert_eq!(stored(world, "a")?, Some(second.clone()));
    let at: Vec<WallMs> = timers(world)?.iter().map(|timer| timer.at).collect();
    assert_eq!(at, [WallMs(59_993), WallMs(90_000)], "nobody takes a timer back");
    world.assert_fenced(vec![changing(&second)]);
    world.assert_fenced(vec![changing(&Schedule { version: 4, ..second.clone() })]);
    world.assert_fenced(vec![changing(&Schedule { version: 3, id: "b".into(), ..second })]);
    world.assert_fenced(vec![changing(&Schedule { version: 2, ..a_schedule(2, "a")? })]);
    Ok(())
}

pub(super) fn a_paused_schedule_and_one_that_is_over_have_no_timer(
    world: &mut World,
) -> Result<()> {
    let paused = Schedule { paused_at: Some(WallMs(8)), ..a_schedule(1, "a")? };
    let over = Schedule { next_at: None, ..a_schedule(2, "b")? };
    world.turn(vec![making(&paused), making(&over)])?;
    assert_eq!(timers(world)?, []);
    assert_eq!((stored(world, "a")?, stored(world, "b")?), (Some(paused), Some(over)));
    Ok(())
}

pub(super) fn a_schedule_that_is_removed_leaves_its_id_free(world: &mut World) -> Result<()> {
    let first = make(world, 1, "a")?;
    world.assert_fenced(vec![removing(&Schedule { version: 2, ..first.clone() })]);
    let again = a_schedule(2, "a")?;
    world.turn(vec![removing(&first), making(&again)])?;
    assert_eq!(stored(world, "a")?, Some(again));
    world.assert_fenced(vec![removing(&first)]);
    Ok(())
}

pub(super) fn schedules_are_found_by_id_and_by_number_and_counted(world: &mut World) -> Result<()> {
    let (one, two) = (make(world, 1, "a")?, make(world, 2, "B")?);
    let names = [
        ScheduleName::No(two.no),
        ScheduleName::Id("a".into()),
        ScheduleName::Id("b".into()),
        ScheduleName::No(ScheduleNo(9)),
    ];
    let (found, count) =
        world.inside(|store| Ok((store.schedules(&names)?, store.count_schedules()?)))?;
    assert_eq!(found, [Some(two), Some(one), None, None]);
    assert_eq!(count, 2);
    Ok(())
}

pub(super) fn schedules_are_read_by_id_a_part_at_a_time(world: &mut World) -> Result<()> {
    for (n, id) in ["b", "a", "B", "\u{e9}", "a\0"].into_iter().enumerate() {
        make(world, n as u64, id)?;
    }
    let mut ids = |from: &str, max| {
        let found = world.reader()?.schedules(from, max)?;
        Ok(found.into_iter().map(|one| one.id).collect::<Vec<Arc<str>>>())
    };
    let is = |found: Result<Vec<Arc<str>>>, expected: &[&str]| {
        assert_eq!(found?.iter().map(|id| &**id).collect::<Vec<_>>(), expected);
        Ok(())
    };
    is(ids("", 9), &["B", "a", "a\0", "b", "\u{e9}"])?;
    is(ids("a", 2), &["a", "a\0"])?;
    is(ids("a\0\0", 9), &["b", "\u{e9}"])
}

pub(super) fn what_becomes_of_a_schedule_is_told_in_the_journal(world: &mut World) -> Result<()> {
    let schedule = make(world, 1, "a")?;
    let next = Schedule { version: 2, ..schedule };
    world.turn(vec![changing(&next)])?;
    world.turn(vec![removing(&next)])?;
    let entries = world.inside(|store| store.journal(0, usize::MAX))?;
    let last = entries.iter().rev().take(3).map(|entry| &entry.transitions);
    let (seq, lane, kind) = (Seq(0), LaneId(0), TransitionKind::Schedule);
    for transitions in last {
        let told: Result<Vec<Transition>> = unpack(transitions).collect();
        assert_eq!(told?, [Transition { seq, lane, kind, priority: None }]);
    }
    Ok(())
}
