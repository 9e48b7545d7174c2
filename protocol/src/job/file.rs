//! The shape of a job file: which keys there are, and what kind of value each has.

use super::inputs::Written;
use super::refused::{
    Build, CapAdd, Devices, GroupAdd, Ipc, Later, NetworkMode, Networks, Pid, Ports, Privileged,
    Runtime, SecurityOpt, Sysctls, User, UsernsMode, Uts, Volumes,
};
use super::scalar::{Environment, Scalar};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[expect(
        dead_code,
        reason = "read so that it is allowed; Compose itself ignores it"
    )]
    pub version: Option<String>,
    #[expect(
        dead_code,
        reason = "read so that it is allowed; the service's name is used"
    )]
    pub name: Option<String>,
    pub services: Spanned<BTreeMap<String, Service>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "refused keys are read to be refused")]
pub(super) struct Service {
    pub image: Spanned<String>,
    pub command: Option<Vec<String>>,
    #[serde(default)]
    pub environment: Option<Spanned<Environment>>,
    #[serde(default)]
    pub deploy: Deploy,
    #[serde(rename = "x-sublet")]
    pub sublet: Spanned<Sublet>,

    pub privileged: Option<Privileged>,
    pub volumes: Option<Volumes>,
    pub network_mode: Option<NetworkMode>,
    pub networks: Option<Networks>,
    pub ports: Option<Ports>,
    pub pid: Option<Pid>,
    pub ipc: Option<Ipc>,
    pub uts: Option<Uts>,
    pub userns_mode: Option<UsernsMode>,
    pub cap_add: Option<CapAdd>,
    pub devices: Option<Devices>,
    pub security_opt: Option<SecurityOpt>,
    pub sysctls: Option<Sysctls>,
    pub group_add: Option<GroupAdd>,
    pub runtime: Option<Runtime>,
    pub user: Option<User>,
    pub build: Option<Build>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deploy {
    pub resources: Resources,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Resources {
    pub limits: Limits,
    pub reservations: Reservations,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub cpus: Option<Spanned<Scalar>>,
    pub memory: Option<Spanned<Scalar>>,
    pub pids: Option<Spanned<u32>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reservations {
    pub devices: Option<Spanned<Vec<Device>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    #[expect(
        dead_code,
        reason = "any vendor's driver will do; x-sublet.gpu.model narrows"
    )]
    pub driver: Option<String>,
    pub count: Option<Spanned<u32>>,
    pub capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "keys of later versions are read to be refused")]
pub(super) struct Sublet {
    pub gpu: Option<Gpu>,
    pub max_price_per_hour: Spanned<Scalar>,
    pub deadline: Option<Spanned<Scalar>>,
    pub retries: Option<Spanned<u32>>,
    pub outputs: Option<Spanned<Vec<String>>>,
    pub reclaim_grace: Option<Spanned<Scalar>>,
    pub network: Option<Spanned<String>>,
    pub category: Option<Spanned<String>>,
    pub isolation: Option<Spanned<String>>,
    pub inputs: Option<Written>,
    pub checkpoint: Option<Spanned<CheckpointKeys>>,
    pub verify: Option<Later>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointKeys {
    pub folder: Spanned<String>,
    pub interval: Option<Spanned<Scalar>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gpu {
    pub count: Option<Spanned<u32>>,
    pub vram_min: Option<Spanned<Scalar>>,
    pub score_min: Option<u32>,
    pub model: Option<String>,
    #[serde(default)]
    pub allow_software: bool,
}
