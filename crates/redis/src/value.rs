//! What the server answers, as what it must be.

use redis::Value;
use tasker_core::error::Result;

use crate::bytes::corrupt;

pub(crate) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(all) => Ok(all),
        Value::Nil => Ok(Vec::new()),
        _ => Err(corrupt("an answer that is no list")),
    }
}

pub(crate) fn bytes(value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        _ => Err(corrupt("an answer that is no text")),
    }
}

pub(crate) fn some_bytes(value: Value) -> Result<Vec<u8>> {
    bytes(value)?.ok_or_else(|| corrupt("an answer that is nothing"))
}

/// A list of texts.
pub(crate) fn all_bytes(value: Value) -> Result<Vec<Vec<u8>>> {
    list(value)?.into_iter().map(some_bytes).collect()
}

/// A list of texts, some of which are not there.
pub(crate) fn each_bytes(value: Value) -> Result<Vec<Option<Vec<u8>>>> {
    list(value)?.into_iter().map(bytes).collect()
}

/// The fields of a hash with their values.
pub(crate) fn pairs(value: Value) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut flat = all_bytes(value)?.into_iter();
    let mut pairs = Vec::new();
    while let (Some(field), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((field, value));
    }
    Ok(pairs)
}

pub(crate) fn number(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(corrupt("an answer that is no number")),
    }
}

/// A number in digits.
pub(crate) fn digits(bytes: &[u8]) -> Result<u64> {
    let number = str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| corrupt("a number that is none"))
}
