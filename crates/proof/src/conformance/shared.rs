//! Two handles on one database: each hears of the other, and none is mistaken for dead.

use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal::{Transition, unpack};
use tasker_core::state::State;
use tasker_core::store::{Entry, Lookups};
use tasker_core::task::Priority;
use tasker_core::transition::TransitionKind;

use super::head::assert_head;
use super::world::{World, done, of, read, with_priority};

fn remote_runs(world: &mut World) -> Result<Vec<(LaneId, u32)>> {
    world.inside(|store| store.remote_runs())
}

fn journal(world: &mut World, after: u64, max: usize) -> Result<Vec<Entry>> {
    world.inside(|store| store.journal(after, max))
}

fn orphans(world: &mut World) -> Result<Vec<Seq>> {
    Ok(world.orphans()?.iter().map(|orphan| orphan.seq).collect())
}

/// F-8.
pub(super) fn news_of_another_handle_are_told_once(world: &mut World) -> Result<()> {
    world.open_another()?;
    assert!(!world.has_news()?);
    for _ in 0..3 {
        world.add(read())?;
        world.swap();
        assert!(world.has_news()?);
        assert!(!world.has_news()?);
    }
    Ok(())
}

/// F-8.
pub(super) fn a_look_tells_news_and_keeps_nobody_waiting(world: &mut World) -> Result<()> {
    world.open_another()?;
    let first = world.add(read())?;
    world.swap();
    let mut handle = world.lend()?;
    let mut snapshot = handle.store.begin_read()?;
    assert!(snapshot.has_news());
    let second = world.add(read())?;
    let briefs = snapshot.briefs(&[first.seq, second.seq])?;
    assert!(matches!(briefs[..], [Some(_), None]), "it is one look");
    drop(snapshot);
    world.take_back(handle);
    assert!(world.has_news()?);
    assert!(world.brief(second.seq)?.is_some());
    assert!(!world.store()?.begin_read()?.has_news());
    Ok(())
}

/// F-8.
pub(super) fn what_one_does_oneself_is_no_news(world: &mut World) -> Result<()> {
    world.open_another()?;
    let live = world.running()?;
    assert!(!world.has_news()?);
    drop(world.store()?.begin(&Lookups::default)?);
    world.end(live, done())?;
    world.store()?.maintain(true)?;
    assert!(!world.has_news()?);
    Ok(())
}

/// I-8, I-13.
pub(super) fn a_handle_goes_on_where_the_other_has_been(world: &mut World) -> Result<()> {
    world.open_another()?;
    for operation in ["read", "write", "burn", "read"] {
        world.add(of(operation))?;
        world.swap();
        assert_head(world)?;
        let count = world.inside(|store| store.operations())?.len();
        assert_eq!(count, world.operations_known());
    }
    assert_eq!(world.queue()?, [1, 4]);
    Ok(())
}

/// F-8.
pub(super) fn the_journal_names_who_did_what(world: &mut World) -> Result<()> {
    world.open_another()?;
    let task = world.add(with_priority(2.5)?)?;
    let first = world.store()?.owner();
    world.swap();
    let live = world.start(task)?;
    let second = world.store()?.owner();
    world.end(live, done())?;
    world.swap();
    let entries = journal(world, 0, usize::MAX)?;
    let by: Vec<_> = entries.iter().map(|entry| (entry.number, entry.owner)).collect();
    assert_eq!(by, [(1, first), (2, second), (3, second)]);
    let transitions = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let step = |kind, priority| Transition { seq: task.seq, lane: task.lane, kind, priority };
    let priority = Some(Priority::new(2.5)?);
    let (seq, kind) = (Seq(0), TransitionKind::Operation);
    let expected = [
        Transition { seq, lane: task.lane, kind, priority: None },
        step(TransitionKind::Add, priority),
        step(TransitionKind::Start, priority),
        step(TransitionKind::Done, priority),
    ];
    assert_eq!(transitions.collect::<Result<Vec<_>>>()?, expected);
    Ok(())
}

/// F-8.
pub(super) fn a_journal_is_read_in_parts(world: &mut World) -> Result<()> {
    for _ in 0..5 {
        world.add(read())?;
    }
    let mut numbers = |after, max| -> Result<Vec<u64>> {
        let entries = journal(world, after, max)?;
        Ok(entries.iter().map(|entry| entry.number).collect())
    };
    assert_eq!(numbers(1, 2)?, [2, 3]);
    assert_eq!(numbers(3, 9)?, [4, 5]);
    assert!(numbers(5, 9)?.is_empty());
    Ok(())
}

/// F-8: what is not told is not told by halves.
pub(super) fn a_journal_reaches_back_without_a_gap_as_far_as_it_is_kept(
    world: &mut World,
) -> Result<()> {
    for _ in 0..2_099 {
        world.turn(Vec::new())?;
    }
    world.trim()?;
    for after in [0, 1, 1_000, 1_100, 1_500, 2_099, 2_100] {
        let entries = journal(world, after, usize::MAX)?;
        let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
        let first = numbers.first().copied().unwrap_or(after + 1);
        assert!(first == after + 1 || after < 2_099, "the last batch is always kept");
        assert!(first > after);
        assert_eq!(numbers, (first..=2_100).collect::<Vec<_>>());
    }
    Ok(())
}

/// I-6.
pub(super) fn runs_of_the_other_handle_are_counted_by_lane(world: &mut World) -> Result<()> {
    world.open_another()?;
    let (one, _two) = (world.running()?, world.running()?);
    let task = world.add(of("write"))?;
    let write = world.start(task)?;
    assert!(remote_runs(world)?.is_empty(), "these are ours");
    world.swap();
    assert_eq!(remote_runs(world)?, [(one.lane, 2), (write.lane, 1)]);
    world.running()?;
    world.swap();
    assert_eq!(remote_runs(world)?, [(one.lane, 1)]);
    world.end(one, done())?;
    world.end(write, done())?;
    world.swap();
    assert_eq!(remote_runs(world)?, [(one.lane, 1)]);
    Ok(())
}

/// I-6: a lost run takes its place until it is given back.
pub(super) fn runs_of_the_dead_are_remote_until_they_are_recovered(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    world.swap();
    let live = world.running()?;
    world.swap();
    world.lose_other()?;
    assert_eq!(remote_runs(world)?, [(live.lane, 1)]);
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    assert!(remote_runs(world)?.is_empty());
    Ok(())
}

/// I-1.
pub(super) fn an_abort_asked_for_by_one_handle_is_found_by_the_other(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    let live = world.running()?;
    world.swap();
    world.turn(vec![World::asking_abort(live, "1")])?;
    world.swap();
    assert!(world.has_news()?);
    let asked = world.abort_request(live)?;
    assert_eq!(asked.map(|abort| abort.reason.as_str().to_owned()), Some("1".into()));
    let steps = journal(world, world.number() - 1, 9)?;
    let transitions = steps.iter().flat_map(|entry| unpack(&entry.transitions));
    let steps: Result<Vec<_>> =
        transitions.map(|transition| transition.map(|transition| transition.kind)).collect();
    assert_eq!(steps?, [TransitionKind::RequestAbort]);
    Ok(())
}

/// I-5.
pub(super) fn the_runs_of_a_living_neighbour_are_no_orphans(world: &mut World) -> Result<()> {
    world.open_another()?;
    world.running()?;
    world.swap();
    for _ in 0..3 {
        world.store()?.refresh_owners()?;
        assert!(orphans(world)?.is_empty());
    }
    world.crash()?;
    assert!(orphans(world)?.is_empty());
    Ok(())
}

/// I-5.
pub(super) fn the_runs_of_a_neighbour_that_died_are_found_by_one_look(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    let own = world.running()?;
    world.swap();
    let (one, two) = (world.running()?, world.running()?);
    world.swap();
    world.lose_other()?;
    assert_eq!(orphans(world)?, [one.task.seq, two.task.seq]);
    assert_eq!(world.get(own.task)?.state, State::Running);
    Ok(())
}

/// I-14.
pub(super) fn the_runs_of_a_neighbour_that_closed_are_found_by_one_look(
    world: &mut World,
) -> Result<()> {
    world.open_another()?;
    world.swap();
    let live = world.running()?;
    world.swap();
    world.close_other()?;
    world.store()?.refresh_owners()?;
    assert_eq!(orphans(world)?, [live.task.seq]);
    Ok(())
}

/// I-4.
pub(super) fn an_orphan_is_recovered_by_one_of_two(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.crash()?;
    world.open_another()?;
    assert_eq!(orphans(world)?, [live.task.seq]);
    world.swap();
    assert_eq!(orphans(world)?, [live.task.seq]);
    let lost = world.losing(live, 1);
    world.turn(vec![lost.clone()])?;
    world.swap();
    assert!(orphans(world)?.is_empty());
    world.assert_fenced(vec![lost]);
    assert_eq!(world.get(live.task)?.attempts.len(), 1);
    Ok(())
}

/// I-5: a death is told by nobody, so somebody has to look.
pub(super) fn a_handle_that_is_not_alone_is_to_be_looked_after(world: &mut World) -> Result<()> {
    world.open_another()?;
    assert!(world.store()?.poll_interval_ms().is_some());
    world.swap();
    assert!(world.store()?.poll_interval_ms().is_some());
    Ok(())
}

/// I-3, I-4: who ends a run is the engine's rule; the store asks for its id only.
pub(super) fn a_task_of_one_handle_is_ended_by_the_other(world: &mut World) -> Result<()> {
    world.open_another()?;
    let (live, waiting) = (world.running()?, world.add(read())?);
    world.swap();
    world.end(live, done())?;
    let abort = world.aborting(waiting);
    world.turn(vec![abort])?;
    world.swap();
    let late = world.ending(live, done());
    world.assert_fenced(vec![late]);
    assert_eq!(
        [world.get(live.task)?.state, world.get(waiting)?.state],
        [State::Done, State::Aborted]
    );
    Ok(())
}

/// Who died is not counted from the next look on.
pub(super) fn the_owners_that_live_are_counted(world: &mut World) -> Result<()> {
    let owners = |world: &mut World| {
        world.store()?.refresh_owners()?;
        world.inside(|store| Ok(store.extent()?.owners))
    };
    assert_eq!(owners(world)?, 1);
    world.open_another()?;
    world.running()?;
    assert_eq!(owners(world)?, 2);
    world.crash()?;
    assert_eq!(orphans(world)?.len(), 1);
    assert_eq!(owners(world)?, 2);
    world.swap();
    assert_eq!(owners(world)?, 2);
    world.close_other()?;
    assert_eq!(owners(world)?, 1);
    Ok(())
}
