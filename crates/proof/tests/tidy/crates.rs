//! Who may import whom: the table of the architecture.

use crate::repository::{File, file, files, rust};
use crate::source::identifiers;
use crate::verdict;

/// Each crate of ours and those of ours that it may name.
const EDGES: [(&str, &[&str]); 9] = [
    ("tasker-core", &[]),
    ("tasker-sqlite", &["tasker-core"]),
    ("tasker-redis", &["tasker-core"]),
    ("tasker-engine", &["tasker-core"]),
    ("tasker-http", &["tasker-core", "tasker-engine"]),
    ("task", COMPOSED),
    ("tasker", COMPOSED),
    ("tasker-proof", COMPOSED),
    ("tasker-fuzz", &["tasker-core", "tasker-http"]),
];

const COMPOSED: &[&str] =
    &["tasker-core", "tasker-engine", "tasker-sqlite", "tasker-redis", "tasker-http"];

/// Foreign crates that have owners.
const OWNERS: [(&str, &[&str]); 14] = [
    ("rusqlite", &["tasker-sqlite"]),
    ("libsqlite3-sys", &["tasker-sqlite"]),
    ("redis", &["tasker-redis"]),
    ("axum", &["tasker-http"]),
    ("hyper", &["tasker-http"]),
    ("napi", &["tasker"]),
    ("napi-derive", &["tasker"]),
    ("napi-build", &["tasker"]),
    ("regex", &["tasker-core"]),
    ("regex-syntax", &["tasker-core"]),
    ("croner", &["tasker-core"]),
    ("jiff", &["tasker-core"]),
    ("tokio", &["tasker-engine", "tasker-http", "task"]),
    ("tokio-util", &["tasker-engine", "tasker-http", "task"]),
];

struct Manifest {
    name: String,
    /// Section and name of each dependency.
    dependencies: Vec<(String, String)>,
}

fn manifest(file: &File) -> Manifest {
    let (mut section, mut name, mut dependencies) = (String::new(), String::new(), Vec::new());
    for line in file.text.lines().map(str::trim) {
        let key = line.split(['=', '.']).next().unwrap_or_default().trim();
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_end_matches(']').to_owned();
        } else if section == "package" && key == "name" {
            name = line.split('"').nth(1).unwrap_or_default().to_owned();
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" {
            let is_entry = !key.is_empty() && !key.starts_with('#');
            dependencies.extend(is_entry.then(|| (section.clone(), key.to_owned())));
        }
    }
    Manifest { name, dependencies }
}

/// The manifests of the workspace.
fn manifests() -> Vec<Manifest> {
    let is_ours = |file: &&File| file.path == "Cargo.toml" || file.path.starts_with("crates/");
    let files = files().iter().filter(is_ours).filter(|file| file.path.ends_with("Cargo.toml"));
    files.map(manifest).collect()
}

#[test]
fn a_crate_names_only_the_crates_below_it() {
    let mut faults = Vec::new();
    for Manifest { name, dependencies } in manifests() {
        let Some((_, allowed)) = EDGES.iter().find(|(crate_name, _)| *crate_name == name) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        let ours = dependencies.iter().filter(|(_, to)| to.starts_with("tasker"));
        let wrong = ours.filter(|(_, to)| !allowed.contains(&to.as_str()));
        faults.extend(wrong.map(|(section, to)| format!("{name} [{section}]: {to}")));
    }
    verdict(faults);
}

#[test]
fn a_foreign_crate_is_named_by_its_owner_only() {
    let mut faults = Vec::new();
    for Manifest { name, dependencies } in manifests() {
        for (section, to) in dependencies {
            let owners = OWNERS.iter().find(|(foreign, _)| *foreign == to).map(|(_, own)| own);
            if owners.is_some_and(|owners| !owners.contains(&name.as_str())) {
                faults.push(format!("{name} [{section}]: {to}"));
            }
        }
    }
    verdict(faults);
}

/// Foreign crates that one folder of their owner has to itself.
const FOLDERS: [(&str, &str); 2] =
    [("croner", "crates/core/src/schedule/"), ("jiff", "crates/core/src/schedule/")];

#[test]
fn a_foreign_crate_stays_in_its_folder() {
    let mut faults = Vec::new();
    for file in rust() {
        for (foreign, folder) in FOLDERS {
            let is_named = identifiers(file.code()).any(|(_, word)| word == foreign);
            if is_named && !file.path.starts_with(folder) && !file.path.contains("/tidy/") {
                faults.push(format!("{}: {foreign}", file.path));
            }
        }
    }
    verdict(faults);
}

#[test]
fn a_module_imports_only_those_above_it() {
    let mut faults = Vec::new();
    for lib in rust().filter(|file| file.path.ends_with("src/lib.rs")) {
        let source = lib.path.trim_end_matches("lib.rs");
        let modules = modules(lib.code());
        let inside = rust().filter(|file| file.path.starts_with(source) && file.path != lib.path);
        for file in inside {
            let own = file.path[source.len()..].split(['/', '.']).next().unwrap_or_default();
            let Some(place) = modules.iter().position(|module| *module == own) else { continue };
            let code = file.product_code();
            for name in imported(code) {
                if modules.iter().position(|module| *module == name) > Some(place) {
                    faults.push(format!("{}: uses crate::{name}, which stands below", file.path));
                }
            }
        }
    }
    verdict(faults);
}

#[test]
fn a_module_of_a_folder_imports_only_those_above_it() {
    let mut faults = Vec::new();
    for parent in rust().filter(|file| file.path.ends_with("/mod.rs")) {
        let folder = parent.path.trim_end_matches("mod.rs");
        let modules = modules(parent.code());
        for file in rust().filter(|file| file.path.starts_with(folder)) {
            let own = file.path[folder.len()..].split(['/', '.']).next().unwrap_or_default();
            let Some(position) = modules.iter().position(|module| *module == own) else { continue };
            for name in named_after(file.product_code(), "use super::") {
                if modules.iter().position(|module| *module == name) > Some(position) {
                    faults.push(format!("{}: uses super::{name}, which stands below", file.path));
                }
            }
        }
    }
    verdict(faults);
}

#[test]
fn no_two_modules_of_ts_import_each_other() {
    let modules: Vec<_> = files().iter().filter(|file| file.path.starts_with("ts/")).collect();
    let imports: Vec<(&str, Vec<&str>)> = modules
        .iter()
        .filter_map(|file| Some((script_name(file)?, imported_scripts(file))))
        .collect();
    // A module that imports nothing which is left is taken away: what stays imports each other.
    let mut left = imports;
    loop {
        let names: Vec<_> = left.iter().map(|(name, _)| *name).collect();
        let count = left.len();
        left.retain(|(_, imported)| imported.iter().any(|name| names.contains(name)));
        if left.len() == count {
            break;
        }
    }
    verdict(left.into_iter().map(|(name, _)| format!("ts/{name}.ts is in or above a circle")));
}

fn script_name(file: &File) -> Option<&str> {
    file.path.strip_prefix("ts/")?.strip_suffix(".ts")
}

/// The modules beside it that it imports, types too.
fn imported_scripts(file: &File) -> Vec<&str> {
    file.text.split(" from './").skip(1).filter_map(|rest| rest.split('\'').next()).collect()
}

/// The modules of a `lib.rs` or `mod.rs`, in order.
fn modules(code: &str) -> Vec<&str> {
    let words: Vec<_> = identifiers(code).map(|(_, word)| word).collect();
    words.windows(2).filter(|pair| pair[0] == "mod").map(|pair| pair[1]).collect()
}

/// The first segments of all paths that begin with `crate::`.
fn imported(code: &str) -> Vec<&str> {
    named_after(code, "crate::")
}

/// The names that stand after these words.
fn named_after<'c>(code: &'c str, words: &str) -> Vec<&'c str> {
    let starts = code.match_indices(words).map(|(at, word)| at + word.len());
    let is_own = |at: &usize| !code[..at - words.len()].ends_with('$');
    let first = |at| identifiers(&code[at..]).next().map(|(_, word)| word);
    let mut names: Vec<_> = starts.filter(is_own).filter_map(first).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    // One with a `[workspace]` of its own has no other to take them from.
    let manifests = files()
        .iter()
        .filter(|file| file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml"))
        .filter(|file| !file.text.contains("[workspace]"));
    let loose = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true"));
    verdict(loose.map(|file| format!("{}: no [lints]", file.path)));
    assert!(file("Cargo.toml").text.contains("[lints]\nworkspace = true"));
}
