//! Types of values as `$type` names them.
//!
//! Names and numbers are MongoDB's. Documents here are JSON, which has one type of numbers; what is
//! an `int`, a `long` or a `double` is what MongoDB's Extended JSON makes of a number: a whole one
//! is an `int` if it fits 32 bits, else a `long` if it fits 64.
//!
//! Proof: `query::tests`.

use super::value::Value;

macro_rules! kinds {
    ($($name:ident $text:literal $code:literal,)*) => {
        /// A type of values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        enum Kind { $($name,)* }

        impl Kind {
            fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Kind::$name),)* _ => None }
            }

            fn from_code(code: f64) -> Option<Self> {
                [$(($code, Kind::$name),)*].into_iter().find(|(known, _)| *known == code)
                    .map(|(_, kind)| kind)
            }
        }

        /// The names that `$type` takes, besides `number`.
        const NAMES: &[&str] = &[$($text,)*];
    };
}

kinds! {
    Double "double" 1.0,
    String "string" 2.0,
    Object "object" 3.0,
    Array "array" 4.0,
    Bool "bool" 8.0,
    Date "date" 9.0,
    Null "null" 10.0,
    Int "int" 16.0,
    Long "long" 18.0,
}

/// The name of all types of numbers.
const NUMBER: &str = "number";

impl Kind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Null,
            Value::Number(number) => Kind::of_number(*number),
            Value::String(_) => Kind::String,
            Value::Object(_) => Kind::Object,
            Value::Array(_) => Kind::Array,
            Value::Bool(_) => Kind::Bool,
            Value::Date(_) => Kind::Date,
        }
    }

    fn of_number(number: f64) -> Self {
        match whole(number) {
            Some(whole) if i32::try_from(whole).is_ok() => Kind::Int,
            Some(_) => Kind::Long,
            None => Kind::Double,
        }
    }
}

/// A number as a whole one, if it is one of 64 bits.
fn whole(number: f64) -> Option<i64> {
    truncated(number).filter(|_| number.fract() == 0.0)
}

/// A number without its fraction, if that fits 64 bits.
pub(super) fn truncated(number: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0; // 2^63, the first that does not fit
    (-BEYOND..BEYOND).contains(&number).then_some(number as i64)
}

/// A set of types, not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// The types that a name or a number of `$type` means.
    pub(super) fn named(name: &Value) -> Option<Self> {
        match name {
            Value::String(name) if name.as_ref() == NUMBER => {
                Some(Self::one(Kind::Double).and(Self::one(Kind::Int)).and(Self::one(Kind::Long)))
            }
            Value::String(name) => Kind::from_name(name).map(Self::one),
            Value::Number(code) => Kind::from_code(*code).map(Self::one),
            _ => None,
        }
    }

    const fn one(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// The types of both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the value is of one of them.
    pub(super) fn has(self, value: &Value) -> bool {
        self.0 & Self::one(Kind::of(value)).0 != 0
    }

    /// All names, for an error.
    pub(super) fn known() -> String {
        format!("{NUMBER}, {}", NAMES.join(", "))
    }
}
