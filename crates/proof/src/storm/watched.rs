//! What watches of all tasks tell, put together over all kills.
//!
//! The watch of each worker goes on behind the last change that the parent has heard of. So all of
//! them together tell each change, and two that tell the same one tell the same of it.

use tasker_core::error::{Error, Result};
use tasker_core::id::{IdKey, TaskId};
use tasker_core::query::{Projection, Query, Value};
use tasker_core::reader::Reader;
use tasker_core::state::State;
use tasker_core::watch::{From, Position, WatchFilter, Watches};

/// Where a change stands: its commit, and its step there.
pub(super) type Place = (u64, u32);

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Entered,
    Changed,
    Ended,
    Left,
    Removed,
}

impl Change {
    const ALL: [(Change, &'static str); 5] = [
        (Change::Entered, "entered"),
        (Change::Changed, "changed"),
        (Change::Ended, "ended"),
        (Change::Left, "left"),
        (Change::Removed, "removed"),
    ];

    pub(super) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(change, _)| *change == self).map_or("", |(_, text)| text)
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == text).map(|(change, _)| *change)
    }
}

/// A change of a task, and its state by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: TaskId,
    pub(super) change: Change,
    pub(super) state: State,
}

/// All tasks, and no more of them than must be.
pub(super) fn filter() -> Result<WatchFilter> {
    let fields = Some(Projection::parse(r#"["seq"]"#)?);
    Ok(WatchFilter { query: Query::all(), fields })
}

/// Behind the last change that was told; without one, behind nothing.
pub(super) fn behind(last: Option<Place>) -> Position {
    let (batch, step) = last.unzip();
    Position { step, ..Position::behind(batch.unwrap_or(0)) }
}

/// The changes of an answer, and whether it tells a gap instead.
pub(super) fn changes(text: &str) -> Result<(Vec<(Place, Told)>, bool)> {
    let Value::Array(entries) = Value::from_json(text)? else {
        return Err(Error::bug(format!("a watch has told {text}")));
    };
    let is_gap = |entry: &Value| matches!(entry, Value::Array(members) if members.len() == 2);
    if entries.iter().any(is_gap) {
        return Ok((Vec::new(), true));
    }
    let read = |entry| change(entry).ok_or_else(|| Error::bug(format!("a watch told {entry:?}")));
    Ok((entries.iter().map(read).collect::<Result<_>>()?, false))
}

fn change(entry: &Value) -> Option<(Place, Told)> {
    let Value::Array(members) = entry else { return None };
    let text = |at: usize| match members.get(at) {
        Some(Value::String(text)) => Some(&**text),
        _ => None,
    };
    let Position { batch, step, .. } = Position::parse(text(0)?).ok()?;
    let (id, change) = (TaskId(text(2)?.parse().ok()?), Change::read(text(4)?)?);
    let state = State::ALL.iter().find(|state| Some(state.as_str()) == text(6))?;
    Some(((batch, step?), Told { id, change, state: *state }))
}

/// Hears what is left to tell behind a change, when nobody works any more.
pub(super) fn rest(
    reader: &mut dyn Reader,
    key: IdKey,
    last: Option<Place>,
) -> Result<(Vec<(Place, Told)>, bool)> {
    let (mut watches, mut all) = (Watches::new(key), Vec::new());
    watches.add(1, filter()?, From::Position(behind(last)));
    watches.ask(1, 1);
    while watches.has_work(0) {
        reader.changes(&mut |look| watches.look(look))?;
        for (by, text) in watches.take_told() {
            let (more, is_gap) = changes(&text?)?;
            if is_gap {
                return Ok((all, true));
            }
            all.extend(more);
            watches.ask(1, by);
        }
    }
    Ok((all, false))
}
