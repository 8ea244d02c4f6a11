//! What is equal when capitals do not count: ECMAScript's Canonicalize.
//!
//! With the flag `u` it is Unicode's simple case folding. Without it, it is the capital of a
//! character, if that is one UTF-16 unit and does not lead from outside of ASCII into it: `ſ` is no
//! `S`, and `ß`, whose capital is `SS`, has none.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex_syntax::hir::ClassUnicode;

use super::Flags;
use super::class;

/// The set with all that is equal to one of its characters.
pub(super) fn closed(mut set: ClassUnicode, flags: Flags) -> ClassUnicode {
    if !flags.ignores_case {
        return set;
    }
    if flags.is_unicode {
        set.case_fold_simple();
        return set;
    }
    let mut closure = set.clone();
    for equals in capitals().iter().filter(|equals| equals.iter().any(|c| class::has(&set, *c))) {
        for c in equals {
            class::add(&mut closure, &class::one(*c));
        }
    }
    closure
}

/// The characters that have a capital in common, two or more in each list.
fn capitals() -> &'static [Vec<char>] {
    static CAPITALS: OnceLock<Vec<Vec<char>>> = OnceLock::new();
    CAPITALS.get_or_init(|| {
        let mut by_capital: BTreeMap<char, Vec<char>> = BTreeMap::new();
        for c in '\0'..='\u{ffff}' {
            by_capital.entry(capital(c)).or_default().push(c);
        }
        by_capital.into_values().filter(|equals| equals.len() > 1).collect()
    })
}

fn capital(c: char) -> char {
    let mut capitals = c.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) if capital <= '\u{ffff}' && (c.is_ascii() || !capital.is_ascii()) => {
            capital
        }
        _ => c,
    }
}
