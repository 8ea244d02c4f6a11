//! What a worker writes down of what it asks as an executor outside.

use std::fmt;

use tasker_core::id::{RunId, TaskId};

/// What is said of an executor's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is about to be made.
    Asked,
    Yes,
    No,
}

/// What an executor asks about one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Claim,
    Begin,
    Renew,
    Done,
    Failed,
}

impl Ask {
    pub(super) const ALL: [(&'static str, Ask); 5] = [
        ("claim", Ask::Claim),
        ("begin", Ask::Begin),
        ("renew", Ask::Renew),
        ("done", Ask::Done),
        ("failed", Ask::Failed),
    ];

    pub(super) fn is_end(self) -> bool {
        matches!(self, Ask::Done | Ask::Failed)
    }
}

/// A line of the trace about a run of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lent {
    pub(super) task: TaskId,
    pub(super) run: RunId,
    pub(super) ask: Ask,
    pub(super) said: Said,
}

impl fmt::Display for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ask = Ask::ALL.iter().find(|(_, ask)| *ask == self.ask).map_or("", |(word, _)| word);
        let said = match self.said {
            Said::Asked => "asked",
            Said::Yes => "yes",
            Said::No => "no",
        };
        write!(f, "{} {} {ask} {said}", self.task.0, self.run.0)
    }
}

impl Lent {
    pub(super) fn read(words: [&str; 4]) -> Option<Self> {
        let [task, run, ask, said] = words;
        let said = match said {
            "asked" => Said::Asked,
            "yes" => Said::Yes,
            "no" => Said::No,
            _ => return None,
        };
        let (_, ask) = *Ask::ALL.iter().find(|(word, _)| *word == ask)?;
        let (task, run) = (task.parse().map(TaskId).ok()?, run.parse().map(RunId).ok()?);
        Some(Lent { task, run, ask, said })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_line_comes_back() {
        for (_, ask) in Ask::ALL {
            let lent = Lent {
                task: TaskId(Uuid::from_u128(1)),
                run: RunId(Uuid::from_u128(2)),
                ask,
                said: Said::No,
            };
            let text = lent.to_string();
            let words: Vec<_> = text.split(' ').collect();
            assert_eq!(Lent::read([words[0], words[1], words[2], words[3]]), Some(lent));
        }
    }
}
