//! One watch: which tasks it has told, and what a step means to it.

use crate::error::Result;
use crate::id::Seq;
use crate::query::{Fields, Projection, Query};
use crate::task::TaskRecord;
use crate::time::WallMs;

use super::document::{self, TOLD};
use super::filter::WatchFilter;
use super::index::Index;
use super::look::Look;
use super::members::Members;
use super::page::{Change, Entry, Page};
use super::position::Position;
use super::snapshot::Snapshot;
use super::step::Standing;

/// A watch.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) query: Query,
    fields: Option<Projection>,
    /// Which steps may concern it, while it reads alone.
    pub(super) alone: Index,
    /// Whether the journal tells all that the query looks at.
    is_told: bool,
    /// Those that match, if the journal does not tell.
    members: Members,
    /// Those that have been judged, if it does not know of the others whether it has told them.
    judged: Option<Members>,
    /// Those that have left, and were gone before that could be told: their removal is.
    unheard: Members,
    /// The last commit of which those may know who read up to its position: when it was looked at
    /// for the first time. What left before, and could not be told, was removed by then.
    pub(super) known_until: Option<u64>,
    /// Where it stands.
    pub(super) position: Position,
    /// The tasks that match when it begins, as far as they are still to be told.
    pub(super) snapshot: Option<Snapshot>,
    /// What it will be told.
    pub(super) page: Page,
    /// Who waits for that.
    pub(super) asked: Option<u64>,
}

impl Watch {
    /// One that goes on from a position, or tells first what matches.
    pub(super) fn new(filter: WatchFilter, from: Option<Position>) -> Self {
        let WatchFilter { query, fields } = filter;
        let is_told = query.fields().and(TOLD) == TOLD;
        let begins = Position { batch: 0, step: None, told: Some(Seq(0)) };
        Self {
            query,
            fields,
            alone: Index::default(),
            is_told,
            members: Members::default(),
            judged: from.map(|_| Members::default()),
            unheard: Members::default(),
            known_until: from.is_none().then_some(0),
            position: from.unwrap_or(begins),
            snapshot: None,
            page: Page::default(),
            asked: None,
        }
    }

    /// Which fields of a task it looks at.
    pub(super) fn looks_at(&self) -> Fields {
        self.query.fields()
    }

    /// Begins anew: what it has told counts for nothing.
    pub(super) fn begin_anew(&mut self, batch: u64) {
        self.members.clear();
        self.unheard.clear();
        self.judged = None;
        self.known_until = Some(0);
        self.snapshot = None;
        self.position = Position { batch, step: None, told: Some(Seq(0)) };
    }

    /// A step of a task that it has told, or would have. It stands behind it then.
    pub(super) fn take(
        &mut self,
        look: &mut Look<'_>,
        position: Position,
        at: WallMs,
    ) -> Result<()> {
        self.position = position;
        let Some(change) = self.judge(look)? else { return Ok(()) };
        let Some(standing) = look.step.after.or(look.step.before) else { return Ok(()) };
        let task = look.task()?;
        let id = task.as_ref().map(|task| task.id).or(look.step.id);
        // Of one that is gone before anybody looked not even the uuid is known, until its removal.
        let Some(id) = id else {
            if change == Change::Left {
                self.unheard.insert(look.step.seq);
            }
            return Ok(());
        };
        let operation = &look.operation.clone();
        let task = task.as_deref();
        let entry = Entry { position, at, id, operation, change, standing, task };
        self.page.push(&entry, self.fields.as_ref())
    }

    /// Whether a task matches as it is now.
    pub(super) fn matches_now(&self, task: &TaskRecord) -> Result<bool> {
        let standing = standing_of(task);
        Ok(self.query.matches(&document::at(task, self.query.fields(), &standing)?))
    }

    /// A task of the snapshot that matches, as it is now.
    pub(super) fn enter(
        &mut self,
        task: &TaskRecord,
        position: Position,
        at: WallMs,
    ) -> Result<()> {
        self.position = position;
        let standing = standing_of(task);
        if !self.is_told {
            self.members.insert(task.seq);
        }
        let (id, operation, change) = (task.id, &task.def.operation, Change::Entered);
        let task = Some(task);
        let entry = Entry { position, at, id, operation, change, standing, task };
        self.page.push(&entry, self.fields.as_ref())
    }

    /// What a step means to it.
    fn judge(&mut self, look: &mut Look<'_>) -> Result<Option<Change>> {
        let step = *look.step;
        let may_judge = self.is_told || look.task()?.is_some();
        let is_removal = step.after.is_none();
        let did_match = match step.before {
            None => false,
            Some(_) if is_removal && self.unheard.has(step.seq) => {
                self.unheard.remove(step.seq);
                true
            }
            Some(_) if self.is_told && is_removal && self.may_be_unheard() => true,
            Some(_) if self.is_told => look.matched(&self.query)?,
            Some(_) if self.knows(step.seq) => self.members.has(step.seq),
            Some(_) if may_judge => look.matched(&self.query)?,
            // It may have told it before: who went on from a position must hear that it is gone.
            Some(_) => is_removal,
        };
        let matches = match step.after {
            None => false,
            Some(_) if may_judge => look.matches(&self.query)?,
            Some(_) => did_match,
        };
        if !self.is_told {
            self.remember(step.seq, matches);
        }
        Ok(match (did_match, matches) {
            (false, false) => None,
            (false, true) => Some(Change::Entered),
            (true, true) if step.is_end() => Some(Change::Ended),
            (true, true) => Some(Change::Changed),
            (true, false) if step.after.is_none() => Some(Change::Removed),
            (true, false) => Some(Change::Left),
        })
    }

    /// Whether a task may have left before the position from which it goes on, and nobody could
    /// tell that.
    fn may_be_unheard(&self) -> bool {
        self.known_until.is_some_and(|known_until| self.position.batch <= known_until)
    }

    fn knows(&self, seq: Seq) -> bool {
        self.judged.as_ref().is_none_or(|judged| judged.has(seq))
    }

    fn remember(&mut self, seq: Seq, matches: bool) {
        if matches {
            self.members.insert(seq);
        } else {
            self.members.remove(seq);
        }
        if let Some(judged) = &mut self.judged {
            judged.insert(seq);
        }
    }
}

/// What a task is now.
fn standing_of(task: &TaskRecord) -> Standing {
    let priority = Some(task.def.priority);
    Standing { state: task.state, status: task.status(), priority }
}
