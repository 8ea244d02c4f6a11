//! An option that is an object: its members, each read once.
//!
//! # Promises
//! - What is wrong with a member is an error with its path, and nothing is accepted and ignored.
//!
//! Proof: the tests of `retry`, `queue_timeout` and `schedule`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// The members of an object, each read once.
pub(crate) struct Members<'a> {
    path: &'a str,
    all: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

impl<'a> Members<'a> {
    /// Those of an object; `wrong` says what it must be.
    pub(crate) fn read(text: &'a str, path: &'a str, wrong: &str) -> Result<Self> {
        let all = serde_json::from_str(text).map_err(|_| Error::invalid(path, wrong))?;
        Ok(Self { path, all })
    }

    /// Those of an object that is the argument itself: the path of a member is its name. `name`
    /// is what the object is called.
    pub(crate) fn of_argument(text: &'a str, name: &'a str) -> Result<Self> {
        Ok(Self { path: "", ..Members::read(text, name, "must be an object")? })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// One that may be left out.
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        let path = self.path_of(name);
        self.all.remove(name).map(|given| read(given.get(), &path)).transpose()
    }

    /// One that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T>,
    ) -> Result<T> {
        let path = self.path_of(name);
        let missing = || Error::invalid(path, "is missing");
        self.optional(name, read)?.ok_or_else(missing)
    }

    /// Nothing is accepted and ignored.
    pub(crate) fn end(self, known: &str) -> Result<()> {
        match self.all.first_key_value() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Error::invalid(self.path_of(name), format!("is not known; there are {known}")))
            }
        }
    }
}
