//! Where the ready tasks of each lane begin.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::queue::QueueKey;
use tasker_core::store::LaneHead;
use tasker_core::task::Priority;

use super::world::{World, done, of, read, with_priority};

/// The place of a task with the priority that is usual.
fn key(seq: u64) -> QueueKey {
    QueueKey::new(Priority::default(), Seq(seq))
}

fn head(lane: u64, first: u64, next: Option<u64>) -> LaneHead {
    LaneHead { lane: LaneId(lane), first: key(first), next: next.map(key) }
}

fn heads(world: &mut World) -> Result<Vec<LaneHead>> {
    world.inside(|store| store.heads(LaneId(0), usize::MAX))
}

/// Nothing comes from nowhere.
pub(super) fn a_lane_without_ready_tasks_has_no_head(world: &mut World) -> Result<()> {
    assert!(heads(world)?.is_empty());
    let live = world.running()?;
    assert!(heads(world)?.is_empty());
    world.end(live, done())?;
    assert!(heads(world)?.is_empty());
    Ok(())
}

/// I-7: the two that would start first.
pub(super) fn a_head_is_the_first_task_and_the_place_of_the_second(
    world: &mut World,
) -> Result<()> {
    let tasks = [0.0, 2.0, 1.0, 2.0].map(with_priority);
    world.add_many(tasks.into_iter().collect::<Result<_>>()?)?;
    world.add(of("write"))?;
    let two = Priority::new(2.0)?;
    let [first, next] = [2, 4].map(|seq| QueueKey::new(two, Seq(seq)));
    let read = LaneHead { lane: LaneId(1), first, next: Some(next) };
    assert_eq!(heads(world)?, [read, head(2, 5, None)]);
    Ok(())
}

/// Lanes that count up, short ones and long ones, come in the order of their numbers.
pub(super) fn the_lanes_of_an_operation_have_a_head_each(world: &mut World) -> Result<()> {
    world.add_many(vec![read(); 100])?;
    for n in [3, 1, 2, 1] {
        world.add_to(n, read())?;
    }
    world.add_many(vec![of("write"); 40])?;
    let expected = [
        head(1, 1, Some(2)),
        head(2, 105, Some(106)),
        head(65_537, 102, Some(104)),
        head(131_073, 103, None),
        head(196_609, 101, None),
    ];
    assert_eq!(heads(world)?, expected);
    world.crash()?;
    assert_eq!(heads(world)?, expected);
    Ok(())
}

/// A store of many lanes is read in portions.
pub(super) fn heads_come_in_portions(world: &mut World) -> Result<()> {
    world.add_many(vec![read(); 50])?;
    for n in 1..=4 {
        world.add_to(n, read())?;
    }
    let all = heads(world)?;
    let mut portions = Vec::new();
    for _ in 0..all.len() + 1 {
        let after = portions.last().map_or(LaneId(0), |head: &LaneHead| head.lane);
        let portion = world.inside(|store| store.heads(after, 2))?;
        assert!(portion.len() <= 2);
        portions.extend(portion);
    }
    assert_eq!(portions, all);
    Ok(())
}
