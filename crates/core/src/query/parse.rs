//! From the text of a query to its tree, with the path of every fault.

use super::field::{Field, Fields};
use super::operand::{self, Operand, operators};
use super::path::Path;
use super::place::{Place, fault};
use super::value::{Object, Value};
use super::{Element, Node, Pattern, Predicate, Query, Test};
use crate::error::{Code, Error, Result};
use crate::limits::{QUERY_BYTES_MAX, QUERY_NODES_MAX, QUERY_PATTERNS_MAX};

/// What may be asked of a field, besides `$not`.
pub(super) const OPERATORS: &[&str] = &[
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$exists",
    "$type",
    "$mod",
    "$regex",
    "$size",
    "$all",
    "$elemMatch",
];

/// Which fields a query may look at, where it may not look at all of them.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// These.
    pub fields: Fields,
    /// What is said of these does not count, where it would have to hold for the whole query.
    pub ignored: Fields,
    /// What to say of any other.
    pub advice: &'static str,
}

impl Allowed {
    /// All fields.
    const ALL: Allowed = Allowed { fields: Fields::ALL, ignored: Fields::NONE, advice: "" };
}

/// Compiles a query.
pub(super) fn query(text: &str) -> Result<Query> {
    check_size(text)?;
    let value = Value::from_json(text).map_err(|error| fault("query", error.message()))?;
    of_value(&value, "query", Allowed::ALL)
}

/// Compiles a query that stands at the path `at` and has been read.
pub(super) fn of_value(value: &Value, at: &str, allowed: Allowed) -> Result<Query> {
    let mut parser = Parser { nodes: 0, patterns: 0, fields: Fields::default(), allowed };
    let all = parser.part(value, &Place::query(at))?;
    let query = Query { all, fields: parser.fields };
    let has = |field| query.fields.has(field);
    debug_assert!(
        query.conjuncts().all(|predicate| predicate.path.field().is_some_and(has)),
        "a document would lack what the query looks at"
    );
    Ok(query)
}

/// Compiles a query of any object that stands at the path `at` and has been read.
pub(super) fn of_any(value: &Value, at: &str) -> Result<Query> {
    let (fields, allowed) = (Fields::default(), Allowed::ALL);
    let mut parser = Parser { nodes: 0, patterns: 0, fields, allowed };
    let all = parser.part(value, &Place::query_of_any(at))?;
    Ok(Query { all, fields: parser.fields })
}

/// Refuses a text that is too long to be read.
fn check_size(text: &str) -> Result<()> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("is longer than {QUERY_BYTES_MAX} bytes");
        return Err(Error::at(Code::TooLarge, "query", message));
    }
    Ok(())
}

struct Parser {
    nodes: usize,
    patterns: usize,
    fields: Fields,
    allowed: Allowed,
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
                "$or" => all.push(Node::Any(self.parts(value, &place.alternatives())?)),
                "$nor" => all.push(Node::Nor(self.parts(value, &place.alternatives())?)),
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
        let parse = if place.is_inner { Path::parse_inner } else { Path::parse };
        let path = parse(key, place.path())?;
        let counts = path.field().map_or(Ok(true), |field| self.look_at(field, place))?;
        let all = match operators(value) {
            Some(members) => self.tests(&path, members, &place.deeper())?,
            None => vec![self.plain(&path, value, place)?],
        };
        Ok(if counts { all } else { Vec::new() })
    }

    /// Whether what is said of a field counts.
    fn look_at(&mut self, field: Field, place: &Place) -> Result<bool> {
        if self.allowed.fields.has(field) {
            self.fields = self.fields.with(field);
            return Ok(true);
        }
        if self.allowed.ignored.has(field) && place.is_conjunct {
            return Ok(false);
        }
        Err(place.fault(self.allowed.advice))
    }

    /// A value without an operator: one to be equal to, or a regular expression.
    fn plain(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Node> {
        let test = match operand::pattern_of(value) {
            Some(given) => self.pattern(place, || operand::pattern(given, place))?,
            None => Test::Eq(Operand::plain(path).read(value, place)?),
        };
        Ok(node(path, test))
    }

    /// A regular expression, unless there are too many: each takes time to compile, and memory.
    fn pattern(&mut self, place: &Place, read: impl FnOnce() -> Result<Pattern>) -> Result<Test> {
        self.patterns += 1;
        if self.patterns > QUERY_PATTERNS_MAX {
            let most = format!("a query has at most {QUERY_PATTERNS_MAX} regular expressions");
            return Err(place.fault(most));
        }
        read().map(Test::Matches)
    }

    /// Operators on one path that all have to hold.
    fn tests(&mut self, path: &Path, members: &Object, place: &Place) -> Result<Vec<Node>> {
        place.check_level()?;
        let mut all = Vec::new();
        for (key, value) in members.iter() {
            let place = place.key(key);
            self.count(&place)?;
            match key {
                "$not" => all.push(Node::Not(self.not(path, value, &place)?)),
                "$all" => all.extend(self.every(path, value, &place)?),
                "$elemMatch" => all.push(self.element(path, value, &place)?),
                "$in" => all.push(self.any_of(path, value, &place)?),
                "$nin" => all.push(match self.any_of(path, value, &place)? {
                    Node::Test(Predicate { path, test: Test::In(values) }) => {
                        node(&path, Test::Nin(values))
                    }
                    other => Node::Not(vec![other]),
                }),
                "$regex" => {
                    let options = members.get("$options");
                    let test = self.pattern(&place, || operand::regex(value, options, &place))?;
                    all.push(node(path, test));
                }
                "$options" if members.get("$regex").is_some() => {}
                "$options" => return Err(place.fault("stands beside a $regex")),
                _ => all.push(node(path, test(path, key, value, &place)?)),
            }
        }
        Ok(all)
    }

    /// `$in`: one of its values, or of its regular expressions, matches.
    fn any_of(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Node> {
        let (mut values, mut patterns) = (Vec::new(), Vec::new());
        for (index, item) in operand::list(value, place)?.iter().enumerate() {
            let place = place.index(index);
            match operand::pattern_of(item) {
                Some(given) => {
                    let test = self.pattern(&place, || operand::pattern(given, &place))?;
                    patterns.push(vec![node(path, test)]);
                }
                None => values.push(Operand::plain(path).read(item, &place)?),
            }
        }
        values.sort_unstable();
        values.dedup();
        let values = node(path, Test::In(values));
        if patterns.is_empty() {
            return Ok(values);
        }
        patterns.push(vec![values]);
        Ok(Node::Any(patterns))
    }

    /// `$all`: each of its values, or each of its `$elemMatch`, has to match.
    fn every(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Vec<Node>> {
        let items = operand::list(value, place)?;
        if items.is_empty() {
            return Ok(vec![Node::Any(Vec::new())]); // MongoDB: no document
        }
        let elements = items.iter().filter(|item| element_of(item).is_some()).count();
        if elements != 0 && elements != items.len() {
            return Err(place.fault("holds either values or $elemMatch, not both"));
        }
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = place.index(index);
            self.count(&place)?;
            all.push(match element_of(item) {
                Some(query) => self.element(path, query, &place.key("$elemMatch"))?,
                None => self.plain(path, item, &place)?,
            });
        }
        Ok(all)
    }

    /// `$elemMatch`: a query of what is in a member, or operators on the member itself.
    fn element(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Node> {
        let Value::Object(members) = value else {
            return Err(place.fault("must be a query of a member, or an object of operators"));
        };
        let element = if operand::is_query(members) {
            Element::inside(self.part(value, &place.inner())?)
        } else {
            Element::itself(self.tests(&Path::here(), members, &place.inner())?)
        };
        Ok(node(path, Test::Element(element)))
    }

    fn not(&mut self, path: &Path, value: &Value, place: &Place) -> Result<Vec<Node>> {
        if operand::pattern_of(value).is_some() {
            return Ok(vec![self.plain(path, value, place)?]);
        }
        match operators(value) {
            Some(members) => self.tests(path, members, &place.deeper()),
            None => Err(place.fault(
                "must be an object of operators, such as { $gt: 5 }, or a \
                                     regular expression",
            )),
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

fn node(path: &Path, test: Test) -> Node {
    Node::Test(Predicate { path: path.clone(), test })
}

/// The query of an object that is an `$elemMatch`, and nothing else.
fn element_of(value: &Value) -> Option<&Value> {
    let Value::Object(members) = value else { return None };
    members.get("$elemMatch").filter(|_| members.len() == 1)
}

/// An operator with one operand; the parser reads those that hold several, or a pattern.
fn test(path: &Path, key: &str, value: &Value, place: &Place) -> Result<Test> {
    let one = || Operand::compared(path).read(value, place);
    Ok(match key {
        "$eq" => Test::Eq(one()?),
        "$ne" => Test::Ne(one()?),
        "$gt" => Test::Gt(one()?),
        "$gte" => Test::Gte(one()?),
        "$lt" => Test::Lt(one()?),
        "$lte" => Test::Lte(one()?),
        "$exists" => operand::exists(value, place)?,
        "$type" => operand::types(value, place)?,
        "$mod" => operand::modulo(value, place)?,
        "$size" => operand::size(value, place)?,
        _ => return Err(unknown_operator(key, place)),
    })
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
    if key == "$task" {
        return place.fault(TASK_ADVICE);
    }
    let known = OPERATORS.join(", ");
    place.fault(format!("{key} is not supported here; {known} and $not are"))
}

/// What to say of `$task` where nothing is put in its place.
const TASK_ADVICE: &str = "$task stands for a value of the task in the `conditions` of an \
                           operation or a tasker; here write the value itself";
