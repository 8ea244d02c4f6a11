//! What conditions and holds may look at of a task.

use super::{read, unreadable};
use crate::error::Result;
use crate::query::{Field, Fields, Object, Parts, Value};
use crate::rate::{self, RateKey, RateLimit};
use crate::task::{Json, NewTask};

/// What conditions may look at of a task, with those of its fields that are in `fields`; see
/// [`crate::condition::fields`].
///
/// # Errors
/// `Corrupt` if a stored text is not JSON.
pub fn for_conditions(task: &NewTask, fields: Fields) -> Result<Value> {
    members(task, fields, |field, json| read(json, field).map(Some), |_, value| Some(value))
}

/// For which value of a task a rate limit holds; nothing if it is for its whole operation.
///
/// # Errors
/// `Corrupt` if a stored text is not JSON.
pub fn rate_key(task: &NewTask, rate: &RateLimit) -> Result<Option<RateKey>> {
    rate.by.as_deref().map(|by| gate_key(task, by)).transpose()
}

/// The value of a task at the path by which a rate limit or a circuit breaker holds.
///
/// # Errors
/// `Corrupt` if a stored text is not JSON.
pub fn gate_key(task: &NewTask, by: &str) -> Result<RateKey> {
    Ok(rate::key_at(&for_conditions(task, rate::fields_of(by))?, by))
}

/// The part of [`for_conditions`] to which some paths lead.
///
/// # Errors
/// `Corrupt` if a stored text is not JSON, as far as it is read.
pub fn for_parts(task: &NewTask, parts: &Parts) -> Result<Value> {
    let below = |field: Field| parts.below(field.as_str());
    let stored = |field, json: &Json| match below(field) {
        Some(wanted) => {
            Value::part_of_json(json.as_str(), wanted).map_err(|error| unreadable(field, error))
        }
        None => Ok(None),
    };
    members(task, parts.fields(), stored, |field, value| below(field)?.of(&value))
}

/// A document of the wanted fields, with what is wanted of each.
fn members(
    task: &NewTask,
    fields: Fields,
    stored: impl Fn(Field, &Json) -> Result<Option<Value>>,
    plain: impl Fn(Field, Value) -> Option<Value>,
) -> Result<Value> {
    let mut members = Vec::new();
    let mut add = |field: Field, value: Option<Value>| {
        members.extend(value.map(|value| (field.as_str().into(), value)));
    };
    let texts = [
        (Field::Data, &task.data),
        (Field::Id, &task.options.id),
        (Field::Label, &task.options.label),
        (Field::Tags, &task.options.tags),
    ];
    for (field, text) in texts.into_iter().filter(|(field, _)| fields.has(*field)) {
        if let Some(json) = text {
            add(field, stored(field, json)?);
        }
    }
    if fields.has(Field::Operation) {
        add(Field::Operation, plain(Field::Operation, Value::text(&task.operation)));
    }
    if fields.has(Field::Priority) {
        add(Field::Priority, plain(Field::Priority, Value::Number(task.priority.get())));
    }
    Ok(Value::Object(Object::new(members)))
}
