//! The tasks that an index of an own field names.
//!
//! If a query narrows several indexed paths, their indexes are read in turns, and the first that is
//! at its end wins: so it costs no more than a few times what the best of them costs.
//!
//! # Promises
//! - A part reads a bounded number of entries. If they become more than it would take to look at
//!   the tasks without an index, it is given up.
//! - An index that goes away meanwhile is no fault: the search goes on without it.
//!
//! Proof: `crates/sqlite/tests/indexes.rs`.

use super::filter::Filter;
use super::pages::{EntriesPart, Snapshot};
use crate::error::Result;
use crate::id::Seq;
use crate::index::{self, IndexPath, Key, KeyRange};
use crate::query::Query;

/// Entries that one part reads.
const ENTRIES_MAX: usize = 4_096;
/// So many entries are read in the time that it takes to find the first of them.
const SEEK_ENTRIES: usize = 16;
/// Entries up to which an index is never given up.
const FEW_ENTRIES: u64 = 1_000;
/// Entries that are kept in memory at most.
const MANY_ENTRIES: u64 = 2_000_000;

/// What the indexes have to do with a query.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The paths that may be looked up.
    lookups: Vec<(IndexPath, Vec<KeyRange>)>,
    /// Paths of which an index would help.
    pub(super) declare: Vec<IndexPath>,
}

/// The reading of indexes.
#[derive(Debug)]
pub(super) struct Lookups {
    open: Vec<Lookup>,
    entries_max: u64,
    /// Entries that were read, and not yet told of.
    read: u64,
}

#[derive(Debug)]
struct Lookup {
    path: IndexPath,
    ranges: Vec<KeyRange>,
    /// Which of them is being read.
    at: usize,
    /// Its last entry that was read.
    after: Option<(Key, Seq)>,
    seqs: Vec<Seq>,
}

/// How the reading goes.
#[derive(Debug)]
pub(super) enum Progress {
    /// There are more entries.
    Open,
    /// These tasks may match, in order.
    Found(IndexPath, Vec<Seq>),
    /// No index says it in few entries.
    GivenUp,
}

impl Plan {
    /// What the indexes that exist can do for a query.
    pub(super) fn of(snapshot: &mut impl Snapshot, query: &Query) -> Result<Plan> {
        let mut narrowed: Vec<(IndexPath, Vec<KeyRange>)> = Vec::new();
        for predicate in query.conjuncts() {
            let Some(ranges) = index::ranges(&predicate.test) else { continue };
            let Some(path) = IndexPath::of(&predicate.path) else { continue };
            match narrowed.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => *known = index::narrow(std::mem::take(known), ranges),
                None => narrowed.push((path, ranges)),
            }
        }
        if narrowed.is_empty() {
            return Ok(Plan::default());
        }
        let indexes = snapshot.indexes()?;
        let (lookups, missing): (Vec<_>, Vec<_>) =
            narrowed.into_iter().partition(|(path, _)| indexes.contains(path));
        Ok(Plan { lookups, declare: missing.into_iter().map(|(path, _)| path).collect() })
    }

    /// The reading of the indexes, if there are any. `rows` is what is looked at without them, or
    /// `needed` of it if the first ones that match are enough.
    pub(super) fn lookups(self, rows: u64, needed: Option<u64>) -> Option<Lookups> {
        let most = match needed {
            // Of so many that match, the first ones are met soon without an index, if they lie
            // evenly among the others.
            Some(needed) => needed.saturating_mul(rows).isqrt(),
            None => rows / 4,
        };
        let lookup = |(path, ranges)| Lookup { path, ranges, at: 0, after: None, seqs: Vec::new() };
        let open: Vec<_> = self.lookups.into_iter().map(lookup).collect();
        let entries_max = most.clamp(FEW_ENTRIES, MANY_ENTRIES);
        (!open.is_empty()).then_some(Lookups { open, entries_max, read: 0 })
    }
}

impl Lookups {
    /// Reads a part.
    pub(super) fn read(
        &mut self,
        snapshot: &mut impl Snapshot,
        filter: &Filter,
    ) -> Result<Progress> {
        let mut part = 0;
        while part < ENTRIES_MAX {
            let Some(mut lookup) = self.open.pop() else { return Ok(Progress::GivenUp) };
            let Some(entries) = lookup.read(snapshot, ENTRIES_MAX - part)? else { continue };
            self.read += entries as u64;
            part += entries + SEEK_ENTRIES;
            if lookup.at == lookup.ranges.len() {
                return Ok(lookup.found(filter));
            }
            if lookup.seqs.len() as u64 <= self.entries_max {
                self.open.insert(0, lookup);
            }
        }
        Ok(Progress::Open)
    }

    /// Entries that were read since this was last asked.
    pub(super) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }
}

impl Lookup {
    /// Reads so many entries at most; nothing if there is no such index any more.
    fn read(&mut self, snapshot: &mut impl Snapshot, max: usize) -> Result<Option<usize>> {
        let Some(range) = self.ranges.get(self.at) else { return Ok(Some(0)) };
        let part = EntriesPart { path: &self.path, range, after: self.after.as_ref(), max };
        let Some(entries) = snapshot.entries(part)? else { return Ok(None) };
        debug_assert!(entries.len() <= max, "more entries came than were asked for");
        self.seqs.extend(entries.iter().map(|(_, seq)| *seq));
        let count = entries.len();
        self.after = entries.into_iter().next_back().filter(|_| count == max);
        if count < max {
            self.at += 1;
        }
        Ok(Some(count))
    }

    fn found(mut self, filter: &Filter) -> Progress {
        self.seqs.retain(|seq| filter.seq.has(*seq));
        self.seqs.sort_unstable();
        self.seqs.dedup();
        Progress::Found(self.path, self.seqs)
    }
}
