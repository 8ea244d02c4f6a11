//! Dotted paths, and which values they lead to.
//!
//! A path goes through arrays as MongoDB's does: `data.lines.sku` looks into each object of
//! `lines`, and a part that is a number is a place in the array or a name, whichever is there.
//!
//! # Promises
//! - A path is compiled once; following it allocates nothing.
//! - One path leads into one document in bounded time: each part that is a number may double the
//!   ways, so a path has at most [`QUERY_DEPTH_MAX`] of them (I-17).
//!
//! Proof: `query::tests`, each rule of MongoDB's path iterator with an example.

use std::collections::BTreeSet;

use super::field::Field;
use super::value::{Object, Value};
use crate::error::{Code, Error, Result};
use crate::limits::{JSON_DEPTH_MAX, QUERY_DEPTH_MAX};

/// A dotted path, compiled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Where in the document it begins; nothing if it begins at a member of an array.
    field: Option<Field>,
    parts: Box<[Part]>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Part {
    name: Box<str>,
    /// The place in an array that it means, if it is a number.
    index: Option<usize>,
}

impl Path {
    /// Compiles a path; `at` is its place in the query, for the error.
    pub(super) fn parse(text: &str, at: &str) -> Result<Self> {
        let first = text.split('.').next().unwrap_or_default();
        let field = Field::from_name(first).ok_or_else(|| unknown_field(first, at))?;
        Self::from(Some(field), text, at)
    }

    /// Compiles a path that begins at a member of an array; any name is allowed.
    pub(super) fn parse_inner(text: &str, at: &str) -> Result<Self> {
        Self::from(None, text, at)
    }

    /// The path to where it begins: to a member of an array itself.
    pub(super) fn here() -> Self {
        Self { field: None, parts: Box::default() }
    }

    fn from(field: Option<Field>, text: &str, at: &str) -> Result<Self> {
        let parts: Box<[Part]> = text.split('.').map(Part::new).collect();
        let numbers = parts.iter().filter(|part| part.index.is_some()).count();
        if parts.len() > JSON_DEPTH_MAX || numbers > QUERY_DEPTH_MAX {
            let message = format!(
                "a path has at most {JSON_DEPTH_MAX} parts, {QUERY_DEPTH_MAX} of them numbers"
            );
            return Err(Error::at(Code::InvalidQuery, at, message));
        }
        Ok(Self { field, parts })
    }

    /// The field of the document where it begins; nothing if it begins at a member of an array.
    pub fn field(&self) -> Option<Field> {
        self.field
    }

    /// The field that it names itself, not something inside it.
    pub fn whole_field(&self) -> Option<Field> {
        self.field.filter(|_| self.parts.len() == 1)
    }

    /// Its parts; the first is the name of the field.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_ref())
    }

    /// The values that a document has here as far as an equality can see, but for arrays and
    /// objects; nothing if there are more than `max`. What is missing is `null`.
    pub fn scalars<'v>(&self, document: &'v Value, max: usize) -> Option<Scalars<'v>> {
        let mut seen = Scalars { first: None, more: BTreeSet::new(), max };
        let is_full = self.walk(document, &mut seen);
        (!is_full).then_some(seen)
    }

    /// Shows `visit` what the path leads to from a document or a member of an array, until it has
    /// seen enough; `true` if it has.
    pub(super) fn walk<'v>(&self, from: &'v Value, visit: &mut impl Visit<'v>) -> bool {
        match (self.parts.split_first(), from) {
            (None, _) => visit.item(from),
            (_, Value::Object(object)) => in_object(object, &self.parts, visit),
            // MongoDB takes an array that is a member of an array for an object of its places.
            (Some((part, rest)), Value::Array(items)) => {
                match part.index.and_then(|index| items.get(index)) {
                    Some(item) => at_value(item, rest, visit),
                    None => visit.leaf(None),
                }
            }
            _ => visit.leaf(None),
        }
    }
}

impl Part {
    fn new(name: &str) -> Self {
        let index = name.parse().ok().filter(|index: &usize| index.to_string() == name);
        Self { name: name.into(), index }
    }
}

fn unknown_field(name: &str, at: &str) -> Error {
    let known: Vec<&str> = Field::ALL.iter().map(|field| field.as_str()).collect();
    let message = format!("a task has no field `{name}`; it has {}", known.join(", "));
    Error::at(Code::InvalidQuery, at, message)
}

/// One who is shown what a path leads to. Each answer says whether it has seen enough.
pub(super) trait Visit<'v> {
    /// Whether a number after an array is only ever a place in it, never a name in its members.
    const PLACES_ONLY: bool;

    /// The path ends here, at a value or at nothing.
    fn leaf(&mut self, value: Option<&'v Value>) -> bool;

    /// The path ends here at a place of an array that it names by number.
    fn item(&mut self, value: &'v Value) -> bool;

    /// A member of an array is no object and so the path does not lead into it.
    fn stray(&mut self) -> bool;
}

/// What [`Path::scalars`] finds, each value once. Most documents have one, which allocates nothing.
#[derive(Debug)]
pub struct Scalars<'v> {
    first: Option<&'v Value>,
    more: BTreeSet<&'v Value>,
    max: usize,
}

impl<'v> Scalars<'v> {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'v Value> {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    /// The one that there is, if there is one and no other.
    pub fn only(&self) -> Option<&'v Value> {
        self.first.filter(|_| self.more.is_empty())
    }

    fn take(&mut self, value: &'v Value) -> bool {
        match self.first {
            _ if matches!(value, Value::Array(_) | Value::Object(_)) => {}
            None => self.first = Some(value),
            Some(first) if first == value => {}
            Some(_) => drop(self.more.insert(value)),
        }
        usize::from(self.first.is_some()) + self.more.len() > self.max
    }
}

impl<'v> Visit<'v> for Scalars<'v> {
    const PLACES_ONLY: bool = false;

    fn leaf(&mut self, value: Option<&'v Value>) -> bool {
        match value {
            None => self.take(&Value::Null),
            Some(Value::Array(items)) => items.iter().any(|item| self.take(item)),
            Some(value) => self.take(value),
        }
    }

    fn item(&mut self, value: &'v Value) -> bool {
        self.take(value)
    }

    fn stray(&mut self) -> bool {
        false
    }
}

fn in_object<'v>(object: &'v Object, parts: &[Part], visit: &mut impl Visit<'v>) -> bool {
    debug_assert!(!parts.is_empty(), "a path that ends here leads to the object itself");
    let Some((part, rest)) = parts.split_first() else { return false };
    match object.get(&part.name) {
        Some(value) => at_value(value, rest, visit),
        None => visit.leaf(None),
    }
}

fn at_value<'v>(value: &'v Value, rest: &[Part], visit: &mut impl Visit<'v>) -> bool {
    match value {
        _ if rest.is_empty() => visit.leaf(Some(value)),
        Value::Object(object) => in_object(object, rest, visit),
        Value::Array(items) => in_array(items, rest, visit),
        _ => visit.leaf(None),
    }
}

fn in_array<'v, V: Visit<'v>>(items: &'v [Value], parts: &[Part], visit: &mut V) -> bool {
    debug_assert!(!parts.is_empty(), "a path that ends here leads to the array itself");
    let Some((part, rest)) = parts.split_first() else { return false };
    match part.index {
        Some(index) if V::PLACES_ONLY => match items.get(index) {
            Some(item) => at_value(item, rest, visit),
            None => visit.leaf(None),
        },
        place => items.iter().enumerate().any(|(index, item)| match item {
            Value::Object(object) => {
                in_object(object, parts, visit)
                    || place == Some(index) && at_place(item, rest, visit)
            }
            _ if place == Some(index) => at_place(item, rest, visit),
            _ => visit.stray(),
        }),
    }
}

/// At the place of an array that the path names by number.
fn at_place<'v>(item: &'v Value, rest: &[Part], visit: &mut impl Visit<'v>) -> bool {
    match item {
        _ if rest.is_empty() => visit.item(item),
        Value::Object(object) => in_object(object, rest, visit),
        Value::Array(items) => in_array(items, rest, visit),
        _ => visit.stray(),
    }
}
