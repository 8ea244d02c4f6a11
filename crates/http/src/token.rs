//! Who may do what: tokens, their roles, and how a request shows one.
//!
//! # Promises
//! - A token is kept as its SHA-256 and compared in constant time, with all that there are, so that
//!   how long it takes says nothing.
//! - It is taken from the header `Authorization` alone, never from the URL.
//!
//! Proof: the tests below, `__test__/contract/http-attacks.test.mjs`.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tasker_core::error::{Code, Error, Result};

/// What a token, or a method, is for. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at tasks.
    Read,
    /// Adds tasks and ends them, too.
    Write,
    /// Carries out tasks: every method of the Task Executor API.
    Executor,
    /// Everything.
    Admin,
}

impl Role {
    /// The words of users.
    pub const WORDS: &[(&str, Role)] = &[
        ("read", Role::Read),
        ("write", Role::Write),
        ("executor", Role::Executor),
        ("admin", Role::Admin),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Write => "write",
            Role::Executor => "executor",
            Role::Admin => "admin",
        }
    }

    /// Whether who has this role may do what asks for another one.
    pub(crate) fn may(self, needed: Role) -> bool {
        self >= needed
    }
}

/// The SHA-256 of a token.
type Hash = [u8; 32];

/// Who asks, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// What they are called.
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    /// The operations to which they are confined; all if absent.
    pub(crate) operations: Option<Arc<[Arc<str>]>>,
}

/// A token that a server knows.
pub(crate) struct Token {
    /// Who has it.
    pub(crate) who: Who,
    pub(crate) hash: Hash,
}

/// The tokens of a server.
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        debug_assert!(!tokens.is_empty(), "a server without a token is open to all (A-1)");
        Self(tokens)
    }

    /// Whose token the value of a header `Authorization` shows.
    pub(crate) fn find(&self, authorization: &[u8]) -> Option<&Who> {
        let shown = Shown::read(authorization)?;
        let hash = hash(&shown.token);
        // All are compared, whichever it is.
        let (mut found, mut at) = (Choice::from(0), 0_u64);
        for (n, token) in (0_u64..).zip(&self.0) {
            let is_it = token.hash.ct_eq(&hash);
            at.conditional_assign(&n, is_it);
            found |= is_it;
        }
        let who = &self.0.get(usize::try_from(at).ok()?)?.who;
        let is_named = shown.user.is_none_or(|user| who.name.as_bytes() == user.as_slice());
        (bool::from(found) && is_named).then_some(who)
    }
}

/// What a header shows: a token, and with Basic the name of it.
struct Shown {
    user: Option<Vec<u8>>,
    token: Vec<u8>,
}

impl Shown {
    fn read(authorization: &[u8]) -> Option<Self> {
        let at = authorization.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = authorization.split_at(at);
        let rest = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(Self { user: None, token: rest.to_vec() });
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let pair = base64(rest)?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        let (user, token) = (pair[..colon].to_vec(), pair[colon + 1..].to_vec());
        Some(Self { user: Some(user), token })
    }
}

/// The SHA-256 of a token.
pub(crate) fn hash(token: &[u8]) -> Hash {
    Sha256::digest(token).into()
}

/// A hash as users write it: 64 hexadecimal digits.
pub(crate) fn read_hash(text: &str) -> Option<Hash> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(bytes.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(hash)
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A new token of 192 bits.
///
/// # Errors
/// `Io` if the system has no randomness.
pub(crate) fn new_token() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Code::Io, format!("no randomness for a token: {e}")))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 63)])).collect())
}

/// What a text of base64 says; with or without padding, of either alphabet.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text {
        let value = match letter {
            b'+' => 62,
            b'/' => 63,
            other => LETTERS.iter().position(|known| known == other)?,
        };
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, text: &str| Token {
            who: Who { name: name.into(), role: Role::Read, operations: None },
            hash: hash(text.as_bytes()),
        };
        Tokens::new(vec![token("ann", "first token"), token("bob", "secret")])
    }

    #[test]
    fn a_token_is_found_by_bearer_and_by_basic_with_its_name() {
        for (header, expected) in [
            ("Bearer first token", Some("ann")),
            ("bearer   secret ", Some("bob")),
            ("Basic Ym9iOnNlY3JldA==", Some("bob")),
            ("BASIC Ym9iOnNlY3JldA", Some("bob")),
            // ann:secret
            ("Basic YW5uOnNlY3JldA==", None),
            ("Bearer secre", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("secret", None),
            ("Digest secret", None),
            ("Basic Ym9i", None),
            ("Basic !!!!", None),
            ("", None),
        ] {
            let tokens = tokens();
            let found = tokens.find(header.as_bytes());
            assert_eq!(found.map(|who| &*who.name), expected, "{header}");
        }
    }

    #[test]
    fn base64_is_read_in_both_alphabets_and_nothing_else_is() {
        assert_eq!(base64(b"").unwrap(), b"");
        assert_eq!(base64(b"+/+/").unwrap(), base64(b"-_-_").unwrap());
        assert_eq!(base64(b"YQ").unwrap(), b"a");
        for wrong in [&b"a"[..], b"ab=c", b"a b=", "é===".as_bytes()] {
            assert!(base64(wrong).is_none());
        }
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        let text = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(read_hash(text).unwrap(), hash(b"test"));
        assert_eq!(read_hash(&text.to_uppercase()).unwrap(), hash(b"test"));
        for wrong in ["", &text[1..], &text.replace('9', "g"), &"é".repeat(32)] {
            assert!(read_hash(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_new_token_is_long_and_never_the_same() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }

    #[test]
    fn a_role_may_what_it_is_for() {
        use Role::{Admin, Executor, Read, Write};
        let all = [Read, Write, Executor, Admin];
        let may = |role: Role| all.map(|needed| role.may(needed));
        assert_eq!(may(Read), [true, false, false, false]);
        assert_eq!(may(Write), [true, true, false, false]);
        assert_eq!(may(Executor), [true, true, true, false]);
        assert_eq!(may(Admin), [true; 4]);
    }
}
