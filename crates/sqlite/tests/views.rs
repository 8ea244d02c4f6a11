//! What somebody sees who looks into the file with SQLite itself.
#![allow(clippy::unwrap_used)]

mod hand;

use std::path::Path;

use hand::{Hand, LANE, aborted, def, done, folder, line};
use rusqlite::{Connection, OpenFlags};
use tasker_core::store::Change;
use tasker_core::task::{AttemptEnd, Level};

/// The page that promises the views and their columns.
const PAGE: &str = include_str!("../../../docs/guide/looking-inside.md");

fn filled(path: &Path) -> Hand {
    let mut hand = Hand::open(path);
    let lane = hand.lane(1, "read-book");
    let tasks: Vec<_> = (0..4).map(|_| hand.add(&lane, def("{\"book\":1}", 0.5))).collect();
    let run = hand.start(tasks[0], 1);
    let log = Change::Log { seq: tasks[0].seq, lane: LANE, run, line: line(1, Level::Info) };
    let release = hand.releasing(tasks[0].seq, run, AttemptEnd::Lost);
    hand.turn(vec![log, release]);
    let run = hand.start(tasks[1], 1);
    hand.end(tasks[1], Some(run), done());
    hand.end(tasks[2], None, aborted());
    hand.start(tasks[3], 1);
    hand.add_delayed(&lane, 1_700_000_000_123);
    hand
}

fn look(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// Every row of a query, its columns as text with `|` between them.
fn rows(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    let count = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        let texts = (0..count).map(|at| {
            let value: rusqlite::types::Value = row.get(at)?;
            Ok(match value {
                rusqlite::types::Value::Null => "-".to_owned(),
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Real(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Blob(_) => "blob".to_owned(),
            })
        });
        Ok(texts.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    };
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_task_is_a_row_in_words() {
    let (_folder, path) = folder();
    let hand = filled(&path);
    let connection = look(&path);
    let columns = "seq, operation, status, state, priority, attempt, cause, data";
    let found = rows(&connection, &format!("SELECT {columns} FROM tasker_tasks ORDER BY seq"));
    let expected = [
        "1|read-book|new|ready|0.5|1|-|{\"book\":1}",
        "2|read-book|done|done|0.5|1|-|{\"book\":1}",
        "3|read-book|aborted|aborted|0.5|0|user|{\"book\":1}",
        "4|read-book|running|running|0.5|1|-|{\"book\":1}",
    ];
    assert_eq!(found[..4], expected);
    let times = "SELECT run_at, state, created_at < run_at FROM tasker_tasks WHERE seq = 5";
    assert_eq!(rows(&connection, times), ["2023-11-14T22:13:20.123Z|delayed|1"]);
    let created =
        "SELECT count(*) FROM tasker_tasks WHERE created_at GLOB '1970-01-01T00:00:01.*Z'";
    assert_eq!(rows(&connection, created), ["5"]);
    hand.close();
}

#[test]
fn a_uuid_is_the_text_that_users_know() {
    let (_folder, path) = folder();
    let mut hand = filled(&path);
    let lane = tasker_core::store::Lane { id: LANE, operation: "read-book".into() };
    let task = hand.add(&lane, def("1", 0.0));
    let connection = look(&path);
    let found = rows(&connection, "SELECT uuid FROM tasker_tasks ORDER BY seq DESC LIMIT 1");
    assert_eq!(found, [task.id.0.to_string()]);
    hand.close();
}

#[test]
fn every_attempt_and_every_line_is_a_row_once() {
    let (_folder, path) = folder();
    let hand = filled(&path);
    let connection = look(&path);
    let attempts = "SELECT seq, attempt, started_at IS NULL, ended_as FROM tasker_attempts \
                    ORDER BY seq, attempt";
    assert_eq!(rows(&connection, attempts), ["1|1|0|lost", "2|1|0|done", "4|1|0|-"]);
    let logs = "SELECT seq, attempt, level, at GLOB '*Z' FROM tasker_logs";
    assert_eq!(rows(&connection, logs), ["1|1|info|1"]);
    let operations = "SELECT operation, paused_at FROM tasker_operations";
    assert_eq!(rows(&connection, operations), ["read-book|-"]);
    hand.close();
}

#[test]
fn the_page_names_every_view_with_its_columns_in_order() {
    let (_folder, path) = folder();
    Hand::open(&path).close();
    let connection = look(&path);
    let views =
        rows(&connection, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name");
    assert_eq!(views, ["tasker_attempts", "tasker_logs", "tasker_operations", "tasker_tasks"]);
    for view in views {
        let columns = rows(&connection, &format!("SELECT name FROM pragma_table_info('{view}')"));
        let row = format!("| `{view}` | `{}` |", columns.join(" "));
        assert!(PAGE.contains(&row), "{row}");
    }
}
