//! Holds, and the tasks that they hold back.

use tasker_core::error::Result;
use tasker_core::hold::{HeldBy, Hold, HoldId, HoldQuery};
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::state::State;
use tasker_core::store::{Change, HoldChange};
use tasker_core::task::StartTime;
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::transition::TransitionKind;

use super::world::{Task, World, read};

const EVER: std::ops::RangeInclusive<WallMs> = WallMs::FIRST..=WallMs::LAST;

fn a_hold(n: u64, until: i64) -> Result<Hold> {
    let query = HoldQuery::read(&format!("{{\"data.n\" : {n}, \"label\":\"é\"}}"))?;
    let by = HeldBy { pid: 7, task: None };
    let (id, since, until) = (HoldId::new(3, n), WallMs(-7), WallMs(until));
    Ok(Hold { id, query, since, until, by, is_released: false })
}

fn making(hold: &Hold) -> Change {
    Change::Hold(HoldChange::Make(Box::new(hold.clone())))
}

fn make(world: &mut World, n: u64, until: i64) -> Result<Hold> {
    let hold = a_hold(n, until)?;
    world.turn(vec![making(&hold)])?;
    Ok(hold)
}

fn holding_back(world: &World, task: Task, hold: &Hold) -> Change {
    let (Task { seq, lane, .. }, priority) = (task, world.priority(task));
    Change::HoldBack { seq, lane, priority, hold: hold.id, until: hold.until }
}

fn freeing(world: &World, task: Task, at: i64) -> Change {
    let (Task { seq, lane, .. }, priority) = (task, world.priority(task));
    Change::Free { seq, lane, priority, at: WallMs(at) }
}

fn holds(world: &mut World) -> Result<Vec<Hold>> {
    world.inside(|store| store.holds())
}

fn held(world: &mut World, hold: &Hold, max: usize) -> Result<Vec<Seq>> {
    let id = hold.id;
    world.inside(|store| store.held(id, max))
}

fn timers(world: &mut World) -> Result<Vec<Timer>> {
    world.inside(|store| store.timers(EVER, usize::MAX))
}

pub(super) fn a_hold_comes_back_as_it_was_made_with_a_timer_at_its_end(
    world: &mut World,
) -> Result<()> {
    assert_eq!(holds(world)?, []);
    let late = make(world, 1, 50)?;
    let mut early = a_hold(0, 40)?;
    early.by.task = Some(world.add(read())?.id);
    world.turn(vec![making(&early)])?;
    let timer = |hold: &Hold| Timer { at: hold.until, kind: TimerKind::Hold, seq: Seq(hold.id.0) };
    for _ in 0..2 {
        assert_eq!(holds(world)?, [early.clone(), late.clone()], "by number");
        assert_eq!(timers(world)?, [timer(&early), timer(&late)]);
        world.crash()?;
    }
    Ok(())
}

pub(super) fn a_number_is_given_to_one_hold_and_released_once(world: &mut World) -> Result<()> {
    let hold = make(world, 1, 50)?;
    world.assert_fenced(vec![making(&hold)]);
    let release = || Change::Hold(HoldChange::Release(hold.id));
    let nobody = Change::Hold(HoldChange::Release(HoldId(99)));
    world.assert_fenced(vec![nobody]);
    world.turn(vec![release()])?;
    assert_eq!(holds(world)?, [Hold { is_released: true, ..hold.clone() }]);
    world.assert_fenced(vec![release()]);
    world.turn(vec![Change::Hold(HoldChange::Sweep(hold.id, None))])?;
    assert_eq!(holds(world)?, []);
    world.assert_fenced(vec![release()]);
    Ok(())
}

/// I-3.
pub(super) fn a_ready_task_is_held_and_stands_among_those_of_its_hold(
    world: &mut World,
) -> Result<()> {
    let (hold, other) = (make(world, 1, 50)?, make(world, 2, 60)?);
    let tasks = [world.add(read())?, world.add(read())?, world.add(read())?];
    for task in tasks {
        let change = holding_back(world, task, &hold);
        world.turn(vec![change])?;
        let stored = world.get(task)?;
        let start_time = stored.def.options.start_time;
        assert_eq!((stored.state, start_time), (State::Delayed, Some(StartTime::Held(hold.until))));
        let again = holding_back(world, task, &other);
        world.assert_fenced(vec![again]);
    }
    let seqs = tasks.map(|task| task.seq);
    assert_eq!(held(world, &hold, 9)?, seqs);
    assert_eq!(held(world, &hold, 2)?, seqs[..2]);
    assert_eq!(held(world, &other, 9)?, []);
    let timer = Timer { at: hold.until, kind: TimerKind::Due, seq: seqs[0] };
    assert!(timers(world)?.contains(&timer), "its time wakes it");
    let sweep = |last| Change::Hold(HoldChange::Sweep(hold.id, last));
    world.turn(vec![sweep(Some(seqs[0]))])?;
    assert_eq!((held(world, &hold, 9)?, holds(world)?.len()), (seqs[1..].to_vec(), 2));
    world.turn(vec![sweep(None)])?;
    assert_eq!((held(world, &hold, 9)?, holds(world)?), (Vec::new(), vec![other]));
    world.crash()?;
    assert_eq!(world.get(tasks[0])?.state, State::Delayed, "who forgets frees before");
    Ok(())
}

/// I-3, I-7.
pub(super) fn a_freed_task_is_ready_and_starts_from_then_on(world: &mut World) -> Result<()> {
    let (hold, task) = (make(world, 1, 50)?, world.add(read())?);
    let free = freeing(world, task, 20);
    world.assert_fenced(vec![free.clone()]);
    let back = holding_back(world, task, &hold);
    world.turn(vec![back.clone()])?;
    world.turn(vec![free.clone()])?;
    let stored = world.get(task)?;
    let start_time = stored.def.options.start_time;
    assert_eq!((stored.state, start_time), (State::Ready, Some(StartTime::Delayed(WallMs(20)))));
    // Held again, and by its time.
    let due = world.becoming_due(task);
    world.turn(vec![back, due])?;
    world.assert_fenced(vec![free]);
    world.start(task)?;
    Ok(())
}

pub(super) fn a_new_task_may_be_held_as_it_comes(world: &mut World) -> Result<()> {
    let hold = make(world, 1, 50)?;
    let task = world.add(read())?;
    let back = holding_back(world, task, &hold);
    let free = freeing(world, task, 3);
    world.turn(vec![back.clone(), free, back])?;
    assert_eq!(world.get(task)?.state, State::Delayed);
    assert_eq!(held(world, &hold, 9)?, [task.seq], "each stands there once");
    Ok(())
}

/// Who counts what stands ahead reads it from the windows.
pub(super) fn a_held_task_has_no_place_in_the_queue_until_it_is_freed(
    world: &mut World,
) -> Result<()> {
    let hold = make(world, 1, 50)?;
    let (first, second) = (world.add(read())?, world.add(read())?);
    let (all, left) = ([first.seq.0, second.seq.0], [second.seq.0]);
    let back = holding_back(world, first, &hold);
    world.turn(vec![back])?;
    assert_eq!(world.queue()?, left);
    world.crash()?;
    assert_eq!(world.queue()?, left);
    let free = freeing(world, first, 20);
    world.turn(vec![free])?;
    assert_eq!(world.queue()?, all);
    Ok(())
}

pub(super) fn nothing_of_a_hold_is_left_of_a_task_that_was_paused(world: &mut World) -> Result<()> {
    let (hold, task) = (make(world, 1, 50)?, world.add(read())?);
    let back = holding_back(world, task, &hold);
    world.turn(vec![back])?;
    let pause = world.pausing(task);
    world.turn(vec![pause])?;
    assert!(world.get(task)?.def.options.is_held());
    let resume = world.resuming(task);
    world.turn(vec![resume])?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.options.start_time), (State::Ready, None));
    Ok(())
}

pub(super) fn a_held_task_that_is_put_off_is_held_no_more(world: &mut World) -> Result<()> {
    let (hold, task) = (make(world, 1, 50)?, world.add(read())?);
    let back = holding_back(world, task, &hold);
    world.turn(vec![back])?;
    // Also until the very moment at which the hold is over.
    let delay = world.delaying(task, 50);
    world.turn(vec![delay])?;
    assert_eq!(world.get(task)?.def.options.start_time, Some(StartTime::Delayed(WallMs(50))));
    Ok(())
}

/// F-8: with the steps of the journal by which others learn of it.
pub(super) fn what_becomes_of_a_hold_is_told_in_the_journal(world: &mut World) -> Result<()> {
    let hold = make(world, 1, 50)?;
    world.turn(vec![Change::Hold(HoldChange::Release(hold.id))])?;
    world.turn(vec![Change::Hold(HoldChange::Sweep(hold.id, None))])?;
    let entries = world.inside(|store| store.journal(0, 9))?;
    let steps = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let (seq, lane, kind) = (Seq(0), LaneId(0), TransitionKind::Holds);
    let step = Transition { seq, lane, kind, priority: None };
    assert_eq!(steps.collect::<Result<Vec<_>>>()?, [step; 3]);
    Ok(())
}
