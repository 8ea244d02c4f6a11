//! The writing side: one connection, one thread, one turn at a time.
//!
//! A turn is a lease of some milliseconds on the server, taken only while there are other owners.
//! It decides who is first and nothing else: who lets it run out loses no more than that, for a
//! commit says on what it was planned, by number and stamp, and is *overtaken* if that moved.
//!
//! # Promises
//! - What was planned on another state of the store is not committed (I-2).
//! - Who was taken for dead cannot commit any more (I-4, I-5).
//!
//! # Given up
//! - Turns are not given in the order in which they were asked for: who asks next when one is free
//!   has it. The fair queue of the design, which also brings the next planner what it needs, is not
//!   built, and neither is a turn without a trip at its begin while one is alone.
//!
//! # Left to others
//! What happens inside a transaction is `transaction`'s.
//!
//! Proof: `proof::conformance`, `proof/tests/redis.rs`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, OwnerId};
use tasker_core::store::{Preview, ReadTransaction, Store, Transaction, Waker};

use crate::ask::{Stand, call_again, head_key};
use crate::bell::Bell;
use crate::bytes::corrupt;
use crate::keys;
use crate::link::{Beat, Failure, Heartbeat, Link, Listener, Location, Pulse, Script};
use crate::options::Options;
use crate::owners::{Owners, Session, Silent, id};
use crate::transaction::RedisTransaction;
use crate::value::{list, number, pairs, some_bytes};

static OPEN: Script = Script::new("open", include_str!("lua/open.lua"));
static BEGIN: Script = Script::new("begin", include_str!("lua/begin.lua"));
static LEAVE: Script = Script::new("leave", include_str!("lua/leave.lua"));
static BEAT: Script = Script::new("beat", include_str!("lua/beat.lua"));
static RELEASE: Script = Script::new("release", include_str!("lua/release.lua"));
static TRIM: Script = Script::new("trim", include_str!("lua/trim.lua"));

/// The version of all keys and values.
const SCHEMA: &str = "1";
/// How often an owner looks for what the others did, in milliseconds; less often when alone.
const POLL_INTERVAL_MS: u64 = 250;
const POLL_ALONE_MS: u64 = 1_000;
/// Batches that the journal keeps however old they are, how old the others may be, and how many
/// there may be at most.
const BATCHES_KEPT: u64 = 1_000;
const BATCHES_KEPT_MS: u64 = 60_000;
const BATCHES_KEPT_MAX: u64 = 100_000;
/// Commits between two looks at the journal under load.
const COMMITS_PER_CHECK: u32 = 256;

/// The writing side of a handle.
pub struct RedisStore {
    pub(crate) link: Link,
    pub(crate) id_key: IdKey,
    pub(crate) owner: OwnerId,
    pub(crate) session: Session,
    pub(crate) owners: Owners,
    /// Where the store stood when we last looked or wrote.
    pub(crate) seen: Option<Stand>,
    /// Commits since the journal was looked at.
    pub(crate) commits: u32,
    options: Options,
    bell: Bell,
    /// The session, as the heartbeat tells it.
    told: Arc<Mutex<Session>>,
    /// Nothing once the owner has left.
    threads: Option<(Listener, Heartbeat)>,
}

/// Eight random bytes.
pub(crate) fn random() -> Result<Vec<u8>> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Code::Io, "no random numbers").with_source(error))?;
    Ok(bytes.to_vec())
}

/// The threads of an owner: one hears the others, one lets them hear it.
fn start(
    location: &Location,
    options: &Options,
    (owner, bell, told): (OwnerId, &Bell, &Arc<Mutex<Session>>),
) -> Result<(Listener, Heartbeat)> {
    let settings = options.settings;
    let own = keys::owner(owner).to_vec();
    let (channel, ringing) = (location.tag() + keys::CHANNEL, bell.clone());
    let waker: Waker = Arc::new(move || ringing.ring());
    let listener = Listener::start_beside(location, settings, (&channel, own.clone()), waker)?;
    let told = Arc::clone(told);
    let args = move || {
        let session = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        vec![own.clone(), session]
    };
    let pulse = Pulse {
        period: options.beat(),
        script: &BEAT,
        keys: head_key(location),
        args: Box::new(args),
    };
    let on_beat = |beat| {
        if let Beat::Failed(error) = beat {
            tracing::debug!(%error, "the others may not have heard of us");
        }
    };
    Ok((listener, Heartbeat::start(location, settings, pulse, Arc::new(on_beat))?))
}

impl RedisStore {
    /// Registers a new owner.
    pub(crate) fn open(location: &Location, options: &Options) -> Result<Self> {
        let mut link = Link::open(location, options.settings)?;
        let (session, secret) = (random()?, random()?);
        let args = [session.clone(), secret, SCHEMA.into()];
        let answer = link.call(&OPEN, &head_key(location), &args).map_err(Failure::error)?;
        let [owner, key] = match answer {
            Value::Array(all) => all.try_into().map_err(|_| corrupt("an answer to an open"))?,
            Value::BulkString(text) if text == b"version" => {
                let text = "the store was written by another version of tasker";
                return Err(Error::new(Code::Version, text));
            }
            _ => return Err(corrupt("there are keys with this prefix that are no store")),
        };
        let owner = id(&some_bytes(owner)?)?;
        let key = some_bytes(key)?.try_into().map_err(|_| corrupt("the key of the ids"))?;
        let (bell, told) = (Bell::default(), Arc::new(Mutex::new(session.clone())));
        let threads = Some(start(location, options, (owner, &bell, &told))?);
        Ok(Self {
            link,
            id_key: IdKey(u64::from_be_bytes(key)),
            owner,
            session,
            owners: Owners::new(owner),
            seen: None,
            commits: 0,
            options: *options,
            bell,
            told,
            threads,
        })
    }

    fn call(&mut self, script: &Script, args: &[Vec<u8>]) -> Result<Value> {
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

    /// Looks who lives and where the store stands, and takes the turn if that is asked for. Gives
    /// for how long somebody else may have it still.
    fn look(&mut self, takes_turn: bool) -> Result<(Stand, Duration, bool)> {
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
        let silent = self.owners.look((sessions, beats), Instant::now(), self.options.lease)?;
        for one in silent {
            self.bury(one)?;
        }
        let left = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
        Ok((stand, left, wait < 0))
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

    /// The transaction that begins here.
    fn begun(&mut self, stand: Stand, is_writing: bool, has_turn: bool) -> RedisTransaction<'_> {
        let has_news = self.seen.replace(stand.clone()) != Some(stand.clone());
        RedisTransaction::new(self, stand, has_news, (is_writing, has_turn))
    }

    fn leave(&mut self) -> Result<()> {
        let Some((listener, heartbeat)) = self.threads.take() else { return Ok(()) };
        self.bell.set_waker(None);
        listener.end();
        // What it tells the others ends our own listening too.
        let own = self.own();
        let left = self.call(&LEAVE, &own).map(drop);
        drop((listener, heartbeat));
        left
    }
}

/// What is dropped is gone for the others at once: its runs are orphans. Of a process that is
/// killed they learn when its lease is over.
impl Drop for RedisStore {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::debug!(%error, "an owner could not say that it goes");
        }
    }
}

impl Store for RedisStore {
    fn owner(&self) -> OwnerId {
        self.owner
    }

    fn id_key(&self) -> IdKey {
        self.id_key
    }

    fn refresh_owners(&mut self) -> Result<()> {
        self.look(false).map(drop)
    }

    fn is_shared(&self) -> bool {
        self.owners.is_shared()
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        Some(if self.is_shared() { POLL_INTERVAL_MS } else { POLL_ALONE_MS })
    }

    fn set_waker(&mut self, waker: Waker) {
        self.bell.set_waker(Some(waker));
    }

    fn begin<'s>(&'s mut self, _preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        let begun = Instant::now();
        loop {
            let rings = self.bell.rings();
            let (stand, left, has_turn) = self.look(true)?;
            // No longer than a turn may last: who is not let go by then tries its luck.
            if left.is_zero() || begun.elapsed() > 2 * self.options.turn {
                return Ok(Box::new(self.begun(stand, true, has_turn)));
            }
            self.bell.wait(rings, left.min(self.options.turn));
        }
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        let (stand, ..) = self.look(false)?;
        Ok(Box::new(self.begun(stand, false, false)))
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        let commits_min = if is_idle { 1 } else { COMMITS_PER_CHECK };
        if self.commits < commits_min {
            return Ok(());
        }
        self.commits = 0;
        let args = [BATCHES_KEPT, BATCHES_KEPT_MS, BATCHES_KEPT_MAX];
        self.call(&TRIM, &args.map(|number| number.to_string().into_bytes())).map(drop)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.leave()
    }
}
