//! MongoDB's rules as tables, the laws of the operators as properties.

mod limits;
mod operators;
mod refusals;

use proptest::prelude::*;

use super::parse::OPERATORS;
use super::{Field, Query, Test, Value};
use crate::error::Code;

fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn document(data: &str) -> Value {
    Value::from_json(&format!(r#"{{"data":{data}}}"#)).unwrap()
}

/// Asserts for each query which data match (lines with `+`) and which do not (lines with `-`).
fn table(lines: &str) {
    let mut compiled = Query::all();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (is_match, data) = match line.split_at(1) {
            ("+", data) => (true, data),
            ("-", data) => (false, data),
            _ => {
                compiled = query(line);
                continue;
            }
        };
        for data in data.split(';') {
            assert_eq!(compiled.matches(&document(data)), is_match, "{compiled:?}: {data}");
        }
    }
}

fn refused(text: &str) -> (String, String) {
    let error = Query::parse(text).expect_err(text);
    assert_eq!(error.code(), Code::InvalidQuery, "{text}: {error}");
    (error.facts().path.clone().unwrap(), error.message().to_owned())
}

#[test]
fn an_empty_query_matches_every_task() {
    assert!(query("{}").is_all() && query("{}") == Query::all());
    assert!(query("{}").matches(&document("1")) && query("{}").matches(&Value::Null));
    assert!(query(r#"{"$and":[{},{}]}"#).is_all());
    assert!(!query(r#"{"seq":1}"#).is_all());
}

#[test]
fn equality_is_of_type_and_value() {
    table(
        r#"
        {"data":1}
            + 1; 1.0; 1e0
            - 2; "1"; true; null; {}
        {"data":"a"}
            + "a"; "\u0061"
            - "A"; "ab"; ["b"]
        {"data":true}
            + true
            - false; 1; "true"
        {"data":{"$eq":0}}
            + -0; 0.0
            - null; false; ""
        {"data.x":"dune"}
            + {"x":"dune"}
            - {"y":"dune"}; "dune"; [["x","dune"]]
        {"data":{"a":1,"b":[2]}}
            + {"b":[2],"a":1}
            - {"a":1}; {"a":1,"b":[2],"c":3}; {"a":1,"b":2}
        {"data":{}}
            + {}
            - {"a":1}; []; null
        {"data":{"$eq":{"$x":1}}}
            + {"$x":1}
            - {"x":1}; 1
        {"data":{"$date":5}}
            - 5; "1970-01-01T00:00:00.005Z"; {"$date":5}
        "#,
    );
}

#[test]
fn null_matches_what_is_null_or_missing() {
    table(
        r#"
        {"data.x":null}
            + {}; {"x":null}; 5; {"x":[1,null]}; [{}]
            - {"x":0}; {"x":[]}; [1]; []; {"x":""}
        {"data.x":{"$ne":null}}
            + {"x":0}; {"x":[]}; [1]; []
            - {}; {"x":null}; 5; {"x":[1,null]}
        {"data.x":{"$in":[null,1]}}
            + {}; {"x":null}; {"x":1}
            - {"x":2}; [2]
        {"data.x":{"$nin":[null]}}
            + {"x":2}; [2]
            - {}; {"x":null}
        {"data.x":{"$gte":null}}
            + {}; {"x":null}
            - {"x":0}; {"x":false}
        {"data.x":{"$lte":null}}
            + {}; {"x":null}
            - {"x":0}
        {"data.x":{"$gt":null}}
            - {}; {"x":null}; {"x":0}
        "#,
    );
}

#[test]
fn a_range_stays_within_its_type() {
    table(
        r#"
        {"data":{"$gt":5}}
            + 6; 5.1
            - 5; "6"; null; true; {}; [[6]]
        {"data":{"$gte":5}}
            + 5; 6
            - 4; "5"
        {"data":{"$lt":5}}
            + 4; -1e9
            - 5; ""; null; false
        {"data":{"$lte":"b"}}
            + "a"; "b"; "B"; ""
            - "ba"; 1; null
        {"data":{"$gt":false}}
            + true
            - false; 1; "true"
        {"data":{"$gt":{"a":1}}}
            + {"a":2}; {"b":1}; {"a":1,"b":0}
            - {"a":1}; {"a":0}; 5
        {"data":{"$gte":[1,2]}}
            + [1,2]; [1,3]; [2]; [[9]]
            - [1]; [1,1]; 9
        {"data":{"$gt":1,"$lt":3}}
            + 2; 1.5
            - 1; 3; "2"
        {"data":{"$gt":"￿"}}
            + "😀"
            - "a"
        "#,
    );
}

#[test]
fn an_array_matches_by_a_member_or_as_a_whole() {
    table(
        r#"
        {"data":1}
            + [1]; [0,1]
            - [[1]]; []; [2]
        {"data":[1,2]}
            + [1,2]; [[1,2]]; [0,[1,2]]
            - [2,1]; [1,2,3]; 1; [[[1,2]]]
        {"data":[]}
            + []; [[]]
            - [0]; null; {}
        {"data":{"$gt":4}}
            + [1,5]; ["x",9]
            - [1,4]; []; [[5]]
        {"data":{"$gt":4,"$lt":2}}
            + [1,5]
            - [3]; [1]; [5]; 3
        {"data":{"$ne":1}}
            + [2]; []; [[1]]
            - [1,2]; 1
        {"data":{"$in":[1,[7]]}}
            + [0,1]; [7]; [[7]]
            - [0]; 7
        {"data":{"$nin":[1,2]}}
            + [3]; []; null
            - [3,2]; 1
        {"data":{"$not":{"$gt":4}}}
            + [1]; []; "x"; null
            - [1,5]; 5
        "#,
    );
}

#[test]
fn a_path_goes_through_arrays_into_objects() {
    table(
        r#"
        {"data.a.b":1}
            + {"a":{"b":1}}; {"a":[{"b":1}]}; [{"a":[0,{"b":[1]}]}]
            - {"a":[[{"b":1}]]}; {"a.b":1}; {"a":[1]}
        {"data.a.b":null}
            + {"a":5}; {"a":[{}]}; {"a":{"b":null}}; {}
            - {"a":[4]}; {"a":[]}; {"a":[{"b":1}]}; {"a":[[{}]]}
        {"data.a.b":[]}
            + {"a":{"b":[]}}; {"a":[{"b":[]}]}
            - {"a":[]}; {"a":{}}
        {"data.":1}
            + {"":1}
            - {}; 1
        {"data.__proto__.x":1}
            + {"__proto__":{"x":1}}
            - {}; {"x":1}
        "#,
    );
}

#[test]
fn a_number_in_a_path_is_a_place_or_a_name() {
    table(
        r#"
        {"data.1":7}
            + [5,7,3]; {"1":7}; [5,{"1":7}]; [{"1":7}]; [5,{"1":[7]}]
            - [7,5]; [5,[7,4]]; [7]
        {"data.1":[7,4]}
            + [5,[7,4]]
            - [5,[4,7]]
        {"data.1.b":4}
            + [5,{"b":4}]; [5,[{"b":4}]]; [{"1":{"b":4}}]; [5,{"b":[4]}]
            - [{"b":4},5]; [5,4]
        {"data.1.b":null}
            + [5,{"b":4}]; [{},5]
            - [5,6]; [5,[4]]
        {"data.01":7}
            + {"01":7}
            - [5,7]
        {"data.0.0":7}
            + [[7]]; {"0":[7]}; [{"0":7}]
            - [7]
        {"data.x.0":7}
            + {"x":[7]}; {"x":{"0":7}}
            - {"x":"7"}; {"x":7}
        "#,
    );
}

#[test]
fn a_text_has_no_members() {
    table(
        r#"
        {"data.length":3}
            - "abc"; [1,2,3]
        {"data.0":"a"}
            - "abc"
        {"data.length":{"$exists":true}}
            + {"length":1}
            - "abc"; []
        "#,
    );
}

#[test]
fn exists_asks_whether_there_is_a_value() {
    table(
        r#"
        {"data.x":{"$exists":true}}
            + {"x":null}; {"x":[]}; {"x":0}; [{"x":1},2]
            - {}; 5; []; [1]
        {"data.x":{"$exists":false}}
            + {}; 5; []; [1]; [{}]
            - {"x":null}; [{},{"x":1}]
        {"data.0":{"$exists":true}}
            + [null]; {"0":1}
            - []; {}
        "#,
    );
    assert!(query(r#"{"result":{"$exists":false}}"#).matches(&document("1")));
}

#[test]
fn logic_joins_queries() {
    table(
        r#"
        {"$and":[{"data.a":1},{"data.b":2}]}
            + {"a":1,"b":2}
            - {"a":1}; {"b":2}; {}
        {"$or":[{"data.a":1},{"data.b":2}]}
            + {"a":1}; {"b":2}
            - {}; {"a":2,"b":1}
        {"$nor":[{"data.a":1},{"data.b":2}]}
            + {}; {"a":2}
            - {"a":1}; {"b":2}
        {"data.a":1,"$or":[{"data.b":2},{"data.c":3}]}
            + {"a":1,"c":3}
            - {"a":1}; {"b":2}
        {"$nor":[{"$and":[{"data":{"$gt":1}},{"data":{"$lt":5}}]}]}
            + 1; 5; "x"
            - 2; 4
        {"data":{"$not":{"$gt":1,"$lt":5}}}
            + 1; 5; null
            - 2
        {"data":{"$not":{"$not":{"$eq":1}}}}
            + 1
            - 2
        {"$or":[{}]}
            + 1; null
        "#,
    );
}

#[test]
fn dates_are_compared_with_dates_of_engine_fields() {
    let task = Value::Object(super::Object::new(vec![("createdAt".into(), Value::Date(1_000))]));
    let matching = [
        r#"{"createdAt":{"$date":1000}}"#,
        r#"{"createdAt":{"$gte":{"$date":1000},"$lt":{"$date":1001}}}"#,
        r#"{"createdAt":{"$in":[{"$date":5},{"$date":1000}]}}"#,
        r#"{"startedAt":null}"#,
    ];
    assert!(matching.iter().all(|text| query(text).matches(&task)));
    let others = [r#"{"createdAt":1000}"#, r#"{"createdAt":{"$gt":5}}"#, r#"{"createdAt":null}"#];
    assert!(!others.iter().any(|text| query(text).matches(&task)));
}

#[test]
fn an_infinite_priority_is_written_as_text() {
    let task = |priority| {
        Value::Object(super::Object::new(vec![("priority".into(), Value::Number(priority))]))
    };
    let up = task(f64::INFINITY);
    assert!(query(r#"{"priority":"Infinity"}"#).matches(&up));
    assert!(query(r#"{"priority":{"$in":["-Infinity","Infinity"]}}"#).matches(&up));
    assert!(query(r#"{"priority":{"$not":{"$lt":"Infinity"}}}"#).matches(&up));
    assert!(query(r#"{"priority":{"$gt":"-Infinity"}}"#).matches(&task(-1e308)));
    table(
        r#"
        {"data.priority":"Infinity"}
            + {"priority":"Infinity"}
            - {"priority":1}
        "#,
    );
}

#[test]
fn half_a_surrogate_pair_never_fails_a_query() {
    table(
        r#"
        {"data.b":1}
            + {"a":"\ud800","b":1}; {"\udfff":0,"b":1}
            - {"a":"\ud800"}
        "#,
    );
    table(
        r#"
        {"data":"\ud800"}
            + "\ud800"
            - "a"
        "#,
    );
}

#[test]
fn conjuncts_are_the_predicates_that_must_all_hold() {
    let compiled = query(
        r#"{"seq":{"$gt":1,"$lte":9},
            "$and":[{"status":"new"},{"$and":[{"data.x":{"$in":[2,1,2]}}]}],
            "$or":[{"cause":"user"}],"operation":{"$not":{"$eq":"a"}}}"#,
    );
    let mut seen: Vec<(String, Test)> = compiled
        .conjuncts()
        .map(|one| (one.path.parts().collect::<Vec<_>>().join("."), one.test.clone()))
        .collect();
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let number = Value::Number;
    let expected = [
        ("data.x", Test::In(vec![number(1.0), number(2.0)])),
        ("seq", Test::Gt(number(1.0))),
        ("seq", Test::Lte(number(9.0))),
        ("status", Test::Eq(Value::text("new"))),
    ];
    assert_eq!(seen, expected.map(|(path, test)| (path.to_owned(), test)));
    assert!(
        compiled
            .conjuncts()
            .all(|one| one.path.whole_field().is_some() == (one.path.field() != Some(Field::Data)))
    );
}

#[test]
fn a_query_tells_which_fields_it_uses() {
    let compiled = query(r#"{"$or":[{"data.x":1},{"status":"new"}],"seq":{"$not":{"$gt":1}}}"#);
    let used: Vec<&str> = compiled.fields().iter().map(Field::as_str).collect();
    assert_eq!(used, ["seq", "data", "status"]);
    assert!(compiled.uses("data") && !compiled.uses("attempts") && !compiled.uses("nothing"));
}

/// Small JSON texts, many of them equal, so that matches are not rare.
pub(super) fn data() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (0..3).prop_map(|n: i32| n.to_string()),
        "[ab]{0,1}".prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map("[ab01]", inner, 0..3).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab01]", 0..3).prop_map(|parts| {
        parts.iter().fold("data".to_owned(), |path, part| format!("{path}.{part}"))
    })
}

/// All that may be asked of a field.
fn operators() -> Vec<&'static str> {
    OPERATORS.iter().copied().chain(["$not"]).collect()
}

fn operator() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"][..])
}

/// A query of one test.
fn single() -> impl Strategy<Value = String> {
    (path(), operator(), data())
        .prop_map(|(path, operator, value)| format!(r#"{{"{path}":{{"{operator}":{value}}}}}"#))
}

fn matches(text: &str, document: &Value) -> bool {
    query(text).matches(document)
}

proptest! {
    #[test]
    fn nor_is_not_or_and_and_is_nor_of_nors(p in single(), q in single(), data in data()) {
        let data = document(&data);
        let or = matches(&format!(r#"{{"$or":[{p},{q}]}}"#), &data);
        let nor = matches(&format!(r#"{{"$nor":[{p},{q}]}}"#), &data);
        let and = matches(&format!(r#"{{"$and":[{p},{q}]}}"#), &data);
        let by_nors = format!(r#"{{"$nor":[{{"$nor":[{p}]}},{{"$nor":[{q}]}}]}}"#);
        prop_assert_eq!(or, matches(&p, &data) || matches(&q, &data));
        prop_assert_eq!(nor, !or);
        prop_assert_eq!(and, matches(&by_nors, &data));
    }

    #[test]
    fn in_is_or_of_equalities_and_nin_its_negation(
        path in path(),
        values in prop::collection::vec(data(), 1..4),
        data in data(),
    ) {
        let data = document(&data);
        let list = values.join(",");
        let is_in = matches(&format!(r#"{{"{path}":{{"$in":[{list}]}}}}"#), &data);
        let not_in = matches(&format!(r#"{{"{path}":{{"$nin":[{list}]}}}}"#), &data);
        let equal = |value: &String| matches(&format!(r#"{{"{path}":{{"$eq":{value}}}}}"#), &data);
        prop_assert_eq!(is_in, values.iter().any(equal));
        prop_assert_eq!(not_in, !is_in);
    }

    #[test]
    fn ne_and_not_are_negations(
        path in path(),
        operator in operator(),
        value in data(),
        data in data(),
    ) {
        let data = document(&data);
        let one = |test: &str| matches(&format!(r#"{{"{path}":{test}}}"#), &data);
        let eq = one(&format!(r#"{{"$eq":{value}}}"#));
        prop_assert_eq!(one(&format!(r#"{{"$ne":{value}}}"#)), !eq);
        prop_assert_eq!(one(&value), eq);
        let test = format!(r#"{{"{operator}":{value}}}"#);
        prop_assert_eq!(one(&format!(r#"{{"$not":{test}}}"#)), !one(&test));
    }

    #[test]
    fn a_value_matches_itself_and_gte_is_gt_or_eq(value in data(), data in data()) {
        let itself = format!(r#"{{"data":{{"$eq":{value}}}}}"#);
        prop_assert!(matches(&itself, &document(&value)));
        let data = document(&data);
        let test = |operator: &str| format!(r#"{{"data":{{"{operator}":{value}}}}}"#);
        let one = |operator: &str| matches(&test(operator), &data);
        prop_assert_eq!(one("$gte"), one("$gt") || one("$eq"));
        prop_assert_eq!(one("$lte"), one("$lt") || one("$eq"));
    }

    #[test]
    fn a_document_that_matches_meets_every_conjunct(p in single(), q in single(), data in data()) {
        let compiled = query(&format!(r#"{{"$and":[{p},{q}]}}"#));
        let both = matches(&p, &document(&data)) && matches(&q, &document(&data));
        prop_assert_eq!(compiled.conjuncts().count(), 2);
        prop_assert_eq!(compiled.matches(&document(&data)), both);
    }

    #[test]
    fn all_is_and_of_its_values(
        path in path(),
        values in prop::collection::vec(data(), 1..4),
        data in data(),
    ) {
        let data = document(&data);
        let all = Query::parse(&format!(r#"{{"{path}":{{"$all":[{}]}}}}"#, values.join(",")));
        let equal = |value: &String| matches(&format!(r#"{{"{path}":{value}}}"#), &data);
        prop_assert_eq!(all.unwrap().matches(&data), values.iter().all(equal));
    }

    #[test]
    fn elem_match_is_a_test_of_each_member(
        operator in operator(),
        value in data(),
        members in prop::collection::vec(data(), 0..4),
    ) {
        let test = format!(r#"{{"{operator}":{value}}}"#);
        let query = format!(r#"{{"data":{{"$elemMatch":{test}}}}}"#);
        let finds = |members: &str| matches(&query, &document(&format!("[{members}]")));
        let one = |member: &String| finds(member);
        prop_assert_eq!(finds(&members.join(",")), members.iter().any(one));
    }

    #[test]
    fn any_operand_is_taken_or_refused(
        path in path(),
        operator in prop::sample::select(operators()),
        value in data(),
        data in data(),
    ) {
        let test = format!(r#"{{"{operator}":{value}}}"#);
        if let Ok(compiled) = Query::parse(&format!(r#"{{"{path}":{test}}}"#)) {
            let data = document(&data);
            let found = compiled.matches(&data);
            prop_assert_eq!(matches(&format!(r#"{{"{path}":{{"$not":{test}}}}}"#), &data), !found);
            let nor = format!(r#"{{"$nor":[{{"{path}":{test}}}]}}"#);
            prop_assert_eq!(matches(&nor, &data), !found);
            prop_assert_eq!(compiled.clone(), compiled);
        }
    }

    #[test]
    fn any_text_is_a_query_or_an_error(text in r#"[\[\]{}",:$a-z0-9.]{0,60}"#) {
        let _ = Query::parse(&text);
    }
}
