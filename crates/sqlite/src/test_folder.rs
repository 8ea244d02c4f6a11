//! The folder of a user's test: a real file for several handles, which goes with the test.
//!
//! # Promises
//! - Nobody else can look into the folder, and it is removed when this is dropped.
//! - What a test leaves that was killed is removed by the next one: the kernel has released its
//!   lock by then.
//! - Two tests with one seed give their files one secret, so that their uuids are the same.
//!
//! Proof: the tests below, `__test__/process/testing.test.mjs`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;

use tasker_core::error::Result;
use tasker_core::id::IdKey;

use crate::error;
use crate::identity::Identity;
use crate::location::{Location, TestFile};
use crate::temporary::Folder;

/// How the names of such folders begin.
const PREFIX: &str = "tasker-test-";
/// The file in the folder that is locked as long as the test lives.
const ALIVE: &str = "alive";

/// The folder of a test, with its file.
#[derive(Debug)]
pub struct TestFolder {
    /// Released before the folder goes, because some systems remove no file that is open.
    _alive: File,
    folder: Folder,
    test: TestFile,
}

impl TestFolder {
    /// Makes a new folder; removes those of tests that were killed.
    ///
    /// # Errors
    /// `Io` and the like, if no temporary folder can be written.
    pub fn make(seed: u64) -> Result<TestFolder> {
        loop {
            let folder = Folder::named(PREFIX)?;
            if let Some(parent) = folder.path().parent() {
                sweep(parent);
            }
            let path = folder.path().join(ALIVE);
            let cannot = |e| error::of_io(e, &format!("{} cannot be made", path.display()));
            let alive = File::create_new(&path).map_err(cannot)?;
            alive.lock().map_err(cannot)?;
            // Another test may have taken it for one that was left, before it was locked.
            if Identity::of_path(&path) == Identity::of_file(&alive) {
                return Ok(TestFolder {
                    _alive: alive,
                    folder,
                    test: TestFile { id_key: IdKey(seed) },
                });
            }
        }
    }

    /// Where the file of the test lies.
    pub fn location(&self) -> Location {
        Location::of_test(self.folder.path().join("tasks.db"), self.test)
    }
}

/// Removes the folders of tests that are dead. What cannot be removed stays.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path)) {
        // Of one that is just being made, or is another user's, nothing can be said.
        let Ok(alive) = File::open(folder.join(ALIVE)) else { continue };
        if alive.try_lock().is_ok() {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn is_ours(path: &Path) -> bool {
    let random =
        path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix(PREFIX));
    random.is_some_and(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, Options, open};
    use tasker_core::error::Code;

    #[test]
    fn a_folder_goes_with_its_test_and_one_that_was_left_with_the_next() {
        let first = TestFolder::make(1).unwrap();
        let path = first.folder.path().to_owned();
        let TestFolder { _alive: alive, folder, .. } = first;
        // As after a kill: the lock is free, and nobody has removed the folder.
        std::mem::forget(folder);
        drop(TestFolder::make(1).unwrap());
        assert!(path.is_dir(), "its test lives");
        drop(alive);
        let next = TestFolder::make(1).unwrap();
        assert!(!path.exists());
        let path = next.folder.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_a_test_is_for_its_owners_alone() {
        let test = TestFolder::make(1).unwrap();
        let options = Options { durability: Durability::Process, exclusive: false };
        let _first = open(&test.location(), options).unwrap();
        let _second = open(&test.location(), options).unwrap();
        let path = Location::file(test.folder.path().join("tasks.db")).unwrap();
        for exclusive in [false, true] {
            let refused = open(&path, Options { exclusive, ..options }).unwrap_err();
            assert_eq!(refused.code(), Code::Locked, "{refused}");
        }
    }
}
