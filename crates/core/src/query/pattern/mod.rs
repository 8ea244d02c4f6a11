//! Regular expressions: patterns are JavaScript's, the search takes linear time.
//!
//! The syntax is read here as ECMAScript says it and handed to the crate `regex` as a pattern of
//! its own that means the same. What `regex` cannot do in linear time, back-references and
//! look-around, is refused; so is what a query has no use for, the flags `g`, `y`, `d` and `v`.
//!
//! # Promises
//! - A search takes time in proportion to the text, whatever the pattern: no pattern hangs a read
//!   (I-17). Length, nesting and compiled size of a pattern are bounded (see [`crate::limits`]).
//! - What it finds is what `RegExp.prototype.test` finds, but for the table in
//!   `docs/guide/queries.md`.
//!
//! Proof: `query::pattern::tests`, `__test__/contract/patterns.test.mjs` beside V8.

mod ast;
mod class;
mod case;
mod lower;
mod syntax;
#[cfg(test)]
mod tests;

use regex::{Regex, RegexBuilder};

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX, PATTERN_SIZE_MAX};

/// A regular expression, compiled.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Box<str>,
    flags: Flags,
    regex: Regex,
}

/// How a pattern is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `i`: capitals do not count.
    ignores_case: bool,
    /// `m`: `^` and `$` hold at each line.
    is_multiline: bool,
    /// `s`: `.` is any character.
    has_dot_all: bool,
    /// `u`: the strict syntax.
    is_unicode: bool,
}

/// Levels of what is handed to `regex`: some for each group.
const NEST_MAX: u32 = 8 * PATTERN_DEPTH_MAX as u32;

/// What is wrong with flags or a pattern, as a sentence without its subject.
pub(super) type Fault = String;

impl Flags {
    /// Reads flags as `RegExp.prototype.flags` writes them.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut flags = Self::default();
        for letter in text.chars() {
            let flag = match letter {
                'i' => &mut flags.ignores_case,
                'm' => &mut flags.is_multiline,
                's' => &mut flags.has_dot_all,
                'u' => &mut flags.is_unicode,
                _ => return Err(unknown_flag(letter)),
            };
            if *flag {
                return Err(format!("has the flag {letter} twice"));
            }
            *flag = true;
        }
        Ok(flags)
    }
}

fn unknown_flag(letter: char) -> Fault {
    let reason = match letter {
        'g' | 'y' => "a query remembers no place of an earlier match",
        'd' => "a query returns no places of a match",
        'v' => "sets of sets are not supported, write the classes apart with the flag u",
        'x' => "JavaScript has no such flag, write the pattern without spaces and comments",
        _ => "there is no such flag",
    };
    format!("cannot have the flag {letter}: {reason}; i, m, s and u are allowed")
}

impl Pattern {
    /// Compiles a pattern of JavaScript.
    pub(super) fn parse(source: &str, flags: Flags) -> Result<Self, Fault> {
        if source.len() > PATTERN_BYTES_MAX {
            return Err(format!("is a pattern of more than {PATTERN_BYTES_MAX} bytes"));
        }
        let ast = syntax::parse(source, flags)?;
        let pattern = lower::pattern(&ast, flags);
        let mut builder = RegexBuilder::new(&pattern);
        builder.size_limit(PATTERN_SIZE_MAX).dfa_size_limit(PATTERN_SIZE_MAX);
        builder.nest_limit(NEST_MAX); // Ours was checked before.
        let regex = builder.build().map_err(|_| "is too large a pattern once it is compiled")?;
        Ok(Self { source: source.into(), flags, regex })
    }

    /// The same pattern with flags that are given beside it; only one place may have flags.
    pub(super) fn with_flags(self, flags: Flags) -> Result<Self, Fault> {
        if self.flags != Flags::default() {
            return Err("stands beside a regular expression that has flags of its own".into());
        }
        Self::parse(&self.source, flags)
    }

    /// Whether it is found anywhere in the text.
    pub(super) fn matches(&self, text: &str) -> bool {
        // Not `is_match`: it may meet a `\B` inside of a character first, and go on behind it, past
        // a match that began before.
        self.regex.find(text).is_some()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.flags == other.flags
    }
}

impl Eq for Pattern {}
