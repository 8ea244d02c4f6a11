//! The tasks that match when a watch begins, a page at a time.
//!
//! A search finds those that match at some moment. It may take long and see several states of the
//! store, so what it has found, and what commits have touched since it began, is looked at again in
//! one state, and told as of that.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::id::Seq;
use crate::limits::READ_BYTES_MAX;
use crate::query::{Projection, Query, Sort};
use crate::range::Range;
use crate::read::{Find, Found, Request, Step};
use crate::search::Search;

/// Tasks of a page.
const TASKS_MAX: usize = 1_000;

/// A page that is being looked for.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Nothing when it is over.
    search: Option<Search>,
    /// The commit that was the last one when it began.
    since: u64,
    found: BTreeSet<Seq>,
    /// Those that commits have touched since.
    touched: BTreeSet<Seq>,
    /// The last number of the page; all if absent.
    end: Option<Seq>,
}

impl Snapshot {
    /// The page of the tasks behind a number.
    pub(super) fn begin(query: &Query, after: Seq, since: u64) -> Result<Self> {
        let find = Find {
            query: query.clone(),
            seqs: Range { low: Seq(after.0 + 1), high: Seq(u64::MAX) },
            sort: Some(Sort::parse(r#"{"seq":1}"#)?),
            skip: 0,
            limit: Some(TASKS_MAX as u64),
            logs: None,
            fields: Some(Projection::parse(r#"["seq"]"#)?),
            bytes_max: READ_BYTES_MAX,
        };
        let search = Some(Search::new(Request::Find(Box::new(find))));
        let (found, touched) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { search, since, found, touched, end: None })
    }

    /// The search, unless it is over.
    pub(super) fn search(&mut self) -> Option<&mut Search> {
        self.search.as_mut()
    }

    /// What a step of the search has brought.
    pub(super) fn take(&mut self, step: Step) {
        let (found, is_over) = match step {
            Step::More(found) => (found, false),
            Step::Found(found) => (found, true),
            Step::Exists(_) | Step::Count(_) | Step::Explained(_) | Step::Matching(_) => {
                debug_assert!(false, "a find has found no tasks");
                (Vec::new(), true)
            }
        };
        self.found.extend(found.iter().map(|Found { task, .. }| task.seq));
        let is_full = self.found.len() >= TASKS_MAX;
        if is_over || is_full {
            self.search = None;
            self.end = self.found.last().copied().filter(|_| is_full);
        }
    }

    /// A commit has touched a task behind those that have been told.
    pub(super) fn touch(&mut self, batch: u64, seq: Seq) {
        if batch > self.since {
            self.touched.insert(seq);
        }
    }

    /// The tasks of the page, and the last number of it. It is over.
    pub(super) fn into_page(mut self) -> (impl Iterator<Item = Seq>, Option<Seq>) {
        let end = self.end;
        self.found.append(&mut self.touched);
        let is_in = move |seq: &Seq| end.is_none_or(|end| *seq <= end);
        (self.found.into_iter().filter(is_in), end)
    }
}
