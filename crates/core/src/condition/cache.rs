//! Conditions that were read before, by their text.
//!
//! A program that adds many tasks says the same of many of them: each thread keeps what it has read
//! last. It is all the same whether something is here.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::{Conditions, read};
use crate::error::Result;

/// How many texts a thread keeps.
const TEXTS_MAX: usize = 1_024;
/// How many bytes these have.
const BYTES_MAX: usize = 1024 * 1024;

#[derive(Default)]
struct Cache {
    read: FxHashMap<Box<str>, Conditions>,
    bytes: usize,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Reads a list of conditions that stands at `path`.
pub(super) fn read(text: &str, path: &str) -> Result<Conditions> {
    if let Some(known) = CACHE.with_borrow(|cache| cache.read.get(text).cloned()) {
        return Ok(known);
    }
    let conditions = Conditions::of(read::all(text, path)?);
    CACHE.with_borrow_mut(|cache| cache.keep(text, &conditions));
    Ok(conditions)
}

impl Cache {
    /// Keeps what was read; forgets everything if there is no room beside it.
    fn keep(&mut self, text: &str, conditions: &Conditions) {
        if self.read.len() == TEXTS_MAX || self.bytes + text.len() > BYTES_MAX {
            (self.read, self.bytes) = Default::default();
        }
        self.bytes += text.len();
        self.read.insert(text.into(), conditions.clone());
    }
}
