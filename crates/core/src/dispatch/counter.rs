//! How many live runs each condition counts.
//!
//! Conditions with the same scope and query share a *counter*, whatever their limits. It is there
//! as long as a lane refers to it.
//!
//! # Promises
//! - A counter counts each live run of every owner that matches its query, once (D4).
//! - A run costs as many looks as there are counters that it may count in, and a new counter as
//!   many as there are runs that it may count; how many there are besides makes no difference.
//! - As long as there is no counter, nothing is known of a run but its operation. Then the
//!   documents of all live runs are asked for once, and again when a counter comes that looks at
//!   something else. Of each only that is kept which counters look at.
//!
//! # Left to others
//! What may count where: `family`. What a counter lets pass: `group`.
//!
//! Proof: `tests/dispatch_oracle.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::family::{Candidates, Families, Place};
use super::slot::{CounterId, GroupSlot, OperationSlot};
use crate::condition::{Condition, Conditions, part};
use crate::id::Seq;
use crate::query::{Fields, Path, Value};

/// After so many runs without a counter nothing is asked any more of those that begin: who uses
/// conditions now and then does not read all live runs each time.
const IDLE_BEGINS_MAX: u32 = 1_024;

/// What is counted for a condition.
#[derive(Debug)]
pub(super) struct Counter {
    /// The condition is one of these.
    conditions: Conditions,
    index: usize,
    hash: u128,
    /// How many lanes refer to it.
    pub(super) lanes: u32,
    /// How many live runs match.
    pub(super) live: u32,
    /// The groups that stand at it, by limit.
    pub(super) groups: BTreeMap<(i64, OperationSlot), GroupSlot>,
}

impl Counter {
    fn condition(&self) -> Option<&Condition> {
        self.conditions.iter().nth(self.index)
    }
}

/// A live run whose document is known.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) document: Value,
    /// The counters that count it. Some may be gone.
    pub(super) counters: Box<[CounterId]>,
}

/// All counters, and the runs that they count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counters: FxHashMap<CounterId, Counter>,
    by_query: FxHashMap<u128, CounterId>,
    last: u64,
    families: Families,
    /// The live runs of all owners, if they are known.
    runs: Option<FxHashMap<Seq, Run>>,
    /// What counters look at; that much is kept of the document of a run.
    paths: BTreeSet<Path>,
    /// Whether some of that came later than the runs that are known.
    are_runs_short: bool,
    /// How many runs have begun since the last counter went.
    idle_begins: u32,
}

impl Counters {
    pub(super) fn get(&self, id: CounterId) -> Option<&Counter> {
        self.counters.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: CounterId) -> Option<&mut Counter> {
        self.counters.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (CounterId, &Counter)> {
        self.counters.iter().map(|(id, counter)| (*id, counter))
    }

    /// Whether the live runs are known, with all that counters look at.
    pub(super) fn knows_runs(&self) -> bool {
        self.runs.is_some() && !self.are_runs_short
    }

    /// Whether something is known of live runs, so that each that begins must be told.
    pub(super) fn tracks_runs(&self) -> bool {
        self.runs.is_some()
    }

    /// The fields of a task that counters look at.
    pub(super) fn fields(&self) -> Fields {
        let fields = self.paths.iter().filter_map(Path::field);
        fields.fold(Fields::default(), Fields::with)
    }

    /// How many counters would be asked together at most, with those that these conditions bring;
    /// none if they bring none. With each comes the hash of its scope and query.
    pub(super) fn crowd<'c>(&self, all: impl Iterator<Item = (u128, &'c Condition)>) -> usize {
        let mut new: BTreeMap<Place, BTreeSet<u128>> = BTreeMap::new();
        for (hash, condition) in all.filter(|(hash, _)| !self.by_query.contains_key(hash)) {
            new.entry(self.families.place(condition)).or_default().insert(hash);
        }
        let crowds = new.iter().map(|(place, new)| self.families.crowd(place) + new.len());
        crowds.max().unwrap_or(0)
    }

    /// The counter of one of these conditions, to which one more lane refers. `hash` is that of its
    /// scope and query.
    pub(super) fn refer(&mut self, conditions: &Conditions, index: usize, hash: u128) -> CounterId {
        if let Some(id) = self.by_query.get(&hash)
            && let Some(counter) = self.counters.get_mut(id)
        {
            counter.lanes += 1;
            return *id;
        }
        self.last += 1;
        let id = CounterId(self.last);
        let (conditions, groups) = (conditions.clone(), BTreeMap::new());
        let counter = Counter { conditions, index, hash, lanes: 1, live: 0, groups };
        self.by_query.insert(hash, id);
        let counter = self.counters.entry(id).or_insert(counter);
        if let Some(condition) = counter.condition() {
            for path in condition.paths() {
                if !self.paths.contains(path) {
                    self.paths.insert(path.clone());
                    self.are_runs_short = self.runs.is_some();
                }
            }
            let runs = self.runs.iter().flatten();
            let runs = runs.map(|(seq, run)| (*seq, &run.document));
            self.families.add(id, condition, runs);
        }
        self.count(id);
        id
    }

    /// Counts the live runs that match.
    fn count(&mut self, id: CounterId) {
        let (Some(counter), Some(runs)) = (self.counters.get_mut(&id), &mut self.runs) else {
            return;
        };
        let Some(condition) = counter.conditions.iter().nth(counter.index) else { return };
        let seqs = match self.families.candidates(condition) {
            Candidates::All => runs.keys().copied().collect(),
            Candidates::Some(seqs) => seqs,
        };
        for seq in seqs {
            let Some(run) = runs.get_mut(&seq) else { continue };
            if condition.matches(&run.document) {
                let counters = run.counters.iter().copied().chain([id]);
                run.counters = counters.collect();
                counter.live += 1;
            }
        }
    }

    /// A lane refers to a counter no more.
    pub(super) fn release(&mut self, id: CounterId) {
        let Some(counter) = self.counters.get_mut(&id) else { return };
        debug_assert!(counter.lanes > 0, "a counter is let go twice");
        counter.lanes -= 1;
        if counter.lanes > 0 {
            return;
        }
        debug_assert!(counter.groups.is_empty(), "lanes stand at a counter that goes");
        if let Some(counter) = self.counters.remove(&id) {
            self.by_query.remove(&counter.hash);
            if let Some(condition) = counter.condition() {
                self.families.remove(id, condition);
            }
        }
        self.idle_begins = 0;
    }

    /// A run begins whose document has at least the fields that counters look at. The counters that
    /// count it; they have not done so yet.
    pub(super) fn begin(&mut self, seq: Seq, document: &Value) -> Box<[CounterId]> {
        let Some(runs) = &mut self.runs else { return Box::default() };
        let document = part::of(document, &self.paths);
        let mut counters = self.families.begin(seq, &document);
        counters.retain(|id| {
            let counter = self.counters.get(id);
            let condition = counter.and_then(Counter::condition);
            condition.is_some_and(|condition| condition.matches(&document))
        });
        let counters: Box<[CounterId]> = counters.into();
        let old = runs.insert(seq, Run { document, counters: counters.clone() });
        debug_assert!(old.is_none(), "task {} has two runs (I-4)", seq.0);
        self.idle_begins += u32::from(self.counters.is_empty());
        counters
    }

    /// A run is over, if it is known.
    pub(super) fn end(&mut self, seq: Seq) -> Option<Run> {
        let run = self.runs.as_mut()?.remove(&seq)?;
        self.families.end(seq, &run.document);
        Some(run)
    }

    /// From now on the live runs are known, which are none yet.
    pub(super) fn know_runs(&mut self) {
        debug_assert!(
            self.runs.as_ref().is_none_or(FxHashMap::is_empty),
            "the live runs are known already"
        );
        self.runs = Some(FxHashMap::default());
        (self.are_runs_short, self.idle_begins) = (false, 0);
    }

    /// What nobody has asked for in a long time is not known any more.
    pub(super) fn tidy(&mut self) {
        if self.counters.is_empty() && self.idle_begins >= IDLE_BEGINS_MAX {
            *self = Self { last: self.last, ..Self::default() };
        }
    }

    /// The live runs whose documents are known.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Seq, &Run)> {
        self.runs.iter().flatten().map(|(seq, run)| (*seq, run))
    }

    /// The condition of a counter.
    pub(super) fn condition(&self, id: CounterId) -> Option<&Condition> {
        self.get(id)?.condition()
    }
}
