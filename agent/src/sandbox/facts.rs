//! What the engine on this host says of itself. What is really in force is measured, by [`super::probe`].

use super::socket::{ASK, within};
use super::{Sandbox, SandboxError};
use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};
use std::collections::BTreeSet;
use sublet_protocol::offer::SandboxFacts;

/// What a CDI device of an NVIDIA GPU is called, before its UUID.
const CDI_NVIDIA: &str = "nvidia.com/gpu=";

/// What the engine can use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCapacity {
    /// Thousandths of a core; all cores that the engine sees.
    pub cpu_milli: u32,
    /// Bytes of memory that the engine sees.
    pub memory_bytes: u64,
}

/// All that the engine says of itself and that bears on what holds a job in. Where it says something else, it is
/// another engine, or one that was configured anew, and is measured again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSays {
    /// What the protocol has names for; nothing in it is measured.
    pub facts: SandboxFacts,
    /// The names of its runtimes.
    pub runtimes: BTreeSet<String>,
    /// The release of the host's kernel.
    pub kernel: String,
    /// NVIDIA GPUs that it lists as CDI devices, by their UUIDs.
    pub cdi: Vec<String>,
    /// Where and how it keeps what it keeps, and what else is in its words on security.
    pub other: Vec<String>,
}

impl Sandbox {
    /// Asks the engine what it says of itself.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn says(&self) -> Result<EngineSays, SandboxError> {
        let version = within("say its version", ASK, self.docker.version()).await?;
        let info = within("describe itself", ASK, self.docker.info()).await?;
        Ok(EngineSays {
            facts: read(&version, &info),
            ..rest(info)
        })
    }

    /// As [`Sandbox::says`], in the protocol's words. Nothing in it is measured.
    ///
    /// # Errors
    /// As [`Sandbox::says`].
    pub async fn facts(&self) -> Result<SandboxFacts, SandboxError> {
        Ok(self.says().await?.facts)
    }

    /// How much of the machine the engine can use, as it said when connected; no job can be given more.
    pub fn capacity(&self) -> HostCapacity {
        self.capacity
    }
}

pub(super) fn capacity(info: &SystemInfo) -> HostCapacity {
    let cores = u32::try_from(info.ncpu.unwrap_or(0)).unwrap_or(0);
    HostCapacity {
        cpu_milli: cores.saturating_mul(1000),
        memory_bytes: u64::try_from(info.mem_total.unwrap_or(0)).unwrap_or(0),
    }
}

fn rest(info: SystemInfo) -> EngineSays {
    let devices = info.discovered_devices.unwrap_or_default();
    let devices = devices.into_iter().filter_map(|device| device.id);
    let mut other = info.security_options.unwrap_or_default();
    other.extend(
        [info.driver, info.docker_root_dir, info.default_runtime]
            .into_iter()
            .flatten(),
    );
    EngineSays {
        facts: SandboxFacts::default(),
        runtimes: info.runtimes.unwrap_or_default().into_keys().collect(),
        kernel: info.kernel_version.unwrap_or_default(),
        cdi: devices
            .filter_map(|id| Some(id.strip_prefix(CDI_NVIDIA)?.to_owned()))
            .filter(|gpu| gpu.starts_with("GPU-") || gpu.starts_with("MIG-"))
            .collect(),
        other,
    }
}

fn read(version: &SystemVersion, info: &SystemInfo) -> SandboxFacts {
    let options = info.security_options.as_deref().unwrap_or_default();
    // `name=seccomp,profile=default`: a name, then settings.
    let named = |name: &str| {
        options
            .iter()
            .find(|option| option.split(',').next() == Some(name))
    };
    let podman = version.components.iter().flatten();
    let podman = podman
        .clone()
        .any(|component| component.name.starts_with("Podman"));
    SandboxFacts {
        engine: format!(
            "{} {}",
            if podman { "podman" } else { "docker" },
            version.version.as_deref().unwrap_or("of unknown version")
        ),
        seccomp: named("name=seccomp").is_some_and(|option| !option.contains("unconfined")),
        apparmor: named("name=apparmor").is_some(),
        userns: named("name=userns").is_some() || named("name=rootless").is_some(),
        cgroup_version: match info.cgroup_version {
            Some(SystemInfoCgroupVersionEnum::_1) => 1,
            Some(SystemInfoCgroupVersionEnum::_2) => 2,
            _ => 0,
        },
        nvidia: info
            .runtimes
            .as_ref()
            .is_some_and(|runtimes| runtimes.contains_key("nvidia")),
        enforced: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_options(options: &[&str]) -> SandboxFacts {
        let info = SystemInfo {
            security_options: Some(options.iter().map(|o| (*o).to_owned()).collect()),
            cgroup_version: Some(SystemInfoCgroupVersionEnum::_2),
            ..SystemInfo::default()
        };
        read(&SystemVersion::default(), &info)
    }

    #[test]
    fn only_what_was_found_is_reported() {
        let nothing = read(&SystemVersion::default(), &SystemInfo::default());
        assert!(!nothing.seccomp && !nothing.apparmor && !nothing.userns && !nothing.nvidia);
        assert_eq!(nothing.cgroup_version, 0);

        let modern = with_options(&[
            "name=apparmor",
            "name=seccomp,profile=builtin",
            "name=cgroupns",
        ]);
        assert!(modern.seccomp && modern.apparmor && !modern.userns);
        assert_eq!(modern.cgroup_version, 2);
        assert!(with_options(&["name=rootless"]).userns);
    }

    #[test]
    fn a_filter_that_filters_nothing_is_none() {
        assert!(!with_options(&["name=seccomp,profile=unconfined"]).seccomp);
        assert!(!with_options(&["name=seccompish"]).seccomp);
    }
}
