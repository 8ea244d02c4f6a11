//! Bodies of requests against any text: what is read as YAML, and what is written as YAML.
//!
//! # Promises
//! - Whatever the text, reading ends with JSON or a refusal, and is as deep as may be (I-17).
//! - What is written as YAML reads back as it was.
//! - JSON that is read as YAML means what it means as JSON.
//!
//! Run by `.ci/run`; a crash leaves its input as a file, which the same program repeats.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Value, from_str};
use tasker_core::json::is_deeper;
use tasker_http::yaml::{to_json, to_yaml};

const DEPTH_MAX: usize = 64;

fuzz_target!(|text: &str| {
    let as_yaml = to_json(text, DEPTH_MAX).ok();
    if let Some(json) = &as_yaml {
        assert!(!is_deeper(json, DEPTH_MAX), "{json}");
        assert!(from_str::<IgnoredAny>(json).is_ok(), "no JSON: {json}");
        round_trip(json);
    }
    let Some(json) = value(text) else { return };
    if !is_deeper(text, DEPTH_MAX) {
        round_trip(text);
    }
    if let Some(read) = as_yaml.as_deref().and_then(value) {
        assert_eq!(read, json, "{text}");
    }
});

/// What a text of JSON means; nothing if a number of it is larger than a machine's.
fn value(text: &str) -> Option<Value> {
    from_str(text).ok()
}

fn round_trip(json: &str) {
    let yaml = to_yaml(json);
    let read = to_json(&yaml, DEPTH_MAX).unwrap_or_else(|_| panic!("{json} wrote {yaml}"));
    assert_eq!(value(&read), value(json), "{json} wrote {yaml}");
}
