//! What is no query, and the place where it is wrong.

use super::super::Field;
use super::refused;

/// A wrong query, and the path of the fault.
const REFUSALS: &[(&str, &str)] = &[
    // No query at all.
    ("", "query"),
    ("{", "query"),
    ("[]", "query"),
    ("null", "query"),
    ("1", "query"),
    (r#""seq""#, "query"),
    ("{} {}", "query"),
    (r#"{"seq":1,}"#, "query"),
    (r#"{"seq":undefined}"#, "query"),
    (r#"{"$date":5}"#, "query.$date"),
    // Fields and paths.
    (r#"{"dta.book":1}"#, "query.dta.book"),
    (r#"{"":1}"#, "query."),
    (r#"{".data":1}"#, "query..data"),
    (r#"{"logs":[]}"#, "query.logs"),
    (r#"{"Data":1}"#, "query.Data"),
    (r#"{"data.a":1,"seqq":1}"#, "query.seqq"),
    (
        r#"{"data.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0":1}"#,
        "query.data.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
    ),
    // Logical operators.
    (r#"{"$where":"1"}"#, "query.$where"),
    (r#"{"$expr":{"$eq":[1,1]}}"#, "query.$expr"),
    (r#"{"$text":{"$search":"a"}}"#, "query.$text"),
    (r#"{"$jsonSchema":{}}"#, "query.$jsonSchema"),
    (r#"{"$comment":"a"}"#, "query.$comment"),
    (r#"{"$":1}"#, "query.$"),
    (r#"{"$not":{"seq":1}}"#, "query.$not"),
    (r#"{"$gt":1}"#, "query.$gt"),
    (r#"{"$regex":"a"}"#, "query.$regex"),
    (r#"{"$elemMatch":{"seq":1}}"#, "query.$elemMatch"),
    (r#"{"$options":"i"}"#, "query.$options"),
    (r#"{"$or":{}}"#, "query.$or"),
    (r#"{"$or":null}"#, "query.$or"),
    (r#"{"$and":[]}"#, "query.$and"),
    (r#"{"$nor":[]}"#, "query.$nor"),
    (r#"{"$nor":[1]}"#, "query.$nor[0]"),
    (r#"{"$and":[{},[]]}"#, "query.$and[1]"),
    (r#"{"$or":[{"seq":1},{"seq":{"$foo":1}}]}"#, "query.$or[1].seq.$foo"),
    (r#"{"$and":[{"$or":[{"$nor":[{"x":1}]}]}]}"#, "query.$and[0].$or[0].$nor[0].x"),
    (r#"{"data":{"$and":[]}}"#, "query.data.$and"),
    (r#"{"data":{"$or":[{"$gt":1}]}}"#, "query.data.$or"),
    (r#"{"data":{"$nor":[]}}"#, "query.data.$nor"),
    // Operators that are none.
    (r#"{"seq":{"$foo":1}}"#, "query.seq.$foo"),
    (r#"{"seq":{"$GT":1}}"#, "query.seq.$GT"),
    (r#"{"seq":{"$":1}}"#, "query.seq.$"),
    (r#"{"data":{"$near":[1,2]}}"#, "query.data.$near"),
    (r#"{"data":{"$bitsAllSet":1}}"#, "query.data.$bitsAllSet"),
    (r#"{"data":{"$geoWithin":{}}}"#, "query.data.$geoWithin"),
    (r#"{"data":{"$slice":1}}"#, "query.data.$slice"),
    (r#"{"data":{"$date":5,"$gt":1}}"#, "query.data.$date"),
    (r#"{"seq":{"$gt":1,"x":2}}"#, "query.seq.x"),
    (r#"{"seq":{"$gt":1,"$foo":2}}"#, "query.seq.$foo"),
    // Values.
    (r#"{"data":{"book":{"$in":["dune"]}}}"#, "query.data.book.$in"),
    (r#"{"data":[{"$gt":1}]}"#, "query.data[0].$gt"),
    (r#"{"data":{"a":{"b":[1,{"$c":1}]}}}"#, "query.data.a.b[1].$c"),
    (r#"{"data":{"a":{"$date":"x"}}}"#, "query.data.a.$date"),
    (r#"{"createdAt":{"$date":null}}"#, "query.createdAt.$date"),
    (r#"{"createdAt":{"$gt":{"$date":"x"}}}"#, "query.createdAt.$gt.$date"),
    (r#"{"createdAt":{"$date":9e15}}"#, "query.createdAt.$date"),
    (r#"{"createdAt":{"$date":0.5}}"#, "query.createdAt.$date"),
    (r#"{"createdAt":{"$in":[{"$date":[]}]}}"#, "query.createdAt.$in[0].$date"),
    // Lists.
    (r#"{"seq":{"$in":1}}"#, "query.seq.$in"),
    (r#"{"seq":{"$in":{}}}"#, "query.seq.$in"),
    (r#"{"seq":{"$nin":"a"}}"#, "query.seq.$nin"),
    (r#"{"seq":{"$in":[{"$gt":1}]}}"#, "query.seq.$in[0].$gt"),
    (r#"{"seq":{"$in":[1,{"$regex":"a"}]}}"#, "query.seq.$in[1].$regex"),
    (r#"{"seq":{"$nin":[[{"$a":1}]]}}"#, "query.seq.$nin[0][0].$a"),
    (r#"{"data":{"$all":1}}"#, "query.data.$all"),
    (r#"{"data":{"$all":{"$elemMatch":{}}}}"#, "query.data.$all"),
    (r#"{"data":{"$all":[{"$gt":1}]}}"#, "query.data.$all[0].$gt"),
    (r#"{"data":{"$all":[1,{"$elemMatch":{}}]}}"#, "query.data.$all"),
    (r#"{"data":{"$all":[{"$elemMatch":{}},1]}}"#, "query.data.$all"),
    (r#"{"data":{"$all":[{"$elemMatch":{"$foo":1}}]}}"#, "query.data.$all[0].$elemMatch.$foo"),
    (r#"{"data":{"$all":[{"$elemMatch":{},"a":1}]}}"#, "query.data.$all[0].$elemMatch"),
    // $exists, $not.
    (r#"{"seq":{"$exists":1}}"#, "query.seq.$exists"),
    (r#"{"seq":{"$exists":"true"}}"#, "query.seq.$exists"),
    (r#"{"seq":{"$exists":null}}"#, "query.seq.$exists"),
    (r#"{"seq":{"$not":1}}"#, "query.seq.$not"),
    (r#"{"seq":{"$not":null}}"#, "query.seq.$not"),
    (r#"{"seq":{"$not":{}}}"#, "query.seq.$not"),
    (r#"{"seq":{"$not":{"a":1}}}"#, "query.seq.$not"),
    (r#"{"seq":{"$not":[{"$gt":1}]}}"#, "query.seq.$not"),
    (r#"{"seq":{"$not":{"$gt":1,"$foo":1}}}"#, "query.seq.$not.$foo"),
    (r#"{"seq":{"$not":{"$not":{"$not":1}}}}"#, "query.seq.$not.$not.$not"),
    // $type.
    (r#"{"data":{"$type":"text"}}"#, "query.data.$type"),
    (r#"{"data":{"$type":"String"}}"#, "query.data.$type"),
    (r#"{"data":{"$type":"objectId"}}"#, "query.data.$type"),
    (r#"{"data":{"$type":"decimal"}}"#, "query.data.$type"),
    (r#"{"data":{"$type":99}}"#, "query.data.$type"),
    (r#"{"data":{"$type":2.5}}"#, "query.data.$type"),
    (r#"{"data":{"$type":7}}"#, "query.data.$type"),
    (r#"{"data":{"$type":null}}"#, "query.data.$type"),
    (r#"{"data":{"$type":{}}}"#, "query.data.$type"),
    (r#"{"data":{"$type":[]}}"#, "query.data.$type"),
    (r#"{"data":{"$type":["string","text"]}}"#, "query.data.$type[1]"),
    (r#"{"data":{"$type":[["string"]]}}"#, "query.data.$type[0]"),
    // $mod.
    (r#"{"data":{"$mod":2}}"#, "query.data.$mod"),
    (r#"{"data":{"$mod":[]}}"#, "query.data.$mod"),
    (r#"{"data":{"$mod":[2]}}"#, "query.data.$mod"),
    (r#"{"data":{"$mod":[2,0,0]}}"#, "query.data.$mod"),
    (r#"{"data":{"$mod":[0,0]}}"#, "query.data.$mod[0]"),
    (r#"{"data":{"$mod":[0.5,0]}}"#, "query.data.$mod[0]"),
    (r#"{"data":{"$mod":["2",0]}}"#, "query.data.$mod[0]"),
    (r#"{"data":{"$mod":[2,null]}}"#, "query.data.$mod[1]"),
    (r#"{"data":{"$mod":[1e19,0]}}"#, "query.data.$mod[0]"),
    (r#"{"data":{"$mod":[2,-1e19]}}"#, "query.data.$mod[1]"),
    // $size.
    (r#"{"data":{"$size":-1}}"#, "query.data.$size"),
    (r#"{"data":{"$size":1.5}}"#, "query.data.$size"),
    (r#"{"data":{"$size":"1"}}"#, "query.data.$size"),
    (r#"{"data":{"$size":null}}"#, "query.data.$size"),
    (r#"{"data":{"$size":{"$gt":1}}}"#, "query.data.$size"),
    (r#"{"data":{"$size":1e300}}"#, "query.data.$size"),
    // $elemMatch.
    (r#"{"data":{"$elemMatch":1}}"#, "query.data.$elemMatch"),
    (r#"{"data":{"$elemMatch":[]}}"#, "query.data.$elemMatch"),
    (r#"{"data":{"$elemMatch":{"$foo":1}}}"#, "query.data.$elemMatch.$foo"),
    (r#"{"data":{"$elemMatch":{"$gt":1,"a":1}}}"#, "query.data.$elemMatch.a"),
    (r#"{"data":{"$elemMatch":{"a":{"$foo":1}}}}"#, "query.data.$elemMatch.a.$foo"),
    (r#"{"data":{"$elemMatch":{"$or":[{"$gt":1}]}}}"#, "query.data.$elemMatch.$or[0].$gt"),
    (r#"{"data":{"$elemMatch":{"$or":[],"a":1}}}"#, "query.data.$elemMatch.$or"),
    (r#"{"data":{"$elemMatch":{"$where":"1"}}}"#, "query.data.$elemMatch.$where"),
    (r#"{"data":{"$elemMatch":{"$date":1}}}"#, "query.data.$elemMatch.$date"),
    // Regular expressions.
    (r#"{"data":{"$regex":1}}"#, "query.data.$regex"),
    (r#"{"data":{"$regex":null}}"#, "query.data.$regex"),
    (r#"{"data":{"$regex":["a"]}}"#, "query.data.$regex"),
    (r#"{"data":{"$regex":"("}}"#, "query.data.$regex"),
    (r#"{"data":{"$regex":"a","$options":"g"}}"#, "query.data.$options"),
    (r#"{"data":{"$regex":"a","$options":"x"}}"#, "query.data.$options"),
    (r#"{"data":{"$regex":"a","$options":"ii"}}"#, "query.data.$options"),
    (r#"{"data":{"$regex":"a","$options":1}}"#, "query.data.$options"),
    (r#"{"data":{"$regex":"a","$options":null}}"#, "query.data.$options"),
    (r#"{"data":{"$options":"i"}}"#, "query.data.$options"),
    (r#"{"data":{"$not":{"$options":"i"}}}"#, "query.data.$not.$options"),
    (r#"{"data":{"$elemMatch":{"$regex":"a","$options":"y"}}}"#, "query.data.$elemMatch.$options"),
    (r#"{"data":{"$regularExpression":1}}"#, "query.data"),
    (r#"{"data":{"$regularExpression":{"pattern":"a"}}}"#, "query.data"),
    (r#"{"data":{"$regularExpression":{"pattern":"a","options":1}}}"#, "query.data"),
    (r#"{"data":{"$regularExpression":{"pattern":"a","options":"","x":1}}}"#, "query.data"),
    (r#"{"data":{"$regularExpression":{"pattern":"(?=a)","options":""}}}"#, "query.data"),
    (r#"{"data":{"$regularExpression":{"pattern":"a","options":"g"}}}"#, "query.data"),
    (r#"{"data":{"$gt":{"$regularExpression":{"pattern":"a","options":""}}}}"#, "query.data.$gt"),
    (r#"{"data":{"$eq":{"$regularExpression":{"pattern":"a","options":""}}}}"#, "query.data.$eq"),
    (r#"{"data":{"$ne":{"$regularExpression":{"pattern":"a","options":""}}}}"#, "query.data.$ne"),
    (r#"{"data":[{"$regularExpression":{"pattern":"a","options":""}}]}"#, "query.data[0]"),
    (r#"{"data":{"a":{"$regularExpression":{"pattern":"a","options":""}}}}"#, "query.data.a"),
    (
        r#"{"data":{"$in":[1,{"$regularExpression":{"pattern":"*","options":""}}]}}"#,
        "query.data.$in[1]",
    ),
    (
        r#"{"data":{"$all":[{"$regularExpression":{"pattern":"*","options":""}}]}}"#,
        "query.data.$all[0]",
    ),
    (r#"{"data":{"$not":{"$regularExpression":{"pattern":"*","options":""}}}}"#, "query.data.$not"),
    (
        concat!(
            r#"{"data":{"$regex":{"$regularExpression":{"pattern":"a","options":"i"}},"#,
            r#""$options":"m"}}"#
        ),
        "query.data.$options",
    ),
];

#[test]
fn what_is_not_understood_is_refused_with_its_path() {
    for (text, path) in REFUSALS {
        assert_eq!(refused(text).0, *path, "{text}");
    }
}

#[test]
fn an_unknown_field_is_refused_with_the_known_ones() {
    let (_, message) = refused(r#"{"dta.book":1}"#);
    assert!(message.contains("`dta`"), "{message}");
    assert!(Field::ALL.iter().all(|field| message.contains(field.as_str())), "{message}");
}
