//! What can go wrong with the data folder, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why something was not kept, or could not be read. Nothing was changed by a call that answers one of these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another agent holds the lock.
    #[error(
        "another agent is already running on the data folder {}; stop that one first, or start this one with a \
         data folder of its own (--data)", .0.display()
    )]
    InUse(PathBuf),
    /// Written by a later version of this program.
    #[error(
        "the database {} was written by a newer version of sublet (schema {found}, this one knows up to {known}); \
         install that version again, nothing was changed", .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// Truncated, overwritten, or never a database.
    #[error(
        "the database {} is damaged ({detail}); it was left as it is. Stop sublet, then put a backup in its place, \
         or move it and the files beside it that start with its name away to start with an empty wallet (keep \
         them: they hold the vouchers that prove what you are owed)", .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// No room.
    #[error(
        "there is no room left on the disk that holds {}; nothing was written and nothing is rented until there \
         is: free some space there", .0.display()
    )]
    Full(PathBuf),
    /// May not be written to.
    #[error(
        "{} cannot be written to (read-only, or not this user's); make it writable for the user that runs sublet, \
         or choose another data folder (--data)", .0.display()
    )]
    ReadOnly(PathBuf),
    /// The disk failed, or the file could not be opened.
    #[error(
        "{} could not be read or written: {source}; check the disk and the folder's permissions", .path.display()
    )]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A pinned value would change.
    #[error(
        "what was pinned as `{key}` would change; if the marketplace really has a new payment key, remove the old \
         pin first"
    )]
    PinnedOtherwise {
        /// Which.
        key: String,
    },
    /// A value has no written form: a bug here.
    #[error("something could not be written down ({0}), so it was not kept; please report this")]
    NotJson(#[from] serde_json::Error),
    /// Anything else that SQLite answers: a bug here, or another program holds the database.
    #[error(
        "the database {} refused a request: {source}; if another program has it open, close that", .path.display()
    )]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Sorts what the system said about `path`.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly(path)
            }
            _ => Self::Io { path, source },
        }
    }

    /// Sorts what SQLite said about the database at `path`.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let owned = path.to_owned();
        if let Some(failure) = source.sqlite_error()
            && failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
        {
            // What SQLite answers when there is no room for the log's index.
            return Self::Full(owned);
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(owned),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(owned),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path: owned,
                detail: source.to_string(),
            },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io {
                path: owned,
                source: io::Error::other(source.to_string()),
            },
            _ => Self::Database {
                path: owned,
                source,
            },
        }
    }
}
