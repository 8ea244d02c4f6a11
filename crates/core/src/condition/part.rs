//! The part of a task's document that some paths lead to.
//!
//! # Promises
//! - A query that looks at these paths and no others matches the part as it matches the document.
//!
//! Proof: `condition::tests`.

use std::collections::BTreeMap;

use crate::query::{Object, Path, Value};

/// What is wanted below a name.
#[derive(Default)]
struct Wanted<'p> {
    is_whole: bool,
    inside: BTreeMap<&'p str, Wanted<'p>>,
}

/// The part of a document that these paths lead to.
pub fn of<'p>(document: &Value, paths: impl IntoIterator<Item = &'p Path>) -> Value {
    let mut root = Wanted::default();
    for path in paths {
        let mut wanted = &mut root;
        for name in path.parts() {
            wanted = wanted.inside.entry(name).or_default();
        }
        wanted.is_whole = true;
    }
    part(document, &root).unwrap_or_else(|| Value::Object(Object::default()))
}

/// A path goes through an array by its members and its places: that is kept whole.
fn part(value: &Value, wanted: &Wanted<'_>) -> Option<Value> {
    match value {
        _ if wanted.is_whole => Some(value.clone()),
        Value::Array(_) => Some(value.clone()),
        Value::Object(object) => {
            let inside = wanted.inside.iter();
            let members = inside.filter_map(|(name, wanted)| {
                Some(((*name).into(), part(object.get(name)?, wanted)?))
            });
            Some(Value::Object(Object::new(members.collect())))
        }
        _ => None, // no path leads into it
    }
}
