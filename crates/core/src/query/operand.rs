//! What the values of a document are compared with: reads the operands of operators.

use super::field::Field;
use super::kind::{Kinds, truncated};
use super::path::Path;
use super::pattern::{Flags, Pattern};
use super::place::Place;
use super::value::{Object, Value};
use super::{Element, Test};
use crate::error::Result;
use crate::limits::QUERY_IN_MAX;
use crate::time::DATE_MS_MAX;

/// The name that makes an object of one member a date.
const DATE_KEY: &str = "$date";

/// The name that makes an object of one member a regular expression.
const PATTERN_KEY: &str = "$regularExpression";

/// The members of an object that holds operators; a date and a regular expression are values.
pub(super) fn operators(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(members) if only(members, DATE_KEY).is_some() => None,
        Value::Object(members) if only(members, PATTERN_KEY).is_some() => None,
        Value::Object(members) if members.iter().any(|(key, _)| key.starts_with('$')) => {
            Some(members)
        }
        _ => None,
    }
}

/// The one member of an object, if that is its name.
fn only<'v>(members: &'v Object, name: &str) -> Option<&'v Value> {
    members.get(name).filter(|_| members.len() == 1)
}

/// What a value that is a regular expression is made of.
pub(super) fn pattern_of(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(members) => only(members, PATTERN_KEY),
        _ => None,
    }
}

/// A regular expression as a value: what [`pattern_of`] has found.
pub(super) fn pattern(given: &Value, place: &Place) -> Result<Pattern> {
    let Value::Object(members) = given else { return Err(place.fault(PATTERN_PARTS)) };
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(place.fault(PATTERN_PARTS)),
    };
    let (source, options) = (text("pattern")?, text("options")?);
    if members.len() != 2 {
        return Err(place.fault(PATTERN_PARTS));
    }
    let flags = Flags::parse(options).map_err(|fault| place.fault(fault))?;
    Pattern::parse(source, flags).map_err(|fault| place.fault(fault))
}

const PATTERN_PARTS: &str = "must be an object of two texts, `pattern` and `options`";

/// `$regex`, with the `$options` that stand beside it.
pub(super) fn regex(value: &Value, options: Option<&Value>, place: &Place) -> Result<Pattern> {
    let options_place = place.sibling("$options");
    let flags = match options {
        None => None,
        Some(Value::String(text)) => {
            Some(Flags::parse(text).map_err(|fault| options_place.fault(fault))?)
        }
        Some(_) => return Err(options_place.fault("must be a text of flags, such as 'i'")),
    };
    match (value, pattern_of(value)) {
        (Value::String(source), _) => {
            let flags = flags.unwrap_or_default();
            Pattern::parse(source, flags).map_err(|fault| place.fault(fault))
        }
        (_, Some(given)) => {
            let pattern = pattern(given, place)?;
            match flags {
                None => Ok(pattern),
                Some(flags) => {
                    pattern.with_flags(flags).map_err(|fault| options_place.fault(fault))
                }
            }
        }
        _ => Err(place.fault("must be a regular expression or its text")),
    }
}

/// Reads what a value of the document is compared with.
pub(super) struct Operand<'p> {
    path: &'p Path,
    /// Whether a name that begins with `$` must be a mistake; after `$eq` it is just a name.
    is_plain: bool,
}

impl<'p> Operand<'p> {
    /// A value without an operator, or one of a list.
    pub(super) fn plain(path: &'p Path) -> Self {
        Self { path, is_plain: true }
    }

    /// A value after an operator that compares.
    pub(super) fn compared(path: &'p Path) -> Self {
        Self { path, is_plain: false }
    }

    pub(super) fn read(&self, value: &Value, place: &Place) -> Result<Value> {
        let is_priority = self.path.whole_field() == Some(Field::Priority);
        match value {
            Value::String(text) if is_priority => Ok(priority(text)),
            Value::Object(members) => self.object(members, place),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let read = items.map(|(index, item)| self.read(item, &place.index(index)));
                read.collect::<Result<_>>().map(Value::Array)
            }
            _ => Ok(value.clone()),
        }
    }

    fn object(&self, members: &Object, place: &Place) -> Result<Value> {
        if let Some(ms) = only(members, DATE_KEY) {
            return date(ms, &place.key(DATE_KEY));
        }
        if only(members, PATTERN_KEY).is_some() {
            let advice = "a regular expression is no value to compare with: it stands as the \
                          value of a field, in $in, $nin, $all, $not or $regex";
            return Err(place.fault(advice));
        }
        let mut read = Vec::with_capacity(members.len());
        for (name, value) in members.iter() {
            let place = place.key(name);
            if self.is_plain && name.starts_with('$') {
                let advice = "an operator cannot stand inside a value: write the path as one name, \
                              such as 'data.book'; for a value with this name use $eq";
                return Err(place.fault(advice));
            }
            read.push((name.into(), self.read(value, &place)?));
        }
        Ok(Value::Object(Object::new(read)))
    }
}

/// Priorities may be infinite, which JSON cannot say.
fn priority(text: &str) -> Value {
    match text {
        "Infinity" => Value::Number(f64::INFINITY),
        "-Infinity" => Value::Number(f64::NEG_INFINITY),
        _ => Value::text(text),
    }
}

fn date(ms: &Value, place: &Place) -> Result<Value> {
    match ms {
        Value::Number(ms) if ms.fract() == 0.0 && ms.abs() <= DATE_MS_MAX => {
            Ok(Value::Date(*ms as i64))
        }
        _ => Err(place.fault("is not a valid date: must be whole milliseconds")),
    }
}

/// The items of a list of operands: of `$in`, `$nin` or `$all`.
pub(super) fn list<'v>(value: &'v Value, place: &Place) -> Result<&'v [Value]> {
    let Value::Array(items) = value else {
        return Err(place.fault("must be an array of values"));
    };
    if items.len() > QUERY_IN_MAX {
        return Err(place.fault(format!("holds at most {QUERY_IN_MAX} values")));
    }
    Ok(items)
}

/// The operand of `$exists`.
pub(super) fn exists(value: &Value, place: &Place) -> Result<Test> {
    match value {
        Value::Bool(flag) => Ok(Test::Exists(*flag)),
        _ => Err(place.fault("must be true or false")),
    }
}

/// The operand of `$size`.
pub(super) fn size(value: &Value, place: &Place) -> Result<Test> {
    match value {
        Value::Number(size) if *size >= 0.0 && size.fract() == 0.0 && *size <= u32::MAX.into() => {
            Ok(Test::Size(*size as usize))
        }
        _ => Err(place.fault("must be a number of members: 0, 1, 2, …")),
    }
}

/// The operand of `$mod`. Fractions are cut off, as MongoDB does.
pub(super) fn modulo(value: &Value, place: &Place) -> Result<Test> {
    let Value::Array(items) = value else { return Err(place.fault(PAIR)) };
    let [divisor, remainder] = items.as_slice() else { return Err(place.fault(PAIR)) };
    let divisor = whole(divisor, &place.index(0))?;
    if divisor == 0 {
        return Err(place.index(0).fault("cannot divide by 0"));
    }
    Ok(Test::Mod { divisor, remainder: whole(remainder, &place.index(1))? })
}

const PAIR: &str = "must be an array of two numbers: [divisor, remainder]";

fn whole(value: &Value, place: &Place) -> Result<i64> {
    match value {
        Value::Number(number) => {
            truncated(*number).ok_or_else(|| place.fault("must be a number of at most 64 bits"))
        }
        _ => Err(place.fault("must be a number")),
    }
}

/// The operand of `$type`: a name, a number, or a list of them.
pub(super) fn types(value: &Value, place: &Place) -> Result<Test> {
    let Value::Array(items) = value else { return kinds(value, place).map(Test::Type) };
    if items.len() > QUERY_IN_MAX {
        return Err(place.fault(format!("holds at most {QUERY_IN_MAX} values")));
    }
    let items = items.iter().enumerate().map(|(index, item)| kinds(item, &place.index(index)));
    let all = items.reduce(|a, b| Ok(a?.and(b?)));
    all.unwrap_or_else(|| Err(place.fault("must name at least one type"))).map(Test::Type)
}

fn kinds(value: &Value, place: &Place) -> Result<Kinds> {
    let unknown = || {
        let known = Kinds::known();
        place.fault(format!("is not a type that a value of a task can have; those are {known}"))
    };
    Kinds::named(value).ok_or_else(unknown)
}

/// Whether `$elemMatch` asks for what is in a member, not for the member itself: an object of
/// paths, as a query is.
pub(super) fn is_query(members: &Object) -> bool {
    members.iter().all(|(key, _)| !key.starts_with('$') || matches!(key, "$and" | "$or" | "$nor"))
}

impl Element {
    pub(super) fn inside(all: Vec<super::Node>) -> Self {
        Self { is_inside: true, all }
    }

    pub(super) fn itself(all: Vec<super::Node>) -> Self {
        Self { is_inside: false, all }
    }
}
