//! The data folder: made for its owner alone, held by one agent at a time.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::StoreError;

/// Makes the folder, with those above it, where it is missing; 0700 on Unix.
///
/// # Errors
/// What the system says.
pub fn make(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|source| StoreError::io(folder, source))
}

/// Takes the folder's lock. It lasts as long as the file handle, and ends with the process however that ends.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = open_private(&path).map_err(|source| StoreError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(StoreError::io(&path, source)),
    }
}

/// Opens a file for writing, made 0600 on Unix if missing; what it holds stays.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
