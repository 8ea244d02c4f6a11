//! A text of JSON becomes YAML in block style.
//!
//! A word that no reader of YAML could take for anything else stands as it is; every other text
//! keeps the quotes of JSON, which YAML reads as well. Numbers stay as they were written.
//!
//! # Promises
//! - What is written says the same as the JSON, to every reader of YAML 1.1 and 1.2.
//! - Depth costs no stack.
//!
//! Proof: the tests below, `__test__/contract/http-formats.test.mjs`.

/// Words that some version of YAML takes for something else than a text.
const TAKEN: [&str; 11] =
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

/// Bytes of a key that needs no mark before it; YAML looks for its colon in 1,024 characters.
const KEY_BYTES_MAX: usize = 1_000;

/// The YAML of a text that is known to be JSON.
pub fn to_yaml(json: &str) -> String {
    let mut writer = Writer {
        rest: json.as_bytes(),
        json,
        out: String::with_capacity(json.len()),
        open: vec![],
    };
    writer.value();
    while !writer.open.is_empty() {
        writer.step();
    }
    writer.out.push('\n');
    writer.out
}

/// An object or an array that is open.
struct Open {
    is_array: bool,
    /// Whether its first entry goes on in the line of a `- `.
    is_inline: bool,
    indent: usize,
}

struct Writer<'a> {
    json: &'a str,
    rest: &'a [u8],
    out: String,
    open: Vec<Open>,
}

impl<'a> Writer<'a> {
    /// Writes the next entry of what is open, or closes it.
    fn step(&mut self) {
        self.skip(b",");
        let Some(open) = self.open.last_mut() else { return };
        if matches!(self.rest.first(), None | Some(b'}' | b']')) {
            self.rest = self.rest.get(1..).unwrap_or_default();
            self.open.pop();
            return;
        }
        if !std::mem::replace(&mut open.is_inline, false) {
            if !self.out.is_empty() {
                self.out.push('\n');
            }
            self.out.extend(std::iter::repeat_n(' ', open.indent));
        }
        if open.is_array {
            self.out.push('-');
        } else {
            let indent = open.indent;
            self.key(indent);
        }
        self.value();
    }

    /// Writes a key and its colon. A long one says that it is one: before it, a reader would look
    /// for its colon in vain.
    fn key(&mut self, indent: usize) {
        let start = self.out.len();
        let key = self.string();
        self.text(key);
        self.skip(b":");
        if self.out.len() - start > KEY_BYTES_MAX {
            self.out.insert_str(start, "? ");
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent));
        }
        self.out.push(':');
    }

    /// Writes a value behind `-` or `:`, or begins one.
    fn value(&mut self) {
        self.skip(b"");
        match self.rest.first() {
            Some(b'"') => {
                let text = self.string();
                self.space();
                self.text(text);
            }
            Some(mark @ (b'{' | b'[')) => self.begin(*mark == b'['),
            _ => {
                let is_end = |byte: &u8| b",]} \n\r\t".contains(byte);
                let length = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
                let word = self.take(length);
                self.space();
                self.out.push_str(word);
            }
        }
    }

    fn begin(&mut self, is_array: bool) {
        self.take(1);
        self.skip(b"");
        if matches!(self.rest.first(), Some(b'}' | b']')) {
            self.take(1);
            self.space();
            self.out.push_str(if is_array { "[]" } else { "{}" });
            return;
        }
        let parent = self.open.last();
        let is_inline = parent.is_some_and(|parent| parent.is_array);
        let indent = parent.map_or(0, |parent| parent.indent + 2);
        if is_inline {
            self.out.push(' ');
        }
        self.open.push(Open { is_array, is_inline, indent });
    }

    /// A space, unless nothing stands before.
    fn space(&mut self) {
        if !self.out.is_empty() {
            self.out.push(' ');
        }
    }

    /// Leaves out white space, and one mark.
    fn skip(&mut self, mark: &[u8]) {
        self.rest = self.rest.trim_ascii_start();
        if let Some(rest) = self.rest.strip_prefix(mark) {
            self.rest = rest.trim_ascii_start();
        }
    }

    /// The next bytes, which end where a character does.
    fn take(&mut self, length: usize) -> &'a str {
        let start = self.json.len() - self.rest.len();
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.json.get(start..start + length).unwrap_or_default()
    }

    /// The next string, with its quotes.
    fn string(&mut self) -> &'a str {
        let (mut length, mut is_escaped) = (1, false);
        for byte in self.rest.iter().skip(1) {
            length += 1;
            match byte {
                b'"' if !is_escaped => break,
                b'\\' => is_escaped = !is_escaped,
                _ => is_escaped = false,
            }
        }
        self.take(length)
    }

    fn text(&mut self, quoted: &str) {
        match quoted.get(1..quoted.len().saturating_sub(1)) {
            Some(word) if is_plain(word) => self.out.push_str(word),
            _ => self.quoted(quoted),
        }
    }

    /// A string of JSON in quotes of YAML: pairs of surrogates become the character that they are,
    /// and what may not stand in YAML is escaped.
    fn quoted(&mut self, quoted: &str) {
        let text = serde_json::from_str::<String>(quoted).unwrap_or_default();
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                c if stands(c) => self.out.push(c),
                _ => self.out.push_str(&format!("\\u{:04x}", u32::from(c))),
            }
        }
        self.out.push('"');
    }
}

/// Whether a character may stand in YAML as it is.
fn stands(c: char) -> bool {
    let is_break = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    !is_break && matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether a word needs no quotes: a letter first, and letters, digits, `_ . / -` after it.
fn is_plain(word: &str) -> bool {
    let mut bytes = word.bytes();
    let is_word = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte));
    is_word && word.len() <= 128 && !TAKEN.iter().any(|taken| word.eq_ignore_ascii_case(taken))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::to_json;
    use super::*;

    #[test]
    fn an_answer_is_written_as_the_samples_are() {
        let json = r#"{"result":{"resources":[{"execId":"a1","params":{"url":"https://x/y",
            "list":[1,[2,{}],[]]},"retryCount":1.50,"ok":true},{}]}}"#;
        let yaml = "result:\n  resources:\n    - execId: a1\n      params:\n        url: \
                    \"https://x/y\"\n        list:\n          - 1\n          - - 2\n            - \
                    {}\n          - []\n      retryCount: 1.50\n      ok: true\n    - {}\n";
        assert_eq!(to_yaml(json), yaml);
    }

    #[test]
    fn a_word_that_means_something_else_keeps_its_quotes() {
        for text in ["null", "No", "y", "1", "2023-05-04", "", "a b", "-", "a: b", "0x1f", "#", "é"]
        {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(to_yaml(&json), format!("{json}\n"));
        }
        assert_eq!(to_yaml(r#""awf.task/poll""#), "awf.task/poll\n");
        assert_eq!(to_yaml("null"), "null\n");
        assert_eq!(to_yaml(r#""\u2028\ud83d\ude00\u0085\"""#), "\"\\u2028😀\\u0085\\\"\"\n");
    }

    #[test]
    fn a_long_key_reads_back_wherever_it_stands() {
        for key in ["a".repeat(5_000), "\u{1f}\u{e9}".repeat(600), "a".repeat(998)] {
            let inner = serde_json::json!({ key.as_str(): [1, { key.as_str(): {} }], "b": null });
            let value = serde_json::json!({ key.as_str(): inner, "list": [inner, [inner]] });
            let yaml = to_yaml(&value.to_string());
            let read = to_json(&yaml, 16).unwrap_or_else(|_| panic!("{yaml}"));
            assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), value, "{yaml}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[-?:#\\[\\]{}&*!|>'\"%@` \na0.~\\\\]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(value in values()) {
            let yaml = to_yaml(&value.to_string());
            let json = to_json(&yaml, 64).map_err(|e| TestCaseError::fail(e.message))?;
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{}", yaml);
        }
    }
}
