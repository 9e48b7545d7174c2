//! The disk that Docker lies on: what of it is never touched, and how much a job or an image may take of it.
//!
//! Docker's usual storage has no quota, so the room is watched: it costs one system call to see what is free. Where
//! more went than a job may have, the job's volume is measured, and only a job that has it is ended.

use super::names;
use super::pipe::Archive;
use super::socket::SILENCE;
use super::volume::KEPT;
use super::{Sandbox, SandboxError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use sublet_protocol::ids::LeaseId;
use tokio::sync::mpsc;

/// How often the room is looked at.
pub(super) const EVERY: Duration = Duration::from_millis(200);
/// Between two measurements where the room cannot be looked at, at least.
const BLIND: Duration = Duration::from_secs(5);
/// What a file takes at least.
const BLOCK: u64 = 4096;
/// Readings in a row that the job may spoil by changing what is read.
const SPOILED: u32 = 3;

/// The owner's bounds on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskLimits {
    /// Bytes that stay free, whatever jobs and images want.
    pub reserve_bytes: u64,
    /// Files that a job may have where its outputs lie.
    pub output_files: u64,
    /// Bytes of an image as it is sent: all its layers, packed.
    pub image_packed_bytes: u64,
    /// Bytes of an image as it lies on the disk.
    pub image_bytes: u64,
    /// Files of an image.
    pub image_files: u64,
    /// Layers of an image.
    pub image_layers: usize,
    /// Bytes of all images that were pulled for jobs; the ones that were not used for longest go first.
    pub cache_bytes: u64,
}

impl Default for DiskLimits {
    fn default() -> Self {
        Self {
            reserve_bytes: 5 << 30,
            output_files: 100_000,
            image_packed_bytes: 20 << 30,
            image_bytes: 50 << 30,
            image_files: 2_000_000,
            image_layers: 120,
            cache_bytes: 60 << 30,
        }
    }
}

/// So much of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub bytes: u64,
    pub files: u64,
}

impl Room {
    /// What is free where a folder lies; none where it cannot be seen from here.
    pub fn free(folder: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            let found = rustix::fs::statvfs(folder).ok()?;
            Some(Self {
                bytes: found.f_bavail.saturating_mul(found.f_frsize),
                // Some file systems make room for files as they come, and count none.
                files: if found.f_files == 0 {
                    u64::MAX
                } else {
                    found.f_favail
                },
            })
        }
        #[cfg(windows)]
        {
            // There Docker lies in a virtual machine, whose disk is not this one.
            let _ = folder;
            None
        }
    }

    /// What went between two looks.
    pub fn less(self, now: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(now.bytes),
            files: self.files.saturating_sub(now.files),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            files: self.files.saturating_add(other.files),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            files: self.files.max(other.files),
        }
    }

    pub fn exceeds(self, most: Self) -> bool {
        self.bytes > most.bytes || self.files > most.files
    }

    /// An eighth more, so that what others write beside the job is not measured each time.
    fn with_slack(self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(self.bytes / 8),
            files: self.files.saturating_add(self.files / 8),
        }
    }
}

/// Where Docker's data can be seen from here, if they can.
pub(super) fn visible_root(info: &bollard::models::SystemInfo) -> Option<PathBuf> {
    // That one runs in a virtual machine, and says a path of its own.
    if info.operating_system.as_deref()?.contains("Docker Desktop") {
        return None;
    }
    let root = PathBuf::from(info.docker_root_dir.as_deref()?);
    // The folder may be closed to us, and may be a disk of its own.
    let volumes = root.join("volumes");
    [volumes, root]
        .into_iter()
        .find(|path| Room::free(path).is_some())
}

/// What was found in a job's volume.
enum Measured {
    /// The job has no volume.
    Nothing,
    /// So much.
    Holds(Room),
    /// Something changed while it was read: at least so much.
    Spoiled(Room),
}

impl Sandbox {
    /// The same engine, with the owner's bounds on the disk.
    #[must_use]
    pub fn with_disk_limits(self, limits: DiskLimits) -> Self {
        Self {
            disk: limits,
            ..self
        }
    }

    /// What is free on Docker's disk, where that can be seen.
    pub(super) fn free(&self) -> Option<Room> {
        Room::free(self.root.as_deref()?)
    }

    /// Fails where the reserve has been reached.
    pub(super) fn check_reserve(&self) -> Result<(), SandboxError> {
        self.check_room(0)
    }

    /// Fails where so many bytes would reach into the reserve.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), SandboxError> {
        let least = self.disk.reserve_bytes.saturating_add(bytes);
        match self.free() {
            Some(free) if free.bytes < least => Err(SandboxError::DiskReserved {
                free_bytes: free.bytes,
                reserve_bytes: self.disk.reserve_bytes,
            }),
            _ => Ok(()),
        }
    }

    /// Watches the disk for a running job. Returns only once it has killed the job: because where its outputs lie
    /// there is more than `most_bytes` or more files than the owner allows, or because the disk's reserve was
    /// reached. Until it is seen a job can write for some 200 ms, and for as long as its volume takes to read; the
    /// reserve is there for that. Drop the future when the job has ended.
    pub async fn guard(&self, lease: &LeaseId, most_bytes: u64) -> SandboxError {
        let most = Room {
            bytes: most_bytes,
            files: self.disk.output_files,
        };
        let excess = self.excess(lease, most).await;
        tracing::warn!(%lease, %excess, "a job is stopped for the disk's sake");
        while let Err(error) = self.kill(lease).await {
            tracing::warn!(%lease, %error, "it could not be stopped; it is tried again");
            tokio::time::sleep(EVERY).await;
        }
        excess
    }

    async fn excess(&self, lease: &LeaseId, most: Room) -> SandboxError {
        let Some(mut base) = self.free() else {
            return self.excess_unseen(lease, most).await;
        };
        // After a restart of the agent the job may have written already.
        let mut holds = Room { bytes: 0, files: 0 };
        let mut spoiled = 0;
        let mut first = true;
        loop {
            if let Err(reached) = self.check_reserve() {
                return reached;
            }
            let now = self.free().unwrap_or(base);
            if first || holds.plus(base.less(now)).exceeds(most.with_slack()) {
                first = false;
                let measured = tokio::select! {
                    measured = self.measure(lease, most) => measured,
                    reached = self.reserve_reached() => return reached,
                };
                match measured {
                    Ok(Measured::Holds(room) | Measured::Spoiled(room)) if room.exceeds(most) => {
                        return self.too_much(most);
                    }
                    // It can write nothing but its log, which has a bound.
                    Ok(Measured::Nothing) => return std::future::pending().await,
                    Ok(Measured::Holds(room)) => (holds, base, spoiled) = (room, now, 0),
                    Ok(Measured::Spoiled(_)) => spoiled += 1,
                    Err(error) => {
                        tracing::debug!(%lease, %error, "where the outputs lie could not be read");
                        spoiled += 1;
                    }
                }
                if spoiled >= SPOILED {
                    return SandboxError::Unmeasured;
                }
            } else {
                // What others give back must not hide what the job takes.
                base = base.max(now);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn reserve_reached(&self) -> SandboxError {
        loop {
            if let Err(reached) = self.check_reserve() {
                return reached;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Where the room cannot be seen, what the job has is read again and again.
    async fn excess_unseen(&self, lease: &LeaseId, most: Room) -> SandboxError {
        let mut spoiled = 0;
        loop {
            let begun = Instant::now();
            match self.measure(lease, most).await {
                Ok(Measured::Holds(room) | Measured::Spoiled(room)) if room.exceeds(most) => {
                    return self.too_much(most);
                }
                Ok(Measured::Nothing) => return std::future::pending().await,
                Ok(Measured::Holds(_)) => spoiled = 0,
                Ok(Measured::Spoiled(_)) | Err(_) => spoiled += 1,
            }
            // Spoiled by chance is no fault here: nothing says that the disk is filling.
            if spoiled >= 10 * SPOILED {
                return SandboxError::Unmeasured;
            }
            tokio::time::sleep(BLIND.max(begun.elapsed() * 10)).await;
        }
    }

    fn too_much(&self, most: Room) -> SandboxError {
        SandboxError::DiskExceeded {
            bytes: most.bytes,
            files: most.files,
        }
    }

    /// Reads what lies in the volumes that a job writes, as an archive of the container that prepared them: the job's
    /// own would be locked for as long. Stops where it is more than `most`. A job that keeps nothing has no volume, and
    /// holds nothing.
    async fn measure(&self, lease: &LeaseId, most: Room) -> Result<Measured, SandboxError> {
        let (sender, receiver) = mpsc::channel(4);
        let counting = tokio::task::spawn_blocking(move || count(Archive::new(receiver), most));
        let sent = self
            .send_archive(&names::preparer(lease), KEPT, sender)
            .await;
        let counted = counting.await.map_err(|stopped| SandboxError::Other {
            what: "read where the outputs lie",
            status: None,
            why: stopped.to_string(),
        })?;
        match sent {
            Err(error) if error.status() == Some(404) => Ok(Measured::Nothing),
            Err(SandboxError::Timeout { .. }) => Err(SandboxError::Timeout {
                what: "read where the outputs lie",
                after: SILENCE,
            }),
            Err(error) => Err(error),
            Ok(()) => Ok(counted),
        }
    }
}

/// Adds up what an archive holds, until it is more than `most`.
fn count(archive: Archive, most: Room) -> Measured {
    let mut room = Room { bytes: 0, files: 0 };
    let mut archive = tar::Archive::new(archive);
    let Ok(entries) = archive.entries() else {
        return Measured::Spoiled(room);
    };
    for entry in entries {
        let Ok(entry) = entry else {
            return Measured::Spoiled(room);
        };
        let blocks = entry.size().div_ceil(BLOCK).max(1);
        room = room.plus(Room {
            bytes: blocks.saturating_mul(BLOCK),
            files: 1,
        });
        if room.exceeds(most) {
            break;
        }
    }
    Measured::Holds(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(bytes: u64, files: u64) -> Room {
        Room { bytes, files }
    }

    #[test]
    fn what_went_is_compared_by_bytes_and_by_files() {
        let most = room(1000, 10);
        assert!(!room(5000, 50).less(room(4000, 40)).exceeds(most));
        assert!(room(5000, 50).less(room(3999, 50)).exceeds(most));
        assert!(room(5000, 50).less(room(5000, 39)).exceeds(most));
        assert_eq!(room(1, 1).less(room(5, 5)), room(0, 0), "others gave back");
        assert!(!room(1120, 11).exceeds(most.with_slack()));
    }

    #[test]
    fn what_is_free_here_is_seen() {
        #[cfg(unix)]
        assert!(Room::free(Path::new("/")).is_some_and(|free| free.files > 0));
        assert_eq!(Room::free(Path::new("/no/such/folder")), None);
    }
}
