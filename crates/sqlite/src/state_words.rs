//! States by name in SQL: `$ready` stands for the code of the state ready.
//!
//! A partial index is used only where its condition stands in the statement word for word, so a
//! code cannot be bound. Words give way to codes when the program is compiled; a word of no state
//! does not compile.
//!
//! Proof: the test below, `tests/plans.rs`; that no statement has a bare code: `proof/tests/tidy`.

use tasker_core::state::State;

/// A text of SQL with the codes of the states that it names.
macro_rules! with_states {
    ($text:expr) => {{
        const TEXT: &str = $text;
        const BYTES: [u8; crate::state_words::len_with_codes(TEXT)] =
            crate::state_words::with_codes(TEXT);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => TEXT,
        }
    }};
}

pub(crate) use with_states;

/// How long a text is with codes in the place of words.
pub(crate) const fn len_with_codes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        at += if bytes[at] == b'$' { 1 + state_at(bytes, at + 1).as_str().len() } else { 1 };
        len += 1;
    }
    len
}

/// The text with codes in the place of words.
pub(crate) const fn with_codes<const LEN: usize>(text: &str) -> [u8; LEN] {
    let bytes = text.as_bytes();
    let mut out = [0; LEN];
    let (mut at, mut len) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'$' {
            let state = state_at(bytes, at + 1);
            out[len] = b'0' + state.code();
            at += 1 + state.as_str().len();
        } else {
            out[len] = bytes[at];
            at += 1;
        }
        len += 1;
    }
    out
}

/// The state that is named here. There is one, or the index leaves the list.
const fn state_at(bytes: &[u8], at: usize) -> State {
    let mut index = 0;
    while !is_word_at(bytes, at, State::ALL[index].as_str().as_bytes()) {
        index += 1;
    }
    State::ALL[index]
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
    end >= bytes.len() || !bytes[end].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_give_way_to_codes() {
        const TEXT: &str = with_states!("state IN ($ready, $running) AND x = :x OR state = $done");
        assert_eq!(TEXT, "state IN (6, 5) AND x = :x OR state = 7");
        assert_eq!(with_states!(""), "");
    }
}
