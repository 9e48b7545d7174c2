//! What is really in force on a host: measured from inside a container that is made as a job's is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a probe container found. Everything in `gaps` keeps the host from renting at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Enforced {
    /// What should have been refused and was not, or should bound a job and does not, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// Every system call that the filter should refuse was refused, and as the filter does it.
    pub seccomp: bool,
    /// A program cannot gain rights by starting another.
    pub no_new_privileges: bool,
    /// A job has no capability.
    pub no_capabilities: bool,
    /// A job without a network has no interface but loopback.
    pub no_network: bool,
    /// The root file system cannot be written.
    pub read_only_root: bool,
    /// The limit on memory is in force.
    pub memory: bool,
    /// The limit on processes is in force.
    pub pids: bool,
    /// The limit on CPU time is in force.
    pub cpu: bool,
    /// The AppArmor profile that confines a job; absent where none does, whatever the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// Users of a job are other users on the host.
    pub userns: bool,
    /// 1 or 2, as the job sees it; 0 where it sees none.
    pub cgroup_version: u8,
    /// The engine takes a size for a volume.
    pub volume_quota: bool,
    /// The engine takes a size for a container's own layer.
    pub layer_quota: bool,
    /// gVisor, a kernel of the job's own in front of the host's.
    pub gvisor: Part,
    /// NVIDIA's runtime.
    pub nvidia: Part,
    /// NVIDIA GPUs that the engine hands out by CDI, by their UUIDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cdi: Vec<String>,
}

/// A part that a host may have or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Part {
    /// It is not there.
    #[default]
    Absent,
    /// It was tried, and works.
    Works,
    /// It is there, and does not work.
    Broken {
        /// What was said, in words.
        why: String,
    },
}

impl Enforced {
    /// Whether a job is held in.
    pub fn holds(&self) -> bool {
        self.gaps.is_empty()
    }
}
