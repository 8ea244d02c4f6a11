//! SQL lives in files, one statement each, and every file is used.

use crate::repository::{File, files, rust};
use crate::source::Language;
use crate::verdict;

const KEYWORDS: [&str; 16] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "PRAGMA",
    "BEGIN", "COMMIT", "ROLLBACK", "WHERE", "VACUUM", "ATTACH", "EXPLAIN",
];

#[test]
fn no_rust_file_contains_sql() {
    let mut faults = Vec::new();
    let is_product = |file: &&File| file.path.starts_with("crates/") && !file.is_test();
    for file in rust().filter(is_product) {
        let end = file.product_code().matches('\n').count() + 1;
        for (line, text) in file.parts().literals.iter().filter(|(line, _)| *line < end) {
            let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
            if words.any(|word| KEYWORDS.contains(&word)) {
                faults.push(format!("{}:{line}: {text:?}", file.path));
            }
        }
    }
    verdict(faults);
}

#[test]
fn every_sql_file_is_used_exactly_once() {
    let mut faults = Vec::new();
    for sql in files().iter().filter(|file| file.language == Language::Sql) {
        let (folder, name) = sql.path.rsplit_once('/').unwrap_or(("", &sql.path));
        let owner = folder.rsplit_once('/').map_or("", |(owner, _)| owner);
        let stem = name.trim_end_matches(".sql");
        let names = |text: &str| {
            let last = text.rsplit('/').next().unwrap_or(text);
            last == name || last == stem
        };
        let used = |file: &&File| file.path.starts_with(&format!("{owner}/src/"));
        let literals = rust().filter(used).flat_map(|file| &file.parts().literals);
        let uses = literals.filter(|(_, text)| names(text)).count();
        if uses != 1 {
            faults.push(format!("{}: used {uses} times", sql.path));
        }
    }
    verdict(faults);
}

#[test]
fn every_sql_file_says_what_it_promises() {
    let sql = files().iter().filter(|file| file.language == Language::Sql);
    let bare = sql.filter(|file| !file.text.starts_with("--"));
    verdict(bare.map(|file| format!("{}: no header", file.path)));
}

#[test]
fn a_statement_names_its_states_and_timers() {
    let sql = files().iter().filter(|file| file.language == Language::Sql);
    let bare = sql.flat_map(|file| {
        let code = file.text.lines().filter(|line| !line.starts_with("--"));
        let is_bare = |line: &&str| has_bare_code(line, "state") || has_bare_code(line, "kind");
        code.filter(is_bare).map(|line| format!("{}: {line}", file.path))
    });
    verdict(bare.collect::<Vec<_>>());
}

/// Whether this column is compared with a number.
fn has_bare_code(line: &str, column: &str) -> bool {
    let is_between = |c: char| c.is_whitespace() || "=<>(".contains(c);
    line.split(column).skip(1).any(|rest| {
        let rest = rest.trim_start_matches(is_between);
        let words = ["IN", "NOT IN", "BETWEEN"];
        let operand = words.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
        operand.trim_start_matches(is_between).starts_with(|c: char| c.is_ascii_digit())
    })
}
