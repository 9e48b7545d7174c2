//! Finds what is here of a rig's leases, and clears it away.

use super::names::{self, LEASE, RIG, ROLE, Role};
use super::run::{Exit, exit_of, state_of, time};
use super::socket::{ACT, ASK, within};
use super::{Sandbox, SandboxError};
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use sublet_protocol::ids::{LeaseId, RigId};

/// How long Docker may take to let go of a thing that is being removed.
const LET_GO: Duration = Duration::from_secs(20);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundState {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Ended.
    Exited,
    /// No container of the job; only its volume, or what prepared it.
    OnlyRemains,
}

/// What is here of one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub lease: LeaseId,
    /// Where it stands.
    pub state: FoundState,
    /// Its container's full id.
    pub container: Option<String>,
    /// When it was started, Unix time in ms.
    pub started_at_ms: Option<u64>,
    /// When it ended, Unix time in ms.
    pub finished_at_ms: Option<u64>,
    /// How it ended.
    pub exit: Option<Exit>,
}

impl Sandbox {
    /// Everything that is here of a rig's leases, in the order of their ids.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn look(&self, rig: &RigId) -> Result<Vec<Found>, SandboxError> {
        let mut found = BTreeMap::new();
        for (lease, role) in self.labelled(rig).await? {
            if role == Role::Job.name() {
                match self.inspect(&lease).await {
                    Ok(container) => {
                        found.insert(lease.clone(), describe(lease, &container));
                        continue;
                    }
                    // Removed since it was listed; its volume may still be here.
                    Err(SandboxError::Gone { .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            found.entry(lease.clone()).or_insert(Found {
                lease,
                state: FoundState::OnlyRemains,
                container: None,
                started_at_ms: None,
                finished_at_ms: None,
                exit: None,
            });
        }
        Ok(found.into_values().collect())
    }

    /// Removes a lease's containers and volumes, outputs with them. Absent is fine.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`], [`SandboxError::Other`] where Docker will not
    /// let go of it.
    pub async fn remove(&self, lease: &LeaseId) -> Result<(), SandboxError> {
        self.remove_container(&names::container(lease)).await?;
        self.remove_container(&names::preparer(lease)).await?;
        let volumes = [
            ("remove the outputs", names::volume(lease)),
            ("remove the inputs", names::input_volume(lease)),
            ("remove the checkpoint", names::checkpoint_volume(lease)),
        ];
        for (what, volume) in volumes {
            let remove = || {
                self.docker
                    .remove_volume(&volume, None::<RemoveVolumeOptions>)
            };
            until_gone(what, remove).await?;
        }
        Ok(())
    }

    /// Removes everything of a rig: for uninstalling, and for tests.
    ///
    /// # Errors
    /// As [`Sandbox::remove`]; the first one, after all have been tried.
    pub async fn remove_all_of(&self, rig: &RigId) -> Result<(), SandboxError> {
        let mut outcome = Ok(());
        for (lease, _) in self.labelled(rig).await? {
            let removed = self.remove(&lease).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    pub(super) async fn remove_container(&self, name: &str) -> Result<(), SandboxError> {
        until_gone("remove the container", || {
            let options = RemoveContainerOptionsBuilder::default()
                .force(true)
                .v(true)
                .build();
            self.docker.remove_container(name, Some(options))
        })
        .await
    }

    /// Lease and role of everything with the rig's label.
    async fn labelled(&self, rig: &RigId) -> Result<Vec<(LeaseId, String)>, SandboxError> {
        let filters: HashMap<&str, Vec<String>> =
            HashMap::from([("label", vec![format!("{RIG}={rig}")])]);
        let containers = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let volumes = ListVolumesOptionsBuilder::default()
            .filters(&filters)
            .build();
        let what = "list the jobs";
        let containers = within(what, ASK, self.docker.list_containers(Some(containers))).await?;
        let volumes = within(what, ASK, self.docker.list_volumes(Some(volumes))).await?;
        let labels = containers
            .into_iter()
            .filter_map(|container| container.labels)
            .chain(volumes.volumes.into_iter().flatten().map(|v| v.labels));
        Ok(labels
            .filter_map(|mut labels| {
                let lease = LeaseId::new(labels.remove(LEASE)?).ok()?;
                Some((lease, labels.remove(ROLE)?))
            })
            .collect())
    }
}

fn describe(lease: LeaseId, container: &ContainerInspectResponse) -> Found {
    use ContainerStateStatusEnum::{CREATED, DEAD, EXITED, PAUSED};
    let state = state_of(container);
    let times = state.map(|s| {
        (
            time(s.started_at.as_deref()),
            time(s.finished_at.as_deref()),
        )
    });
    let (started_at_ms, finished_at_ms) = times.unwrap_or_default();
    let exit = state.and_then(exit_of);
    let state = match state.and_then(|s| s.status) {
        Some(CREATED) | None => FoundState::Created,
        Some(PAUSED) => FoundState::Paused,
        Some(EXITED | DEAD) => FoundState::Exited,
        Some(_) => FoundState::Running,
    };
    Found {
        lease,
        state,
        container: container.id.clone(),
        started_at_ms,
        finished_at_ms,
        exit,
    }
}

/// Repeats a removal while Docker says that it is busy with the thing, until the thing is absent.
async fn until_gone<F>(what: &'static str, remove: impl Fn() -> F) -> Result<(), SandboxError>
where
    F: Future<Output = Result<(), bollard::errors::Error>>,
{
    let begun = Instant::now();
    loop {
        match within(what, ACT, remove()).await {
            Ok(()) => return Ok(()),
            Err(error) if error.status() == Some(404) => return Ok(()),
            // In use, or being removed by another call.
            Err(error) if error.status() == Some(409) && begun.elapsed() < LET_GO => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error),
        }
    }
}
