//! Tasks that are taken out and put back, and runs that halt at a checkpoint.

use tasker_core::error::Result;
use tasker_core::id::LaneId;
use tasker_core::journal::unpack;
use tasker_core::state::State;
use tasker_core::store::{Change, PauseWish};
use tasker_core::task::{NewTask, StartTime, TaskOptions};
use tasker_core::time::WallMs;
use tasker_core::timer::{Timer, TimerKind};
use tasker_core::transition::TransitionKind;

use super::progress::progressing;
use super::world::{Live, Task, World, aborted, done, json, read, with_priority};

impl World {
    /// The change that takes this waiting task out.
    pub(super) fn pausing(&mut self, task: Task) -> Change {
        let Task { seq, lane, .. } = task;
        let (priority, at) = (self.priority(task), self.tick());
        Change::Pause { seq, lane, priority, at }
    }

    /// The change that puts it back.
    pub(super) fn resuming(&self, task: Task) -> Change {
        let Task { seq, lane, .. } = task;
        Change::Resume { seq, lane, priority: self.priority(task) }
    }

    /// The change after which it waits for others still, and has this start time.
    pub(super) fn blocking(&self, task: Task, run_at: Option<i64>) -> Change {
        let Task { seq, lane, .. } = task;
        Change::Block { seq, lane, priority: self.priority(task), run_at: run_at.map(WallMs) }
    }

    /// What somebody who pauses or resumes a task wants of its run.
    pub(super) fn wishing(live: Live, wish: PauseWish) -> Change {
        let Live { task: Task { seq, .. }, lane, run, .. } = live;
        Change::RequestPause { seq, lane, run, wish }
    }

    /// The change by which a run halts.
    pub(super) fn halting(live: Live) -> Change {
        let Live { task: Task { seq, .. }, lane, run, .. } = live;
        Change::PauseRun { seq, lane, run }
    }

    /// The change by which a run goes on.
    pub(super) fn going_on(live: Live) -> Change {
        let Live { task: Task { seq, .. }, lane, run, .. } = live;
        Change::ResumeRun { seq, lane, run }
    }

    /// A task of operation `read` whose run has halted.
    pub(super) fn halted(&mut self) -> Result<Live> {
        let live = self.running()?;
        self.turn(vec![World::wishing(live, PauseWish::Halt), World::halting(live)])?;
        Ok(live)
    }

    /// What is wanted of a run, if somebody wants something.
    pub(super) fn wish(&mut self, live: Live) -> Result<Option<PauseWish>> {
        self.inside(|store| Ok(store.pause_wishes(&[(live.task.seq, live.run)])?.remove(0)))
    }
}

fn remote_runs(world: &mut World) -> Result<Vec<(LaneId, u32)>> {
    world.inside(|store| store.remote_runs())
}

pub(super) fn a_paused_task_has_left_the_queue_and_says_since_when(
    world: &mut World,
) -> Result<()> {
    let (first, second) = (world.add(read())?, world.add(read())?);
    let pausing = world.pausing(first);
    let at = world.tick();
    world.turn(vec![pausing])?;
    assert_eq!((world.get(first)?.state, world.queue()?), (State::Paused, vec![second.seq.0]));
    let brief = world.brief(first.seq)?.map(|brief| (brief.state, brief.run, brief.paused_at));
    assert_eq!(brief, Some((State::Paused, None, Some(WallMs(at.0 - 1)))));
    let (_, start) = world.starting(first, 1);
    world.assert_fenced(vec![start]);
    let resuming = world.resuming(first);
    world.turn(vec![resuming.clone()])?;
    assert_eq!(world.queue()?, [first.seq.0, second.seq.0], "it has its old place");
    assert_eq!(world.brief(first.seq)?.and_then(|brief| brief.paused_at), None);
    world.assert_fenced(vec![resuming]);
    let live = world.start(first)?;
    world.end(live, done())
}

/// What a task says is kept to the last byte.
pub(super) fn a_pause_keeps_what_a_task_says(world: &mut World) -> Result<()> {
    let id = Some(json("{ \"n\":1.0, \"x\":null }"));
    let start_time = Some(StartTime::At(WallMs(-7)));
    let options = TaskOptions { id, start_time, run_timeout_ms: Some(7), ..TaskOptions::default() };
    let task = world.add(NewTask { options: options.into(), ..read() })?;
    let before = world.get(task)?;
    let pausing = world.pausing(task);
    world.turn(vec![pausing])?;
    assert_eq!(world.get(task)?.def.options.start_time, start_time);
    let resuming = world.resuming(task);
    world.turn(vec![resuming])?;
    assert_eq!(world.get(task)?, before);
    Ok(())
}

/// A timer of a paused task fires for nothing; put back, it has another one.
pub(super) fn a_delayed_task_is_paused_and_delayed_again(world: &mut World) -> Result<()> {
    let task = world.add_delayed(read(), 50)?;
    let timer = |at| Timer { at: WallMs(at), kind: TimerKind::Due, seq: task.seq };
    let pausing = world.pausing(task);
    world.turn(vec![pausing, Change::Fired(timer(50))])?;
    let due = world.becoming_due(task);
    world.assert_fenced(vec![due]);
    let later = [world.resuming(task), world.delaying(task, 70)];
    world.turn(later.to_vec())?;
    let timers = world.inside(|store| store.timers(WallMs::FIRST..=WallMs::LAST, 9))?;
    assert_eq!(timers, [timer(70)]);
    let brief = world.brief(task.seq)?.map(|brief| (brief.state, brief.run_at, brief.has_delay));
    assert_eq!(brief, Some((State::Delayed, Some(WallMs(70)), true)));
    Ok(())
}

/// A moment that the caller named is no delay, however often it is waited for.
pub(super) fn a_moment_that_was_named_stays_one(world: &mut World) -> Result<()> {
    let task = world.add_delayed(read(), 50)?;
    let pausing = world.pausing(task);
    let again = [world.resuming(task), world.delaying(task, 50)];
    world.turn([vec![pausing], again.to_vec()].concat())?;
    let brief = world.brief(task.seq)?.map(|brief| (brief.run_at, brief.has_delay));
    assert_eq!(brief, Some((Some(WallMs(50)), false)));
    Ok(())
}

pub(super) fn a_paused_task_is_aborted_and_prioritized_where_it_is(
    world: &mut World,
) -> Result<()> {
    let task = world.add(read())?;
    let pausing = world.pausing(task);
    let mut up = world.prioritizing(task, 3.0)?;
    if let Change::Prioritize { is_queued, .. } = &mut up {
        *is_queued = false;
    }
    world.turn(vec![pausing, up])?;
    let waiting = world.add(with_priority(2.0)?)?;
    assert_eq!(world.find(r#"{"status":"new"}"#, None)?, [task.seq.0, waiting.seq.0]);
    let aborting = world.aborting(task);
    world.turn(vec![aborting])?;
    assert_eq!(world.get(task)?.state, State::Aborted);
    let (pausing, resuming) = (world.pausing(task), world.resuming(task));
    world.assert_fenced(vec![pausing]);
    world.assert_fenced(vec![resuming]);
    Ok(())
}

pub(super) fn a_wish_is_kept_with_its_run(world: &mut World) -> Result<()> {
    let live = world.running()?;
    assert_eq!((world.wish(live)?, world.get(live.task)?.is_pausing), (None, false));
    world.assert_fenced(vec![World::going_on(live)]);
    world.turn(vec![World::wishing(live, PauseWish::Halt)])?;
    assert_eq!(world.wish(live)?, Some(PauseWish::Halt));
    let record = world.get(live.task)?;
    assert_eq!((record.state, record.is_pausing), (State::Running, true));
    assert_eq!(world.find(r#"{"isPausing":true}"#, None)?, [live.task.seq.0]);
    let forged = Live { run: world.run_id(), ..live };
    assert_eq!(world.wish(forged)?, None);
    for change in [World::wishing(forged, PauseWish::Halt), World::halting(forged)] {
        world.assert_fenced(vec![change]);
    }
    world.turn(vec![World::going_on(live)])?;
    assert_eq!((world.wish(live)?, world.get(live.task)?.is_pausing), (None, false));
    world.end(live, done())
}

pub(super) fn a_run_that_has_halted_is_live_and_its_task_paused(world: &mut World) -> Result<()> {
    let live = world.halted()?;
    let record = world.get(live.task)?;
    assert_eq!(
        (record.state, record.is_pausing, record.has_halted()),
        (State::Paused, false, true)
    );
    assert_eq!(
        record.attempts.last().map(|attempt| (attempt.run, attempt.end)),
        Some((live.run, None))
    );
    let brief = world.brief(live.task.seq)?.map(|brief| (brief.state, brief.run, brief.paused_at));
    assert_eq!(brief, Some((State::Paused, Some(live.run), None)));
    let line = world.logging(live, 1, tasker_core::task::Level::Info);
    world.turn(vec![progressing(live, 2.0), line, World::asking_abort(live, "1")])?;
    assert!(world.abort_request(live)?.is_some());
    let (resuming, aborting) = (world.resuming(live.task), world.aborting(live.task));
    let over = [world.ending(live, done()), world.postponing(live), World::halting(live)];
    for change in [vec![resuming, aborting], over.to_vec()].concat() {
        world.assert_fenced(vec![change]);
    }
    let go_on = world.ending(live, done());
    world.turn(vec![World::going_on(live), go_on])?;
    assert_eq!((world.get(live.task)?.state, world.wish(live)?), (State::Done, None));
    Ok(())
}

/// I-6: it counts for its operation, wherever it is.
pub(super) fn a_run_that_has_halted_is_a_remote_run_of_others(world: &mut World) -> Result<()> {
    world.open_another()?;
    let live = world.halted()?;
    assert!(remote_runs(world)?.is_empty(), "it is ours");
    world.swap();
    assert_eq!(remote_runs(world)?, [(live.lane, 1)]);
    world.turn(vec![World::wishing(live, PauseWish::GoOn)])?;
    world.swap();
    assert!(world.has_news()?);
    assert_eq!(world.wish(live)?, Some(PauseWish::GoOn));
    let entries = world.inside(|store| store.journal(0, usize::MAX))?;
    let kinds = entries.iter().flat_map(|entry| unpack(&entry.transitions));
    let kinds = kinds.map(|transition| transition.map(|transition| transition.kind));
    let kinds: Vec<TransitionKind> = kinds.collect::<Result<_>>()?;
    let asked = TransitionKind::RequestPause;
    assert_eq!(kinds[kinds.len() - 3..], [asked, TransitionKind::PauseRun, asked]);
    Ok(())
}

/// I-5.
pub(super) fn a_run_that_has_halted_is_an_orphan_of_the_dead(world: &mut World) -> Result<()> {
    let (plain, asked, halted) = (world.running()?, world.running()?, world.halted()?);
    let freed = world.halted()?;
    let wishes = [World::wishing(asked, PauseWish::Halt), World::wishing(freed, PauseWish::GoOn)];
    world.turn(wishes.to_vec())?;
    world.crash()?;
    let orphans = world.orphans()?;
    let facts: Vec<_> =
        orphans.iter().map(|orphan| (orphan.run, orphan.wish, orphan.is_paused)).collect();
    assert_eq!(
        facts,
        [
            (plain.run, None, false),
            (asked.run, Some(PauseWish::Halt), false),
            (halted.run, Some(PauseWish::Halt), true),
            (freed.run, Some(PauseWish::GoOn), true),
        ]
    );
    assert_eq!(remote_runs(world)?, [(plain.lane, 4)]);
    let mut changes = Vec::new();
    for live in [plain, asked, halted, freed] {
        if live.run != plain.run {
            changes.push(World::going_on(live));
        }
        changes.push(world.losing(live, 1));
    }
    changes.push(world.pausing(halted.task));
    world.turn(changes)?;
    assert!(world.orphans()?.is_empty());
    assert!(remote_runs(world)?.is_empty());
    assert_eq!(world.get(halted.task)?.state, State::Paused);
    assert_eq!(world.find(r#"{"status":"new"}"#, None)?.len(), 4);
    Ok(())
}

/// What has started is listed and counted as running, halted or not.
pub(super) fn a_run_that_has_halted_is_listed_among_the_running(world: &mut World) -> Result<()> {
    let first = world.running()?;
    let halted = world.halted()?;
    let last = world.running()?;
    let (out, ready) = (world.add(read())?, world.add(read())?);
    let pausing = world.pausing(out);
    world.turn(vec![pausing])?;
    let numbers = |tasks: &[Task]| tasks.iter().map(|task| task.seq.0).collect::<Vec<_>>();
    let all = [out, ready, first.task, halted.task, last.task];
    assert_eq!(world.find("{}", None)?, numbers(&all));
    for (query, tasks) in [
        (r#"{"status":"running"}"#, &all[2..]),
        (r#"{"status":"new"}"#, &all[..2]),
        (r#"{"status":{"$ne":"new"}}"#, &all[2..]),
        (r#"{"status":{"$nin":["new","done"]}}"#, &all[2..]),
        (r#"{"state":"paused"}"#, &[out, halted.task]),
        (r#"{"state":"paused","status":"running"}"#, &[halted.task]),
        (r#"{"state":"paused","status":"new"}"#, &[out]),
        (r#"{"state":"paused","status":"done"}"#, &[]),
        (r#"{"operation":"read","status":"running"}"#, &all[2..]),
        (r#"{"operation":"read","status":"new"}"#, &all[..2]),
        (r#"{"operation":"read","state":"running"}"#, &[first.task, last.task]),
        (r#"{"operation":"read","state":"paused"}"#, &[out, halted.task]),
    ] {
        assert_eq!(world.find(query, None)?, numbers(tasks), "{query}");
        assert_eq!(world.count(query)?, tasks.len() as u64, "{query}");
    }
    let ended = world.ending(halted, aborted());
    world.turn(vec![World::going_on(halted), ended])?;
    assert_eq!(world.count(r#"{"status":"running"}"#)?, 2);
    Ok(())
}

/// What it waits for is looked at when it is put back: it is blocked again, and its start time may
/// be another one.
pub(super) fn a_blocked_task_is_paused_and_blocked_again(world: &mut World) -> Result<()> {
    let dependency = world.add(read())?;
    let task = world.add_blocked(read(), &[dependency])?;
    let pausing = world.pausing(task);
    world.turn(vec![pausing])?;
    let (unblocking, blocking) = (world.unblocking(task), world.blocking(task, None));
    world.assert_fenced(vec![unblocking]);
    world.assert_fenced(vec![blocking.clone()]);
    let back = [world.resuming(task), blocking];
    world.turn(back.to_vec())?;
    assert_eq!((world.get(task)?.state, world.queue()?), (State::Blocked, vec![1]));
    let open = world.inside(|store| store.open_dependencies(&[(task.seq, 9)]))?;
    assert_eq!(open, [1], "it waits for what it waited for");
    let pausing = world.pausing(task);
    let back = [world.resuming(task), world.blocking(task, Some(70))];
    world.turn([vec![pausing], back.to_vec()].concat())?;
    world.crash()?;
    let brief = world.brief(task.seq)?.map(|brief| (brief.state, brief.run_at, brief.has_delay));
    assert_eq!(brief, Some((State::Blocked, Some(WallMs(70)), true)));
    let unblocking = world.unblocking(task);
    world.turn(vec![unblocking])
}

/// I-1: whatever was asked of a run outlives its owner.
pub(super) fn a_run_may_be_halted_and_given_back(world: &mut World) -> Result<()> {
    let live = world.running()?;
    let asked = [World::asking_postpone(live, Some(9), "1"), World::wishing(live, PauseWish::Halt)];
    world.turn(asked.to_vec())?;
    world.turn(vec![World::halting(live)])?;
    assert!(world.postpone_request(live)?.is_some());
    world.assert_fenced(vec![World::asking_postpone(live, None, "2")]);
    world.crash()?;
    let orphans = world.orphans()?;
    let facts = orphans.into_iter().map(|it| (it.wish, it.is_paused, it.postponement.is_some()));
    assert_eq!(facts.collect::<Vec<_>>(), [(Some(PauseWish::Halt), true, true)]);
    let (given_back, pausing) = (world.postponing(live), world.pausing(live.task));
    world.turn(vec![World::going_on(live), given_back, pausing])?;
    assert_eq!((world.get(live.task)?.state, world.wish(live)?), (State::Paused, None));
    Ok(())
}
