//! Where in a query something stands, for errors.

use std::fmt::Display;

use crate::error::{Code, Error, Result};
use crate::limits::QUERY_DEPTH_MAX;

/// `InvalidQuery` at `path`.
pub(super) fn fault(path: &str, message: impl Display) -> Error {
    Error::at(Code::InvalidQuery, path, message)
}

/// Where in a query the parser is.
pub(super) struct Place {
    path: String,
    /// How many objects of fields and operators are around.
    level: usize,
    /// Whether paths begin at a member of an array, inside of `$elemMatch`.
    pub(super) is_inner: bool,
    /// Whether what stands here has to hold for the whole query to match.
    pub(super) is_conjunct: bool,
}

impl Place {
    /// A whole query that stands at this path.
    pub(super) fn query(at: &str) -> Self {
        Self { path: at.into(), level: 1, is_inner: false, is_conjunct: true }
    }

    /// A whole query of any object that stands at this path.
    pub(super) fn query_of_any(at: &str) -> Self {
        Self { is_inner: true, ..Self::query(at) }
    }

    /// Its text, such as `query.$or[1].seq`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A member of an object.
    pub(super) fn key(&self, key: &str) -> Self {
        Self { path: format!("{}.{key}", self.path), ..*self }
    }

    /// An item of a list.
    pub(super) fn index(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), level: self.level + 1, ..*self }
    }

    /// An object of operators within the same member.
    pub(super) fn deeper(&self) -> Self {
        Self { path: self.path.clone(), level: self.level + 1, ..*self }
    }

    /// The place of another operator on the same field.
    pub(super) fn sibling(&self, key: &str) -> Self {
        let parent = self.path.rsplit_once('.').map_or("", |(parent, _)| parent);
        Self { path: format!("{parent}.{key}"), ..*self }
    }

    /// A query of a member of an array.
    pub(super) fn inner(&self) -> Self {
        Self { is_inner: true, is_conjunct: false, ..self.deeper() }
    }

    /// Where one of several queries may hold, or none of them.
    pub(super) fn alternatives(self) -> Self {
        Self { is_conjunct: false, ..self }
    }

    /// `InvalidQuery` here.
    pub(super) fn fault(&self, message: impl Display) -> Error {
        fault(&self.path, message)
    }

    /// Refuses what is nested too deeply.
    pub(super) fn check_level(&self) -> Result<()> {
        if self.level > QUERY_DEPTH_MAX {
            return Err(self.fault(format!("a query has at most {QUERY_DEPTH_MAX} levels")));
        }
        Ok(())
    }
}
