//! What a rig sells: a standing bid for every order it fits.

use crate::gpu::GpuInfo;
use crate::money::HourlyPrice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `PUT /v1/rigs/{rig}/offer`: replaces the last one. Empty `gpus` withdraws it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// The session's epoch.
    pub epoch: u64,
    /// The GPUs that may be rented now, each with its price.
    pub gpus: Vec<GpuOffer>,
    /// What a job may take of the rest of the machine.
    pub limits: HostLimits,
    /// What the sandbox is really able to enforce here, found by looking.
    pub sandbox: SandboxFacts,
}

/// One GPU on offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GpuOffer {
    /// Which, with its measured score.
    pub gpu: GpuInfo,
    /// The least its owner takes for an hour.
    pub floor: HourlyPrice,
}

/// The most that one job may use beside its GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostLimits {
    /// CPU time, in thousandths of a core.
    pub cpu_milli: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// All outputs of a job together, in bytes.
    pub output_bytes: u64,
}

/// What holds a job in, on this host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SandboxFacts {
    /// The container engine and its version, such as `docker 20.10.24`.
    pub engine: String,
    /// The engine applies its default seccomp filter.
    pub seccomp: bool,
    /// The engine confines with AppArmor.
    pub apparmor: bool,
    /// The engine maps container users to unprivileged host users.
    pub userns: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// The engine can hand out NVIDIA GPUs.
    pub nvidia: bool,
}
