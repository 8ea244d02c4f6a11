//! Which owners live, as far as this one knows.
//!
//! An owner is heard of by a counter on the server, which it raises with each commit and otherwise
//! now and then. Who sees the same figure for a whole lease, by its own clock that never goes back,
//! buries it; that succeeds only if nothing moved. No clock of the server has a say, so no jump of
//! it kills anybody.
//!
//! # Promises
//! - A living owner that can talk to the server is never taken for dead (I-5).
//! - After a gap in which we could not look we begin to count anew.
//!
//! Proof: the tests below, `proof/tests/redis.rs`, `conformance::orphans`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tasker_core::error::Result;
use tasker_core::id::OwnerId;

use crate::bytes::eight;

/// The secret that an owner shows with each commit.
pub(crate) type Session = Vec<u8>;

/// What was seen of another owner, and since when it is so.
#[derive(Clone, Debug)]
struct Seen {
    beats: Vec<u8>,
    since: Instant,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Owners {
    own: OwnerId,
    /// All that live, with ourselves.
    living: BTreeMap<OwnerId, Session>,
    seen: BTreeMap<OwnerId, Seen>,
    looked_at: Option<Instant>,
}

/// One who has been silent for too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    pub(crate) owner: OwnerId,
    pub(crate) session: Session,
    pub(crate) beats: Vec<u8>,
}

/// Fields and values, as the server gives a hash.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

impl Owners {
    pub(crate) fn new(own: OwnerId) -> Self {
        Self { own, living: BTreeMap::new(), seen: BTreeMap::new(), looked_at: None }
    }

    /// Takes what a look at the server gave; those that were silent for the lease.
    pub(crate) fn look(
        &mut self,
        (sessions, beats): (Pairs, Pairs),
        now: Instant,
        lease: Duration,
    ) -> Result<Vec<Silent>> {
        self.living = sessions
            .into_iter()
            .map(|(owner, session)| Ok((id(&owner)?, session)))
            .collect::<Result<_>>()?;
        let was_away = self.looked_at.is_none_or(|at| now.duration_since(at) > lease / 2);
        self.looked_at = Some(now);
        if was_away {
            self.seen.clear();
        }
        self.seen.retain(|owner, _| self.living.contains_key(owner));
        let mut silent = Vec::new();
        for (owner, beats) in beats {
            let owner = id(&owner)?;
            let Some(session) = self.living.get(&owner).filter(|_| owner != self.own) else {
                continue;
            };
            let seen =
                self.seen.entry(owner).or_insert_with(|| Seen { beats: beats.clone(), since: now });
            if seen.beats != beats {
                *seen = Seen { beats, since: now };
            } else if now.duration_since(seen.since) >= lease {
                silent.push(Silent { owner, session: session.clone(), beats });
            }
        }
        Ok(silent)
    }

    /// Whether there are others.
    pub(crate) fn is_shared(&self) -> bool {
        self.living.keys().any(|owner| *owner != self.own)
    }

    /// How many live, this one too.
    pub(crate) fn count(&self) -> u64 {
        self.living.len() as u64
    }

    pub(crate) fn lives(&self, owner: OwnerId) -> bool {
        self.living.contains_key(&owner)
    }

    /// An owner was buried.
    pub(crate) fn forget(&mut self, owner: OwnerId) {
        self.living.remove(&owner);
        self.seen.remove(&owner);
    }
}

/// The number of an owner.
pub(crate) fn id(bytes: &[u8]) -> Result<OwnerId> {
    Ok(OwnerId(u64::from_be_bytes(eight(bytes, 0)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::clock::now;

    const LEASE: Duration = Duration::from_secs(5);

    fn pairs(beats: &[(u64, &str)]) -> (Pairs, Pairs) {
        let owner = |n: u64| n.to_be_bytes().to_vec();
        let sessions = beats.iter().map(|(n, _)| (owner(*n), b"s".to_vec())).collect();
        (sessions, beats.iter().map(|(n, beats)| (owner(*n), beats.as_bytes().to_vec())).collect())
    }

    fn silent(owners: &mut Owners, at: Instant, beats: &[(u64, &str)]) -> Vec<u64> {
        let silent = owners.look(pairs(beats), at, LEASE).unwrap();
        silent.iter().map(|one| one.owner.0).collect()
    }

    /// I-5
    #[test]
    fn who_is_silent_for_a_lease_is_told_and_nobody_else() {
        let (mut owners, begin) = (Owners::new(OwnerId(1)), now());
        let after = |ms| begin + Duration::from_millis(ms);
        assert!(silent(&mut owners, begin, &[(1, "0"), (2, "0"), (3, "0")]).is_empty());
        assert!(owners.is_shared() && owners.lives(OwnerId(3)));
        for ms in [2_000, 4_000, 4_999] {
            assert!(silent(&mut owners, after(ms), &[(1, "0"), (2, "0"), (3, "1")]).is_empty());
        }
        assert_eq!(silent(&mut owners, after(5_000), &[(1, "0"), (2, "0"), (3, "1")]), [2]);
        owners.forget(OwnerId(2));
        assert!(!owners.lives(OwnerId(2)));
    }

    /// I-5
    #[test]
    fn who_could_not_look_begins_anew() {
        let (mut owners, begin) = (Owners::new(OwnerId(1)), now());
        let after = |ms| begin + Duration::from_millis(ms);
        assert!(silent(&mut owners, begin, &[(2, "0")]).is_empty());
        assert!(silent(&mut owners, after(60_000), &[(2, "0")]).is_empty());
        assert!(silent(&mut owners, after(62_000), &[(2, "0")]).is_empty());
        assert!(silent(&mut owners, after(64_000), &[(2, "0")]).is_empty());
        assert_eq!(silent(&mut owners, after(65_000), &[(2, "0")]), [2]);
    }
}
