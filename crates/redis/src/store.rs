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

use redis::Value;
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::{IdKey, OwnerId};
use tasker_core::store::{Preview, ReadTransaction, Store, Transaction, Waker};

use crate::ask::head_key;
use crate::bytes::corrupt;
use crate::keys;
use crate::link::clock::now;
use crate::link::{Beat, Failure, Heartbeat, Link, Listener, Location, Pulse, Script};
use crate::notifier::Notifier;
use crate::options::Options;
use crate::owners::{Owners, Session, id};
use crate::transaction::RedisTransaction;
use crate::value::some_bytes;
use crate::writer::{Looked, Writer, random};

static OPEN: Script = Script::new("open", include_str!("lua/open.lua"));
static BEAT: Script = Script::new("beat", include_str!("lua/beat.lua"));
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
#[derive(Debug)]
pub struct RedisStore {
    writer: Writer,
    notifier: Notifier,
    /// Nothing once the owner has left.
    threads: Option<(Listener, Heartbeat)>,
}

/// The threads of an owner: one hears the others, one lets them hear it.
fn start(
    location: &Location,
    options: &Options,
    (owner, notifier, told): (OwnerId, &Notifier, &Arc<Mutex<Session>>),
) -> Result<(Listener, Heartbeat)> {
    let settings = options.settings;
    let own = keys::owner(owner).to_vec();
    let (channel, notifier) = (location.tag() + keys::CHANNEL, notifier.clone());
    let waker: Waker = Arc::new(move || notifier.notify());
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
        let (notifier, told) = (Notifier::default(), Arc::new(Mutex::new(session.clone())));
        let threads = Some(start(location, options, (owner, &notifier, &told))?);
        let writer = Writer {
            link,
            id_key: IdKey(u64::from_be_bytes(key)),
            owner,
            session,
            told,
            owners: Owners::new(owner),
            seen: None,
            commits: 0,
            options: *options,
        };
        Ok(Self { writer, notifier, threads })
    }

    /// The secret under which sequence numbers are folded into uuids.
    pub(crate) fn id_key_of(&self) -> IdKey {
        self.writer.id_key
    }

    /// The transaction that begins here.
    fn begun(&mut self, looked: Looked, is_writing: bool) -> RedisTransaction<'_> {
        let stand = &looked.stand;
        let has_news = self.writer.seen.replace(stand.clone()).as_ref() != Some(stand);
        RedisTransaction::new(&mut self.writer, looked, has_news, is_writing)
    }

    fn leave(&mut self) -> Result<()> {
        let Some((listener, heartbeat)) = self.threads.take() else { return Ok(()) };
        self.notifier.set_waker(None);
        listener.end();
        // What it tells the others ends our own listening too.
        let left = self.writer.leave();
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
        self.writer.owner
    }

    fn id_key(&self) -> IdKey {
        self.writer.id_key
    }

    fn refresh_owners(&mut self) -> Result<()> {
        self.writer.look(false).map(drop)
    }

    fn is_shared(&self) -> bool {
        self.writer.owners.is_shared()
    }

    fn poll_interval_ms(&self) -> Option<u64> {
        Some(if self.is_shared() { POLL_INTERVAL_MS } else { POLL_ALONE_MS })
    }

    fn set_waker(&mut self, waker: Waker) {
        self.notifier.set_waker(Some(waker));
    }

    fn begin<'s>(&'s mut self, _preview: Preview<'_>) -> Result<Box<dyn Transaction + 's>> {
        let begun = now();
        loop {
            let notices = self.notifier.notices();
            let looked = self.writer.look(true)?;
            let left = looked.left;
            // No longer than a turn may last: who is not let go by then tries its luck.
            if left.is_zero() || now() - begun > 2 * self.writer.options.turn {
                return Ok(Box::new(self.begun(looked, true)));
            }
            self.notifier.wait(notices, left.min(self.writer.options.turn));
        }
    }

    fn begin_read<'s>(&'s mut self) -> Result<Box<dyn ReadTransaction + 's>> {
        let looked = self.writer.look(false)?;
        Ok(Box::new(self.begun(looked, false)))
    }

    fn maintain(&mut self, is_idle: bool) -> Result<()> {
        let commits_min = if is_idle { 1 } else { COMMITS_PER_CHECK };
        if self.writer.commits < commits_min {
            return Ok(());
        }
        self.writer.commits = 0;
        let args = [BATCHES_KEPT, BATCHES_KEPT_MS, BATCHES_KEPT_MAX];
        self.writer.call(&TRIM, &args.map(|number| number.to_string().into_bytes())).map(drop)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.leave()
    }
}
