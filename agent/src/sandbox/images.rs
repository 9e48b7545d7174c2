//! Brings an image by digest, and tells a missing one from a forged one and from a registry out of reach.

use super::socket::{ASK, SILENCE, within};
use super::{Sandbox, SandboxError};
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::pin::pin;
use sublet_protocol::job::ImageRef;

const PULL: &str = "pull the image";

impl Sandbox {
    /// Brings an image, unless it is here already. `on_progress` is told how many bytes of how many are loaded; the
    /// total grows while the engine finds out about further layers. Dropping the future stops the pull as soon as
    /// the engine has more to tell; layers that are complete stay, so the next pull goes on from there.
    ///
    /// # Errors
    /// [`SandboxError::ImageNotFound`], [`SandboxError::ImageTampered`], [`SandboxError::RegistryUnreachable`],
    /// [`SandboxError::NotAccepted`] for an image of another platform, [`SandboxError::Timeout`] after a minute
    /// without any news, [`SandboxError::DockerUnavailable`].
    pub async fn pull(
        &self,
        image: &ImageRef,
        mut on_progress: impl FnMut(u64, u64),
    ) -> Result<(), SandboxError> {
        if self.has(image).await? {
            return Ok(());
        }
        let options = CreateImageOptionsBuilder::default()
            .from_image(image.name())
            .tag(image.digest())
            .build();
        let mut news = pin!(self.docker.create_image(Some(options), None, None));
        let mut layers = Layers::default();
        loop {
            let item = tokio::time::timeout(SILENCE, news.next())
                .await
                .map_err(|_| SandboxError::Timeout {
                    what: PULL,
                    after: SILENCE,
                })?;
            match item {
                None => break,
                Some(Ok(info)) => {
                    if let Some((done, total)) = layers.take(&info) {
                        on_progress(done, total);
                    }
                }
                Some(Err(error)) => {
                    let error = SandboxError::from_docker(PULL, SILENCE, error);
                    return Err(sort(image, error));
                }
            }
        }
        if self.has(image).await? {
            Ok(())
        } else {
            Err(SandboxError::Other {
                what: PULL,
                status: None,
                why: format!("it reported no error, yet {image} is not here"),
            })
        }
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

/// Bytes of each layer, as far as the engine has told.
#[derive(Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    /// The sums over all layers, where this piece of news changes them.
    fn take(&mut self, info: &CreateImageInfo) -> Option<(u64, u64)> {
        let id = info.id.as_ref()?;
        match info.status.as_deref()? {
            "Downloading" => {
                let detail = info.progress_detail.as_ref()?;
                let now = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
                let current = now(detail.current)?;
                let total = now(detail.total).unwrap_or(current).max(current);
                self.0.insert(id.clone(), (current, total));
            }
            "Download complete" => {
                let (current, total) = self.0.get_mut(id)?;
                *current = *total;
            }
            _ => return None,
        }
        Some(
            self.0
                .values()
                .fold((0, 0), |(done, total), (d, t)| (done + d, total + t)),
        )
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
