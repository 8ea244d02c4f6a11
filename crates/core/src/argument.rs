//! What a caller may write for one argument or option: durations, counts, words, payloads.
//!
//! Each reader takes JSON text. What is wrong with it is an error with the path of the argument.
//!
//! Proof: the tests below; `__test__/contract`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};
use crate::json;
use crate::limits;
use crate::task::{Json, Priority};
use crate::time::{DATE_MS_MAX, WallMs};

/// The elements of a JSON array, each as its own text.
///
/// # Errors
/// `Invalid` if it is not an array.
pub fn split<'a>(text: &'a str, path: &str) -> Result<Vec<&'a RawValue>> {
    serde_json::from_str(text).map_err(|e| Error::invalid(path, "must be an array").with_source(e))
}

/// A payload within its limits.
///
/// # Errors
/// `TooLarge` with `path`.
pub fn payload(text: &str, path: &str, bytes_max: usize) -> Result<Json> {
    json::check(text, bytes_max, path)?;
    Ok(Json::trusted(text))
}

/// A priority: a number, or the text of an infinity.
///
/// # Errors
/// `Invalid` for anything else.
pub fn priority(text: &str) -> Result<Priority> {
    let number = match text {
        "\"Infinity\"" => f64::INFINITY,
        "\"-Infinity\"" => f64::NEG_INFINITY,
        _ => serde_json::from_str(text).map_err(|_| {
            Error::invalid("priority", "must be a number; neither a string nor NaN is one")
        })?,
    };
    Priority::new(number)
}

/// The text of a priority, as [`priority`] reads it.
pub fn priority_text(priority: Priority) -> String {
    match priority.get() {
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        number => format!("{number:?}"),
    }
}

/// A duration in milliseconds, or a string such as `'30s'`, `'5m'`, `'2h'`, `'7d'`.
///
/// # Errors
/// `Invalid` with `path` for anything else: zero, a negative one, one above 100 years.
pub fn duration(text: &str, path: &str) -> Result<u64> {
    let wrong = || {
        let text =
            "must be a duration: milliseconds above 0, or a string like '30s' '5m' '2h' '7d'";
        Error::invalid(path, text)
    };
    let ms = match as_text(text) {
        Some(words) => spelled(&words).ok_or_else(wrong)?,
        None => serde_json::from_str::<f64>(text).map_err(|_| wrong())?,
    };
    if !(ms > 0.0 && ms <= limits::DURATION_MS_MAX as f64) {
        return Err(wrong());
    }
    let whole = ms.ceil() as u64;
    debug_assert!((1..=limits::DURATION_MS_MAX).contains(&whole), "{ms} was rounded too far");
    Ok(whole)
}

/// A moment: milliseconds since 1970, as a number or a `Date` has them.
///
/// # Errors
/// `Invalid` with `path` for anything else.
pub fn moment(text: &str, path: &str) -> Result<WallMs> {
    let ms = serde_json::from_str::<f64>(text).ok().filter(|ms| ms.abs() <= DATE_MS_MAX);
    let what = "must be a Date, or milliseconds since 1970; of a text make a new Date(text)";
    let wrong = || Error::invalid(path, what);
    ms.map(|ms| WallMs(ms.ceil() as i64)).ok_or_else(wrong)
}

/// As [`duration`]; `false` means off.
///
/// # Errors
/// As [`duration`].
pub fn duration_or_off(text: &str, path: &str) -> Result<Option<u64>> {
    if text == "false" { Ok(None) } else { duration(text, path).map(Some) }
}

fn spelled(words: &str) -> Option<f64> {
    let split = words.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = words.split_at(split);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        "d" => 86_400e3,
        _ => return None,
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !digits {
        return None;
    }
    number.parse::<f64>().ok().map(|n| n * unit_ms)
}

/// A count from 1 to `max`.
///
/// # Errors
/// `Invalid` with `path` for anything else.
pub fn count(text: &str, path: &str, max: u32) -> Result<u32> {
    debug_assert!(max > 0, "no count would be right for {path}");
    let wrong = || Error::invalid(path, format!("must be a whole number from 1 to {max}"));
    let number: f64 = serde_json::from_str(text).map_err(|_| wrong())?;
    if number.fract() != 0.0 || number < 1.0 || number > f64::from(max) {
        return Err(wrong());
    }
    Ok(number as u32)
}

/// One of a few words.
///
/// # Errors
/// `Invalid` with `path` for anything else.
pub fn word<T: Copy>(text: &str, path: &str, words: &[(&str, T)]) -> Result<T> {
    debug_assert!(!words.is_empty(), "no word would be right for {path}");
    let given = as_text(text);
    let found = words.iter().find(|(word, _)| given.as_deref() == Some(*word));
    found.map(|&(_, value)| value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        Error::invalid(path, format!("must be one of {}", known.join(", ")))
    })
}

/// What a progress report counts.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path `unit`.
pub fn unit(text: &str) -> Result<Box<str>> {
    let unit = as_text(text).ok_or_else(|| Error::invalid("unit", "must be a string"))?;
    if unit.len() > limits::PROGRESS_UNIT_BYTES_MAX {
        let text = format!("is longer than {} bytes", limits::PROGRESS_UNIT_BYTES_MAX);
        return Err(Error::at(Code::TooLarge, "unit", text));
    }
    Ok(unit.into())
}

/// The text of a JSON string.
pub fn as_text(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Key<'_>>(text).ok().map(|key| key.0)
}

/// A key, borrowed where it has no escapes.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::OnStop;

    #[test]
    fn a_wrong_word_is_told_with_those_that_there_are() {
        let error = word(r#""later""#, "onStop", OnStop::WORDS).unwrap_err();
        assert_eq!(error.message(), "onStop: must be one of wait, postpone, abort");
        let known = word(r#""abort""#, "onStop", OnStop::WORDS).unwrap();
        assert_eq!(known, OnStop::Abort);
    }

    #[test]
    fn a_moment_is_what_a_date_can_say() {
        assert_eq!(moment("-1.5", "x").unwrap(), WallMs(-1));
        assert_eq!(moment("8.64e15", "x").unwrap(), WallMs(8_640_000_000_000_000));
        for wrong in ["1e400", "8640000000000001", "null", "\"2030-01-01\"", "true"] {
            assert!(moment(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_milliseconds_or_words() {
        assert_eq!(duration("1500", "x").unwrap(), 1500);
        assert_eq!(duration(r#""1.5s""#, "x").unwrap(), 1500);
        assert_eq!(duration(r#""7d""#, "x").unwrap(), 604_800_000);
        assert_eq!(duration_or_off("false", "x").unwrap(), None);
        assert!(duration("0", "x").is_err());
        assert!(duration("-1", "x").is_err());
    }
}
