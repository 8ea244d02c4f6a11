//! What a watch is told at once: entries, as JSON.

use std::fmt::Write;
use std::sync::Arc;

use crate::document;
use crate::error::Result;
use crate::id::TaskId;
use crate::json::write_string;
use crate::limits::{PAGE_BYTES, READ_BYTES_MAX};
use crate::query::Projection;
use crate::read::Found;
use crate::task::{Priority, TaskRecord};
use crate::time::WallMs;

use super::position::Position;
use super::step::Standing;

/// Entries of one page.
const ENTRIES_MAX: usize = 1_000;

/// What happened to a task, as a watch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It matches, and did not.
    Entered,
    /// It matches, and something of it is another.
    Changed,
    /// It does not match any more.
    Left,
    /// It matches, and has ended by this.
    Ended,
    /// It matched, and was removed.
    Removed,
}

impl Change {
    const fn as_str(self) -> &'static str {
        match self {
            Change::Entered => "entered",
            Change::Changed => "changed",
            Change::Left => "left",
            Change::Ended => "ended",
            Change::Removed => "removed",
        }
    }
}

/// One entry.
pub(super) struct Entry<'e> {
    pub(super) position: Position,
    pub(super) at: WallMs,
    pub(super) id: TaskId,
    pub(super) operation: &'e Arc<str>,
    pub(super) change: Change,
    pub(super) standing: Standing,
    /// As it is now.
    pub(super) task: Option<&'e TaskRecord>,
}

/// Entries that have not been told.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    text: String,
    count: usize,
}

impl Page {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it must be told before another entry comes.
    pub(super) fn is_full(&self) -> bool {
        self.count >= ENTRIES_MAX || self.text.len() >= PAGE_BYTES
    }

    /// `[position, at, uuid, operation, change, status, state, priority, task]`
    pub(super) fn push(&mut self, entry: &Entry<'_>, fields: Option<&Projection>) -> Result<()> {
        let Entry { position, at, id, operation, change, standing, task } = entry;
        self.begin();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "[\"{position}\",{},\"{}\",", at.0, id.0);
        write_string(operation, &mut self.text);
        let (change, status, state) =
            (change.as_str(), standing.status.as_str(), standing.state.as_str());
        let _ = write!(self.text, ",\"{change}\",\"{status}\",\"{state}\",");
        let now = task.map(|task| task.def.priority);
        write_priority(standing.priority.or(now).unwrap_or_default(), &mut self.text);
        match task {
            None => self.text.push_str(",null]"),
            Some(task) => {
                self.text.push(',');
                let found = Found { task: (*task).clone(), logs: None };
                let bytes_max = self.text.len() + READ_BYTES_MAX;
                document::write_json(&found, fields, &mut self.text, bytes_max)?;
                self.text.push(']');
            }
        }
        Ok(())
    }

    /// `[position, at]`: commits before it are not known.
    pub(super) fn push_gap(&mut self, position: Position, at: WallMs) {
        self.begin();
        let _ = write!(self.text, "[\"{position}\",{}]", at.0);
    }

    fn begin(&mut self) {
        self.text.push(if self.count == 0 { '[' } else { ',' });
        self.count += 1;
    }

    /// All of it, as an array; nothing is left.
    pub(super) fn take(&mut self) -> String {
        self.count = 0;
        let mut text = std::mem::take(&mut self.text);
        text.push_str(if text.is_empty() { "[]" } else { "]" });
        text
    }
}

/// A priority in JSON, which has no infinities.
fn write_priority(priority: Priority, out: &mut String) {
    let number = priority.get();
    let _ = if number.is_finite() {
        write!(out, "{number}")
    } else {
        write!(out, "\"{}Infinity\"", if number < 0.0 { "-" } else { "" })
    };
}
