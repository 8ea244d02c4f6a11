//! The query language against any text: a line with a query, one with a sort, one with fields, and
//! the rest is the document.
//!
//! # Promises
//! - Whatever the text, parser and matcher give an answer (I-17).
//! - `$nor` of a query matches what the query does not, `$and` and `$or` of it what it does, and a
//!   document sorts equal to itself.
//!
//! Run by `.ci/run`; a crash leaves its input as a file, which the same program repeats.

#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use tasker_core::query::{Projection, Query, Sort, Value};

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(4, '\n');
    let mut next = || lines.next().unwrap_or("{}");
    let (query, sort, fields, document) = (next(), next(), next(), next());
    let parsed = (Query::parse(query), Sort::parse(sort), Projection::parse(fields));
    let Ok(value) = Value::from_json(document) else { return };
    if let Ok(parsed) = parsed.0 {
        laws(query, &parsed, &value);
    }
    if let Ok(sort) = parsed.1 {
        let keys = (sort.key(&value), sort.key(&value));
        assert_eq!(sort.compare(&value, &value), Ordering::Equal, "{sort:?}");
        assert_eq!(sort.compare_keys(&keys.0, &keys.1), Ordering::Equal, "{sort:?}");
    }
});

/// What holds of every query; one that is too long or deep to stand in another is left out.
fn laws(text: &str, query: &Query, document: &Value) {
    let is_match = query.matches(document);
    for (operator, expected) in [("$nor", !is_match), ("$and", is_match), ("$or", is_match)] {
        if let Ok(outer) = Query::parse(&format!("{{\"{operator}\":[{text}]}}")) {
            assert_eq!(outer.matches(document), expected, "{operator} of {text}");
        }
    }
}
