//! What a step of the journal did to a task: what it was before, and what it is after.

use crate::error::Result;
use crate::id::{LaneId, Seq, TaskId};
use crate::journal::Transition;
use crate::journal_notes;
use crate::state::{State, Status};
use crate::store::Note;
use crate::task::Priority;
use crate::transition::TransitionKind;

use crate::changes::WatchedBatch;

/// What a task is at one position, as far as the journal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) status: Status,
    /// Absent where the journal does not know.
    pub(super) priority: Option<Priority>,
}

/// A step that those who watch may be told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Its place in its commit, from 0 on.
    pub(super) n: u32,
    pub(super) seq: Seq,
    pub(super) lane: LaneId,
    pub(super) kind: TransitionKind,
    /// Nothing for a task that enters.
    pub(super) before: Option<Standing>,
    /// Nothing for one that is removed.
    pub(super) after: Option<Standing>,
    /// The identity of one that is removed.
    pub(super) id: Option<TaskId>,
}

impl Step {
    /// Whether the task ends by it.
    pub(super) fn is_end(&self) -> bool {
        self.kind.rule().is_end()
    }

    /// Whether its data may have changed.
    pub(super) fn is_update(&self) -> bool {
        matches!(self.kind, TransitionKind::Update | TransitionKind::UpdateQueued)
    }
}

/// The steps of a commit.
pub(super) fn steps(batch: &WatchedBatch) -> impl Iterator<Item = Result<Step>> + '_ {
    // The place that a task has just left for another one.
    let mut left: Option<(Seq, Priority)> = None;
    let all = journal_notes::unpack(&batch.transitions, batch.notes.as_deref());
    (0_u32..).zip(all).filter_map(move |(n, one)| {
        let (transition, note) = match one {
            Ok(one) => one,
            Err(error) => return Some(Err(error)),
        };
        if transition.kind == TransitionKind::Leave {
            left = transition.priority.map(|priority| (transition.seq, priority));
            return None;
        }
        let left = left.take().filter(|(seq, _)| *seq == transition.seq);
        is_told(transition.kind).then(|| Ok(step(n, transition, note, left.map(|(_, from)| from))))
    })
}

/// Whether anything that a task shows changes by it.
fn is_told(kind: TransitionKind) -> bool {
    let is_hidden = matches!(
        kind,
        TransitionKind::Noted
            | TransitionKind::RequestAbort
            | TransitionKind::RequestPostpone
            | TransitionKind::Leave
    );
    kind.rule().is_of_task() && !is_hidden
}

fn step(n: u32, transition: Transition, note: Option<Note>, left: Option<Priority>) -> Step {
    let Transition { seq, lane, kind, priority } = transition;
    let rule = kind.rule();
    let noted = note.and_then(|note| note.priority);
    let was = note.map(|note| note.state).or_else(|| rule.from.first().copied());
    let before = was.map(|state| Standing {
        state,
        status: status(state, has_run_before(kind)),
        priority: left.or(noted).or(priority),
    });
    let after = rule.leads_to(was).map(|state| Standing {
        state,
        status: status(state, kind == TransitionKind::PauseRun || has_run_before(kind)),
        priority: priority.or(noted),
    });
    Step { n, seq, lane, kind, before, after, id: note.and_then(|note| note.id) }
}

/// Whether it happens to a run, so that a paused task has one.
fn has_run_before(kind: TransitionKind) -> bool {
    kind.rule().leads_from(Some(State::Running))
}

fn status(state: State, has_run: bool) -> Status {
    if state == State::Paused && has_run { Status::Running } else { state.status() }
}
