//! An option that is an object: its members, each read once.
//!
//! # Promises
//! - What is wrong with a member is an error with its path, and nothing is accepted and ignored.
//!
//! Proof: the tests of `retry` and `queue_timeout`.

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

    /// One that may be left out.
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        let path = format!("{}.{name}", self.path);
        self.all.remove(name).map(|given| read(given.get(), &path)).transpose()
    }

    /// One that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str, &str) -> Result<T>,
    ) -> Result<T> {
        let path = self.path;
        let missing = || Error::invalid(format!("{path}.{name}"), "is missing");
        self.optional(name, read)?.ok_or_else(missing)
    }

    /// Nothing is accepted and ignored.
    pub(crate) fn end(self, known: &str) -> Result<()> {
        match self.all.first_key_value() {
            None => Ok(()),
            Some((name, _)) => {
                let path = format!("{}.{name}", self.path);
                Err(Error::invalid(path, format!("is not known; there are {known}")))
            }
        }
    }
}
