//! Blobs: files named by their content. An upload is hashed while it streams into a file of its own, and gets its
//! name only when the bytes are those of the name; so a file under its name is always whole and right. What has come
//! of an upload that breaks off is kept for a while, also over a restart, and the upload goes on from there.

pub mod known;
pub mod orphans;
pub mod range;
mod turns;

use crate::fault::Fault;
use crate::rehearsal;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sublet_protocol::blob::{BlobHasher, BlobId};
use sublet_protocol::problem::ProblemCode;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use turns::Turns;

/// How long an upload may stand still.
const STALL: Duration = Duration::from_secs(60);
/// How long what has come of an upload is kept.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder of blobs.
#[derive(Debug)]
pub struct BlobStore {
    folder: PathBuf,
    largest: u64,
    turns: Turns,
    /// Held by whoever gives a file its name until its row is written, and alone by whoever takes files away.
    naming: Arc<RwLock<()>>,
}

/// A blob that has its name; until this is dropped, nobody takes it away.
pub struct Kept {
    /// How long it is, in bytes.
    pub bytes: u64,
    _named: OwnedRwLockReadGuard<()>,
}

/// Who uploads, as a text that is good for a file's name: two who upload the same never write to one file.
#[derive(Debug, Clone, Copy)]
pub enum Uploader<'a> {
    /// A rig, by its id.
    Rig(&'a str),
    /// A renter, by its id.
    Renter(&'a str),
}

impl BlobStore {
    /// Opens the folder, and clears away what nobody came back for.
    ///
    /// # Errors
    /// The folder cannot be made or cleared.
    pub async fn open(folder: PathBuf, largest: u64) -> Result<Self, Fault> {
        let store = Self {
            folder,
            largest,
            turns: Turns::default(),
            naming: Arc::default(),
        };
        let incoming = store.incoming();
        tokio::fs::create_dir_all(&incoming)
            .await
            .map_err(Fault::file(format!("making {}", incoming.display())))?;
        store.sweep().await?;
        Ok(store)
    }

    /// Where a blob lies. Spread over folders by its last two letters, since its first ones are always the same.
    pub fn path(&self, id: &BlobId) -> PathBuf {
        let name = id.to_string();
        let spread = name.get(name.len().saturating_sub(2)..).unwrap_or("xx");
        self.folder.join(spread).join(&name)
    }

    fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    fn part(&self, id: &BlobId, who: Uploader<'_>) -> PathBuf {
        let (kind, name) = match who {
            Uploader::Rig(name) => ("rig", name),
            Uploader::Renter(name) => ("renter", name),
        };
        self.incoming().join(format!("{id}.{kind}.{name}"))
    }

    /// Waits until nobody is giving a file its name, and lets nobody begin.
    pub async fn alone(&self) -> OwnedRwLockWriteGuard<()> {
        self.naming.clone().write_owned().await
    }

    /// How much has come of an upload that broke off, in bytes.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub async fn position(&self, id: &BlobId, who: Uploader<'_>) -> Result<u64, Fault> {
        let part = self.part(id, who);
        match tokio::fs::metadata(&part).await {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Fault::file(format!("looking at {}", part.display()))(error)),
        }
    }

    /// Takes a blob from a stream that begins at byte `from` of it, in bounded memory. A blob that
    /// is here already is read and checked all the same, and changes nothing. A newer upload of the same by the same
    /// ends an older one, which may be a connection that nobody is left at.
    ///
    /// # Errors
    /// `cid_mismatch`, `too_large`: nothing is kept. A stream that broke off or stood still: what came is kept.
    /// `conflict` where less than `from` bytes have come so far, or a newer upload took over.
    pub async fn take<S, E>(
        &self,
        id: &BlobId,
        who: Uploader<'_>,
        from: u64,
        mut bytes: S,
    ) -> Result<Kept, Fault>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: std::fmt::Display,
    {
        let part = self.part(id, who);
        let failed = |what: &str| Fault::file(format!("{what} {}", part.display()));
        let turn = self.turns.begin(&part).await.ok_or_else(taken_over)?;
        if from == 0 {
            self.sweep().await?;
        }
        let has = self.position(id, who).await?;
        if from > has {
            let detail = format!("{has} bytes of it are here; go on from there, not from {from}.");
            return Err(Fault::refused(ProblemCode::Conflict, detail));
        }
        if from > 0 {
            tracing::info!(cid = %id, from, "an upload goes on where it broke off");
        }
        let mut options = tokio::fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let mut file = options.open(&part).await.map_err(failed("opening"))?;
        file.set_len(from).await.map_err(failed("shortening"))?;
        let mut hasher = hash_of(&part, from).await.map_err(failed("reading"))?;
        let end = std::io::SeekFrom::Start(from);
        file.seek(end).await.map_err(failed("reading"))?;
        let mut length = from;
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(STALL, bytes.next()) => next,
                () = turn.is_over() => {
                    file.flush().await.map_err(failed("writing"))?;
                    return Err(taken_over());
                }
            };
            let broken = match next {
                Ok(None) => break,
                Ok(Some(Ok(chunk))) => {
                    length = length.saturating_add(chunk.len() as u64);
                    if length > self.largest {
                        remove(&part).await.map_err(failed("removing"))?;
                        return Err(self.too_large());
                    }
                    hasher.update(&chunk);
                    file.write_all(&chunk).await.map_err(failed("writing"))?;
                    continue;
                }
                Ok(Some(Err(error))) => format!("The upload broke off ({error})."),
                Err(_) => "The upload stood still for a minute and was given up.".to_owned(),
            };
            file.flush().await.map_err(failed("writing"))?;
            return Err(Fault::refused(
                ProblemCode::BadRequest,
                format!("{broken} {length} bytes of it are kept: go on from there."),
            ));
        }
        let found = hasher.finish();
        if found != *id {
            remove(&part).await.map_err(failed("removing"))?;
            return Err(Fault::refused(
                ProblemCode::CidMismatch,
                format!(
                    "{length} bytes came, and their CID is {found}, not {id}. Nothing was kept."
                ),
            ));
        }
        file.sync_all().await.map_err(failed("flushing"))?;
        let (source, target) = (part.clone(), self.path(id));
        rehearsal::reach("blob:come");
        let named = self.naming.clone().read_owned().await;
        tokio::task::spawn_blocking(move || keep(&source, &target))
            .await
            .map_err(|error| failed("naming")(std::io::Error::other(error)))?
            .map_err(failed("naming"))?;
        rehearsal::reach("blob:kept");
        Ok(Kept {
            bytes: length,
            _named: named,
        })
    }

    /// Refuses a length that is announced and too large.
    ///
    /// # Errors
    /// `too_large`.
    pub fn check_length(&self, announced: u64) -> Result<(), Fault> {
        if announced > self.largest {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    fn too_large(&self) -> Fault {
        Fault::refused(
            ProblemCode::TooLarge,
            format!("A blob has at most {} bytes here.", self.largest),
        )
    }

    /// Clears away what has come of uploads that nobody went on with.
    async fn sweep(&self) -> Result<(), Fault> {
        let incoming = self.incoming();
        let folder = incoming.clone();
        tokio::task::spawn_blocking(move || {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                // One that goes on meanwhile is younger; one that ended meanwhile is gone.
                let Ok(changed) = entry.metadata().and_then(|meta| meta.modified()) else {
                    continue;
                };
                if changed.elapsed().is_ok_and(|age| age > KEEP) {
                    remove_now(&entry.path())?;
                }
            }
            Ok(())
        })
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(Fault::file(format!("clearing {}", incoming.display())))
    }
}

fn taken_over() -> Fault {
    Fault::refused(
        ProblemCode::Conflict,
        "A newer upload of the same blob took over.",
    )
}

/// The hash of a file's beginning.
async fn hash_of(part: &Path, bytes: u64) -> std::io::Result<BlobHasher> {
    let part = part.to_owned();
    let reading = move || {
        let mut hasher = BlobHasher::default();
        if bytes == 0 {
            return Ok(hasher);
        }
        let mut file = std::fs::File::open(part)?.take(bytes);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    let read = tokio::task::spawn_blocking(reading).await;
    read.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

async fn remove(part: &Path) -> std::io::Result<()> {
    let part = part.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_now(&part)).await;
    removed.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

fn remove_now(part: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn keep(part: &Path, target: &Path) -> std::io::Result<()> {
    let folder = target
        .parent()
        .ok_or_else(|| std::io::Error::other("a blob lies in a folder"))?;
    std::fs::create_dir_all(folder)?;
    std::fs::rename(part, target)?;
    // The name itself must survive a power cut, or a settled lease could be without its output.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
