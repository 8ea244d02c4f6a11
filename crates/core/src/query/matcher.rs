//! Whether a document matches.

use std::cmp::Ordering;

use super::kind::truncated;
use super::path::Visit;
use super::value::Value;
use super::{Element, Node, Predicate, Test};

/// Whether all of them hold.
pub(super) fn all(nodes: &[Node], document: &Value) -> bool {
    nodes.iter().all(|node| holds(node, document))
}

fn holds(node: &Node, document: &Value) -> bool {
    match node {
        Node::Test(predicate) => predicate.holds(document),
        Node::Any(parts) => parts.iter().any(|part| all(part, document)),
        Node::Nor(parts) => !parts.iter().any(|part| all(part, document)),
        Node::Not(part) => !all(part, document),
    }
}

impl Predicate {
    fn holds(&self, document: &Value) -> bool {
        let is_found = self.path.walk(document, &mut Probe(&self.test));
        let is_negated = matches!(self.test, Test::Ne(_) | Test::Nin(_) | Test::Exists(false));
        is_found != is_negated
    }
}

/// Looks for a value that passes; negated tests look for what must not be there.
struct Probe<'t>(&'t Test);

impl Probe<'_> {
    fn finds(&self, found: Option<&Value>) -> bool {
        let value = found.unwrap_or(&Value::Null); // null matches what is missing
        let order = |operand: &Value| value.order_within_type(operand);
        match self.0 {
            Test::Eq(operand) | Test::Ne(operand) => value == operand,
            Test::Gt(operand) => order(operand).is_some_and(Ordering::is_gt),
            Test::Gte(operand) => order(operand).is_some_and(Ordering::is_ge),
            Test::Lt(operand) => order(operand).is_some_and(Ordering::is_lt),
            Test::Lte(operand) => order(operand).is_some_and(Ordering::is_le),
            Test::In(operands) | Test::Nin(operands) => operands.binary_search(value).is_ok(),
            Test::Exists(_) => found.is_some(),
            Test::Type(kinds) => found.is_some_and(|value| kinds.has(value)),
            Test::Mod { divisor, remainder } => match value {
                // A remainder never overflows but that of the least number by -1, which is 0.
                Value::Number(number) => truncated(*number)
                    .is_some_and(|whole| whole.wrapping_rem(*divisor) == *remainder),
                _ => false,
            },
            Test::Matches(pattern) => {
                matches!(value, Value::String(text) if pattern.matches(text))
            }
            Test::Size(size) => matches!(value, Value::Array(items) if items.len() == *size),
            Test::Element(element) => match value {
                Value::Array(items) => items.iter().any(|item| element.matches(item)),
                _ => false,
            },
        }
    }

    /// Whether it asks for an array itself, and so never looks for one among its members.
    fn is_of_array(&self) -> bool {
        matches!(self.0, Test::Size(_) | Test::Element(_))
    }
}

impl Element {
    fn matches(&self, member: &Value) -> bool {
        let may_match = !self.is_inside || matches!(member, Value::Object(_) | Value::Array(_));
        may_match && all(&self.all, member)
    }
}

impl<'v> Visit<'v> for Probe<'_> {
    const PLACES_ONLY: bool = false;

    /// An array passes by one of its members or as a whole.
    fn leaf(&mut self, value: Option<&'v Value>) -> bool {
        let by_member = match value {
            Some(Value::Array(items)) if !self.is_of_array() => {
                items.iter().any(|item| self.finds(Some(item)))
            }
            _ => false,
        };
        by_member || self.finds(value)
    }

    /// MongoDB does not look into an array that is named by its place.
    fn item(&mut self, value: &'v Value) -> bool {
        self.finds(Some(value))
    }

    /// It is not even missing: `null` does not match it.
    fn stray(&mut self) -> bool {
        false
    }
}
