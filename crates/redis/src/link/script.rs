//! A script in Lua, which the server keeps by its hash.
//!
//! Proof: `tests/link/calls.rs`.

use std::fmt;
use std::sync::OnceLock;

use redis::Cmd;

/// A script with a name for messages.
///
/// Before its first write it may return `redis.error_reply('CORRUPT …')`, which becomes `Corrupt`:
/// nothing was executed. Every other error of its own is a bug, and nobody knows what it wrote.
pub struct Script {
    name: &'static str,
    text: &'static str,
    hash: OnceLock<String>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the script {}", self.name)
    }
}

impl Script {
    /// A script of this text.
    pub const fn new(name: &'static str, text: &'static str) -> Script {
        debug_assert!(!name.is_empty(), "a message could not name it");
        Script { name, text, hash: OnceLock::new() }
    }

    /// What messages call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The command that runs it, if the server knows it.
    pub(crate) fn by_hash(&self, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
        let hash = || redis::Script::new(self.text).get_hash().to_owned();
        command("EVALSHA", self.hash.get_or_init(hash), keys, args)
    }

    /// The command that runs it in any case.
    pub(crate) fn by_text(&self, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
        command("EVAL", self.text, keys, args)
    }
}

fn command(word: &str, what: &str, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
    let mut command = redis::cmd(word);
    command.arg(what).arg(keys.len());
    for value in keys.iter().chain(args) {
        command.arg(value.as_slice());
    }
    command
}
