//! The one thread that writes: one transaction per turn, with all that waits.

use std::fmt::Write;
use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};
use serde_json::value::RawValue;

/// Messages taken into one turn at most.
const TURN_MESSAGES_MAX: usize = 4_096;
/// A checkpoint after so many pages of the log.
const CHECKPOINT_PAGES: u32 = 4_000;

type Fault = Box<dyn std::error::Error>;

/// What JavaScript asks for.
pub enum Message {
    /// Tasks enter.
    Add(String),
    /// Tasks end.
    Complete(String),
    /// Tasks may start from now on.
    Start,
}

/// What one turn made true.
pub struct Turn {
    /// Adds on disk in all, if this turn added any.
    pub added: Option<u32>,
    /// The tasks that start.
    pub starts: Option<String>,
    /// How many ended.
    pub done: u64,
}

/// Hears of each turn after its commit.
pub trait Listener {
    /// The turn is on disk.
    fn committed(&self, turn: Turn);
}

/// The file and what the thread keeps in memory.
pub struct Writer {
    db: Connection,
    window: usize,
    ids: Ids,
    cursor: i64,
    added: u32,
    flying: usize,
    is_started: bool,
}

impl Writer {
    /// A new file.
    pub fn open(path: &str, full: bool, window: u32) -> Result<Self, Fault> {
        let db = Connection::open(path)?;
        db.set_prepared_statement_cache_capacity(64);
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", if full { "FULL" } else { "NORMAL" })?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        db.pragma_update(None, "cache_size", -65_536)?;
        db.execute_batch(include_str!("../sql/schema.sql"))?;
        Ok(Self {
            db,
            window: window as usize,
            ids: Ids { last: 0, random: 0x9E37_79B9_7F4A_7C15 },
            cursor: 0,
            added: 0,
            flying: 0,
            is_started: false,
        })
    }

    /// Turns until the other side is gone.
    pub fn serve(mut self, inbox: &Receiver<Message>, listener: &impl Listener) {
        while let Ok(first) = inbox.recv() {
            let rest = inbox.try_iter().take(TURN_MESSAGES_MAX - 1);
            let messages: Vec<Message> = std::iter::once(first).chain(rest).collect();
            match self.turn(&messages) {
                Ok(turn) => listener.committed(turn),
                Err(error) => return eprintln!("sketch: {error}"),
            }
        }
    }

    fn turn(&mut self, messages: &[Message]) -> Result<Turn, Fault> {
        let (before, now) = (self.added, now_ms());
        self.db.prepare_cached(include_str!("../sql/begin.sql"))?.execute([])?;
        let mut done = 0;
        for message in messages {
            match message {
                Message::Add(text) => self.insert(text, now)?,
                Message::Complete(text) => done += self.complete(text, now)?,
                Message::Start => self.is_started = true,
            }
        }
        let starts = self.claim(now)?;
        self.db.prepare_cached(include_str!("../sql/commit.sql"))?.execute([])?;
        Ok(Turn { added: (self.added != before).then_some(self.added), starts, done })
    }

    fn insert(&mut self, text: &str, now: i64) -> Result<(), Fault> {
        let tasks: Vec<&RawValue> = serde_json::from_str(text)?;
        let mut statement = self.db.prepare_cached(include_str!("../sql/insert.sql"))?;
        for data in tasks {
            self.added += 1;
            let (id, uuid) = self.ids.next();
            statement.execute(params![id, uuid, data.get(), now])?;
        }
        Ok(())
    }

    fn complete(&mut self, text: &str, now: i64) -> Result<u64, Fault> {
        let results: Vec<(i64, &RawValue)> = serde_json::from_str(text)?;
        let mut statement = self.db.prepare_cached(include_str!("../sql/done.sql"))?;
        for (id, result) in &results {
            statement.execute(params![id, result.get(), now])?;
        }
        self.flying -= results.len();
        Ok(results.len() as u64)
    }

    /// Writes the starts that fit into the window; their text for JavaScript.
    fn claim(&mut self, now: i64) -> Result<Option<String>, Fault> {
        let room = self.window - self.flying;
        if !self.is_started || room == 0 {
            return Ok(None);
        }
        let mut next = self.db.prepare_cached(include_str!("../sql/next.sql"))?;
        let mut claim = self.db.prepare_cached(include_str!("../sql/claim.sql"))?;
        let mut rows = next.query(params![self.cursor, room as i64])?;
        let (mut text, mut ids) = (String::from("["), Vec::new());
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let comma = if ids.is_empty() { "" } else { "," };
            write!(text, "{comma}[{id},{}]", row.get_ref(1)?.as_str()?)?;
            ids.push(id);
        }
        for id in &ids {
            claim.execute(params![id, now])?;
        }
        text.push(']');
        self.flying += ids.len();
        self.cursor = ids.last().copied().unwrap_or(self.cursor);
        Ok((!ids.is_empty()).then_some(text))
    }
}

/// Numbers and uuids in time order.
struct Ids {
    last: i64,
    random: u64,
}

impl Ids {
    /// The next number, and sixteen bytes: the number, then noise (xorshift).
    fn next(&mut self) -> (i64, [u8; 16]) {
        self.last += 1;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let high = u128::from(self.last.unsigned_abs()) << 64;
        (self.last, (high | u128::from(self.random)).to_be_bytes())
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
