//! What each condition counts: live runs, or ready tasks. And the tokens of a value.
//!
//! Conditions with the same scope and query share a *counter*, whatever their limits. It is there
//! as long as a lane refers to it. Those of the scope running count the live runs here; what those
//! of the scope before-queued count lies in their `bars`. The tokens of each value by which a rate
//! limit holds have a counter as well (`rates`), so that lanes wait for them in groups.
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

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::bars::Bars;
use super::breaker::Breaker;
use super::bucket::Bucket;
use super::family::{Candidates, Families, Place};
use super::slot::{CounterId, GroupSlot, OperationSlot};
use crate::condition::{Condition, Conditions, Scope};
use crate::id::Seq;
use crate::query::{Parts, Value};
use crate::rate::RateKey;

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
    /// Where it stands among those that count runs.
    place: Place,
    /// The ready tasks that match, if it counts those.
    pub(super) bars: Option<Box<Bars>>,
    /// The tokens that it counts, if it is that of a value of a rate limit.
    pub(super) rate: Option<Box<KeyTokens>>,
    /// The groups that stand at it, by limit.
    pub(super) groups: BTreeMap<(i64, OperationSlot), GroupSlot>,
}

/// The tokens of one value of a rate limit, and its circuit.
#[derive(Debug)]
pub(super) struct KeyTokens {
    /// Of which operation.
    pub(super) operation: OperationSlot,
    /// Of which value.
    pub(super) key: RateKey,
    pub(super) bucket: Bucket,
    pub(super) breaker: Breaker,
}

impl KeyTokens {
    /// Whether the tasks of this value may start.
    pub(super) fn is_open(&self) -> bool {
        self.bucket.closed_until.is_none() && self.breaker.shut.is_none()
    }
}

/// A counter to which one more lane refers.
pub(super) struct Referred {
    pub(super) id: CounterId,
    /// Whether it was not there before.
    pub(super) is_new: bool,
}

impl Counter {
    pub(super) fn condition(&self) -> Option<&Condition> {
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
    /// How many of them count runs.
    of_runs: usize,
    families: Families,
    /// The live runs of all owners, if they are known.
    runs: Option<FxHashMap<Seq, Run>>,
    /// What counters look at; that much is kept of the document of a run.
    parts: Parts,
    /// Whether some of that came later than the runs that are known.
    are_runs_short: bool,
    /// How many runs have begun since the last counter of runs went.
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

    /// What counters look at of a task.
    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Whether there is a counter of this scope and query.
    pub(super) fn has(&self, hash: u128) -> bool {
        self.by_query.contains_key(&hash)
    }

    /// Where the counter of a condition on runs stands among the others, or would.
    pub(super) fn place(&self, condition: &Condition) -> Place {
        self.families.place(condition)
    }

    /// How many counters of runs stand there.
    pub(super) fn crowd(&self, place: &Place) -> usize {
        self.families.crowd(place)
    }

    /// The counter of one of these conditions, to which one more lane refers. `hash` is that of its
    /// scope and query.
    pub(super) fn refer(&mut self, conditions: &Conditions, index: usize, hash: u128) -> Referred {
        if let Some(id) = self.by_query.get(&hash)
            && let Some(counter) = self.counters.get_mut(id)
        {
            counter.lanes += 1;
            return Referred { id: *id, is_new: false };
        }
        self.last += 1;
        let id = CounterId(self.last);
        let scope = conditions.iter().nth(index).map(|condition| condition.scope);
        let bars = (scope == Some(Scope::BeforeQueued)).then(Box::default);
        let is_of_runs = bars.is_none();
        let (conditions, groups) = (conditions.clone(), BTreeMap::new());
        let place = Place::Loose;
        let (lanes, live, rate) = (1, 0, None);
        let counter = Counter { conditions, index, hash, lanes, live, place, bars, rate, groups };
        self.by_query.insert(hash, id);
        self.counters.insert(id, counter);
        if is_of_runs {
            self.watch_runs(id);
        }
        Referred { id, is_new: true }
    }

    /// The counter of a value of a rate limit, to which one more lane refers.
    pub(super) fn refer_key(
        &mut self,
        hash: u128,
        operation: OperationSlot,
        key: &RateKey,
    ) -> CounterId {
        if let Some(id) = self.by_query.get(&hash)
            && let Some(counter) = self.counters.get_mut(id)
        {
            counter.lanes += 1;
            return *id;
        }
        self.last += 1;
        let id = CounterId(self.last);
        let (bucket, breaker) = (Bucket::default(), Breaker::default());
        let tokens = KeyTokens { operation, key: key.clone(), bucket, breaker };
        let (conditions, index, groups) = (Conditions::NONE, 0, BTreeMap::new());
        let (lanes, live, place, bars, rate) = (1, 0, Place::Loose, None, Some(tokens.into()));
        let counter = Counter { conditions, index, hash, lanes, live, place, bars, rate, groups };
        self.by_query.insert(hash, id);
        self.counters.insert(id, counter);
        id
    }

    /// The counter with this hash.
    pub(super) fn with_key(&self, hash: u128) -> Option<CounterId> {
        self.by_query.get(&hash).copied()
    }

    /// The counters of the values of an operation's rate limit.
    pub(super) fn of_keys(&self, slot: OperationSlot) -> impl Iterator<Item = CounterId> {
        let is_its = move |counter: &Counter| {
            counter.rate.as_ref().is_some_and(|tokens| tokens.operation == slot)
        };
        self.iter().filter(move |(_, counter)| is_its(counter)).map(|(id, _)| id)
    }

    /// A new counter counts the runs that match.
    fn watch_runs(&mut self, id: CounterId) {
        self.of_runs += 1;
        let Some(counter) = self.counters.get_mut(&id) else { return };
        if let Some(condition) = counter.conditions.iter().nth(counter.index) {
            for path in condition.paths() {
                if self.parts.add(path) {
                    self.are_runs_short = self.runs.is_some();
                }
            }
            let runs = self.runs.iter().flatten();
            let runs = runs.map(|(seq, run)| (*seq, &run.document));
            counter.place = self.families.add(id, condition, runs);
        }
        self.count(id);
    }

    /// Counts the live runs that match.
    fn count(&mut self, id: CounterId) {
        let (Some(counter), Some(runs)) = (self.counters.get_mut(&id), &mut self.runs) else {
            return;
        };
        let Some(condition) = counter.conditions.iter().nth(counter.index) else { return };
        let seqs = match self.families.candidates(&counter.place) {
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

    /// A lane refers to a counter no more. The counter, if it has gone with that.
    pub(super) fn release(&mut self, id: CounterId) -> Option<Counter> {
        let counter = self.counters.get_mut(&id)?;
        debug_assert!(counter.lanes > 0, "a counter is let go twice");
        counter.lanes -= 1;
        if counter.lanes > 0 {
            return None;
        }
        debug_assert!(counter.groups.is_empty(), "lanes stand at a counter that goes");
        let counter = self.counters.remove(&id)?;
        self.by_query.remove(&counter.hash);
        if counter.bars.is_none() && counter.rate.is_none() {
            self.of_runs -= 1;
            self.idle_begins = 0;
            self.families.remove(id, &counter.place);
        }
        Some(counter)
    }

    /// A run begins; of its document that is given which counters look at. The counters that count
    /// it; they have not done so yet.
    pub(super) fn begin(&mut self, seq: Seq, document: Value) -> Box<[CounterId]> {
        let Some(runs) = &mut self.runs else { return Box::default() };
        let mut counters = self.families.begin(seq, &document);
        counters.retain(|id| {
            let counter = self.counters.get(id);
            let condition = counter.and_then(Counter::condition);
            condition.is_some_and(|condition| condition.matches(&document))
        });
        let counters: Box<[CounterId]> = counters.into();
        let old = runs.insert(seq, Run { document, counters: counters.clone() });
        debug_assert!(old.is_none(), "task {} has two runs (I-4)", seq.0);
        self.idle_begins += u32::from(self.of_runs == 0);
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
        if self.of_runs == 0 && self.idle_begins >= IDLE_BEGINS_MAX {
            let counters = std::mem::take(&mut self.counters);
            let by_query = std::mem::take(&mut self.by_query);
            *self = Self { counters, by_query, last: self.last, ..Self::default() };
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
