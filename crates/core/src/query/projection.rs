//! Which fields of a task are returned: MongoDB's inclusion.
//!
//! A path leads through arrays into each object; what is neither an object nor an array on the way
//! is left out. A number in a path is a name, as in MongoDB.
//!
//! # Promises
//! - What is returned of a stored text are its own bytes (F-23).
//! - What is not asked for is not read, as far as its column goes.
//!
//! # Left to others
//! Writing the document around it is [`crate::document`]'s work.
//!
//! Proof: the tests below, `__test__/contract/mingo.test.mjs`.

use super::field::{Field, Fields};
use super::path::Path;
use super::place::fault;
use super::value::Value;
use crate::error::{Code, Error, Result};
use crate::limits::{PROJECTION_FIELDS_MAX, QUERY_BYTES_MAX};

/// The fields to return, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    fields: Fields,
    parts: Vec<(Field, Part)>,
}

/// What is returned of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Of its members these.
    Inside(Vec<(Box<str>, Part)>),
}

impl Projection {
    /// Compiles a projection from its JSON text, `["uuid", "data.book"]`.
    ///
    /// # Errors
    /// `InvalidQuery` with the path of the fault, such as `fields[1]`; `TooLarge` if the text is
    /// longer than a query.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!("is longer than {QUERY_BYTES_MAX} bytes");
            return Err(Error::at(Code::TooLarge, "fields", message));
        }
        let must = "must be an array of paths, such as ['uuid', 'data.book']";
        let Ok(Value::Array(items)) = Value::from_json(text) else {
            return Err(fault("fields", must));
        };
        if items.is_empty() {
            return Err(fault("fields", "must name at least one field"));
        }
        if items.len() > PROJECTION_FIELDS_MAX {
            return Err(fault("fields", format!("has at most {PROJECTION_FIELDS_MAX} paths")));
        }
        let mut projection = Self { fields: Fields::default(), parts: Vec::new() };
        for (index, item) in items.iter().enumerate() {
            let at = format!("fields[{index}]");
            match item {
                Value::String(path) => projection.add(path, &at)?,
                _ => return Err(fault(&at, "must be a path, such as 'data.book'")),
            }
        }
        Ok(projection)
    }

    fn add(&mut self, text: &str, at: &str) -> Result<()> {
        let path = Path::parse(text, at)?;
        let mut names = path.parts();
        let Some(field) = names.next().and_then(Field::from_name) else { return Ok(()) };
        self.fields = self.fields.with(field);
        let names: Vec<&str> = names.collect();
        let is_known = match self.parts.iter_mut().find(|(known, _)| *known == field) {
            Some((_, part)) => part.add(&names),
            None => {
                self.parts.push((field, Part::of(&names)));
                true
            }
        };
        if is_known {
            return Ok(());
        }
        Err(fault(at, format!("`{text}` lies inside of another path, or has one inside of it")))
    }

    /// The fields that are returned, or a part of them.
    pub fn fields(&self) -> Fields {
        self.fields
    }

    /// What is returned of a field, if anything is.
    pub fn part(&self, field: Field) -> Option<&Part> {
        self.parts.iter().find(|(known, _)| *known == field).map(|(_, part)| part)
    }
}

impl Part {
    fn of(names: &[&str]) -> Self {
        match names.split_first() {
            None => Part::Whole,
            Some((name, rest)) => Part::Inside(vec![((*name).into(), Part::of(rest))]),
        }
    }

    /// Adds a path; `false` if it meets another one half way. The same path twice is one.
    fn add(&mut self, names: &[&str]) -> bool {
        match (self, names.split_first()) {
            (Part::Whole, None) => true,
            (Part::Whole, Some(_)) | (Part::Inside(_), None) => false,
            (Part::Inside(members), Some((name, rest))) => {
                match members.iter_mut().find(|(known, _)| known.as_ref() == *name) {
                    Some((_, part)) => part.add(rest),
                    None => {
                        members.push(((*name).into(), Part::of(rest)));
                        true
                    }
                }
            }
        }
    }

    /// Appends what is returned of a JSON text; `false`, and nothing, if that is nothing.
    ///
    /// The text is known to be JSON; of another one it returns some part, and never panics.
    pub fn write(&self, json: &str, out: &mut String) -> bool {
        let json = json.trim_ascii();
        match (self, json.as_bytes().first()) {
            (Part::Whole, _) => out.push_str(json),
            (Part::Inside(members), Some(b'{')) => write_object(members, json, out),
            (Part::Inside(_), Some(b'[')) => self.write_array(json, out),
            _ => return false,
        }
        true
    }

    fn write_array(&self, json: &str, out: &mut String) {
        let mut rest = Items { json, at: 1 };
        let begin = out.len();
        out.push('[');
        while let Some(item) = rest.value() {
            let end = out.len();
            if end > begin + 1 {
                out.push(',');
            }
            if !self.write(item, out) {
                out.truncate(end);
            }
        }
        out.push(']');
    }
}

fn write_object(members: &[(Box<str>, Part)], json: &str, out: &mut String) {
    let mut rest = Items { json, at: 1 };
    let begin = out.len();
    out.push('{');
    while let Some(name) = rest.value() {
        let Some(value) = rest.value() else { break };
        let Some((_, part)) = members.iter().find(|(known, _)| is_name(name, known)) else {
            continue;
        };
        let end = out.len();
        if end > begin + 1 {
            out.push(',');
        }
        out.push_str(name);
        out.push(':');
        if !part.write(value, out) {
            out.truncate(end);
        }
    }
    out.push('}');
}

/// Whether a JSON string is this name.
fn is_name(json: &str, name: &str) -> bool {
    if !json.contains('\\') {
        return json.strip_prefix('"').and_then(|json| json.strip_suffix('"')) == Some(name);
    }
    matches!(Value::from_json(json), Ok(Value::String(text)) if text.as_ref() == name)
}

/// The values of an array, or the names and values of an object, one after the other.
struct Items<'j> {
    json: &'j str,
    at: usize,
}

impl<'j> Items<'j> {
    /// The text of the next value; nothing at the end.
    fn value(&mut self) -> Option<&'j str> {
        let bytes = self.json.as_bytes();
        let is_between = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':');
        while bytes.get(self.at).is_some_and(is_between) {
            self.at += 1;
        }
        let begin = self.at;
        self.at = match bytes.get(begin)? {
            b']' | b'}' => return None,
            b'"' => end_of_string(bytes, begin),
            b'[' | b'{' => end_of_nested(bytes, begin),
            _ => end_of_word(bytes, begin),
        };
        self.json.get(begin..self.at)
    }
}

/// Where a string ends that begins at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => at += 1,
            _ => {}
        }
    }
    at.min(bytes.len())
}

fn end_of_nested(bytes: &[u8], at: usize) -> usize {
    let (mut at, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at) - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_word(bytes: &[u8], at: usize) -> usize {
    let is_end = |b: &u8| matches!(b, b',' | b':' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
    let length = bytes.iter().skip(at).position(is_end);
    length.map_or(bytes.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn projection(paths: &[&str]) -> Projection {
        Projection::parse(&serde_json::to_string(paths).unwrap()).unwrap()
    }

    /// What is returned of these data.
    fn projected(paths: &[&str], data: &str) -> Option<String> {
        let mut out = String::new();
        projection(paths).part(Field::Data).unwrap().write(data, &mut out).then_some(out)
    }

    #[test]
    fn a_path_leads_through_objects_and_arrays() {
        for (paths, data, expected) in [
            (&["data.a"][..], r#"{"a":1,"b":2}"#, Some(r#"{"a":1}"#)),
            (&["data.a"], r#"{"b":2}"#, Some("{}")),
            (&["data.a"], "[]", Some("[]")),
            (&["data.a"], r#"[{"a":1},2,[{"a":3,"b":4}],{}]"#, Some(r#"[{"a":1},[{"a":3}],{}]"#)),
            (&["data.a"], "5", None),
            (&["data.a"], "null", None),
            (&["data.a.b"], r#"{"a":5,"b":1}"#, Some("{}")),
            (&["data.a.b"], r#"{"a":[1,{"b":[{"c":1}]}]}"#, Some(r#"{"a":[{"b":[{"c":1}]}]}"#)),
            (
                &["data.a.b", "data.c", "data.a.d"],
                r#"{"a":{"b":1,"c":2,"d":3},"c":4}"#,
                Some(r#"{"a":{"b":1,"d":3},"c":4}"#),
            ),
            (&["data.0"], "[7,8]", Some("[]")),
            (&["data.0"], r#"{"0":7}"#, Some(r#"{"0":7}"#)),
            (&["data"], "[1, 2]", Some("[1, 2]")),
        ] {
            assert_eq!(projected(paths, data).as_deref(), expected, "{paths:?} of {data}");
        }
    }

    #[test]
    fn what_is_returned_are_the_bytes_that_were_stored() {
        let data = " { \"x\" : [1] , \"a\" : { \"n\": 1.0, \"s\" : \"\\ud800,}\" }\n} ";
        let expected = "{\"a\":{ \"n\": 1.0, \"s\" : \"\\ud800,}\" }}";
        assert_eq!(projected(&["data.a"], data).as_deref(), Some(expected));
        let escaped = r#"{"\u0061":1,"b\"":2}"#;
        assert_eq!(projected(&["data.a"], escaped).as_deref(), Some(r#"{"\u0061":1}"#));
        assert_eq!(projected(&["data.b\""], escaped).as_deref(), Some(r#"{"b\"":2}"#));
    }

    #[test]
    fn it_tells_the_fields_it_takes() {
        let taken = projection(&["uuid", "data.a", "data.b", "uuid"]);
        let names: Vec<&str> = taken.fields().iter().map(Field::as_str).collect();
        assert_eq!(names, ["uuid", "data"]);
        assert_eq!(taken.part(Field::Uuid), Some(&Part::Whole));
        assert_eq!(taken.part(Field::Result), None);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_path() {
        for (text, path) in [
            ("[]", "fields"),
            ("{}", "fields"),
            ("\"uuid\"", "fields"),
            ("[", "fields"),
            (r#"["uuid",1]"#, "fields[1]"),
            (r#"["uuid","dta.book"]"#, "fields[1]"),
            (r#"["logs"]"#, "fields[0]"),
            (r#"[""]"#, "fields[0]"),
            (r#"["data","data.a"]"#, "fields[1]"),
            (r#"["data.a.b","uuid","data.a"]"#, "fields[2]"),
        ] {
            let error = Projection::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidQuery, "{text}");
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn a_projection_has_at_most_so_many_paths_and_bytes() {
        let paths = |count: usize| {
            let paths: Vec<String> = (0..count).map(|n| format!("\"data.f{n}\"")).collect();
            Projection::parse(&format!("[{}]", paths.join(","))).map(|_| ())
        };
        assert!(paths(PROJECTION_FIELDS_MAX - 1).is_ok() && paths(PROJECTION_FIELDS_MAX).is_ok());
        assert_eq!(paths(PROJECTION_FIELDS_MAX + 1).unwrap_err().code(), Code::InvalidQuery);
        let bytes = |count: usize| {
            Projection::parse(&format!("[\"data.{}\"]", "x".repeat(count - 9))).map(|_| ())
        };
        assert!(bytes(QUERY_BYTES_MAX - 1).is_ok() && bytes(QUERY_BYTES_MAX).is_ok());
        assert_eq!(bytes(QUERY_BYTES_MAX + 1).unwrap_err().code(), Code::TooLarge);
    }

    proptest! {
        #[test]
        fn what_is_returned_is_json(data in crate::query::tests::data()) {
            for paths in [&["data.a"][..], &["data.b.a", "data.a.0"], &["data"]] {
                if let Some(json) = projected(paths, &data) {
                    prop_assert!(crate::json::is_json(&json), "{paths:?} of {data}: {json}");
                }
            }
        }

        #[test]
        fn it_never_panics(data in r#"[\[\]{}",:\\a0é -]{0,30}"#) {
            let _ = projected(&["data.a.a", "data.é"], &data);
        }
    }
}
