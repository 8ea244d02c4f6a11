//! How many requests of one caller are under way: none takes all of a server.
//!
//! Callers are told apart by what they are called: the names of tokens are unique, and who mounts
//! the service says the others.
//!
//! Proof: the tests below.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::{POLLS_PER_TOKEN_MAX, REQUESTS_PER_TOKEN_MAX};

/// The requests of each caller, and its polls that wait; nothing of those that have none.
#[derive(Default)]
pub(crate) struct Load(Mutex<BTreeMap<(Arc<str>, Kind), usize>>);

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Request,
    Poll,
}

impl Load {
    /// One more request of a caller; nothing if it has as many as it may have. It is over when what
    /// this gives is dropped.
    pub(crate) fn begin(self: &Arc<Self>, name: &Arc<str>) -> Option<UnderWay> {
        self.one_more((Arc::clone(name), Kind::Request), REQUESTS_PER_TOKEN_MAX)
    }

    /// The same for a poll that waits.
    pub(crate) fn begin_poll(self: &Arc<Self>, name: &Arc<str>) -> Option<UnderWay> {
        self.one_more((Arc::clone(name), Kind::Poll), POLLS_PER_TOKEN_MAX)
    }

    fn one_more(self: &Arc<Self>, of: (Arc<str>, Kind), max: usize) -> Option<UnderWay> {
        let mut all = self.0.lock();
        let own = all.entry(of.clone()).or_default();
        if *own >= max {
            return None;
        }
        *own += 1;
        Some(UnderWay { load: Arc::clone(self), of })
    }
}

/// A request that is under way.
pub(crate) struct UnderWay {
    load: Arc<Load>,
    of: (Arc<str>, Kind),
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.load.0.lock();
        if let Some(own) = all.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_takes_its_own_share_and_no_more() {
        let load = Arc::new(Load::default());
        let [ann, bob] = ["ann", "bob"].map(Arc::<str>::from);
        let all: Vec<_> = (0..REQUESTS_PER_TOKEN_MAX).filter_map(|_| load.begin(&ann)).collect();
        assert_eq!(all.len(), REQUESTS_PER_TOKEN_MAX);
        assert!(load.begin(&ann).is_none());
        assert!(load.begin(&bob).is_some(), "another caller waits for nobody");
        assert!(load.begin_poll(&ann).is_some(), "polls are counted apart");
        drop(all);
        assert!(load.begin(&ann).is_some());
        assert!(load.0.lock().is_empty(), "nothing is kept of those who have gone");
    }
}
