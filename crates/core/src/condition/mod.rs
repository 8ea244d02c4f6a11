//! Conditions: what must hold at the start of a task, besides its own readiness.
//!
//! A condition `{ scope, query, limit }` holds while at most `limit` *other* tasks of its scope
//! match its query. So limit 1 lets two run, and limit 0 is exclusive. A negative limit never
//! holds: the task waits for ever. The conditions of a task are fixed when it is added, and all of
//! them have to hold.
//!
//! # Promises
//! - A condition looks only at what does not change while it counts: [`fields`]. Anything else is
//!   an error with its path when the task is added, so no condition can stall the queue later.
//! - Equal meaning that is seen without looking at tasks has one text: neither the order of names
//!   counts, nor whether an equality is written as `$eq`, nor an `$and` around it.
//! - What is written is read again as the same conditions.
//! - What a store has is read when somebody looks at it: most tasks start by what is known of their
//!   lane.
//!
//! # Left to others
//! Counting is the work of [`crate::dispatch`], the document that conditions look at is
//! [`crate::document::for_conditions`].
//!
//! Proof: `condition::tests`, `__test__/contract/conditions.test.mjs`.

mod canonical;
mod read;
mod cache;
pub mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::{Code, Error, Result};
use crate::query::{Field, Fields, Path, Query, Test, Value};
use crate::words::words;

pub use template::Template;

/// Which tasks a condition counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Those that run, are claimed, or have halted at a checkpoint of a run.
    Running = 0,
    /// Those that are ready and stand ahead of it in the queue, whatever holds them back.
    BeforeQueued = 1,
}

words!(Scope { Running "running", BeforeQueued "before-queued" });

/// One condition of a task.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Which tasks it counts.
    pub scope: Scope,
    /// How many others may match at most.
    pub limit: i64,
    query: Query,
    /// The scope and the canonical text of the query.
    key: Box<str>,
}

impl Condition {
    /// Whether it holds for no number of others.
    pub fn never_holds(&self) -> bool {
        self.limit < 0
    }

    /// Whether it holds beside so many others.
    pub fn holds(&self, others: u64) -> bool {
        u64::try_from(self.limit).is_ok_and(|limit| others <= limit)
    }

    /// Whether it counts a task, given the document of that with its fields.
    pub fn matches(&self, task: &Value) -> bool {
        self.query.matches(task)
    }

    /// Which fields of a task it looks at.
    pub fn fields(&self) -> Fields {
        self.query.fields()
    }

    /// Every path that it looks at, some more than once.
    pub fn paths(&self) -> Vec<&Path> {
        self.query.paths()
    }

    /// What a task that it counts has for sure: a value at a path, by path.
    pub fn equalities(&self) -> Vec<(&Path, &Value)> {
        let is_scalar = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_));
        let equal = self.query.conjuncts().filter_map(|predicate| match &predicate.test {
            Test::Eq(value) if is_scalar(value) => Some((&predicate.path, value)),
            _ => None,
        });
        let mut equal: Vec<_> = equal.collect();
        equal.sort();
        equal.dedup_by(|b, a| a.0 == b.0);
        equal
    }

    /// The operation of all tasks that it counts, if it names one.
    pub fn operation(&self) -> Option<&str> {
        let equal = self.equalities();
        let is_name = |path: &Path| path.field() == Some(Field::Operation);
        match equal.into_iter().find(|(path, _)| is_name(path))?.1 {
            Value::String(name) => Some(name),
            _ => None,
        }
    }

    /// What names the tasks that it counts: conditions with one key count the same.
    pub fn counter_key(&self) -> &str {
        &self.key
    }

    /// The canonical text of its query.
    fn query_text(&self) -> &str {
        self.key.get(self.scope.as_str().len() + 1..).unwrap_or_default()
    }
}

/// Which fields a condition of this scope may look at.
pub const fn fields(scope: Scope) -> Fields {
    let fields = Fields::NONE.with(Field::Operation).with(Field::Data).with(Field::Id);
    let fields = fields.with(Field::Label).with(Field::Tags);
    match scope {
        Scope::Running => fields.with(Field::Priority),
        Scope::BeforeQueued => fields,
    }
}

/// Reads the query of a hold, which looks at what a condition of the scope running may look at.
///
/// # Errors
/// `InvalidQuery` with the path of what is wrong, below `path`.
pub(crate) fn query_of_hold(given: &Value, path: &str) -> Result<Query> {
    read::query_of(given, path, &read::ALLOWED_BY_HOLD).map(|(query, _)| query)
}

/// The conditions of a task. Most tasks have none, and these cost them one word.
#[derive(Clone, Default)]
pub struct Conditions(Option<Arc<List>>);

struct List {
    /// Those of the text; nothing before somebody looks at them.
    all: OnceLock<Box<[Condition]>>,
    text: Box<str>,
}

impl Conditions {
    /// No conditions.
    pub const NONE: Conditions = Conditions(None);

    /// Reads a list of conditions that stands at `path`, as it was given.
    ///
    /// # Errors
    /// `Invalid`, `InvalidQuery` or `TooLarge` with a path such as `concurrency[0].query.seq`.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        cache::read(text, path)
    }

    /// Those of a text that [`Conditions::text`] gave, unread: [`Conditions::check`] says whether
    /// they can be.
    pub fn stored(text: &str) -> Self {
        if text == Self::NONE.text() {
            return Self::NONE;
        }
        Self(Some(Arc::new(List { all: OnceLock::new(), text: text.into() })))
    }

    /// Whether a stored text is one of conditions. Without that it has none.
    ///
    /// # Errors
    /// `Corrupt` if it is not.
    pub fn check(&self) -> Result<()> {
        if self.is_none() || self.count() > 0 {
            return Ok(());
        }
        Err(Error::new(Code::Corrupt, "the stored conditions of a task cannot be read"))
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Condition> {
        self.0.as_ref().map(|list| list.all().iter()).unwrap_or_default()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.iter().len()
    }

    /// The last ones of them, so many.
    pub fn last(&self, count: usize) -> Self {
        let all: Vec<_> = self.iter().skip(self.count().saturating_sub(count)).cloned().collect();
        if all.len() == self.count() { self.clone() } else { Self::of(all) }
    }

    /// Their canonical JSON text.
    pub fn text(&self) -> &str {
        self.0.as_ref().map_or("[]", |list| &list.text)
    }

    /// How many bytes their text has; none if there are none.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |list| list.text.len())
    }

    /// These and those; `path` is where they are said together.
    ///
    /// # Errors
    /// `TooLarge` if that is more than a task may have.
    pub fn and(&self, more: &Self, path: &str) -> Result<Self> {
        match (&self.0, &more.0) {
            (_, None) => Ok(self.clone()),
            (None, _) => Ok(more.clone()),
            (Some(these), Some(those)) => {
                let all: Vec<_> = these.all().iter().chain(those.all()).cloned().collect();
                read::check_count(all.len(), path)?;
                let all = Self::of(all);
                read::check_bytes(all.text(), path)?;
                Ok(all)
            }
        }
    }

    fn of(all: Vec<Condition>) -> Self {
        if all.is_empty() {
            return Self::NONE;
        }
        let mut text = "[".to_owned();
        for (index, condition) in all.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text += &condition.to_string();
        }
        text.push(']');
        Self(Some(Arc::new(List { all: OnceLock::from(Box::from(all)), text: text.into() })))
    }
}

impl List {
    fn all(&self) -> &[Condition] {
        self.all.get_or_init(|| read::all(&self.text, "concurrency").unwrap_or_default().into())
    }
}

impl fmt::Display for Condition {
    /// Its canonical JSON text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, query, limit) = (self.scope.as_str(), self.query_text(), self.limit);
        write!(f, "{{\"scope\":\"{scope}\",\"query\":{query},\"limit\":{limit}}}")
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Conditions {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(these), Some(those)) => Arc::ptr_eq(these, those) || these.text == those.text,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl Eq for Conditions {}

impl<'c> IntoIterator for &'c Conditions {
    type Item = &'c Condition;
    type IntoIter = std::slice::Iter<'c, Condition>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
