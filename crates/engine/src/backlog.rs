//! Effects that the host has not fetched yet, and whether it knows of them.
//!
//! # Promises
//! - The host is notified once however much waits, and of nothing too late: what is pushed while it
//!   fetches is either in what it was given, or it is told that there is more, or it is notified
//!   again. So one lock holds both the effects and whether the host knows.
//! - Nothing leaves the backlog before the host has it.
//!
//! Proof: the tests below.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::effect::Effect;
use crate::thread::Moment;

/// Effects that wait for the host.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    effects: VecDeque<Effect>,
    /// Since when the host knows that something waits, if it has not begun to fetch since.
    known_since: Option<Moment>,
}

impl Backlog {
    /// Adds effects; true if the caller must notify the host now.
    pub fn push(&self, effects: Vec<Effect>) -> bool {
        let mut state = self.state.lock();
        state.effects.extend(effects);
        let must_notify = state.known_since.is_none();
        state.known_since.get_or_insert_with(Moment::now);
        must_notify
    }

    /// The host begins to fetch: what is pushed from now on notifies again. Gives how long ago it
    /// was notified.
    pub fn begin(&self) -> u64 {
        self.state.lock().known_since.take().map_or(0, |since| since.elapsed_ms())
    }

    /// Looks at what waits, the oldest first.
    pub fn peek<T>(&self, look: impl FnOnce(&VecDeque<Effect>) -> T) -> T {
        look(&self.state.lock().effects)
    }

    /// Takes away the first `count`: the host has them. If `has_more`, it was told that more waits,
    /// and comes again by itself.
    pub fn take(&self, count: usize, has_more: bool) {
        let mut state = self.state.lock();
        state.effects.drain(..count);
        if has_more {
            state.known_since.get_or_insert_with(Moment::now);
        }
    }

    /// Puts another effect in the place of the first, if `make` makes one of it.
    pub fn replace_first(&self, make: impl FnOnce(&Effect) -> Option<Effect>) -> bool {
        let mut state = self.state.lock();
        let Some(first) = state.effects.front_mut() else { return false };
        let Some(other) = make(first) else { return false };
        *first = other;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::effect::Answer;

    fn answers(count: u64) -> Vec<Effect> {
        (0..count).map(|ticket| Effect::Answer(ticket, Answer::Done)).collect()
    }

    #[test]
    fn the_host_is_notified_once_until_it_fetches() {
        let backlog = Backlog::default();
        assert!(backlog.push(answers(1)));
        assert!(!backlog.push(answers(1)));
        backlog.begin();
        backlog.take(2, false);
        assert!(backlog.push(answers(1)));
    }

    #[test]
    fn what_comes_while_the_host_fetches_notifies_again() {
        let backlog = Backlog::default();
        backlog.push(answers(1));
        backlog.begin();
        let count = backlog.peek(VecDeque::len);
        assert!(backlog.push(answers(1)), "the host was told that there is no more");
        backlog.take(count, false);
        assert_eq!(backlog.peek(VecDeque::len), 1);
        assert!(!backlog.push(answers(1)), "that notification is still on its way");
    }

    #[test]
    fn a_host_that_knows_of_more_is_not_notified() {
        let backlog = Backlog::default();
        backlog.push(answers(3));
        backlog.begin();
        backlog.take(2, true);
        assert!(!backlog.push(answers(1)));
    }

    #[test]
    fn nothing_is_left_without_a_notification_under_load() {
        const EFFECTS: usize = 200_000;
        let backlog = Backlog::default();
        let (notify, notified) = channel();
        let mut fetched = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let notify = notify; // It goes with the last effect.
                for _ in 0..EFFECTS {
                    if backlog.push(answers(1)) {
                        notify.send(()).unwrap();
                    }
                }
            });
            while notified.recv().is_ok() {
                backlog.begin();
                let count = backlog.peek(VecDeque::len);
                backlog.take(count, false);
                fetched += count;
            }
        });
        assert_eq!(fetched, EFFECTS);
    }
}
