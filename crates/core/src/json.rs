//! JSON text that is carried, not read.
//!
//! `data`, results and errors cross tasker as text and come back byte for byte. All that is ever
//! asked of them before they are stored is how large and how deep they are.
//!
//! # Promises
//! - A text is checked in one pass without recursion, so depth cannot overflow the stack (I-17).
//!
//! - A text that comes from a file is known to be JSON before it is carried on: damage in it cannot
//!   break the text around it (F-14).
//!
//! # Left to others
//! Whether a new text is JSON: `JSON.stringify` or serde's `RawValue` made it. Reading values for a
//! query is `query::Value`'s work.
//!
//! Proof: the tests below.

use serde::de::IgnoredAny;

use crate::error::{Code, Error, Result};
use crate::limits::JSON_DEPTH_MAX;

/// Checks the size and the depth of a text that is known to be JSON, before anything is stored.
///
/// # Errors
/// [`Code::TooLarge`] at `path` if it has more than `bytes_max` bytes or more than
/// [`JSON_DEPTH_MAX`] levels.
pub fn check(text: &str, bytes_max: usize, path: &str) -> Result<()> {
    if text.len() > bytes_max {
        let message = format!("is {} bytes of JSON; at most {bytes_max} are allowed", text.len());
        return Err(Error::at(Code::TooLarge, path, message));
    }
    if is_deeper(text, JSON_DEPTH_MAX) {
        let message = format!("has more than {JSON_DEPTH_MAX} levels of arrays and objects");
        return Err(Error::at(Code::TooLarge, path, message));
    }
    Ok(())
}

/// Whether arrays and objects nest more than `depth_max` levels, in a text that is JSON.
pub fn is_deeper(text: &str, depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' if depth == depth_max => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

/// Whether a stored text is one JSON value. Reads past it without recursion; of what
/// `JSON.stringify` writes nothing is refused, not even half a surrogate pair.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[done..at]);
        write_escape(byte, out);
        done = at + 1;
    }
    out.push_str(&text[done..]);
    out.push('"');
}

fn write_escape(byte: u8, out: &mut String) {
    match byte {
        b'\n' => out.push_str("\\n"),
        b'\t' => out.push_str("\\t"),
        b'\r' => out.push_str("\\r"),
        b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
        _ => out.push_str(&format!("\\u{byte:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn the_deepest_text_that_is_allowed_passes_and_one_level_more_does_not() {
        assert!(check(&nested(JSON_DEPTH_MAX), 1_000, "data").is_ok());
        let error = check(&nested(JSON_DEPTH_MAX + 1), 1_000, "data").unwrap_err();
        assert_eq!((error.code(), error.facts().path.as_deref()), (Code::TooLarge, Some("data")));
    }

    #[test]
    fn two_hundred_thousand_levels_are_refused_without_recursion() {
        let objects = "{\"a\":".repeat(200_000);
        for text in [nested(200_000), "[".repeat(200_000), objects] {
            assert_eq!(check(&text, usize::MAX, "data").unwrap_err().code(), Code::TooLarge);
        }
    }

    #[test]
    fn the_largest_text_that_is_allowed_passes_and_one_byte_more_does_not() {
        assert!(check("12345", 5, "data").is_ok());
        assert_eq!(check("123456", 5, "data").unwrap_err().code(), Code::TooLarge);
    }

    #[test]
    fn brackets_in_strings_are_not_levels() {
        let text = format!(r#"["\"{}","\\",[]]"#, "[".repeat(1_000));
        assert!(check(&text, usize::MAX, "data").is_ok());
    }

    #[test]
    fn levels_side_by_side_do_not_add_up() {
        assert!(check(&format!("[{}1]", "[],".repeat(1_000)), usize::MAX, "data").is_ok());
    }

    /// F-14
    #[test]
    fn what_is_not_one_json_value_is_seen() {
        let deep = nested(JSON_DEPTH_MAX);
        for text in [r#"{"a":["\ud800",-0.5e-7,1e999,null]}"#, "\"é\"", " 1 ", &deep] {
            assert!(is_json(text), "{text}");
        }
        for text in ["", "\0", "\"a\0b\"", "1]", "1,2", "{\"a\":}", "\"a", "NaN", "tru"] {
            assert!(!is_json(text), "{text:?}");
        }
        assert!(is_json(&nested(200_000)), "without recursion");
    }

    proptest! {
        #[test]
        fn a_written_string_reads_back_as_it_was(text in any::<String>()) {
            let mut out = String::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
