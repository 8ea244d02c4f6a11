//! The states of a task, and how many tasks are in each.
//!
//! How a task gets from one to another is the table of `transition`. Codes are stored in the file
//! and never change. Their order serves the indexes, whose conditions cost every task something:
//! what waits outside the lanes is less than running, what has a live run is from claimed to
//! running, what has ended is from done on.

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Dependencies are open.
    Blocked = 1,
    /// Its start time lies ahead.
    Delayed = 2,
    /// Taken out until it is put back, before it ran or at a checkpoint of its run.
    Paused = 3,
    /// Given to an outside executor that has not begun.
    Claimed = 4,
    /// A run is live.
    Running = 5,
    /// May start as soon as its gates open.
    Ready = 6,
    /// The runner returned.
    Done = 7,
    /// The runner threw, or the task lost its process too often.
    Failed = 8,
    /// Ended by a user, a signal, a stop or a run timeout.
    Aborted = 9,
}

/// The three parts of a task's life, in the order in which tasks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It has neither started nor ended, whatever it waits for.
    Waiting,
    /// It has started.
    Running,
    /// It has ended.
    Ended,
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

impl State {
    /// Every state, by code.
    pub const ALL: &[State] = &[
        State::Blocked,
        State::Delayed,
        State::Paused,
        State::Claimed,
        State::Running,
        State::Ready,
        State::Done,
        State::Failed,
        State::Aborted,
    ];

    /// In which part of its life the task is; one that is paused with a live run has started.
    pub const fn phase(self) -> Phase {
        match self {
            State::Blocked | State::Delayed | State::Ready | State::Claimed | State::Paused => {
                Phase::Waiting
            }
            State::Running => Phase::Running,
            State::Done | State::Failed | State::Aborted => Phase::Ended,
        }
    }

    /// Whether the task has ended.
    pub const fn is_final(self) -> bool {
        matches!(self.phase(), Phase::Ended)
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
            State::Blocked => "blocked",
            State::Delayed => "delayed",
            State::Ready => "ready",
            State::Claimed => "claimed",
            State::Running => "running",
            State::Paused => "paused",
            State::Done => "done",
            State::Failed => "failed",
            State::Aborted => "aborted",
        }
    }

    /// The word for `task.status`; a task that is paused with a live run is running.
    pub const fn status(self) -> Status {
        match self {
            State::Blocked | State::Delayed | State::Ready | State::Claimed | State::Paused => {
                Status::New
            }
            State::Running => Status::Running,
            State::Done => Status::Done,
            State::Failed => Status::Failed,
            State::Aborted => Status::Aborted,
        }
    }
}

impl State {
    /// Every word that `task.status` may have for a task in this state.
    pub const fn statuses(self) -> &'static [Status] {
        match self {
            State::Blocked | State::Delayed | State::Ready | State::Claimed => &[Status::New],
            State::Paused => &[Status::New, Status::Running],
            State::Running => &[Status::Running],
            State::Done => &[Status::Done],
            State::Failed => &[Status::Failed],
            State::Aborted => &[Status::Aborted],
        }
    }
}

impl Status {
    /// The part of a task's life that has this word.
    pub const fn phase(self) -> Phase {
        match self {
            Status::New => Phase::Waiting,
            Status::Running => Phase::Running,
            Status::Done | Status::Failed | Status::Aborted => Phase::Ended,
        }
    }

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

    /// One task less in `state`.
    pub fn leave(&mut self, state: State) {
        debug_assert!(self.get(state) > 0, "a state cannot hold less than nothing");
        let left = &mut self.0[state.code() as usize];
        *left = left.saturating_sub(1);
    }

    /// One task moves.
    pub fn shift(&mut self, from: State, to: State) {
        self.leave(from);
        self.enter(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
