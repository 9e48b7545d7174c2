//! What a rig sells: a standing bid for every order it fits.

mod enforced;
mod work;

pub use enforced::{Enforced, Part};
pub use work::{Refusal, WorkRules};

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
    /// Which work the owner takes; what it refuses is not sent there.
    #[serde(default, skip_serializing_if = "WorkRules::is_empty")]
    pub work: WorkRules,
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
    /// All that a job writes on the disk, in bytes; absent: as much as its outputs may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// The longest that a job may ask to run, in ms; absent: as long as any job may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_ms: Option<u64>,
}

/// What the engine of this host says of itself, and what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SandboxFacts {
    /// The container engine and its version, such as `docker 20.10.24`.
    pub engine: String,
    /// The engine applies seccomp filters.
    pub seccomp: bool,
    /// The engine confines with AppArmor.
    pub apparmor: bool,
    /// The engine maps container users to unprivileged host users.
    pub userns: bool,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// The engine can hand out NVIDIA GPUs.
    pub nvidia: bool,
    /// What a probe container found to be in force; absent where none has been run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced: Option<Enforced>,
}

impl SandboxFacts {
    /// Whether a job that needs no NVIDIA GPU can run under gVisor here.
    pub fn gvisor(&self) -> bool {
        let enforced = self.enforced.as_ref();
        enforced.is_some_and(|found| found.gvisor == Part::Works)
    }
}
