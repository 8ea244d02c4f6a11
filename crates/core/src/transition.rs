//! Every transition of a task, in one table that decides.
//!
//! A rule says from which states a transition may come, what the task is after it, and what it does
//! to the queue, to the runs that are live and to those who listen. Whoever changes a task asks the
//! table (the engine's draft), and so does whoever reads of a change in the journal (catch-up,
//! events, the audit): none of them lists the kinds again, and `docs/state-machine.md` is drawn
//! from it.
//!
//! A change for which there is no kind is made of two: an ended task that is to run again later is
//! reopened, then delayed; a run that has halted goes on before it ends; a claimed task that is to
//! end is given back first; a task whose run is given
//! back while a pause of it is wished for is ready, then taken out.
//!
//! Codes are stored in the journal and never change. A *reserved* kind is one that no change of
//! this version makes; readers know it all the same.
//!
//! # Promises
//! - What has ended is final (I-3): only by hand it is opened again, or removed.
//! - What the rule says of queue and runs is true for each state it may come from.
//!
//! Proof: the tests below; `proof::conformance::guards`.

use crate::state::State;

/// What happened to a task, or to what tasks depend on, in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TransitionKind {
    /// It entered and waits for its turn.
    Add = 1,
    /// It entered and started in the same commit.
    AddStart = 2,
    /// A run began.
    Start = 3,
    /// The runner returned.
    Done = 4,
    /// The runner threw, or the engine gave up.
    Fail = 5,
    /// A decision ended it while it had a run.
    Abort = 6,
    /// Its run was given back, by a stop or a call.
    Postpone = 7,
    /// The process of its run died; it waits again.
    Lost = 8,
    /// It got another priority, and so another place in the queue.
    Prioritize = 9,
    /// A decision ended it before it ran.
    Withdraw = 10,
    /// It has a run and is to be aborted by the owner of that run.
    RequestAbort = 11,
    /// It entered and its start time lies ahead.
    AddDelayed = 12,
    /// It entered and has open dependencies.
    AddBlocked = 13,
    /// Its start time has come.
    Due = 14,
    /// Its last dependency is done.
    Unblock = 15,
    /// Its run failed and it is tried again later.
    Retry = 16,
    /// Its run is over and it goes on later: its runner wanted that, or a call gave the run back.
    Snooze = 17,
    /// An outside executor took it.
    Claim = 18,
    /// The outside executor began with it.
    Begin = 19,
    /// The outside executor did not begin with it in time, or gave it back.
    Unclaim = 20,
    /// It was taken out before it ran.
    Pause = 21,
    /// It was put back.
    Resume = 22,
    /// It left its place in the queue for another one.
    Leave = 23,
    /// Its definition was changed while it has no place in the queue.
    Update = 24,
    /// Its `queueTimeout` ended it.
    Expire = 25,
    /// It was removed.
    Purge = 26,
    /// It is run again by hand after its end.
    Reopen = 27,
    /// A log line of its run was stored.
    Noted = 28,
    /// The record of an operation was changed; of no task.
    Operation = 29,
    /// An owner offers something else, or has died and offers nothing; of no task.
    Owners = 30,
    /// A schedule was changed; of no task.
    Schedule = 31,
    /// Its start time lies ahead again: it was unblocked or put back too early, postponed, or held.
    Delay = 32,
    /// Dependencies are open again: it was put back, or given a new definition.
    Block = 33,
    /// Its run halted at a checkpoint.
    PauseRun = 34,
    /// Its run goes on after a checkpoint, or is not to halt any more.
    ResumeRun = 35,
    /// Its run is to halt at its next checkpoint, or may go on when there is a place for it.
    RequestPause = 36,
    /// It got another priority while it has no place in the queue.
    PrioritizeUnqueued = 37,
    /// Its run failed and it is tried again at once.
    RetryAtOnce = 38,
    /// Its `queueTimeout` ends at another moment, or no longer counts.
    SetQueueTimeout = 39,
    /// A timer was set that belongs to no other change; of no task.
    Timer = 40,
    /// Its definition was changed while it is in the queue, and perhaps its place there.
    UpdateQueued = 41,
    /// It has a run and is to be given back to the queue by the owner of that run.
    RequestPostpone = 42,
    /// A hold was made, released, or is over; of no task.
    Holds = 43,
    /// Progress of its run was stored.
    Progressed = 44,
    /// It was put into another lane, in the same place of the queue.
    Sort = 45,
    /// A circuit of an operation has opened; of no task.
    CircuitOpened = 46,
    /// The first probe of a circuit of an operation has begun; of no task.
    CircuitHalfOpened = 47,
    /// A circuit of an operation has closed again; of no task.
    CircuitClosed = 48,
}

/// What a task is after a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// In this state.
    Becomes(State),
    /// In the state in which it was.
    Stays,
    /// Nowhere.
    Removed,
}

/// What a transition does to the queue of ready tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEffect {
    /// The task takes a place.
    Enters,
    /// The task leaves its place, if it has one.
    Leaves,
    /// Nothing.
    Keeps,
}

/// What a transition does to the runs that are live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEffect {
    /// There is one more.
    Begins,
    /// There is one less.
    Ends,
    /// Nothing.
    Keeps,
}

/// What those who listen are told of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A task entered.
    Added,
    /// A run began.
    Run,
    /// A task got another priority.
    Prioritized,
    /// A task got another definition.
    Updated,
    /// A task is tried again.
    Retrying,
    /// A task ended.
    Ended,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionRule {
    /// What happens.
    pub kind: TransitionKind,
    /// The states from which it may come; none for a task that enters, and for what is of no task.
    pub from: &'static [State],
    /// What the task is after it.
    pub after: After,
    /// What it does to the queue.
    pub queue: QueueEffect,
    /// What it does to the live runs.
    pub runs: RunEffect,
    /// Whether a timer comes or goes with it.
    pub changes_timers: bool,
    /// What is told of it, in order.
    pub events: &'static [EventKind],
    /// Whether no change of this version makes it.
    pub is_reserved: bool,
}

/// The states of a task that has no run and may get one.
const WAITING: &[State] = &[State::Blocked, State::Delayed, State::Ready, State::Paused];
/// Those of them without a place in the queue.
const UNQUEUED: &[State] = &[State::Blocked, State::Delayed, State::Paused];
/// The states of a task that may have a run in a process.
const RUNNING: &[State] = &[State::Running, State::Paused];
const ENDED: &[State] = &[State::Done, State::Failed, State::Aborted];

/// Every transition there is, by code.
pub const TRANSITIONS: &[TransitionRule] = {
    use After::{Becomes, Removed, Stays};
    use EventKind::{Added, Ended, Prioritized, Retrying, Run, Updated};
    use State::{Aborted, Blocked, Claimed, Delayed, Done, Failed, Paused, Ready, Running};
    use TransitionKind as Kind;
    &[
        rule(Kind::Add, &[], Becomes(Ready)).enters().tells(&[Added]),
        rule(Kind::AddStart, &[], Becomes(Running)).begins().tells(&[Added, Run]),
        rule(Kind::Start, &[Ready], Becomes(Running)).leaves().begins().tells(&[Run]),
        rule(Kind::Done, &[Running], Becomes(Done)).ends().tells(&[Ended]),
        rule(Kind::Fail, &[Running], Becomes(Failed)).ends().tells(&[Ended]),
        rule(Kind::Abort, &[Running], Becomes(Aborted)).ends().tells(&[Ended]),
        rule(Kind::Postpone, &[Running], Becomes(Ready)).enters().ends(),
        rule(Kind::Lost, &[Running], Becomes(Ready)).enters().ends(),
        rule(Kind::Prioritize, &[Ready], Stays).enters().tells(&[Prioritized]),
        rule(Kind::Withdraw, WAITING, Becomes(Aborted)).leaves().tells(&[Ended]),
        rule(Kind::RequestAbort, RUNNING, Stays),
        rule(Kind::AddDelayed, &[], Becomes(Delayed)).times().tells(&[Added]),
        rule(Kind::AddBlocked, &[], Becomes(Blocked)).tells(&[Added]),
        rule(Kind::Due, &[Delayed], Becomes(Ready)).times().enters(),
        rule(Kind::Unblock, &[Blocked], Becomes(Ready)).enters(),
        rule(Kind::Retry, &[Running], Becomes(Delayed)).times().ends().tells(&[Retrying]),
        rule(Kind::Snooze, &[Running], Becomes(Delayed)).times().ends(),
        rule(Kind::Claim, &[Ready], Becomes(Claimed)).leaves().begins(),
        rule(Kind::Begin, &[Claimed], Becomes(Running)).tells(&[Run]),
        rule(Kind::Unclaim, &[Claimed], Becomes(Ready)).enters().ends(),
        rule(Kind::Pause, &[Blocked, Delayed, Ready], Becomes(Paused)).leaves(),
        rule(Kind::Resume, &[Paused], Becomes(Ready)).enters(),
        rule(Kind::Leave, &[Ready], Stays).leaves(),
        rule(Kind::Update, UNQUEUED, Stays).times().tells(&[Updated]),
        rule(Kind::Expire, WAITING, Becomes(Aborted)).leaves().tells(&[Ended]),
        rule(Kind::Purge, ENDED, Removed),
        rule(Kind::Reopen, ENDED, Becomes(Ready)).enters().tells(&[Retrying]),
        rule(Kind::Noted, RUNNING, Stays),
        rule(Kind::Operation, &[], Stays),
        rule(Kind::Owners, &[], Stays),
        rule(Kind::Schedule, &[], Stays).times(),
        rule(Kind::Delay, &[Blocked, Delayed, Ready], Becomes(Delayed)).times().leaves(),
        rule(Kind::Block, &[Ready], Becomes(Blocked)).leaves(),
        rule(Kind::PauseRun, &[Running], Becomes(Paused)),
        rule(Kind::ResumeRun, RUNNING, Becomes(Running)),
        rule(Kind::RequestPause, RUNNING, Stays),
        rule(Kind::PrioritizeUnqueued, UNQUEUED, Stays).tells(&[Prioritized]),
        rule(Kind::RetryAtOnce, &[Running], Becomes(Ready)).enters().ends().tells(&[Retrying]),
        rule(Kind::SetQueueTimeout, WAITING, Stays).times(),
        rule(Kind::Timer, &[], Stays).times(),
        rule(Kind::UpdateQueued, &[Ready], Stays).enters().tells(&[Updated]),
        rule(Kind::RequestPostpone, &[Running], Stays),
        rule(Kind::Holds, &[], Stays).times(),
        rule(Kind::Progressed, RUNNING, Stays),
        rule(Kind::Sort, &[Ready], Stays).enters(),
        rule(Kind::CircuitOpened, &[], Stays),
        rule(Kind::CircuitHalfOpened, &[], Stays),
        rule(Kind::CircuitClosed, &[], Stays),
    ]
};

const fn rule(kind: TransitionKind, from: &'static [State], after: After) -> TransitionRule {
    TransitionRule {
        kind,
        from,
        after,
        queue: QueueEffect::Keeps,
        runs: RunEffect::Keeps,
        changes_timers: false,
        events: &[],
        is_reserved: false,
    }
}

/// The words of the table.
impl TransitionRule {
    const fn enters(self) -> Self {
        Self { queue: QueueEffect::Enters, ..self }
    }

    const fn leaves(self) -> Self {
        Self { queue: QueueEffect::Leaves, ..self }
    }

    const fn begins(self) -> Self {
        Self { runs: RunEffect::Begins, ..self }
    }

    const fn ends(self) -> Self {
        Self { runs: RunEffect::Ends, ..self }
    }

    const fn times(self) -> Self {
        Self { changes_timers: true, ..self }
    }

    const fn tells(self, events: &'static [EventKind]) -> Self {
        Self { events, ..self }
    }
}

// The rule of a kind stands where its code says.
const _: () = {
    let mut at = 0;
    while at < TRANSITIONS.len() {
        assert!(TRANSITIONS[at].kind.code() as usize == at + 1);
        at += 1;
    }
};

impl TransitionKind {
    /// The code under which it is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this stored code.
    pub fn from_code(code: u8) -> Option<TransitionKind> {
        let at = usize::from(code).checked_sub(1)?;
        TRANSITIONS.get(at).map(|rule| rule.kind)
    }

    /// What the table says of it.
    pub fn rule(self) -> &'static TransitionRule {
        &TRANSITIONS[usize::from(self.code()) - 1]
    }
}

impl TransitionRule {
    /// Whether a task in this state may go this way; nothing stands for one that is not there yet.
    pub fn leads_from(&self, state: Option<State>) -> bool {
        match state {
            Some(state) => self.from.contains(&state),
            None => self.is_entry(),
        }
    }

    /// In which state a task is that was in `state`; nothing if it is removed.
    pub fn leads_to(&self, state: Option<State>) -> Option<State> {
        match self.after {
            After::Becomes(state) => Some(state),
            After::Stays => state,
            After::Removed => None,
        }
    }

    /// Whether a task enters by it.
    pub fn is_entry(&self) -> bool {
        self.from.is_empty() && self.is_of_task()
    }

    /// Whether a task takes or leaves a place in the queue by it.
    pub fn changes_queue(&self) -> bool {
        match self.queue {
            QueueEffect::Enters | QueueEffect::Leaves => true,
            QueueEffect::Keeps => false,
        }
    }

    /// Whether the journal names the priority of the task with it: where a change has it at hand.
    pub fn names_priority(&self) -> bool {
        use TransitionKind as Kind;
        let is_told_apart = matches!(
            self.kind,
            Kind::Purge
                | Kind::SetQueueTimeout
                | Kind::RequestAbort
                | Kind::RequestPostpone
                | Kind::RequestPause
                | Kind::PauseRun
                | Kind::ResumeRun
                | Kind::Noted
                | Kind::Progressed
        );
        self.is_of_task() && !is_told_apart
    }

    /// Whether it does not say what the task was before, so that the journal has a note of that.
    pub fn needs_note(&self) -> bool {
        self.is_of_task() && (self.from.len() > 1 || !self.names_priority())
    }

    /// Whether a task ends by it.
    pub fn is_end(&self) -> bool {
        matches!(self.after, After::Becomes(state) if state.is_final())
    }

    /// Whether a circuit turns by it.
    pub fn is_of_circuit(&self) -> bool {
        use TransitionKind::{CircuitClosed, CircuitHalfOpened, CircuitOpened};
        matches!(self.kind, CircuitOpened | CircuitHalfOpened | CircuitClosed)
    }

    /// Whether it happens to a task.
    pub fn is_of_task(&self) -> bool {
        !(self.from.is_empty() && self.after == After::Stays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each rule with each state that it may come from.
    fn ways() -> impl Iterator<Item = (&'static TransitionRule, Option<State>)> {
        TRANSITIONS.iter().filter(|rule| rule.is_of_task()).flat_map(|rule| {
            let entry = rule.is_entry().then_some(None);
            entry
                .into_iter()
                .chain(rule.from.iter().copied().map(Some))
                .map(move |from| (rule, from))
        })
    }

    #[test]
    fn codes_survive_a_round_trip_and_zero_is_none() {
        for rule in TRANSITIONS {
            assert_eq!(TransitionKind::from_code(rule.kind.code()), Some(rule.kind));
        }
        let unknown = TRANSITIONS.len() as u8 + 1;
        assert_eq!([0, unknown, u8::MAX].map(TransitionKind::from_code), [None; 3]);
    }

    #[test]
    fn only_a_hand_opens_or_removes_what_has_ended() {
        for (rule, _) in ways().filter(|(_, from)| from.is_some_and(State::is_final)) {
            assert!(
                matches!(rule.kind, TransitionKind::Reopen | TransitionKind::Purge),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn the_queue_holds_what_is_ready() {
        for (rule, from) in ways() {
            let is_ready = |state| state == Some(State::Ready);
            let expected = match (is_ready(from), is_ready(rule.leads_to(from))) {
                (false, true) => QueueEffect::Enters,
                (true, false) => QueueEffect::Leaves,
                // A place given up or taken anew by one that stays ready, or none at all.
                (true, true) => continue,
                // It has no place to leave.
                (false, false) if rule.queue == QueueEffect::Leaves => continue,
                (false, false) => QueueEffect::Keeps,
            };
            assert_eq!(rule.queue, expected, "{rule:?} from {from:?}");
        }
    }

    #[test]
    fn a_run_begins_and_ends_where_the_states_say_so() {
        let has_run = |state| match state {
            Some(State::Claimed | State::Running) => Some(true),
            // It depends on where it was taken out.
            Some(State::Paused) => None,
            _ => Some(false),
        };
        for (rule, from) in ways() {
            let expected = match (has_run(from), has_run(rule.leads_to(from))) {
                (Some(false), Some(true)) => RunEffect::Begins,
                (Some(true), Some(false)) => RunEffect::Ends,
                (Some(before), Some(after)) if before == after => RunEffect::Keeps,
                _ => continue,
            };
            assert_eq!(rule.runs, expected, "{rule:?} from {from:?}");
        }
    }

    #[test]
    fn what_is_delayed_has_a_timer() {
        for (rule, from) in ways() {
            let is_delayed = rule.leads_to(from) == Some(State::Delayed);
            let comes_anew = is_delayed && from != Some(State::Delayed);
            assert!(rule.changes_timers || !comes_anew, "{rule:?} from {from:?}");
        }
    }

    #[test]
    fn an_end_is_told_and_nothing_else_is_told_as_one() {
        for rule in TRANSITIONS {
            assert_eq!(rule.events.contains(&EventKind::Ended), rule.is_end(), "{rule:?}");
            assert_eq!(rule.events.contains(&EventKind::Added), rule.is_entry(), "{rule:?}");
        }
    }

    #[test]
    fn every_state_is_reached_and_those_that_have_not_ended_are_left() {
        for state in State::ALL {
            assert!(ways().any(|(rule, from)| rule.leads_to(from) == Some(*state)), "{state:?}");
            // What was claimed is given back before it ends.
            let is_left = ways().any(|(rule, from)| {
                from == Some(*state) && (rule.is_end() || rule.kind == TransitionKind::Unclaim)
            });
            assert!(is_left || state.is_final(), "{state:?}");
        }
    }
}
