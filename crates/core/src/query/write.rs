//! Writes a [`Value`] as JSON text, each in one way.
//!
//! # Promises
//! - Values that are equal have the same text, and a text that is read again is the value, but for
//!   dates and infinite numbers, which are written as queries have them.
//!
//! Proof: the tests below.

use std::fmt::Write;

use super::value::{Object, Value};
use crate::json::write_string;

/// Whole numbers below it are written without a fraction or an exponent.
const WHOLE_MAX: f64 = 1e15;

impl Value {
    /// Appends its JSON text.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Number(number) => write_number(*number, out),
            Value::String(text) => write_string(text, out),
            Value::Object(object) => write_object(object, out),
            Value::Array(items) => write_array(items, out),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Date(ms) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{{\"$date\":{ms}}}");
            }
        }
    }

    /// Its JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }
}

fn write_number(number: f64, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match number {
        f64::INFINITY => write!(out, "\"Infinity\""),
        f64::NEG_INFINITY => write!(out, "\"-Infinity\""),
        _ if number.fract() == 0.0 && number.abs() < WHOLE_MAX => write!(out, "{}", number as i64),
        _ => write!(out, "{number:?}"),
    };
}

fn write_object(object: &Object, out: &mut String) {
    out.push('{');
    for (index, (name, value)) in object.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

fn write_array(items: &[Value], out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item.write_json(out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_has_one_text_and_is_read_again() {
        for (texts, expected) in [
            (&["-0", "0", "0.0", "0e9"][..], "0"),
            (&["1e3", "1000.0"], "1000"),
            (&["1e300"], "1e300"),
            (&["0.1", "1e-1"], "0.1"),
            (&["9007199254740993"], "9007199254740992.0"),
            (&[r#"{"b":[null,true],"a":"\u00e9\n"}"#], r#"{"a":"é\n","b":[null,true]}"#),
            (&["[ ]", "[]"], "[]"),
        ] {
            for text in texts {
                let value = Value::from_json(text).unwrap();
                assert_eq!(value.to_json(), expected);
                assert_eq!(Value::from_json(expected).unwrap(), value);
            }
        }
        assert_eq!(Value::Date(-5).to_json(), r#"{"$date":-5}"#);
    }
}
