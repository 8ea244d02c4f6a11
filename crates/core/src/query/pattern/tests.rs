//! Patterns beside what V8 says of them; more of it in `__test__/contract/patterns.test.mjs`.

use proptest::prelude::*;

use super::{Flags, Pattern};
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX};

fn compile(source: &str, flags: &str) -> Result<Pattern, String> {
    Pattern::parse(source, Flags::parse(flags)?)
}

fn finds(source: &str, flags: &str, text: &str) -> bool {
    let pattern = compile(source, flags);
    pattern.unwrap_or_else(|fault| panic!("/{source}/{flags} {fault}")).matches(text)
}

#[test]
fn a_pattern_is_found_anywhere_in_a_text() {
    assert!(finds("un", "", "dune") && finds("", "", "") && finds("", "", "x"));
    assert!(finds("^dune$", "", "dune") && !finds("^un", "", "dune"));
    assert!(!finds("un", "", "DUNE") && finds("un", "i", "DUNE"));
    assert!(!finds("a.b", "", "a\nb") && finds("a.b", "s", "a\nb"));
}

#[test]
fn what_is_repeated_may_be_repeated_again() {
    assert!(finds("^(?:a+)?$", "", "") && finds("^(?:a+)?$", "", "aa"));
    assert!(finds("^(?:a{2}){2}$", "", "aaaa") && !finds("^(?:a{2}){2}$", "", "aaa"));
    assert!(finds("^(?:a*)+$", "", "") && finds("^(?:|a)+?$", "", "aa") && finds("^a??$", "", "a"));
    assert!(!finds("[]", "", "a") && finds("^[^]$", "", "\n") && finds("a|b|", "", "c"));
}

#[test]
fn each_of_four_ends_a_line() {
    for end in ['\n', '\r', '\u{2028}', '\u{2029}'] {
        let text = format!("a{end}b{end}c");
        assert!(finds("^b$", "m", &text) && finds("^c", "m", &text) && finds("a$", "m", &text));
        assert!(!finds("^b", "", &text) && !finds("b$", "m", "bc") && !finds("a.b", "m", &text));
        assert!(finds("(?:^b$|x)", "m", &text) && finds("^$", "m", &format!("a{end}{end}b")));
        assert!(!finds("^$", "m", &text));
    }
}

#[test]
fn capitals_are_those_of_ecmascript() {
    assert!(finds("straße", "i", "STRAßE") && !finds("ß", "i", "SS"));
    assert!(!finds("ſ", "i", "s") && finds("ſ", "iu", "s") && finds(r"\w", "iu", "ſ"));
    assert!(finds("µ", "i", "Μ") && finds("[α-ω]", "i", "Σ") && finds("σ", "i", "ς"));
    assert!(!finds("[^a]", "i", "A") && !finds("ẞ", "i", "ß") && finds("ẞ", "iu", "ß"));
    assert!(!finds("𐐨", "i", "𐐀") && finds("𐐨", "iu", "𐐀"));
}

#[test]
fn what_takes_more_than_linear_time_is_refused_with_its_reason() {
    for (source, part) in [
        (r"(a)\1", "referring back"),
        (r"(?<x>a)\k<x>", "referring back"),
        ("a(?=b)", "looking ahead or behind"),
        ("a(?!b)", "looking ahead or behind"),
        ("(?<=a)b", "looking ahead or behind"),
        ("(?<!a)b", "looking ahead or behind"),
    ] {
        for flags in ["", "u"] {
            let fault = compile(source, flags).unwrap_err();
            assert!(fault.contains(part), "{fault}");
        }
    }
}

#[test]
fn flags_without_a_use_are_refused_with_their_reason() {
    for flag in ["g", "y", "d", "v", "x", "I", " ", "é"] {
        let fault = compile("a", flag).unwrap_err();
        assert!(fault.contains(&format!("the flag {flag}:")), "{fault}");
    }
    assert!(compile("a", "ii").unwrap_err().contains("twice"));
    assert!(compile("a", "imsu").is_ok());
}

#[test]
fn a_pattern_is_bounded_in_length_nesting_and_size() {
    let long = |bytes: usize| compile(&"a".repeat(bytes), "");
    assert!(long(PATTERN_BYTES_MAX - 1).is_ok() && long(PATTERN_BYTES_MAX).is_ok());
    assert!(long(PATTERN_BYTES_MAX + 1).unwrap_err().contains("16384 bytes"));
    let deep = |levels: usize| {
        let (open, close) = ("x(?:y|(z".repeat(levels / 2), "+)?)".repeat(levels / 2));
        let (one, end) = if levels % 2 == 1 { ("(?:a|", ")+") } else { ("", "") };
        compile(&format!("{one}{open}{close}{end}"), "")
    };
    assert!(deep(PATTERN_DEPTH_MAX - 1).is_ok() && deep(PATTERN_DEPTH_MAX).is_ok());
    assert!(deep(PATTERN_DEPTH_MAX + 1).unwrap_err().contains("nest at most"));
    assert!(compile(&"(".repeat(PATTERN_BYTES_MAX), "").is_err());
    assert!(
        compile(".{0,255}", "").is_ok() && compile(r"^[\w.+-]{1,64}@[\w.-]{1,253}$", "").is_ok()
    );
    for source in ["(?:a{1000}){1000}", ".{4294967295}", "(((.{9}){99}){99}){99}"] {
        assert!(compile(source, "").unwrap_err().contains("too large"), "{source}");
    }
}

/// A character of several bytes has places inside where `regex` sees no edge of a word.
#[test]
fn no_edge_of_a_word_inside_a_character_hides_a_match() {
    for (source, text) in [(r"(?:\B|[^\d])", "0İ0"), (r"\B|İ0", "0İ0"), (r"(?:|\B)", "_\u{85}A\nB")]
    {
        for flags in ["", "is", "im", "u"] {
            assert!(finds(source, flags, text), "{source} {flags}");
        }
    }
    assert!(!finds(r"\B", "", "0İ0"));
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_a_fault(
        source in r"[a-c0-9^$\\.*+?(){}|<>=!:,\[\]bBdwspuxck-]{0,24}",
        flags in "[imsu]{0,2}",
        text in r"[a-c0-9\n\r -]{0,8}",
    ) {
        if let Ok(pattern) = compile(&source, &flags) {
            let _ = pattern.matches(&text);
        }
    }

    #[test]
    fn a_text_finds_itself(text in any::<String>(), around in any::<String>()) {
        let is_special = |c: char| "^$\\.*+?()[]{}|/".contains(c);
        let escaped = |c: char| if is_special(c) { format!("\\{c}") } else { c.into() };
        let source: String = text.chars().map(escaped).collect();
        for flags in ["", "i", "u", "iu", "ms"] {
            let text = format!("{around}{text}{around}");
            prop_assert!(finds(&source, flags, &text), "{source} {flags}");
        }
    }
}
