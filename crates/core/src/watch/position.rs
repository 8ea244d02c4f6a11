//! Where a watch stands in the journal.

use std::fmt;

use crate::error::{Error, Result};
use crate::id::Seq;

/// How far a watch has come: behind a step of a commit, or behind the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The number of the commit.
    pub batch: u64,
    /// The step behind which it stands, from 0 on; behind all of them if absent.
    pub step: Option<u32>,
    /// The last number of the tasks that have been told; all if absent.
    pub told: Option<Seq>,
}

impl Position {
    /// Behind all that a commit did.
    pub fn behind(batch: u64) -> Self {
        Self { batch, step: None, told: None }
    }

    /// Reads a position that a watch has told.
    ///
    /// # Errors
    /// `Invalid` at `from`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("from", "is no position that `watch` has told");
        Self::read(text).ok_or_else(wrong)
    }

    fn read(text: &str) -> Option<Self> {
        let (place, told) = match text.split_once('-') {
            Some((place, told)) => (place, Some(Seq(number(told)?))),
            None => (text, None),
        };
        let (batch, step) = match place.split_once('.') {
            Some((batch, step)) => (batch, Some(u32::try_from(number(step)?).ok()?)),
            None => (place, None),
        };
        Some(Self { batch: number(batch)?, step, told })
    }
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number <= 1 << 53)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.batch)?;
        if let Some(step) = self.step {
            write!(f, ".{step}")?;
        }
        match self.told {
            Some(told) => write!(f, "-{}", told.0),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_text() {
        for (batch, step, told) in
            [(0, None, None), (7, Some(0), None), (7, None, Some(9)), (1 << 53, Some(3), Some(0))]
        {
            let position = Position { batch, step, told: told.map(Seq) };
            assert_eq!(Position::parse(&position.to_string()).unwrap(), position);
        }
    }

    #[test]
    fn what_is_no_position_is_refused_with_its_path() {
        for text in
            ["", "x", "1.", "-1", "1-", "1.x", "+1", " 1", "1.2.3", "1-2-3", "99999999999999999"]
        {
            let error = Position::parse(text).unwrap_err();
            assert_eq!(error.facts().path.as_deref(), Some("from"), "{text}");
        }
    }
}
