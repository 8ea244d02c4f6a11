//! What a user gives for `trace`: in which trace a task was added, in the words of the W3C.
//!
//! It is stored as it was given and means nothing to the engine: a runner gets it, to go on with
//! the trace.
//!
//! Proof: the tests below, `__test__/contract/trace.test.mjs`.

use crate::argument;
use crate::error::{Error, Result};
use crate::limits;
use crate::members::Members;
use crate::task::Json;

/// Reads what a user gives for `trace`.
///
/// # Errors
/// `Invalid` or `TooLarge` with the path of the member.
pub fn read(text: &str, path: &str) -> Result<Json> {
    let mut members = Members::read(text, path, "must be { traceparent, tracestate }")?;
    members.required("traceparent", traceparent)?;
    members.optional("tracestate", tracestate)?;
    members.end("traceparent, tracestate")?;
    argument::payload(text, path, limits::TRACE_BYTES_MAX)
}

/// `version-traceid-parentid-flags`, in small hexadecimal digits; a later version may have more.
fn traceparent(text: &str, path: &str) -> Result<()> {
    const LENGTHS: [usize; 4] = [2, 32, 16, 2];
    let given = argument::as_text(text).unwrap_or_default();
    let parts: Vec<&str> = given.split('-').collect();
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |part: &str| part.bytes().any(|b| b != b'0');
    let are_whole = parts.iter().zip(LENGTHS).all(|(part, length)| part.len() == length);
    match *parts.as_slice() {
        [version, trace, parent, _, ref more @ ..]
            if are_whole
                && parts.iter().all(|part| is_hex(part))
                && is_some(trace)
                && is_some(parent)
                && version != "ff"
                && (version != "00" || more.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(Error::invalid(path, "must be a traceparent as W3C Trace Context writes it")),
    }
}

fn tracestate(text: &str, path: &str) -> Result<()> {
    let is_printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
    match argument::as_text(text) {
        Some(state) if is_printable(&state) => Ok(()),
        Some(_) | None => Err(Error::invalid(path, "must be a string of printable ASCII")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_right_is_kept_as_it_was_given() {
        for text in [
            format!(r#"{{"traceparent":"{PARENT}"}}"#),
            format!(r#"{{ "tracestate":"a=1,b=2","traceparent":"{PARENT}" }}"#),
            format!(r#"{{"traceparent":"01{}-more"}}"#, &PARENT[2..]).replace("more", "00"),
        ] {
            assert_eq!(read(&text, "trace").unwrap().as_str(), text);
        }
    }

    #[test]
    fn every_wrong_member_is_named() {
        let long = format!(r#"{{"traceparent":"{PARENT}","tracestate":"{}"}}"#, "x".repeat(600));
        let with = |parent: &str| format!(r#"{{"traceparent":"{parent}"}}"#);
        for (text, path, code) in [
            ("7".into(), "trace", Code::Invalid),
            ("{}".into(), "trace.traceparent", Code::Invalid),
            (with(""), "trace.traceparent", Code::Invalid),
            (with(&PARENT.to_uppercase()), "trace.traceparent", Code::Invalid),
            (
                with(&PARENT.replace("b7ad6b7169203331", "0000000000000000")),
                "trace.traceparent",
                Code::Invalid,
            ),
            (with(&PARENT.replace("00-", "ff-")), "trace.traceparent", Code::Invalid),
            (with(&format!("{PARENT}-00")), "trace.traceparent", Code::Invalid),
            (with(&PARENT[1..]), "trace.traceparent", Code::Invalid),
            (
                format!(r#"{{"traceparent":"{PARENT}","tracestate":7}}"#),
                "trace.tracestate",
                Code::Invalid,
            ),
            (
                format!(r#"{{"traceparent":"{PARENT}","tracestate":"é"}}"#),
                "trace.tracestate",
                Code::Invalid,
            ),
            (
                format!(r#"{{"traceparent":"{PARENT}","baggage":"a"}}"#),
                "trace.baggage",
                Code::Invalid,
            ),
            (long, "trace", Code::TooLarge),
        ] {
            let error = read(&text, "trace").unwrap_err();
            assert_eq!((error.code(), error.facts().path.as_deref()), (code, Some(path)), "{text}");
        }
    }
}
