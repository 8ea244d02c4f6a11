//! Documents that are drawn from the code are up to date. `UPDATE=1` draws them anew.

use tasker_proof::{render, script};

use crate::repository::{file, root};

/// Compares a document with what it should be, or rewrites it.
fn assert_rendered(path: &str, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(root().join(path), expected).expect("the document can be written");
        return;
    }
    let is_same = file(path).text == expected;
    assert!(is_same, "{path} is out of date: UPDATE=1 cargo test -p tasker-proof --test tidy");
}

/// Replaces what stands between `<!-- name -->` and `<!-- /name -->`.
fn replaced(text: &str, name: &str, table: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}\n\n{table}\n{close}{after}"))
}

#[test]
fn the_drawing_of_the_state_machine_is_up_to_date() {
    let source = file("crates/core/src/transition.rs");
    assert_rendered("docs/state-machine.md", &render::state_machine(&source.text));
}

#[test]
fn the_tables_of_errors_and_limits_are_up_to_date() {
    let limits = render::limits(&file("crates/core/src/limits.rs").text);
    for (name, path, table) in [
        ("codes", "docs/reference/errors.md", render::codes()),
        ("limits", "docs/reference/limits.md", limits),
    ] {
        let rendered = replaced(&file(path).text, name, &table);
        assert_rendered(
            path,
            &rendered.expect("the page has the marks between which its table stands"),
        );
    }
}

#[test]
fn the_constants_of_ts_are_those_of_the_engine() {
    let limits = &file("crates/core/src/limits.rs").text;
    let migrate = &file("crates/sqlite/src/migrate.rs").text;
    let constants = script::constants(limits, migrate).expect("every constant is there");
    assert_rendered("ts/constants.ts", &constants);
}
