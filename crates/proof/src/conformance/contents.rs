//! What the start of a task needs, by its number.

use std::sync::Arc;

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::store::ReadyTask;
use tasker_core::task::Level;

use super::world::{World, done, of, read, with_data};

fn find(world: &mut World, seqs: &[u64], bytes_max: usize) -> Result<Vec<Option<ReadyTask>>> {
    let asked = seqs.iter().map(|seq| (Seq(*seq), Arc::from("read"))).collect::<Vec<_>>();
    world.inside(|store| store.contents(&asked, bytes_max))
}

fn seqs(found: &[Option<ReadyTask>]) -> Vec<Option<u64>> {
    found.iter().map(|task| task.as_ref().map(|task| task.seq.0)).collect()
}

/// In the order in which they are asked for, whatever it is; each as its window shows it.
pub(super) fn contents_are_found_by_the_numbers_of_tasks(world: &mut World) -> Result<()> {
    world.add_many(vec![read(); 9])?;
    let found = find(world, &[3, 4, 5, 9, 8, 1], 1 << 20)?;
    assert_eq!(seqs(&found), [3, 4, 5, 9, 8, 1].map(Some));
    let window = world.window("read")?;
    assert!(found.into_iter().flatten().all(|task| window.tasks.contains(&task)));
    assert!(find(world, &[], 9)?.is_empty());
    Ok(())
}

/// A running task may be given back and start again in one commit, and an ended one may be opened
/// again.
pub(super) fn what_never_was_has_no_contents(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read(), of("write"), read(), read()])?;
    world.start(tasks[0])?;
    let live = world.start(tasks[3])?;
    world.end(live, done())?;
    let found = find(world, &[1, 2, 3, 4, 5, 6, 7, 99], 1 << 20)?;
    assert_eq!(seqs(&found), [Some(1), Some(2), Some(3), Some(4), Some(5), None, None, None]);
    Ok(())
}

/// I-10, I-19.
pub(super) fn a_task_that_has_started_before_brings_what_it_had(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let changes = vec![world.logging(live, 1, Level::Debug), world.losing(live, 1)];
    world.turn(changes)?;
    let found = find(world, &[live.task.seq.0], 1 << 20)?.remove(0);
    let facts = found.map(|task| (task.attempt, task.losses, task.logs));
    assert_eq!(facts, Some((1, 1, 1)));
    Ok(())
}

/// I-17: one task always comes; those that are not come to are left out.
pub(super) fn reading_stops_after_the_task_that_passes_the_bytes(world: &mut World) -> Result<()> {
    let text = format!("\"{}\"", "x".repeat(998));
    world.add_many(vec![with_data(&text); 6])?;
    for (bytes_max, length) in [(0, 1), (999, 1), (1_500, 2), (4_500, 5), (1 << 20, 5)] {
        let found = find(world, &[1, 2, 3, 5, 6], bytes_max)?;
        assert_eq!(found.len(), length, "{bytes_max}");
        assert!(found.iter().all(Option::is_some));
    }
    Ok(())
}
