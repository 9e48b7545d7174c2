//! Measures what holds a job in on this host: a container that is made just as a job's is, with a program in it that
//! looks about and tries what a job must not get. [`deeds`] says what, [`reading`] what the answers mean.

mod deeds;
mod reading;

use super::facts::EngineSays;
use super::names::{self, ROLE, Role};
use super::own_image::Entry;
use super::profile::NOBODY;
use super::socket::{ACT, ASK, within};
use super::{Sandbox, SandboxError, SandboxTerms, profile};
use bollard::models::{ContainerCreateBody, DeviceRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions,
};
use futures_util::StreamExt;
use reading::{Given, Told};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};
use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::job::{Category, GpuNeed, Isolation, JobSpec};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::offer::{Enforced, HostLimits, Part, SandboxFacts};

/// The program, for Linux; see `agent/build.rs`.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe"));

const REPOSITORY: &str = "sublet-probe";
/// The number changes with the program.
const TAG: &str = "1";
const PROBE: &str = "run a container that probes what holds a job in";
/// The runtime under whose name gVisor is known.
pub(super) const GVISOR: &str = "runsc";
/// What a probe that was cut short left is removed once it is so old.
const STALE: Duration = Duration::from_secs(120);

const GIVEN: Given = Given {
    memory_bytes: 64 << 20,
    pids: 16,
    cpu_milli: 100,
    user: NOBODY,
    our_filter: true,
};

impl Sandbox {
    /// Asks the engine what it says of itself, and measures what is in force. Takes about a second; what it makes is
    /// gone again at the end.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`], and whatever keeps a container such as a
    /// job's from running at all.
    pub async fn facts_measured(&self) -> Result<SandboxFacts, SandboxError> {
        let says = self.says().await?;
        let enforced = self.probe(&says).await?;
        Ok(SandboxFacts {
            enforced: Some(enforced),
            ..says.facts
        })
    }

    /// Measures what is in force, of an engine that says this of itself.
    ///
    /// # Errors
    /// As [`Sandbox::facts_measured`].
    pub async fn probe(&self, says: &EngineSays) -> Result<Enforced, SandboxError> {
        self.remove_stale_probes().await?;
        if !says.facts.seccomp {
            let gaps = vec!["Docker filters no system calls".to_owned()];
            return Ok(Enforced {
                gaps,
                ..Enforced::default()
            });
        }
        let given = Given {
            our_filter: says.facts.engine.starts_with("docker "),
            ..GIVEN
        };
        let told = self.run_probe(says, |_| {}).await?;
        if !told.is_whole() {
            return Err(SandboxError::Other {
                what: PROBE,
                status: None,
                why: "its program did not come to its end".into(),
            });
        }
        Ok(Enforced {
            volume_quota: self.takes_volume_size().await?,
            layer_quota: self.takes_layer_size(says).await?,
            gvisor: self.gvisor(says, &given).await,
            nvidia: self.nvidia(says).await,
            cdi: says.cdi.clone(),
            ..reading::judge(&told, &given)
        })
    }

    async fn gvisor(&self, says: &EngineSays, given: &Given) -> Part {
        if !says.runtimes.contains(GVISOR) {
            return Part::Absent;
        }
        // As a job's container is made where it works.
        let mut as_if = says.clone();
        as_if.facts.enforced = Some(Enforced {
            gvisor: Part::Works,
            ..Enforced::default()
        });
        match self.run_probe(&as_if, |_| {}).await {
            Ok(told) => reading::gvisor(&told, given, &says.kernel),
            Err(error) => Part::Broken {
                why: error.to_string(),
            },
        }
    }

    async fn nvidia(&self, says: &EngineSays) -> Part {
        if !says.facts.nvidia {
            return Part::Absent;
        }
        let with_all = |body: &mut ContainerCreateBody| {
            body.host_config.get_or_insert_default().device_requests = Some(vec![DeviceRequest {
                driver: Some("nvidia".into()),
                count: Some(-1),
                capabilities: Some(vec![vec!["gpu".into(), "utility".into()]]),
                ..DeviceRequest::default()
            }]);
        };
        match self.run_probe(says, with_all).await {
            Ok(told) if told.has_nvidia() => Part::Works,
            Ok(_) => Part::Broken {
                why: "no NVIDIA device is in a container that was given all of them".into(),
            },
            Err(error) => Part::Broken {
                why: error.to_string(),
            },
        }
    }

    /// Runs the program to its end, in a container like a job's but for `change`.
    async fn run_probe(
        &self,
        says: &EngineSays,
        change: impl FnOnce(&mut ContainerCreateBody),
    ) -> Result<Told, SandboxError> {
        let name = names::probe();
        let mut body = body(says)?;
        // Should this agent be killed meanwhile, nothing is left of it.
        body.host_config.get_or_insert_default().auto_remove = Some(true);
        change(&mut body);
        self.create_probe(&name, &body).await?;
        let told = self.attend(&name).await;
        let removed = self.remove_container(&name).await;
        let told = told?;
        removed?;
        Ok(told)
    }

    /// What does not hold in a container like a job's but for `change`.
    #[cfg(test)]
    pub(super) async fn gaps_with(
        &self,
        says: &EngineSays,
        change: impl FnOnce(&mut ContainerCreateBody),
    ) -> Result<Vec<String>, SandboxError> {
        let told = self.run_probe(says, change).await?;
        Ok(reading::judge(&told, &GIVEN).gaps)
    }

    async fn create_probe(
        &self,
        name: &str,
        body: &ContainerCreateBody,
    ) -> Result<(), SandboxError> {
        let create = || {
            let options = CreateContainerOptionsBuilder::default().name(name).build();
            within(
                PROBE,
                ACT,
                self.docker.create_container(Some(options), body.clone()),
            )
        };
        match create().await {
            Err(error) if error.status() == Some(404) => {
                let program = Entry {
                    kind: tar::EntryType::Regular,
                    path: "probe",
                    mode: 0o755,
                    owner: 0,
                    bytes: PROGRAM.len() as u64,
                    content: PROGRAM,
                };
                self.make_image(PROBE, REPOSITORY, TAG, program).await?;
                create().await.map(drop)
            }
            made => made.map(drop),
        }
    }

    /// Starts a container and hears what its program says.
    async fn attend(&self, name: &str) -> Result<Told, SandboxError> {
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self.docker.attach_container(name, Some(options));
        let mut attached = within(PROBE, ASK, attached).await?;
        let started = self
            .docker
            .start_container(name, None::<StartContainerOptions>);
        within(PROBE, ACT, started).await?;
        let hearing = async {
            let mut said = Vec::new();
            while let Some(piece) = attached.output.next().await {
                said.extend_from_slice(&piece?.into_bytes());
            }
            Ok(said)
        };
        let said = within(PROBE, ACT, hearing).await?;
        Ok(Told::of(&String::from_utf8_lossy(&said)))
    }

    /// Whether a volume can be given a size.
    async fn takes_volume_size(&self) -> Result<bool, SandboxError> {
        let name = names::probe();
        let request = VolumeCreateRequest {
            name: Some(name.clone()),
            driver: Some("local".into()),
            driver_opts: Some(HashMap::from([("size".into(), "1m".into())])),
            labels: Some(names::probe_labels()),
            ..VolumeCreateRequest::default()
        };
        let made = within(PROBE, ACT, self.docker.create_volume(request)).await;
        let taken = taken(made)?;
        if taken {
            let removed = self
                .docker
                .remove_volume(&name, None::<RemoveVolumeOptions>);
            within(PROBE, ACT, removed).await?;
        }
        Ok(taken)
    }

    /// Whether a container's own layer can be given a size.
    async fn takes_layer_size(&self, says: &EngineSays) -> Result<bool, SandboxError> {
        let name = names::probe();
        let mut body = body(says)?;
        body.host_config.get_or_insert_default().storage_opt =
            Some(HashMap::from([("size".into(), "64m".into())]));
        let taken = taken(self.create_probe(&name, &body).await)?;
        // Some versions keep the name of one that they refused.
        self.remove_container(&name).await?;
        Ok(taken)
    }

    /// Removes what a probe left that was cut short before its container ran.
    async fn remove_stale_probes(&self) -> Result<(), SandboxError> {
        let label = format!("{ROLE}={}", Role::Probe.name());
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let listed = within(PROBE, ASK, self.docker.list_containers(Some(options))).await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        for container in listed {
            let age = now.saturating_sub(container.created.unwrap_or(now));
            if let (Some(id), true) = (container.id, age > STALE.as_secs() as i64) {
                self.remove_container(&id).await?;
            }
        }
        Ok(())
    }
}

/// Whether the engine took what it was asked for, or said that it cannot.
fn taken<T>(answer: Result<T, SandboxError>) -> Result<bool, SandboxError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.status().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The container of a job that is the probe.
fn body(says: &EngineSays) -> Result<ContainerCreateBody, SandboxError> {
    let image = format!("{REPOSITORY}@sha256:{}", "0".repeat(64));
    let nameless = |why: String| SandboxError::Other {
        what: PROBE,
        status: None,
        why,
    };
    let spec = JobSpec {
        name: REPOSITORY.into(),
        image: image
            .parse()
            .map_err(|error| nameless(format!("{error}")))?,
        command: Some(deeds::command()),
        environment: BTreeMap::new(),
        gpu: GpuNeed {
            count: 1,
            vram_min_bytes: 0,
            score_min: 0,
            model: None,
            allow_software: true,
        },
        cpu_milli: GIVEN.cpu_milli,
        memory_bytes: GIVEN.memory_bytes,
        pids: GIVEN.pids,
        max_price: HourlyPrice(MicroUsd::ZERO),
        deadline_ms: 60_000,
        retries: 0,
        inputs: BTreeMap::new(),
        outputs: Vec::new(),
        checkpoint: None,
        reclaim_grace_ms: 0,
        category: Category::Other,
        isolation: Isolation::Container,
    };
    let terms = SandboxTerms {
        rig: RigId::new(REPOSITORY).map_err(|error| nameless(format!("{error}")))?,
        lease: LeaseId::new(REPOSITORY).map_err(|error| nameless(format!("{error}")))?,
        gpus: Vec::new(),
        limits: HostLimits {
            cpu_milli: GIVEN.cpu_milli,
            memory_bytes: GIVEN.memory_bytes,
            output_bytes: 1 << 20,
            disk_bytes: None,
            longest_ms: None,
        },
        facts: says.facts.clone(),
    };
    Ok(ContainerCreateBody {
        // The agent made it, so it has no digest that a registry would know.
        image: Some(format!("{REPOSITORY}:{TAG}")),
        labels: Some(names::probe_labels()),
        ..profile(&spec, &terms, &[])?
    })
}
