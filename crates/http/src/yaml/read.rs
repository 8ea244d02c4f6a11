//! A body of YAML becomes a text of JSON: the events of a parser, written as they come.
//!
//! Numbers stay as they were written, and what JSON does not know as a number is a text. So
//! `2023-05-04T15:30:43`, `no`, `007`, `0xff` and `.inf` are texts.
//!
//! # Promises
//! - Nothing of YAML that names or repeats another place is read: anchors, aliases, tags, merge
//!   keys, second documents are refused, so a small text cannot grow (A-6).
//! - Depth is bounded, and costs no stack (A-5).
//! - A key stands once in its mapping, and is a text.
//!
//! Proof: the tests below, `__test__/contract/http-attacks.test.mjs`.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use tasker_core::json::write_string;

use crate::refusal::{Reason, Refusal};

/// A mapping or a sequence that is open.
enum Open {
    Sequence { is_empty: bool },
    Mapping { keys: BTreeSet<String>, is_value_next: bool },
}

/// The JSON text of a document of YAML, with so many levels at most.
///
/// # Errors
/// A refusal that says in which line and column.
pub fn to_json(text: &str, depth_max: usize) -> Result<String, Refusal> {
    let mut writer = Writer { out: String::with_capacity(text.len()), open: Vec::new(), depth_max };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            refusal(error.info(), at.line(), at.col())
        })?;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(at("a second document is not read", span));
            }
        }
        writer.event(event).map_err(|what| at(what, span))?;
    }
    if writer.out.is_empty() {
        writer.out.push_str("null");
    }
    Ok(writer.out)
}

fn at(what: &str, span: Span) -> Refusal {
    refusal(what, span.start.line(), span.start.col())
}

fn refusal(what: &str, line: usize, column: usize) -> Refusal {
    let message = format!("the body is no YAML that is read here: {what}, line {line}");
    Refusal::new(Reason::Unreadable, format!("{message}, column {}", column + 1))
}

struct Writer {
    out: String,
    open: Vec<Open>,
    depth_max: usize,
}

type Written = Result<(), &'static str>;

impl Writer {
    fn event(&mut self, event: Event<'_>) -> Written {
        match event {
            Event::Alias(_) => Err("aliases are not read"),
            Event::Scalar(text, style, anchor, tag) => {
                plain(anchor, tag.is_some())?;
                self.scalar(&text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                plain(anchor, tag.is_some())?;
                self.begin('[', Open::Sequence { is_empty: true })
            }
            Event::MappingStart(anchor, tag) => {
                plain(anchor, tag.is_some())?;
                self.begin('{', Open::Mapping { keys: BTreeSet::new(), is_value_next: false })
            }
            Event::SequenceEnd => self.end(']'),
            Event::MappingEnd => self.end('}'),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, mark: char, open: Open) -> Written {
        if self.open.len() >= self.depth_max {
            return Err("it is too deep");
        }
        self.before_value()?;
        self.out.push(mark);
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, mark: char) -> Written {
        self.open.pop();
        self.out.push(mark);
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle) -> Written {
        if let Some(Open::Mapping { keys, is_value_next: is_value_next @ false }) =
            self.open.last_mut()
        {
            if text == "<<" && style == ScalarStyle::Plain {
                return Err("merge keys are not read");
            }
            if !keys.is_empty() {
                self.out.push(',');
            }
            if !keys.insert(text.to_owned()) {
                return Err("a key stands twice");
            }
            *is_value_next = true;
            write_string(text, &mut self.out);
            self.out.push(':');
            return Ok(());
        }
        self.before_value()?;
        match word(text).filter(|_| style == ScalarStyle::Plain) {
            Some(word) => self.out.push_str(word),
            None => write_string(text, &mut self.out),
        }
        Ok(())
    }

    /// What stands before a value, which is no key.
    fn before_value(&mut self) -> Written {
        let is_complete = match self.open.last_mut() {
            None => true,
            Some(Open::Sequence { is_empty }) => {
                let mark = if std::mem::replace(is_empty, false) { "" } else { "," };
                self.out.push_str(mark);
                true
            }
            Some(Open::Mapping { is_value_next, .. }) => std::mem::replace(is_value_next, false),
        };
        if is_complete { Ok(()) } else { Err("a key must be a text") }
    }
}

fn plain(anchor: usize, has_tag: bool) -> Written {
    match (anchor, has_tag) {
        (0, false) => Ok(()),
        (_, true) => Err("tags are not read"),
        (_, false) => Err("anchors are not read"),
    }
}

/// What a plain scalar is in JSON, if it is no text.
pub(crate) fn word(text: &str) -> Option<&str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Some("null"),
        "true" | "True" | "TRUE" => Some("true"),
        "false" | "False" | "FALSE" => Some("false"),
        _ => is_number(text.as_bytes()).then_some(text),
    }
}

/// Whether it is a number in JSON.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+"));
        let exponent = exponent.unwrap_or(&rest[1..]);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use tasker_core::json::is_json;

    use super::*;

    fn json(yaml: &str) -> Value {
        serde_json::from_str(&to_json(yaml, 128).unwrap()).unwrap()
    }

    #[test]
    fn a_sample_of_the_executor_api_is_what_it_means() {
        let yaml = "\nmethod: awf.task/notify\nparams:\n    id: 3abf82be-ec63-4fb4-908a-21d9\n    \
                    execId:   292e9f34\n    notification: awf.task/heartbeat\n    message: \"task \
                    is alive\"\n";
        let expected = serde_json::json!({"method": "awf.task/notify", "params": {
            "id": "3abf82be-ec63-4fb4-908a-21d9", "execId": "292e9f34",
            "notification": "awf.task/heartbeat", "message": "task is alive"}});
        assert_eq!(json(yaml), expected);
        let flow = "method: awf.task/poll\nparams:\n    taskDefinitions: [aidbox.bulk/import]\n";
        assert_eq!(json(flow)["params"]["taskDefinitions"][0], "aidbox.bulk/import");
    }

    #[test]
    fn numbers_stay_as_they_were_written_and_the_rest_is_text() {
        let kept = ["0", "-0", "1.50", "1e400", "-1.5E+3", "12345678901234567890123"];
        for text in kept {
            assert_eq!(to_json(&format!("a: {text}"), 9).unwrap(), format!("{{\"a\":{text}}}"));
        }
        for text in [
            "2023-05-04T15:30:43",
            "2023-05-04",
            "no",
            "yes",
            "on",
            "0o17",
            "007",
            "0xff",
            ".inf",
            "12:30:45",
            "1_000",
            "+1",
            ".5",
            "1.",
            "1e",
            "--1",
            "0b1",
            "NaN",
        ] {
            let expected = format!("{{\"a\":\"{text}\"}}");
            assert_eq!(to_json(&format!("a: {text}"), 9).unwrap(), expected, "{text}");
        }
        assert_eq!(
            json("[~, Null, '', \"1\", 'true', True]").to_string(),
            r#"[null,null,"","1","true",true]"#
        );
        assert_eq!(to_json("", 9).unwrap(), "null");
        assert_eq!(json("a:\nb: |\n  one\n  two\n").to_string(), r#"{"a":null,"b":"one\ntwo\n"}"#);
    }

    #[test]
    fn a_nul_and_half_a_surrogate_pair_do_not_break_out() {
        for text in ["a: \"x\\0y\"", "a: \"\\x00\\\"\"", "\"a\\\"b\": 1", "a: \"\\u0007\""] {
            assert!(is_json(&to_json(text, 9).unwrap()), "{text}");
        }
        assert!(to_json("a: \"\\ud83d\\ude00\"", 9).is_err());
    }

    fn refused(yaml: &str) -> String {
        to_json(yaml, 128).unwrap_err().message
    }

    #[test]
    fn what_names_another_place_is_refused_with_the_line() {
        for (yaml, what) in [
            ("a: &x 1\nb: *x", "anchors are not read, line 1"),
            ("a: *x", "anchor"),
            ("a: 1\nb: !!python/object/apply:os.system ['x']", "tags are not read, line 2"),
            ("a: !own 1", "tags"),
            ("a: 1\n---\nb: 2\n", "a second document is not read, line 2"),
            ("x: {<<: {a: 1}}", "merge keys"),
            ("a: 1\nb: 2\na: 3", "a key stands twice, line 3, column 1"),
            ("? [a]\n: 1", "a key must be a text"),
            ("{{a: 1}: 2}", "a key must be a text"),
            ("a: [1", ""),
            ("a: \"b", ""),
            ("%YAML 1.2\n%FOO", ""),
        ] {
            let message = refused(yaml);
            assert!(message.contains(what), "{yaml}: {message}");
        }
    }

    #[test]
    fn depth_is_bounded_and_costs_no_stack() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(to_json(&nested(128), 128).is_ok());
        assert!(refused(&nested(129)).contains("too deep"));
        for hostile in [
            "[".repeat(200_000),
            "- ".repeat(500_000),
            "? ".repeat(300_000),
            "{a: ".repeat(10_000),
            ": ".repeat(500_000),
            " ".repeat(1_000_000),
        ] {
            let _ = to_json(&hostile, 128);
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_json_whatever_it_was(text in any::<String>()) {
            if let Ok(json) = to_json(&text, 16) {
                prop_assert!(is_json(&json), "{}", json);
            }
        }

        #[test]
        fn what_is_read_of_marks_is_json(text in "[-?:\\[\\]{},#&*!|>'\"%@` \n a0.~]{0,60}") {
            if let Ok(json) = to_json(&text, 16) {
                prop_assert!(is_json(&json), "{}", json);
            }
        }
    }
}
