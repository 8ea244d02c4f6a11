//! How long a task may wait for its first start.

use tasker_core::error::Result;
use tasker_core::queue_timeout;
use tasker_core::state::State;
use tasker_core::task::{NewTask, QueueTimeout};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};

use super::world::{Task, World, read};

const GIVEN: &str = r#"{"after":500,"then":{"priority":2.5}}"#;

fn timed() -> Result<NewTask> {
    let mut def = read();
    def.options.queue_timeout = queue_timeout::read(GIVEN, "queueTimeout")?;
    Ok(def)
}

/// A task whose `queueTimeout` ends at this moment, as an add writes it.
fn add(world: &mut World, ends_at: i64) -> Result<Task> {
    let mut def = timed()?;
    let at = |timeout| QueueTimeout { ends_at: Some(WallMs(ends_at)), ..timeout };
    def.options.queue_timeout = def.options.queue_timeout.map(at);
    let (task, mut changes) = world.adding(def);
    changes.push(World::timing_out(task, Some(ends_at)));
    world.turn(changes)?;
    Ok(task)
}

fn timers(world: &mut World) -> Result<Vec<(i64, u64)>> {
    let all = world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, usize::MAX))?;
    assert!(all.iter().all(|timer| timer.kind == TimerKind::QueueTimeout), "{all:?}");
    Ok(all.iter().map(|timer| (timer.at.0, timer.seq.0)).collect())
}

/// Until when a task may wait, as its row and its brief have it.
fn ends_at(world: &mut World, task: Task) -> Result<Option<i64>> {
    let stored = world.get(task)?.def.options.queue_timeout;
    assert_eq!(world.brief(task.seq)?.and_then(|brief| brief.queue_timeout), stored);
    assert_eq!(stored.map(|timeout| timeout.to_string()).as_deref(), Some(GIVEN));
    Ok(stored.and_then(|timeout| timeout.ends_at).map(|at| at.0))
}

pub(super) fn a_queue_timeout_comes_back_with_its_moment_and_a_timer(
    world: &mut World,
) -> Result<()> {
    let task = add(world, 5_000)?;
    for _ in 0..2 {
        assert_eq!(ends_at(world, task)?, Some(5_000));
        assert_eq!(timers(world)?, [(5_000, task.seq.0)]);
        let found = world.find(r#"{"queueTimeout.after":500,"state":"ready"}"#, None)?;
        assert_eq!(found, [task.seq.0]);
        world.crash()?;
    }
    Ok(())
}

pub(super) fn it_may_end_at_another_moment_or_not_at_all(world: &mut World) -> Result<()> {
    let task = add(world, 5_000)?;
    world.turn(vec![World::timing_out(task, Some(7_000))])?;
    assert_eq!(ends_at(world, task)?, Some(7_000));
    world.turn(vec![World::timing_out(task, None)])?;
    assert_eq!(ends_at(world, task)?, None);
    // Nobody takes timers back.
    assert_eq!(timers(world)?, [(5_000, task.seq.0), (7_000, task.seq.0)]);
    assert_eq!(world.queue()?, [task.seq.0], "it has kept its place");
    let last = Timer { at: WallMs(7_000), kind: TimerKind::QueueTimeout, seq: task.seq };
    world.turn(vec![tasker_core::store::Change::Fired(last)])?;
    assert_eq!(timers(world)?, []);
    Ok(())
}

pub(super) fn a_delayed_task_has_it_too(world: &mut World) -> Result<()> {
    let task = world.add_delayed(timed()?, 5)?;
    world.turn(vec![World::timing_out(task, Some(505))])?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.def.options.run_at()), (State::Delayed, Some(WallMs(5))));
    assert_eq!(ends_at(world, task)?, Some(505));
    let expiring = world.expiring(task);
    world.turn(vec![expiring])?;
    let outcome = world.get(task)?.outcome;
    assert_eq!(outcome.and_then(|end| end.cause()).map(|it| it.as_str()), Some("queue-timeout"));
    Ok(())
}

pub(super) fn a_brief_tells_whether_a_run_ever_began(world: &mut World) -> Result<()> {
    let task = add(world, 5_000)?;
    assert_eq!(world.brief(task.seq)?.map(|brief| brief.has_started), Some(false));
    let live = world.start(task)?;
    let given_back = world.postponing(live);
    world.turn(vec![given_back])?;
    assert_eq!(world.brief(task.seq)?.map(|brief| brief.has_started), Some(true));
    Ok(())
}
