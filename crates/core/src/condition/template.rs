//! Conditions of an operation or of a whole store, in which a value may be one of the task's own.
//!
//! In the place of a value stands `{ $task: 'data.book' }`. When a task is added, it is replaced by
//! what the task has there, `null` if that is nothing; of a `$in` or `$nin`, by the members of a
//! list. What comes of it is fixed with the task, so a template that changes later concerns later
//! tasks alone.
//!
//! # Promises
//! - What is wrong with a template is an error with its path when it is given.
//! - A value of a task stays a value: whatever a task has, it adds no operator to a query.
//!
//! Proof: the tests below, `__test__/contract/templates.test.mjs`.

use std::fmt;
use std::sync::Arc;

use super::canonical::is_plain;
use super::{Conditions, read};
use crate::error::{Code, Error, Result};
use crate::json::write_string;
use crate::query::{Field, Fields, Object, Value};

/// The name that makes an object of one member a value of the task.
const TASK: &str = "$task";

/// Where a value of a task may come from.
const SOURCES: &[Field] = &[Field::Operation, Field::Data, Field::Id, Field::Label, Field::Tags];

/// Conditions with places for values of a task. Cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Parts>);

struct Parts {
    text: Box<str>,
    is_empty: bool,
    /// The JSON text between the places: one more than there are places.
    pieces: Vec<Box<str>>,
    places: Vec<Place>,
    fields: Fields,
}

/// A place where a value of the task belongs.
struct Place {
    /// Where the value comes from.
    source: Box<str>,
    /// Whether a list of values belongs there.
    is_list: bool,
}

impl Template {
    /// Reads a list of conditions that stands at `path`, as it was given or stored.
    ///
    /// # Errors
    /// As [`Conditions::read`].
    pub fn read(text: &str, path: &str) -> Result<Self> {
        let items = read::items(text, path)?;
        let mut writer = Writer::default();
        writer.piece().push('[');
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            // Where `null` may stand, any value may.
            read::condition(&with_nulls(item, false), &path)?;
            if index > 0 {
                writer.piece().push(',');
            }
            writer.value(item, false, &path)?;
        }
        writer.piece().push(']');
        let Writer { mut pieces, piece, places } = writer;
        pieces.push(piece.into());
        let sources = places.iter().filter_map(|place| field_of(&place.source));
        let fields = sources.fold(Fields::NONE, Fields::with);
        let (is_empty, text) = (items.is_empty(), Value::Array(items).to_json().into());
        Ok(Self(Arc::new(Parts { text, is_empty, pieces, places, fields })))
    }

    /// Whether it has no conditions.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty
    }

    /// Its JSON text, as [`Template::read`] reads it.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Which fields of a task it takes values from.
    pub fn fields(&self) -> Fields {
        self.0.fields
    }

    /// The conditions for a task, given the document of that with its fields; `path` is where the
    /// template stands.
    ///
    /// # Errors
    /// `InvalidQuery` if the task has a value that cannot be one of a query; `TooLarge`.
    pub fn resolve(&self, task: &Value, path: &str) -> Result<Conditions> {
        let Parts { pieces, places, .. } = &*self.0;
        let mut text = String::new();
        for (index, piece) in pieces.iter().enumerate() {
            text += piece;
            if let Some(place) = places.get(index) {
                place.write(task, path, &mut text)?;
            }
        }
        Conditions::read(&text, path)
    }
}

impl Place {
    fn write(&self, task: &Value, path: &str, out: &mut String) -> Result<()> {
        let value = find(task, &self.source).unwrap_or(&Value::Null);
        if !is_plain(value) {
            let message = format!(
                "takes the value of {} from the task, which has a name that begins with $ there \
                 and cannot stand in a query",
                self.source
            );
            return Err(Error::at(Code::InvalidQuery, path, message));
        }
        let is_wrapped = self.is_list && !matches!(value, Value::Array(_));
        if is_wrapped {
            out.push('[');
        }
        value.write_json(out);
        if is_wrapped {
            out.push(']');
        }
        Ok(())
    }
}

/// What a task has at a path of names, and of places in lists.
pub(crate) fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The field with which a path begins, if values may come from there.
pub(crate) fn field_of(path: &str) -> Option<Field> {
    let field = path.split('.').next().and_then(Field::from_name)?;
    SOURCES.contains(&field).then_some(field)
}

/// What an object names as a value of the task, if it is one.
fn source_of(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(members) if members.len() == 1 => members.get(TASK),
        _ => None,
    }
}

fn is_list(name: &str) -> bool {
    matches!(name, "$in" | "$nin")
}

/// The same with `null` in the place of each value of the task.
fn with_nulls(value: &Value, is_in_list: bool) -> Value {
    match value {
        _ if source_of(value).is_some() && is_in_list => Value::Array(vec![Value::Null]),
        _ if source_of(value).is_some() => Value::Null,
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, of)| (name.into(), with_nulls(of, is_list(name))));
            Value::Object(Object::new(members.collect()))
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| with_nulls(item, false)).collect())
        }
        _ => value.clone(),
    }
}

/// Writes JSON text in pieces.
#[derive(Default)]
struct Writer {
    /// Those before the last place.
    pieces: Vec<Box<str>>,
    piece: String,
    places: Vec<Place>,
}

impl Writer {
    /// The piece that is being written.
    fn piece(&mut self) -> &mut String {
        &mut self.piece
    }

    /// Writes a value that stands at `path`; a list of values if `is_in_list`.
    fn value(&mut self, value: &Value, is_in_list: bool, path: &str) -> Result<()> {
        if let Some(source) = source_of(value) {
            return self.place(source, is_in_list, &format!("{path}.{TASK}"));
        }
        match value {
            Value::Object(members) => {
                self.piece().push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        self.piece().push(',');
                    }
                    write_string(name, self.piece());
                    self.piece().push(':');
                    self.value(value, is_list(name), &format!("{path}.{name}"))?;
                }
                self.piece().push('}');
            }
            Value::Array(items) => {
                self.piece().push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.piece().push(',');
                    }
                    self.value(item, false, &format!("{path}[{index}]"))?;
                }
                self.piece().push(']');
            }
            _ => value.write_json(self.piece()),
        }
        Ok(())
    }

    fn place(&mut self, source: &Value, is_list: bool, path: &str) -> Result<()> {
        let Value::String(source) = source else {
            return Err(Error::at(Code::InvalidQuery, path, SOURCE_ADVICE));
        };
        if field_of(source).is_none() {
            return Err(Error::at(Code::InvalidQuery, path, SOURCE_ADVICE));
        }
        self.places.push(Place { source: source.clone(), is_list });
        self.pieces.push(std::mem::take(&mut self.piece).into());
        Ok(())
    }
}

const SOURCE_ADVICE: &str = "must be a path into the task that begins with data, id, label, tags \
                             or operation, such as 'data.book'";

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}

impl Eq for Template {}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(query: &str) -> Template {
        let text = format!(r#"[{{"scope":"running","query":{query},"limit":0}}]"#);
        Template::read(&text, "conditions").unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn resolved(query: &str, task: &str) -> String {
        let conditions = template(query).resolve(&Value::from_json(task).unwrap(), "conditions");
        let text = conditions.unwrap().text().to_owned();
        let query = text.strip_prefix(r#"[{"scope":"running","query":"#).unwrap();
        query.strip_suffix(r#","limit":0}]"#).unwrap().to_owned()
    }

    #[test]
    fn a_value_of_the_task_takes_its_place() {
        let task = r#"{"operation":"read","data":{"book":"dune","at":{"x":[1,2]},"n":null}}"#;
        for (query, expected) in [
            (r#"{"data.book":{"$task":"data.book"}}"#, r#"{"data.book":"dune"}"#),
            (r#"{"data.book":{"$eq":{"$task":"data.book"}}}"#, r#"{"data.book":"dune"}"#),
            (r#"{"data.x":{"$task":"data.at.x.1"}}"#, r#"{"data.x":2}"#),
            (r#"{"data.x":{"$task":"data.at"}}"#, r#"{"data.x":{"x":[1,2]}}"#),
            (r#"{"data.x":{"$in":{"$task":"data.at.x"}}}"#, r#"{"data.x":{"$in":[1,2]}}"#),
            (r#"{"data.x":{"$in":{"$task":"data.book"}}}"#, r#"{"data.x":"dune"}"#),
            (
                r#"{"data.x":{"$nin":[{"$task":"data.book"},1]}}"#,
                r#"{"data.x":{"$nin":[1,"dune"]}}"#,
            ),
            (r#"{"data.x":{"$task":"data.none.y"}}"#, r#"{"data.x":null}"#),
            (r#"{"operation":{"$ne":{"$task":"operation"}}}"#, r#"{"operation":{"$ne":"read"}}"#),
            (r#"{"label":"a"}"#, r#"{"label":"a"}"#),
        ] {
            assert_eq!(resolved(query, task), expected, "{query}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for query in [r#"{"data.book":{"$task":"data.book"}}"#, "{}"] {
            let written = template(query);
            let read = Template::read(written.text(), "x").unwrap();
            assert_eq!((&read, read.fields()), (&written, written.fields()));
        }
        assert!(Template::read("[]", "x").unwrap().is_empty());
    }

    #[test]
    fn a_value_of_a_task_is_never_an_operator() {
        let task = r#"{"data":{"book":{"$gt":""},"list":[{"a":{"$x":1}}]}}"#;
        let task = Value::from_json(task).unwrap();
        for query in [
            r#"{"data.book":{"$task":"data.book"}}"#,
            r#"{"data.book":{"$in":{"$task":"data.list"}}}"#,
        ] {
            let error = template(query).resolve(&task, "conditions").unwrap_err();
            assert_eq!(error.code(), Code::InvalidQuery, "{query}");
        }
    }

    #[test]
    fn a_template_that_is_wrong_is_refused_with_its_path() {
        for (query, path) in [
            (r#"{"$or":{"$task":"data.a"}}"#, "$or"),
            (r#"{"$and":[{"$task":"data.a"}]}"#, "$and[0]"),
            (r#"{"data.a":{"$not":{"$task":"data.a"}}}"#, "data.a.$not"),
            (r#"{"data.a":{"$elemMatch":{"$task":"data.a"}}}"#, "data.a.$elemMatch"),
            (r#"{"data.a":{"$regex":{"$task":"data.a"}}}"#, "data.a.$regex"),
            (r#"{"data.a":{"$size":{"$task":"data.a"}}}"#, "data.a.$size"),
            (r#"{"data.a":{"$task":"priority"}}"#, "data.a.$task"),
            (r#"{"data.a":{"$task":7}}"#, "data.a.$task"),
            (r#"{"data.a":{"$task":"data.a","$gt":1}}"#, "data.a.$task"),
            (r#"{"createdAt":{"$task":"data.a"}}"#, "createdAt"),
        ] {
            let text = format!(r#"[{{"scope":"running","query":{query},"limit":0}}]"#);
            let error = Template::read(&text, "conditions").expect_err(query);
            let path = format!("conditions[0].query.{path}");
            assert_eq!(
                (error.code(), error.facts().path.as_deref()),
                (Code::InvalidQuery, Some(&*path))
            );
        }
    }
}
