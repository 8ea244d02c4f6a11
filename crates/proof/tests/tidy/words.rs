//! One word per idea, no leftovers, nothing of one machine.

use crate::repository::{file, files, root};
use crate::source::{Language, identifiers, line_of};
use crate::verdict;

/// Words that say nothing, or that mean the same as another word here.
const BANNED: [&str; 6] = ["manager", "helper", "util", "common", "misc", "job"];

/// Names that others have given.
const FOREIGN: [&str; 5] = [
    "AsyncLocalStorageContextManager",
    "setGlobalContextManager",
    "http_body_util",
    "hyper_util",
    "tokio_util",
];

/// The banned word in an identifier, if there is one.
fn banned(identifier: &str) -> Option<&'static str> {
    if FOREIGN.contains(&identifier) {
        return None;
    }
    let mut words = vec![String::new()];
    for c in identifier.chars() {
        if c.is_uppercase() || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    // A name in capitals falls apart into letters: it is one word then.
    words.extend(identifier.split('_').map(str::to_lowercase));
    let is_banned =
        |word: &&str| words.iter().any(|w| w == word || w.strip_suffix('s') == Some(word));
    BANNED.iter().copied().find(is_banned)
}

#[test]
fn no_identifier_and_no_file_has_a_banned_word() {
    let mut faults = Vec::new();
    // The bench speaks to rivals in their own words.
    for file in files().iter().filter(|file| !file.path.starts_with("bench/")) {
        let names = file.path.split(['/', '.', '-']).filter_map(banned);
        faults.extend(names.map(|word| format!("{}: named {word}", file.path)));
        if file.language == Language::Other {
            continue;
        }
        for (at, name) in identifiers(file.code()) {
            if banned(name).is_some() {
                faults.push(format!("{}:{}: {name}", file.path, line_of(file.code(), at)));
            }
        }
    }
    verdict(faults);
}

/// Words that have given way to one of the glossary, and which.
const RETIRED: [(&str, &str); 12] = [
    ("bell", "notifier"),
    ("doorbell", "notifier"),
    ("turnstile", "write queue"),
    ("heard", "acknowledged"),
    ("look_around", "refresh_owners"),
    ("unwatch", "cancel_await"),
    ("watches", "waiters"),
    ("keyed", "idempotent"),
    ("elsewhere", "remote"),
    ("dice", "rng"),
    ("prioritise", "prioritize"),
    ("prioritising", "prioritizing"),
];

#[test]
fn no_retired_word_stands_in_the_product() {
    let mut faults = Vec::new();
    let is_product =
        |path: &str| path.starts_with("ts/") || path.starts_with("src/") || path.contains("/src/");
    for file in files().iter().filter(|file| is_product(&file.path) && !file.is_lock()) {
        for (at, name) in identifiers(file.product_code()) {
            let mut parts = name.split('_').chain([name]);
            let retired = RETIRED.iter().find(|(old, _)| parts.any(|part| part == *old));
            faults.extend(retired.map(|(old, new)| {
                let line = line_of(file.product_code(), at);
                format!("{}:{line}: {old}: say {new}", file.path)
            }));
        }
    }
    verdict(faults);
}

#[test]
fn every_word_of_the_glossary_is_where_it_says() {
    let glossary = &file("docs/internals/glossary.md").text;
    let rows: Vec<_> = glossary.lines().filter(|line| line.matches('|').count() == 4).collect();
    let mut faults = Vec::new();
    for row in &rows[2..] {
        let quoted: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let pairs = quoted.chunks_exact(2);
        let is_there = |path: &str, name: &str| {
            let file = files().iter().find(|file| file.path == path);
            file.is_some_and(|file| identifiers(&file.text).any(|(_, word)| word == name))
        };
        let lost = pairs.filter(|pair| !is_there(pair[0], pair[1]));
        faults.extend(lost.map(|pair| format!("{} is not in {}", pair[1], pair[0])));
        faults.extend((quoted.len() < 2).then(|| format!("no place: {row}")));
    }
    assert!(rows.len() <= 60, "the glossary is longer than it may be");
    verdict(faults);
}

/// Where machines keep their users; written apart, like the markers, so that this file has none.
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/Use", "rs/"), concat!("C:\\Us", "ers")];

/// What was left for later.
const MARKERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

#[test]
fn no_leftover_marker_stands_anywhere() {
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| !file.is_lock()) {
        for (at, word) in identifiers(&file.text) {
            if MARKERS.contains(&word) {
                faults.push(format!("{}:{}: {word}", file.path, line_of(&file.text, at)));
            }
        }
    }
    verdict(faults);
}

#[test]
fn no_path_of_a_machine_stands_anywhere() {
    let root = root();
    let own = root.to_str().filter(|path| path.matches('/').count() > 1).unwrap_or(HOMES[0]);
    let places = HOMES.iter().copied().chain([own]).collect::<Vec<_>>();
    let mut faults = Vec::new();
    for file in files() {
        for (n, line) in (1..).zip(file.text.lines()) {
            let is_start = |(at, _): (usize, &str)| !line[..at].ends_with(char::is_alphanumeric);
            if places.iter().any(|place| line.match_indices(place).any(is_start)) {
                faults.push(format!("{}:{n}: {}", file.path, line.trim()));
            }
        }
    }
    verdict(faults);
}

#[test]
fn no_lock_file_names_a_host() {
    let cargo = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let is_foreign = |line: &str| {
        line.contains("\"resolved\"") || (line.starts_with("source =") && line != cargo)
    };
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| file.is_lock()) {
        let lines = (1..).zip(file.text.lines()).filter(|(_, line)| is_foreign(line));
        faults.extend(lines.map(|(n, line)| format!("{}:{n}: {}", file.path, line.trim())));
    }
    let settings = [".npmrc", ".cargo/config.toml", ".cargo/config", "package.json"];
    for file in files().iter().filter(|file| settings.iter().any(|end| file.path.ends_with(end))) {
        let lines = file.text.lines().filter(|line| line.replace(' ', "").contains("registry="));
        faults.extend(lines.map(|line| format!("{}: {line}", file.path)));
    }
    verdict(faults);
}
