//! JSON or YAML: what a body is, and what an answer shall be.
//!
//! Proof: `__test__/contract/http-formats.test.mjs`.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use tasker_core::json;

use crate::limits::{BODY_DEPTH_MAX, JSON_BODY_BYTES_MAX, YAML_BODY_BYTES_MAX};
use crate::refusal::{Reason, Refusal};
use crate::yaml;

/// What texts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
}

impl Format {
    /// The header of an answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json; charset=utf-8",
            Format::Yaml => "text/yaml; charset=utf-8",
        }
    }

    /// How long a body may be.
    pub(crate) fn bytes_max(self) -> usize {
        match self {
            Format::Json => JSON_BODY_BYTES_MAX,
            Format::Yaml => YAML_BODY_BYTES_MAX,
        }
    }

    /// What the media type without its parameters names.
    fn of_type(name: &str) -> Option<Self> {
        let (kind, subtype) = name.split_once('/')?;
        let is = |text: &str, other: &str| text.eq_ignore_ascii_case(other);
        if !is(kind, "application") && !is(kind, "text") {
            return None;
        }
        let yaml = ["yaml", "x-yaml", "vnd.yaml"];
        if is(subtype, "json") {
            Some(Format::Json)
        } else if yaml.iter().any(|name| is(subtype, name)) {
            Some(Format::Yaml)
        } else {
            None
        }
    }

    /// What the body of a request is.
    ///
    /// # Errors
    /// `WrongType`: nothing else is read, so that no page can send it without being asked first.
    pub(crate) fn of_body(headers: &HeaderMap) -> Result<Self, Refusal> {
        if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            let message = "a body with a Content-Encoding is not read; send it as it is";
            return Err(Refusal::new(Reason::WrongType, message));
        }
        let mut types = headers.get_all(CONTENT_TYPE).into_iter();
        let given = types.next().and_then(|value| value.to_str().ok());
        let found = given.filter(|_| types.next().is_none()).and_then(Self::of_header);
        found.ok_or_else(|| {
            let message = "Content-Type must be application/json or text/yaml, in UTF-8";
            Refusal::new(Reason::WrongType, message)
        })
    }

    fn of_header(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let format = Self::of_type(parts.next()?)?;
        let is_utf8 = |part: &str| match part.split_once('=') {
            Some((name, set)) if name.trim().eq_ignore_ascii_case("charset") => {
                let set = set.trim().trim_matches('"');
                set.eq_ignore_ascii_case("utf-8") || set.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        };
        parts.all(is_utf8).then_some(format)
    }

    /// What the answer shall be: of what the client accepts the first that we write; what the body
    /// is if it accepts anything.
    pub(crate) fn of_answer(headers: &HeaderMap, body: Option<Self>) -> Self {
        let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let wanted = accepted.flat_map(|value| value.split(',')).filter_map(|part| {
            let mut words = part.split(';').map(str::trim);
            let name = words.next()?;
            let is_refused = words.any(|word| {
                word.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
            });
            Self::of_type(name).filter(|_| !is_refused)
        });
        wanted.into_iter().next().or(body).unwrap_or(Format::Json)
    }

    /// The JSON text of a body.
    ///
    /// # Errors
    /// `Unreadable` if it is not of this format.
    pub(crate) fn read<'a>(self, body: &'a [u8]) -> Result<Cow<'a, str>, Refusal> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Refusal::new(Reason::Unreadable, "the body is not UTF-8"))?;
        // What is JSON is YAML too, but for pairs of surrogates.
        if self == Format::Json || text.trim_ascii_start().starts_with(['{', '[']) {
            let read = read_json(text);
            if self == Format::Json || read.is_ok() {
                return read.map(Cow::Borrowed);
            }
        }
        yaml::to_json(text, BODY_DEPTH_MAX).map(Cow::Owned)
    }

    /// An answer, of its JSON text.
    pub(crate) fn write(self, json: String) -> String {
        match self {
            Format::Json => json,
            Format::Yaml => yaml::to_yaml(&json),
        }
    }
}

fn read_json(text: &str) -> Result<&str, Refusal> {
    let checked = serde_json::from_str::<serde::de::IgnoredAny>(text);
    let refused = |error| format!("the body is no JSON: {error}");
    checked.map_err(|error| Refusal::new(Reason::Unreadable, refused(error)))?;
    if json::is_deeper(text, BODY_DEPTH_MAX) {
        return Err(Refusal::new(Reason::Unreadable, "the body is too deep"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_json_or_yaml_in_utf_8() {
        for (value, expected) in [
            ("application/json", Some(Format::Json)),
            ("Application/JSON; charset=UTF-8", Some(Format::Json)),
            ("text/yaml", Some(Format::Yaml)),
            ("application/x-yaml;charset=\"utf-8\"", Some(Format::Yaml)),
            ("application/yaml; version=1", Some(Format::Yaml)),
            ("application/json; charset=latin1", None),
            ("text/plain", None),
            ("multipart/form-data", None),
            ("application/x-www-form-urlencoded", None),
            ("json", None),
            ("", None),
        ] {
            assert_eq!(Format::of_header(value), expected, "{value}");
        }
    }

    #[test]
    fn an_answer_is_the_first_that_is_accepted_and_else_as_the_body() {
        for (accept, expected) in [
            ("text/yaml", Format::Yaml),
            ("text/html, text/yaml, application/json", Format::Yaml),
            ("text/yaml;q=0, application/json", Format::Json),
            ("application/json;q=0.5", Format::Json),
            ("*/*", Format::Yaml),
            ("text/html", Format::Yaml),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(Format::of_answer(&headers, Some(Format::Yaml)), expected, "{accept}");
        }
        assert_eq!(Format::of_answer(&HeaderMap::new(), None), Format::Json);
    }

    #[test]
    fn json_in_a_body_of_yaml_keeps_its_pairs_of_surrogates() {
        let read = Format::Yaml.read(br#" {"a":"\ud83d\ude00"}"#).unwrap();
        assert_eq!(read, r#" {"a":"\ud83d\ude00"}"#);
        assert_eq!(Format::Yaml.read(b"{a: 1}").unwrap(), r#"{"a":1}"#);
        assert!(Format::Json.read(b"{a: 1}").is_err());
        assert!(Format::Json.read(b"\xff").is_err());
    }
}
