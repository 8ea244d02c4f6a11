//! The files of the repository: what git tracks or would track.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::source::{Language, Parts, parts};

/// A text file.
pub(crate) struct File {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) language: Language,
    parts: OnceLock<Parts>,
}

impl File {
    pub(crate) fn parts(&self) -> &Parts {
        self.parts.get_or_init(|| parts(&self.text, self.language))
    }

    pub(crate) fn code(&self) -> &str {
        &self.parts().code
    }

    /// Whether it is a test or a part of the proof kit.
    pub(crate) fn is_test(&self) -> bool {
        let path = &self.path;
        path.starts_with("crates/proof/")
            || path.starts_with("__test__/")
            || path.contains("/tests")
    }

    /// The code in front of the unit tests.
    pub(crate) fn product_code(&self) -> &str {
        let code = self.code();
        &code[..code.find("#[cfg(test)]").unwrap_or(code.len())]
    }

    /// The text of the unit tests, or the whole of a test file.
    pub(crate) fn test_text(&self) -> &str {
        let from = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        if self.is_test() { &self.text } else { &self.text[from..] }
    }

    pub(crate) fn is_lock(&self) -> bool {
        self.path.ends_with("Cargo.lock") || self.path.ends_with("package-lock.json")
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

fn listed() -> String {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let out = Command::new("git").args(arguments).current_dir(root()).output().expect("git runs");
    assert!(out.status.success(), "git: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("paths are UTF-8")
}

/// Every text file.
pub(crate) fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let listed = listed();
        listed.lines().filter_map(read).collect()
    })
}

fn read(path: &str) -> Option<File> {
    let text = std::fs::read_to_string(root().join(path)).ok()?;
    let language = Language::of(path);
    Some(File { path: path.to_owned(), text, language, parts: OnceLock::new() })
}

/// Every path with its size, also of files that are no text.
pub(crate) fn sizes() -> Vec<(String, u64)> {
    let size = |path: &str| std::fs::metadata(root().join(path)).map(|data| data.len()).ok();
    listed().lines().filter_map(|path| Some((path.to_owned(), size(path)?))).collect()
}

/// The Rust files.
pub(crate) fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.language == Language::Rust)
}

/// One file; fails if it is missing.
pub(crate) fn file(path: &str) -> &'static File {
    let found = files().iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} is missing"))
}
