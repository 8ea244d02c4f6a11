//! Writes what is asked of tasks and runs: to pause and to go on, to end, to be given back.

use tasker_core::id::{RunId, Seq};
use tasker_core::store::{Change, PauseWish};
use tasker_core::task::{AbortReason, Postponement};
use tasker_core::time::WallMs;

use super::{Kind, Rows, Writing};

impl Writing<'_> {
    /// What somebody asks of a task or its run.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`change` hands over no other")]
    pub(super) fn asked(&mut self, change: &Change) -> Rows {
        match change {
            Change::RequestAbort { seq, run, abort, .. } => self.request_abort(*seq, *run, abort),
            Change::RequestPostpone { seq, run, postponement, .. } => {
                self.request_postpone(*seq, *run, postponement)
            }
            Change::Pause { seq, at, .. } => self.pause(*seq, Some(*at)),
            Change::Resume { seq, .. } => self.pause(*seq, None),
            Change::Block { seq, run_at, .. } => self.block(*seq, *run_at),
            Change::RequestPause { seq, run, wish, .. } => {
                let row = (*wish == PauseWish::GoOn, seq.0 as i64, run.0.as_bytes());
                self.statement(Kind::RequestPause)?.execute(row)
            }
            Change::PauseRun { seq, run, .. } => {
                self.statement(Kind::PauseRun)?.execute((seq.0 as i64, run.0.as_bytes()))
            }
            Change::ResumeRun { seq, run, .. } => self.resume_run(*seq, *run),
            _ => Ok(0),
        }
    }

    /// A task is taken out, or put back.
    fn pause(&mut self, seq: Seq, at: Option<WallMs>) -> Rows {
        let options = self.options_with(seq, |options| {
            options.paused_at = at;
            if at.is_none() {
                options.forget_hold();
            }
        })?;
        let kind = if at.is_some() { Kind::Pause } else { Kind::Resume };
        self.statement(kind)?.execute((options, seq.0 as i64))
    }

    fn block(&mut self, seq: Seq, run_at: Option<WallMs>) -> Rows {
        let options = self.options_with(seq, |options| {
            run_at.iter().for_each(|at| options.wait_until(*at));
        })?;
        self.statement(Kind::Block)?.execute((options, seq.0 as i64))
    }

    /// Without a wish it is not known to anybody why it would go on.
    fn resume_run(&mut self, seq: Seq, run: RunId) -> Rows {
        let row = (seq.0 as i64, run.0.as_bytes());
        let forgotten = self.statement(Kind::PauseForget)?.execute(row)?;
        if forgotten == 0 { Ok(0) } else { self.statement(Kind::ResumeRun)?.execute(row) }
    }

    fn request_abort(&mut self, seq: Seq, run: RunId, abort: &AbortReason) -> Rows {
        let (run, reason) = (run.0.as_bytes(), abort.reason.as_str());
        let row = (abort.cause.code(), reason, seq.0 as i64, run);
        self.statement(Kind::RequestAbort)?.execute(row)
    }

    fn request_postpone(&mut self, seq: Seq, run: RunId, wish: &Postponement) -> Rows {
        let due_at = wish.due_at.map(|at| at.0);
        let row = (due_at, wish.reason.as_str(), seq.0 as i64, run.0.as_bytes());
        self.statement(Kind::RequestPostpone)?.execute(row)
    }
}
