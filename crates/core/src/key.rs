//! Keys under which tasks are added: those of outbox rows, and those of unique tasks.
//!
//! Nobody frees a unique key. A task holds it by the state in which it is, so the very commit that
//! starts, ends or removes the task frees it, and nothing can come between. Who adds a task under a
//! key looks at the task that had it last, and takes the key over if that holds it no more. So the
//! row of a key lives as long as its task, and costs nothing at starts and ends.
//!
//! # Promises
//! - Of two tasks that say the same key of the same operation at most one holds it, over all
//!   processes and crashes (I-2).
//! - A key belongs to its operation, and is never mistaken for the key of an outbox row.
//!
//! Proof: the tests below, `conformance::unique`, `proof/tests/engine/unique.rs`,
//! `proof/tests/random`; the audit of a backend.

use crate::id::{IdempotencyKey, OperationId};
use crate::json::write_string;
use crate::state::State;
use crate::time::WallMs;
use crate::words::words;

/// How many keys one change forgets.
pub const KEYS_SWEPT_MAX: usize = 1_024;

/// How long a task holds its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum UniqueWhile {
    /// Until its first run begins, or until it ends before that.
    New = 1,
    /// Until it ends.
    #[default]
    Unfinished = 2,
    /// As long as it is there.
    Always = 3,
}

/// What an add does that finds its key held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OnConflict {
    /// It answers with the earlier task, and leaves that as it is.
    #[default]
    Return = 1,
    /// It gives the earlier task its own definition, if that has never started.
    Replace = 2,
    /// It is refused.
    Reject = 3,
}

words!(UniqueWhile { New "new", Unfinished "unfinished", Always "always" });
words!(OnConflict { Return "return", Replace "replace", Reject "reject" });

/// What a task says of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The key.
    pub key: Box<str>,
    /// How long the task holds it.
    pub hold: UniqueWhile,
    /// The longest that it holds it, from its add, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// What an add does that finds it held.
    pub on_conflict: OnConflict,
}

impl Unique {
    /// Until when a task that was added then holds the key at the longest.
    pub fn until(&self, created_at: WallMs) -> Option<WallMs> {
        self.ttl_ms.map(|ms| created_at.plus(ms))
    }

    /// The JSON object that `unique::read` reads.
    pub fn to_json(&self) -> String {
        let mut text = "{\"key\":".to_owned();
        write_string(&self.key, &mut text);
        text += &format!(",\"while\":\"{}\"", self.hold.as_str());
        if let Some(ms) = self.ttl_ms {
            text += &format!(",\"ttl\":{ms}");
        }
        text + &format!(",\"onConflict\":\"{}\"}}", self.on_conflict.as_str())
    }
}

/// What a key is, and how long its task holds it. Codes are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The key of an outbox row: its task has it for good.
    Idempotency,
    /// A unique key.
    Unique(UniqueWhile),
}

impl KeyKind {
    /// Every kind.
    pub const ALL: &[KeyKind] = &[
        KeyKind::Idempotency,
        KeyKind::Unique(UniqueWhile::New),
        KeyKind::Unique(UniqueWhile::Unfinished),
        KeyKind::Unique(UniqueWhile::Always),
    ];

    /// The code under which it is stored.
    pub const fn code(self) -> u8 {
        match self {
            KeyKind::Idempotency => 0,
            KeyKind::Unique(hold) => hold.code(),
        }
    }

    /// The kind with this stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        KeyKind::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// Whether a task in this state holds such a key, but for its `ttl`.
    pub fn is_held(self, state: State, has_started: bool) -> bool {
        match self {
            KeyKind::Idempotency | KeyKind::Unique(UniqueWhile::Always) => true,
            KeyKind::Unique(UniqueWhile::Unfinished) => !state.is_final(),
            KeyKind::Unique(UniqueWhile::New) => !state.is_final() && !has_started,
        }
    }
}

/// A name under which a task was added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Of an outbox row.
    Idempotency(IdempotencyKey),
    /// Of a unique task of this operation.
    Unique(OperationId, Box<str>),
}

impl Key {
    /// As it is stored: its first byte says of which kind it is, so that no two are the same.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Key::Idempotency(IdempotencyKey(uuid)) => [b"i", uuid.as_bytes().as_slice()].concat(),
            Key::Unique(operation, key) => {
                [b"u", operation.0.to_be_bytes().as_slice(), key.as_bytes()].concat()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_is_held_by_the_state_of_its_task() {
        use State::{Aborted, Blocked, Claimed, Delayed, Done, Failed, Paused, Ready, Running};
        let held = |hold, has_started| {
            let is_held = |state: &&State| KeyKind::Unique(hold).is_held(**state, has_started);
            State::ALL.iter().filter(is_held).copied().collect::<Vec<_>>()
        };
        let open = [Blocked, Delayed, Paused, Claimed, Running, Ready];
        assert_eq!(held(UniqueWhile::New, false), open);
        assert_eq!(held(UniqueWhile::New, true), []);
        for has_started in [false, true] {
            assert_eq!(held(UniqueWhile::Unfinished, has_started), open);
            assert_eq!(held(UniqueWhile::Always, has_started), State::ALL);
        }
        assert!([Done, Failed, Aborted].iter().all(|it| KeyKind::Idempotency.is_held(*it, true)));
    }

    #[test]
    fn no_two_keys_are_stored_alike() {
        let text = |bytes: &[u8]| -> Box<str> { str::from_utf8(bytes).unwrap().into() };
        let keys = [
            Key::Unique(OperationId(1), text(b"a")),
            Key::Unique(OperationId(2), text(b"a")),
            Key::Unique(OperationId(1), text(b"aa")),
            Key::Unique(OperationId(256), text(b"a")),
            Key::Unique(OperationId(0x6161), text(b"aaaaaaaaaaaaaa")),
            Key::Idempotency(IdempotencyKey(Uuid::from_bytes([b'a'; 16]))),
            Key::Idempotency(IdempotencyKey(Uuid::from_bytes([b'u'; 16]))),
        ];
        let mut stored: Vec<_> = keys.iter().map(Key::bytes).collect();
        stored.sort();
        stored.dedup();
        assert_eq!(stored.len(), keys.len());
        assert!(KeyKind::ALL.iter().all(|kind| KeyKind::from_code(kind.code()) == Some(*kind)));
    }
}
