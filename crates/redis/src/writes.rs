//! The raw writes of a commit: commands on keys, in an order that matters only within one key.
//!
//! Proof: `conformance::commit`.

use rustc_hash::FxHashMap;

use crate::ask::ARGS_MAX;

/// Commands of which several on one key are the same as one with all their arguments.
const JOINED: [&str; 5] = ["HSET", "HDEL", "ZADD", "ZREM", "RPUSH"];

/// One command.
#[derive(Debug)]
struct Write {
    command: &'static str,
    key: String,
    args: Vec<Vec<u8>>,
}

/// Writes that are being gathered.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    all: Vec<Write>,
    /// The last one of each key.
    last: FxHashMap<String, usize>,
}

impl Writes {
    pub(crate) fn add(&mut self, command: &'static str, key: &str, args: Vec<Vec<u8>>) {
        if let Some(last) = self.last.get(key).and_then(|at| self.all.get_mut(*at))
            && last.command == command
            && JOINED.contains(&command)
            && last.args.len() + args.len() <= ARGS_MAX
        {
            last.args.extend(args);
            return;
        }
        self.last.insert(key.to_owned(), self.all.len());
        self.all.push(Write { command, key: key.to_owned(), args });
    }

    pub(crate) fn set(&mut self, hash: &str, field: &[u8], value: Vec<u8>) {
        self.add("HSET", hash, vec![field.to_vec(), value]);
    }

    pub(crate) fn unset(&mut self, hash: &str, field: &[u8]) {
        self.add("HDEL", hash, vec![field.to_vec()]);
    }

    pub(crate) fn enter(&mut self, set: &str, entry: Vec<u8>) {
        self.add("ZADD", set, vec![b"0".to_vec(), entry]);
    }

    pub(crate) fn leave(&mut self, set: &str, entry: Vec<u8>) {
        self.add("ZREM", set, vec![entry]);
    }

    /// Adds them to the arguments of the script.
    pub(crate) fn put(self, args: &mut Vec<Vec<u8>>) {
        for Write { command, key, args: own } in self.all {
            args.push((own.len() + 1).to_string().into_bytes());
            args.extend([command.into(), key.into()]);
            args.extend(own);
        }
    }
}
