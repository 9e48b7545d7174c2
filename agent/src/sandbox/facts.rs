//! What the engine on this host really offers. Only what was found is reported.

use super::socket::{ASK, within};
use super::{Sandbox, SandboxError};
use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};
use sublet_protocol::offer::SandboxFacts;

/// What the engine can use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCapacity {
    /// Thousandths of a core; all cores that the engine sees.
    pub cpu_milli: u32,
    /// Bytes of memory that the engine sees.
    pub memory_bytes: u64,
}

impl Sandbox {
    /// Asks the engine what it enforces.
    ///
    /// # Errors
    /// [`SandboxError::DockerUnavailable`], [`SandboxError::Timeout`].
    pub async fn facts(&self) -> Result<SandboxFacts, SandboxError> {
        let version = within("say its version", ASK, self.docker.version()).await?;
        let info = within("describe itself", ASK, self.docker.info()).await?;
        Ok(read(&version, &info))
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
