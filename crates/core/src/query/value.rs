//! Values as queries see them, and the one order in which they stand.
//!
//! Equality, ranges, `$in` and sorts all rest on [`Ord`] here: MongoDB's order across types, with
//! two decisions of our own: the order of an object's keys does not count, and a text is ordered by
//! its UTF-8 bytes.
//!
//! # Promises
//! - The order is total, and equal in it means equal for `$eq`.
//! - A stored text is never changed by being read; what cannot be a Rust string (half a surrogate
//!   pair) is read as U+FFFD instead of failing the query.
//!
//! Proof: the tests below and `query::tests`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A value of a document or a query.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// A number, never NaN; the infinities come from `priority` only.
    Number(f64),
    /// A text.
    String(Box<str>),
    /// An object.
    Object(Object),
    /// An array.
    Array(Vec<Value>),
    /// `true` or `false`.
    Bool(bool),
    /// A moment, in milliseconds since the epoch. Only engine fields and queries have dates: a date
    /// in `data` is the text that JSON made of it.
    Date(i64),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Value::String(text.into())
    }

    /// Its place in the order of types; values of one type are comparable.
    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Number(_) => 1,
            Value::String(_) => 2,
            Value::Object(_) => 3,
            Value::Array(_) => 4,
            Value::Bool(_) => 5,
            Value::Date(_) => 6,
        }
    }

    /// Their order if they are of one type, else nothing: a range never reaches into another type.
    pub(super) fn order_within_type(&self, other: &Self) -> Option<Ordering> {
        (self.rank() == other.rank()).then(|| self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => (a + 0.0).total_cmp(&(b + 0.0)), // -0 is 0
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Object(a), Value::Object(b)) => a.cmp(b),
            (Value::Array(a), Value::Array(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null => {}
            Value::Number(number) => (number + 0.0).to_bits().hash(state), // -0 is 0
            Value::String(text) => text.hash(state),
            Value::Object(object) => object.hash(state),
            Value::Array(items) => items.hash(state),
            Value::Bool(flag) => flag.hash(state),
            Value::Date(ms) => ms.hash(state),
        }
    }
}

/// An object: its members, sorted by name, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object(Vec<(Box<str>, Value)>);

impl Object {
    /// An object of these members. Of members with one name the last wins, as in `JSON.parse`.
    pub fn new(mut members: Vec<(Box<str>, Value)>) -> Self {
        members.sort_by(|a, b| a.0.cmp(&b.0)); // stable: the last of equals stays last
        members.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        debug_assert!(members.is_sorted_by(|a, b| a.0 < b.0), "members are looked up by halves");
        Self(members)
    }

    /// The value with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Its members, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Object {
    /// Member by member: the type of its value, its name, its value.
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        let mut orders = pairs.map(|((name_a, a), (name_b, b))| {
            a.rank().cmp(&b.rank()).then_with(|| name_a.cmp(name_b)).then_with(|| a.cmp(b))
        });
        orders.find(|order| order.is_ne()).unwrap_or_else(|| self.len().cmp(&other.len()))
    }
}

impl PartialOrd for Object {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::from_json(text).unwrap()
    }

    #[test]
    fn types_stand_in_the_order_of_mongodb() {
        let texts =
            ["null", "-1", "2.5", "1e3", r#""""#, r#""B""#, r#""a""#, "{}", r#"{"a":1}"#, "[]"];
        let mut values: Vec<Value> = texts.iter().map(|text| json(text)).collect();
        values.extend([json("[null]"), json("[1]"), json("[1,0]"), json("[[]]")]);
        values.extend([Value::Bool(false), Value::Bool(true), Value::Date(-1), Value::Date(7)]);
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        assert_eq!(json(r#"{"a":1,"b":{"c":2,"d":3}}"#), json(r#"{"b":{"d":3,"c":2},"a":1}"#));
        assert_ne!(json(r#"{"a":1,"b":2}"#), json(r#"{"a":1}"#));
    }

    #[test]
    fn the_last_of_two_members_with_one_name_wins() {
        assert_eq!(json(r#"{"a":1,"b":0,"a":2,"a":3}"#), json(r#"{"b":0,"a":3}"#));
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(json("-0"), json("0"));
        assert_eq!(json("[-0.0]"), json("[0]"));
    }
}
