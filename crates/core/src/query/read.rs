//! Reads JSON text into a [`Value`].
//!
//! serde_json cannot do it: it refuses `"\ud800"`, which `JSON.stringify` writes for half a
//! surrogate pair, and it stops one level before the depth that tasker stores.
//!
//! # Promises
//! - Recursion ends at [`JSON_DEPTH_MAX`] levels, so no text overflows the stack (I-17).
//! - Any JSON text within that depth is read. Text that is not JSON is an error or some value,
//!   never a panic.
//! - What is not wanted of a text is passed over, at any depth.
//!
//! Proof: the tests below compare it with serde_json.

use std::borrow::Cow;

use super::part::Wanted;
use super::value::{Object, Value};
use crate::error::{Code, Error, Result};
use crate::limits::JSON_DEPTH_MAX;

/// What stands for half a surrogate pair.
const REPLACEMENT: char = '\u{fffd}';

impl Value {
    /// Reads JSON text, at most [`crate::limits::JSON_DEPTH_MAX`] levels deep.
    ///
    /// # Errors
    /// `Invalid` if it is not JSON, `TooLarge` if it is nested too deeply; neither has a path.
    pub fn from_json(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let value = reader.value()?;
        reader.end(value)
    }

    /// Reads of JSON text what is wanted, if that has any of it.
    ///
    /// # Errors
    /// As [`Value::from_json`], as far as it was read.
    pub(crate) fn part_of_json(text: &str, wanted: &Wanted) -> Result<Option<Self>> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let value = reader.part(wanted)?;
        reader.end(value)
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn fault(&self, expected: &str) -> Error {
        Error::new(Code::Invalid, format!("not JSON: expected {expected} at byte {}", self.at))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.byte()
    }

    /// Whether the next byte is `byte`, which is taken then.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Result<Value> {
        match self.peek() {
            Some(b'{') => self.nested(|reader| reader.object(None)),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::String(self.text()?.into())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    /// As [`Wanted::of`] has it.
    fn part(&mut self, wanted: &Wanted) -> Result<Option<Value>> {
        match self.peek() {
            Some(b'[') => self.value().map(Some),
            _ if wanted.is_whole => self.value().map(Some),
            Some(b'{') => self.nested(|reader| reader.object(Some(wanted))).map(Some),
            _ => self.pass().map(|()| None),
        }
    }

    /// Passes over a value.
    fn pass(&mut self) -> Result<()> {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(b'{' | b'[') => (open, self.at) = (open + 1, self.at + 1),
                Some(b'}' | b']') if open > 0 => (open, self.at) = (open - 1, self.at + 1),
                Some(b',' | b':') if open > 0 => self.at += 1,
                Some(b'"') => drop(self.text()?),
                // What is no nested value allocates nothing.
                _ => drop(self.value()?),
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Nothing but white space is left behind what was read.
    fn end<T>(&mut self, read: T) -> Result<T> {
        match self.peek() {
            None => Ok(read),
            Some(_) => Err(self.fault("the end")),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Value>) -> Result<Value> {
        if self.depth == JSON_DEPTH_MAX {
            let message = format!("more than {JSON_DEPTH_MAX} levels of arrays and objects");
            return Err(Error::new(Code::TooLarge, message));
        }
        self.depth += 1;
        self.at += 1; // the bracket
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `]`"));
            }
        }
    }

    /// An object, of which some may be wanted and not all.
    fn object(&mut self, wanted: Option<&Wanted>) -> Result<Value> {
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Object(Object::new(members)));
        }
        loop {
            let name = self.text()?;
            if !self.take(b':') {
                return Err(self.fault("`:`"));
            }
            match wanted.map(|wanted| wanted.below(&name)) {
                None => members.push((name.into(), self.value()?)),
                Some(None) => self.pass()?,
                Some(Some(below)) => match self.part(below)? {
                    Some(part) => members.push((name.into(), part)),
                    // The last of two members with one name counts.
                    None => members.retain(|(other, _): &(Box<str>, _)| **other != *name),
                },
            }
            if self.take(b'}') {
                return Ok(Value::Object(Object::new(members)));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `}`"));
            }
        }
    }

    fn word(&mut self) -> Result<Value> {
        let words =
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        let rest = self.rest();
        let found = words.into_iter().find(|(word, _)| rest.starts_with(word));
        let (word, value) = found.ok_or_else(|| self.fault("a value"))?;
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value> {
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let digits = self.while_part(is_part);
        let number = digits.parse().map_err(|_| self.fault("a number"))?;
        Ok(Value::Number(number))
    }

    /// A string; it is borrowed if nothing in it is escaped.
    fn text(&mut self) -> Result<Cow<'t, str>> {
        if !self.take(b'"') {
            return Err(self.fault("a string"));
        }
        let plain = self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(plain.into());
        }
        let mut text = String::from(plain);
        while self.byte() == Some(b'\\') {
            self.at += 1;
            text.push(self.escape()?);
            text.push_str(self.plain());
        }
        if self.byte() != Some(b'"') {
            return Err(self.fault("the end of a string"));
        }
        self.at += 1;
        Ok(text.into())
    }

    /// Takes the text up to the next quote or backslash.
    fn plain(&mut self) -> &'t str {
        self.while_part(|b| !matches!(b, b'"' | b'\\'))
    }

    /// Takes the bytes for which `is_part` holds; it ends between two characters.
    fn while_part(&mut self, is_part: impl Fn(&u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.as_bytes().iter().position(|b| !is_part(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// What a backslash stands for together with what follows it.
    fn escape(&mut self) -> Result<char> {
        let byte = self.byte();
        self.at += 1;
        match byte {
            Some(b'n') => Ok('\n'),
            Some(b't') => Ok('\t'),
            Some(b'r') => Ok('\r'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(byte @ (b'"' | b'\\' | b'/')) => Ok(char::from(byte)),
            Some(b'u') => self.unicode(),
            _ => Err(self.fault("an escape")),
        }
    }

    /// The character of one `\uXXXX`, or of two that are a surrogate pair.
    fn unicode(&mut self) -> Result<char> {
        let high = self.hex()?;
        let next = self.at;
        if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(REPLACEMENT));
            }
            self.at = next; // the second is a character of its own
        }
        Ok(char::from_u32(high).unwrap_or(REPLACEMENT))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|text| !text.starts_with('+'));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.fault("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(json: &str) -> String {
        match Value::from_json(json).unwrap() {
            Value::String(text) => text.into(),
            other => panic!("{other:?}"),
        }
    }

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn the_deepest_text_that_can_be_stored_is_read() {
        assert!(Value::from_json(&nested(JSON_DEPTH_MAX)).is_ok());
        assert_eq!(
            Value::from_json(&nested(JSON_DEPTH_MAX + 1)).unwrap_err().code(),
            Code::TooLarge
        );
        assert!(Value::from_json(&"{\"a\":".repeat(200_000)).is_err());
        assert!(Value::from_json(&nested(200_000)).is_err());
    }

    #[test]
    fn half_a_surrogate_pair_is_read_as_a_replacement() {
        assert_eq!(text_of(r#""\ud800""#), "\u{fffd}");
        assert_eq!(text_of(r#""a\udc00b""#), "a\u{fffd}b");
        assert_eq!(text_of(r#""\ud800\u0041""#), "\u{fffd}A");
        assert_eq!(text_of(r#""\ud800\ud83d\ude00""#), "\u{fffd}😀");
    }

    #[test]
    fn a_surrogate_pair_is_one_character() {
        assert_eq!(text_of(r#""\ud83d\ude00""#), "😀");
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        let texts = [
            "",
            " ",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{a:1}",
            "nul",
            "1 2",
            "-",
            "1e",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\é\"",
            "]",
            "\"\\u00é\"",
            "undefined",
            "NaN",
            "{\"a\":1,}",
            "[1}",
            "{\"a\":1]",
        ];
        for text in texts {
            assert!(Value::from_json(text).is_err(), "{text}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value as Json;
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            (-1e300..1e300).prop_map(Json::from),
            any::<String>().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
        use serde_json::Value as Json;
        match (ours, theirs) {
            (Value::Null, Json::Null) => true,
            (Value::Bool(a), Json::Bool(b)) => a == b,
            (Value::Number(a), Json::Number(b)) => Some(*a) == b.as_f64(),
            (Value::String(a), Json::String(b)) => a.as_ref() == b,
            (Value::Array(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Object(a), Json::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_wrote(json in json()) {
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                prop_assert!(same(&Value::from_json(&text).unwrap(), &json), "{}", text);
            }
        }

        #[test]
        fn it_never_panics(text in r#"[\[\]{}",:\\u0-9eE+.a-fé -]{0,40}"#) {
            let _ = Value::from_json(&text);
        }
    }
}
