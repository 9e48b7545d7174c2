//! Blobs: files named by their content. An upload is hashed while it streams into a temporary file, and gets its
//! name only when the bytes are those of the name; so a file under its name is always whole and right.

pub mod range;

use crate::fault::Fault;
use crate::rehearsal;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sublet_protocol::blob::{BlobHasher, BlobId};
use sublet_protocol::problem::ProblemCode;
use tokio::io::AsyncWriteExt;

/// How long an upload may stand still.
const STALL: Duration = Duration::from_secs(60);

/// A folder of blobs.
#[derive(Debug)]
pub struct BlobStore {
    folder: PathBuf,
    largest: u64,
}

impl BlobStore {
    /// Opens the folder, and clears away what an earlier run left half done.
    ///
    /// # Errors
    /// The folder cannot be made or cleared.
    pub async fn open(folder: PathBuf, largest: u64) -> Result<Self, Fault> {
        let halves = folder.join("incoming");
        match tokio::fs::remove_dir_all(&halves).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Fault::file(format!("clearing {}", halves.display()))(error));
            }
            _ => {}
        }
        tokio::fs::create_dir_all(&halves)
            .await
            .map_err(Fault::file(format!("making {}", halves.display())))?;
        Ok(Self { folder, largest })
    }

    /// Where a blob lies. Spread over folders by its last two letters, since its first ones are always the same.
    pub fn path(&self, id: &BlobId) -> PathBuf {
        let name = id.to_string();
        let spread = name.get(name.len().saturating_sub(2)..).unwrap_or("xx");
        self.folder.join(spread).join(&name)
    }

    /// Takes a blob from a stream, in bounded memory. Returns its length. A blob that is here already is read and
    /// checked all the same, and changes nothing.
    ///
    /// # Errors
    /// `cid_mismatch`, `too_large`, a stream that broke off or stood still: nothing is kept.
    pub async fn take<S, E>(&self, id: &BlobId, mut bytes: S) -> Result<u64, Fault>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: std::fmt::Display,
    {
        let incoming = self.folder.join("incoming");
        let failed = |what: &str| Fault::file(format!("{what} in {}", incoming.display()));
        // Its name is gone when the guard is dropped, however this ends.
        let (file, guard) = tempfile::NamedTempFile::new_in(&incoming)
            .map_err(failed("making a file"))?
            .into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let (mut hasher, mut length) = (BlobHasher::default(), 0u64);
        loop {
            let next = tokio::time::timeout(STALL, bytes.next()).await;
            let Ok(next) = next else {
                return Err(Fault::refused(
                    ProblemCode::BadRequest,
                    "The upload stood still for a minute and was given up. Send it again.",
                ));
            };
            let Some(chunk) = next else { break };
            let chunk = chunk.map_err(|error| {
                Fault::refused(
                    ProblemCode::BadRequest,
                    format!("The upload broke off ({error}). Send it again."),
                )
            })?;
            length = length.saturating_add(chunk.len() as u64);
            if length > self.largest {
                return Err(self.too_large());
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(failed("writing"))?;
        }
        let found = hasher.finish();
        if found != *id {
            return Err(Fault::refused(
                ProblemCode::CidMismatch,
                format!(
                    "{length} bytes came, and their CID is {found}, not {id}. Nothing was kept."
                ),
            ));
        }
        file.sync_all().await.map_err(failed("flushing"))?;
        let target = self.path(id);
        rehearsal::reach("blob:come");
        tokio::task::spawn_blocking(move || keep(guard, &target))
            .await
            .map_err(|error| failed("naming a file")(std::io::Error::other(error)))?
            .map_err(failed("naming a file"))?;
        rehearsal::reach("blob:kept");
        Ok(length)
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
}

fn keep(guard: tempfile::TempPath, target: &Path) -> std::io::Result<()> {
    let folder = target
        .parent()
        .ok_or_else(|| std::io::Error::other("a blob lies in a folder"))?;
    std::fs::create_dir_all(folder)?;
    guard.persist(target).map_err(|error| error.error)?;
    // The name itself must survive a power cut, or a settled lease could be without its output.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
