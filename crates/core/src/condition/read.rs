//! Reads conditions, as they are given and as they are stored.

use super::canonical;
use super::{Condition, Scope, fields};
use crate::error::{Code, Error, Result};
use crate::limits::{CONDITIONS_BYTES_MAX, CONDITIONS_MAX};
use crate::query::{Allowed, Field, Fields, Object, Query, Value};

/// What a scope says of a task itself, so that the query need not.
const IGNORED: &[Field] = &[Field::Status, Field::State];
const IGNORED_FIELDS: Fields = Fields::NONE.with(Field::Status).with(Field::State);

/// The greatest limit: what JavaScript can count to.
const LIMIT_MAX: f64 = 9_007_199_254_740_991.0;

/// Reads the conditions of a list that stands at `path`.
pub(super) fn all(text: &str, path: &str) -> Result<Vec<Condition>> {
    let items = items(text, path)?;
    let read = items.iter().enumerate();
    read.map(|(index, item)| condition(item, &format!("{path}[{index}]"))).collect()
}

/// What a list of conditions holds, unread.
pub(super) fn items(text: &str, path: &str) -> Result<Vec<Value>> {
    check_bytes(text, path)?;
    let wrong = "must be an array of conditions, such as \
                 [{ scope: 'running', query: { 'data.book': 'dune' }, limit: 0 }]";
    let value =
        Value::from_json(text).map_err(|error| Error::invalid(path, wrong).with_source(error))?;
    let Value::Array(items) = value else { return Err(Error::invalid(path, wrong)) };
    check_count(items.len(), path)?;
    Ok(items)
}

/// Refuses a text that is longer than that of the conditions of a task may be.
pub(super) fn check_bytes(text: &str, path: &str) -> Result<()> {
    if text.len() > CONDITIONS_BYTES_MAX {
        let message = format!("is longer than {CONDITIONS_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, path, message));
    }
    Ok(())
}

/// Refuses more conditions than a task may have.
pub(super) fn check_count(count: usize, path: &str) -> Result<()> {
    if count > CONDITIONS_MAX {
        let message = format!("has {count} conditions; at most {CONDITIONS_MAX} are allowed");
        return Err(Error::at(Code::TooLarge, path, message));
    }
    Ok(())
}

/// Reads one condition.
pub(super) fn condition(value: &Value, path: &str) -> Result<Condition> {
    let Value::Object(members) = value else {
        return Err(Error::invalid(path, "must be an object: { scope, query, limit }"));
    };
    let known = |name: &str| matches!(name, "scope" | "query" | "limit");
    if let Some((name, _)) = members.iter().find(|(name, _)| !known(name)) {
        let message = "is not known; there are scope, query, limit";
        return Err(Error::invalid(format!("{path}.{name}"), message));
    }
    let (scope, limit) = (scope(members, path)?, limit(members, path)?);
    let given = required(members, "query", path)?;
    let at = format!("{path}.query");
    let (query, canonical) = query_of(given, &at, &allowed(scope))?;
    let mut key = format!("{} ", scope.as_str());
    canonical.write_json(&mut key);
    Ok(Condition { scope, limit, query, key: key.into() })
}

/// Reads a query that stands at `at`; with its canonical form, which it is made of.
pub(super) fn query_of(given: &Value, at: &str, allowed: &Allowed) -> Result<(Query, Value)> {
    // What is wrong is told of what was given.
    let query = Query::of_value(given, at, *allowed)?;
    let canonical = canonical::query(given, IGNORED);
    // What is stored is canonical, and so is most of what is given.
    let query =
        if canonical == *given { query } else { Query::of_value(&canonical, at, *allowed)? };
    Ok((query, canonical))
}

/// What the query of a hold may look at.
pub(super) const ALLOWED_BY_HOLD: Allowed = Allowed {
    fields: fields(Scope::Running),
    ignored: IGNORED_FIELDS,
    advice: "a hold looks at operation, data, id, label, tags and priority, as a task has them \
             when it comes up",
};

/// What the query of a condition may look at.
const fn allowed(scope: Scope) -> Allowed {
    let advice = match scope {
        Scope::Running => {
            "a condition of the scope running looks at operation, data, id, label, tags and \
             priority, which do not change while it counts"
        }
        Scope::BeforeQueued => {
            "a condition of the scope before-queued looks at operation, data, id, label and tags, \
             which do not change while it counts"
        }
    };
    Allowed { fields: fields(scope), ignored: IGNORED_FIELDS, advice }
}

fn required<'v>(members: &'v Object, name: &str, path: &str) -> Result<&'v Value> {
    members.get(name).ok_or_else(|| Error::invalid(format!("{path}.{name}"), "is missing"))
}

fn scope(members: &Object, path: &str) -> Result<Scope> {
    let word = match required(members, "scope", path)? {
        Value::String(word) => Scope::from_word(word),
        _ => None,
    };
    word.ok_or_else(|| {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let message = format!("must be one of {}", known.join(", "));
        Error::invalid(format!("{path}.scope"), message)
    })
}

fn limit(members: &Object, path: &str) -> Result<i64> {
    match required(members, "limit", path)? {
        Value::Number(limit) if limit.fract() == 0.0 && limit.abs() <= LIMIT_MAX => {
            Ok(*limit as i64)
        }
        _ => {
            let message = "must be a whole number: how many others may match, 0, 1, 2, …";
            Err(Error::invalid(format!("{path}.limit"), message))
        }
    }
}
