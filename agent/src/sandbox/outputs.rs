//! Takes a job's outputs out of its volume. The job wrote them, so nothing about them is believed: neither kind,
//! nor name, nor length.

use super::names;
use super::pipe::Archive;
use super::socket::SILENCE;
use super::{Sandbox, SandboxError};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use sublet_protocol::blob::BlobHasher;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::Output;
use tokio::sync::mpsc;

const COLLECT: &str = "hand over the outputs";

/// One output, kept on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// As the lease reports it.
    pub output: Output,
    /// Where its bytes lie.
    pub file: PathBuf,
}

/// Where [`Sandbox::collect`] puts the output at a place in the spec's order.
pub fn sealed_file(into: &Path, index: usize) -> PathBuf {
    into.join(format!("output-{index}"))
}

impl Sandbox {
    /// Copies the outputs that a job's spec names into `into`, which is made where it is missing, as `output-0`,
    /// `output-1` and so on in the spec's order, readable for this user only, and on disk when this returns. Files
    /// of an earlier try are replaced. `limit_bytes` is for all of them together.
    ///
    /// # Errors
    /// [`SandboxError::OutputRefused`] for one that is missing, not a plain file, or over the limit;
    /// [`SandboxError::Disk`]; [`SandboxError::Gone`]; [`SandboxError::DockerUnavailable`];
    /// [`SandboxError::Timeout`] after a minute without a byte.
    pub async fn collect(
        &self,
        lease: &LeaseId,
        spec: &JobSpec,
        into: &Path,
        limit_bytes: u64,
    ) -> Result<Vec<Collected>, SandboxError> {
        make_folder(into).map_err(|source| disk(into, source))?;
        let mut collected = Vec::with_capacity(spec.outputs.len());
        let mut left = limit_bytes;
        for (index, path) in spec.outputs.iter().enumerate() {
            let file = sealed_file(into, index);
            let output = self
                .collect_one(lease, path, &file, left, limit_bytes)
                .await?;
            left = left.saturating_sub(output.bytes);
            collected.push(Collected { output, file });
        }
        sync_folder(into).map_err(|source| disk(into, source))?;
        Ok(collected)
    }

    async fn collect_one(
        &self,
        lease: &LeaseId,
        path: &str,
        file: &Path,
        left: u64,
        limit: u64,
    ) -> Result<Output, SandboxError> {
        // The archive is read by a thread of its own. Should this future be dropped, the channel closes, and with it
        // the thread's reading ends.
        let (sender, receiver) = mpsc::channel(4);
        let unpacking = tokio::task::spawn_blocking({
            let (path, file) = (path.to_owned(), file.to_owned());
            move || unpack(Archive::new(receiver), &path, &file, left, limit)
        });
        let sent = self
            .send_archive(&names::container(lease), path, sender)
            .await
            .map_err(|error| absent(lease, path, error));
        let unpacked = unpacking.await.map_err(|stopped| SandboxError::Other {
            what: COLLECT,
            status: None,
            why: stopped.to_string(),
        })?;
        // Where the engine failed, that is the cause of whatever the reader says. Where the reader refused, the
        // sender only noticed that nobody listens, which is no error.
        sent?;
        unpacked
    }

    /// Sends what lies at a path of a container, as an archive. Ends early where nobody listens any more.
    pub(super) async fn send_archive(
        &self,
        container: &str,
        path: &str,
        sender: mpsc::Sender<Bytes>,
    ) -> Result<(), SandboxError> {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(path)
            .build();
        let mut pieces = pin!(
            self.docker
                .download_from_container(container, Some(options))
        );
        loop {
            let piece = tokio::time::timeout(SILENCE, pieces.next())
                .await
                .map_err(|_| SandboxError::Timeout {
                    what: COLLECT,
                    after: SILENCE,
                })?;
            let Some(piece) = piece else {
                return Ok(());
            };
            let piece = piece.map_err(|e| SandboxError::from_docker(COLLECT, SILENCE, e))?;
            if sender.send(piece).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn absent(lease: &LeaseId, path: &str, error: SandboxError) -> SandboxError {
    match error {
        SandboxError::Other {
            status: Some(404),
            why,
            ..
        } if why.contains("No such container") => {
            tracing::debug!(%lease, %why, "no container to collect from");
            SandboxError::Gone {
                lease: lease.to_string(),
            }
        }
        SandboxError::Other {
            status: Some(404), ..
        } => refused(path, "the job did not write it"),
        other => other,
    }
}

fn refused(path: &str, why: impl Into<String>) -> SandboxError {
    SandboxError::OutputRefused {
        path: path.to_owned(),
        why: why.into(),
    }
}

pub(super) fn disk(path: &Path, source: std::io::Error) -> SandboxError {
    SandboxError::Disk {
        path: path.to_owned(),
        source,
    }
}

/// Reads an archive that must hold one plain file and nothing else, into `file`.
fn unpack(
    archive: Archive,
    path: &str,
    file: &Path,
    left: u64,
    limit: u64,
) -> Result<Output, SandboxError> {
    let broken = |e: std::io::Error| SandboxError::Other {
        what: COLLECT,
        status: None,
        why: format!("the archive of {path} is broken: {e}"),
    };
    let too_large = || {
        refused(
            path,
            format!("with it the outputs are larger than the {limit} bytes that this rig keeps"),
        )
    };
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(broken)?;
    let mut entry = match entries.next() {
        Some(entry) => entry.map_err(broken)?,
        None => return Err(refused(path, "it is not a plain file but a socket")),
    };
    if let Some(kind) = unwelcome(entry.header().entry_type()) {
        return Err(refused(path, format!("it is not a plain file but {kind}")));
    }
    if entry.size() > left {
        return Err(too_large());
    }
    let mut target = create(file).map_err(|e| disk(file, e))?;
    let mut hasher = BlobHasher::default();
    let mut bytes = 0_u64;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = entry.read(&mut buffer).map_err(broken)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            break;
        };
        bytes += piece.len() as u64;
        if bytes > left {
            return Err(too_large());
        }
        hasher.update(piece);
        target.write_all(piece).map_err(|e| disk(file, e))?;
    }
    if bytes != entry.size() {
        return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
    }
    if entries.next().is_some() {
        return Err(refused(path, "it is more than one file"));
    }
    target.sync_all().map_err(|e| disk(file, e))?;
    Ok(Output {
        path: path.to_owned(),
        cid: hasher.finish(),
        bytes,
    })
}

/// What an entry is, where it is not a plain file.
fn unwelcome(kind: tar::EntryType) -> Option<&'static str> {
    use tar::EntryType;
    match kind {
        EntryType::Regular => None,
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Directory => Some("a folder"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a named pipe"),
        _ => Some("something else"),
    }
}

/// A fresh file for this user only; an earlier try's is replaced, never written through.
fn create(file: &Path) -> std::io::Result<std::fs::File> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the names in a folder last; on Windows they do so by themselves.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::fs::File::open(folder)?.sync_all();
    #[cfg(windows)]
    return folder.metadata().map(drop);
}
