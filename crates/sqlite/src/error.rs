//! SQLite's errors in tasker's words, mapped once.
//!
//! # Promises
//! - Every error of SQLite has exactly one [`Code`]; no text of SQLite is needed to act on it.
//! - Whether a failed commit may have happened is decided here and nowhere else (I-2).
//!
//! Proof: the tests below; `conformance::commit`.

use std::io;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use tasker_core::error::{Code, Error};
use tasker_core::store::Commit;

/// The code of a failed call, by SQLite's own code.
fn code_of(code: ErrorCode, extended: i32) -> Code {
    match code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => Code::Busy,
        ErrorCode::DiskFull | ErrorCode::OutOfMemory => Code::Full,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Code::ReadOnly,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Code::Corrupt,
        ErrorCode::CannotOpen if extended == ffi::SQLITE_CANTOPEN_DIRTYWAL => Code::Corrupt,
        // The shared memory beside the file cannot grow, for want of room.
        ErrorCode::SystemIoFailure if extended == ffi::SQLITE_IOERR_SHMSIZE => Code::Full,
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::NoLargeFileSupport => {
            Code::Io
        }
        ErrorCode::OperationInterrupted | ErrorCode::OperationAborted => Code::Closed,
        ErrorCode::TooBig => Code::TooLarge,
        _ => Code::Bug,
    }
}

/// What the caller can do, by code.
fn advice(code: Code) -> &'static str {
    match code {
        Code::Busy => "the file stayed locked by another program",
        Code::Full => "there is no room left; free space and go on",
        Code::ReadOnly => "the file or its folder cannot be written",
        Code::Corrupt => "the file is damaged or is not a tasker file",
        Code::Io => "the operating system refused a file operation",
        Code::Closed => "the call was cancelled",
        Code::TooLarge => "a value is too large for the file",
        _ => "tasker used SQLite in a wrong way",
    }
}

/// An error of SQLite, with its code and SQLite's own words at the end.
pub(crate) fn of(error: rusqlite::Error) -> Error {
    let code = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => code_of(failure.code, failure.extended_code),
        // Our statements are right for our tables, so the tables are not ours.
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => Code::Corrupt,
        rusqlite::Error::InvalidPath(_) | rusqlite::Error::NulError(_) => Code::Io,
        _ => Code::Bug,
    };
    Error::new(code, format!("{} ({error})", advice(code))).with_source(error)
}

/// A row that no version of tasker has written.
pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(Code::Corrupt, format!("{}: {what}", advice(Code::Corrupt)))
}

/// An error of the file system about `what`.
pub(crate) fn of_io(error: io::Error, what: &str) -> Error {
    let message = format!("{what}: {error}");
    of_io_as(error, message)
}

/// An error of the file system, in these words.
pub(crate) fn of_io_as(error: io::Error, message: String) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::Full,
        _ => Code::Io,
    };
    Error::new(code, message).with_source(error)
}

/// What became of a transaction whose `COMMIT` failed.
///
/// Busy, full, out of memory and read-only are found before the commit record is written. After any
/// other failure the record may be on disk, and a file is not trusted after a failed sync. Shared
/// memory that cannot grow is found after it.
pub(crate) fn of_commit(error: rusqlite::Error) -> Commit {
    let is_late = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
    let error = of(error);
    match error.code() {
        _ if is_late => unknown(error),
        Code::Busy | Code::Full | Code::ReadOnly => Commit::NotCommitted(error),
        _ => unknown(error),
    }
}

fn unknown(error: Error) -> Commit {
    let message = format!("the commit failed half-way: {}", error.message());
    Commit::Unknown(Error::new(Code::Unknown, message).with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn every_failure_of_sqlite_has_a_code_of_ours() {
        let table = [
            (ffi::SQLITE_BUSY, Code::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, Code::Busy),
            (ffi::SQLITE_LOCKED, Code::Busy),
            (ffi::SQLITE_FULL, Code::Full),
            (ffi::SQLITE_NOMEM, Code::Full),
            (ffi::SQLITE_READONLY, Code::ReadOnly),
            (ffi::SQLITE_PERM, Code::ReadOnly),
            (ffi::SQLITE_CORRUPT, Code::Corrupt),
            (ffi::SQLITE_NOTADB, Code::Corrupt),
            (ffi::SQLITE_CANTOPEN, Code::Io),
            (ffi::SQLITE_IOERR, Code::Io),
            (ffi::SQLITE_IOERR_FSYNC, Code::Io),
            (ffi::SQLITE_IOERR_SHMSIZE, Code::Full),
            (ffi::SQLITE_INTERRUPT, Code::Closed),
            (ffi::SQLITE_TOOBIG, Code::TooLarge),
            (ffi::SQLITE_CONSTRAINT, Code::Bug),
            (ffi::SQLITE_MISUSE, Code::Bug),
        ];
        for (sqlite, ours) in table {
            assert_eq!(of(failure(sqlite)).code(), ours, "code {sqlite}");
        }
    }

    #[test]
    fn a_failed_sync_leaves_the_fate_of_a_commit_open() {
        let late = [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_CORRUPT,
        ];
        for code in late {
            assert!(matches!(of_commit(failure(code)), Commit::Unknown(_)), "code {code}");
        }
    }

    #[test]
    fn a_full_disk_means_not_committed() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY] {
            assert!(matches!(of_commit(failure(code)), Commit::NotCommitted(_)), "code {code}");
        }
    }
}
