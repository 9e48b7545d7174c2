//! What a job's container may do: one pure function from the renter's wish, the owner's bounds, and what this host was
//! found to enforce.

use super::names::{self, Role};
use super::probe::GVISOR;
use super::{SandboxError, SandboxTerms, gpus, seccomp};
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum,
};
use std::collections::HashMap;
use sublet_protocol::job::{Isolation, JobSpec, chooses_reach};

/// User and group of every job: `nobody`, who owns nothing on the host.
pub(super) const NOBODY: u64 = 65534;
/// The least that Docker and a small program live in, in bytes.
const LEAST_MEMORY: u64 = 16 << 20;
/// Processes and threads of one job, at most: small hosts have 32768 numbers for all.
const MOST_PIDS: u32 = 4096;
/// Threads of gVisor's own, which count as the job's; with some dozens fewer it does not start.
const GVISOR_PIDS: u32 = 128;
/// Open files of one process.
const OPEN_FILES: i64 = 8192;
/// The job's log on disk: two files of this many MiB, the older one dropped.
const LOG_MIB: u32 = 8;
/// Folders that an image may declare as volumes.
const MOST_IMAGE_VOLUMES: usize = 16;
/// A scratch folder may hold a file for each so many bytes of its size.
const BYTES_FOR_A_FILE: u64 = 16 << 10;
/// CPU weight; programs of the owner have 1024, so theirs go first.
const CPU_WEIGHT: i64 = 128;

/// The container of a job. `image_volumes` are the folders that the image declares as volumes: each becomes
/// scratch in memory, for Docker would else give the job unbounded room on the owner's disk.
///
/// # Errors
/// [`SandboxError::NotAccepted`] for what this rig never runs, [`SandboxError::IsolationMissing`] where the job asks
/// for gVisor and there is none, [`SandboxError::DeviceUnavailable`] where the engine cannot hand out the leased GPUs.
pub fn profile(
    spec: &JobSpec,
    terms: &SandboxTerms,
    image_volumes: &[String],
) -> Result<ContainerCreateBody, SandboxError> {
    if !terms.facts.seccomp {
        return refuse("its Docker applies no seccomp filter, without which a job is not held in");
    }
    if let Some(found) = terms.facts.enforced.as_ref().filter(|found| !found.holds()) {
        return refuse(format!(
            "a job is not held in here: {}",
            found.gaps.join("; ")
        ));
    }
    let memory = spec.memory_bytes.min(terms.limits.memory_bytes);
    if memory < LEAST_MEMORY || terms.limits.cpu_milli == 0 {
        return refuse("its owner leaves too little memory or CPU time for any job");
    }
    let scratch = memory / 2;
    let gvisor = under_gvisor(spec, terms)?;
    let own_pids = if gvisor { GVISOR_PIDS } else { 0 };
    Ok(ContainerCreateBody {
        image: Some(spec.image.to_string()),
        cmd: spec.command.clone(),
        env: Some(environment(spec, terms)?),
        user: Some(format!("{NOBODY}:{NOBODY}")),
        hostname: Some("job".into()),
        labels: Some(names::labels(&terms.rig, &terms.lease, Role::Job)),
        network_disabled: Some(true),
        stop_signal: Some("SIGTERM".into()),
        // An image's own health check would run programs beside the job's.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        }),
        host_config: Some(HostConfig {
            cap_drop: Some(vec!["ALL".into()]),
            runtime: gvisor.then(|| GVISOR.into()),
            security_opt: Some(security(terms)),
            privileged: Some(false),
            readonly_rootfs: Some(true),
            network_mode: Some("none".into()),
            ipc_mode: Some("private".into()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            init: Some(true),
            tmpfs: Some(scratch_folders(spec, scratch, image_volumes)?),
            shm_size: Some(signed(scratch)),
            mounts: mounts(spec, terms)?,
            memory: Some(signed(memory)),
            // The same as memory: no swap.
            memory_swap: Some(signed(memory)),
            nano_cpus: Some(
                i64::from(spec.cpu_milli.clamp(10, terms.limits.cpu_milli.max(10))) * 1_000_000,
            ),
            cpu_shares: Some(CPU_WEIGHT),
            pids_limit: Some(i64::from(spec.pids.clamp(4, MOST_PIDS) + own_pids)),
            // When memory runs out on the host, the job goes before anything of the owner's.
            oom_score_adj: Some(1000),
            ulimits: Some(vec![
                ulimit("nofile", OPEN_FILES),
                ulimit("core", 0),
                // One file can be as large as all that is kept, or as the scratch folder.
                ulimit("fsize", signed(terms.limits.output_bytes.max(scratch))),
            ]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([
                    ("max-size".into(), format!("{LOG_MIB}m")),
                    ("max-file".into(), "2".into()),
                ])),
            }),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            device_requests: gpus::requests(terms)?,
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

/// Another engine than Docker takes a filter in other ways; there its own one holds.
fn security(terms: &SandboxTerms) -> Vec<String> {
    let mut options = vec!["no-new-privileges:true".to_owned()];
    if terms.facts.engine.starts_with("docker ") {
        options.push(format!("seccomp={}", seccomp::filter()));
    }
    // By name, so that no setting of the engine's takes it away; only where it was seen, since an engine takes the
    // name of a profile that it cannot apply.
    const APPARMOR: &str = "docker-default";
    let found = terms.facts.enforced.as_ref();
    if found.is_some_and(|found| found.apparmor.as_deref() == Some(APPARMOR)) {
        options.push(format!("apparmor={APPARMOR}"));
    }
    options
}

/// gVisor, where it works and hands out what the job needs: NVIDIA GPUs it does not.
fn under_gvisor(spec: &JobSpec, terms: &SandboxTerms) -> Result<bool, SandboxError> {
    let works = terms.facts.gvisor();
    if works && terms.gpus.is_empty() {
        return Ok(true);
    }
    if spec.isolation == Isolation::Container {
        return Ok(false);
    }
    let why = if works {
        "it asks for gVisor, which hands out no NVIDIA GPU here"
    } else {
        "it asks for gVisor, which was not found to work here"
    };
    Err(SandboxError::IsolationMissing { why: why.into() })
}

pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, SandboxError> {
    Err(SandboxError::NotAccepted { why: why.into() })
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn ulimit(name: &str, most: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.into()),
        soft: Some(most),
        hard: Some(most),
    }
}

/// The job's variables, and ours. The renter's are checked again: a marketplace could send what no parser passed.
fn environment(spec: &JobSpec, terms: &SandboxTerms) -> Result<Vec<String>, SandboxError> {
    let mut lines = Vec::new();
    for (name, value) in &spec.environment {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) || value.contains('\0') {
            return refuse(format!("`{name}` is not a variable name"));
        }
        if chooses_reach(name) {
            return refuse(format!(
                "the variable `{name}` would choose what the job may reach"
            ));
        }
        lines.push(format!("{name}={value}"));
    }
    if !spec.environment.contains_key("HOME") {
        lines.push("HOME=/tmp".into());
    }
    lines.extend(gpus::variables(terms));
    Ok(lines)
}

/// Folders in memory, counted against the job's memory, each with a size of its own.
fn scratch_folders(
    spec: &JobSpec,
    bytes: u64,
    image_volumes: &[String],
) -> Result<HashMap<String, String>, SandboxError> {
    if image_volumes.len() > MOST_IMAGE_VOLUMES {
        return refuse(format!(
            "its image declares {} volumes; at most {MOST_IMAGE_VOLUMES} are covered",
            image_volumes.len()
        ));
    }
    // A file takes memory of the kernel beside its bytes.
    let files = (bytes / BYTES_FOR_A_FILE).clamp(16_384, 1 << 20);
    let options = format!("rw,nosuid,nodev,exec,mode=1777,size={bytes},nr_inodes={files}");
    let mut folders = HashMap::from([("/tmp".to_owned(), options.clone())]);
    for folder in image_volumes {
        let folder = folder.trim_end_matches('/');
        if !is_clean(folder) {
            return refuse(format!(
                "its image declares the volume `{folder}`, which is not a plain absolute path"
            ));
        }
        if !spec.folders().iter().any(|(_, ours)| *ours == folder) {
            folders.insert(folder.to_owned(), options.clone());
        }
    }
    Ok(folders)
}

/// The volumes of the job, each in a folder of its own. What the renter's parser let through is checked again: a
/// marketplace could send what no parser passed.
fn mounts(spec: &JobSpec, terms: &SandboxTerms) -> Result<Option<Vec<Mount>>, SandboxError> {
    let files = [
        (
            "output",
            spec.output_folder(),
            Vec::from_iter(&spec.outputs),
        ),
        ("input", spec.input_folder(), spec.inputs.keys().collect()),
    ];
    for (what, folder, paths) in files {
        let misplaced = paths.into_iter().find(|path| {
            !is_clean(path) || path.rsplit_once('/').map(|(parent, _)| parent) != folder
        });
        if let Some(path) = misplaced {
            return refuse(format!(
                "the {what} `{path}` is not an absolute path in the same folder as the others"
            ));
        }
    }
    for (what, folder) in spec.folders() {
        let top = folder.split('/').nth(1).unwrap_or_default();
        let system = ["", "proc", "sys", "dev", "etc", "tmp", "run"].contains(&top);
        if system || !is_clean(folder) {
            return refuse(format!(
                "{what} cannot lie in `{folder}/`; a folder such as /out will do"
            ));
        }
    }
    if let Some((one, other)) = spec.overlap() {
        return refuse(format!("its {one} and its {other} share a folder"));
    }
    let lease = &terms.lease;
    let volumes = spec.folders().into_iter().map(|(what, folder)| {
        let (role, volume, read_only) = match what {
            "inputs" => (Role::Inputs, names::input_volume(lease), true),
            "checkpoint" => (Role::Checkpoint, names::checkpoint_volume(lease), false),
            _ => (Role::Outputs, names::volume(lease), false),
        };
        Mount {
            typ: Some(MountType::VOLUME),
            source: Some(volume),
            target: Some(folder.to_owned()),
            read_only: Some(read_only),
            volume_options: Some(MountVolumeOptions {
                // Else the image's own folder would set who may write there.
                no_copy: Some(true),
                labels: Some(names::labels(&terms.rig, lease, role)),
                driver_config: volume_size(terms, role),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        }
    });
    let volumes: Vec<Mount> = volumes.collect();
    Ok((!volumes.is_empty()).then_some(volumes))
}

/// The size of a volume that the job writes, where the engine takes one. Whoever mounts it first makes it so.
pub(super) fn volume_size(
    terms: &SandboxTerms,
    role: Role,
) -> Option<MountVolumeOptionsDriverConfig> {
    if role == Role::Inputs {
        return None;
    }
    let limits = &terms.limits;
    let bytes = limits.disk_bytes.unwrap_or(limits.output_bytes);
    let takes = terms.facts.enforced.as_ref()?.volume_quota;
    takes.then(|| MountVolumeOptionsDriverConfig {
        name: Some("local".into()),
        options: Some(HashMap::from([("size".into(), bytes.to_string())])),
    })
}

fn is_clean(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', ',']))
    })
}
