//! Brings an image by digest, and tells a missing one from a forged one and from a registry out of reach. An image
//! that takes more of the disk than its owner allows is stopped while it comes, by what the engine tells of its
//! layers and by what goes of the disk.

use super::disk::{EVERY, Room};
use super::socket::{ASK, SILENCE, within};
use super::{DiskLimits, Sandbox, SandboxError};
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Instant;
use sublet_protocol::job::ImageRef;
use tokio::time::MissedTickBehavior;

const PULL: &str = "pull the image";

impl Sandbox {
    /// Brings an image, unless it is here already. `on_progress` is told how many bytes of how many are loaded; the
    /// total grows while the engine finds out about further layers. Dropping the future stops the pull as soon as
    /// the engine has more to tell; layers that are complete stay, so the next pull goes on from there.
    ///
    /// # Errors
    /// [`SandboxError::ImageNotFound`], [`SandboxError::ImageTampered`], [`SandboxError::RegistryUnreachable`],
    /// [`SandboxError::NotAccepted`] for an image of another platform or one beyond the owner's bounds,
    /// [`SandboxError::DiskReserved`], [`SandboxError::Timeout`] after a minute without any news,
    /// [`SandboxError::DockerUnavailable`].
    pub async fn pull(
        &self,
        image: &ImageRef,
        mut on_progress: impl FnMut(u64, u64),
    ) -> Result<(), SandboxError> {
        if self.has(image).await? {
            return self.note_use(image, false).await;
        }
        self.make_room().await?;
        self.check_reserve()?;
        let growth = Growth {
            before: self.free(),
        };
        let options = CreateImageOptionsBuilder::default()
            .from_image(image.name())
            .tag(image.digest())
            .build();
        let mut news = pin!(self.docker.create_image(Some(options), None, None));
        let mut layers = Layers::default();
        let mut looks = tokio::time::interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        // Dropping the stream, on any way out of here, ends the engine's work on it.
        loop {
            let item = tokio::select! {
                biased;
                _ = looks.tick() => {
                    self.check_reserve()?;
                    growth.check(self, &layers)?;
                    if heard.elapsed() > SILENCE {
                        return Err(SandboxError::Timeout { what: PULL, after: SILENCE });
                    }
                    continue;
                }
                item = news.next() => item,
            };
            heard = Instant::now();
            match item {
                None => break,
                Some(Ok(info)) => {
                    if let Some((done, total)) = layers.take(&info) {
                        on_progress(done, total);
                    }
                    layers.check(&self.disk)?;
                }
                Some(Err(error)) => {
                    let error = SandboxError::from_docker(PULL, SILENCE, error);
                    return Err(sort(image, error));
                }
            }
        }
        if self.has(image).await? {
            self.note_use(image, true).await?;
            self.check_size(image).await
        } else {
            Err(SandboxError::Other {
                what: PULL,
                status: None,
                why: format!("it reported no error, yet {image} is not here"),
            })
        }
    }

    /// The last word: what the engine says that it takes, now that it is here.
    async fn check_size(&self, image: &ImageRef) -> Result<(), SandboxError> {
        let call = self.docker.inspect_image(image.as_str());
        let found = within("look at the image", ASK, call).await?;
        let bytes = found.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        if bytes <= self.disk.image_bytes {
            return Ok(());
        }
        self.forget_image(image).await?;
        too_large(format!("takes {bytes} bytes"), self.disk.image_bytes)
    }

    async fn has(&self, image: &ImageRef) -> Result<bool, SandboxError> {
        Ok(self.image_volumes(image).await?.is_some())
    }

    /// The folders that an image declares as volumes; none where it is not here.
    pub(super) async fn image_volumes(
        &self,
        image: &ImageRef,
    ) -> Result<Option<Vec<String>>, SandboxError> {
        let call = self.docker.inspect_image(image.as_str());
        match within("look for the image", ASK, call).await {
            Ok(found) => Ok(Some(
                found
                    .config
                    .and_then(|config| config.volumes)
                    .unwrap_or_default(),
            )),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What of the disk went since a pull began. Another program's writing counts too: better a job refused here, and
/// given to another rig, than a disk that is full.
struct Growth {
    before: Option<Room>,
}

impl Growth {
    fn check(&self, sandbox: &Sandbox, layers: &Layers) -> Result<(), SandboxError> {
        let (Some(before), Some(now)) = (self.before, sandbox.free()) else {
            return Ok(());
        };
        let disk = &sandbox.disk;
        // Packed layers lie there beside what they unpack to.
        let most = Room {
            bytes: disk.image_bytes.saturating_add(layers.sums().0),
            files: disk.image_files,
        };
        let went = before.less(now);
        if !went.exceeds(most) {
            return Ok(());
        }
        if went.files > most.files {
            return Err(SandboxError::NotAccepted {
                why: format!("its image unpacks to more than {} files", most.files),
            });
        }
        too_large(
            format!("takes {} bytes and more", went.bytes),
            disk.image_bytes,
        )
    }
}

fn too_large<T>(what: String, most: u64) -> Result<T, SandboxError> {
    Err(SandboxError::NotAccepted {
        why: format!("its image {what}; the owner allows {most}"),
    })
}

/// What the engine has told of the layers.
#[derive(Default)]
struct Layers {
    /// All that it named.
    named: HashSet<String>,
    /// Bytes that are here, and bytes in all, of those that it has begun to fetch.
    fetched: HashMap<String, (u64, u64)>,
}

impl Layers {
    /// Bytes that are here, and bytes in all, as far as they are known.
    fn sums(&self) -> (u64, u64) {
        let all = self.fetched.values();
        all.fold((0, 0), |(done, total), (d, t)| {
            (done.saturating_add(*d), total.saturating_add(*t))
        })
    }

    fn check(&self, disk: &DiskLimits) -> Result<(), SandboxError> {
        if self.named.len() > disk.image_layers {
            return Err(SandboxError::NotAccepted {
                why: format!(
                    "its image has {} layers and more; the owner allows {}",
                    self.named.len(),
                    disk.image_layers
                ),
            });
        }
        let (_, total) = self.sums();
        if total > disk.image_packed_bytes {
            return too_large(
                format!("has {total} bytes to fetch and more"),
                disk.image_packed_bytes,
            );
        }
        Ok(())
    }

    /// The sums over all layers, where this piece of news changes them.
    fn take(&mut self, info: &CreateImageInfo) -> Option<(u64, u64)> {
        let id = info.id.as_ref()?;
        match info.status.as_deref()? {
            "Pulling fs layer" | "Already exists" => {
                self.named.insert(id.clone());
                return None;
            }
            "Downloading" => {
                let detail = info.progress_detail.as_ref()?;
                let now = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
                let current = now(detail.current)?;
                let total = now(detail.total).unwrap_or(current).max(current);
                self.fetched.insert(id.clone(), (current, total));
            }
            "Download complete" => {
                let (current, total) = self.fetched.get_mut(id)?;
                *current = *total;
            }
            _ => return None,
        }
        Some(self.sums())
    }
}

/// What the engine's words about a failed pull mean.
fn sort(image: &ImageRef, error: SandboxError) -> SandboxError {
    let SandboxError::Other { status, why, what } = error else {
        return error;
    };
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let image = image.to_string();
    if says(&["verification failed for digest"]) {
        SandboxError::ImageTampered { image, why }
    } else if says(&["no matching manifest for"]) {
        SandboxError::NotAccepted {
            why: format!("the image {image} was not built for this machine ({why})"),
        }
    } else if says(&[
        "manifest unknown",
        "name unknown",
        "not found",
        "does not exist",
        "pull access denied",
        "unauthorized",
    ]) || status == Some(404)
    {
        SandboxError::ImageNotFound { image, why }
    } else if says(&[
        "connection refused",
        "connection reset",
        "no such host",
        "i/o timeout",
        "network is unreachable",
        "no route to host",
        "TLS handshake",
        "certificate",
        "server gave HTTP response",
        "Client.Timeout",
        "unexpected EOF",
        "received unexpected HTTP status",
    ]) {
        SandboxError::RegistryUnreachable { image, why }
    } else {
        SandboxError::Other { what, status, why }
    }
}
