//! Tasks that executors outside take: who has each, and until when.

use tasker_core::error::{Error, Result};
use tasker_core::executor::Lease;
use tasker_core::id::Seq;
use tasker_core::state::State;
use tasker_core::store::{Change, LiveRun, OutsideChange, OutsideRun, Start};
use tasker_core::task::Tally;
use tasker_core::time::WallMs;

use super::world::{Live, Task, World, done, read};

/// An executor takes a task until then.
pub(super) fn claiming(world: &mut World, task: Task, until: i64) -> (Live, Change) {
    let (run, at) = (world.run_id(), world.tick());
    let Task { seq, lane, .. } = task;
    let priority = world.priority(task);
    let lease = Lease { run, until: WallMs(until), executor: Some("one".into()) };
    let change = Change::Outside(OutsideChange::Claim { seq, lane, priority, lease, at });
    (Live { task, lane, run, attempt: 1 }, change)
}

pub(super) fn claim(world: &mut World, task: Task, until: i64) -> Result<Live> {
    let (live, change) = claiming(world, task, until);
    let touch = touching(world, task.seq);
    world.turn(vec![change, touch])?;
    Ok(live)
}

/// The executor begins with it.
pub(super) fn beginning(world: &mut World, live: Live, until: i64) -> Change {
    let Live { task: Task { seq, lane, .. }, run, attempt, .. } = live;
    let (priority, until) = (world.priority(live.task), WallMs(until));
    let start = Start { run, attempt, at: world.tick() };
    Change::Outside(OutsideChange::Begin { seq, lane, priority, start, until })
}

/// It does not, or gives the task back.
pub(super) fn unclaiming(world: &mut World, live: Live) -> Change {
    let (Task { seq, lane, .. }, priority) = (live.task, world.priority(live.task));
    Change::Outside(OutsideChange::Unclaim { seq, lane, priority, run: live.run })
}

fn renewing(live: Live, until: i64) -> Change {
    let (seq, run, until) = (live.task.seq, live.run, WallMs(until));
    Change::Outside(OutsideChange::Renew { seq, run, until })
}

fn touching(world: &mut World, seq: Seq) -> Change {
    Change::Outside(OutsideChange::Touch { seq, at: world.tick() })
}

fn run_of(world: &mut World, task: Task) -> Result<Option<OutsideRun>> {
    Ok(world.inside(|store| store.outside_runs(&[task.seq]))?.pop().flatten())
}

/// A task that an executor runs until then.
fn begun(world: &mut World, until: i64) -> Result<Live> {
    let task = world.add(read())?;
    let live = claim(world, task, 9)?;
    let begin = beginning(world, live, until);
    let touch = touching(world, task.seq);
    world.turn(vec![begin, touch])?;
    Ok(live)
}

/// I-4, I-10.
pub(super) fn a_claim_is_its_tasks_until_it_begins_or_is_given_back(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let old = claim(world, task, 9)?;
    let (_, again) = claiming(world, task, 9);
    world.assert_fenced(vec![again]);
    let (_, start) = world.starting(task, 1);
    world.assert_fenced(vec![start]);
    assert_eq!(world.get(task)?.attempt, 0, "a claim counts no attempt");
    let back = unclaiming(world, old);
    let touch = touching(world, task.seq);
    world.turn(vec![back, touch])?;
    assert_eq!((world.get(task)?.state, run_of(world, task)?), (State::Ready, None));
    let live = claim(world, task, 7)?;
    let late = beginning(world, old, 99);
    world.assert_fenced(vec![late]);
    let begin = beginning(world, live, 99);
    world.turn(vec![begin])?;
    let task = world.get(task)?;
    assert_eq!((task.state, task.attempt), (State::Running, 1));
    assert_eq!(task.attempts.last().map(|attempt| attempt.run), Some(live.run));
    Ok(())
}

/// I-1.
pub(super) fn a_claim_and_a_run_of_an_executor_outlive_the_process(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let claimed = claim(world, task, 77)?;
    let ran = begun(world, 99)?;
    for _ in 0..2 {
        let lease = |live: Live, until| Lease {
            run: live.run,
            until: WallMs(until),
            executor: Some("one".into()),
        };
        let known = held_run(world, claimed.task)?;
        assert_eq!((known.state, known.lease), (State::Claimed, lease(claimed, 77)));
        assert_eq!((known.attempt, known.started_at), (0, None));
        let known = held_run(world, ran.task)?;
        assert_eq!((known.state, known.lease), (State::Running, lease(ran, 99)));
        assert_eq!((known.attempt, known.started_at.is_some()), (1, true));
        world.crash()?;
    }
    Ok(())
}

/// What is known of a run that an executor has.
fn held_run(world: &mut World, task: Task) -> Result<OutsideRun> {
    run_of(world, task)?.ok_or_else(|| Error::bug("no executor has the task"))
}

/// I-4.
pub(super) fn a_run_of_an_executor_is_renewed_and_ends_its_lease_with_it(
    world: &mut World,
) -> Result<()> {
    let live = begun(world, 50)?;
    let before = world.get(live.task)?.version;
    world.turn(vec![renewing(live, 70)])?;
    assert_eq!((before, world.get(live.task)?.version), (3, 4), "whatever was heard is a change");
    let until = run_of(world, live.task)?.map(|run| run.lease.until);
    assert_eq!(until, Some(WallMs(70)));
    let end = world.ending(live, done());
    let touch = touching(world, live.task.seq);
    world.turn(vec![end, touch])?;
    assert_eq!((run_of(world, live.task)?, world.get(live.task)?.version), (None, 5));
    world.assert_fenced(vec![renewing(live, 90)]);
    assert_eq!(world.get(live.task)?.version, 5);
    let live = begun(world, 50)?;
    let failing = world.failing(live, 1, None);
    let touch = touching(world, live.task.seq);
    world.turn(vec![failing, touch])?;
    assert_eq!((world.get(live.task)?.state, run_of(world, live.task)?), (State::Ready, None));
    let again = claim(world, live.task, 9)?;
    let known = held_run(world, again.task)?;
    let tally = Tally { attempt: known.attempt, failures: known.failures, losses: 0 };
    assert_eq!(tally, Tally { attempt: 1, failures: 1, losses: 0 });
    Ok(())
}

/// I-5, I-6.
pub(super) fn what_executors_have_counts_as_runs_of_others_and_is_no_orphan(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let claimed = claim(world, task, 9)?;
    let ran = begun(world, 9)?;
    for _ in 0..2 {
        let lane = claimed.task.lane;
        assert_eq!(world.inside(|store| store.remote_runs())?, [(lane, 2)]);
        let live = |live: Live| LiveRun { seq: live.task.seq, lane };
        assert_eq!(world.inside(|store| store.live_runs())?, [live(claimed), live(ran)]);
        assert!(world.inside(|store| store.orphans())?.is_empty());
        world.crash()?;
    }
    Ok(())
}

pub(super) fn leases_come_by_their_ends(world: &mut World) -> Result<()> {
    assert!(world.inside(|store| store.leased())?.is_empty());
    let mut claims = Vec::new();
    for until in [30, 10, 20] {
        let task = world.add(read())?;
        claims.push(claim(world, task, until)?);
    }
    let [one, two, three] = [0, 1, 2].map(|at: usize| claims[at].task.seq);
    assert_eq!(world.inside(|store| store.leased())?, [two, three, one]);
    let asked = [one, Seq(99), two];
    let found = world.inside(|store| store.outside_runs(&asked))?;
    let found: Vec<_> = found.into_iter().map(|run| run.map(|run| run.seq)).collect();
    assert_eq!(found, [Some(one), None, Some(two)], "one answer for each");
    Ok(())
}

/// I-4.
pub(super) fn nothing_of_a_claim_under_another_run_is_written(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let live = claim(world, task, 9)?;
    let other = Live { run: world.run_id(), ..live };
    let changes = [
        beginning(world, other, 99),
        unclaiming(world, other),
        renewing(other, 99),
        // It has not begun.
        renewing(live, 99),
        world.ending(live, done()),
    ];
    let before = run_of(world, task)?;
    for change in changes {
        world.assert_fenced(vec![change]);
    }
    assert_eq!(run_of(world, task)?, before);
    Ok(())
}

/// I-20.
pub(super) fn what_was_claimed_goes_with_its_task(world: &mut World) -> Result<()> {
    let live = begun(world, 9)?;
    let end = world.ending(live, done());
    let touch = touching(world, live.task.seq);
    world.turn(vec![end, touch])?;
    let purge = world.purging(live.task);
    world.turn(vec![purge])?;
    assert_eq!(run_of(world, live.task)?, None);
    assert!(world.inside(|store| store.leased())?.is_empty());
    Ok(())
}
