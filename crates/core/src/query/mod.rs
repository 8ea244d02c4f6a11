//! The query language: MongoDB's semantics over the task document.
//!
//! One matcher is the truth. A search may narrow what it looks at by [`Query::conjuncts`], but
//! only [`Query::matches`] decides, before sort, skip and limit.
//!
//! Spoken here: equality, `$eq $ne $gt $gte $lt $lte $in $nin $exists $type $mod $regex $size $all
//! $elemMatch`, `$not` on a field, `$and $or $nor`, dotted paths through arrays. `null` matches
//! what is missing; a range stays within its type; an array matches by one of its members or as a
//! whole; `$ne` and `$nin` are the negations of `$eq` and `$in`. Two things differ from MongoDB:
//! the order of an object's keys does not count (documents here are JSON), and what cannot be meant
//! is refused instead of matching nothing: an unknown field, an operator inside a value, an
//! `$exists` that is not a boolean. `docs/guide/queries.md` has the table of what differs.
//!
//! # Promises
//! - Whatever is not understood is [`Code::InvalidQuery`](crate::error::Code::InvalidQuery) with
//!   its path; nothing is ignored.
//! - Depth, size and paths are bounded (see [`crate::limits`]), so a query costs bounded time per
//!   document and cannot overflow the stack (I-17).
//! - Matching allocates nothing, but for what a regular expression keeps for its next search.
//!
//! # Left to others
//! Making the document is [`crate::document`]'s work, finding candidates [`crate::search`]'s.
//!
//! Proof: `query::tests` (MongoDB's rules as tables, the laws as properties).

mod place;
pub mod field;
pub mod value;
mod write;
pub mod path;
pub mod part;
mod read;
mod kind;
pub mod pattern;
mod operand;
mod parse;
mod matcher;
pub mod sort;
pub mod projection;
#[cfg(test)]
mod tests;

use crate::error::Result;

pub use field::{Field, Fields};
pub use kind::Kinds;
pub use parse::Allowed;
pub use part::Parts;
pub use path::Path;
pub use pattern::Pattern;
pub use projection::Projection;
pub use sort::{Direction, Sort, SortKey};
pub use value::{Object, Value};

/// A query, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    all: Vec<Node>,
    fields: Fields,
}

/// What has to hold; a list of nodes is their conjunction.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Test(Predicate),
    /// One of them at least: none of an empty list.
    Any(Vec<Vec<Node>>),
    Nor(Vec<Vec<Node>>),
    Not(Vec<Node>),
}

/// A test of what one path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// Where to look.
    pub path: Path,
    /// What to find there.
    pub test: Test,
}

/// What to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `$eq`, or a plain value.
    Eq(Value),
    /// `$ne`: not `$eq`.
    Ne(Value),
    /// `$gt`
    Gt(Value),
    /// `$gte`
    Gte(Value),
    /// `$lt`
    Lt(Value),
    /// `$lte`
    Lte(Value),
    /// `$in`: sorted, each value once.
    In(Vec<Value>),
    /// `$nin`, not `$in`: sorted, each value once.
    Nin(Vec<Value>),
    /// `$exists`
    Exists(bool),
    /// `$type`
    Type(Kinds),
    /// `$mod`: the whole part of a number has this remainder.
    Mod {
        /// Not zero.
        divisor: i64,
        /// What is left, with the sign of the number.
        remainder: i64,
    },
    /// `$regex`: a text in which the pattern is found.
    Matches(Pattern),
    /// `$size`: an array of so many members.
    Size(usize),
    /// `$elemMatch`: an array with a member that matches.
    Element(Element),
}

/// What one member of an array has to meet, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Whether it is asked for what is in the member, so that only an object or an array can match.
    is_inside: bool,
    all: Vec<Node>,
}

impl Query {
    /// The query that every task matches.
    pub fn all() -> Self {
        Self { all: Vec::new(), fields: Fields::default() }
    }

    /// Compiles a query from its JSON text; dates in it are `{"$date": ms}`, regular expressions
    /// `{"$regularExpression": {"pattern": "…", "options": "i"}}`, and an infinite `priority` is
    /// the text `"Infinity"` or `"-Infinity"`.
    ///
    /// # Errors
    /// `InvalidQuery` with the path of the fault, such as `query.$or[1].data.book.$regex`.
    pub fn parse(text: &str) -> Result<Self> {
        parse::query(text)
    }

    /// Compiles a query that stands at the path `at`, has been read, and may look at some fields
    /// only.
    ///
    /// # Errors
    /// As [`Query::parse`], with paths that begin with `at`.
    pub fn of_value(value: &Value, at: &str, allowed: Allowed) -> Result<Self> {
        parse::of_value(value, at, allowed)
    }

    /// Compiles a query of any object, such as an error, that stands at the path `at` and has been
    /// read.
    ///
    /// # Errors
    /// As [`Query::of_value`]; no name is unknown.
    pub fn of_any(value: &Value, at: &str) -> Result<Self> {
        parse::of_any(value, at)
    }

    /// Whether every task matches, whatever it is.
    pub fn is_all(&self) -> bool {
        self.all.is_empty()
    }

    /// Which fields of a document it looks at.
    pub fn fields(&self) -> Fields {
        self.fields
    }

    /// Whether it looks at the field with this name.
    pub fn uses(&self, name: &str) -> bool {
        Field::from_name(name).is_some_and(|field| self.fields.has(field))
    }

    /// Predicates that all have to hold, those inside a nested `$and` too. The query may ask for
    /// more: who narrows by them still asks [`Query::matches`].
    pub fn conjuncts(&self) -> impl Iterator<Item = &Predicate> {
        self.all.iter().filter_map(|node| match node {
            Node::Test(predicate) => Some(predicate),
            _ => None,
        })
    }

    /// Every path of the document that it looks at, some more than once.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        gather_paths(&self.all, &mut paths);
        paths
    }

    /// Whether a document matches that has at least the fields of [`Query::fields`] (see
    /// [`crate::document::value`]).
    pub fn matches(&self, document: &Value) -> bool {
        matcher::all(&self.all, document)
    }
}

/// Paths within `$elemMatch` begin at a member of an array that another path leads to.
fn gather_paths<'q>(nodes: &'q [Node], paths: &mut Vec<&'q Path>) {
    for node in nodes {
        match node {
            Node::Test(predicate) => paths.push(&predicate.path),
            Node::Any(parts) | Node::Nor(parts) => {
                parts.iter().for_each(|part| gather_paths(part, paths));
            }
            Node::Not(part) => gather_paths(part, paths),
        }
    }
}
