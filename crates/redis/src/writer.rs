//! The owner as it writes: its connection, its session, and what it knows of the others.
//!
//! Proof: `proof::conformance`, `proof/tests/redis.rs`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Value;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, OwnerId};

use crate::ask::{Stand, call_again};
use crate::keys;
use crate::link::clock::now;
use crate::link::{Link, Script};
use crate::options::Options;
use crate::owners::{Owners, Session, Silent};
use crate::value::{list, number, pairs};

static BEGIN: Script = Script::new("begin", include_str!("lua/begin.lua"));
static LEAVE: Script = Script::new("leave", include_str!("lua/leave.lua"));
static RELEASE: Script = Script::new("release", include_str!("lua/release.lua"));

/// See the module.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) link: Link,
    pub(crate) id_key: IdKey,
    pub(crate) owner: OwnerId,
    pub(crate) session: Session,
    /// The session, as the heartbeat tells it.
    pub(crate) told: Arc<Mutex<Session>>,
    pub(crate) owners: Owners,
    /// Where the store stood when we last looked or wrote.
    pub(crate) seen: Option<Stand>,
    /// Commits since the journal was looked at.
    pub(crate) commits: u32,
    pub(crate) options: Options,
}

/// What a look at the server gave.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) stand: Stand,
    /// For how long somebody else may have the turn still.
    pub(crate) left: Duration,
    pub(crate) has_turn: bool,
    /// Whether one that is dead may have left something.
    pub(crate) has_dead: bool,
}

/// Eight random bytes.
pub(crate) fn random() -> Result<Vec<u8>> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Code::Io, "no random numbers").with_source(error))?;
    Ok(bytes.to_vec())
}

impl Writer {
    pub(crate) fn call(&mut self, script: &Script, args: &[Vec<u8>]) -> Result<Value> {
        call_again(&mut self.link, script, args)
    }

    /// Another session from now on.
    pub(crate) fn set_session(&mut self, session: Session) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&session);
        self.session = session;
    }

    fn own(&self) -> [Vec<u8>; 2] {
        [keys::owner(self.owner).to_vec(), self.session.clone()]
    }

    /// Looks who lives and where the store stands, and takes the turn if that is asked for. It
    /// buries those who have been silent for too long.
    pub(crate) fn look(&mut self, takes_turn: bool) -> Result<Looked> {
        let [owner, session] = self.own();
        let turn = self.options.turn.as_millis().to_string().into_bytes();
        let takes = if takes_turn { b"1" } else { b"0" };
        let answer = self.call(&BEGIN, &[owner, session, takes.to_vec(), turn])?;
        if answer == Value::Nil {
            let text = "others have taken this tasker for dead, or the store is another one";
            return Err(Error::new(Code::Io, text));
        }
        let mut answer = list(answer)?.into_iter();
        let stand = Stand::take(&mut answer)?;
        let mut next = || answer.next().unwrap_or(Value::Nil);
        let (sessions, beats, wait) = (pairs(next())?, pairs(next())?, number(&next())?);
        let mut has_dead = number(&next())? != 0;
        let silent = self.owners.look((sessions, beats), now(), self.options.lease)?;
        for one in silent {
            self.bury(one)?;
            has_dead = true;
        }
        let left = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
        Ok(Looked { stand, left, has_turn: wait < 0, has_dead })
    }

    /// Buries an owner that has been silent, unless it is heard of at this very moment.
    fn bury(&mut self, Silent { owner, session, beats }: Silent) -> Result<()> {
        let args = [keys::owner(owner).to_vec(), session, beats];
        let buried = self.call(&LEAVE, &args)?;
        if number(&buried)? == 1 {
            tracing::info!(
                owner = owner.0,
                "an owner was silent for too long and is taken for dead"
            );
            self.owners.forget(owner);
        }
        Ok(())
    }

    /// Gives the turn back without a commit. If that fails it runs out.
    pub(crate) fn release_turn(&mut self) {
        let owner = keys::owner(self.owner).to_vec();
        if let Err(error) = self.call(&RELEASE, &[owner]) {
            tracing::debug!(%error, "a turn could not be given back");
        }
    }

    /// The owner goes: its runs are orphans from now on.
    pub(crate) fn leave(&mut self) -> Result<()> {
        let own = self.own();
        self.call(&LEAVE, &own).map(drop)
    }
}
