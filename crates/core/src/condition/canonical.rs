//! One form for each query of a condition.
//!
//! # Promises
//! - The canonical form of a query that was accepted is accepted, matches the same tasks, and is
//!   its own canonical form.
//! - It needs no more levels and names than the query, so no limit is met that was not met before.
//!
//! Proof: `condition::tests`.

use crate::query::{Field, Object, Value};

type Member = (Box<str>, Value);

/// The canonical form of a query, without what `ignored` says.
pub(super) fn query(value: &Value, ignored: &[Field]) -> Value {
    let mut members = Vec::new();
    conjuncts(value, ignored, &mut members);
    object(members)
}

/// All that has to hold, also inside of an `$and`.
fn conjuncts(value: &Value, ignored: &[Field], all: &mut Vec<Member>) {
    let Value::Object(members) = value else { return };
    for (name, value) in members.iter() {
        match name {
            "$and" => {
                items(value).iter().for_each(|item| conjuncts(item, ignored, all));
            }
            "$or" | "$nor" => all.push((name.into(), alternatives(value))),
            _ if is_ignored(name, ignored) => {}
            _ => all.push((name.into(), test(value))),
        }
    }
}

fn is_ignored(name: &str, ignored: &[Field]) -> bool {
    let field = name.split('.').next().and_then(Field::from_name);
    field.is_some_and(|field| ignored.contains(&field))
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        _ => &[],
    }
}

fn alternatives(value: &Value) -> Value {
    let mut all: Vec<Value> = items(value).iter().map(|item| query(item, &[])).collect();
    all.sort();
    all.dedup();
    Value::Array(all)
}

/// An object of these members; what is said twice of one name stands in an `$and`.
fn object(mut members: Vec<Member>) -> Value {
    members.sort();
    members.dedup();
    let mut first: Vec<Member> = Vec::new();
    let mut more: Vec<Value> = Vec::new();
    for (name, value) in members {
        match first.last_mut().filter(|(last, _)| *last == name) {
            None => first.push((name, value)),
            Some((_, last)) => match merged(last, &value) {
                Some(both) if !name.starts_with('$') => *last = both,
                _ => more.push(Value::Object(Object::new(vec![(name, value)]))),
            },
        }
    }
    if !more.is_empty() {
        first.push(("$and".into(), Value::Array(more)));
    }
    Value::Object(Object::new(first))
}

/// Both tests of one path as one object of operators, unless they have an operator in common.
fn merged(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (operators(a)?, operators(b)?);
    let is_free = b.iter().all(|(name, _)| a.get(name).is_none());
    is_free.then(|| {
        let all = a.iter().chain(b.iter());
        Value::Object(Object::new(all.map(|(name, of)| (name.into(), of.clone())).collect()))
    })
}

/// A test as operators; nothing for a regular expression, which is no operand of `$eq`.
fn operators(value: &Value) -> Option<Object> {
    match value {
        Value::Object(members) if is_pattern(members) => None,
        Value::Object(members) if has_operators(members) => Some(members.clone()),
        plain => Some(Object::new(vec![("$eq".into(), plain.clone())])),
    }
}

fn is_pattern(members: &Object) -> bool {
    members.len() == 1 && members.get("$regularExpression").is_some()
}

fn has_operators(members: &Object) -> bool {
    let is_date = members.len() == 1 && members.get("$date").is_some();
    !is_date && !is_pattern(members) && members.iter().any(|(name, _)| name.starts_with('$'))
}

/// What is asked of one path.
fn test(value: &Value) -> Value {
    match value {
        Value::Object(members) if has_operators(members) => {
            let all = tests(members);
            match all.get("$eq") {
                Some(plain) if all.len() == 1 && is_plain(plain) => plain.clone(),
                _ => Value::Object(all),
            }
        }
        plain => plain.clone(),
    }
}

/// Operators on one path.
fn tests(members: &Object) -> Object {
    let has_equality = members.get("$eq").is_some();
    let all = members.iter().map(|(name, operand)| match (name, operand) {
        ("$in", _) => match list(operand).as_slice() {
            [value] if !has_equality && is_plain(value) => ("$eq".into(), value.clone()),
            values => (name.into(), Value::Array(values.to_vec())),
        },
        ("$nin", _) => (name.into(), Value::Array(list(operand))),
        ("$not", Value::Object(inner)) if has_operators(inner) => {
            (name.into(), Value::Object(tests(inner)))
        }
        ("$elemMatch", Value::Object(inner)) => (name.into(), element(operand, inner)),
        _ => (name.into(), operand.clone()),
    });
    Object::new(all.collect())
}

fn list(value: &Value) -> Vec<Value> {
    let mut all = items(value).to_vec();
    all.sort();
    all.dedup();
    all
}

/// What a member of an array has to meet: a query of what is in it, or operators.
fn element(value: &Value, members: &Object) -> Value {
    let is_logic = |name: &str| matches!(name, "$and" | "$or" | "$nor");
    if members.iter().all(|(name, _)| !name.starts_with('$') || is_logic(name)) {
        return query(value, &[]);
    }
    Value::Object(tests(members))
}

/// Whether a value means the same with and without `$eq`: it has no name that could be an operator.
pub(super) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().all(|(name, value)| !name.starts_with('$') && is_plain(value))
        }
        Value::Array(items) => items.iter().all(is_plain),
        _ => true,
    }
}
