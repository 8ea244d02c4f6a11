//! The settings of an operation in the words of the Task Executor API.
//!
//! Proof: the tests below, `__test__/contract/http.test.mjs`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use tasker_core::error::{Error, Result};

use crate::resource::Object;

/// What is read of the record of an operation.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    options: Options<'a>,
}

/// What is read of what holds for it.
#[derive(Deserialize, Default)]
struct Options<'a> {
    #[serde(borrow, default)]
    concurrency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry: Option<Retry<'a>>,
    #[serde(borrow, default)]
    executor: Option<Executor<'a>>,
}

#[derive(Deserialize)]
struct Retry<'a> {
    #[serde(borrow, default)]
    attempts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    backoff: Option<Backoff<'a>>,
}

#[derive(Deserialize)]
struct Backoff<'a> {
    #[serde(borrow, default)]
    delay: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executor<'a> {
    #[serde(borrow, default)]
    claim_timeout: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lease: Option<&'a RawValue>,
}

/// A limit for each value at a path.
#[derive(Deserialize)]
struct LimitBy<'a> {
    #[serde(borrow)]
    limit: &'a RawValue,
    #[serde(borrow, default)]
    by: Option<&'a RawValue>,
}

/// Appends the settings of one of these operations: what is said of it, nothing of what is not.
///
/// # Errors
/// `Bug` if the records cannot be read.
pub(crate) fn write_settings(records: &str, operation: &str, out: &mut String) -> Result<()> {
    let records: Vec<Record<'_>> = serde_json::from_str(records)
        .map_err(|error| Error::bug(format!("records of operations cannot be read: {error}")))?;
    let found = records.into_iter().find(|record| record.name == operation);
    let Options { concurrency, retry, executor } =
        found.map(|record| record.options).unwrap_or_default();
    let mut settings = Object::begin(out);
    let mut write = |name: &str, value: Option<&RawValue>| {
        value.inspect(|value| settings.json(name, value.get()));
    };
    write("requestedToStartTimeout", executor.as_ref().and_then(|it| it.claim_timeout));
    write("inProgressTimeout", executor.as_ref().and_then(|it| it.lease));
    write("allowedRetryCount", retry.as_ref().and_then(|it| it.attempts));
    write("retryDelay", retry.and_then(|it| it.backoff).and_then(|it| it.delay));
    match concurrency.map(RawValue::get).map(serde_json::from_str::<LimitBy<'_>>) {
        Some(Ok(LimitBy { limit, by })) => {
            write("concurrencyLimit", Some(limit));
            write("concurrencyPath", by);
        }
        Some(Err(_)) => write("concurrencyLimit", concurrency),
        None => {}
    }
    settings.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_operation_has_the_names_of_the_api() {
        let records = r#"[{"name":"b","version":1,"options":{"priority":1}},
            {"name":"a","options":{"executor":{"claimTimeout":10000,"lease":120000},
             "retry":{"attempts":2,"backoff":{"type":"fixed","delay":5}},
             "concurrency":{"limit":4,"by":"data.key"}}},
            {"name":"c","options":{"concurrency":3}}]"#;
        let settings = |name| {
            let mut out = String::new();
            write_settings(records, name, &mut out).unwrap();
            out
        };
        let expected = [
            r#""requestedToStartTimeout":10000,"inProgressTimeout":120000,"#,
            r#""allowedRetryCount":2,"retryDelay":5,"#,
            r#""concurrencyLimit":4,"concurrencyPath":"data.key""#,
        ];
        assert_eq!(settings("a"), format!("{{{}}}", expected.concat()));
        assert_eq!(settings("b"), "{}");
        assert_eq!(settings("c"), r#"{"concurrencyLimit":3}"#);
        assert_eq!(settings("unknown"), "{}");
    }
}
