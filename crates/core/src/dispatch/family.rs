//! Which counters a document may count in, found by its values.
//!
//! A *family* is all counters whose queries ask for equality at the same paths. It finds them by
//! the values they ask for, and the live runs by the values they have there. What it finds may
//! match; whether it does, the query says.
//!
//! # Promises
//! - What matches is found: an array by each of its members, what is missing by `null`.
//! - A document has at most [`TUPLES_MAX`] tuples of values in a family; one with more may count in
//!   all its counters.
//! - There are at most [`FAMILIES_MAX`] families. Any other counter is *loose*: it may match any
//!   document.
//!
//! Proof: the tests below, `tests/dispatch_oracle.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::slot::CounterId;
use crate::condition::Condition;
use crate::fault::{Fault, is_on};
use crate::id::Seq;
use crate::query::{Path, Value};

/// How many families there are at most.
const FAMILIES_MAX: usize = 64;
/// How many tuples a document has in a family, before it may count in all its counters.
const TUPLES_MAX: usize = 1_000;

/// The paths at which the counters of a family ask for equality, in order.
type Paths = Arc<[Box<str>]>;
/// A keyed hash of one value for each path.
type Tuple = u64;

/// All counters, by what they ask for.
#[derive(Debug, Default)]
pub(super) struct Families {
    families: BTreeMap<Paths, Family>,
    loose: BTreeSet<CounterId>,
    hashes: RandomState,
}

#[derive(Debug)]
struct Family {
    paths: Box<[Path]>,
    counters: FxHashMap<Tuple, BTreeSet<CounterId>>,
    /// How many counters that are.
    len: usize,
    runs: FxHashMap<Tuple, BTreeSet<Seq>>,
    /// The runs with too many tuples.
    wide: BTreeSet<Seq>,
}

/// Where a counter stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In no family.
    Loose,
    /// In the family of these paths, with these values.
    Of(Paths, Tuple),
}

/// Where a document stands in a family.
enum Tuples {
    One(Tuple),
    Some(Vec<Tuple>),
    TooMany,
}

impl Tuples {
    /// Each of them; nothing if there are too many.
    fn all(&self) -> Option<&[Tuple]> {
        match self {
            Self::One(tuple) => Some(std::slice::from_ref(tuple)),
            Self::Some(tuples) => Some(tuples),
            Self::TooMany => None,
        }
    }
}

/// The live runs that a counter may count.
pub(super) enum Candidates {
    /// All.
    All,
    /// These, each once.
    Some(Vec<Seq>),
}

impl Families {
    /// Where the counter of a condition stands, or would.
    pub(super) fn place(&self, condition: &Condition) -> Place {
        let (paths, tuple) = asked(condition, &self.hashes);
        let is_loose = paths.is_empty()
            || (self.families.len() >= FAMILIES_MAX && !self.families.contains_key(&paths));
        if is_loose { Place::Loose } else { Place::Of(paths, tuple) }
    }

    /// How many counters stand there: each is asked when one of them is.
    pub(super) fn crowd(&self, place: &Place) -> usize {
        match place {
            Place::Loose => self.loose.len(),
            Place::Of(paths, tuple) => {
                let family = self.families.get(paths);
                family.and_then(|family| family.counters.get(tuple)).map_or(0, BTreeSet::len)
            }
        }
    }

    /// A counter comes; `runs` are the live ones, with their documents. Where it stands then.
    pub(super) fn add<'d>(
        &mut self,
        id: CounterId,
        condition: &Condition,
        runs: impl Iterator<Item = (Seq, &'d Value)>,
    ) -> Place {
        let Place::Of(paths, tuple) = self.place(condition) else {
            self.loose.insert(id);
            return Place::Loose;
        };
        // One text for all that stand there.
        let known = self.families.get_key_value(&paths).map(|(known, _)| Arc::clone(known));
        let paths = known.unwrap_or(paths);
        let family = self.families.entry(Arc::clone(&paths)).or_insert_with(|| {
            let mut family = Family::new(condition);
            runs.for_each(|(seq, document)| {
                let tuples = family.tuples(document, &self.hashes);
                family.add_run(seq, &tuples);
            });
            family
        });
        family.counters.entry(tuple).or_default().insert(id);
        family.len += 1;
        Place::Of(paths, tuple)
    }

    /// A counter goes, which stood there.
    pub(super) fn remove(&mut self, id: CounterId, place: &Place) {
        let Place::Of(paths, tuple) = place else {
            self.loose.remove(&id);
            return;
        };
        let Some(family) = self.families.get_mut(paths) else { return };
        if let Some(counters) = family.counters.get_mut(tuple) {
            counters.remove(&id);
            if counters.is_empty() {
                family.counters.remove(tuple);
            }
        }
        family.len -= 1;
        if family.len == 0 {
            self.families.remove(paths);
        }
    }

    /// The live runs that a counter which stands there may count.
    pub(super) fn candidates(&self, place: &Place) -> Candidates {
        let Place::Of(paths, tuple) = place else { return Candidates::All };
        let Some(family) = self.families.get(paths) else { return Candidates::All };
        let found = family.runs.get(tuple).into_iter().flatten().chain(&family.wide);
        Candidates::Some(found.copied().collect())
    }

    /// A run begins. The counters in which it may count, each once.
    pub(super) fn begin(&mut self, seq: Seq, document: &Value) -> Vec<CounterId> {
        let mut found: Vec<CounterId> = self.loose.iter().copied().collect();
        for family in self.families.values_mut() {
            let tuples = family.tuples(document, &self.hashes);
            family.find(&tuples, &mut found);
            family.add_run(seq, &tuples);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A run is over.
    pub(super) fn end(&mut self, seq: Seq, document: &Value) {
        for family in self.families.values_mut() {
            let tuples = family.tuples(document, &self.hashes);
            family.remove_run(seq, &tuples);
        }
    }
}

impl Family {
    fn new(condition: &Condition) -> Self {
        let equalities = condition.equalities();
        let paths = equalities.into_iter().map(|(path, _)| path.clone()).collect();
        let (counters, runs) = (FxHashMap::default(), FxHashMap::default());
        Self { paths, counters, len: 0, runs, wide: BTreeSet::new() }
    }

    fn find(&self, tuples: &Tuples, found: &mut Vec<CounterId>) {
        match tuples.all() {
            Some(tuples) => {
                let counters = tuples.iter().filter_map(|tuple| self.counters.get(tuple));
                found.extend(counters.flatten());
            }
            None => found.extend(self.counters.values().flatten()),
        }
    }

    fn add_run(&mut self, seq: Seq, tuples: &Tuples) {
        let Some(tuples) = tuples.all() else {
            self.wide.insert(seq);
            return;
        };
        for tuple in tuples {
            self.runs.entry(*tuple).or_default().insert(seq);
        }
    }

    fn remove_run(&mut self, seq: Seq, tuples: &Tuples) {
        let Some(tuples) = tuples.all() else {
            self.wide.remove(&seq);
            return;
        };
        for tuple in tuples {
            let Some(runs) = self.runs.get_mut(tuple) else { continue };
            runs.remove(&seq);
            if runs.is_empty() {
                self.runs.remove(tuple);
            }
        }
    }

    /// The tuples of a document, each once.
    fn tuples(&self, document: &Value, hashes: &RandomState) -> Tuples {
        let mut one = hashes.build_hasher();
        for (at, path) in self.paths.iter().enumerate() {
            match path.scalars(document, TUPLES_MAX) {
                None => return Tuples::TooMany,
                Some(values) => match values.only() {
                    Some(value) => value.hash(&mut one),
                    None => return Self::several(&self.paths[at..], one, document),
                },
            }
        }
        Tuples::One(one.finish())
    }

    /// The tuples of a document that has not one value at each of these paths; so far it has.
    fn several(paths: &[Path], so_far: DefaultHasher, document: &Value) -> Tuples {
        let mut tuples = vec![so_far];
        for path in paths {
            let Some(values) = path.scalars(document, TUPLES_MAX / tuples.len().max(1)) else {
                return Tuples::TooMany;
            };
            let values_max = if is_on(Fault::FamilyForgetsArrays) { 1 } else { usize::MAX };
            let values: Vec<&Value> = values.iter().take(values_max).collect();
            let with = |so_far: &DefaultHasher, value: &Value| {
                let mut hasher = so_far.clone();
                value.hash(&mut hasher);
                hasher
            };
            let all =
                tuples.iter().flat_map(|one| values.iter().map(move |value| with(one, value)));
            tuples = all.collect();
        }
        let mut tuples: Vec<Tuple> = tuples.iter().map(Hasher::finish).collect();
        tuples.sort_unstable();
        tuples.dedup();
        Tuples::Some(tuples)
    }
}

/// At which paths a condition asks for equality, and with what.
fn asked(condition: &Condition, hashes: &RandomState) -> (Paths, Tuple) {
    let mut paths: Vec<Box<str>> = Vec::new();
    let mut hasher = hashes.build_hasher();
    for (path, value) in condition.equalities() {
        paths.push(text(path));
        value.hash(&mut hasher);
    }
    (paths.into(), hasher.finish())
}

fn text(path: &Path) -> Box<str> {
    let parts: Vec<&str> = path.parts().collect();
    parts.join(".").into()
}
