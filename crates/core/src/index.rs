//! Own fields: the paths that a user declares, so that queries by them need not read every task.
//!
//! What an entry of such an index holds is a [`Key`]: one typed value. Whatever is not one, such as
//! an array, stands under [`Key::Other`], which every search reads too. So an index only ever finds
//! too many tasks, and `core::query` decides.
//!
//! # Promises
//! - [`ranges`] leaves out no task: what a test accepts has its key in one of them, or has none
//!   because the task has nothing there and the test asks for something.
//!
//! # Left to others
//! How an index is made and kept is the backend's.
//!
//! Proof: the tests below, `crates/sqlite/tests/indexes.rs`.

use std::fmt;

use crate::argument;
use crate::error::{Error, Result};
use crate::limits::{INDEX_PATH_BYTES_MAX, INDEXES_MAX, QUERY_DEPTH_MAX};
use crate::query::{Field, Path, Test, Value};
use crate::range::Range;

/// Characters of a text that its key holds: a longer one is found by its beginning.
pub const KEY_CHARS: usize = 128;

/// A path that may be indexed: `data`, `id`, `label`, or one into `data` or `id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexPath(Box<str>);

impl IndexPath {
    /// The path with this text, if it may be indexed.
    pub fn new(text: &str) -> Option<IndexPath> {
        fault(text).is_none().then(|| IndexPath(text.into()))
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names that it is made of; the first is that of a field.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The path as it may be indexed, if it may.
    pub fn of(path: &Path) -> Option<IndexPath> {
        let names: Vec<&str> = path.parts().collect();
        path.field()?;
        IndexPath::new(&names.join("."))
    }
}

impl fmt::Display for IndexPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a path cannot be indexed, and what to do.
fn fault(path: &str) -> Option<String> {
    let first = path.split('.').next().and_then(Field::from_name);
    let is_inside = path.contains('.');
    let is_field = match first {
        Some(Field::Data | Field::Id) => true,
        Some(Field::Label | Field::ScheduleId) => !is_inside,
        _ => false,
    };
    if !is_field {
        let text =
            "must be a path into `data` or `id`, such as 'data.book', `label` or `scheduleId`";
        return Some(text.into());
    }
    if path.len() > INDEX_PATH_BYTES_MAX || path.split('.').count() > QUERY_DEPTH_MAX {
        return Some(format!(
            "must have at most {INDEX_PATH_BYTES_MAX} bytes and {QUERY_DEPTH_MAX} names"
        ));
    }
    if path.split('.').any(str::is_empty) {
        return Some("has an empty name; write 'data.book'".into());
    }
    // U+FFFD also stands for half a surrogate pair, which no store can look for.
    let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\\' | '\u{fffd}');
    let what = "must not contain a double quote, a backslash or a control character";
    path.contains(is_odd).then(|| what.into())
}

/// The paths of the option `indexes`, each once, from JSON.
///
/// # Errors
/// `Invalid` with the path of what is wrong, such as `indexes[0]`.
pub fn read(text: &str) -> Result<Vec<IndexPath>> {
    let what = "must be a list of paths, such as ['data.book']";
    let items = argument::split(text, "indexes").map_err(|_| Error::invalid("indexes", what))?;
    if items.len() > INDEXES_MAX {
        return Err(Error::invalid("indexes", format!("must be at most {INDEXES_MAX} paths")));
    }
    let mut paths = Vec::new();
    for (i, item) in items.into_iter().enumerate() {
        let at = format!("indexes[{i}]");
        let text = argument::as_text(item.get());
        let text =
            text.ok_or_else(|| Error::invalid(&at, "must be a text, such as 'data.book'"))?;
        let path = match fault(&text) {
            Some(what) => return Err(Error::invalid(&at, what)),
            None => IndexPath(text.into()),
        };
        if paths.contains(&path) {
            return Err(Error::invalid(&at, "stands in the list twice; name each path once"));
        }
        paths.push(path);
    }
    Ok(paths)
}

/// What an index holds of one task.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// A number.
    Number(f64),
    /// The first [`KEY_CHARS`] characters of a text.
    Text(Box<str>),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// Anything else: an array or an object, what lies inside an array, a text that SQLite and we
    /// may read in two ways.
    Other,
}

/// Which entries to look at. Keys of different types are never between two of one.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyRange {
    /// Those with this key.
    Is(Key),
    /// Numbers.
    Numbers(Range<f64>),
    /// Texts from the first on, up to the second and all that begin like it, if there is one.
    Texts(Box<str>, Option<Box<str>>),
    /// All.
    Every,
}

/// Where the keys stand of what a test accepts; nothing if it may accept a task that has no key.
pub fn ranges(test: &Test) -> Option<Vec<KeyRange>> {
    let mut ranges = match test {
        Test::Eq(value) => vec![equal(value)?],
        Test::In(values) => values.iter().map(equal).collect::<Option<Vec<_>>>()?,
        Test::Gt(value) | Test::Gte(value) => beyond(value, true)?,
        Test::Lt(value) | Test::Lte(value) => beyond(value, false)?,
        Test::Exists(true) => return Some(vec![KeyRange::Every]),
        Test::Ne(_)
        | Test::Nin(_)
        | Test::Exists(false)
        | Test::Type(_)
        | Test::Mod { .. }
        | Test::Matches(_)
        | Test::Size(_)
        | Test::Element(_) => return None,
    };
    let other = KeyRange::Is(Key::Other);
    ranges.retain(|range| *range != other);
    ranges.push(other);
    Some(ranges)
}

/// Narrows the ranges of one test by those of another on the same path. A value that is no array
/// meets both; what is one stands under [`Key::Other`], and is in both.
pub fn narrow(one: Vec<KeyRange>, other: Vec<KeyRange>) -> Vec<KeyRange> {
    match (one.first(), other.first()) {
        (Some(KeyRange::Numbers(a)), Some(KeyRange::Numbers(b)))
            if (one.len(), other.len()) == PAIR =>
        {
            let both = Range { low: a.low.max(b.low), high: a.high.min(b.high) };
            vec![KeyRange::Numbers(both), KeyRange::Is(Key::Other)]
        }
        (Some(KeyRange::Texts(a, to_a)), Some(KeyRange::Texts(b, to_b)))
            if (one.len(), other.len()) == PAIR =>
        {
            let high = match (to_a, to_b) {
                (Some(a), Some(b)) => Some(a.min(b).clone()),
                (high, None) | (None, high) => high.clone(),
            };
            vec![KeyRange::Texts(a.max(b).clone(), high), KeyRange::Is(Key::Other)]
        }
        (Some(KeyRange::Every), _) => other,
        _ => one,
    }
}

/// One range and that of all other keys.
const PAIR: (usize, usize) = (2, 2);

/// Where a value stands; `null` equals what is not there.
fn equal(value: &Value) -> Option<KeyRange> {
    Some(match value {
        Value::Null => return None,
        Value::Number(number) => {
            KeyRange::Numbers(Range { low: below(*number), high: above(*number) })
        }
        Value::String(text) => KeyRange::Texts(begin(text), Some(begin(text))),
        Value::Bool(flag) => KeyRange::Is(Key::Bool(*flag)),
        // A task's JSON has no dates.
        Value::Object(_) | Value::Array(_) | Value::Date(_) => KeyRange::Is(Key::Other),
    })
}

/// Where stands what is greater or less than a value, or equal.
fn beyond(value: &Value, is_up: bool) -> Option<Vec<KeyRange>> {
    Some(match (value, is_up) {
        (Value::Null, _) => return None,
        (Value::Number(number), true) => {
            vec![KeyRange::Numbers(Range { low: below(*number), high: f64::INFINITY })]
        }
        (Value::Number(number), false) => {
            vec![KeyRange::Numbers(Range { low: f64::NEG_INFINITY, high: above(*number) })]
        }
        (Value::String(text), true) => vec![KeyRange::Texts(begin(text), None)],
        (Value::String(text), false) => vec![KeyRange::Texts("".into(), Some(begin(text)))],
        (Value::Bool(_), _) => [false, true].map(|flag| KeyRange::Is(Key::Bool(flag))).into(),
        (Value::Object(_) | Value::Array(_) | Value::Date(_), _) => Vec::new(),
    })
}

/// The part of a text that its key holds.
fn begin(text: &str) -> Box<str> {
    let end = text.char_indices().nth(KEY_CHARS).map_or(text.len(), |(at, _)| at);
    text[..end].into()
}

/// A number may be read from its digits in two ways that differ in the last bits, so a little more
/// is looked at.
fn below(number: f64) -> f64 {
    let finite = number.min(f64::MAX);
    finite - finite.abs() * 1e-12 - 1e-300
}

fn above(number: f64) -> f64 {
    -below(-number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::query::Query;

    fn of(test: &str) -> Option<Vec<KeyRange>> {
        let query = Query::parse(&format!(r#"{{"data.a":{test}}}"#)).unwrap();
        ranges(&query.conjuncts().next().unwrap().test)
    }

    #[test]
    fn what_a_missing_value_may_match_is_not_looked_up() {
        for test in ["null", r#"{"$in":[1,null]}"#, r#"{"$ne":1}"#, r#"{"$exists":false}"#] {
            assert_eq!(of(test), None, "{test}");
        }
        for test in [r#"{"$gte":null}"#, r#"{"$type":"null"}"#, r#"{"$size":0}"#] {
            assert_eq!(of(test), None, "{test}");
        }
    }

    #[test]
    fn every_search_looks_at_what_is_no_plain_value() {
        let other = KeyRange::Is(Key::Other);
        for test in [r#""a""#, "1", "true", "[1]", r#"{"b":1}"#, r#"{"$gt":"a"}"#, r#"{"$lt":5}"#] {
            assert_eq!(of(test).unwrap().last(), Some(&other), "{test}");
        }
        assert_eq!(of("[1]").unwrap(), [other]);
        assert_eq!(of(r#"{"$exists":true}"#).unwrap(), [KeyRange::Every]);
    }

    #[test]
    fn a_long_text_is_looked_up_by_its_beginning() {
        let text = "é".repeat(KEY_CHARS + 1);
        let key: Box<str> = "é".repeat(KEY_CHARS).into();
        let range = KeyRange::Texts(key.clone(), Some(key));
        assert_eq!(of(&format!("{text:?}")).unwrap()[0], range);
    }

    #[test]
    fn a_number_is_looked_up_with_its_neighbours_whatever_it_is() {
        for number in [0.0, -0.0, 1.0, -1e20, 5e-324, f64::MAX, f64::MIN, f64::INFINITY] {
            for number in [number, -number] {
                let (low, high) = (below(number), above(number));
                assert!(low <= number.next_down().max(f64::NEG_INFINITY), "{number}: {low}");
                assert!(high >= number.next_up().min(f64::INFINITY), "{number}: {high}");
            }
        }
    }

    #[test]
    fn two_bounds_of_one_path_narrow_together() {
        let (low, high) = (of(r#"{"$gte":"b"}"#).unwrap(), of(r#"{"$lt":"d"}"#).unwrap());
        let both = KeyRange::Texts("b".into(), Some("d".into()));
        assert_eq!(narrow(low, high)[0], both);
        let (low, high) = (of(r#"{"$gt":1}"#).unwrap(), of(r#"{"$lt":3}"#).unwrap());
        let KeyRange::Numbers(both) = &narrow(low, high)[0] else { panic!() };
        assert!(both.low <= 1.0 && both.low > 0.9 && both.high >= 3.0 && both.high < 3.1);
    }

    #[test]
    fn a_path_that_cannot_be_indexed_is_refused_with_its_place() {
        let most = format!("data.{}", "x".repeat(INDEX_PATH_BYTES_MAX - 5));
        let list = |paths: &[&str]| read(&serde_json::to_string(paths).unwrap());
        assert!(list(&["data.book", "data", "id", "id.a", "label", "scheduleId", &most]).is_ok());
        let long = format!("{most}x");
        let deep = "data".to_owned() + &".a".repeat(QUERY_DEPTH_MAX);
        for path in [
            "book",
            "",
            "tags",
            "data.",
            "data..a",
            "label.a",
            "scheduleId.a",
            "result.a",
            &long,
            &deep,
        ] {
            let error = list(&["data.a", path]).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{path}");
            assert_eq!(error.facts().path.as_deref(), Some("indexes[1]"), "{path}");
        }
        for path in ["data.a\"b", "data.a\\b", "data.a\nb", "data.\u{fffd}"] {
            assert!(list(&[path]).is_err(), "{path}");
        }
        assert!(list(&["data.a", "data.a"]).is_err() && read("7").is_err() && read("[7]").is_err());
    }

    #[test]
    fn the_paths_of_a_tasker_are_bounded_in_number() {
        let paths = |count| {
            let paths: Vec<_> = (0..count).map(|n| format!("data.p{n}")).collect();
            read(&serde_json::to_string(&paths).unwrap())
        };
        assert!(paths(INDEXES_MAX - 1).is_ok() && paths(INDEXES_MAX).is_ok());
        assert!(paths(INDEXES_MAX + 1).is_err());
    }
}
