//! Documents that are drawn from the code are up to date. `UPDATE=1` draws them anew.

use tasker_proof::drawing;

use crate::repository::{file, files, root};

/// Compares a document with what it should be, or rewrites it.
fn assert_drawn(path: &str, expected: &str) {
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
    assert_drawn("docs/state-machine.md", &drawing::state_machine());
}

#[test]
fn the_tables_of_the_readme_are_up_to_date() {
    let Some(readme) = files().iter().find(|file| file.path == "README.md") else { return };
    let limits = drawing::limits(&file("crates/core/src/limits.rs").text);
    let mut text = readme.text.clone();
    for (name, table) in [("codes", drawing::codes()), ("limits", limits)] {
        text = replaced(&text, name, &table).unwrap_or(text);
    }
    assert_drawn("README.md", &text);
}
