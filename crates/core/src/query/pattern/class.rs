//! The sets of characters that ECMAScript names.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A set of these ranges.
pub(super) fn of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)))
}

/// A set of one character.
pub(super) fn one(c: char) -> ClassUnicode {
    of(&[(c, c)])
}

/// Adds a set to another.
pub(super) fn add(set: &mut ClassUnicode, other: &ClassUnicode) {
    set.union(other);
}

/// All characters that are not in the set.
pub(super) fn others(mut set: ClassUnicode) -> ClassUnicode {
    set.negate();
    set
}

/// Whether the character is in the set.
pub(super) fn has(set: &ClassUnicode, c: char) -> bool {
    let ranges = set.ranges();
    let after = ranges.partition_point(|range| range.start() <= c);
    after > 0 && ranges[after - 1].end() >= c
}

/// Every character.
pub(super) fn any() -> ClassUnicode {
    of(&[('\0', char::MAX)])
}

/// What ends a line.
pub(super) fn line_ends() -> ClassUnicode {
    of(&[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')])
}

/// `\d`
pub(super) fn digits() -> ClassUnicode {
    of(&[('0', '9')])
}

/// `\w`; with the flags `i` and `u` also what is a letter of it in another case.
pub(super) fn word(has_folded: bool) -> ClassUnicode {
    let mut set = of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]);
    if has_folded {
        add(&mut set, &of(&[('\u{17f}', '\u{17f}'), ('\u{212a}', '\u{212a}')]));
    }
    set
}

/// `\s`
pub(super) fn spaces() -> ClassUnicode {
    of(&[
        ('\t', '\r'),
        (' ', ' '),
        ('\u{a0}', '\u{a0}'),
        ('\u{1680}', '\u{1680}'),
        ('\u{2000}', '\u{200a}'),
        ('\u{2028}', '\u{2029}'),
        ('\u{202f}', '\u{202f}'),
        ('\u{205f}', '\u{205f}'),
        ('\u{3000}', '\u{3000}'),
        ('\u{feff}', '\u{feff}'),
    ])
}

/// `\p{name}`, if there is such a property.
pub(super) fn property(name: &str) -> Option<ClassUnicode> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'=');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None; // Nothing else may become a part of a pattern.
    }
    // `[…]`, for a class of one character is no class otherwise.
    let hir = regex_syntax::parse(&format!(r"[\p{{{name}}}]")).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(Class::Bytes(_))
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => None,
    }
}
