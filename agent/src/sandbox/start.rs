//! Starts a job, once.

use super::names::{self, LEASE, RIG};
use super::run::{state_of, time};
use super::socket::{ACT, ASK, within};
use super::{Content, Sandbox, SandboxError, SandboxTerms, profile};
use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions,
};
use std::time::{Duration, Instant};
use sublet_protocol::job::JobSpec;
use sublet_protocol::offer::HostLimits;

const START: &str = "start the job";

/// When a job began to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedAt {
    /// Unix time in ms, by the engine's clock.
    pub started_at_ms: u64,
}

impl Sandbox {
    /// Starts a job whose image is here. A job that was started before is not started again: one that runs, or has
    /// ended, keeps the time of its only start.
    ///
    /// # Errors
    /// Those of [`profile`]; [`SandboxError::ImageNotFound`] where the image was not pulled;
    /// [`SandboxError::CannotStart`] where there is no command; [`SandboxError::DeviceUnavailable`];
    /// [`SandboxError::DockerUnavailable`]; [`SandboxError::Timeout`].
    pub async fn start(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<StartedAt, SandboxError> {
        self.start_with(spec, terms, &Content::default(), |_| {})
            .await
    }

    /// As [`Sandbox::start`], with what the job finds in its folders; and tells the container's full id before it runs.
    ///
    /// # Errors
    /// Those of [`Sandbox::start`]; [`SandboxError::Disk`] where what it shall find cannot be read,
    /// [`SandboxError::DiskReserved`] where there is no room for it.
    pub async fn start_with(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
        content: &Content,
        made_as: impl FnOnce(&str),
    ) -> Result<StartedAt, SandboxError> {
        match self.inspect(&terms.lease).await {
            Ok(found) => {
                check_ours(&found, spec, terms)?;
                made_as(found.id.as_deref().unwrap_or_default());
                if let Some(started) = start_of(&found) {
                    return Ok(started);
                }
                // Made before a crash, which the preparing of its volume may not have survived.
                self.prepare_volumes(spec, terms, content).await?;
            }
            Err(SandboxError::Gone { .. }) => {
                self.check_reserve()?;
                // Nothing is made for a job that cannot be.
                let body = self.body(spec, terms).await?;
                let (made, prepared) = tokio::join!(
                    self.create(terms, body),
                    self.prepare_volumes(spec, terms, content)
                );
                made_as(&made?);
                prepared?;
            }
            Err(error) => return Err(error),
        }
        let _turn = self.starting.lock().await;
        if let Some(started) = start_of(&self.inspect(&terms.lease).await?) {
            return Ok(started);
        }
        let name = names::container(&terms.lease);
        let call = self
            .docker
            .start_container(&name, None::<StartContainerOptions>);
        within(START, ACT, call).await.map_err(why_not_started)?;
        let found = self.inspect(&terms.lease).await?;
        start_of(&found).ok_or_else(|| SandboxError::Other {
            what: START,
            status: None,
            why: "it reported no error, yet no time of start".into(),
        })
    }

    /// What the job's container shall be.
    pub(super) async fn body(
        &self,
        spec: &JobSpec,
        terms: &SandboxTerms,
    ) -> Result<ContainerCreateBody, SandboxError> {
        let volumes = self.image_volumes(&spec.image).await?;
        let volumes = volumes.ok_or_else(|| not_pulled(spec.image.to_string()))?;
        profile(spec, &self.within_capacity(terms), &volumes)
    }

    /// Makes the job's container, unless it is there; either way, its full id.
    pub(super) async fn create(
        &self,
        terms: &SandboxTerms,
        body: ContainerCreateBody,
    ) -> Result<String, SandboxError> {
        let name = names::container(&terms.lease);
        let image = body.image.clone().unwrap_or_default();
        match self.create_once(&name, body).await {
            Err(error) if error.status() == Some(404) => Err(not_pulled(image)),
            Err(SandboxError::Other {
                status: Some(400),
                why,
                ..
            }) => Err(if why.contains("No command specified") {
                SandboxError::CannotStart { why }
            } else {
                SandboxError::NotAccepted { why }
            }),
            answer => answer,
        }
    }

    /// Makes a container, or waits until the one of that name is made: Docker gives a name away first, and shows
    /// the container only once its volumes are as they should be.
    pub(super) async fn create_once(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, SandboxError> {
        let begun = Instant::now();
        loop {
            let options = CreateContainerOptionsBuilder::default().name(name).build();
            let call = self.docker.create_container(Some(options), body.clone());
            match within("create the container", ACT, call).await {
                Ok(made) => return Ok(made.id),
                Err(error) if error.status() == Some(409) && begun.elapsed() < ACT => {}
                Err(error) => return Err(error),
            }
            let call = self
                .docker
                .inspect_container(name, None::<InspectContainerOptions>);
            match within("look at the container", ASK, call).await {
                Ok(found) => return Ok(found.id.unwrap_or_default()),
                Err(error) if error.status() == Some(404) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Docker refuses a container that asks for more than the machine has; the owner's limits may be older than it.
    fn within_capacity(&self, terms: &SandboxTerms) -> SandboxTerms {
        let capacity = self.capacity();
        let limits = HostLimits {
            cpu_milli: terms.limits.cpu_milli.min(capacity.cpu_milli),
            memory_bytes: terms.limits.memory_bytes.min(capacity.memory_bytes),
            ..terms.limits
        };
        SandboxTerms {
            limits,
            ..terms.clone()
        }
    }
}

fn not_pulled(image: String) -> SandboxError {
    SandboxError::ImageNotFound {
        image,
        why: "it was not pulled, or was removed since".into(),
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
        return Ok(());
    }
    Err(SandboxError::Other {
        what: START,
        status: None,
        why: format!(
            "another container is called {}; remove it if you made it",
            names::container(&terms.lease)
        ),
    })
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

/// When it was started, where it was.
fn start_of(found: &ContainerInspectResponse) -> Option<StartedAt> {
    let started_at_ms = time(state_of(found)?.started_at.as_deref())?;
    Some(StartedAt { started_at_ms })
}
