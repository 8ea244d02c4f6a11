//! Which files this copy of tasker has open, and what something else in this process has.
//!
//! SQLite's locks belong to the process and fall when *any* descriptor of the file is closed in it.
//! Handles of one SQLite know of each other; a second library, or a plain file stream, does not.
//!
//! # Promises
//! - Where the system lists descriptors, a database that something else in this process has open is
//!   refused before it is opened (F-9).
//!
//! # Left to others
//! What is opened elsewhere after us cannot be prevented; the guide says so.
//!
//! Proof: `tests/shared.rs`, `__test__/process/copies.test.mjs`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::identity::Identity;

/// How many handles of ours are open on each file.
static OPEN: Mutex<BTreeMap<Identity, u32>> = Mutex::new(BTreeMap::new());

/// Counts one handle of ours on a file, as long as this lives.
#[derive(Debug)]
pub(crate) struct OpenFile(Identity);

impl OpenFile {
    /// Counts one more handle.
    pub(crate) fn new(identity: Identity) -> OpenFile {
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner).entry(identity).or_default() += 1;
        OpenFile(identity)
    }

    /// Counts one more handle before it is opened; nothing if something else than this copy of
    /// tasker has the file open in this process. Another thread may open it at the same moment:
    /// with a handle of ours counted, its descriptors are among those that are listed.
    pub(crate) fn unless_foreign(identity: Identity) -> Option<OpenFile> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(&identity) && has_descriptor(identity) {
            return None;
        }
        *open.entry(identity).or_default() += 1;
        Some(OpenFile(identity))
    }

    pub(crate) fn identity(&self) -> Identity {
        self.0
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        debug_assert!(open.contains_key(&self.0), "a handle was not counted (F-9)");
        if let Some(count) = open.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.0);
            }
        }
    }
}

/// Whether a descriptor of this process stands for the file.
fn has_descriptor(identity: Identity) -> bool {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return false };
    let files = descriptors.flatten().map(|entry| entry.path());
    files.filter_map(|path| Identity::of_path(&path)).any(|other| other == identity)
}
