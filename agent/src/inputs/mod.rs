//! Files by their CID, kept on this machine: what jobs read, and what they go on from. A file under its name is whole
//! and right. One that is still coming has another name, outlives the agent, and is gone on with.
//!
//! The ones that were not used for longest go when all together pass their bound, or the disk gets short.

mod incoming;
mod room;

pub use incoming::Incoming;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use sublet_protocol::blob::BlobId;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A file that was used so recently may be about to be handed to a job.
const FRESH: Duration = Duration::from_secs(600);
/// What the name of a file that is still coming ends in.
const PART: &str = ".part";

/// How much of the disk may be taken.
#[derive(Debug, Clone, Copy)]
pub struct InputLimits {
    /// Bytes of all files together, and so of the largest one.
    pub cache_bytes: u64,
    /// Bytes that stay free, whatever jobs want.
    pub reserve_bytes: u64,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self {
            cache_bytes: 40 << 30,
            reserve_bytes: 5 << 30,
        }
    }
}

/// Why a file cannot be kept here.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The folder cannot be written or read.
    #[error("cannot keep inputs in {}: {source}. Check that the disk has room and the folder is writable", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no room for it, whatever goes.
    #[error(
        "an input of {bytes} bytes does not fit: this rig keeps {cache_bytes} bytes of inputs, and {reserve_bytes} bytes of the disk free for its owner"
    )]
    NoRoom {
        /// What it takes.
        bytes: u64,
        /// What all may take.
        cache_bytes: u64,
        /// What stays free.
        reserve_bytes: u64,
    },
    /// What came is something else.
    #[error("what came for the input {wanted} has the CID {found}; it was thrown away")]
    Tampered {
        /// What was asked for.
        wanted: BlobId,
        /// What came.
        found: BlobId,
    },
    /// More came than there is.
    #[error("more than the {length} bytes of the input came; they were thrown away")]
    TooLong {
        /// How long it was said to be.
        length: u64,
    },
}

/// The folder that they are kept in.
#[derive(Debug, Clone)]
pub struct InputStore {
    folder: PathBuf,
    limits: InputLimits,
    /// One file comes at a time: two leases may want the same one.
    coming: Arc<Mutex<()>>,
}

impl InputStore {
    /// A store in a folder, which is made when something first comes.
    pub fn new(folder: PathBuf, limits: InputLimits) -> Self {
        Self {
            folder,
            limits,
            coming: Arc::default(),
        }
    }

    /// Waits until no other file is coming.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        self.coming.clone().lock_owned().await
    }

    /// Where a file lies, once it is here.
    pub fn path(&self, cid: &BlobId) -> PathBuf {
        self.folder.join(cid.to_string())
    }

    /// The file, if it is here, with its length; it counts as used now.
    ///
    /// # Errors
    /// [`InputError::Disk`].
    pub fn find(&self, cid: &BlobId) -> Result<Option<(PathBuf, u64)>, InputError> {
        let path = self.path(cid);
        let found = std::fs::OpenOptions::new().append(true).open(&path);
        let file = match found {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(disk(&path, source)),
        };
        let length = file.metadata().map_err(|e| disk(&path, e))?.len();
        file.set_modified(SystemTime::now())
            .map_err(|e| disk(&path, e))?;
        Ok(Some((path, length)))
    }

    /// Begins to take a file in, or goes on with what has come of it before, and makes room for the rest. Reads what is
    /// there, so it takes its time.
    ///
    /// # Errors
    /// [`InputError::NoRoom`], [`InputError::Disk`].
    pub fn begin(
        &self,
        cid: &BlobId,
        length: u64,
        turn: OwnedMutexGuard<()>,
    ) -> Result<Incoming, InputError> {
        make_folder(&self.folder).map_err(|e| disk(&self.folder, e))?;
        let part = self.folder.join(format!("{cid}{PART}"));
        let has = std::fs::metadata(&part).map_or(0, |meta| meta.len());
        self.make_room(&part, length, length.saturating_sub(has))?;
        Incoming::open(*cid, length, part, self.path(cid), turn)
    }

    /// Removes the files that were not used for longest, until one of `length` bytes, of which `coming` are not here
    /// yet, has room.
    fn make_room(&self, part: &Path, length: u64, coming: u64) -> Result<(), InputError> {
        let most = self.limits.cache_bytes;
        let mut kept = self.kept(part)?;
        kept.sort_by_key(|kept| kept.used);
        let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
        let mut kept = kept.into_iter();
        loop {
            let least = self.limits.reserve_bytes.saturating_add(coming);
            let short = room::free_bytes(&self.folder).is_some_and(|free| free < least);
            if !short && total.saturating_add(length) <= most {
                return Ok(());
            }
            let oldest = kept.next().filter(|oldest| {
                let age = oldest.used.elapsed();
                age.is_ok_and(|age| age > FRESH)
            });
            let Some(oldest) = oldest else {
                return Err(InputError::NoRoom {
                    bytes: length,
                    cache_bytes: most,
                    reserve_bytes: self.limits.reserve_bytes,
                });
            };
            std::fs::remove_file(&oldest.path).map_err(|e| disk(&oldest.path, e))?;
            tracing::info!(file = %oldest.path.display(), bytes = oldest.bytes, "an input made room");
            total = total.saturating_sub(oldest.bytes);
        }
    }

    /// All that is here but one.
    fn kept(&self, but: &Path) -> Result<Vec<Kept>, InputError> {
        let failed = |source| disk(&self.folder, source);
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let meta = entry.metadata().map_err(failed)?;
            let path = entry.path();
            if path != but && meta.is_file() {
                kept.push(Kept {
                    path,
                    bytes: meta.len(),
                    used: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(kept)
    }
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

fn disk(path: &Path, source: std::io::Error) -> InputError {
    InputError::Disk {
        path: path.to_owned(),
        source,
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
