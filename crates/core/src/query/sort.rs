//! In which order tasks are found, if the caller says so.
//!
//! MongoDB's rules: types stand in one order (see [`super::value`]), a missing value is `null`, and
//! an array stands where its smallest member would (ascending) or its largest (descending); an
//! empty one stands before `null`. A number in a path is a place if it comes upon an array.
//!
//! # Promises
//! - The order is total on keys: sorting never depends on the order of comparisons.
//! - Equal documents keep the order they had, if the caller's sort is stable.
//!
//! Proof: the tests below.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};

use super::field::{Field, Fields};
use super::path::{Path, Visit};
use super::place::fault;
use super::value::Value;
use crate::error::Result;
use crate::limits::SORT_FIELDS_MAX;

/// An order of tasks, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    path: Path,
    is_descending: bool,
}

/// Which of two numbers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The lesser one.
    Up,
    /// The greater one.
    Down,
}

/// All that has to be kept of a document in order to sort it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey(Box<[Place<Value>]>);

/// Where a document stands in one term: before everything, or by a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place<V> {
    EmptyArray,
    At(V),
}

impl Sort {
    /// Compiles a sort from its JSON text, `{"priority": -1, "data.n": 1}`; the order of the names
    /// counts.
    ///
    /// # Errors
    /// `InvalidQuery` with the path of the fault, such as `sort.priority`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(Terms).and_then(|terms| reader.end().map(|()| terms));
        let read = read.map_err(|_| fault("sort", "must be an object of paths, each 1 or -1"))?;
        if read.len() > SORT_FIELDS_MAX {
            return Err(fault("sort", format!("has at most {SORT_FIELDS_MAX} fields")));
        }
        let terms = read.into_iter().map(|(name, value)| Term::parse(&name, &value));
        Ok(Self { terms: terms.collect::<Result<_>>()? })
    }

    /// Which fields of a document it looks at.
    pub fn fields(&self) -> Fields {
        let fields = self.terms.iter().filter_map(|term| term.path.field());
        fields.fold(Fields::default(), Fields::with)
    }

    /// What decides first, if that is a whole field, and in which direction.
    pub fn first(&self) -> Option<(Field, Direction)> {
        let first = self.terms.first()?;
        let direction = if first.is_descending { Direction::Down } else { Direction::Up };
        Some((first.path.whole_field()?, direction))
    }

    /// Which of two documents comes first; both have at least [`Sort::fields`].
    pub fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let orders = self.terms.iter().map(|term| term.compare(&term.place(a), &term.place(b)));
        first_difference(orders)
    }

    /// What to keep of a document, when it is too large to be kept until all are known.
    pub fn key(&self, document: &Value) -> SortKey {
        SortKey(self.terms.iter().map(|term| term.place(document).into_owned()).collect())
    }

    /// Which of two keys of this sort comes first; the same answer as [`Sort::compare`].
    pub fn compare_keys(&self, a: &SortKey, b: &SortKey) -> Ordering {
        let lens = (a.0.len(), b.0.len());
        debug_assert_eq!(lens, (self.terms.len(), self.terms.len()), "keys of another sort");
        let places = a.0.iter().zip(&b.0);
        first_difference(self.terms.iter().zip(places).map(|(term, (a, b))| term.compare(a, b)))
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl Term {
    fn parse(name: &str, value: &serde_json::Value) -> Result<Self> {
        let at = format!("sort.{name}");
        let path = Path::parse(name, &at)?;
        match value.as_f64() {
            Some(1.0) => Ok(Self { path, is_descending: false }),
            Some(-1.0) => Ok(Self { path, is_descending: true }),
            _ => Err(fault(&at, "must be 1 (ascending) or -1 (descending)")),
        }
    }

    fn compare<V: Ord>(&self, a: &Place<V>, b: &Place<V>) -> Ordering {
        if self.is_descending { b.cmp(a) } else { a.cmp(b) }
    }

    fn place<'v>(&self, document: &'v Value) -> Place<&'v Value> {
        let mut outermost = Outermost { is_descending: self.is_descending, place: None };
        self.path.walk(document, &mut outermost);
        outermost.place.unwrap_or(Place::At(&Value::Null))
    }
}

impl Place<&Value> {
    fn into_owned(self) -> Place<Value> {
        match self {
            Place::EmptyArray => Place::EmptyArray,
            Place::At(value) => Place::At(value.clone()),
        }
    }
}

/// Keeps the smallest of what it sees, or the largest; it never has seen enough.
struct Outermost<'v> {
    is_descending: bool,
    place: Option<Place<&'v Value>>,
}

impl<'v> Outermost<'v> {
    fn see(&mut self, seen: Place<&'v Value>) {
        self.place = Some(match self.place {
            None => seen,
            Some(kept) if self.is_descending => kept.max(seen),
            Some(kept) => kept.min(seen),
        });
    }
}

impl<'v> Visit<'v> for Outermost<'v> {
    const PLACES_ONLY: bool = true;

    fn leaf(&mut self, value: Option<&'v Value>) -> bool {
        match value {
            Some(Value::Array(items)) if items.is_empty() => self.see(Place::EmptyArray),
            Some(Value::Array(items)) => items.iter().for_each(|item| self.see(Place::At(item))),
            _ => self.see(Place::At(value.unwrap_or(&Value::Null))),
        }
        false
    }

    fn item(&mut self, value: &'v Value) -> bool {
        self.leaf(Some(value))
    }

    fn stray(&mut self) -> bool {
        self.leaf(None)
    }
}

/// Reads an object in the order in which it is written.
struct Terms;

impl<'de> Visitor<'de> for Terms {
    type Value = Vec<(String, serde_json::Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut terms = Vec::new();
        while let Some(term) = map.next_entry()? {
            terms.push(term);
        }
        Ok(terms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;

    fn document(data: &str) -> Value {
        Value::from_json(&format!(r#"{{"data":{data}}}"#)).unwrap()
    }

    /// The data texts in the order that `sort` gives them.
    fn sorted<'t>(sort: &str, texts: &[&'t str]) -> Vec<&'t str> {
        let sort = Sort::parse(sort).unwrap();
        let mut texts = texts.to_vec();
        texts.sort_by(|a, b| {
            let (a, b) = (document(a), document(b));
            let order = sort.compare(&a, &b);
            assert_eq!(order, sort.compare_keys(&sort.key(&a), &sort.key(&b)));
            order
        });
        texts
    }

    #[test]
    fn types_stand_in_one_order_and_missing_is_null() {
        let up = [
            r#"{"n":[]}"#,
            r#"{"n":null}"#,
            "{}",
            r#"{"n":-1}"#,
            r#"{"n":2}"#,
            r#"{"n":""}"#,
            r#"{"n":{"a":1}}"#,
            r#"{"n":[[]]}"#,
            r#"{"n":false}"#,
            r#"{"n":true}"#,
        ];
        assert_eq!(sorted(r#"{"data.n":1}"#, &up), up);
        let mut down = up;
        down.reverse();
        down[7..9].reverse(); // null and missing tie: the sort is stable
        assert_eq!(sorted(r#"{"data.n":-1}"#, &up), down);
    }

    #[test]
    fn an_array_stands_by_its_smallest_or_its_largest_member() {
        let texts = ["[2,9]", "4", "[3,5]", "[6]"];
        assert_eq!(sorted(r#"{"data":1}"#, &texts), ["[2,9]", "[3,5]", "4", "[6]"]);
        assert_eq!(sorted(r#"{"data":-1}"#, &texts), ["[2,9]", "[6]", "[3,5]", "4"]);
    }

    #[test]
    fn a_path_goes_through_arrays_and_by_place() {
        let texts = [r#"[{"n":5},{"n":1}]"#, r#"[{"n":2},{"n":7}]"#, r#"[8,{"n":3}]"#];
        let up = sorted(r#"{"data.n":1}"#, &texts);
        assert_eq!(up, [texts[2], texts[0], texts[1]], "8 has no n: null is smallest");
        assert_eq!(sorted(r#"{"data.n":-1}"#, &texts), [texts[1], texts[0], texts[2]]);
        let by_place = sorted(r#"{"data.0.n":1}"#, &texts);
        assert_eq!(by_place, [texts[2], texts[1], texts[0]]);
    }

    #[test]
    fn the_first_field_that_differs_decides_in_the_order_of_the_text() {
        let texts = [r#"{"z":1,"a":2}"#, r#"{"z":1,"a":1}"#, r#"{"z":0,"a":9}"#];
        let up = sorted(r#"{"data.z":1,"data.a":1}"#, &texts);
        assert_eq!(up, [texts[2], texts[1], texts[0]]);
        let mixed = sorted(r#"{"data.z":-1,"data.a":1}"#, &texts);
        assert_eq!(mixed, [texts[1], texts[0], texts[2]]);
    }

    #[test]
    fn equal_documents_keep_their_order() {
        let texts = ["3", "1", "2"];
        assert_eq!(sorted("{}", &texts), texts);
        assert_eq!(sorted(r#"{"data.n":1}"#, &texts), texts);
    }

    #[test]
    fn a_wrong_sort_is_refused_with_its_path() {
        let many: Vec<String> = (0..17).map(|n| format!(r#""data.{n}":1"#)).collect();
        let cases = [
            (r#"{"priority":2}"#, "sort.priority"),
            (r#"{"priority":"asc"}"#, "sort.priority"),
            (r#"{"seq":1,"dta.n":1}"#, "sort.dta.n"),
            ("[]", "sort"),
            ("1", "sort"),
            ("{", "sort"),
            ("{} {}", "sort"),
            (&format!("{{{}}}", many.join(",")), "sort"),
        ];
        for (text, path) in cases {
            let error = Sort::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidQuery, "{text}");
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
        let most = format!("{{{}}}", many[..16].join(","));
        assert!(Sort::parse(&most).is_ok());
        assert!(Sort::parse(r#"{"priority":-1.0}"#).is_ok());
    }

    proptest! {
        #[test]
        fn the_order_is_total(data in prop::collection::vec(crate::query::tests::data(), 3)) {
            for text in [r#"{"data.a":1}"#, r#"{"data.a":-1,"data.b.0":1}"#] {
                let sort = Sort::parse(text).unwrap();
                let documents: Vec<Value> = data.iter().map(|json| document(json)).collect();
                let order = |a: usize, b: usize| sort.compare(&documents[a], &documents[b]);
                for (a, b) in [(0, 1), (1, 2), (0, 2)] {
                    prop_assert_eq!(order(a, b), order(b, a).reverse());
                    let keys = (sort.key(&documents[a]), sort.key(&documents[b]));
                    prop_assert_eq!(order(a, b), sort.compare_keys(&keys.0, &keys.1));
                }
                if order(0, 1).is_le() && order(1, 2).is_le() {
                    prop_assert!(order(0, 2).is_le());
                }
                prop_assert!(order(0, 0).is_eq());
            }
        }
    }
}
