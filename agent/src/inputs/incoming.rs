//! One file on its way: hashed while it is written, so that it has been read once, whatever its size.

use super::{InputError, disk};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use sublet_protocol::blob::{BlobHasher, BlobId};
use tokio::sync::OwnedMutexGuard;

/// A file that is coming. Its calls wait for the disk.
#[derive(Debug)]
pub struct Incoming {
    cid: BlobId,
    length: u64,
    part: PathBuf,
    whole: PathBuf,
    file: std::fs::File,
    hasher: Hasher,
    has: u64,
    /// How much of it was here before.
    found: u64,
    _turn: OwnedMutexGuard<()>,
}

/// Says nothing of itself.
struct Hasher(BlobHasher);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

impl Incoming {
    pub(super) fn open(
        cid: BlobId,
        length: u64,
        part: PathBuf,
        whole: PathBuf,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Self, InputError> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |source| disk(&part, source);
        let mut file = options.open(&part).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > length {
            file.set_len(0).map_err(failed)?;
        }
        let mut hasher = BlobHasher::default();
        let mut has = 0;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = file.read(&mut buffer).map_err(failed)?;
            let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
                break;
            };
            hasher.update(piece);
            has += piece.len() as u64;
        }
        Ok(Self {
            cid,
            length,
            part,
            whole,
            file,
            hasher: Hasher(hasher),
            has,
            found: has,
            _turn: turn,
        })
    }

    /// How many bytes are here: the next one to ask for.
    pub fn position(&self) -> u64 {
        self.has
    }

    /// Whether all bytes are here.
    pub fn is_complete(&self) -> bool {
        self.has == self.length
    }

    /// Whether some of it was here before it was begun: then a wrong hash may be this disk's fault.
    pub fn was_found(&self) -> bool {
        self.found > 0
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`InputError::Disk`], [`InputError::TooLong`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), InputError> {
        let has = self.has.saturating_add(piece.len() as u64);
        if has > self.length {
            return Err(InputError::TooLong {
                length: self.length,
            });
        }
        self.file
            .write_all(piece)
            .map_err(|source| disk(&self.part, source))?;
        self.hasher.0.update(piece);
        self.has = has;
        Ok(())
    }

    /// Throws away what came, and begins anew.
    ///
    /// # Errors
    /// [`InputError::Disk`].
    pub fn restart(&mut self) -> Result<(), InputError> {
        let failed = |source| disk(&self.part, source);
        self.file.set_len(0).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.hasher.0 = BlobHasher::default();
        (self.has, self.found) = (0, 0);
        Ok(())
    }

    /// Gives the file its name, if it is what the name says. What is not is thrown away.
    ///
    /// # Errors
    /// [`InputError::Tampered`], [`InputError::Disk`].
    pub fn finish(&mut self) -> Result<PathBuf, InputError> {
        let found = std::mem::take(&mut self.hasher.0).finish();
        if found != self.cid {
            self.restart()?;
            std::fs::remove_file(&self.part).map_err(|e| disk(&self.part, e))?;
            return Err(InputError::Tampered {
                wanted: self.cid,
                found,
            });
        }
        let failed = |source| disk(&self.part, source);
        self.file.sync_all().map_err(failed)?;
        std::fs::rename(&self.part, &self.whole).map_err(failed)?;
        sync_folder(&self.whole).map_err(failed)?;
        Ok(self.whole.clone())
    }
}

/// Makes a file's name last; on Windows it does so by itself.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = file.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(windows)]
    let _ = file;
    Ok(())
}
