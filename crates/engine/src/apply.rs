//! Carries out a draft in memory after its commit, and says what to tell.
//!
//! # Promises
//! - Memory changes only here, and only by what was committed (I-11).
//! - Order: answers, records, runs that are over, tasks that ended, starts, signals.
//!
//! Proof: `proof/tests/engine`.

use tasker_core::id::LaneId;
use tasker_core::store::{Start, Waiting};
use tasker_core::time::Now;
use tokio_util::sync::CancellationToken;

use crate::draft::{Added, Draft};
use crate::effect::{AbortSignal, Answer, Effect, Started};
use crate::live::{Deadline, Live};
use crate::memory::Memory;

impl Memory {
    /// Carries out a draft whose batch was committed.
    pub(crate) fn apply(&mut self, mut draft: Draft, now: Now, effects: &mut Vec<Effect>) {
        self.has_new_runners = false;
        self.counts = draft.counts;
        self.seq_next = draft.seq_next;
        if let Some(stopping) = &mut self.stopping {
            stopping.has_begun = true;
        }
        for lane in &draft.lanes {
            self.next_lane = self.next_lane.max(lane.id.0 + 1);
            self.dispatch.add_lane(lane, true);
        }
        effects.append(&mut draft.answers);
        self.apply_records(&draft, effects);
        self.apply_over(&mut draft, effects);
        for (lane, key) in draft.left.drain(..) {
            self.dispatch.leave(lane, key);
        }
        for (seq, ticket) in draft.watches.drain(..) {
            self.watches.add(seq, ticket);
        }
        self.apply_watched(&mut draft, effects);
        self.apply_starts(&mut draft, now, effects);
        self.apply_signals(&mut draft, effects);
        for lane in draft.stale.drain(..) {
            self.dispatch.forget_window(lane);
        }
    }

    /// Carries out a draft that did nothing but recover the runs of the dead.
    pub(crate) fn apply_recovery(&mut self, mut draft: Draft, effects: &mut Vec<Effect>) {
        self.counts = draft.counts;
        for lane in draft.recovered.drain(..) {
            self.dispatch.take_elsewhere(lane, 1);
        }
        self.apply_over(&mut draft, effects);
        self.apply_watched(&mut draft, effects);
        for lane in draft.stale.drain(..) {
            self.dispatch.forget_window(lane);
        }
    }

    fn apply_over(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        for (no, over) in draft.over.drain(..) {
            if let Some(run) = self.live.remove(no) {
                self.dispatch.vacate(&run.operation);
                effects.push(Effect::Over(no, over));
            }
        }
        let ended = draft.ended.drain(..);
        effects.extend(ended.map(|(id, outcome)| Effect::Ended(id, outcome)));
    }

    fn apply_records(&mut self, draft: &Draft, effects: &mut Vec<Effect>) {
        for (no, (logs, progress)) in &draft.recorded {
            self.live.add_logs(*no, *logs);
            let logs = if self.listen.logs { *logs } else { 0 };
            let progress = if self.listen.progress { *progress } else { 0 };
            if logs + progress > 0 {
                effects.push(Effect::Recorded(*no, logs, progress));
            }
        }
    }

    fn apply_watched(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        for (seq, outcome) in draft.watched.drain(..) {
            for ticket in self.watches.take(seq) {
                effects.push(Effect::Answer(ticket, Answer::Ended(outcome.clone())));
            }
        }
    }

    fn apply_starts(&mut self, draft: &mut Draft, now: Now, effects: &mut Vec<Effect>) {
        let first = draft.adds.first().map_or(0, |added| added.task.seq.0);
        let mut adds: Vec<Option<Added>> = draft.adds.drain(..).map(Some).collect();
        for (pick, start) in draft.starts.drain(..) {
            let task = if pick.is_joined {
                let added = adds.get_mut((pick.key.seq.0 - first) as usize).and_then(Option::take);
                added.map(|added| {
                    self.dispatch.occupy(&added.task.def.operation);
                    added.task
                })
            } else {
                self.dispatch.start(pick.lane, pick.key)
            };
            if let Some(task) = task {
                effects.push(self.begin(task, pick.lane, start, now));
            }
        }
        for added in adds.into_iter().flatten() {
            self.dispatch.join(added.lane, added.task);
        }
    }

    fn begin(&mut self, task: Waiting, lane: LaneId, start: Start, now: Now) -> Effect {
        let no = self.next_no;
        self.next_no += 1;
        let timeout = task.def.run_timeout_ms;
        self.live.insert(Live {
            no,
            seq: task.seq,
            id: task.id,
            run: start.run,
            operation: task.def.operation.clone(),
            lane,
            attempt: start.attempt,
            on_stop: task.def.on_stop,
            logs: task.logs,
            token: CancellationToken::new(),
            fired: None,
            deadline: timeout.map(|ms| (now.mono.plus(ms), Deadline::Timeout)),
        });
        Effect::Start(Started {
            no,
            id: task.id,
            run: start.run,
            operation: task.def.operation,
            attempt: start.attempt,
            priority: task.def.priority,
            data: task.def.data,
        })
    }

    fn apply_signals(&mut self, draft: &mut Draft, effects: &mut Vec<Effect>) {
        for (no, at, deadline) in draft.deadlines.drain(..) {
            self.live.set_deadline(no, at, deadline);
        }
        for (no, reason) in draft.fired.drain(..) {
            self.live.fire(no, reason.clone());
            effects.push(Effect::Abort(no, AbortSignal::Abort(reason)));
        }
        let signals = draft.signals.drain(..);
        effects.extend(signals.map(|(no, signal)| Effect::Abort(no, signal)));
    }
}
