//! The indexes of own fields: their statements, which exist, and what stands in them.
//!
//! The name of such an index has its path, and its text says how its keys are made. One whose
//! text is not word for word ours is of another version, and is not read.
//!
//! # Promises
//! - A path becomes SQL only where a tasker declares it; what a query says is always bound (A-9).
//! - SQLite keeps an index right whoever writes, in whatever process, and with any program: its
//!   text has only functions of SQLite itself.
//!
//! # Left to others
//! Which ranges are read is `core::index`'s. When an index is made is `declare`'s.
//!
//! Proof: `tests/indexes.rs`, `tests/plans.rs`.

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};
use tasker_core::error::Result;
use tasker_core::id::Seq;
use tasker_core::index::{IndexPath, KEY_CHARS, Key, KeyRange};
use tasker_core::query::Field;
use tasker_core::search::EntriesPart;

use crate::error::{self, corrupt};
use crate::row::{self, cached, get};
use crate::sql;

/// How the name of an index begins; its path follows.
const MARK: &str = "own:";

/// The statements of an index.
pub(crate) struct IndexSql {
    name: String,
    expression: String,
    condition: String,
}

impl IndexSql {
    pub(crate) fn of(path: &IndexPath) -> IndexSql {
        let mut names: Vec<&str> = path.names().collect();
        // A task's id and its label lie with its other options.
        let is_data = names.first() == Some(&Field::Data.as_str());
        let column = if is_data { r#""data""# } else { r#""options""# };
        if is_data {
            names.remove(0);
        }
        let chars = KEY_CHARS.to_string();
        let inner = literal(&names);
        let above: Vec<_> = (0..names.len())
            .map(|n| format!("json_type({column}, {})", literal(&names[..n])))
            .collect();
        let above = above.join(", ");
        let values = [("column", column), ("path", &inner), ("chars", &chars), ("above", &above)];
        IndexSql {
            name: format!("\"{MARK}{path}\""),
            expression: fill(sql::INDEX_KEY, &values),
            condition: fill(sql::INDEX_HAS, &values),
        }
    }

    /// What makes it.
    pub(crate) fn make(&self) -> String {
        self.fill(sql::INDEX_MAKE)
    }

    fn fill(&self, template: &str) -> String {
        let IndexSql { name, expression, condition } = self;
        fill(template, &[("name", name), ("expression", expression), ("condition", condition)])
    }
}

/// A path into a column as a text of SQL. It has neither quotes nor backslashes.
fn literal(names: &[&str]) -> String {
    let path: String =
        names.iter().map(|name| format!(".\"{}\"", name.replace('\'', "''"))).collect();
    format!("'${path}'")
}

/// A template with values in the place of the names in braces; without its last line break.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let (mut text, mut rest) = (String::new(), template.trim_end());
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        debug_assert!(value.is_some(), "a template asks for {name}");
        text.push_str(before);
        text.push_str(value.unwrap_or_default());
        rest = behind;
    }
    text + rest
}

/// An index that is there.
pub(crate) struct Existing {
    /// Its name in the schema.
    pub(crate) name: String,
    /// Nothing if it is of another version.
    pub(crate) path: Option<IndexPath>,
}

impl Existing {
    /// What drops it.
    pub(crate) fn drop(&self) -> String {
        fill(sql::INDEX_DROP, &[("name", &format!("\"{}\"", self.name.replace('"', "\"\"")))])
    }
}

/// Every index of an own field.
pub(crate) fn existing(connection: &Connection) -> Result<Vec<Existing>> {
    let mut statement = cached(connection, sql::INDEXES)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(error::of)? {
        let (name, text): (String, String) = (get(row, 0)?, get(row, 1)?);
        let path = IndexPath::new(name.strip_prefix(MARK).unwrap_or_default());
        let path = path.filter(|path| IndexSql::of(path).make() == text);
        found.push(Existing { name, path });
    }
    Ok(found)
}

/// The entries of a part of an index; nothing if it is not there.
pub(crate) fn entries(
    connection: &Connection,
    part: EntriesPart<'_>,
) -> Result<Option<Vec<(Key, Seq)>>> {
    debug_assert!(!connection.is_autocommit(), "an index might be dropped between two looks");
    if !existing(connection)?.iter().any(|index| index.path.as_ref() == Some(part.path)) {
        return Ok(None);
    }
    let index = IndexSql::of(part.path);
    let (low, high) = bounds(part.range);
    let mut entries = Vec::new();
    let Some((key, seq)) = part.after else {
        let bounds = (low, high, part.max as i64);
        read(connection, &index.fill(sql::INDEX_RANGE), bounds, &mut entries)?;
        return Ok(Some(entries));
    };
    let equal = (value(key), seq.0 as i64, part.max as i64);
    read(connection, &index.fill(sql::INDEX_EQUAL), equal, &mut entries)?;
    let missing = (part.max - entries.len()) as i64;
    if missing > 0 {
        let above = (value(key), high, missing);
        read(connection, &index.fill(sql::INDEX_ABOVE), above, &mut entries)?;
    }
    Ok(Some(entries))
}

fn read(
    connection: &Connection,
    text: &str,
    params: impl rusqlite::Params,
    entries: &mut Vec<(Key, Seq)>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(text).map_err(error::of)?;
    let mut rows = statement.query(params).map_err(error::of)?;
    while let Some(row) = rows.next().map_err(error::of)? {
        entries.push((key(row.get_ref(1).map_err(error::of)?)?, row::seq(row, 0)?));
    }
    Ok(())
}

/// A key as `index_key.sql` makes it.
fn key(value: ValueRef<'_>) -> Result<Key> {
    Ok(match value {
        ValueRef::Real(number) => Key::Number(number),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| corrupt("an index is not UTF-8"))?;
            Key::Text(text.into())
        }
        ValueRef::Blob([0]) => Key::Other,
        ValueRef::Blob([1]) => Key::Bool(false),
        ValueRef::Blob([2]) => Key::Bool(true),
        ValueRef::Blob([3]) => Key::Null,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Blob(_) => {
            return Err(corrupt("an index has a key of no kind"));
        }
    })
}

fn value(key: &Key) -> Value {
    match key {
        Key::Number(number) => Value::Real(*number),
        Key::Text(text) => Value::Text(text.to_string()),
        Key::Other => Value::Blob(vec![0]),
        Key::Bool(flag) => Value::Blob(vec![1 + u8::from(*flag)]),
        Key::Null => Value::Blob(vec![3]),
    }
}

/// The least and the greatest key of a range: numbers stand before texts, and those before bytes.
fn bounds(range: &KeyRange) -> (Value, Value) {
    match range {
        KeyRange::Is(key) => (value(key), value(key)),
        KeyRange::Numbers(range) => (Value::Real(range.low), Value::Real(range.high)),
        KeyRange::Texts(low, high) => {
            let high =
                high.as_ref().map_or(Value::Blob(Vec::new()), |high| Value::Text(high.to_string()));
            (Value::Text(low.to_string()), high)
        }
        KeyRange::Every => (Value::Real(f64::NEG_INFINITY), Value::Blob(vec![u8::MAX])),
    }
}
