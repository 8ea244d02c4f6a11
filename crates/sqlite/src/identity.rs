//! Which file a name stands for, whatever it is called.
//!
//! Proof: `tests/open.rs`, `tests/shared.rs`.

use std::fs::{File, Metadata};
use std::path::Path;

/// A file of this machine; on systems without such numbers there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file that has this name now.
    pub(crate) fn of_path(path: &Path) -> Option<Identity> {
        path.metadata().ok().and_then(|facts| Identity::within(&facts))
    }

    /// An open file.
    pub(crate) fn of_file(file: &File) -> Option<Identity> {
        file.metadata().ok().and_then(|facts| Identity::within(&facts))
    }

    #[cfg(unix)]
    fn within(facts: &Metadata) -> Option<Identity> {
        use std::os::unix::fs::MetadataExt;
        Some(Identity { device: facts.dev(), inode: facts.ino() })
    }

    #[cfg(not(unix))]
    fn within(_facts: &Metadata) -> Option<Identity> {
        None
    }
}
