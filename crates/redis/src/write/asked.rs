//! What is asked of a task or its run, and what a run says.

use tasker_core::state::State;
use tasker_core::store::Change;

use super::Held;
use crate::keys;
use crate::overlay::Overlay;
use crate::packed;

impl Overlay {
    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    pub(super) fn ask_of(&mut self, change: &Change) -> Held {
        match change {
            Change::Pause { seq, at, .. } => {
                let row = self.waiting(*seq)?.filter(|row| row.state != State::Paused);
                let Some(row) = row else { return Ok(false) };
                row.state = State::Paused;
                row.options.paused_at = Some(*at);
            }
            Change::Resume { seq, .. } => {
                let row = self.waiting(*seq)?.filter(|row| row.state == State::Paused);
                let Some(row) = row else { return Ok(false) };
                row.state = State::Ready;
                row.options.paused_at = None;
                row.options.forget_hold();
            }
            Change::Block { seq, run_at, .. } => {
                let Some(row) = self.in_state(*seq, State::Ready)? else { return Ok(false) };
                row.state = State::Blocked;
                run_at.iter().for_each(|at| row.options.wait_until(*at));
            }
            _ => return self.of_run(change),
        }
        Ok(true)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "`apply` hands over no other")]
    fn of_run(&mut self, change: &Change) -> Held {
        match change {
            Change::RequestPause { seq, run, wish, .. } => {
                let Some(row) = self.live(*seq, *run)? else { return Ok(false) };
                row.asked.wish = Some(*wish);
            }
            Change::PauseRun { seq, run, .. } => {
                let Some(row) = self.running(*seq, *run)? else { return Ok(false) };
                row.state = State::Paused;
            }
            Change::ResumeRun { seq, run, .. } => {
                let Some(row) = self.live(*seq, *run)? else { return Ok(false) };
                if row.asked.wish.take().is_none() {
                    return Ok(false);
                }
                row.state = State::Running;
            }
            Change::RequestAbort { seq, run, abort, .. } => {
                let Some(row) = self.live(*seq, *run)? else { return Ok(false) };
                row.asked.abort.get_or_insert_with(|| abort.clone());
            }
            Change::RequestPostpone { seq, run, postponement, .. } => {
                let Some(row) = self.running(*seq, *run)? else { return Ok(false) };
                row.asked.postponement = Some(postponement.clone());
            }
            Change::Progress { seq, run, progress, .. } => {
                let Some(row) = self.live(*seq, *run)? else { return Ok(false) };
                row.progress = Some(progress.clone());
            }
            Change::Log { seq, run, line, .. } => {
                let Some(row) = self.live(*seq, *run)? else { return Ok(false) };
                row.logs = row.logs.max(line.n);
                self.write("RPUSH", &keys::logs(*seq), vec![packed::log_line(line)]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
