//! Where the store stands: batch number, next sequence number, counters.

use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::state::{Counts, State};
use tasker_core::store::Head;

use super::world::{World, aborted, done, failed, of, read};

fn head(world: &mut World) -> Result<Head> {
    world.inside(|store| store.head())
}

pub(super) fn assert_head(world: &mut World) -> Result<()> {
    let (number, seq_next, counts) = (world.number(), world.seq_next(), world.counts());
    let lane_next = world.lane_next();
    assert_eq!(head(world)?, Head { number, seq_next, lane_next, counts });
    Ok(())
}

/// I-8.
pub(super) fn a_new_store_begins_at_zero(world: &mut World) -> Result<()> {
    let counts = Counts::default();
    assert_eq!(head(world)?, Head { number: 0, seq_next: Seq(1), lane_next: 1, counts });
    Ok(())
}

/// I-8, I-13: the facts of the last batch.
pub(super) fn each_commit_moves_the_head(world: &mut World) -> Result<()> {
    for n in 1..=5 {
        world.running()?;
        assert_eq!(world.number(), 2 * n);
        assert_head(world)?;
    }
    Ok(())
}

/// I-8, I-13.
pub(super) fn the_head_survives_crash_and_close(world: &mut World) -> Result<()> {
    world.running()?;
    world.add(read())?;
    world.crash()?;
    assert_head(world)?;
    world.reopen()?;
    assert_head(world)?;
    world.add(read())?;
    assert_head(world)
}

/// I-8: a number that was never acknowledged may be skipped, not one that was.
pub(super) fn a_refused_batch_leaves_the_head(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let late = world.ending(live, failed());
    world.assert_fenced(vec![late]);
    assert_head(world)
}

/// The number of a lane is given once, also after a crash.
pub(super) fn the_next_number_of_a_lane_is_that_of_the_last_batch(world: &mut World) -> Result<()> {
    world.add(read())?;
    assert_eq!(head(world)?.lane_next, 1);
    world.add_to(6, read())?;
    assert_head(world)?;
    world.crash()?;
    world.add(read())?;
    assert_eq!(head(world)?.lane_next, 7);
    assert_head(world)
}

/// I-8: sequence numbers may leap forward.
pub(super) fn the_next_number_may_leap(world: &mut World) -> Result<()> {
    world.add(read())?;
    world.number_from(Seq(1 << 40));
    world.add(read())?;
    world.crash()?;
    assert_eq!(head(world)?.seq_next, Seq((1 << 40) + 1));
    Ok(())
}

/// I-13: the counters are those of the last batch, and they equal a recount.
pub(super) fn counters_equal_a_recount(world: &mut World) -> Result<()> {
    let tasks = world.add_many(vec![read(); 12])?;
    for (i, outcome) in [done(), failed(), aborted(), done()].into_iter().enumerate() {
        let live = world.start(tasks[i])?;
        world.end(live, outcome)?;
    }
    let lost = world.start(tasks[4])?;
    let lost = world.losing(lost, 1);
    let aborted = world.aborting(tasks[5]);
    world.turn(vec![lost, aborted])?;
    world.start(tasks[6])?;
    let counts = head(world)?.counts;
    assert_eq!(counts.total(), 12);
    for state in State::ALL {
        let query = format!("{{\"state\":\"{}\"}}", state.as_str());
        assert_eq!(counts.get(*state), world.count(&query)?, "{query}");
    }
    Ok(())
}

/// Counted by operation and state, also after tasks were opened again or removed, whoever asks: a
/// query that looks at each task says the same.
pub(super) fn counts_of_operations_are_those_of_their_tasks(world: &mut World) -> Result<()> {
    for operation in ["read", "write"] {
        let tasks = world.add_many(vec![of(operation); 9])?;
        world.add_delayed(of(operation), 9_000)?;
        for (i, outcome) in [done(), failed(), aborted(), done(), failed()].into_iter().enumerate()
        {
            let live = world.start(tasks[i])?;
            world.end(live, outcome)?;
        }
        let withdrawn = world.aborting(tasks[5]);
        world.turn(vec![withdrawn])?;
        world.start(tasks[6])?;
        let purges = [tasks[0], tasks[1]].map(|task| world.purging(task));
        world.turn(purges.to_vec())?;
    }
    let tasks = world.add_many(vec![read(); 3])?;
    for (task, outcome) in tasks.into_iter().zip([done(), failed(), aborted()]) {
        let live = world.start(task)?;
        world.end(live, outcome.clone())?;
        let reopened = world.reopening(task, &outcome);
        world.turn(vec![reopened])?;
    }
    assert_counts_of_operations(world)?;
    world.crash()?;
    assert_counts_of_operations(world)
}

fn assert_counts_of_operations(world: &mut World) -> Result<()> {
    let states = ["new", "running", "done", "failed", "aborted"]
        .map(|status| format!(r#""status":"{status}""#))
        .into_iter()
        .chain(State::ALL.iter().map(|state| format!(r#""state":"{}""#, state.as_str())))
        .chain([r#""status":{"$in":["new","failed"]}"#.into(), r#""state":{"$ne":"done"}"#.into()]);
    for state in states {
        for operation in [r#""read""#, r#"{"$ne":"read"}"#, r#"{"$in":["write","none"]}"#] {
            let totals = format!(r#"{{"operation":{operation},{state}}}"#);
            // No figure tells anything of numbers.
            let each = format!(r#"{{"operation":{operation},{state},"attempt":{{"$gte":0}}}}"#);
            assert_eq!(world.count(&totals)?, world.count(&each)?, "{totals}");
        }
    }
    assert_eq!(world.count(r#"{"operation":"read"}"#)?, 11);
    Ok(())
}
