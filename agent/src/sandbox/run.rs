//! Starts, freezes, thaws, kills and awaits a job.

use super::names::{self, LEASE, RIG};
use super::socket::{ACT, ASK, within};
use super::{Sandbox, SandboxError, SandboxTerms, profile};
use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::pin::pin;
use std::time::Duration;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::job::JobSpec;
use sublet_protocol::offer::HostLimits;

/// How long one wait for an exit lasts before the container is looked at again; the engine may restart meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// When a job began to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedAt {
    /// Unix time in ms, by the engine's clock.
    pub started_at_ms: u64,
}

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
    /// Starts a job whose image is here. A job that was started before is not started again: one that runs, or has
    /// ended, keeps the time of its only start.
    ///
    /// # Errors
    /// Those of [`profile`]; [`SandboxError::ImageNotFound`] where the image was not pulled;
    /// [`SandboxError::CannotStart`] where its command cannot run; [`SandboxError::DeviceUnavailable`];
    /// [`SandboxError::DockerUnavailable`]; [`SandboxError::Timeout`].
    pub async fn start(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<StartedAt, SandboxError> {
        let name = names::container(&terms.lease);
        let found = match self.inspect(&terms.lease).await {
            Ok(found) => found,
            Err(SandboxError::Gone { .. }) => {
                self.create(spec, terms).await?;
                self.inspect(&terms.lease).await?
            }
            Err(error) => return Err(error),
        };
        check_ours(&found, spec, terms)?;
        if let Some(started) = state_of(&found).and_then(|state| time(state.started_at.as_deref()))
        {
            return Ok(StartedAt {
                started_at_ms: started,
            });
        }
        let call = self
            .docker
            .start_container(&name, None::<StartContainerOptions>);
        within("start the job", ACT, call)
            .await
            .map_err(why_not_started)?;
        let found = self.inspect(&terms.lease).await?;
        let started = state_of(&found).and_then(|state| time(state.started_at.as_deref()));
        if !spec.outputs.is_empty()
            && let Err(error) = self.discard_preparer(&terms.lease).await
        {
            // The job runs; `remove` tries again.
            tracing::warn!(lease = %terms.lease, %error, "a leftover of the start stays for now");
        }
        started
            .map(|started_at_ms| StartedAt { started_at_ms })
            .ok_or_else(|| SandboxError::Other {
                what: "start the job",
                status: None,
                why: "it reported no error, yet no time of start".into(),
            })
    }

    pub(super) async fn create(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<(), SandboxError> {
        let missing = || SandboxError::ImageNotFound {
            image: spec.image.to_string(),
            why: "it was not pulled, or was removed since".into(),
        };
        let volumes = self.image_volumes(&spec.image).await?.ok_or_else(missing)?;
        let body = profile(spec, &self.within_capacity(terms).await?, &volumes)?;
        let options = CreateContainerOptionsBuilder::default()
            .name(&names::container(&terms.lease))
            .build();
        let volume = async {
            if spec.outputs.is_empty() {
                return Ok(());
            }
            self.prepare_volume(terms).await
        };
        let call = self.docker.create_container(Some(options), body);
        let (volume, made) = tokio::join!(volume, within("create the container", ACT, call));
        volume?;
        match made {
            Ok(_) => Ok(()),
            // Another call was quicker; the caller looks at what it made.
            Err(error) if error.status() == Some(409) => Ok(()),
            Err(error) if error.status() == Some(404) => Err(missing()),
            Err(SandboxError::Other {
                status: Some(400),
                why,
                ..
            }) if why.contains("No command specified") => Err(SandboxError::CannotStart { why }),
            Err(SandboxError::Other {
                status: Some(400),
                why,
                ..
            }) => Err(SandboxError::NotAccepted { why }),
            Err(error) => Err(error),
        }
    }

    /// Docker refuses a container that asks for more than the machine has; the owner's limits may be older than it.
    async fn within_capacity(&self, terms: &SandboxTerms) -> Result<SandboxTerms, SandboxError> {
        let capacity = self.capacity().await?;
        let limits = HostLimits {
            cpu_milli: terms.limits.cpu_milli.min(capacity.cpu_milli),
            memory_bytes: terms.limits.memory_bytes.min(capacity.memory_bytes),
            ..terms.limits
        };
        Ok(SandboxTerms {
            limits,
            ..terms.clone()
        })
    }

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

    /// Ends every process of the job at once, frozen or not. Nothing to do for one that has ended or is gone.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn kill(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        let name = names::container(lease);
        let options = KillContainerOptionsBuilder::default()
            .signal("SIGKILL")
            .build();
        let call = self.docker.kill_container(&name, Some(options));
        match settled(lease, within("kill the job", ACT, call).await) {
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
            if tokio::time::timeout(LOOK_AGAIN, exits.next()).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The job's container.
    pub(super) async fn inspect(
        &self,
        lease: &LeaseId,
    ) -> Result<ContainerInspectResponse, SandboxError> {
        let name = names::container(lease);
        let call = self.docker.inspect_container(
            &name,
            None::<bollard::query_parameters::InspectContainerOptions>,
        );
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

/// Refuses a container that has the name but is not this lease's.
fn check_ours(
    found: &ContainerInspectResponse,
    spec: &JobSpec,
    terms: &SandboxTerms,
) -> Result<(), SandboxError> {
    let config = found.config.as_ref();
    let labels = config.and_then(|config| config.labels.as_ref());
    let label = |name: &str| labels.and_then(|l| l.get(name)).map(String::as_str);
    let ours = label(RIG) == Some(terms.rig.as_str())
        && label(LEASE) == Some(terms.lease.as_str())
        && config.and_then(|c| c.image.as_deref()) == Some(spec.image.as_str());
    if ours {
        Ok(())
    } else {
        Err(SandboxError::Other {
            what: "start the job",
            status: None,
            why: format!(
                "another container is called {}; remove it if you made it",
                names::container(&terms.lease)
            ),
        })
    }
}

fn why_not_started(error: SandboxError) -> SandboxError {
    match error {
        SandboxError::Other { why, .. } if why.contains("could not select device driver") => {
            SandboxError::DeviceUnavailable { why }
        }
        // The engine blames the request, not itself: the command is not there or cannot be executed.
        SandboxError::Other {
            status: Some(400),
            why,
            ..
        } => SandboxError::CannotStart { why },
        other => other,
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
