//! What a user gives for `unique`.
//!
//! Proof: the tests below, `__test__/contract/unique.test.mjs`.

use crate::argument;
use crate::error::{Code, Error, Result};
use crate::key::{OnConflict, Unique, UniqueWhile};
use crate::limits;
use crate::members::Members;

/// Reads what a user gives for `unique`.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the member.
pub fn read(text: &str, path: &str) -> Result<Unique> {
    let mut members = Members::read(text, path, "must be { key, while, ttl, onConflict }")?;
    let key = members.required("key", key)?;
    let hold = members
        .optional("while", |text, path| argument::word(text, path, UniqueWhile::WORDS))?
        .unwrap_or_default();
    let ttl_ms = members.optional("ttl", argument::duration)?;
    let on_conflict = members
        .optional("onConflict", |text, path| argument::word(text, path, OnConflict::WORDS))?
        .unwrap_or_default();
    members.end("key, while, ttl, onConflict")?;
    Ok(Unique { key, hold, ttl_ms, on_conflict })
}

fn key(text: &str, path: &str) -> Result<Box<str>> {
    let wrong = || Error::invalid(path, "must be a string that is not empty and whole Unicode");
    let key = argument::as_text(text).filter(|key| !key.is_empty()).ok_or_else(wrong)?;
    if key.len() > limits::UNIQUE_KEY_BYTES_MAX {
        let max = limits::UNIQUE_KEY_BYTES_MAX;
        let text = format!("is longer than {max} bytes; a digest of it is not");
        return Err(Error::at(Code::TooLarge, path, text));
    }
    Ok(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_and_what_is_not_said_holds_by_default() {
        for (given, written) in [
            (r#"{"key":"a"}"#, r#"{"key":"a","while":"unfinished","onConflict":"return"}"#),
            (
                r#"{"onConflict":"replace","ttl":"2s","while":"new","key":"é\"\n"}"#,
                r#"{"key":"é\"\n","while":"new","ttl":2000,"onConflict":"replace"}"#,
            ),
        ] {
            let unique = read(given, "unique").unwrap();
            assert_eq!(unique.to_json(), written);
            assert_eq!(read(written, "unique").unwrap(), unique);
        }
    }

    #[test]
    fn every_wrong_member_is_named() {
        let long = format!(r#"{{"key":"{}"}}"#, "é".repeat(128));
        for (text, path, code) in [
            ("7", "unique", Code::Invalid),
            (r#""a""#, "unique", Code::Invalid),
            ("{}", "unique.key", Code::Invalid),
            (r#"{"key":""}"#, "unique.key", Code::Invalid),
            (r#"{"key":7}"#, "unique.key", Code::Invalid),
            (r#"{"key":"\ud800"}"#, "unique.key", Code::Invalid),
            (long.as_str(), "unique.key", Code::TooLarge),
            (r#"{"key":"a","while":"running"}"#, "unique.while", Code::Invalid),
            (r#"{"key":"a","ttl":0}"#, "unique.ttl", Code::Invalid),
            (r#"{"key":"a","ttl":false}"#, "unique.ttl", Code::Invalid),
            (r#"{"key":"a","onConflict":"throw"}"#, "unique.onConflict", Code::Invalid),
            (r#"{"key":"a","scope":"all"}"#, "unique.scope", Code::Invalid),
        ] {
            let error = read(text, "unique").unwrap_err();
            assert_eq!((error.code(), error.facts().path.as_deref()), (code, Some(path)), "{text}");
        }
        assert!(read(&format!(r#"{{"key":"{}"}}"#, "x".repeat(255)), "unique").is_ok());
        assert!(read(&format!(r#"{{"key":"{}"}}"#, "x".repeat(256)), "unique").is_err());
    }
}
