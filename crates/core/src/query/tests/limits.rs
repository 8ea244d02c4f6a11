//! Each bound of a query at, below and above.

use super::super::Query;
use super::{document, query, refused};
use crate::error::Code;
use crate::limits::{
    QUERY_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_IN_MAX, QUERY_NODES_MAX, QUERY_PATTERNS_MAX,
};

#[test]
fn a_query_has_at_most_so_many_levels() {
    let logic = |levels: usize| r#"{"$or":["#.repeat(levels - 1) + "{}" + &"]}".repeat(levels - 1);
    let nots = |levels: usize| {
        let inner = levels - 2;
        format!(r#"{{"seq":{}{{"$eq":1}}{}}}"#, r#"{"$not":"#.repeat(inner), "}".repeat(inner))
    };
    for nested in [&logic as &dyn Fn(usize) -> String, &nots] {
        assert!(Query::parse(&nested(QUERY_DEPTH_MAX)).is_ok());
        assert!(refused(&nested(QUERY_DEPTH_MAX + 1)).1.contains("16 levels"));
        refused(&nested(200_000));
    }
    refused(&format!(r#"{{"data":{}}}"#, "[".repeat(200_000)));
}

#[test]
fn a_query_has_at_most_so_many_nodes() {
    let fields = |count: usize| {
        let fields: Vec<String> = (0..count).map(|n| format!(r#""data.f{n}":1"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    assert!(Query::parse(&fields(QUERY_NODES_MAX)).is_ok());
    assert!(refused(&fields(QUERY_NODES_MAX + 1)).1.contains("256"));
    let empty_parts = format!(r#"{{"$or":[{}{{}}]}}"#, "{},".repeat(QUERY_NODES_MAX));
    assert_eq!(refused(&empty_parts).0, "query.$or");
}

#[test]
fn a_query_has_at_most_so_many_bytes() {
    let text = |bytes: usize| format!(r#"{{"data":"{}"}}"#, "x".repeat(bytes - 11));
    assert!(Query::parse(&text(QUERY_BYTES_MAX)).is_ok());
    let error = Query::parse(&text(QUERY_BYTES_MAX + 1)).unwrap_err();
    assert_eq!((error.code(), error.facts().path.as_deref()), (Code::TooLarge, Some("query")));
}

#[test]
fn a_list_has_at_most_so_many_values() {
    let list = |count: usize| {
        let values: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        format!(r#"{{"data":{{"$in":[{}]}}}}"#, values.join(","))
    };
    let most = query(&list(QUERY_IN_MAX));
    assert!(most.matches(&document("9999")) && !most.matches(&document("10000")));
    assert_eq!(refused(&list(QUERY_IN_MAX + 1)).0, "query.data.$in");
}

#[test]
fn a_path_has_at_most_so_many_parts_and_numbers() {
    let path = |part: &str, count: usize| format!(r#"{{"data{}":1}}"#, part.repeat(count));
    assert!(Query::parse(&path(".a", 127)).is_ok());
    refused(&path(".a", 128));
    assert!(Query::parse(&path(".0", 16)).is_ok());
    refused(&path(".0", 17));
}

#[test]
fn a_path_of_numbers_into_nested_arrays_ends_soon() {
    let deep = r#"[{"0":"#.repeat(60) + "1" + &"}]".repeat(60);
    let text = format!(r#"{{"data{}":2}}"#, ".0".repeat(16));
    assert!(!query(&text).matches(&document(&deep)));
}

#[test]
fn a_query_has_at_most_so_many_patterns() {
    let pattern = r#"{"$regularExpression":{"pattern":"a","options":""}}"#;
    let list =
        |count: usize| format!(r#"{{"data":{{"$in":[{}]}}}}"#, vec![pattern; count].join(","));
    let mixed = |count: usize| {
        let fields: Vec<String> =
            (0..count).map(|n| format!(r#""data.f{n}":{{"$regex":"a"}}"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    for text in [&list as &dyn Fn(usize) -> String, &mixed] {
        assert!(Query::parse(&text(QUERY_PATTERNS_MAX - 1)).is_ok());
        assert!(Query::parse(&text(QUERY_PATTERNS_MAX)).is_ok());
        assert!(refused(&text(QUERY_PATTERNS_MAX + 1)).1.contains("32 regular expressions"));
    }
    assert_eq!(refused(&list(33)).0, "query.data.$in[32]");
}
