//! Why a task waits: the one list of reasons, in the words that users see.
//!
//! Whatever holds a task back has a word here, so that an explanation and a metric say the same.
//! States and gates name theirs; a reason without one belongs to what comes later.
//!
//! Proof: the tests below; `dispatch::gate`.

use crate::state::State;

/// Why a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its start time lies ahead: its own, a pause before another attempt, a postponement.
    StartTime,
    /// Dependencies are open.
    Dependency,
    /// A condition of its own does not hold.
    Condition,
    /// Its operation runs as often as it may, in all processes together.
    Limit,
    /// Its operation has no token left.
    RateLimit,
    /// The circuit of its operation is open.
    Circuit,
    /// Its scope is closed until a moment.
    Hold,
    /// It, or its operation, is paused.
    Paused,
    /// Nothing that is started has a runner for it.
    NoRunner,
    /// An outside executor has not asked for it, or has not begun.
    Executor,
    /// Its batch is not complete.
    Batch,
    /// What stands ahead of it comes first.
    Order,
    /// The process runs as many as it may.
    Place,
}

impl Reason {
    /// Every reason with its word.
    pub const WORDS: [(&str, Reason); 13] = [
        ("start-time", Reason::StartTime),
        ("dependency", Reason::Dependency),
        ("condition", Reason::Condition),
        ("limit", Reason::Limit),
        ("rate-limit", Reason::RateLimit),
        ("circuit", Reason::Circuit),
        ("hold", Reason::Hold),
        ("paused", Reason::Paused),
        ("no-runner", Reason::NoRunner),
        ("executor", Reason::Executor),
        ("batch", Reason::Batch),
        ("order", Reason::Order),
        ("place", Reason::Place),
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    /// Why a task waits that is in this state; nothing if the state alone does not say it, or if it
    /// does not wait.
    pub const fn of_state(state: State) -> Option<Reason> {
        match state {
            State::Blocked => Some(Reason::Dependency),
            State::Delayed => Some(Reason::StartTime),
            State::Paused => Some(Reason::Paused),
            State::Claimed => Some(Reason::Executor),
            // Gates keep a ready one from starting; the others do not wait.
            State::Ready | State::Running | State::Done | State::Failed | State::Aborted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Phase;

    /// Where the words are promised to users.
    const PAGE: &str = include_str!("../../../docs/internals/interplay.md");

    #[test]
    fn each_reason_has_its_own_word_and_the_page_has_all_of_them_in_this_order() {
        for (word, reason) in Reason::WORDS {
            assert_eq!(reason.as_str(), word);
        }
        let words = Reason::WORDS.map(|(word, _)| word).join(" ");
        assert!(PAGE.contains(&format!("`{words}`")), "{words}");
    }

    #[test]
    fn every_state_in_which_a_task_waits_says_why_but_the_one_that_gates_decide() {
        for state in State::ALL.iter().copied() {
            let waits = state.phase() == Phase::Waiting && state != State::Ready;
            assert_eq!(Reason::of_state(state).is_some(), waits, "{state:?}");
        }
    }
}
