//! Whether the tables of a file are those that our statements are made for.
//!
//! # Promises
//! - A table or an index that is missing, or of another text than our migrations give it, is
//!   `Corrupt`, found before anything is written (F-14). Otherwise a damaged name would stop some
//!   later statement, and a damaged condition of an index would hide tasks without a word.
//! - What else a file has, and the comments in the text, are of no account.
//!
//! Proof: `tests/faults.rs`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rusqlite::Connection;
use tasker_core::error::{Code, Result};

use crate::{error, sql};

/// The definition of each table and each index, by name.
type Definitions = BTreeMap<String, String>;

/// Refuses a file with other tables than `migrations` make.
pub(crate) fn check(connection: &Connection, migrations: &[&str]) -> Result<()> {
    let ours = ours(migrations)?;
    let found = definitions(connection).map_err(|error| {
        let error = error::of(error);
        // The statement is right, so it is the schema that is wrong.
        if error.code() == Code::Bug { error::corrupt(error.message()) } else { error }
    })?;
    match ours.iter().find(|(name, text)| found.get(*name) != Some(*text)) {
        Some((name, _)) if found.contains_key(name) => {
            Err(error::corrupt(&format!("its table or index {name} is not as tasker makes it")))
        }
        Some((name, _)) => Err(error::corrupt(&format!("its table or index {name} is missing"))),
        None => Ok(()),
    }
}

/// What the migrations make, worked out once by making it in memory.
fn ours(migrations: &[&str]) -> Result<&'static Definitions> {
    static OURS: OnceLock<Definitions> = OnceLock::new();
    if let Some(ours) = OURS.get() {
        return Ok(ours);
    }
    let made = || -> rusqlite::Result<Definitions> {
        let connection = Connection::open_in_memory()?;
        migrations.iter().try_for_each(|migration| connection.execute_batch(migration))?;
        definitions(&connection)
    };
    let made = made().map_err(error::of)?;
    Ok(OURS.get_or_init(|| made))
}

fn definitions(connection: &Connection) -> rusqlite::Result<Definitions> {
    let mut statement = connection.prepare(sql::SCHEMA)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, without_comments(row.get_ref(1)?.as_str()?))))?;
    rows.collect()
}

/// The words of a definition: a comment may be mended, and a line broken elsewhere.
fn without_comments(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for line in text.lines() {
        let code = line.split_once("--").map_or(line, |(code, _)| code);
        for word in code.split_whitespace() {
            words.push_str(word);
            words.push(' ');
        }
    }
    words
}
