//! Reads a `retention`, as it is given and as it is stored.
//!
//! # Promises
//! - What is written comes back; anything else is an error with its path.
//!
//! Proof: the tests below, `__test__/contract/bulk.test.mjs`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::argument;
use crate::error::{Error, Result};
use crate::retention::Retention;

impl Retention {
    /// Reads a duration, `false`, or an object with one for each way to end.
    ///
    /// # Errors
    /// `Invalid` with `path`, or one inside of it.
    pub fn read(text: &str, path: &str) -> Result<Self> {
        if !text.trim_start().starts_with('{') {
            return Ok(argument::duration_or_off(text, path)?.map_or(Self::default(), Self::after));
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)
            .map_err(|e| Error::invalid(path, "must be an object").with_source(e))?;
        let mut retention = Self::default();
        for (word, value) in members {
            let path = format!("{path}.{word}");
            let field = match word.as_str() {
                "done" => &mut retention.done_ms,
                "failed" => &mut retention.failed_ms,
                "aborted" => &mut retention.aborted_ms,
                _ => {
                    let text = "is no way to end; there are done, failed, aborted";
                    return Err(Error::invalid(path, text));
                }
            };
            *field = argument::duration_or_off(value.get(), &path)?;
        }
        Ok(retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::state::State;

    fn read(text: &str) -> Retention {
        Retention::read(text, "retention").unwrap()
    }

    #[test]
    fn each_way_to_end_has_its_own_time() {
        let ms = |text| [State::Done, State::Failed, State::Aborted].map(|s| read(text).ms(s));
        assert_eq!(ms("7"), [Some(7); 3]);
        assert_eq!(ms(r#""1s""#), [Some(1_000); 3]);
        assert_eq!(ms("false"), [None; 3]);
        assert_eq!(ms("{}"), [None; 3]);
        assert_eq!(ms(r#"{"done":"1s","failed":false}"#), [Some(1_000), None, None]);
        assert_eq!(ms(r#" {"aborted":9}"#), [None, None, Some(9)]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["7", "false", r#"{"done":7}"#, r#"{"done":7,"failed":1,"aborted":2}"#] {
            assert_eq!(read(text).to_json(), text);
        }
        assert_eq!(read(r#"{"done":7,"failed":7,"aborted":7}"#).to_json(), "7");
        assert_eq!(read("{}").shared(), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, path) in [
            ("0", "retention"),
            ("null", "retention"),
            ("true", "retention"),
            (r#""7""#, "retention"),
            ("[1]", "retention"),
            ("{", "retention"),
            (r#"{"done":0}"#, "retention.done"),
            (r#"{"done":1,"running":1}"#, "retention.running"),
        ] {
            let error = Retention::read(text, "retention").unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{text}");
            assert_eq!(error.facts().path.as_deref(), Some(path), "{text}");
        }
    }
}
