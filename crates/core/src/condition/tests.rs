//! What conditions take, how they are written, and that their forms mean the same.

use proptest::prelude::*;

use super::{Condition, Conditions, Scope};
use crate::error::Code;
use crate::limits::{CONDITIONS_BYTES_MAX, CONDITIONS_MAX};
use crate::query::{Parts, Query, Value};

fn read(text: &str) -> Conditions {
    Conditions::read(text, "concurrency").unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn running(query: &str) -> Condition {
    read(&format!(r#"[{{"scope":"running","query":{query},"limit":1}}]"#))
        .iter()
        .next()
        .unwrap()
        .clone()
}

fn refused(text: &str) -> (Code, String) {
    let error = Conditions::read(text, "concurrency").expect_err(text);
    (error.code(), error.facts().path.clone().unwrap())
}

fn document(data: &str) -> Value {
    Value::from_json(&format!(r#"{{"operation":"read","data":{data}}}"#)).unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    let given = r#"[ {"limit":0,"query":{"data.book":{"$eq":"dune"},"operation":"read"},
                      "scope":"running"}, {"scope":"before-queued","query":{},"limit":2.0} ]"#;
    let written = concat!(
        r#"[{"scope":"running","query":{"data.book":"dune","operation":"read"},"limit":0},"#,
        r#"{"scope":"before-queued","query":{},"limit":2}]"#,
    );
    let conditions = read(given);
    assert_eq!(conditions.text(), written);
    assert_eq!(read(written), conditions);
    let facts: Vec<_> = conditions.iter().map(|one| (one.scope, one.limit)).collect();
    assert_eq!(facts, [(Scope::Running, 0), (Scope::BeforeQueued, 2)]);
    assert_eq!(read("[]"), Conditions::NONE);
}

#[test]
fn what_is_stored_is_read_when_somebody_looks_at_it() {
    let text = r#"[{"scope":"running","query":{"data.book":"dune"},"limit":0}]"#;
    let (given, stored) = (read(text), Conditions::stored(text));
    assert_eq!((stored.text(), &stored), (text, &given));
    assert!(stored.check().is_ok());
    let keys = |all: &Conditions| all.iter().map(|one| one.counter_key().to_owned()).collect();
    let (stored, given): (Vec<_>, Vec<_>) = (keys(&stored), keys(&given));
    assert_eq!(stored, given);
    assert_eq!(Conditions::stored("[]"), Conditions::NONE);
    for broken in ["[7]", "{}", r#"[{"scope":"running","query":{"seq":1},"limit":0}]"#] {
        let broken = Conditions::stored(broken);
        assert_eq!(broken.check().map_err(|error| error.code()), Err(Code::Corrupt));
        assert_eq!((broken.is_none(), broken.count()), (false, 0));
    }
}

#[test]
fn a_form_of_a_query_does_not_count() {
    for (texts, expected) in [
        (
            &[
                r#"{"data.a":1}"#,
                r#"{"data.a":{"$eq":1.0}}"#,
                r#"{"data.a":{"$in":[1]}}"#,
                r#"{"$and":[{"data.a":1}]}"#,
                r#"{"data.a":1,"$and":[{"data.a":{"$eq":1}}]}"#,
                r#"{"status":"running","data.a":1,"$and":[{"state":{"$in":["running"]}}]}"#,
            ][..],
            r#"{"data.a":1}"#,
        ),
        (
            &[
                r#"{"data.a":{"$gt":1,"$lt":5},"label":"x"}"#,
                r#"{"label":"x","$and":[{"data.a":{"$lt":5}},{"data.a":{"$gt":1}}]}"#,
            ],
            r#"{"data.a":{"$gt":1,"$lt":5},"label":"x"}"#,
        ),
        (
            &[r#"{"$or":[{"data.a":{"$in":[2,1,2]}},{"data.b":1}]}"#],
            r#"{"$or":[{"data.b":1},{"data.a":{"$in":[1,2]}}]}"#,
        ),
        (
            &[r#"{"data.a":{"$gt":1},"$and":[{"data.a":{"$gt":2}}]}"#],
            r#"{"$and":[{"data.a":{"$gt":2}}],"data.a":{"$gt":1}}"#,
        ),
        (
            &[r#"{"data.a":{"$not":{"$in":[3]}},"data.b":{"$eq":{"$x":1}}}"#],
            r#"{"data.a":{"$not":{"$eq":3}},"data.b":{"$eq":{"$x":1}}}"#,
        ),
    ] {
        for text in texts {
            let condition = running(text);
            assert_eq!(condition.query_text(), expected, "{text}");
            assert_eq!(running(expected).counter_key(), condition.counter_key(), "{text}");
        }
    }
}

#[test]
fn the_limit_is_no_part_of_what_is_counted_and_the_scope_is() {
    let one = |scope: &str, limit: i64| {
        let text = format!(r#"[{{"scope":"{scope}","query":{{"data.a":1}},"limit":{limit}}}]"#);
        read(&text).iter().next().unwrap().counter_key().to_owned()
    };
    assert_eq!(one("running", 0), one("running", 7));
    assert_ne!(one("running", 0), one("before-queued", 0));
}

#[test]
fn a_condition_holds_for_so_many_others_and_no_more() {
    let with =
        |limit: i64| read(&format!(r#"[{{"scope":"running","query":{{}},"limit":{limit}}}]"#));
    for (limit, most) in [(0, Some(0)), (3, Some(3)), (-1, None)] {
        let conditions = with(limit);
        let condition = conditions.iter().next().unwrap();
        let holding = (0..10).filter(|others| condition.holds(*others)).max();
        assert_eq!(holding, most);
        assert_eq!(condition.never_holds(), most.is_none());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("7", Code::Invalid, "concurrency"),
        ("{}", Code::Invalid, "concurrency"),
        ("null", Code::Invalid, "concurrency"),
        ("[1]", Code::Invalid, "concurrency[0]"),
        (r#"[{"query":{},"limit":1}]"#, Code::Invalid, "concurrency[0].scope"),
        (r#"[{"scope":"queued","query":{},"limit":1}]"#, Code::Invalid, "concurrency[0].scope"),
        (r#"[{"scope":"running","limit":1}]"#, Code::Invalid, "concurrency[0].query"),
        (r#"[{"scope":"running","query":{}}]"#, Code::Invalid, "concurrency[0].limit"),
    ];
    for (text, code, path) in cases {
        assert_eq!(refused(text), (code, path.to_owned()), "{text}");
    }
    for limit in ["1.5", "null", r#""1""#, "1e300", "true"] {
        let text = format!(r#"[{{"scope":"running","query":{{}},"limit":{limit}}}]"#);
        assert_eq!(refused(&text), (Code::Invalid, "concurrency[0].limit".into()));
    }
    let text = r#"[{"scope":"running","query":{},"limit":1},
                   {"scope":"running","query":{},"limit":1,"oops":1}]"#;
    assert_eq!(refused(text), (Code::Invalid, "concurrency[1].oops".into()));
}

#[test]
fn a_condition_looks_only_at_what_does_not_change_while_it_counts() {
    for (scope, query, path) in [
        ("running", r#"{"createdAt":null}"#, "createdAt"),
        ("running", r#"{"uuid":"x"}"#, "uuid"),
        ("running", r#"{"$or":[{"data":1},{"status":"new"}]}"#, "$or[1].status"),
        ("running", r#"{"$nor":[{"$and":[{"state":"ready"}]}]}"#, "$nor[0].$and[0].state"),
        ("running", r#"{"status":{"$oops":1}}"#, "status.$oops"),
        ("running", r#"{"data.a":{"$task":"data.a"}}"#, "data.a.$task"),
        ("running", r#"{"oops":1}"#, "oops"),
        ("running", "7", ""),
        ("before-queued", r#"{"priority":1}"#, "priority"),
    ] {
        let text = format!(r#"[{{"scope":"{scope}","query":{query},"limit":1}}]"#);
        let path = format!("concurrency[0].query.{path}");
        let expected = (Code::InvalidQuery, path.trim_end_matches('.').to_owned());
        assert_eq!(refused(&text), expected, "{text}");
    }
    for query in [r#"{"priority":{"$gte":"-Infinity"}}"#, r#"{"tags":"a","id":1,"label":"b"}"#] {
        running(query);
    }
}

#[test]
fn the_conditions_of_a_task_are_bounded() {
    let one = r#"{"scope":"running","query":{},"limit":1}"#;
    let list = |count: usize| format!("[{}]", vec![one; count].join(","));
    assert_eq!(read(&list(CONDITIONS_MAX)).iter().count(), CONDITIONS_MAX);
    assert_eq!(refused(&list(CONDITIONS_MAX + 1)), (Code::TooLarge, "concurrency".into()));
    let long = |bytes: usize| {
        let frame = r#"[{"scope":"running","query":{"label":""},"limit":1}]"#;
        frame.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - frame.len())))
    };
    read(&long(CONDITIONS_BYTES_MAX));
    assert_eq!(refused(&long(CONDITIONS_BYTES_MAX + 1)), (Code::TooLarge, "concurrency".into()));
}

#[test]
fn equalities_are_what_each_counted_task_has() {
    let condition = running(
        r#"{"operation":"read","data.b":{"$eq":2},"$and":[{"data.a":null,"data.c":[1]}],
            "data.d":{"$gt":1},"$or":[{"data.e":1}]}"#,
    );
    let equalities: Vec<_> = condition
        .equalities()
        .into_iter()
        .map(|(path, value)| (path.parts().collect::<Vec<_>>().join("."), value.to_json()))
        .collect();
    let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
    let expected = [pair("operation", "\"read\""), pair("data.a", "null"), pair("data.b", "2")];
    assert_eq!(equalities, expected);
    let paths: Vec<_> = condition.paths().into_iter().map(|path| path.parts().count()).collect();
    assert_eq!(paths.len(), 6);
}

/// JSON values with few names, so that queries meet them.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        (-1..3_i64).prop_map(|number| number.to_string()),
        Just("\"x\"".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((0..3_usize, inner), 0..3).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(name, value)| format!("\"{}\":{value}", ["a", "b", "0"][name]));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

/// What may be asked of one path.
fn test() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        json(),
        json().prop_map(|of| format!(r#"{{"$eq":{of}}}"#)),
        json().prop_map(|of| format!(r#"{{"$ne":{of},"$exists":true}}"#)),
        (0..3, 0..3).prop_map(|(a, b)| format!(r#"{{"$gt":{a},"$lte":{b}}}"#)),
        prop::collection::vec(json(), 0..3)
            .prop_map(|of| format!(r#"{{"$in":[{}]}}"#, of.join(","))),
        prop::collection::vec(json(), 0..3)
            .prop_map(|of| format!(r#"{{"$nin":[{}],"$size":1}}"#, of.join(","))),
        prop::collection::vec(json(), 1..3)
            .prop_map(|of| format!(r#"{{"$all":[{}]}}"#, of.join(","))),
        Just(r#"{"$regex":"x","$options":"i"}"#.to_owned()),
        Just(r#"{"$in":[{"$regularExpression":{"pattern":"x","options":""}},1]}"#.to_owned()),
        Just(r#"{"$regularExpression":{"pattern":"x","options":""}}"#.to_owned()),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        let is_test = |of: &String| of.starts_with("{\"$") && !of.contains("{\"$regularE");
        prop_oneof![
            inner
                .clone()
                .prop_filter("operators", is_test)
                .prop_map(|of| format!(r#"{{"$not":{of}}}"#)),
            inner
                .clone()
                .prop_filter("operators", is_test)
                .prop_map(|of| format!(r#"{{"$elemMatch":{of}}}"#)),
            inner.prop_map(|of| format!(r#"{{"$elemMatch":{{"a":{of}}}}}"#)),
        ]
    })
}

fn query() -> impl Strategy<Value = String> {
    let path =
        || (0..5_usize).prop_map(|at| ["data", "data.a", "data.a.b", "data.0", "data.b"][at]);
    let fields = prop::collection::vec((path(), test()), 0..3).prop_map(|all| {
        let members = all.into_iter().map(|(path, test)| format!("\"{path}\":{test}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    });
    fields.prop_recursive(3, 10, 3, |inner| {
        (0..3_usize, prop::collection::vec(inner, 1..4)).prop_map(|(logic, parts)| {
            format!(r#"{{"{}":[{}]}}"#, ["$and", "$or", "$nor"][logic], parts.join(","))
        })
    })
}

proptest! {
    #[test]
    fn the_canonical_form_matches_the_same_and_is_its_own(query in query(), data in json()) {
        let (condition, document) = (running(&query), document(&data));
        let given = Query::parse(&query).unwrap();
        prop_assert_eq!(given.matches(&document), condition.matches(&document));
        let canonical = running(condition.query_text());
        prop_assert_eq!(canonical.counter_key(), condition.counter_key());
        let texts = |condition: &Condition| {
            let all = condition.equalities().into_iter();
            all.map(|(path, value)| format!("{path:?} {value:?}")).collect::<Vec<_>>()
        };
        prop_assert_eq!(texts(&canonical), texts(&condition));
    }

    #[test]
    fn the_part_that_a_query_looks_at_matches_as_the_whole(query in query(), data in json()) {
        let (condition, document) = (running(&query), document(&data));
        let parts: Parts = condition.paths().into_iter().collect();
        let part = parts.of(&document);
        prop_assert_eq!(condition.matches(&part), condition.matches(&document), "{:?}", part);
        let text = document.to_json();
        prop_assert_eq!(Value::part_of_json(&text, parts.whole()).unwrap(), Some(part));
    }

    #[test]
    fn a_task_that_matches_has_each_equality_among_its_scalars(query in query(), data in json()) {
        let (condition, document) = (running(&query), document(&data));
        if condition.matches(&document) {
            for (path, value) in condition.equalities() {
                let scalars = path.scalars(&document, 1_000).unwrap();
                prop_assert!(scalars.iter().any(|one| one == value), "{:?} {:?}", path, scalars);
            }
        }
    }
}
