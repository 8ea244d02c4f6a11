//! The part of a document that some paths lead to.
//!
//! # Promises
//! - A query that looks at these paths and no others matches the part as it matches the document.
//! - Of a JSON text only the part is built: what else a document has costs no memory.
//!
//! Proof: `condition::tests`.

use std::collections::{BTreeMap, BTreeSet};

use super::field::Fields;
use super::path::Path;
use super::value::{Object, Value};

/// Some paths, and what they lead to.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    paths: BTreeSet<Path>,
    /// Where they begin.
    fields: Fields,
    root: Wanted,
}

/// What is wanted below a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(super) is_whole: bool,
    inside: BTreeMap<Box<str>, Wanted>,
}

impl Parts {
    /// With this path too. Whether it is a new one.
    pub fn add(&mut self, path: &Path) -> bool {
        if self.paths.contains(path) {
            return false;
        }
        let mut wanted = &mut self.root;
        for name in path.parts() {
            wanted = wanted.inside.entry(name.into()).or_default();
        }
        wanted.is_whole = true;
        self.fields = path.field().map_or(self.fields, |field| self.fields.with(field));
        self.paths.insert(path.clone())
    }

    /// The fields in which its paths begin.
    pub fn fields(&self) -> Fields {
        self.fields
    }

    /// The part of a document that its paths lead to.
    pub fn of(&self, document: &Value) -> Value {
        self.root.of(document).unwrap_or_else(|| Value::Object(Object::default()))
    }

    /// What is wanted of the document.
    #[cfg(test)]
    pub(crate) fn whole(&self) -> &Wanted {
        &self.root
    }

    /// What is wanted of a member of the document.
    pub(crate) fn below(&self, name: &str) -> Option<&Wanted> {
        self.root.below(name)
    }
}

impl<'p> FromIterator<&'p Path> for Parts {
    fn from_iter<I: IntoIterator<Item = &'p Path>>(paths: I) -> Self {
        let mut parts = Self::default();
        for path in paths {
            parts.add(path);
        }
        parts
    }
}

impl Wanted {
    /// What is wanted of a member.
    pub(super) fn below(&self, name: &str) -> Option<&Wanted> {
        self.inside.get(name)
    }

    /// A path goes through an array by its members and its places: that is kept whole.
    pub(crate) fn of(&self, value: &Value) -> Option<Value> {
        match value {
            _ if self.is_whole => Some(value.clone()),
            Value::Array(_) => Some(value.clone()),
            Value::Object(object) => {
                let members = self.inside.iter().filter_map(|(name, wanted)| {
                    Some((name.clone(), wanted.of(object.get(name)?)?))
                });
                Some(Value::Object(Object::new(members.collect())))
            }
            _ => None, // no path leads into it
        }
    }
}
