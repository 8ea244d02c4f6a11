//! The first ready tasks of a lane.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::queue::QueueKey;
use tasker_core::store::WindowQuery;
use tasker_core::task::{Level, NewTask, OnInterrupted, OnStop, Priority, TaskOptions};

use super::world::{World, done, json, of, read, with_data, with_priority};

/// I-7.
pub(super) fn greater_priority_comes_first_then_age(world: &mut World) -> Result<()> {
    let priorities = [0.0, 1.0, f64::NEG_INFINITY, 0.5, 1.0, f64::INFINITY, -0.0, -1.0];
    let defs = priorities.iter().map(|p| with_priority(*p)).collect::<Result<_>>()?;
    world.add_many(defs)?;
    assert_eq!(world.queue()?, [6, 2, 5, 4, 1, 7, 8, 3]);
    Ok(())
}

/// I-7: the order of arrival is the order of commits, also across crashes.
pub(super) fn the_queue_is_the_same_after_a_crash(world: &mut World) -> Result<()> {
    for priority in [3.0, 1.0, 2.0, 3.0] {
        world.add(with_priority(priority)?)?;
    }
    let before = world.window("read")?;
    world.crash()?;
    assert_eq!(world.window("read")?, before);
    assert_eq!(world.queue()?, [1, 4, 3, 2]);
    Ok(())
}

/// A start needs all of this.
pub(super) fn a_waiting_task_brings_its_whole_definition(world: &mut World) -> Result<()> {
    let def = NewTask {
        data: Some(json(" [ 1 ] ")),
        options: TaskOptions {
            label: Some(json("\"the first\"")),
            run_timeout_ms: Some(1),
            on_interrupted: OnInterrupted::Abort,
            on_stop: Some(OnStop::Wait),
            ..TaskOptions::default()
        }
        .into(),
        ..with_priority(0.5)?
    };
    let task = world.add(def.clone())?;
    let waiting = world.window("read")?.tasks.remove(0);
    assert_eq!((waiting.seq, waiting.id), (task.seq, task.id));
    assert_eq!(waiting.def, def);
    assert_eq!((waiting.attempt, waiting.losses, waiting.logs), (0, 0, 0));
    Ok(())
}

/// I-19: the next run numbers its lines from there.
pub(super) fn a_waiting_task_says_how_many_lines_it_has(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let lines = (1..=3).map(|n| world.logging(live, n, Level::Debug));
    let mut changes: Vec<_> = lines.collect();
    changes.push(world.losing(live, 1));
    world.turn(changes)?;
    world.crash()?;
    assert_eq!(world.window("read")?.tasks[0].logs, 3);
    Ok(())
}

/// Each lane by itself.
pub(super) fn a_window_shows_its_own_lane_only(world: &mut World) -> Result<()> {
    world.add_many(vec![of("read"), of("write"), of("read"), of("write")])?;
    assert_eq!(world.queue()?, [1, 3]);
    let write: Vec<_> = world.window("write")?.tasks.iter().map(|task| task.seq.0).collect();
    assert_eq!(write, [2, 4]);
    Ok(())
}

/// I-3.
pub(super) fn running_and_ended_tasks_do_not_wait(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(), read(), read(), read()])?;
    world.start(tasks[0])?;
    let live = world.start(tasks[1])?;
    world.end(live, done())?;
    let abort = world.aborting(tasks[2]);
    world.turn(vec![abort])?;
    assert_eq!(world.queue()?, [4]);
    Ok(())
}

/// An empty lane is complete.
pub(super) fn a_lane_without_tasks_is_complete_and_empty(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let window = world.window("read")?;
    assert!(window.tasks.is_empty() && window.is_complete);
    Ok(())
}

/// The bound on tasks holds, and the window says whether more are there.
pub(super) fn a_window_stops_at_its_number_of_tasks(world: &mut World) -> Result<()> {
    world.add_many(vec![read(); 5])?;
    for (tasks_max, length, is_complete) in
        [(1, 1, false), (4, 4, false), (5, 5, true), (6, 5, true)]
    {
        let window = world.window_of("read", tasks_max, 1 << 30)?;
        assert_eq!((window.tasks.len(), window.is_complete), (length, is_complete));
    }
    Ok(())
}

/// I-17: memory is bounded by bytes as well; one task always fits.
pub(super) fn a_window_stops_after_the_task_that_passes_its_bytes(world: &mut World) -> Result<()> {
    let text = format!("\"{}\"", "x".repeat(998));
    world.add_many(vec![with_data(&text); 5])?;
    for (bytes_max, length) in [(0, 1), (999, 1), (1_500, 2), (2_500, 3), (1 << 20, 5)] {
        let window = world.window_of("read", 100, bytes_max)?;
        assert_eq!((window.tasks.len(), window.is_complete), (length, length == 5), "{bytes_max}");
    }
    Ok(())
}

/// The head of a long queue is read without the rest.
pub(super) fn the_head_of_a_long_queue_is_the_head(world: &mut World) -> Result<()> {
    let defs = (0..3_000).map(|n| with_priority(f64::from(n % 10))).collect::<Result<_>>()?;
    world.add_many(defs)?;
    let window = world.window_of("read", 3, 1 << 20)?;
    let head: Vec<_> = window.tasks.iter().map(|task| task.seq.0).collect();
    assert_eq!((head, window.is_complete), (vec![10, 20, 30], false));
    Ok(())
}

/// I-7: at a task, between two, and behind them all.
pub(super) fn a_window_begins_where_it_is_asked_to(world: &mut World) -> Result<()> {
    let priorities = [2.0, 1.0, 1.0, f64::INFINITY, 1.0, 0.0, f64::NEG_INFINITY];
    let defs = priorities.iter().map(|p| with_priority(*p)).collect::<Result<_>>()?;
    world.add_many(defs)?;
    for (priority, seq, expected) in [
        (f64::INFINITY, 0, &[4, 1, 2, 3, 5, 6, 7][..]),
        (f64::INFINITY, 5, &[1, 2, 3, 5, 6, 7]),
        (2.0, 1, &[1, 2, 3, 5, 6, 7]),
        (1.5, 9, &[2, 3, 5, 6, 7]),
        (1.0, 3, &[3, 5, 6, 7]),
        (1.0, 6, &[6, 7]),
        (f64::NEG_INFINITY, 7, &[7]),
        (f64::NEG_INFINITY, 8, &[]),
    ] {
        let from = QueueKey::new(Priority::new(priority)?, Seq(seq));
        let (lane, _) = world.lane("read");
        let window = world.window_from(WindowQuery { lane, from, tasks_max: 9 }, 9)?;
        let seqs: Vec<_> = window.tasks.iter().map(|task| task.seq.0).collect();
        assert_eq!((&seqs[..], window.is_complete), (expected, true), "{priority} {seq}");
    }
    Ok(())
}

/// I-17: the windows that do not fit are left out; the first one always comes.
pub(super) fn many_windows_share_their_bytes(world: &mut World) -> Result<()> {
    let text = format!("\"{}\"", "x".repeat(998));
    for operation in ["read", "write", "print"] {
        let def = NewTask { data: Some(json(&text)), ..of(operation) };
        world.add_many(vec![def; 3])?;
    }
    for (bytes_max, expected) in
        [(0, vec![(1, false)]), (4_500, vec![(3, true), (2, false)]), (9_000, vec![(3, true); 3])]
    {
        let lanes = ["read", "write", "print"].map(|operation| world.lane(operation).0);
        let first = |lane| WindowQuery { lane, from: QueueKey::FIRST, tasks_max: 9 };
        let windows = world.inside(|store| store.windows(&lanes.map(first), bytes_max))?;
        let found = windows.iter().map(|window| (window.tasks.len(), window.is_complete));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{bytes_max}");
    }
    Ok(())
}
