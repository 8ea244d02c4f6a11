//! The states of a task and every transition between them.
//!
//! `docs/state-machine.md` is drawn from [`TRANSITIONS`] and a test compares them. Codes are stored
//! in the file and never change; the gaps belong to states of later versions (
//! blocked 1, delayed 2, claimed 4, paused 6).
//!
//! # Promises
//! - A terminal state is final (I-3): no transition leaves one.

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// May start as soon as its gates open.
    Ready = 3,
    /// A run is live.
    Running = 5,
    /// The runner returned.
    Done = 7,
    /// The runner threw, or the task lost its process too often.
    Failed = 8,
    /// Ended by a user, a signal, a stop or a run timeout.
    Aborted = 9,
}

/// The five public words of a task's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Not started.
    New,
    /// A run is live.
    Running,
    /// Ended well.
    Done,
    /// Ended by an error.
    Failed,
    /// Ended by a decision.
    Aborted,
}

/// What moves a task from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A runner is free and every gate is open: new run id, attempt + 1.
    Start,
    /// The runner returned.
    Done,
    /// The runner threw.
    Fail,
    /// A user, a signal, a stop or a run timeout ended it.
    Abort,
    /// A stop gave the run back; the attempt is not counted.
    Postpone,
    /// The process of the run died and the task goes back to the queue.
    Lost,
}

/// Every transition there is: from, verb, to.
pub const TRANSITIONS: &[(State, Verb, State)] = &[
    (State::Ready, Verb::Start, State::Running),
    (State::Ready, Verb::Abort, State::Aborted),
    (State::Running, Verb::Done, State::Done),
    (State::Running, Verb::Fail, State::Failed),
    (State::Running, Verb::Abort, State::Aborted),
    (State::Running, Verb::Postpone, State::Ready),
    (State::Running, Verb::Lost, State::Ready),
];

impl State {
    /// Every state, by code.
    pub const ALL: &[State] =
        &[State::Ready, State::Running, State::Done, State::Failed, State::Aborted];

    /// Where `verb` leads from here, or nothing if it is not allowed.
    pub fn after(self, verb: Verb) -> Option<State> {
        let found = TRANSITIONS.iter().find(|(from, v, _)| *from == self && *v == verb);
        found.map(|(_, _, to)| *to)
    }

    /// Whether the task has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, State::Done | State::Failed | State::Aborted)
    }

    /// The code under which the state is stored.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The state with this stored code.
    pub fn from_code(code: u8) -> Option<State> {
        State::ALL.iter().copied().find(|state| state.code() == code)
    }

    /// The word for `task.state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
            State::Aborted => "aborted",
        }
    }

    /// The word for `task.status`.
    pub const fn status(self) -> Status {
        match self {
            State::Ready => Status::New,
            State::Running => Status::Running,
            State::Done => Status::Done,
            State::Failed => Status::Failed,
            State::Aborted => Status::Aborted,
        }
    }
}

impl Status {
    /// Every status, in the order of a life.
    pub const ALL: &[Status] =
        &[Status::New, Status::Running, Status::Done, Status::Failed, Status::Aborted];

    /// The public word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Running => "running",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
        }
    }
}

impl Verb {
    /// The word in the drawing.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Done => "done",
            Verb::Fail => "fail",
            Verb::Abort => "abort",
            Verb::Postpone => "postpone",
            Verb::Lost => "lost",
        }
    }
}

/// How many tasks are in each state (I-13). Kept with every commit, never counted on a hot path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; 10]);

impl Counts {
    /// How many are in `state`.
    pub fn get(&self, state: State) -> u64 {
        self.0[state.code() as usize]
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Sets one figure.
    pub fn set(&mut self, state: State, count: u64) {
        self.0[state.code() as usize] = count;
    }

    /// One more task in `state`.
    pub fn enter(&mut self, state: State) {
        self.0[state.code() as usize] += 1;
    }

    /// One task moves.
    pub fn shift(&mut self, from: State, to: State) {
        debug_assert!(self.get(from) > 0, "a state cannot hold less than nothing");
        let left = &mut self.0[from.code() as usize];
        *left = left.saturating_sub(1);
        self.enter(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_transition_leaves_a_final_state() {
        assert!(TRANSITIONS.iter().all(|(from, _, _)| !from.is_final()));
    }

    #[test]
    fn codes_survive_a_round_trip() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(*state));
        }
        assert_eq!(State::from_code(0), None);
    }

    #[test]
    fn counts_sum_to_the_total() {
        let mut counts = Counts::default();
        counts.enter(State::Ready);
        counts.enter(State::Ready);
        counts.shift(State::Ready, State::Running);
        assert_eq!((counts.get(State::Ready), counts.total()), (1, 2));
    }
}
