//! The pages of a search, and which of their tasks match; it may be left lying in between.
//!
//! # Promises
//! - A search sees one snapshot as long as it is short; a long one goes on in a newer snapshot, so
//!   that the backend can clean up (F-16). A task is never found twice.
//! - A task that stands in two places of one snapshot is damage (F-14).
//!
//! # Left to others
//! Which tasks are looked at is decided by `candidates`; order, skip and limit are `top_k`'s.
//!
//! Proof: `conformance::reader`, `crates/sqlite/tests/read.rs`.

use std::vec::IntoIter;

use rustc_hash::FxHashSet;

use super::candidates::{Candidates, Narrowed, Needed, PageOrder};
use super::filter::Filter;
use super::indexed::Plan;
use super::load;
use super::pages::{Columns, Snapshot};
use crate::document;
use crate::error::{Code, Error, Result};
use crate::id::{IdKey, Seq};
use crate::index::IndexPath;
use crate::query::{Field, Fields, Projection, Query, Value};
use crate::range::Range;
use crate::read::{EVERY_SEQ, Find, Found, QueryExplanation, ReadBudget, Request, SearchedBy};
use crate::task::TaskRecord;

/// Rows after which a search goes on in a newer snapshot: some 25 to 60 ms on a file, and as many
/// times that as searches take turns.
const SNAPSHOT_ROWS: usize = 25_000;
/// Tasks that one step completes at most, and bytes of theirs after which it ends.
const COMPLETED_TASKS: usize = 256;
const COMPLETED_BYTES: usize = 1024 * 1024;
/// Fields whose text is wide; the rest of a task lies in a few bytes. The error of the last attempt
/// is that of the task.
const WIDE: &[Field] =
    &[Field::Data, Field::Result, Field::Error, Field::AbortReason, Field::Attempts];

/// What a search looks for and looks at.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'q> {
    query: &'q Query,
    /// The fields that the query and the sort look at.
    fields: Fields,
    /// The fields that are returned.
    answer: Fields,
    /// What is read while searching; the rest only for what is returned.
    pub(super) columns: Columns,
}

/// Where the search stands, between two pages.
#[derive(Debug)]
pub(super) struct Scan {
    candidates: Candidates,
    /// Rows that were looked at in this snapshot.
    rows: usize,
    is_renewed: bool,
    /// Matches among the waiting and the running: in a newer snapshot they may have ended.
    unfinished: FxHashSet<u64>,
    /// Own fields of which an index would help.
    declare: Vec<IndexPath>,
    /// Rows and entries of indexes that were read, and tasks that were compared with the query.
    read: u64,
    decided: u64,
}

/// The tasks of a page that match, each with its document as far as it was asked for.
pub(super) struct Matches {
    pub(super) tasks: Vec<(TaskRecord, Value)>,
    pub(super) order: PageOrder,
}

impl<'q> Wanted<'q> {
    /// What a request looks for.
    pub(super) fn of_request(request: &'q Request) -> Wanted<'q> {
        match request {
            Request::Find(find) => Wanted::to_find(find),
            Request::Exists(query)
            | Request::Count(query)
            | Request::Explain(query)
            | Request::Matching(query) => Wanted::by(query),
        }
    }

    /// What decides whether a task matches.
    fn by(query: &'q Query) -> Wanted<'q> {
        Wanted::of(query, query.fields())
    }

    /// What decides whether and where a task is found. Without a limit all that match are returned,
    /// so all that is returned of them is read at once.
    pub(super) fn to_find(find: &'q Find) -> Wanted<'q> {
        let fields = find.query.fields();
        let fields = find.sort.as_ref().map_or(fields, |sort| fields.and(sort.fields()));
        let wanted = Wanted::of(&find.query, fields);
        let answer = find.fields.as_ref().map_or(Fields::ALL, Projection::fields);
        match find.limit {
            None if is_wide(answer) => Wanted { answer, columns: Columns::Wide, ..wanted },
            _ => Wanted { answer, ..wanted },
        }
    }

    fn of(query: &'q Query, fields: Fields) -> Wanted<'q> {
        let columns = if is_wide(fields) { Columns::Wide } else { Columns::Narrow };
        Wanted { query, fields, answer: Fields::default(), columns }
    }
}

/// How many tasks that match are enough.
fn needed(request: &Request) -> Needed {
    match request {
        Request::Find(find) => {
            find.limit.map_or(Needed::All, |limit| Needed::First(limit.saturating_add(find.skip)))
        }
        Request::Exists(_) => Needed::Any(1),
        Request::Count(_) | Request::Explain(_) | Request::Matching(_) => Needed::All,
    }
}

fn is_wide(fields: Fields) -> bool {
    WIDE.iter().any(|field| fields.has(*field))
}

impl Scan {
    pub(super) fn begin(
        snapshot: &mut impl Snapshot,
        id_key: IdKey,
        request: &Request,
    ) -> Result<Scan> {
        let wanted = Wanted::of_request(request);
        let (sort, seqs) = match request {
            Request::Find(find) => (Some(find.sort.as_ref()), find.seqs),
            Request::Exists(_) | Request::Count(_) | Request::Explain(_) | Request::Matching(_) => {
                (None, EVERY_SEQ)
            }
        };
        let filter = Filter::of(wanted.query, seqs, id_key);
        let mut candidates = Candidates::new(filter, &snapshot.head()?, sort, wanted.columns);
        let mut plan = Plan::of(snapshot, wanted.query)?;
        let declare = std::mem::take(&mut plan.declare);
        candidates.with_indexes(plan, needed(request));
        let (rows, read, decided) = (0, 0, 0);
        let (is_renewed, unfinished) = (false, FxHashSet::default());
        Ok(Scan { candidates, rows, is_renewed, unfinished, declare, read, decided })
    }

    /// How the search was made, once it is over; `matched` is how many tasks it has found.
    pub(super) fn explanation(&self, query: &Query, matched: u64) -> QueryExplanation {
        let by = self.candidates.narrowed().map(|narrowed| match narrowed {
            Narrowed::Exact => SearchedBy::exact(query),
            Narrowed::Index(path) => SearchedBy::Index(path.clone()),
            Narrowed::Unended => SearchedBy::Status,
            Narrowed::Blocks => SearchedBy::Blocks,
        });
        let (read, decided, declare) = (self.read, self.decided, self.declare.clone());
        QueryExplanation { by, read, decided, matched, declare }
    }

    /// The snapshot has ended, and there will be a newer one.
    pub(super) fn rest(&mut self) {
        (self.rows, self.is_renewed) = (0, true);
    }

    /// The matches of the next page; nothing when all are read.
    pub(super) fn page(
        &mut self,
        snapshot: &mut impl Snapshot,
        wanted: Wanted<'_>,
    ) -> Result<Option<Matches>> {
        self.renew_old(snapshot)?;
        let Some(page) = self.candidates.page(snapshot)? else { return Ok(None) };
        // As after a renewal: a task may stand in a newer place than before.
        self.is_renewed |= snapshot.has_moved();
        self.rows += page.rows;
        self.read += page.read;
        self.decided += page.tasks.len() as u64;
        let mut tasks = Vec::new();
        for mut task in page.tasks {
            if let Some(document) = wanted.matching(snapshot, &mut task)?
                && self.candidates.has_number(task.seq)
                && self.is_first(&task, page.is_unfinished)?
            {
                tasks.push((task, document));
            }
        }
        Ok(Some(Matches { tasks, order: page.order }))
    }

    /// Between pages: renews a snapshot that is old.
    fn renew_old(&mut self, snapshot: &mut impl Snapshot) -> Result<()> {
        if self.rows >= SNAPSHOT_ROWS {
            snapshot.renew()?;
            self.rest();
        }
        Ok(())
    }

    /// Whether the task was not found before, in an older snapshot and another state. Within one
    /// snapshot a task has one place: a second one is damage (F-14).
    fn is_first(&mut self, task: &TaskRecord, is_unfinished: bool) -> Result<bool> {
        let is_first = if is_unfinished {
            self.unfinished.insert(task.seq.0)
        } else {
            !self.unfinished.contains(&task.seq.0)
        };
        let is_misplaced = is_unfinished && task.state.is_final();
        if self.is_renewed || (is_first && !is_misplaced) {
            return Ok(is_first);
        }
        let message = format!("task {} stands in a queue and among the ended ones", task.seq.0);
        Err(Error::new(Code::Corrupt, message))
    }

    /// The numbers that are looked at.
    pub(super) fn seqs(&self) -> Range<Seq> {
        self.candidates.seqs()
    }

    /// Loads of some that were chosen what was not read while searching.
    pub(super) fn complete(
        &mut self,
        snapshot: &mut impl Snapshot,
        chosen: &mut IntoIter<TaskRecord>,
        (find, wanted): (&Find, Wanted<'_>),
        budget: &mut ReadBudget,
    ) -> Result<Vec<Found>> {
        self.renew_old(snapshot)?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        for task in chosen.take(COMPLETED_TASKS) {
            self.rows += 1;
            if let Some(task) = wanted.whole(snapshot, task)? {
                bytes += task.bytes();
                found.push(load::found(snapshot, task, find.logs, budget)?);
            }
            if bytes >= COMPLETED_BYTES {
                break;
            }
        }
        Ok(found)
    }
}

impl Wanted<'_> {
    /// The document of a task that matches; nothing if it does not.
    fn matching(
        &self,
        snapshot: &mut impl Snapshot,
        task: &mut TaskRecord,
    ) -> Result<Option<Value>> {
        let Wanted { query, fields, .. } = self;
        if *fields == Fields::default() {
            return Ok(query.matches(&Value::Null).then_some(Value::Null));
        }
        if fields.has(Field::Attempts) {
            load::load_attempts(snapshot, task)?;
        }
        let document = document::value(task, *fields)?;
        Ok(query.matches(&document).then_some(document))
    }

    /// The task with its wide columns and its history, as far as they are asked for, unless it has
    /// changed and matches no more.
    fn whole(&self, snapshot: &mut impl Snapshot, task: TaskRecord) -> Result<Option<TaskRecord>> {
        let mut task = task;
        let Wanted { fields, answer, columns, .. } = *self;
        if columns == Columns::Narrow && is_wide(answer) {
            let Some(reloaded) = snapshot.task(task.seq, Columns::Wide)? else { return Ok(None) };
            task = reloaded;
            if self.matching(snapshot, &mut task)?.is_none() {
                return Ok(None);
            }
        }
        if answer.has(Field::Attempts) && !fields.has(Field::Attempts) {
            load::load_attempts(snapshot, &mut task)?;
        }
        Ok(Some(task))
    }
}
