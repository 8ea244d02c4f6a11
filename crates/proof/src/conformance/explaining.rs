//! What an explanation asks a store for.

use tasker_core::error::Result;
use tasker_core::id::{OperationId, Seq, TaskId};
use tasker_core::queue::QueueKey;
use tasker_core::store::{Background, Change, PauseWish, QueuePart};
use tasker_core::task::{AttemptEnd, Priority};

use super::world::{Live, Task, World, done, of, read, with_priority};

fn background(world: &mut World, seq: Seq, open_max: usize) -> Result<Option<Background>> {
    let mut all = world.inside(|store| store.backgrounds(&[seq, Seq(u64::MAX)], open_max))?;
    assert_eq!((all.len(), all.pop()), (2, Some(None)), "one answer for each");
    Ok(all.pop().flatten())
}

fn runs_of(world: &mut World, operations: &[u16], max: usize) -> Result<Vec<Vec<TaskId>>> {
    let ids: Vec<OperationId> = operations.iter().copied().map(OperationId).collect();
    world.inside(|store| store.runs_of(&ids, max))
}

/// Its end, and how the attempt ended that another one follows.
pub(super) fn a_background_tells_of_an_end_and_of_the_attempt_before(
    world: &mut World,
) -> Result<()> {
    let live = world.running()?;
    let (seq, bare) = (live.task.seq, Some(Background::default()));
    assert_eq!(background(world, seq, 9)?, bare, "its attempt is not over");
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    let after = background(world, seq, 9)?.unwrap_or_default();
    assert_eq!((after.last_end, after.ended_at), (Some(AttemptEnd::Lost), None));
    let live = world.start_attempt(live.task, 2)?;
    world.end(live, done())?;
    let ended_at = world.get(live.task)?.ended_at;
    let after = background(world, seq, 9)?.unwrap_or_default();
    assert_eq!((after.last_end, after.ended_at), (Some(AttemptEnd::Lost), ended_at));
    Ok(())
}

/// Each until it is met, by number, and no more than were asked for.
pub(super) fn a_background_names_open_dependencies(world: &mut World) -> Result<()> {
    let on = [world.add(read())?, world.add(read())?, world.add(read())?];
    let task = world.add_blocked(read(), &on)?;
    let mut open = |max| Ok(background(world, task.seq, max)?.unwrap_or_default().open);
    assert_eq!(open(9)?, on.map(|one| one.id));
    assert_eq!(open(2)?, [on[0].id, on[1].id]);
    let dependents = Seq(0)..=Seq(u64::MAX >> 1);
    world.turn(vec![Change::Met { dependency: on[1].seq, dependents }])?;
    let open = background(world, task.seq, 9)?.unwrap_or_default().open;
    assert_eq!(open, [on[0].id, on[2].id]);
    Ok(())
}

/// I-6: of all owners, and of those that have halted too.
pub(super) fn the_runs_of_an_operation_are_found_whoever_runs_them(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    let (one, two) = (world.running()?, world.running()?);
    let task = world.add(of("write"))?;
    let write = world.start(task)?;
    world.swap();
    let three = world.running()?;
    let Live { task: Task { seq, .. }, lane, run, .. } = two;
    let halts = World::wishing(two, PauseWish::Halt);
    world.turn(vec![halts, Change::PauseRun { seq, lane, run }])?;
    world.add(read())?;
    let reads = vec![one.task.id, two.task.id, three.task.id];
    assert_eq!(runs_of(world, &[2, 1, 9], 9)?, [vec![write.task.id], reads.clone(), vec![]]);
    assert_eq!(runs_of(world, &[1], 2)?, [reads[..2].to_vec()]);
    world.end(one, done())?;
    assert_eq!(runs_of(world, &[1], 9)?, [reads[1..].to_vec()]);
    Ok(())
}

/// I-7: from one position to another one, and no further than to the bound.
pub(super) fn a_part_of_a_queue_is_counted(world: &mut World) -> Result<()> {
    let priorities = [0.0, 2.0, f64::NEG_INFINITY, 2.0, f64::INFINITY, -0.5, 0.0];
    let mut keys = Vec::new();
    for priority in priorities {
        let task = world.add(with_priority(priority)?)?;
        keys.push((QueueKey::new(Priority::new(priority)?, task.seq), task.lane));
    }
    world.add(of("write"))?;
    let live = world.running()?;
    let lane = live.lane;
    keys.sort();
    let bounds: Vec<QueueKey> = [QueueKey::FIRST, QueueKey::LAST]
        .into_iter()
        .chain(keys.iter().flat_map(|(key, _)| [*key, key.after()]))
        .collect();
    for from in &bounds {
        for to in bounds.iter().filter(|to| from <= *to) {
            for max in [1, 3, 99] {
                let part = QueuePart { lane, from: *from, to: *to };
                let counted = world.inside(|store| store.count_queued(&[part, part], max))?;
                let within = keys.iter().filter(|(key, _)| from <= key && key < to).count();
                assert_eq!(counted, [within.min(max); 2], "{part:?}");
            }
        }
    }
    Ok(())
}
