//! Codes by name in SQL: `$ready` stands for the code of the state ready, `$due_timer` for that of
//! the timer of a start time, `$new_key` for that of a kind of key.
//!
//! A partial index is used only where its condition stands in the statement word for word, so a
//! code cannot be bound. Words give way to codes when the program is compiled; a word of nothing
//! does not compile.
//!
//! Proof: the test below, `tests/plans.rs`; that no statement has a bare code: `proof/tests/tidy`.

use tasker_core::key::{KeyKind, UniqueWhile};
use tasker_core::state::State;
use tasker_core::timer::TimerKind;

/// A text of SQL with the codes of the states, timers and keys that it names.
macro_rules! with_codes {
    ($text:expr) => {{
        const TEXT: &str = $text;
        const BYTES: [u8; crate::code_words::coded_len(TEXT)] = crate::code_words::coded(TEXT);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => TEXT,
        }
    }};
}

pub(crate) use with_codes;

/// How long a text is with codes in the place of words.
pub(crate) const fn coded_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        at += if bytes[at] == b'$' { 1 + word_at(bytes, at + 1).text.len() } else { 1 };
        len += 1;
    }
    len
}

/// The text with codes in the place of words.
pub(crate) const fn coded<const LEN: usize>(text: &str) -> [u8; LEN] {
    let bytes = text.as_bytes();
    let mut out = [0; LEN];
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let word = word_at(bytes, at + 1);
            out[len] = b'0' + word.code;
            at += 1 + word.text.len();
        } else {
            out[len] = bytes[at];
            at += 1;
        }
        len += 1;
    }
    out
}

/// A word, and the one digit of its code.
#[derive(Clone, Copy)]
struct Word {
    text: &'static str,
    code: u8,
}

/// The word that stands here. There is one, or the index leaves the list.
const fn word_at(bytes: &[u8], at: usize) -> Word {
    let mut index = 0;
    while index < State::ALL.len() {
        let (text, code) = (State::ALL[index].as_str(), State::ALL[index].code());
        if is_word_at(bytes, at, text.as_bytes()) {
            return Word { text, code };
        }
        index += 1;
    }
    index = 0;
    while index < KeyKind::ALL.len() {
        let kind = KeyKind::ALL[index];
        if is_word_at(bytes, at, key_word(kind).as_bytes()) {
            return Word { text: key_word(kind), code: kind.code() };
        }
        index += 1;
    }
    index = 0;
    while !is_word_at(bytes, at, timer_word(TimerKind::ALL[index]).as_bytes()) {
        index += 1;
    }
    let kind = TimerKind::ALL[index];
    Word { text: timer_word(kind), code: kind.code() }
}

const fn timer_word(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::Due => "due_timer",
        TimerKind::QueueTimeout => "queue_timeout_timer",
        TimerKind::Purge => "purge_timer",
        TimerKind::Unblock => "unblock_timer",
        TimerKind::Hold => "hold_timer",
        TimerKind::Schedule => "schedule_timer",
        TimerKind::Gate => "gate_timer",
    }
}

const fn key_word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Idempotency => "idempotency_key",
        KeyKind::Unique(UniqueWhile::New) => "new_key",
        KeyKind::Unique(UniqueWhile::Unfinished) => "unfinished_key",
        KeyKind::Unique(UniqueWhile::Always) => "always_key",
    }
}

const fn is_word_at(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    let mut index = 0;
    while index < word.len() {
        if at + index >= bytes.len() || bytes[at + index] != word[index] {
            return false;
        }
        index += 1;
    }
    let end = at + word.len();
    end >= bytes.len() || !(bytes[end].is_ascii_alphanumeric() || bytes[end] == b'_')
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_give_way_to_codes() {
        const TEXT: &str = with_codes!("state IN ($ready, $running) AND x = :x OR state = $done");
        assert_eq!(TEXT, "state IN (6, 5) AND x = :x OR state = 7");
        assert_eq!(with_codes!("kind = $due_timer"), "kind = 1");
        assert_eq!(with_codes!("kind = $unblock_timer"), "kind = 2");
        assert_eq!(with_codes!("holds <> $idempotency_key"), "holds <> 0");
        assert_eq!(with_codes!(""), "");
    }
}
