//! What those who watch tasks read: the journal with its notes, in one state of the store.

use tasker_core::changes::{Changes, Stand};
use tasker_core::error::{Error, Result};
use tasker_core::id::{OperationId, Seq};
use tasker_core::journal_notes::unpack;
use tasker_core::query::{Query, Value};
use tasker_core::state::State;
use tasker_core::store::{Change, Note};
use tasker_core::task::Priority;
use tasker_core::time::WallMs;
use tasker_core::transition::TransitionKind;
use tasker_core::watch::{From, Position, WatchFilter, WatchNo, Watches};

use super::world::{Handle, Live, Task, World, done, read, with_priority};

/// Looks at one state of the store.
fn look<T>(world: &mut World, look: impl FnOnce(&mut dyn Changes) -> Result<T>) -> Result<T> {
    let (mut look, mut seen) = (Some(look), None);
    world.reader()?.changes(&mut |changes| {
        seen = look.take().map(|look| look(changes)).transpose()?;
        Ok(())
    })?;
    seen.ok_or_else(|| Error::bug("nobody has looked"))
}

fn stand(world: &mut World) -> Result<Stand> {
    look(world, |changes| changes.stand())
}

fn note(task: Task, state: State) -> Note {
    Note { state, priority: Some(Priority::default()), id: Some(task.id) }
}

fn remove(world: &mut World, task: Task, state: State) -> Result<()> {
    let purge = world.purging(task);
    world.turn_noted(vec![purge], vec![note(task, state)])
}

pub(super) fn where_a_store_stands_is_its_last_commit(world: &mut World) -> Result<()> {
    assert_eq!(stand(world)?, Stand { number: 0, at: WallMs(0) });
    for _ in 0..3 {
        world.add(read())?;
        let expected = Stand { number: world.number(), at: world.now() };
        assert_eq!(stand(world)?, expected);
    }
    world.crash()?;
    assert_eq!(stand(world)?.number, 3);
    Ok(())
}

/// I-11
pub(super) fn each_commit_is_read_with_its_time_and_its_notes(world: &mut World) -> Result<()> {
    let task = world.add(with_priority(2.5)?)?;
    let live = world.start(task)?;
    world.end(live, done())?;
    let removed = Note { priority: Some(Priority::new(2.5)?), ..note(task, State::Done) };
    let purge = world.purging(task);
    world.turn_noted(vec![purge], vec![removed])?;
    world.crash()?;
    let batches = look(world, |changes| changes.batches(0, usize::MAX))?;
    let numbers: Vec<_> = batches.iter().map(|batch| batch.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(batches.last().map(|last| last.at), Some(world.now()));
    assert!(batches.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let steps = batches.iter().flat_map(|one| unpack(&one.transitions, one.notes.as_deref()));
    let steps = steps.collect::<Result<Vec<_>>>()?;
    let told = steps.into_iter().filter(|(step, _)| step.seq == task.seq);
    let told: Vec<_> = told.map(|(step, note)| (step.kind, note)).collect();
    let expected = [
        (TransitionKind::Add, None),
        (TransitionKind::Start, None),
        (TransitionKind::Done, None),
        (TransitionKind::Purge, Some(removed)),
    ];
    assert_eq!(told, expected);
    Ok(())
}

/// I-11
pub(super) fn commits_are_read_in_parts(world: &mut World) -> Result<()> {
    for _ in 0..5 {
        world.add(read())?;
    }
    let mut numbers = |after, max| -> Result<Vec<u64>> {
        let batches = look(world, |changes| changes.batches(after, max))?;
        Ok(batches.iter().map(|batch| batch.number).collect())
    };
    assert_eq!(numbers(1, 2)?, [2, 3]);
    assert_eq!(numbers(3, 9)?, [4, 5]);
    assert!(numbers(5, 9)?.is_empty());
    Ok(())
}

pub(super) fn a_task_and_its_operation_are_as_they_are_now(world: &mut World) -> Result<()> {
    let task = world.add(read())?;
    let live = world.start(task)?;
    let lost = world.losing(live, 1);
    world.turn(vec![lost])?;
    let live = world.start_attempt(task, 2)?;
    world.end(live, done())?;
    let (seq, operation) = (task.seq, task.lane.operation());
    let is = world.get(task)?;
    assert_eq!(is.attempts.len(), 2);
    let (found, name, nobody) = look(world, |changes| {
        let unknown = changes.operation(OperationId(operation.0 + 1))?;
        let nobody = (changes.task(Seq(seq.0 + 1))?, unknown);
        Ok((changes.task(seq)?, changes.operation(operation)?, nobody))
    })?;
    assert_eq!(found, Some(is));
    assert_eq!((name.as_deref(), nobody), (Some("read"), (None, None)));
    remove(world, task, State::Done)?;
    assert_eq!(look(world, |changes| changes.task(seq))?, None);
    Ok(())
}

/// The number of a watch, and which task it has told of, what happened and its state; of a gap
/// nothing.
type Told = (WatchNo, Option<[String; 3]>);

/// All that watches have to tell by now.
fn told(world: &mut World, watches: &mut Watches) -> Result<Vec<Told>> {
    let (mut all, last, numbers) = (Vec::new(), world.number(), watches.numbers());
    numbers.iter().for_each(|no| watches.ask(*no, *no));
    while watches.has_work(last) {
        let Handle { reader, .. } = world.handle()?;
        match watches.search(last) {
            Some(search) => {
                let step = reader.step(search)?;
                reader.rest(Some(search));
                watches.found(step);
            }
            None => reader.changes(&mut |changes| watches.look(changes))?,
        }
        for (no, text) in watches.take_told() {
            let Value::Array(entries) = Value::from_json(&text?)? else { continue };
            all.extend(entries.iter().map(|entry| (no, short(entry))));
            watches.ask(no, no);
        }
    }
    numbers.iter().for_each(|no| watches.give_up(*no));
    watches.take_told();
    Ok(all)
}

fn short(entry: &Value) -> Option<[String; 3]> {
    let Value::Array(members) = entry else { return None };
    let text = |at: usize| match members.get(at) {
        Some(Value::String(text)) => Some(text.to_string()),
        _ => None,
    };
    Some([text(2)?, text(4)?, text(6)?])
}

fn filter(query: &str) -> Result<WatchFilter> {
    Ok(WatchFilter { query: Query::parse(query)?, fields: None })
}

/// Watch 1.
fn watch(world: &mut World, query: &str, from: From) -> Result<Watches> {
    let mut watches = Watches::new(world.store()?.id_key());
    watches.add(1, filter(query)?, from);
    Ok(watches)
}

fn entry(no: WatchNo, task: Task, change: &str, state: &str) -> Told {
    (no, Some([task.id.0.to_string(), change.to_owned(), state.to_owned()]))
}

/// I-11
pub(super) fn a_watch_tells_what_matches_and_then_each_change(world: &mut World) -> Result<()> {
    let first = world.add(read())?;
    let mut watches = watch(world, "{}", From::Snapshot)?;
    assert_eq!(told(world, &mut watches)?, [entry(1, first, "entered", "ready")]);
    let live = world.start(first)?;
    let second = world.add(read())?;
    world.end(live, done())?;
    let expected = [
        entry(1, first, "changed", "running"),
        entry(1, second, "entered", "ready"),
        entry(1, first, "ended", "done"),
    ];
    assert_eq!(told(world, &mut watches)?, expected);
    remove(world, first, State::Done)?;
    assert_eq!(told(world, &mut watches)?, [entry(1, first, "removed", "done")]);
    assert!(told(world, &mut watches)?.is_empty());
    Ok(())
}

/// A change of one of several states is told with that which it was.
pub(super) fn a_note_says_what_a_task_was_before_a_change(world: &mut World) -> Result<()> {
    let task = world.add_delayed(read(), 1 << 50)?;
    let mut watches = watch(world, r#"{"state":"delayed","priority":3}"#, From::Snapshot)?;
    assert!(told(world, &mut watches)?.is_empty());
    let Task { seq, lane, .. } = task;
    for (from, to) in [(0.0, 3.0), (3.0, 3.0), (3.0, 1.0)] {
        let (from, to) = (Priority::new(from)?, Priority::new(to)?);
        let change = Change::Prioritize { seq, lane, from, to, is_queued: false };
        let note = Note { priority: Some(from), ..note(task, State::Delayed) };
        world.turn_noted(vec![change], vec![note])?;
    }
    let changes = ["entered", "changed", "left"];
    assert_eq!(told(world, &mut watches)?, changes.map(|one| entry(1, task, one, "delayed")));
    Ok(())
}

/// What left and was gone before that could be told is `removed`, also to who goes on behind that.
pub(super) fn who_goes_on_hears_of_a_task_whose_leaving_nobody_could_tell(
    world: &mut World,
) -> Result<()> {
    let query = r#"{"state":"ready"}"#;
    let (left, stays) = (world.add(read())?, world.add(read())?);
    let mut watches = watch(world, query, From::Snapshot)?;
    assert_eq!(told(world, &mut watches)?.len(), 2);
    let live = world.start(left)?;
    world.end(live, done())?;
    world.prioritize(stays, 1.0)?;
    let between = world.number();
    remove(world, left, State::Done)?;
    let changed = entry(1, stays, "changed", "ready");
    assert_eq!(told(world, &mut watches)?, [changed, entry(1, left, "removed", "done")]);
    watches.add(2, filter(query)?, From::Position(Position::behind(between)));
    assert_eq!(told(world, &mut watches)?, [entry(2, left, "removed", "done")]);
    let other = world.add_delayed(read(), 1 << 50)?;
    let abort = world.aborting(other);
    world.turn_noted(vec![abort], vec![note(other, State::Delayed)])?;
    remove(world, other, State::Aborted)?;
    assert!(!told(world, &mut watches)?.iter().any(|(no, _)| *no == 2), "it never matched");
    Ok(())
}

/// F-8: who comes too late is told so once, and then what is there.
pub(super) fn a_watch_behind_what_is_kept_tells_one_gap_and_what_matches(
    world: &mut World,
) -> Result<()> {
    let gone = world.running()?;
    let mut watches = watch(world, "{}", From::Snapshot)?;
    assert_eq!(told(world, &mut watches)?, [entry(1, gone.task, "entered", "running")]);
    watches.add(2, filter("{}")?, From::Position(Position::behind(world.number())));
    world.end(gone, done())?;
    remove(world, gone.task, State::Done)?;
    let live = world.running()?;
    for _ in 0..2_100 {
        world.turn(Vec::new())?;
    }
    world.trim()?;
    let oldest = look(world, |changes| changes.batches(0, 1))?;
    assert!(oldest.first().is_some_and(|oldest| oldest.number > 4), "the journal was trimmed");
    let all = told(world, &mut watches)?;
    for no in [1, 2] {
        let its: Vec<_> = all.iter().filter(|(by, _)| *by == no).cloned().collect();
        assert_eq!(its, [(no, None), entry(no, live.task, "entered", "running")]);
    }
    assert!(told(world, &mut watches)?.is_empty(), "one gap is enough");
    let end = world.ending(live, done());
    world.turn(vec![end])?;
    let expected = [1, 2].map(|no| entry(no, live.task, "ended", "done"));
    assert_eq!(told(world, &mut watches)?, expected);
    Ok(())
}

/// Those who have heard everything share what is read, and each hears its own.
pub(super) fn watches_hear_of_their_own_tasks(world: &mut World) -> Result<()> {
    let (one, two) = (world.running()?, world.running()?);
    let query = |live: Live| format!(r#"{{"uuid":"{}"}}"#, live.task.id.0);
    let mut watches = watch(world, &query(one), From::Snapshot)?;
    watches.add(2, filter(&query(two))?, From::Position(Position::behind(world.number())));
    assert_eq!(told(world, &mut watches)?, [entry(1, one.task, "entered", "running")]);
    let ends = vec![world.ending(one, done()), world.ending(two, done())];
    world.turn(ends)?;
    let expected = [entry(1, one.task, "ended", "done"), entry(2, two.task, "ended", "done")];
    assert_eq!(told(world, &mut watches)?, expected);
    Ok(())
}
