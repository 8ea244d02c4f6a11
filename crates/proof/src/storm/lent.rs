//! The executors of a storm: an operation whose tasks workers poll for, begin, renew and end.
//!
//! A worker writes down before each call what it asks, and afterwards what was said. Between the
//! first answer about a run and the last call that was granted, its executor had the task for
//! certain: what was taken away never comes back under the same run.

use std::collections::{BTreeMap, BTreeSet};

use tasker_core::backoff::{Backoff, BackoffKind, RetryPolicy};
use tasker_core::executor::Executor;
use tasker_core::id::{RunId, TaskId};
use tasker_core::operation::OperationOptions;
use tasker_core::state::State;
use tasker_core::task::{AttemptEnd, TaskRecord};

use super::LENT;
use super::ledger::Ledger;
use super::loans::{Ask, Lent, Said};
use super::trace::Mark;
use super::watched::Change;

/// How long a claim and the silence of a run may last.
const CLAIM_MS: u64 = 30;
const LEASE_MS: u64 = 50;
/// Claims and runs at once, over all workers.
const LIMIT: u32 = 6;

/// What every worker says of the operation.
pub(super) fn options() -> OperationOptions {
    let executor = Executor { claim_ms: CLAIM_MS, lease_ms: LEASE_MS, retry_on_fail: true };
    let (kind, factor, jitter) = (BackoffKind::Fixed, None, 0.0);
    let backoff = Some(Backoff { kind, delay_ms: 5, factor, max_ms: None, jitter });
    let retry = RetryPolicy { attempts: 3, backoff, on_error: true, on_timeout: true };
    OperationOptions {
        executor: Some(executor),
        retry: Some(retry.into()),
        ..OperationOptions::at_once(LIMIT)
    }
}

/// What executors were told of one run.
#[derive(Default)]
struct Loan {
    /// Where the first answer about it stands.
    from: Option<usize>,
    /// Where the last call that was granted was asked for.
    to: usize,
    asked: usize,
    has_begun: bool,
    /// The end that was granted, and those that were not.
    end: Option<Ask>,
    denied: Vec<Ask>,
    /// Ends that were granted after another one.
    doubled: u32,
}

impl Loan {
    fn take(&mut self, at: usize, lent: &Lent) {
        match lent.said {
            Said::Asked => self.asked = at,
            Said::No => self.denied.push(lent.ask),
            Said::Yes => {
                if self.from.is_none() {
                    self.from = Some(at);
                } else {
                    self.to = self.asked;
                }
                self.has_begun |= lent.ask == Ask::Begin;
                if lent.ask.is_end() {
                    self.doubled += u32::from(self.end.is_some());
                    self.end = self.end.or(Some(lent.ask));
                }
            }
        }
    }
}

impl Ledger {
    /// What executors were told is so (I-1), no task was with two of them (I-4, I-5), and no more
    /// were with any than may be (I-6).
    pub(super) fn lent(&mut self, marks: &[Mark], tasks: &BTreeMap<TaskId, TaskRecord>) {
        let mut loans: BTreeMap<(TaskId, RunId), Loan> = BTreeMap::new();
        for (at, mark) in (0..).zip(marks) {
            if let Mark::Lent(lent, _) = mark {
                loans.entry((lent.task, lent.run)).or_default().take(at, lent);
            }
        }
        let mut live: BTreeMap<TaskId, Vec<(usize, usize)>> = BTreeMap::new();
        for ((id, run), loan) in &loans {
            if let Some(from) = loan.from.filter(|from| *from < loan.to) {
                live.entry(*id).or_default().push((from, loan.to));
            }
            self.report.lent += u64::from(loan.end.is_some());
            self.report.denied += loan.denied.len() as u64;
            if let Some(task) = tasks.get(id) {
                self.loan(task, *run, loan);
            } else if !self.removed.contains(id) {
                self.report.is_lost(format!("{} was given out and is gone", id.0));
            }
        }
        for (id, mut lives) in live {
            lives.sort_unstable();
            if lives.windows(2).any(|pair| pair[1].0 < pair[0].1) {
                self.report.is_doubled(format!("{} was given to two at once", id.0));
            }
        }
        self.lent_at_once(tasks);
    }

    /// What is stored of a run of an executor is what that was told.
    fn loan(&mut self, task: &TaskRecord, run: RunId, loan: &Loan) {
        let name = format!("run {} of {}", run.0, task.id.0);
        let attempt = task.attempts.iter().find(|attempt| attempt.run == run);
        let end = attempt.and_then(|attempt| attempt.end);
        // Each tells its run as its result or error.
        let error = attempt.and_then(|attempt| attempt.error.as_ref());
        let is_its = error.is_some_and(|error| error.error.as_str().contains(&run.0.to_string()));
        let is_so = |ask: Ask| match ask {
            Ask::Done => end == Some(AttemptEnd::Done),
            Ask::Failed => end == Some(AttemptEnd::Failed) && is_its,
            Ask::Claim | Ask::Begin | Ask::Renew => attempt.is_some(),
        };
        if loan.has_begun && attempt.is_none() {
            self.report.violation(format!("{name} was not counted"));
        }
        if loan.doubled > 0 {
            self.report.is_doubled(format!("{name} was ended twice"));
        }
        if let Some(told) = loan.end.filter(|told| !is_so(*told)) {
            self.report.is_lost(format!("{name} was ended by {told:?} and is {attempt:?}"));
        }
        let undone = |ask: &&Ask| ask.is_end() && loan.end != Some(**ask) && is_so(**ask);
        if let Some(ask) = loan.denied.iter().find(undone) {
            self.report.violation(format!("{name} was refused {ask:?} and is {attempt:?}"));
        }
    }

    /// Claims and runs of the operation, after each commit.
    fn lent_at_once(&mut self, tasks: &BTreeMap<TaskId, TaskRecord>) {
        if self.report.gaps > 0 {
            return;
        }
        let mut live = BTreeSet::new();
        let changes: Vec<_> = self.changes.iter().collect();
        let mut most = 0;
        for commit in changes.chunk_by(|((one, _), _), ((next, _), _)| one == next) {
            for told in commit.iter().map(|(_, told)| *told) {
                let is_lent = tasks.get(&told.id).is_some_and(|it| &*it.def.operation == LENT);
                let is_there = !matches!(told.change, Change::Removed | Change::Left);
                let is_live = matches!(told.state, State::Claimed | State::Running);
                if is_lent && is_there && is_live {
                    live.insert(told.id);
                } else {
                    live.remove(&told.id);
                }
            }
            most = most.max(live.len());
        }
        if most > LIMIT as usize {
            self.report.violation(format!("{most} of {LENT} were given out at once"));
        }
    }
}

#[cfg(test)]
mod tests {
    use tasker_core::task::{Attempt, NewTask};
    use tasker_core::time::WallMs;
    use uuid::Uuid;

    use super::*;
    use crate::storm::done_task;

    fn mark(run: u128, ask: Ask, said: Said) -> Mark {
        let (task, run) = (TaskId(Uuid::from_u128(1)), RunId(Uuid::from_u128(run)));
        Mark::Lent(Lent { task, run, ask, said }, 1)
    }

    /// How many violations these marks of a task show, whose runs have ended so.
    fn violations(marks: &[Mark], runs: &[(u128, AttemptEnd)]) -> usize {
        let mut task = done_task(1, NewTask::new(LENT));
        task.attempts = (1..)
            .zip(runs)
            .map(|(attempt, (run, end))| Attempt {
                attempt,
                run: RunId(Uuid::from_u128(*run)),
                started_at: WallMs(0),
                ended_at: Some(WallMs(0)),
                end: Some(*end),
                error: None,
                result: None,
            })
            .collect();
        let mut ledger = Ledger::default();
        ledger.lent(marks, &[(task.id, task)].into());
        ledger.report.violations.len()
    }

    #[test]
    fn an_end_that_was_told_is_there_and_one_that_was_refused_is_not() {
        use Said::{Asked, No, Yes};
        let run = |end, said| {
            let begin = [(Ask::Claim, Yes), (Ask::Begin, Asked), (Ask::Begin, Yes)];
            let all = begin.into_iter().chain([(end, Asked), (end, said)]);
            all.map(|(ask, said)| mark(7, ask, said)).collect::<Vec<_>>()
        };
        let (done, failed) = ([(7, AttemptEnd::Done)], [(7, AttemptEnd::Failed)]);
        assert_eq!(violations(&run(Ask::Done, Yes), &done), 0);
        assert_eq!(violations(&run(Ask::Done, Yes), &failed), 1);
        assert_eq!(violations(&run(Ask::Done, No), &failed), 0, "its lease was over");
        assert_eq!(violations(&run(Ask::Done, No), &done), 1);
        assert_eq!(violations(&run(Ask::Renew, Yes), &[]), 1, "it was not counted");
        let twice = [run(Ask::Done, Yes), run(Ask::Done, Yes)[3..].to_vec()].concat();
        assert_eq!(violations(&twice, &done), 1);
    }

    #[test]
    fn a_task_that_two_have_at_once_is_seen() {
        use Said::{Asked, Yes};
        let claim = |run| mark(run, Ask::Claim, Yes);
        let begin = |run, said| mark(run, Ask::Begin, said);
        let both = [(7, AttemptEnd::Lost), (8, AttemptEnd::Done)];
        let one = [claim(7), begin(7, Asked), begin(7, Yes)];
        let next = [claim(8), begin(8, Asked), begin(8, Yes)];
        assert_eq!(violations(&[one, next].concat(), &both), 0);
        let late = [claim(8), one[0], one[1], one[2]];
        assert_eq!(violations(&late, &both), 0, "8 may have been over before");
        let mixed = [claim(7), claim(8), begin(7, Asked), begin(8, Asked)];
        let mixed = [mixed.as_slice(), &[begin(7, Yes), begin(8, Yes)]].concat();
        assert_eq!(violations(&mixed, &both), 1);
    }
}
