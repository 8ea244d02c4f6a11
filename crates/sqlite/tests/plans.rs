//! How SQLite runs each statement, as a snapshot. A full scan fails unless it is allowed here.
//!
//! After a deliberate change: `UPDATE=1 cargo test -p tasker-sqlite --test plans`.
#![allow(clippy::unwrap_used)]

mod hand;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hand::{Hand, folder};
use rusqlite::Connection;
use tasker_core::index::IndexPath;
use tasker_core::state::State;

/// Statements that may scan, each with why that is bounded or wanted.
const MAY_SCAN: &[(&str, &str)] = &[
    ("running", "the index holds only what runs at once"),
    ("remote_runs", "the index holds only what runs at once"),
    ("live_runs", "the index holds only what runs at once"),
    ("orphans", "the index holds only what runs at once"),
    ("owner_forget", "the index holds only what runs at once"),
    ("owners", "as many as open handles"),
    ("owners_elsewhere", "as many as open handles"),
    ("remote_offers", "as many as open handles"),
    ("index_retract", "as many as open handles"),
    ("holds", "no more than a bound, and those that are being swept"),
    ("runs_of", "the index holds only what runs at once"),
    ("count_queued", "the rows that an index gave, no more than a bound"),
    ("open_dependencies", "the rows that an index gave, no more than a bound"),
    ("last", "the last row of a scan that stops at once"),
    ("head", "the last row of a scan that stops at once"),
    ("schema", "at open only"),
    ("schema_objects", "at open only"),
    ("outlines", "a row for 4,096 tasks"),
    ("indexes", "the few rows of the schema"),
    ("totals", "a row for an operation"),
    ("schedules_count", "the few that there may be, if one more is made"),
    ("size", "facts of the file, a row each"),
    ("audit_totals", "the audit looks at everything"),
    ("audit_outlines", "the audit looks at everything"),
    ("audit_counts", "the audit looks at everything"),
    ("audit_strays", "the audit looks at everything"),
    ("audit_journal", "the audit looks at everything"),
];

fn statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let columns = fs::read_to_string(folder.join("task_columns.sql")).unwrap();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<(String, String)> = paths
        .map(|path: PathBuf| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(path).unwrap();
            let is_rest =
                text.lines().any(|line| line.starts_with("FROM")) && !text.contains("\nSELECT");
            let text = if is_rest { columns.clone() + &text } else { text };
            (name, of_an_index(with_codes(text)))
        })
        .filter(|(name, _)| name != "task_columns")
        .collect();
    all.sort();
    all
}

/// The text with the codes of the states that it names.
fn with_codes(text: String) -> String {
    State::ALL.iter().fold(text, |text, state| {
        text.replace(&format!("${}", state.as_str()), &state.code().to_string())
    })
}

/// A statement of the index of an own field, as it is for `data.book`.
fn of_an_index(text: String) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let part = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let code = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>();
        code.join("\n")
    };
    let values = [
        ("{expression}", part("index_key.sql")),
        ("{condition}", part("index_has.sql")),
        ("{name}", r#""own:data.book""#.into()),
        ("{column}", r#""data""#.into()),
        ("{path}", r#"'$."book"'"#.into()),
        ("{above}", r#"json_type("data", '$')"#.into()),
        ("{chars}", "128".into()),
    ];
    values.iter().fold(text, |text, (name, value)| text.replace(name, value))
}

/// The lines of the plan, or nothing for a statement that has none.
fn plan(connection: &Connection, text: &str) -> Vec<String> {
    let code = text.lines().find(|line| !line.starts_with("--")).unwrap();
    if !["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| code.starts_with(verb)) {
        return Vec::new();
    }
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines
}

fn plans() -> Vec<(String, Vec<String>)> {
    let (_folder, path) = folder();
    let mut hand = Hand::open(&path);
    // Beside an index of an own field no other statement has another plan.
    hand.store.declare_indexes(&[IndexPath::new("data.book").unwrap()]).unwrap();
    hand.close();
    let connection = Connection::open(&path).unwrap();
    statements().into_iter().map(|(name, text)| (name, plan(&connection, &text))).collect()
}

#[test]
fn every_plan_is_as_recorded() {
    let mut text = String::new();
    for (name, lines) in plans().iter().filter(|(_, lines)| !lines.is_empty()) {
        writeln!(text, "{name}\n  {}", lines.join("\n  ")).unwrap();
    }
    let snap = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans.snap");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&snap, &text).unwrap();
    }
    let recorded = fs::read_to_string(&snap).unwrap_or_default();
    assert!(text == recorded, "a plan has changed; now it is:\n{text}");
}

#[test]
fn no_statement_scans_a_table_unless_it_may() {
    for (name, lines) in plans() {
        let may_scan = MAY_SCAN.iter().any(|(allowed, _)| *allowed == name);
        let is_table = |line: &&String| !line.contains("CONSTANT") && !line.contains("VALUES");
        let scan = lines.iter().filter(is_table).find(|line| line.contains("SCAN"));
        assert!(scan.is_none() || may_scan, "{name}: {scan:?}");
    }
}

#[test]
fn what_may_scan_exists() {
    let all = plans();
    for (name, _) in MAY_SCAN {
        assert!(all.iter().any(|(found, _)| found == name), "{name}");
    }
}

#[test]
fn no_hot_statement_sorts() {
    let of_live = ["running", "runs_of"];
    for (name, lines) in plans().iter().filter(|(name, _)| !of_live.contains(&name.as_str())) {
        let sort = lines.iter().find(|line| line.contains("TEMP B-TREE"));
        assert!(sort.is_none() || name.starts_with("audit"), "{name}: {sort:?}");
    }
}
