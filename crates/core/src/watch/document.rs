//! What queries look at of a task at one position.

use std::sync::Arc;

use crate::document;
use crate::error::Result;
use crate::id::{Seq, TaskId};
use crate::query::{Field, Fields, Object, Value};
use crate::task::TaskRecord;

use super::step::Standing;

/// What the journal tells of a task at a position.
pub(super) const TOLD: Fields = Fields::NONE
    .with(Field::Seq)
    .with(Field::Operation)
    .with(Field::State)
    .with(Field::Status)
    .with(Field::Priority);

/// The document of a task as it is now, with the standing that it had at a position.
pub(super) fn at(task: &TaskRecord, fields: Fields, standing: &Standing) -> Result<Value> {
    let rest = fields.iter().filter(|field| !is_of_standing(*field));
    let rest = rest.fold(Fields::NONE, Fields::with);
    let mut members = own(fields, standing, task.def.priority.get());
    if let Value::Object(object) = document::value(task, rest)? {
        members.extend(object.iter().map(|(name, value)| (name.into(), value.clone())));
    }
    Ok(Value::Object(Object::new(members)))
}

/// The document of a task that is gone, of which nothing but this is known.
pub(super) fn of_gone(
    (seq, id): (Seq, Option<TaskId>),
    operation: &Arc<str>,
    fields: Fields,
    standing: &Standing,
) -> Value {
    let mut members = own(fields, standing, 0.0);
    if fields.has(Field::Seq) {
        members.push((Field::Seq.as_str().into(), Value::Number(seq.0 as f64)));
    }
    if fields.has(Field::Operation) {
        members.push((Field::Operation.as_str().into(), Value::text(operation)));
    }
    if let Some(id) = id.filter(|_| fields.has(Field::Uuid)) {
        members.push((Field::Uuid.as_str().into(), Value::text(&id.0.to_string())));
    }
    Value::Object(Object::new(members))
}

fn is_of_standing(field: Field) -> bool {
    matches!(field, Field::State | Field::Status | Field::Priority)
}

fn own(fields: Fields, standing: &Standing, priority: f64) -> Vec<(Box<str>, Value)> {
    let Standing { state, status, priority: known } = standing;
    let all = [
        (Field::State, Value::text(state.as_str())),
        (Field::Status, Value::text(status.as_str())),
        (Field::Priority, Value::Number(known.map_or(priority, |known| known.get()))),
    ];
    let asked = all.into_iter().filter(|(field, _)| fields.has(*field));
    asked.map(|(field, value)| (field.as_str().into(), value)).collect()
}
