//! Several lanes of one operation: each has a queue of its own, and together they are one for
//! readers.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, OperationId};
use tasker_core::journal::unpack;
use tasker_core::state::State;
use tasker_core::store::PauseWish;

use super::world::{Task, World, done, of, with_priority};

/// The greatest `n` that a number of 63 bits can carry.
const N_MAX: u64 = (1 << 47) - 1;

fn lane(n: u64) -> LaneId {
    LaneId::new(OperationId(1), n)
}

/// Tasks 1 to 6 of operation `read`, in its lanes 0, 1 and the greatest, in turn.
fn filled(world: &mut World) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for (n, priority) in [0, 1, N_MAX].into_iter().cycle().zip([0.0, 0.0, 1.0, 2.0, 0.0, 1.0]) {
        tasks.push(world.add_to(n, with_priority(priority)?)?);
    }
    Ok(tasks)
}

/// I-7.
pub(super) fn each_lane_has_a_queue_of_its_own(world: &mut World) -> Result<()> {
    filled(world)?;
    world.crash()?;
    assert_eq!(world.queue_of(lane(0))?, [4, 1]);
    assert_eq!(world.queue_of(lane(1))?, [2, 5]);
    assert_eq!(world.queue_of(lane(N_MAX))?, [3, 6]);
    assert!(world.queue_of(lane(2))?.is_empty());
    Ok(())
}

/// I-7: for readers they are one queue.
pub(super) fn the_lanes_of_all_operations_are_found_as_one_queue(world: &mut World) -> Result<()> {
    filled(world)?;
    world.add_to(1, of("write"))?;
    assert_eq!(world.find("{}", None)?, [4, 3, 6, 1, 2, 5, 7]);
    Ok(())
}

/// I-16: what waits, runs or has ended, in whichever lane.
pub(super) fn a_task_has_its_operation_in_every_lane_and_state(world: &mut World) -> Result<()> {
    let tasks = filled(world)?;
    for task in &tasks[..4] {
        let live = world.start(*task)?;
        if task.seq.0 < 4 {
            world.end(live, done())?;
        }
    }
    world.crash()?;
    for task in tasks {
        assert_eq!(&*world.get(task)?.def.operation, "read");
    }
    Ok(())
}

/// I-16: numbers of lanes of different operations lie between each other.
pub(super) fn an_operation_is_found_in_all_its_lanes_and_no_other_is(
    world: &mut World,
) -> Result<()> {
    let mut reads = Vec::new();
    for n in [0, 1, 2, N_MAX] {
        for operation in ["write", "read", "burn"] {
            for ends in [true, false] {
                let task = world.add_to(n, of(operation))?;
                if ends {
                    let live = world.start(task)?;
                    world.end(live, done())?;
                }
                reads.extend((operation == "read").then_some(task.seq.0));
            }
        }
    }
    assert_eq!(world.find(r#"{"operation":"read"}"#, Some(r#"{"seq":1}"#))?, reads);
    assert_eq!(world.count(r#"{"operation":"read","status":"done"}"#)?, 4);
    Ok(())
}

/// I-4: a run that is given back waits where it waited before.
pub(super) fn a_task_comes_back_to_its_lane(world: &mut World) -> Result<()> {
    let task = filled(world)?[1];
    let live = world.start(task)?;
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    assert_eq!(world.queue_of(lane(1))?, [2, 5]);
    assert_eq!(world.get(task)?.state, State::Ready);
    Ok(())
}

/// I-5, I-7.
pub(super) fn orphans_of_several_lanes_come_in_queue_order(world: &mut World) -> Result<()> {
    for task in filled(world)? {
        world.start(task)?;
    }
    world.crash()?;
    let orphans = world.orphans()?;
    let found: Vec<_> = orphans.iter().map(|orphan| (orphan.seq.0, orphan.lane)).collect();
    let (zero, one, last) = (lane(0), lane(1), lane(N_MAX));
    assert_eq!(found, [(4, zero), (3, last), (6, last), (1, zero), (2, one), (5, one)]);
    Ok(())
}

/// I-6.
pub(super) fn runs_of_the_other_handle_are_counted_in_each_lane(world: &mut World) -> Result<()> {
    world.open_another()?;
    for task in &filled(world)?[..5] {
        world.start(*task)?;
    }
    world.swap();
    let runs = world.inside(|store| store.remote_runs())?;
    assert_eq!(runs, [(lane(0), 2), (lane(1), 2), (lane(N_MAX), 1)]);
    Ok(())
}

/// I-6: of whichever handle, running or halted.
pub(super) fn the_live_runs_of_all_handles_come_by_number(world: &mut World) -> Result<()> {
    world.open_another()?;
    let tasks = filled(world)?;
    world.start(tasks[4])?;
    world.swap();
    let lives = [0, 1, 3].map(|at| world.start(tasks[at]));
    let [halted, ended, _] = lives;
    let (halted, ended) = (halted?, ended?);
    let changes = vec![World::wishing(halted, PauseWish::Halt), World::halting(halted)];
    world.turn(changes)?;
    world.end(ended, done())?;
    let pausing = world.pausing(tasks[2]);
    world.turn(vec![pausing])?;
    let found = |world: &mut World| {
        let runs = world.inside(|store| store.live_runs())?;
        Ok(runs.into_iter().map(|run| (run.seq.0, run.lane)).collect::<Vec<_>>())
    };
    let all = [(1, lane(0)), (4, lane(0)), (5, lane(1))];
    assert_eq!(found(world)?, all);
    world.swap();
    assert_eq!(found(world)?, all);
    world.crash()?;
    assert_eq!(found(world)?, all);
    Ok(())
}

/// I-7, I-11.
pub(super) fn the_journal_names_the_lane_of_each_step(world: &mut World) -> Result<()> {
    filled(world)?;
    let entries = world.inside(|store| store.journal(0, usize::MAX))?;
    let steps = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let steps = steps.collect::<Result<Vec<_>>>()?;
    let of_tasks = steps.iter().filter(|step| step.kind.rule().is_of_task());
    let lanes: Vec<_> = of_tasks.map(|step| step.lane).collect();
    assert_eq!(lanes, [0, 1, N_MAX, 0, 1, N_MAX].map(lane));
    Ok(())
}

/// A task has one brief, which says where it waits.
pub(super) fn a_brief_names_the_lane(world: &mut World) -> Result<()> {
    let tasks = filled(world)?;
    let seqs: Vec<_> = tasks.iter().map(|task| task.seq).collect();
    let briefs = world.inside(|store| store.briefs(&seqs))?;
    let lanes: Vec<_> = briefs.iter().flatten().map(|brief| brief.lane).collect();
    assert_eq!(lanes, [0, 1, N_MAX, 0, 1, N_MAX].map(lane));
    Ok(())
}
