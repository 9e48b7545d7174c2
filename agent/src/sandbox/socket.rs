//! The connection to the engine on this machine; every call over it has an end.

use super::SandboxError;
use super::disk::{DiskLimits, visible_root};
use super::facts::{HostCapacity, capacity};
use crate::rehearsal;
use bollard::Docker;
use bollard::errors::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// For questions, which the engine answers from memory.
pub(super) const ASK: Duration = Duration::from_secs(10);
/// For changes, which may wait for a disk or for a process to die.
pub(super) const ACT: Duration = Duration::from_secs(30);
/// For streams: the longest silence between two items.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Runs jobs in containers of the Docker engine on this machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(super) docker: Docker,
    pub(super) capacity: HostCapacity,
    pub(super) disk: DiskLimits,
    /// Where Docker's data can be seen from here, if they can.
    pub(super) root: Option<PathBuf>,
    /// One start at a time: Docker starts a container that has ended once more, so nobody may start what another
    /// has just started.
    pub(super) starting: Arc<Mutex<()>>,
}

impl Sandbox {
    /// Connects to the engine that `DOCKER_HOST` names, else to the default socket (on Windows the default pipe).
    /// Once connected, it stays usable when Docker restarts.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`] where nothing answers, [`SandboxError::DockerElsewhere`] for an engine
    /// on another machine, [`SandboxError::Timeout`].
    pub async fn connect() -> Result<Self, SandboxError> {
        let set = std::env::var("DOCKER_HOST").ok().filter(|h| !h.is_empty());
        Self::connect_to(set.as_deref().unwrap_or(DEFAULT)).await
    }

    /// Connects to the engine at `host`: `unix://…`, on Windows `npipe://…`.
    ///
    /// # Errors
    /// As [`Sandbox::connect`].
    pub async fn connect_to(host: &str) -> Result<Self, SandboxError> {
        if !host.starts_with(SCHEME) {
            return Err(SandboxError::DockerElsewhere {
                host: host.to_owned(),
            });
        }
        let what = "say its version";
        let docker =
            Docker::connect_with_local(host, ACT.as_secs() * 4, bollard::API_DEFAULT_VERSION)
                .map_err(|error| SandboxError::from_docker(what, ASK, error))?;
        let docker = within(what, ASK, docker.negotiate_version()).await?;
        let info = within("describe itself", ASK, docker.info()).await?;
        Ok(Self {
            docker,
            capacity: capacity(&info),
            disk: DiskLimits::default(),
            root: visible_root(&info),
            starting: Arc::default(),
        })
    }
}

#[cfg(unix)]
const SCHEME: &str = "unix://";
#[cfg(unix)]
const DEFAULT: &str = "unix:///var/run/docker.sock";
#[cfg(windows)]
const SCHEME: &str = "npipe://";
#[cfg(windows)]
const DEFAULT: &str = "npipe:////./pipe/docker_engine";

/// Waits for a call at most so long, and sorts its errors. `what` completes "Docker could not …".
pub(super) async fn within<T>(
    what: &'static str,
    after: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, SandboxError> {
    rehearsal::outside("docker", what, "asked");
    let answer = tokio::time::timeout(after, call).await;
    rehearsal::outside("docker", what, "answered");
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(SandboxError::from_docker(what, after, error)),
        Err(_) => Err(SandboxError::Timeout { what, after }),
    }
}
