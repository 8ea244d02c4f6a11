//! What a worker tells its parent, one line for each thing, so that what it told survives it.

use std::fmt;
use std::str::FromStr;

use tasker_core::id::TaskId;
use tasker_core::state::State;
use uuid::Uuid;

use super::watched::{Change, Place, Told};

/// The name that a worker gives a task before the engine does: its own number and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) worker: u32,
    pub(super) n: u32,
}

/// One thing to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line {
    /// The store is open.
    Ready,
    /// The tasks from this key on, so many, are about to be added.
    Try(Key, u32),
    /// An add was acknowledged.
    Added(Key, TaskId),
    /// An add found this task, which had its unique key.
    Earlier(TaskId),
    /// An end was told; it is on disk.
    Ended(TaskId, State),
    /// A task is about to get another priority.
    TryPriority(TaskId, f64),
    /// A priority was acknowledged.
    Prioritized(TaskId, f64),
    /// A run was told that it was replaced: a stop did not wait for it any longer.
    Fenced(TaskId),
    /// A task is about to be run again by hand, if it has ended.
    TryRetry(TaskId),
    /// A task is about to be removed, if it has ended.
    TryRemove(TaskId),
    /// An abort was acknowledged.
    Aborted(TaskId),
    /// A watch was answered: its task has ended so, whoever ran it.
    Seen(TaskId, State),
    /// A watch of all tasks has told a change.
    Changed(Place, Told),
    /// That watch was told that it has missed changes.
    Gap,
    /// An add was answered after so many milliseconds, longer than any before.
    Waited(u64),
    /// So many tasks have one call of their runner.
    Together(u32),
    /// A wait until nothing is left to do was answered.
    Rests,
    /// What the engine has counted is what it has told.
    Figures,
    /// So many tasks of the operation in this place are in this state, in the end.
    Stand(usize, State, u64),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.worker, self.n)
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (worker, n) = text.split_once('.').ok_or(())?;
        Ok(Key { worker: worker.parse().map_err(drop)?, n: n.parse().map_err(drop)? })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Ready => writeln!(f, "READY"),
            Line::Try(key, count) => writeln!(f, "TRY {key} {count}"),
            Line::Added(key, id) => writeln!(f, "ACK {key} {}", id.0),
            Line::Earlier(id) => writeln!(f, "EARLIER {}", id.0),
            Line::Ended(id, state) => writeln!(f, "END {} {}", id.0, state.code()),
            Line::TryPriority(id, to) => writeln!(f, "TRYP {} {to}", id.0),
            Line::Prioritized(id, to) => writeln!(f, "ACKP {} {to}", id.0),
            Line::Fenced(id) => writeln!(f, "FENCED {}", id.0),
            Line::TryRetry(id) => writeln!(f, "TRYR {}", id.0),
            Line::TryRemove(id) => writeln!(f, "TRYX {}", id.0),
            Line::Aborted(id) => writeln!(f, "ABORTED {}", id.0),
            Line::Seen(id, state) => writeln!(f, "SEEN {} {}", id.0, state.code()),
            Line::Changed((batch, step), Told { id, change, state }) => {
                let (change, code) = (change.as_str(), state.code());
                writeln!(f, "CHANGED {batch} {step} {} {change} {code}", id.0)
            }
            Line::Gap => writeln!(f, "GAP"),
            Line::Waited(ms) => writeln!(f, "WAITED {ms} ms"),
            Line::Together(runs) => writeln!(f, "TOGETHER {runs} runs"),
            Line::Rests => writeln!(f, "RESTS"),
            Line::Figures => writeln!(f, "FIGURES"),
            Line::Stand(place, state, count) => {
                writeln!(f, "STAND {place} {} {count} tasks", state.code())
            }
        }
    }
}

impl Line {
    /// The thing that a line tells; nothing for a line that was cut off.
    pub(super) fn read(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split(' ').collect();
        let id = |text: &str| Uuid::parse_str(text).ok().map(TaskId);
        let state = |code: &str| State::from_code(code.parse().ok()?);
        Some(match *words.as_slice() {
            ["READY"] => Line::Ready,
            ["TRY", key, count] => Line::Try(key.parse().ok()?, count.parse().ok()?),
            ["ACK", key, uuid] => Line::Added(key.parse().ok()?, id(uuid)?),
            ["EARLIER", uuid] => Line::Earlier(id(uuid)?),
            ["END", uuid, code] => Line::Ended(id(uuid)?, state(code)?),
            ["TRYP", uuid, to] => Line::TryPriority(id(uuid)?, to.parse().ok()?),
            ["ACKP", uuid, to] => Line::Prioritized(id(uuid)?, to.parse().ok()?),
            ["FENCED", uuid] => Line::Fenced(id(uuid)?),
            ["TRYR", uuid] => Line::TryRetry(id(uuid)?),
            ["TRYX", uuid] => Line::TryRemove(id(uuid)?),
            ["ABORTED", uuid] => Line::Aborted(id(uuid)?),
            ["SEEN", uuid, code] => Line::Seen(id(uuid)?, state(code)?),
            ["CHANGED", batch, step, uuid, change, code] => {
                let (change, state) = (Change::read(change)?, state(code)?);
                let place = (batch.parse().ok()?, step.parse().ok()?);
                Line::Changed(place, Told { id: id(uuid)?, change, state })
            }
            ["GAP"] => Line::Gap,
            ["WAITED", ms, "ms"] => Line::Waited(ms.parse().ok()?),
            ["TOGETHER", runs, "runs"] => Line::Together(runs.parse().ok()?),
            ["RESTS"] => Line::Rests,
            ["FIGURES"] => Line::Figures,
            ["STAND", place, code, count, "tasks"] => {
                Line::Stand(place.parse().ok()?, state(code)?, count.parse().ok()?)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_comes_back() {
        let (key, id) = (Key { worker: 3, n: 14 }, TaskId(Uuid::from_u128(7)));
        let told = Told { id, change: Change::Ended, state: State::Done };
        let lines = [
            Line::Ready,
            Line::Try(key, 9),
            Line::Added(key, id),
            Line::Earlier(id),
            Line::Ended(id, State::Failed),
            Line::TryPriority(id, f64::NEG_INFINITY),
            Line::Prioritized(id, 0.1),
            Line::Fenced(id),
            Line::TryRetry(id),
            Line::TryRemove(id),
            Line::Aborted(id),
            Line::Seen(id, State::Aborted),
            Line::Changed((12, 3), told),
            Line::Gap,
            Line::Waited(512),
            Line::Together(4),
            Line::Rests,
            Line::Figures,
            Line::Stand(4, State::Done, 12),
        ];
        for line in lines {
            assert_eq!(Line::read(line.to_string().trim_end()), Some(line));
        }
        assert_eq!(Line::read("ACK 3.14 0000"), None);
    }
}
