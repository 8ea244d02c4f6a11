//! Which watches a step may concern, so that a thousand of them cost a commit what they match.
//!
//! A watch stands under the task that its query names, or under its operations, and there under a
//! value that its query asks for in what is fixed when a task is added. What is found may match;
//! whether it does, the query says.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};

use rustc_hash::FxHashMap;

use crate::error::Result;
use crate::id::{IdKey, Seq, TaskId};
use crate::query::{Field, Path, Query, Test, Value};

use super::filter::WatchNo;
use super::look::Look;

/// Values of one path in one document; with more, all watches are asked.
const VALUES_MAX: usize = 1_000;

/// Watches by what they look for.
#[derive(Debug, Default)]
pub(super) struct Index {
    tasks: FxHashMap<Seq, BTreeSet<WatchNo>>,
    operations: FxHashMap<Box<str>, Bucket>,
    any: Bucket,
    hashes: RandomState,
}

/// Where a watch stands.
enum Place {
    Task(Seq),
    /// Under each of these.
    Operations(Vec<Box<str>>),
    Any,
}

/// Watches of one operation, or of any.
#[derive(Debug, Default)]
struct Bucket {
    loose: BTreeSet<WatchNo>,
    by_value: BTreeMap<Box<str>, ByValue>,
}

/// Watches that ask for a value at one path.
#[derive(Debug)]
struct ByValue {
    path: Path,
    values: FxHashMap<u64, BTreeSet<WatchNo>>,
}

impl Index {
    pub(super) fn insert(&mut self, no: WatchNo, query: &Query, key: IdKey) {
        let asked = self.asked(query);
        match place(query, key) {
            Place::Task(seq) => {
                self.tasks.entry(seq).or_default().insert(no);
            }
            Place::Operations(names) => {
                for name in names {
                    self.operations.entry(name).or_default().insert(no, asked.as_ref());
                }
            }
            Place::Any => self.any.insert(no, asked.as_ref()),
        }
    }

    pub(super) fn remove(&mut self, no: WatchNo, query: &Query, key: IdKey) {
        let asked = self.asked(query);
        match place(query, key) {
            Place::Task(seq) => {
                if let Some(all) = self.tasks.get_mut(&seq) {
                    all.remove(&no);
                    if all.is_empty() {
                        self.tasks.remove(&seq);
                    }
                }
            }
            Place::Operations(names) => {
                for name in names {
                    let Some(bucket) = self.operations.get_mut(&name) else { continue };
                    bucket.remove(no, asked.as_ref());
                    if bucket.is_empty() {
                        self.operations.remove(&name);
                    }
                }
            }
            Place::Any => self.any.remove(no, asked.as_ref()),
        }
    }

    /// Whether a step of this task may concern anybody.
    pub(super) fn concerns(&self, seq: Seq, operation: &str) -> bool {
        !self.any.is_empty()
            || self.operations.contains_key(operation)
            || self.tasks.contains_key(&seq)
    }

    /// Those whom a step may concern, each once, in order.
    pub(super) fn find(&self, look: &mut Look<'_>) -> Result<Vec<WatchNo>> {
        let mut found = Vec::new();
        found.extend(self.tasks.get(&look.step.seq).into_iter().flatten());
        self.any.find(look, &self.hashes, &mut found)?;
        if let Some(bucket) = self.operations.get(&*look.operation) {
            bucket.find(look, &self.hashes, &mut found)?;
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A value that the query asks for, and where.
    fn asked(&self, query: &Query) -> Option<(Path, u64)> {
        let fixed = |path: &Path| {
            matches!(
                path.field(),
                Some(Field::Data | Field::Id | Field::Label | Field::Parent | Field::ScheduleId)
            )
        };
        query.conjuncts().find_map(|predicate| match &predicate.test {
            Test::Eq(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)))
                if fixed(&predicate.path) =>
            {
                Some((predicate.path.clone(), self.hashes.hash_one(value)))
            }
            _ => None,
        })
    }
}

impl Bucket {
    fn is_empty(&self) -> bool {
        self.loose.is_empty() && self.by_value.is_empty()
    }

    fn insert(&mut self, no: WatchNo, asked: Option<&(Path, u64)>) {
        let Some((path, value)) = asked else {
            self.loose.insert(no);
            return;
        };
        let by_value = self
            .by_value
            .entry(text(path))
            .or_insert_with(|| ByValue { path: path.clone(), values: FxHashMap::default() });
        by_value.values.entry(*value).or_default().insert(no);
    }

    fn remove(&mut self, no: WatchNo, asked: Option<&(Path, u64)>) {
        let Some((path, value)) = asked else {
            self.loose.remove(&no);
            return;
        };
        let name = text(path);
        let Some(by_value) = self.by_value.get_mut(&name) else { return };
        if let Some(all) = by_value.values.get_mut(value) {
            all.remove(&no);
            if all.is_empty() {
                by_value.values.remove(value);
            }
        }
        if by_value.values.is_empty() {
            self.by_value.remove(&name);
        }
    }

    fn find(
        &self,
        look: &mut Look<'_>,
        hashes: &RandomState,
        found: &mut Vec<WatchNo>,
    ) -> Result<()> {
        found.extend(&self.loose);
        // Whoever had a task that is another now, or gone, must hear of it.
        let is_fixed = !look.step.is_update();
        for by_value in self.by_value.values() {
            let document = if is_fixed { look.document()? } else { None };
            let values = document.and_then(|document| by_value.path.scalars(document, VALUES_MAX));
            match values {
                Some(values) => {
                    let hashed = values.iter().map(|value| hashes.hash_one(value));
                    let sets = hashed.filter_map(|hash| by_value.values.get(&hash));
                    found.extend(sets.flatten());
                }
                None => found.extend(by_value.values.values().flatten()),
            }
        }
        Ok(())
    }
}

fn place(query: &Query, key: IdKey) -> Place {
    for predicate in query.conjuncts() {
        let field = predicate.path.whole_field();
        match (&predicate.test, field) {
            (Test::Eq(Value::String(text)), Some(Field::Uuid)) => {
                if let Ok(uuid) = uuid::Uuid::try_parse(text) {
                    return Place::Task(key.seq_of(TaskId(uuid)));
                }
            }
            (Test::Eq(Value::String(name)), Some(Field::Operation)) => {
                return Place::Operations(vec![name.to_string().into()]);
            }
            (Test::In(values), Some(Field::Operation)) => {
                let names = values.iter().filter_map(|value| match value {
                    Value::String(name) => Some(name.to_string().into()),
                    _ => None,
                });
                return Place::Operations(names.collect());
            }
            _ => {}
        }
    }
    Place::Any
}

fn text(path: &Path) -> Box<str> {
    let parts: Vec<&str> = path.parts().collect();
    parts.join(".").into()
}
