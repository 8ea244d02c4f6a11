//! MongoDB's rules of types, remainders, arrays and regular expressions, as tables.

use super::super::{Object, Value};
use super::{query, table};

#[test]
fn type_asks_for_the_type_of_a_value_or_of_a_member() {
    table(
        r#"
        {"data.x":{"$type":"string"}}
            + {"x":"a"}; {"x":[1,"a"]}; [{"x":""}]
            - {"x":1}; {}; {"x":null}; {"x":[["a"]]}; 5
        {"data.x":{"$type":"null"}}
            + {"x":null}; {"x":[null]}
            - {}; 5; {"x":0}
        {"data.x":{"$type":"array"}}
            + {"x":[]}; {"x":[1]}; {"x":[[1]]}
            - {"x":{}}; {}; {"x":1}
        {"data.0":{"$type":"array"}}
            + [[1]]; {"0":[]}
            - [1]; []
        {"data.0":{"$type":"number"}}
            + [1]; {"0":[1]}
            - [[1]]
        {"data":{"$type":"object"}}
            + {}; [{}]
            - []; null; 1
        {"data":{"$type":["bool","number"]}}
            + true; 1; 1.5; 1e300; [false]
            - "1"; null; {}
        {"data":{"$type":"int"}}
            + 1; -2147483648; 2147483647
            - 1.5; 2147483648; "1"
        {"data":{"$type":18}}
            + 2147483648; -2147483649
            - 1; 1e300; 0.5
        {"data":{"$type":[1,10]}}
            + 1.5; 1e300; null
            - 1; 2147483648
        {"data":{"$not":{"$type":2}}}
            + 1; null; []
            - "a"; ["a"]
        {"data":{"$type":"date"}}
            - 5; "1970-01-01T00:00:00.005Z"
        "#,
    );
    let task = Value::Object(Object::new(vec![("createdAt".into(), Value::Date(1_000))]));
    assert!(query(r#"{"createdAt":{"$type":"date"}}"#).matches(&task));
    assert!(query(r#"{"createdAt":{"$type":9}}"#).matches(&task));
}

#[test]
fn mod_asks_for_the_remainder_of_whole_numbers() {
    table(
        r#"
        {"data":{"$mod":[4,1]}}
            + 1; 5; 5.9; ["x",9]; 1e0
            - 0; 4; -1; -3; "5"; null; true; {}; [[5]]; 1e300
        {"data":{"$mod":[4,-3]}}
            + -3; -7
            - 1; -4
        {"data":{"$mod":[4.9,1.9]}}
            + 5
            - 2
        {"data":{"$mod":[-4,1]}}
            + 5
            - 2
        {"data":{"$mod":[-1,0]}}
            + 7; -9223372036854775808; -0.5
            - "7"; 9223372036854775808
        {"data.x":{"$mod":[2,0]}}
            + {"x":4}; {"x":[1,4]}; [{"x":4}]
            - {}; 4
        "#,
    );
}

#[test]
fn size_asks_for_the_number_of_members() {
    table(
        r#"
        {"data":{"$size":2}}
            + [1,2]; [[1],[2]]
            - [1]; []; [[1,2]]; 2; "ab"; {"a":1,"b":2}; null
        {"data.x":{"$size":0}}
            + {"x":[]}; [{"x":[]}]
            - {}; {"x":null}; {"x":[[]]}
        {"data.0":{"$size":1}}
            + [[7]]; {"0":[7]}
            - [7]; [[[7],8]]
        {"data":{"$not":{"$size":1}}}
            + []; 1; null
            - [5]
        {"data":{"$size":1.0}}
            + [5]
        "#,
    );
}

#[test]
fn all_asks_for_each_of_its_values() {
    table(
        r#"
        {"data":{"$all":[1,2]}}
            + [2,1]; [1,2,3]
            - [1]; 1; [[1,2]]; []
        {"data":{"$all":[1]}}
            + 1; [1]
            - 2; [[1]]
        {"data":{"$all":[[1,2]]}}
            + [1,2]; [[1,2]]
            - [2,1]; [1,2,3]
        {"data.x":{"$all":[null]}}
            + {}; {"x":null}; {"x":[null,1]}
            - {"x":1}; {"x":[]}
        {"data":{"$all":[]}}
            - []; 1; null
        {"data":{"$not":{"$all":[]}}}
            + []; 1
        {"data.x":{"$all":[1,2]}}
            + [{"x":1},{"x":2}]; {"x":[1,2]}
            - [{"x":1}]
        {"data":{"$all":[{"$elemMatch":{"a":1}},{"$elemMatch":{"b":{"$gt":1}}}]}}
            + [{"a":1},{"b":2}]; [{"a":1,"b":2}]
            - [{"a":1},{"b":1}]; {"a":1,"b":2}
        "#,
    );
}

#[test]
fn elem_match_asks_for_one_member_that_meets_all() {
    table(
        r#"
        {"data":{"$elemMatch":{"$gt":1,"$lt":5}}}
            + [0,3]; [9,2]
            - [0,9]; 3; []; [[3]]; ["3"]
        {"data":{"$elemMatch":{"a":1,"b":2}}}
            + [{"a":1,"b":2}]; [0,{"b":[2],"a":[0,1]}]
            - [{"a":1},{"b":2}]; {"a":1,"b":2}; []
        {"data":{"$elemMatch":{"a.b":{"$exists":false}}}}
            + [{}]; [{"a":1}]; [[1]]
            - [1]; ["x"]; [{"a":{"b":1}}]
        {"data":{"$elemMatch":{"0":7}}}
            + [[7]]; [{"0":7}]
            - [7]; [[8,7]]
        {"data":{"$elemMatch":{}}}
            + [{}]; [{"a":1}]; [[]]
            - [1]; []; {}
        {"data":{"$elemMatch":{"$elemMatch":{"$eq":1}}}}
            + [[1]]; [0,[2,1]]
            - [1]; [[[1]]]
        {"data":{"$elemMatch":{"$eq":[1]}}}
            + [[1]]
            - [1]; [[[1]]]
        {"data":{"$elemMatch":{"$in":[1,null]}}}
            + [1]; [null]
            - [[1]]; [2]; []
        {"data":{"$elemMatch":{"$ne":1}}}
            + [1,2]; [[1]]
            - [1]; []; 2
        {"data":{"$elemMatch":{"$not":{"$gt":1}}}}
            + [1,2]; ["x"]
            - [2,3]
        {"data":{"$elemMatch":{"$size":1}}}
            + [[5]]
            - [5]; [[1,2]]
        {"data":{"$elemMatch":{"$type":"array"}}}
            + [[1]]
            - [1]; []
        {"data":{"$elemMatch":{"$exists":true}}}
            + [null]
            - []; null
        {"data":{"$elemMatch":{"$or":[{"a":1},{"b":2}],"c":3}}}
            + [{"a":1,"c":3}]; [{"b":2,"c":3}]
            - [{"a":1},{"c":3}]
        {"data.x":{"$elemMatch":{"y":{"$elemMatch":{"z":1}}}}}
            + {"x":[{"y":[{"z":1}]}]}
            - {"x":[{"y":{"z":1}}]}; {"x":{"y":[{"z":1}]}}
        {"data.0":{"$elemMatch":{"$eq":1}}}
            + [[1]]; {"0":[1]}
            - [1]
        {"data":{"$not":{"$elemMatch":{"$gt":1}}}}
            + [1]; 5; null
            - [2]
        "#,
    );
}

#[test]
fn regex_asks_for_a_text_in_which_it_is_found() {
    table(
        r#"
        {"data.x":{"$regex":"^du"}}
            + {"x":"dune"}; {"x":["a","dune"]}; [{"x":"du"}]
            - {"x":"Dune"}; {"x":["a"]}; {}; {"x":null}; {"x":1}; {"x":[["du"]]}; "du"
        {"data":{"$regex":"^DU","$options":"i"}}
            + "dune"
            - "adu"
        {"data":{"$regularExpression":{"pattern":"^DU","options":"i"}}}
            + "dune"
            - "adu"; {"pattern":"^DU","options":"i"}
        {"data":{"$regex":{"$regularExpression":{"pattern":"^DU","options":"i"}}}}
            + "dune"
            - "adu"
        {"data":{"$regex":{"$regularExpression":{"pattern":"^DU","options":""}},"$options":"i"}}
            + "dune"
        {"data":{"$not":{"$regularExpression":{"pattern":"a","options":""}}}}
            + "b"; 1; null; []
            - "a"; ["b","a"]
        {"data":{"$not":{"$regex":"a"}}}
            + "b"; 1
            - "a"
        {"data":{"$in":[1,{"$regularExpression":{"pattern":"a","options":""}}]}}
            + 1; "a"; ["a"]; [1]
            - 2; "b"; []
        {"data":{"$nin":[1,{"$regularExpression":{"pattern":"a","options":""}}]}}
            + 2; "b"; []
            - 1; "a"; ["a"]; [1]
        {"data":{"$all":["x",{"$regularExpression":{"pattern":"a","options":""}}]}}
            + ["x","a"]; ["x","cab"]
            - ["x"]; "x"; ["a"]
        {"data":{"$elemMatch":{"$regex":"a","$ne":"a"}}}
            + ["a","ab"]
            - ["a","b"]; "ab"; [["ab"]]
        {"data":{"$elemMatch":{"b":{"$regularExpression":{"pattern":"a","options":""}}}}}
            + [{"b":"a"}]
            - [{"b":"c"}]
        {"data":{"$regex":"a","$gt":"b"}}
            + "ca"
            - "a"; "c"
        {"data":{"$eq":{"$regex":"a"}}}
            + {"$regex":"a"}
            - "a"
        {"data":{"$regex":"^.$"}}
            + "\ud800"; "\ud83d\ude00"
        "#,
    );
}
