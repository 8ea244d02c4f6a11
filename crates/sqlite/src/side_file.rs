//! Files beside the database, for everyone who may use the database.
//!
//! # Promises
//! - A new one gets the mode of the database, whatever the umask, and its owner where the system
//!   lets us: root gives its files to the user of the service, as SQLite does with its log. So a
//!   start by root, or by another user of the group, locks nobody out.
//! - Nothing that was there before is changed, and a symbolic link cannot lead us to another file.
//! - What cannot be opened is named, with its owner and its mode, and with what to do.
//!
//! Proof: `tests/users.rs`.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use tasker_core::error::{Code, Error, Result};

use crate::error;

/// The mode of a database that is not there yet, as SQLite makes it.
#[cfg(unix)]
const NEW_DATABASE_MODE: u32 = 0o644;
/// How often a file that comes and goes is tried.
const TRIES: u32 = 100;

/// Makes a new file beside the database.
///
/// # Errors
/// `AlreadyExists` if there is one, or what the system says.
pub(crate) fn create(path: &Path, database: &Path) -> io::Result<File> {
    debug_assert_eq!(path.parent(), database.parent(), "a file beside the database lies elsewhere");
    create_like(path, database)
}

/// Makes a new file, wherever it lies, for everyone who may use the database.
///
/// # Errors
/// As of [`create`].
pub(crate) fn create_like(path: &Path, database: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    let model = {
        let model = fs::metadata(database).ok();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, NEW_DATABASE_MODE);
        model
    };
    let file = options.open(path)?;
    #[cfg(unix)]
    if let Some(model) = model {
        inherit(&file, &model);
    }
    Ok(file)
}

/// Gives a file of ours the mode and the owner of the database, as far as the system lets us: not
/// every file system has modes, and only root may give a file to another user.
#[cfg(unix)]
fn inherit(file: &File, model: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let _ = file.set_permissions(fs::Permissions::from_mode(model.mode() & 0o777));
    if fchown(file, Some(model.uid()), Some(model.gid())).is_err() {
        // A group of our own we may name.
        let _ = fchown(file, None, Some(model.gid()));
    }
}

/// Opens a file beside the database to lock it or to read it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // A lock needs no right to write. Without `create`, which systems refuse for files of others in
    // folders such as /tmp.
    File::options().read(true).open(path)
}

/// Opens a file beside the database, or makes it; tells whether it was made.
pub(crate) fn open_or_create(path: &Path, database: &Path) -> io::Result<(File, bool)> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for _ in 0..TRIES {
        match open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            opened => return opened.map(|file| (file, false)),
        }
        match create(path, database) {
            // Another owner was faster, and may remove it again.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => last = e,
            made => return made.map(|file| (file, true)),
        }
    }
    Err(last)
}

/// Refuses a file beside the database that is there and may not be opened.
///
/// # Errors
/// `ReadOnly`, with the owner and the mode of the file. Other faults pass: they may be gone the
/// next time.
pub(crate) fn check_access(path: &Path, database: &Path) -> Result<()> {
    match open(path) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(failed(e, path, database)),
        _ => Ok(()),
    }
}

/// The error of a file beside the database that can be neither opened nor made.
pub(crate) fn failed(error: io::Error, path: &Path, database: &Path) -> Error {
    let (shown, folder) = (path.display(), path.parent().unwrap_or(path));
    let message = if fs::symlink_metadata(path).is_ok() {
        let advice = format!("give it the owner and the mode of {}", database.display());
        format!("{shown} cannot be opened: {error}; {}; {advice}", ownership(path))
    } else {
        let advice = "the user of this process must be able to write to the folder";
        format!("{shown} cannot be made: {error}; {advice}: {}", ownership(folder))
    };
    error::of_io_as(error, message)
}

/// Adds to an error of opening what it does not tell: files of SQLite that lie beside the database
/// with another owner or mode.
pub(crate) fn explain(error: Error, database: &Path) -> Error {
    if !matches!(error.code(), Code::ReadOnly | Code::Io) {
        return error;
    }
    let differing = ["-wal", "-shm", "-journal"].map(|suffix| {
        let path = crate::location::beside(database, suffix);
        let is_other = rights(&path).is_some_and(|own| rights(database) != Some(own));
        is_other.then(|| ownership(&path))
    });
    let differing: Vec<String> = differing.into_iter().flatten().collect();
    if differing.is_empty() {
        return error;
    }
    let message = format!(
        "{}; {}, but {}: give them the same owner, group and mode",
        error.message(),
        differing.join(", "),
        ownership(database)
    );
    Error::new(error.code(), message).with_source(error)
}

/// Whose a file is, for a message.
#[cfg(unix)]
pub(crate) fn ownership(path: &Path) -> String {
    let shown = path.display();
    match rights(path) {
        Some((user, group, mode)) => {
            format!("{shown} belongs to user {user} and group {group} with mode {mode:03o}")
        }
        None => format!("nothing is known of {shown}"),
    }
}

#[cfg(not(unix))]
pub(crate) fn ownership(path: &Path) -> String {
    format!("look at the permissions of {}", path.display())
}

/// User, group and mode of a file.
#[cfg(unix)]
fn rights(path: &Path) -> Option<(u32, u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let facts = fs::metadata(path).ok()?;
    Some((facts.uid(), facts.gid(), facts.mode() & 0o777))
}

#[cfg(not(unix))]
fn rights(_path: &Path) -> Option<(u32, u32, u32)> {
    None
}
