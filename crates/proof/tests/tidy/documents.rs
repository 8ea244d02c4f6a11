//! What documents and headers say about the code is there.

use tasker_core::error::Code;

use crate::repository::{File, file, files, rust};
use crate::source::Language;
use crate::verdict;

#[test]
fn every_error_code_is_in_the_reference_the_types_and_a_test() {
    let (page, types) = (&file("docs/reference/errors.md").text, &file("types/errors.d.ts").text);
    let tests = files().iter().filter(|file| file.language != Language::Other);
    let tests: Vec<_> = tests.filter(|file| !is_tidy(file)).map(File::test_text).collect();
    let mut faults = Vec::new();
    for code in Code::ALL {
        let (text, variant) = (code.as_str(), format!("Code::{code:?}"));
        let quoted = [format!("`{text}`"), format!("'{text}'")];
        if !page.contains(&quoted[0]) {
            faults.push(format!("{text} is not in docs/reference/errors.md"));
        }
        if !types.contains(&quoted[1]) {
            faults.push(format!("{text} is not in types/errors.d.ts"));
        }
        if !tests.iter().any(|test| names(test, text) || names(test, &variant)) {
            faults.push(format!("{text} is in no test"));
        }
    }
    verdict(faults);
}

fn is_tidy(file: &File) -> bool {
    file.path.starts_with("crates/proof/tests/tidy/")
}

/// Whether a text has this word, not only as a part of a longer one.
fn names(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut places = text.match_indices(word).map(|(at, _)| at + word.len());
    places.any(|end| !text[end..].starts_with(is_part))
}

#[test]
fn every_invariant_is_held_by_something_that_exists() {
    let promises = file("docs/promises.md");
    let is_row = |line: &&str| line.starts_with("| I-") || line.starts_with("| **I-");
    let rows: Vec<_> = promises.text.lines().filter(is_row).collect();
    let mut faults = Vec::new();
    for row in &rows {
        let id = row.split('|').nth(1).unwrap_or_default().trim();
        let holders = quoted(row.trim_end_matches('|').rsplit('|').next().unwrap_or_default());
        if holders.is_empty() {
            faults.push(format!("{id} is held by nothing"));
        }
        let missing = holders.iter().filter(|name| !is_there(name, promises));
        faults.extend(missing.map(|name| format!("{id}: `{name}` does not exist")));
    }
    assert!(rows.len() >= 10, "docs/promises.md has no table of invariants");
    verdict(faults);
}

#[test]
fn every_point_of_the_interplay_is_planned_or_held_by_something_that_exists() {
    let page = file("docs/internals/interplay.md");
    let points: Vec<_> = page.text.lines().filter(|line| line.matches('|').count() == 4).collect();
    let points = points.iter().filter(|line| line.split('|').nth(1).is_some_and(is_pair));
    let mut faults = Vec::new();
    let mut planned = 0;
    for point in points.clone() {
        let [_, name, _, holders, _] = point.split('|').collect::<Vec<_>>()[..] else { continue };
        let names = quoted(holders);
        let is_planned = holders.trim() == "planned";
        planned += usize::from(is_planned);
        faults.extend((names.is_empty() && !is_planned).then(|| format!("{name}: held by what?")));
        let missing = names.iter().filter(|holder| !is_there(holder, page));
        faults.extend(missing.map(|holder| format!("{name}: `{holder}` does not exist")));
    }
    assert!(points.count() > planned, "docs/internals/interplay.md has no table of features");
    verdict(faults);
}

/// Whether two features stand here.
fn is_pair(name: &str) -> bool {
    name.contains(" × ")
}

#[test]
fn every_proof_that_a_header_names_exists() {
    let mut faults = Vec::new();
    for file in rust() {
        let lines = file.text.lines().map(str::trim_start);
        let header: Vec<_> = lines.take_while(|line| line.starts_with("//!")).collect();
        let from = header.iter().position(|line| line.starts_with("//! Proof:"));
        let proof =
            header[from.unwrap_or(header.len())..].iter().take_while(|line| **line != "//!");
        for name in proof.flat_map(|line| quoted(line)) {
            if !is_there(name, file) {
                faults.push(format!("{}: `{name}` does not exist", file.path));
            }
        }
    }
    verdict(faults);
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a name in a document leads somewhere: a path (from the root, the crate or the file),
/// with or without a function in it, or a module or function by its last segment.
fn is_there(name: &str, from: &File) -> bool {
    let name = name.split_whitespace().next().unwrap_or_default();
    let (path, function) = name.split_once(".rs::").map_or((name, ""), |(p, f)| (p, f));
    if name.contains(['/', '.']) {
        let path = if function.is_empty() { path.to_owned() } else { format!("{path}.rs") };
        return is_path_from(&path, from) && (function.is_empty() || is_code(function));
    }
    is_code(name.rsplit("::").next().unwrap_or(name))
}

/// Whether there is a module or a function with this name.
fn is_code(name: &str) -> bool {
    let function = format!("fn {name}(");
    let (module, folder) = (format!("/{name}.rs"), format!("/{name}/"));
    let is_module = |file: &File| file.path.ends_with(&module) || file.path.contains(&folder);
    rust().any(|file| is_module(file) || file.text.contains(&function))
}

fn is_path_from(path: &str, from: &File) -> bool {
    let depth = if from.path.starts_with("crates/") { 2 } else { 0 };
    let home: String = from.path.split_inclusive('/').take(depth).collect();
    let folder = from.path.rsplit_once('/').map_or(String::new(), |(f, _)| format!("{f}/"));
    ["", "crates/", &home, &folder].iter().any(|base| is_path(&format!("{base}{path}")))
}

fn is_path(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let inside = format!("{path}/");
    files().iter().any(|file| file.path == path || file.path.starts_with(&inside))
}
