//! What waits for what: blocked tasks, and who is found when one ends.

use tasker_core::dependency::{Dependencies, OnFailure};
use tasker_core::error::Result;
use tasker_core::id::{LaneId, Seq};
use tasker_core::journal;
use tasker_core::state::State;
use tasker_core::store::{Change, Wait};
use tasker_core::task::{NewTask, TaskOptions};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::transition::TransitionKind;

use super::world::{Task, World, aborted, done, read, with_priority};

fn dependents(world: &mut World, of: &[Task]) -> Result<Vec<(u64, u64)>> {
    let seqs: Vec<Seq> = of.iter().map(|task| task.seq).collect();
    let waits = world.inside(|store| store.dependents(&seqs, usize::MAX, usize::MAX))?;
    Ok(waits.iter().map(|wait| (wait.dependency.0, wait.dependent.0)).collect())
}

fn open(world: &mut World, task: Task) -> Result<usize> {
    world.inside(|store| Ok(store.open_dependencies(&[(task.seq, 9)])?[0]))
}

fn met(dependency: Task, dependents: std::ops::RangeInclusive<u64>) -> Change {
    let dependents = Seq(*dependents.start())..=Seq(*dependents.end());
    Change::Met { dependency: dependency.seq, dependents }
}

pub(super) fn a_blocked_task_waits_and_is_no_part_of_the_queue(world: &mut World) -> Result<()> {
    let dependency = world.add(read())?;
    let task = world.add_blocked(read(), &[dependency])?;
    let stored = world.get(task)?;
    assert_eq!((stored.state, stored.attempt), (State::Blocked, 0));
    assert_eq!(world.queue()?, [dependency.seq.0]);
    assert_eq!(world.find(r#"{"state":"blocked","status":"new"}"#, None)?, [task.seq.0]);
    assert_eq!(world.find("{}", None)?, [1, 2], "in the order of the queue all the same");
    let (_, start) = world.starting(task, 1);
    world.assert_fenced(vec![start]);
    let due = world.becoming_due(task);
    world.assert_fenced(vec![due]);
    Ok(())
}

pub(super) fn those_who_wait_are_found_by_what_they_wait_for(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(), read(), read()])?;
    for _ in 0..3 {
        world.add_blocked(read(), &on[..2])?;
    }
    assert_eq!(dependents(world, &on)?, [(1, 4), (1, 5), (1, 6), (2, 4), (2, 5), (2, 6)]);
    assert_eq!(dependents(world, &[on[2]])?, []);
    let seqs = [on[1].seq, on[0].seq];
    let look = |world: &mut World, each_max, max| {
        let waits = world.inside(|store| store.dependents(&seqs, each_max, max))?;
        Ok::<_, tasker_core::error::Error>(waits)
    };
    let wait =
        |dependency, dependent| Wait { dependency: Seq(dependency), dependent: Seq(dependent) };
    assert_eq!(look(world, 2, 3)?, [wait(2, 4), wait(2, 5), wait(1, 4)]);
    assert_eq!(look(world, 9, 2)?, [wait(2, 4), wait(2, 5)]);
    Ok(())
}

pub(super) fn what_is_met_is_waited_for_no_more(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(), read()])?;
    for _ in 0..3 {
        world.add_blocked(read(), &on)?;
    }
    world.turn(vec![met(on[0], 4..=9)])?;
    assert_eq!(dependents(world, &on)?, [(1, 3), (2, 3), (2, 4), (2, 5)]);
    world.turn(vec![met(on[0], 3..=3), met(on[0], 3..=3)])?;
    assert_eq!(dependents(world, &on[..1])?, []);
    Ok(())
}

pub(super) fn open_dependencies_are_counted_up_to_a_bound(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(), read(), read()])?;
    let task = world.add_blocked(read(), &on)?;
    let asked = [(task.seq, 9), (task.seq, 2), (on[0].seq, 9), (Seq(77), 9)];
    let count = world.inside(|store| store.open_dependencies(&asked))?;
    assert_eq!(count, [3, 2, 0, 0]);
    world.turn(vec![met(on[1], 4..=4)])?;
    assert_eq!(open(world, task)?, 2);
    Ok(())
}

pub(super) fn an_unblocked_task_takes_its_place_in_the_queue(world: &mut World) -> Result<()> {
    let on = world.running()?;
    let early = world.add_blocked(read(), &[on.task])?;
    let urgent = world.add_blocked(with_priority(2.0)?, &[on.task])?;
    let ready = world.add(read())?;
    let end = world.ending(on, done());
    let changes = vec![end, met(on.task, 2..=3), world.unblocking(early), world.unblocking(urgent)];
    world.turn(changes)?;
    assert_eq!(world.queue()?, [urgent, early, ready].map(|task| task.seq.0));
    let again = world.unblocking(early);
    world.assert_fenced(vec![again]);
    world.start(early)?;
    Ok(())
}

pub(super) fn a_blocked_task_may_be_delayed_prioritized_and_aborted(
    world: &mut World,
) -> Result<()> {
    let on = world.add(read())?;
    let tasks = [(); 3].map(|()| world.add_blocked(read(), &[on]));
    let [later, other, third] = tasks;
    let (later, other, third) = (later?, other?, third?);
    let delay = world.delaying(later, 70);
    world.turn(vec![met(on, 2..=2), delay])?;
    let stored = world.get(later)?;
    assert_eq!((stored.state, stored.def.options.run_at()), (State::Delayed, Some(WallMs(70))));
    let timers = world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, 9))?;
    assert_eq!(timers, [Timer { at: WallMs(70), kind: TimerKind::Due, seq: later.seq }]);

    let mut change = world.prioritizing(other, 7.0)?;
    world.assert_fenced(vec![change.clone()]);
    if let Change::Prioritize { is_queued, .. } = &mut change {
        *is_queued = false;
    }
    world.turn(vec![change])?;
    assert_eq!(world.get(other)?.def.priority.get(), 7.0);

    let abort = world.aborting(third);
    world.turn(vec![abort, Change::LetGo { seq: third.seq }])?;
    assert_eq!(world.get(third)?.outcome, Some(aborted()));
    assert_eq!(dependents(world, &[on])?, [(1, 3)]);
    Ok(())
}

pub(super) fn who_has_let_go_waits_for_nothing(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(), read()])?;
    let task = world.add_blocked(read(), &on)?;
    let other = world.add_blocked(read(), &on)?;
    let abort = world.aborting(task);
    world.turn(vec![met(on[0], 3..=3), abort, Change::LetGo { seq: task.seq }])?;
    assert_eq!((open(world, task)?, open(world, other)?), (0, 2));
    world.turn(vec![Change::LetGo { seq: task.seq }])?;
    Ok(())
}

/// I-17.
pub(super) fn a_task_may_depend_on_a_thousand(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(); 1_000])?;
    let task = world.add_blocked(read(), &on)?;
    let all = world.get(task)?.def.options.depends_on.clone();
    assert_eq!(all.map(|all| all.on.len()), Some(1_000));
    world.turn(on.iter().skip(1).map(|one| met(*one, 1_001..=1_001)).collect())?;
    assert_eq!(open(world, task)?, 1);
    Ok(())
}

/// I-12: a process that finds it in the journal looks for it.
pub(super) fn a_timer_of_an_ended_task_is_found_and_told_of(world: &mut World) -> Result<()> {
    let live = world.running()?;
    world.end(live, done())?;
    let timer = Timer { at: WallMs::FIRST, kind: TimerKind::Unblock, seq: live.task.seq };
    let set = Change::Timer { timer, lane: live.lane };
    world.turn(vec![set.clone(), set])?;
    let after = world.number() - 1;
    let found = world.inside(|store| {
        let timers = store.timers(WallMs::FIRST..=WallMs::FIRST, 9)?;
        let told = journal::unpack(&store.journal(after, 1)?[0].transitions)
            .map(|step| step.map(|step| (step.seq, step.lane, step.kind)))
            .collect::<Result<Vec<_>>>()?;
        Ok((timers, told))
    })?;
    let step: (Seq, LaneId, _) = (Seq(0), live.lane, TransitionKind::Timer);
    assert_eq!(found, (vec![timer], vec![step; 2]));
    world.turn(vec![Change::Fired(timer)])?;
    assert_eq!(world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, 9))?, []);
    Ok(())
}

pub(super) fn states_are_looked_up_by_number(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let blocked = world.add_blocked(read(), &[live.task])?;
    let asked = [blocked.seq, Seq(1 << 40), live.task.seq];
    let states = world.inside(|store| store.states(&asked))?;
    let expected = [Some((blocked.id, State::Blocked)), None, Some((live.task.id, State::Running))];
    assert_eq!(states, expected);
    Ok(())
}

pub(super) fn the_failure_of_a_dependency_means_what_its_dependent_says(
    world: &mut World,
) -> Result<()> {
    let on = world.add(read())?;
    for on_failure in OnFailure::ALL.iter().copied() {
        let all = Dependencies { on: Vec::new(), on_failure, is_list: false };
        let options = TaskOptions { depends_on: Some(all.into()), ..TaskOptions::default() };
        let def = NewTask { options: options.into(), ..read() };
        let task = world.add_blocked(def, &[on])?;
        let brief = world.brief(task.seq)?;
        assert_eq!(brief.and_then(|brief| brief.on_failure), Some(on_failure));
    }
    assert_eq!(world.brief(on.seq)?.and_then(|brief| brief.on_failure), None);
    Ok(())
}

pub(super) fn queries_know_dependencies_and_parents(world: &mut World) -> Result<()> {
    let on = world.add(read())?;
    let parent = on.id;
    let options = TaskOptions { parent: Some(parent), ..TaskOptions::default() };
    world.add_blocked(NewTask { options: options.into(), ..read() }, &[on])?;
    let uuid = parent.0;
    for (query, count) in [
        (format!(r#"{{"dependsOn.uuids":"{uuid}"}}"#), 1),
        (format!(r#"{{"parent":"{uuid}","state":"blocked"}}"#), 1),
        (r#"{"dependsOn.onFailure":"abort"}"#.to_owned(), 1),
        (r#"{"dependsOn":{"$exists":false},"parent":null}"#.to_owned(), 1),
    ] {
        assert_eq!(world.count(&query)?, count, "{query}");
    }
    Ok(())
}

/// I-1.
pub(super) fn dependencies_survive_a_crash(world: &mut World) -> Result<()> {
    let on = world.add_many(vec![read(), read()])?;
    let task = world.add_blocked(read(), &on)?;
    world.turn(vec![met(on[0], 3..=3)])?;
    let before = world.get(task)?;
    world.crash()?;
    assert_eq!((world.get(task)?, open(world, task)?), (before, 1));
    assert_eq!(dependents(world, &on)?, [(2, 3)]);
    let changes = vec![met(on[1], 3..=3), world.unblocking(task)];
    world.turn(changes)
}
