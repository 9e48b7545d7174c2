//! What a job is given: its inputs, and what it goes on from; and what it leaves for the next rig.
//!
//! All of it travels through the container that is never started, so that no path of this machine is part of a job, and
//! the job's own container is not held up.

use super::names;
use super::outputs::{disk, make_folder, sync_folder};
use super::pipe::{Archive, Sink};
use super::sift::{SiftError, Sifted, sift};
use super::socket::{ASK, within};
use super::volume::{CHECKPOINT, INPUTS, KEPT};
use super::{Sandbox, SandboxError};
use bollard::query_parameters::ContainerArchiveInfoOptionsBuilder;
use std::io::Write;
use std::path::{Path, PathBuf};
use sublet_protocol::blob::{BlobHasher, BlobId};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::job::JobSpec;
use tokio::sync::mpsc;

const GIVE: &str = "hand the job its files";
const SEAL: &str = "seal the checkpoint";
/// How often a folder is read again that changed meanwhile.
const TRIES: u32 = 5;

/// What a job finds when it starts, as files of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Its inputs: each with the path that the job knows it by.
    pub inputs: Vec<(String, PathBuf)>,
    /// The archive of the checkpoint that it goes on from.
    pub checkpoint: Option<PathBuf>,
}

/// A checkpoint, kept on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCheckpoint {
    /// The archive's content.
    pub cid: BlobId,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where it lies.
    pub file: PathBuf,
}

impl Sandbox {
    /// Fills a job's folders, before it is started. Doing it twice does no harm.
    pub(super) async fn fill(
        &self,
        spec: &JobSpec,
        lease: &LeaseId,
        content: &Content,
        most_bytes: u64,
    ) -> Result<(), SandboxError> {
        let container = names::preparer(lease);
        if !spec.inputs.is_empty() {
            let inputs = content.inputs.clone();
            self.check_room(total(&inputs)?)?;
            let write = move |sink: &mut Sink| give(&inputs, sink);
            self.unpack_into(GIVE, &container, INPUTS, write).await?;
        }
        let (Some(_), Some(archive)) = (&spec.checkpoint, content.checkpoint.clone()) else {
            return Ok(());
        };
        let (checked, file) = (archive.clone(), archive.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let file = std::fs::File::open(&checked).map_err(SiftError::Broken)?;
            sift(
                std::io::BufReader::new(file),
                &mut std::io::sink(),
                None,
                most_bytes,
            )
        });
        match looked.await {
            Ok(Ok(sifted)) => self.check_room(sifted.bytes)?,
            // Another rig made it, and nobody answers for that: the job begins where it began before.
            Ok(Err(error)) => {
                tracing::warn!(%lease, %error, "a checkpoint is of no use; the job starts without it");
                return Ok(());
            }
            Err(stopped) => return Err(broken(GIVE, &stopped)),
        }
        let write = move |sink: &mut Sink| {
            let file = std::fs::File::open(&file)?;
            let sifted = sift(std::io::BufReader::new(file), sink, None, most_bytes);
            sifted.map(drop).map_err(std::io::Error::other)
        };
        let folder = format!("{KEPT}/{CHECKPOINT}");
        self.unpack_into(GIVE, &container, &folder, write).await
    }

    /// Seals what lies in a job's checkpoint folder, whether or not the job still runs, into `file`. None where there
    /// is nothing to keep. What the job writes meanwhile is not mixed in: where the folder changed while more than one
    /// file of it was read, it is read again.
    ///
    /// # Errors
    /// [`SandboxError::CheckpointRefused`] for one that is too large, has too many files, or never stands still;
    /// [`SandboxError::Disk`], [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn seal_checkpoint(
        &self,
        lease: &LeaseId,
        file: &Path,
        most_bytes: u64,
    ) -> Result<Option<SealedCheckpoint>, SandboxError> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let before = self.changed_at(lease).await?;
            let (sifted, sealed) = match self.seal_once(lease, file, most_bytes).await {
                Err(SandboxError::CheckpointChanged { why: spoiled }) => {
                    why = spoiled;
                    continue;
                }
                outcome => outcome?,
            };
            if sifted.left_out > 0 {
                tracing::debug!(%lease, left_out = sifted.left_out, "what is no plain file is not kept");
            }
            match sifted.files {
                0 => return Ok(None),
                1 => return Ok(Some(sealed)),
                _ if before == self.changed_at(lease).await? => return Ok(Some(sealed)),
                _ => "files came and went while they were read".clone_into(&mut why),
            }
        }
        Err(SandboxError::CheckpointRefused { why })
    }

    async fn seal_once(
        &self,
        lease: &LeaseId,
        file: &Path,
        most_bytes: u64,
    ) -> Result<(Sifted, SealedCheckpoint), SandboxError> {
        if let Some(folder) = file.parent() {
            make_folder(folder).map_err(|source| disk(folder, source))?;
        }
        let (sender, receiver) = mpsc::channel(4);
        let target = file.to_owned();
        let sealing =
            tokio::task::spawn_blocking(move || seal(Archive::new(receiver), &target, most_bytes));
        let path = format!("{KEPT}/{CHECKPOINT}");
        let sent = self
            .send_archive(&names::preparer(lease), &path, sender)
            .await;
        let sealed = sealing.await.map_err(|stopped| broken(SEAL, &stopped))?;
        match (sealed, sent) {
            // Where the reader refused, the sender only noticed that nobody listens.
            (Err(refused @ SandboxError::CheckpointRefused { .. }), _) => Err(refused),
            (_, Err(error)) if error.status() == Some(404) => Err(SandboxError::Gone {
                lease: lease.to_string(),
            }),
            // Docker cannot go on with a file that grows or shrinks while it reads it.
            (_, Err(SandboxError::Other { why, .. })) => {
                Err(SandboxError::CheckpointChanged { why })
            }
            (_, Err(error)) => Err(error),
            (sealed, Ok(())) => sealed,
        }
    }

    /// When a name in the checkpoint folder last came or went.
    async fn changed_at(&self, lease: &LeaseId) -> Result<Option<String>, SandboxError> {
        let options = ContainerArchiveInfoOptionsBuilder::default()
            .path(&format!("{KEPT}/{CHECKPOINT}"))
            .build();
        let container = names::preparer(lease);
        let asked = self
            .docker
            .get_container_archive_info(&container, Some(options));
        match within(SEAL, ASK, asked).await {
            Ok(stat) => Ok(stat.modification_time),
            Err(error) if error.status() == Some(404) => Err(SandboxError::Gone {
                lease: lease.to_string(),
            }),
            Err(error) => Err(error),
        }
    }
}

fn broken(what: &'static str, why: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Other {
        what,
        status: None,
        why: why.to_string(),
    }
}

fn total(inputs: &[(String, PathBuf)]) -> Result<u64, SandboxError> {
    let mut total = 0_u64;
    for (_, file) in inputs {
        let meta = std::fs::metadata(file).map_err(|source| disk(file, source))?;
        total = total.saturating_add(meta.len());
    }
    Ok(total)
}

/// Inputs as an archive: root's, for all to read.
fn give(inputs: &[(String, PathBuf)], sink: &mut Sink) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(sink);
    for (path, file) in inputs {
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut bytes = std::fs::File::open(file)?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.metadata()?.len());
        header.set_mode(0o444);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        archive.append_data(&mut header, name, &mut bytes)?;
    }
    archive.finish()
}

/// Reads an archive of the checkpoint folder into a clean one.
fn seal(
    archive: Archive,
    file: &Path,
    most_bytes: u64,
) -> Result<(Sifted, SealedCheckpoint), SandboxError> {
    let failed = |source| disk(file, source);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut hashed = Hashed {
        file: std::io::BufWriter::new(options.open(file).map_err(failed)?),
        hasher: BlobHasher::default(),
        bytes: 0,
    };
    let sifted = sift(archive, &mut hashed, Some(CHECKPOINT), most_bytes);
    let sifted = sifted.map_err(|error| match error {
        SiftError::TooMuch(_) => SandboxError::CheckpointRefused {
            why: error.to_string(),
        },
        SiftError::Broken(_) => SandboxError::CheckpointChanged {
            why: error.to_string(),
        },
        SiftError::Unwritten(source) => failed(source),
    })?;
    let whole = hashed.file.into_inner();
    let whole = whole.map_err(|error| failed(error.into_error()))?;
    whole.sync_all().map_err(failed)?;
    if let Some(folder) = file.parent() {
        sync_folder(folder).map_err(failed)?;
    }
    let sealed = SealedCheckpoint {
        cid: hashed.hasher.finish(),
        bytes: hashed.bytes,
        file: file.to_owned(),
    };
    Ok((sifted, sealed))
}

struct Hashed<W> {
    file: W,
    hasher: BlobHasher,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
