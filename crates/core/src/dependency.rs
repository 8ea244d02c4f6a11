//! What a task depends on, as it is said and stored.
//!
//! # Promises
//! - A number names an earlier definition of the same call, so nobody can make a cycle.
//!
//! # Left to others
//! How it is read, and what follows from the states of those tasks, is `standing`'s.
//!
//! Proof: the tests of `standing`, `conformance::dependencies`.

use std::fmt::{self, Display};

use crate::error::{Error, Result};
use crate::id::TaskId;

/// What it means for a task that one of its dependencies failed or was aborted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It ends as aborted, cause `dependency`.
    #[default]
    Abort,
    /// It runs all the same.
    Run,
}

impl OnFailure {
    /// Every value.
    pub const ALL: &[OnFailure] = &[OnFailure::Abort, OnFailure::Run];
    /// Every word with its value.
    pub const WORDS: &[(&str, OnFailure)] = &[("abort", OnFailure::Abort), ("run", OnFailure::Run)];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            OnFailure::Abort => "abort",
            OnFailure::Run => "run",
        }
    }
}

/// One task that another one depends on, as its caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// By its uuid. A stored task names all of them so.
    Task(TaskId),
    /// By its place among the definitions of the same call, from 0.
    Earlier(usize),
}

/// What a task depends on; never nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// In the order given.
    pub on: Vec<Dependency>,
    /// What the end of one of them means that was not done.
    pub on_failure: OnFailure,
    /// Whether its caller gave the list alone, for the paths of errors. Not in a stored task.
    pub is_list: bool,
}

impl Dependencies {
    /// The path of one of them, below that of all.
    pub fn path(&self, index: usize) -> String {
        if self.is_list { format!("[{index}]") } else { format!(".uuids[{index}]") }
    }

    /// The tasks, as far as they are named by their uuids.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.on.iter().filter_map(|one| match one {
            Dependency::Task(id) => Some(*id),
            Dependency::Earlier(_) => None,
        })
    }

    /// Each number names one of the first `earlier` definitions of its call.
    ///
    /// # Errors
    /// `Invalid` with the path of the first that does not.
    pub fn check_earlier(&self, earlier: usize) -> Result<()> {
        let is_wrong = |one: &Dependency| matches!(one, Dependency::Earlier(n) if *n >= earlier);
        let Some(wrong) = self.on.iter().position(is_wrong) else { return Ok(()) };
        let what = match earlier {
            0 => {
                "a number names an earlier definition of the same addTasks call, and there is none"
                    .to_owned()
            }
            1 => "names no earlier definition of this call; there is 0".to_owned(),
            _ => {
                format!("names no earlier definition of this call; there are 0 to {}", earlier - 1)
            }
        };
        Err(Error::invalid(format!("dependsOn{}", self.path(wrong)), what))
    }
}

impl Display for Dependencies {
    /// Its JSON text, as it is stored and shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"uuids\":[")?;
        for (index, one) in self.on.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match one {
                Dependency::Task(id) => write!(f, "{comma}\"{}\"", id.0)?,
                Dependency::Earlier(n) => write!(f, "{comma}{n}")?,
            }
        }
        write!(f, "],\"onFailure\":\"{}\"}}", self.on_failure.as_str())
    }
}
