//! From the text of a query to its tree, with the path of every fault.

use std::fmt::Display;

use super::field::{Field, Fields};
use super::path::Path;
use super::value::{Object, Value};
use super::{Node, Predicate, Query, Test};
use crate::error::{Code, Error, Result};
use crate::limits::{QUERY_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_IN_MAX, QUERY_NODES_MAX};
use crate::time::DATE_MS_MAX;

/// The name that makes an object of one member a date.
const DATE_KEY: &str = "$date";
/// What may be asked of a field, besides `$not`.
const OPERATORS: &[&str] = &["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"];

/// Compiles a query.
pub(super) fn query(text: &str) -> Result<Query> {
    check_size(text)?;
    let value = Value::from_json(text).map_err(|error| fault("query", error.message()))?;
    let mut parser = Parser { nodes: 0, fields: Fields::default() };
    let all = parser.part(&value, &Place { path: "query".into(), level: 1 })?;
    let query = Query { all, fields: parser.fields };
    debug_assert!(
        query.conjuncts().all(|predicate| query.fields.has(predicate.path.field())),
        "a document would lack what the query looks at"
    );
    Ok(query)
}

/// Refuses a text that is too long to be read.
fn check_size(text: &str) -> Result<()> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("is longer than {QUERY_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, "query", message));
    }
    Ok(())
}

/// `InvalidQuery` at `path`.
pub(super) fn fault(path: &str, message: impl Display) -> Error {
    Error::at(Code::InvalidQuery, path, message)
}

/// Where in a query the parser is.
struct Place {
    path: String,
    /// How many objects of fields and operators are around.
    level: usize,
}

impl Place {
    fn key(&self, key: &str) -> Self {
        Self { path: format!("{}.{key}", self.path), level: self.level }
    }

    fn index(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), level: self.level + 1 }
    }

    fn deeper(&self) -> Self {
        Self { path: self.path.clone(), level: self.level + 1 }
    }

    fn fault(&self, message: impl Display) -> Error {
        fault(&self.path, message)
    }

    fn check_level(&self) -> Result<()> {
        if self.level > QUERY_DEPTH_MAX {
            return Err(self.fault(format!("a query has at most {QUERY_DEPTH_MAX} levels")));
        }
        Ok(())
    }
}

struct Parser {
    nodes: usize,
    fields: Fields,
}

impl Parser {
    /// An object of fields and logical operators that all have to hold.
    fn part(&mut self, value: &Value, place: &Place) -> Result<Vec<Node>> {
        let Value::Object(members) = value else {
            return Err(place.fault("must be an object of fields and operators"));
        };
        place.check_level()?;
        let mut all = Vec::new();
        for (key, value) in members.iter() {
            let place = place.key(key);
            self.count(&place)?;
            match key {
                "$and" => all.extend(self.parts(value, &place)?.into_iter().flatten()),
                "$or" => all.push(Node::Any(self.parts(value, &place)?)),
                "$nor" => all.push(Node::Nor(self.parts(value, &place)?)),
                _ if key.starts_with('$') => return Err(unknown_logic(key, &place)),
                _ => all.extend(self.field(key, value, &place)?),
            }
        }
        Ok(all)
    }

    /// The operands of a logical operator.
    fn parts(&mut self, value: &Value, place: &Place) -> Result<Vec<Vec<Node>>> {
        let Value::Array(items) = value else {
            return Err(place.fault("must be an array of queries"));
        };
        if items.is_empty() {
            return Err(place.fault("must hold at least one query"));
        }
        let mut parts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.count(place)?;
            parts.push(self.part(item, &place.index(index))?);
        }
        Ok(parts)
    }

    fn field(&mut self, key: &str, value: &Value, place: &Place) -> Result<Vec<Node>> {
        let path = Path::parse(key, &place.path)?;
        self.fields = self.fields.with(path.field());
        if let Some(members) = operators(value) {
            return self.tests(&path, members, &place.deeper());
        }
        let test = Test::Eq(Operand { path: &path, is_plain: true }.read(value, place)?);
        Ok(vec![Node::Test(Predicate { path, test })])
    }

    /// Operators on one path that all have to hold.
    fn tests(&mut self, path: &Path, members: &Object, place: &Place) -> Result<Vec<Node>> {
        place.check_level()?;
        let mut all = Vec::new();
        for (key, value) in members.iter() {
            let place = place.key(key);
            self.count(&place)?;
            all.push(match key {
                "$not" => Node::Not(self.not(path, value, &place)?),
                _ => test(path, key, value, &place)?,
            });
        }
        Ok(all)
    }

    fn not(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Vec<Node>> {
        match operators(value) {
            Some(members) => self.tests(path, members, &place.deeper()),
            None => Err(place.fault("must be an object of operators, such as { $gt: 5 }")),
        }
    }

    fn count(&mut self, place: &Place) -> Result<()> {
        self.nodes += 1;
        if self.nodes > QUERY_NODES_MAX {
            let most = format!("a query has at most {QUERY_NODES_MAX}");
            return Err(place.fault(format!("{most} fields, operators and logical parts")));
        }
        Ok(())
    }
}

/// The members of an object that holds operators; a date is a value.
fn operators(value: &Value) -> Option<&Object> {
    match value {
        Value::Object(members) if members.len() == 1 && members.get(DATE_KEY).is_some() => None,
        Value::Object(members) if members.iter().any(|(key, _)| key.starts_with('$')) => {
            Some(members)
        }
        _ => None,
    }
}

fn test(path: &Path, key: &str, value: &Value, place: &Place) -> Result<Node> {
    let one = || Operand { path, is_plain: false }.read(value, place);
    let test = match key {
        "$eq" => Test::Eq(one()?),
        "$ne" => Test::Ne(one()?),
        "$gt" => Test::Gt(one()?),
        "$gte" => Test::Gte(one()?),
        "$lt" => Test::Lt(one()?),
        "$lte" => Test::Lte(one()?),
        "$in" => Test::In(many(path, value, place)?),
        "$nin" => Test::Nin(many(path, value, place)?),
        "$exists" => match value {
            Value::Bool(flag) => Test::Exists(*flag),
            _ => return Err(place.fault("must be true or false")),
        },
        _ => return Err(unknown_operator(key, place)),
    };
    Ok(Node::Test(Predicate { path: path.clone(), test }))
}

/// The operands of `$in` and `$nin`, sorted, each once.
fn many(path: &Path, value: &Value, place: &Place) -> Result<Vec<Value>> {
    let Value::Array(items) = value else {
        return Err(place.fault("must be an array of values"));
    };
    if items.len() > QUERY_IN_MAX {
        return Err(place.fault(format!("holds at most {QUERY_IN_MAX} values")));
    }
    let operand = Operand { path, is_plain: true };
    let read = |(index, item)| operand.read(item, &place.index(index));
    let mut values = items.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

/// Reads what a value of the document is compared with.
struct Operand<'p> {
    path: &'p Path,
    /// Whether a name that begins with `$` must be a mistake; after `$eq` it is just a name.
    is_plain: bool,
}

impl Operand<'_> {
    fn read(&self, value: &Value, place: &Place) -> Result<Value> {
        let is_priority = self.path.is_field() && self.path.field() == Field::Priority;
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
        if let (1, Some(ms)) = (members.len(), members.get(DATE_KEY)) {
            return date(ms, &place.key(DATE_KEY));
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

fn unknown_logic(key: &str, place: &Place) -> Error {
    if key == "$not" || OPERATORS.contains(&key) {
        return place.fault(format!("{key} belongs to a field, such as {{ seq: {{ {key}: … }} }}"));
    }
    place.fault(format!("{key} is not supported here; $and, $or and $nor are"))
}

fn unknown_operator(key: &str, place: &Place) -> Error {
    if !key.starts_with('$') {
        return place.fault("a name cannot stand beside operators");
    }
    let known = OPERATORS.join(", ");
    place.fault(format!("{key} is not supported here; {known} and $not are"))
}
