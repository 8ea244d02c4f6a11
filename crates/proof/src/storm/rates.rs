//! The rate limit of a storm: an operation whose tasks may not start too often, by their book.

use std::collections::BTreeMap;

use tasker_core::error::Result;
use tasker_core::id::TaskId;
use tasker_core::operation::OperationOptions;
use tasker_core::rate::RateLimit;
use tasker_core::task::TaskRecord;

use super::ledger::Ledger;
use super::{CALL, circuits};

/// Starts in a time.
const LIMIT: u32 = 60;
const PER_MS: u32 = 1_000;
const BURST: u32 = 3;

/// What the runner of an operation is assigned with.
pub(super) fn options(operation: &str, at_once: Option<u32>) -> Result<Option<OperationOptions>> {
    if operation != CALL {
        return Ok(at_once.map(OperationOptions::at_once));
    }
    let text = format!(r#"{{"limit":{LIMIT},"per":{PER_MS},"burst":{BURST},"by":"tags.2"}}"#);
    let rate_limit = Some(RateLimit::read(&text, "rateLimit")?.into());
    let circuit_breaker = Some(circuits::breaker()?.into());
    Ok(Some(OperationOptions { rate_limit, circuit_breaker, ..OperationOptions::default() }))
}

impl Ledger {
    /// In no time more tasks of one book, or of none, have started than may, over all workers and
    /// kills (I-6).
    pub(super) fn rates(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        let mut starts: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
        for task in tasks.values().filter(|task| &*task.def.operation == CALL) {
            let tags = task.def.options.tags.as_ref();
            let tags =
                tags.and_then(|tags| serde_json::from_str::<Vec<String>>(tags.as_str()).ok());
            let book = tags.and_then(|tags| tags.into_iter().nth(2));
            // A run is dated no earlier than its task, whatever the clock of its worker says.
            let at = task.attempts.iter().map(|attempt| attempt.started_at);
            let by_its_clock = at.filter(|at| *at > task.created_at);
            starts.entry(book).or_default().extend(by_its_clock.map(|at| at.0));
        }
        for (book, mut starts) in starts {
            starts.sort_unstable();
            self.report.limited += starts.len() as u64;
            if let Some((from, to, count)) = first_excess(&starts) {
                let text = format!("{count} of {CALL}, {book:?}, began from {from} to {to}");
                self.report.violation(text);
            }
        }
    }
}

/// The first time in which more has started than may, and how much.
fn first_excess(starts: &[i64]) -> Option<(i64, i64, usize)> {
    let pairs = (0..starts.len()).flat_map(|from| (from..starts.len()).map(move |to| (from, to)));
    let is_too_many = |(from, to): &(usize, usize)| {
        // The clock is late by less than a millisecond.
        let (count, ms) = ((to - from + 1) as i64, starts[*to] - starts[*from] + 1);
        (count - i64::from(BURST)) * i64::from(PER_MS) >= ms * i64::from(LIMIT)
    };
    let (from, to) = pairs.into_iter().find(is_too_many)?;
    Some((starts[from], starts[to], to - from + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_starts_than_may_be_are_seen() {
        let burst = [0, 0, 0, 17, 34];
        assert_eq!(first_excess(&burst), None);
        assert_eq!(first_excess(&[0, 0, 0, 0]), Some((0, 0, 4)));
        assert_eq!(first_excess(&[0, 0, 0, 17, 17]), Some((0, 17, 5)));
        assert_eq!(first_excess(&[0, 1_000, 1_000, 1_000, 1_000]), Some((1_000, 1_000, 4)));
    }
}
