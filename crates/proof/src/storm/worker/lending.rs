//! A worker asks for tasks as executors outside do, and forgets some of them.

use std::sync::Arc;

use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{RunId, TaskId};
use tasker_core::rules::{Settlement, engine_error};
use tasker_core::task::{Level, Progress};
use tasker_core::time::WallMs;
use tasker_engine::effect::Claim;
use tasker_engine::input::{Input, Poll, Record};

use super::super::LENT;
use super::super::loans::{Ask, Lent, Said};
use super::super::trace::Mark;
use super::{Call, Worker, result};
use crate::rng::Rng;

/// Tasks that one poll takes.
const TAKEN: usize = 4;
/// How long a poll waits at most, in milliseconds.
const WAIT_MS: usize = 40;

/// A task that was given to us.
#[derive(Debug)]
pub(super) struct Loan {
    id: TaskId,
    run: RunId,
    /// What is asked next.
    next: Ask,
    /// Rounds until then.
    fuse: usize,
    /// Whether a call is under way.
    is_asked: bool,
}

impl Worker {
    /// Waits for tasks, unless it does so already. The last one does not wait.
    pub(super) fn poll(&mut self) {
        if self.calls.values().any(|(call, _)| matches!(call, Call::Poll)) {
            return;
        }
        let wait_ms = if self.orders.drains { 0 } else { self.rng.below(WAIT_MS) as u64 };
        let max = 1 + self.rng.below(TAKEN);
        let name = Some(Arc::from(format!("worker {}", self.orders.worker)));
        let operations = self.rng.once_in(2).then(|| vec![Arc::from(LENT)]);
        let poll = Poll { operations, max, wait_ms, name };
        self.call(Call::Poll, |ticket| Input::Poll(ticket, poll));
    }

    /// A poll was answered. Some of what it has got is given back, and some is never heard of.
    pub(super) fn lend(&mut self, claims: Vec<Claim>) {
        for Claim { id, run, .. } in claims {
            self.note_loan(Lent { task: id, run, ask: Ask::Claim, said: Said::Yes });
            let chance = if self.orders.drains { usize::MAX } else { self.rng.below(12) };
            match chance {
                0 => {}
                1 => self.client.submit([Input::GiveBack(vec![(id, run)])]),
                _ => {
                    let fuse = self.patience();
                    let next = Ask::Begin;
                    self.loans.push(Loan { id, run, next, fuse, is_asked: false });
                }
            }
        }
    }

    /// Mostly in time, and sometimes when another one has it.
    fn patience(&mut self) -> usize {
        let long = if self.rng.once_in(8) { 400 } else { 8 };
        if self.orders.drains { 0 } else { self.rng.below(long) }
    }

    /// Loans whose time has come: their next call.
    pub(super) fn tend(&mut self) -> Result<()> {
        let (mut due, worker) = (Vec::new(), &mut *self);
        for loan in worker.loans.iter_mut().filter(|loan| !loan.is_asked) {
            loan.is_asked = loan.fuse == 0;
            loan.fuse = loan.fuse.saturating_sub(1);
            if loan.is_asked {
                due.push((loan.id, loan.run, loan.next));
            }
        }
        for (task, run, ask) in &due {
            self.note_loan(Lent { task: *task, run: *run, ask: *ask, said: Said::Asked });
        }
        if !due.is_empty() {
            // What cannot be told is not tried.
            self.flush()?;
        }
        for (id, run, ask) in due {
            let settlement = match ask {
                Ask::Failed => Settlement::Threw(engine_error("Error", &run.0.to_string())),
                Ask::Claim | Ask::Begin | Ask::Renew | Ask::Done => {
                    Settlement::Returned(Some(result(run)))
                }
            };
            let record = self.rng.said_of_loan();
            self.call(Call::Lent(id, run, ask), |ticket| match ask {
                Ask::Claim | Ask::Begin => Input::Begin(ticket, id, run),
                Ask::Renew => Input::Renew(ticket, id, run, record),
                Ask::Done | Ask::Failed => Input::SettleOutside(ticket, id, run, settlement),
            });
        }
        Ok(())
    }

    /// A call of ours about a loan was answered. Whoever was refused may ask once more.
    pub(super) fn lent(&mut self, (task, run, ask): (TaskId, RunId, Ask), said: Said) {
        self.note_loan(Lent { task, run, ask, said });
        let (fuse, next) = (self.patience(), self.rng.ask_of_loan());
        let is_over = ask.is_end() || said == Said::No;
        let goes_on = if is_over { self.rng.once_in(8) } else { true };
        let is_it = |loan: &Loan| (loan.id, loan.run) == (task, run);
        if !goes_on || (is_over && self.orders.drains) {
            return self.loans.retain(|loan| !is_it(loan));
        }
        if let Some(loan) = self.loans.iter_mut().find(|loan| is_it(loan)) {
            (loan.fuse, loan.next, loan.is_asked) = (fuse, next, false);
        }
    }

    fn note_loan(&mut self, lent: Lent) {
        self.mark(Mark::Lent(lent, self.orders.worker));
    }

    /// A call was refused. What it says of a loan may be late; beside that only little is refused:
    /// an add that rejects duplicates, a task whose key another one has by now, an ended one that
    /// was attached, one that was removed.
    pub(super) fn refused(&mut self, call: Option<Call>, error: Error) -> Result<()> {
        let codes = match call {
            Some(Call::Lent(id, run, ask)) => {
                self.lent((id, run, ask), Said::No);
                [Code::Fenced, Code::Conflict, Code::NotFound]
            }
            _ => [Code::Duplicate, Code::Unsupported, Code::NotFound],
        };
        if codes.contains(&error.code()) { Ok(()) } else { Err(error) }
    }
}

impl Rng {
    fn ask_of_loan(&mut self) -> Ask {
        match self.below(6) {
            0..2 => Ask::Renew,
            2 => Ask::Failed,
            _ => Ask::Done,
        }
    }

    /// What an executor says beside that it goes on.
    fn said_of_loan(&mut self) -> Option<Record> {
        match self.below(4) {
            0 => Some(Record::Progress(Progress { current: 1.0, total: None, unit: None })),
            1 => {
                let (level, at, message, fields) = (Level::Info, WallMs(0), "here".into(), None);
                Some(Record::Log { level, at: Some(at), message, fields })
            }
            _ => None,
        }
    }
}
