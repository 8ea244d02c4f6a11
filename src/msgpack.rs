//! MessagePack, for `tasker/concurrency`: a value crosses the border as JSON text, and its bytes
//! beside it.
//!
//! `null`, booleans, integers and texts stand in the JSON as they are. What JSON has no form for is
//! an array that begins with a tag: `["a", …]` an array, `["o", key, value, …]` a map, `["m", key,
//! value, …]` a `Map` (extension 1, with a map in it), `["b", n]` the n-th of the bytes, `["f",
//! text]` a float, `["i", text]` an integer beyond those of JavaScript, `["t", seconds, nanos]` a
//! moment (extension -1).
//!
//! # Promises
//! - What is encoded is encoded in the shortest form, as `@polywrap/msgpack-js` does.
//! - Bytes of strangers make an error, whatever they are; none nests deeper than
//!   [`DEPTH_MAX`] levels.
//!
//! Proof: `__test__/contract/msgpack.test.mjs`.

#![allow(clippy::needless_pass_by_value, reason = "the border hands texts over by value")]

use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;
use rmpv::decode::read_value_ref_with_max_depth;
use rmpv::{Value, ValueRef};
use serde_json::{Value as Json, json};
use tasker_core::error::{Code, Error, Result};

use crate::error;

/// How deep values nest, as those of the npm package do.
const DEPTH_MAX: usize = 100;
/// The greatest integer that JavaScript has exactly, and its opposite the smallest.
const SAFE_MAX: i64 = (1 << 53) - 1;
/// The extension of a `Map`.
const MAP: i8 = 1;
/// The extension of a moment.
const MOMENT: i8 = -1;

/// A value that was decoded.
#[napi(object)]
#[expect(unreachable_pub, reason = "napi wants the fields of an object to be public")]
pub struct DecodedMessagePack {
    /// Its JSON text.
    pub text: String,
    /// The bytes that stand in it.
    pub bytes: Vec<Uint8Array>,
}

/// The bytes of a value; the JSON text of an error if it has none.
#[napi(catch_unwind)]
pub(crate) fn encode_message_pack(
    text: String,
    bytes: Vec<Uint8Array>,
) -> Either<Uint8Array, String> {
    let encoded = serde_json::from_str(&text)
        .map_err(|error| Error::bug(format!("no value to encode: {error}")))
        .and_then(|json| to_value(json, &bytes))
        .and_then(|value| written(&value));
    match encoded {
        Ok(encoded) => Either::A(encoded.into()),
        Err(error) => Either::B(error::text(&error)),
    }
}

/// The value of bytes; the JSON text of an error if they are none.
#[napi(catch_unwind)]
pub(crate) fn decode_message_pack(bytes: Uint8Array) -> Either<DecodedMessagePack, String> {
    let mut found = Vec::new();
    match read(&bytes, DEPTH_MAX, &mut found) {
        Ok(json) => Either::A(DecodedMessagePack { text: json.to_string(), bytes: found }),
        Err(error) => Either::B(error::text(&error)),
    }
}

fn written(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value)
        .map_err(|error| Error::bug(format!("a value cannot be written: {error}")))?;
    Ok(bytes)
}

fn to_value(json: Json, bytes: &[Uint8Array]) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(is) => is.into(),
        Json::String(text) => text.into(),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => number.into(),
            (None, Some(number), _) => number.into(),
            (None, None, number) => number.unwrap_or(f64::NAN).into(),
        },
        Json::Array(parts) => tagged(parts, bytes)?,
        Json::Object(_) => return Err(no_value()),
    })
}

fn tagged(parts: Vec<Json>, bytes: &[Uint8Array]) -> Result<Value> {
    let mut parts = parts.into_iter();
    let tag = parts.next();
    let text = |part: Option<Json>| part.as_ref().and_then(Json::as_str).map(str::to_owned);
    match tag.as_ref().and_then(Json::as_str) {
        Some("a") => {
            Ok(Value::Array(parts.map(|one| to_value(one, bytes)).collect::<Result<_>>()?))
        }
        Some("o") => pairs(parts, bytes),
        Some("m") => Ok(Value::Ext(MAP, written(&pairs(parts, bytes)?)?)),
        Some("b") => {
            let index = parts.next().as_ref().and_then(Json::as_u64);
            let found = index.and_then(|index| bytes.get(index as usize));
            found.map(|found| Value::Binary(found.to_vec())).ok_or_else(no_value)
        }
        Some("f") => {
            let number = text(parts.next()).and_then(|text| text.parse::<f64>().ok());
            number.map(Value::from).ok_or_else(no_value)
        }
        Some("i") => integer(&text(parts.next()).ok_or_else(no_value)?),
        Some("t") => match (parts.next(), parts.next()) {
            (Some(seconds), Some(nanos)) => {
                let parts = seconds.as_i64().zip(nanos.as_u64());
                parts.map(moment).ok_or_else(no_value)
            }
            _ => Err(no_value()),
        },
        _ => Err(no_value()),
    }
}

fn pairs(mut parts: impl Iterator<Item = Json>, bytes: &[Uint8Array]) -> Result<Value> {
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        pairs.push((to_value(key, bytes)?, to_value(value, bytes)?));
    }
    Ok(Value::Map(pairs))
}

/// An integer, given as a text because JavaScript has it as a `BigInt`.
fn integer(text: &str) -> Result<Value> {
    let unsigned = text.parse::<u64>().map(Value::from);
    unsigned.or_else(|_| text.parse::<i64>().map(Value::from)).map_err(|_| {
        Error::at(Code::Invalid, "value", "has an integer that does not fit into 64 bits")
    })
}

/// A moment in the shortest of its three forms.
fn moment((seconds, nanos): (i64, u64)) -> Value {
    let bytes = match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(seconds), _) if nanos == 0 => seconds.to_be_bytes().to_vec(),
        (_, Ok(seconds)) if seconds < 1 << 34 => (nanos << 34 | seconds).to_be_bytes().to_vec(),
        _ => [&(nanos as u32).to_be_bytes()[..], &seconds.to_be_bytes()].concat(),
    };
    Value::Ext(MOMENT, bytes)
}

fn read(bytes: &[u8], depth: usize, found: &mut Vec<Uint8Array>) -> Result<Json> {
    let mut rest = bytes;
    // It counts otherwise; ours is the limit that holds.
    let value = read_value_ref_with_max_depth(&mut rest, 2 * depth + 2)
        .map_err(|error| invalid(format!("is no MessagePack: {error}")))?;
    if !rest.is_empty() {
        return Err(invalid(format!("has {} bytes behind its value", rest.len())));
    }
    to_json(&value, depth, found)
}

fn to_json(value: &ValueRef<'_>, depth: usize, found: &mut Vec<Uint8Array>) -> Result<Json> {
    let below = || depth.checked_sub(1).ok_or_else(|| invalid("nests too deep"));
    Ok(match value {
        ValueRef::Nil => Json::Null,
        ValueRef::Boolean(is) => Json::Bool(*is),
        ValueRef::Integer(number) => match number.as_i64() {
            Some(number) if (-SAFE_MAX..=SAFE_MAX).contains(&number) => json!(number),
            _ => json!(["i", number.to_string()]),
        },
        ValueRef::F32(number) => float(f64::from(*number)),
        ValueRef::F64(number) => float(*number),
        ValueRef::String(text) => {
            text.as_str().map(Json::from).ok_or_else(|| invalid("has a text that is not UTF-8"))?
        }
        ValueRef::Binary(bytes) => {
            found.push(Uint8Array::from(*bytes));
            json!(["b", found.len() - 1])
        }
        ValueRef::Array(all) => {
            let below = below()?;
            let mut parts = vec![json!("a")];
            for one in all {
                parts.push(to_json(one, below, found)?);
            }
            Json::Array(parts)
        }
        ValueRef::Map(pairs) => {
            let below = below()?;
            let mut parts = vec![json!("o")];
            for (key, value) in pairs {
                parts.push(key_of(key)?);
                parts.push(to_json(value, below, found)?);
            }
            Json::Array(parts)
        }
        ValueRef::Ext(MAP, bytes) => match read(bytes, below()?, found)? {
            Json::Array(mut parts) if parts.first().and_then(Json::as_str) == Some("o") => {
                parts[0] = json!("m");
                Json::Array(parts)
            }
            _ => return Err(invalid("has an extension 1 without a map in it")),
        },
        ValueRef::Ext(MOMENT, bytes) => {
            moment_of(bytes).ok_or_else(|| invalid("has a moment of an unknown form"))?
        }
        ValueRef::Ext(other, _) => {
            return Err(invalid(format!("has an extension {other}, which is unknown")));
        }
    })
}

/// A key of a map: what a member of an object can be called.
fn key_of(key: &ValueRef<'_>) -> Result<Json> {
    match key {
        ValueRef::String(text) if text.as_str().is_some() => Ok(json!(text.as_str())),
        ValueRef::Integer(number) => Ok(json!(number.to_string())),
        ValueRef::String(_)
        | ValueRef::Nil
        | ValueRef::Boolean(_)
        | ValueRef::F32(_)
        | ValueRef::F64(_)
        | ValueRef::Binary(_)
        | ValueRef::Array(_)
        | ValueRef::Map(_)
        | ValueRef::Ext(..) => {
            Err(invalid("has a map with a key that is neither text nor integer"))
        }
    }
}

fn float(number: f64) -> Json {
    serde_json::Number::from_f64(number)
        .map_or_else(|| json!(["f", number.to_string()]), Json::Number)
}

fn moment_of(bytes: &[u8]) -> Option<Json> {
    if let Ok(bytes) = bytes.try_into() {
        return Some(json!(["t", u32::from_be_bytes(bytes), 0]));
    }
    if let Ok(bytes) = bytes.try_into() {
        let both = u64::from_be_bytes(bytes);
        return Some(json!(["t", both & ((1 << 34) - 1), both >> 34]));
    }
    let (nanos, seconds) = bytes.split_at_checked(4)?;
    let nanos = u32::from_be_bytes(nanos.try_into().ok()?);
    Some(json!(["t", i64::from_be_bytes(seconds.try_into().ok()?), nanos]))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::at(Code::Invalid, "bytes", why.into())
}

fn no_value() -> Error {
    Error::bug("the text of a value to encode has another form")
}
