//! Freezes, thaws, kills and awaits a job.

use super::names;
use super::probe::GVISOR;
use super::socket::{ACT, ASK, within};
use super::{Sandbox, SandboxError};
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::pin::pin;
use std::time::Duration;
use sublet_protocol::ids::LeaseId;

/// How long one wait for an exit lasts before the container is looked at again; the engine may restart meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 128 and the signal's number after a signal (137 after SIGKILL).
    pub code: i64,
    /// The kernel ended it for outgrowing its memory.
    pub oom_killed: bool,
    /// Unix time in ms, by the engine's clock.
    pub started_at_ms: u64,
    /// Unix time in ms, by the engine's clock.
    pub finished_at_ms: u64,
}

impl Sandbox {
    /// Stops every process of the job where it stands. GPU memory stays taken. Nothing to do for one that is frozen
    /// or has ended.
    ///
    /// # Errors
    /// [`SandboxError::Gone`], [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn freeze(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        let name = names::container(lease);
        let call = self.docker.pause_container(&name);
        settled(lease, within("freeze the job", ASK, call).await)
    }

    /// Lets a frozen job go on. Nothing to do for one that runs or has ended.
    ///
    /// # Errors
    /// [`SandboxError::Gone`], [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn thaw(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        let name = names::container(lease);
        let call = self.docker.unpause_container(&name);
        match within("thaw the job", ASK, call).await {
            // Docker answers so for a container that is not paused.
            Err(SandboxError::Other {
                status: Some(500),
                why,
                ..
            }) if why.contains("not paused") => Ok(()),
            answer => settled(lease, answer),
        }
    }

    /// Asks the job to end in order: its first process gets SIGTERM, after a frozen job was let go on. Nothing to do
    /// for one that has ended or is gone.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn interrupt(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        match self.thaw(lease).await {
            Err(SandboxError::Gone { .. }) => return Ok(()),
            answer => answer?,
        }
        self.signal("interrupt the job", ASK, lease, "SIGTERM")
            .await
    }

    /// Ends every process of the job at once, frozen or not. Nothing to do for one that has ended or is gone.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn kill(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        self.thaw_gvisor(lease).await?;
        self.signal("kill the job", ACT, lease, "SIGKILL").await
    }

    /// What stands still under gVisor takes ten seconds to be killed; once it goes on, a fifth of one.
    async fn thaw_gvisor(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        let found = match self.inspect(lease).await {
            Err(SandboxError::Gone { .. }) => return Ok(()),
            found => found?,
        };
        let runtime = found
            .host_config
            .as_ref()
            .and_then(|host| host.runtime.as_deref());
        let status = state_of(&found).and_then(|state| state.status);
        if runtime != Some(GVISOR) || status != Some(ContainerStateStatusEnum::PAUSED) {
            return Ok(());
        }
        match self.thaw(lease).await {
            Err(SandboxError::Gone { .. }) => Ok(()),
            thawed => thawed,
        }
    }

    async fn signal(
        &self,
        what: &'static str,
        after: Duration,
        lease: &LeaseId,
        signal: &str,
    ) -> Result<(), SandboxError> {
        let name = names::container(lease);
        let options = KillContainerOptionsBuilder::default()
            .signal(signal)
            .build();
        let call = self.docker.kill_container(&name, Some(options));
        match settled(lease, within(what, after, call).await) {
            Err(SandboxError::Gone { .. }) => Ok(()),
            answer => answer,
        }
    }

    /// Waits until the job has ended, however long that takes; at once where it has ended already.
    ///
    /// # Errors
    /// [`SandboxError::Gone`]; [`SandboxError::DockerUnavailable`] when the engine goes away meanwhile (the job may
    /// have ended with it: look again once it is back); [`SandboxError::Other`] for a job that never started.
    pub async fn wait(&self, lease: &LeaseId) -> Result<Exit, SandboxError> {
        let name = names::container(lease);
        loop {
            let found = self.inspect(lease).await?;
            let state = state_of(&found);
            if let Some(exit) = state.and_then(exit_of) {
                return Ok(exit);
            }
            if state.is_some_and(|s| s.status == Some(ContainerStateStatusEnum::CREATED)) {
                return Err(SandboxError::Other {
                    what: "wait for the job",
                    status: None,
                    why: "it was never started".into(),
                });
            }
            // The default condition returns at once where the exit has been; what it returns is read from the
            // container's state above, which also tells of memory and times.
            let options = WaitContainerOptionsBuilder::default()
                .condition("not-running")
                .build();
            let mut exits = pin!(self.docker.wait_container(&name, Some(options)));
            match tokio::time::timeout(LOOK_AGAIN, exits.next()).await {
                Err(_) | Ok(Some(Ok(_) | Err(Error::DockerContainerWaitError { .. }))) => {}
                // The next look tells whether the engine or the container is gone.
                Ok(None | Some(Err(_))) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The job's container.
    pub(super) async fn inspect(
        &self,
        lease: &LeaseId,
    ) -> Result<ContainerInspectResponse, SandboxError> {
        let name = names::container(lease);
        let call = self
            .docker
            .inspect_container(&name, None::<InspectContainerOptions>);
        within("look at the job", ASK, call)
            .await
            .map_err(|error| gone_if_404(lease, error))
    }
}

fn gone_if_404(lease: &LeaseId, error: SandboxError) -> SandboxError {
    if error.status() == Some(404) {
        SandboxError::Gone {
            lease: lease.to_string(),
        }
    } else {
        error
    }
}

/// An answer of "already so" (304, 409) is as good as done.
fn settled(lease: &LeaseId, answer: Result<(), SandboxError>) -> Result<(), SandboxError> {
    match answer {
        Err(error) if matches!(error.status(), Some(304 | 409)) => Ok(()),
        Err(error) => Err(gone_if_404(lease, error)),
        Ok(()) => Ok(()),
    }
}

pub(super) fn state_of(found: &ContainerInspectResponse) -> Option<&ContainerState> {
    found.state.as_ref()
}

/// How it ended, where it has ended after a start.
pub(super) fn exit_of(state: &ContainerState) -> Option<Exit> {
    use ContainerStateStatusEnum::{DEAD, EXITED};
    if !matches!(state.status, Some(EXITED | DEAD)) {
        return None;
    }
    Some(Exit {
        code: state.exit_code?,
        oom_killed: state.oom_killed.unwrap_or(false),
        started_at_ms: time(state.started_at.as_deref())?,
        finished_at_ms: time(state.finished_at.as_deref())?,
    })
}

/// Docker's time in Unix ms; none for the year 1, with which it says "never".
pub(super) fn time(text: Option<&str>) -> Option<u64> {
    let time: jiff::Timestamp = text?.parse().ok()?;
    u64::try_from(time.as_millisecond())
        .ok()
        .filter(|ms| *ms > 0)
}
