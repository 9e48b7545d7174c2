//! How a stranger's container runs on the owner's machine.
//!
//! [`profile`] decides, purely, what a job's container may do; the methods of [`Sandbox`] act on it through Docker.
//! Every method may be repeated after a crash of the agent or of Docker: nothing runs twice, and what is already
//! done is left as it is.

mod cache;
mod content;
mod disk;
mod error;
mod facts;
mod gpus;
mod images;
mod logs;
mod names;
mod outputs;
mod own_image;
mod pipe;
mod probe;
mod profile;
mod remains;
mod run;
mod seccomp;
mod sift;
mod socket;
mod start;
mod volume;

#[cfg(test)]
mod tests;

pub use content::{Content, SealedCheckpoint};
pub use disk::DiskLimits;
pub use error::SandboxError;
pub use facts::{EngineSays, HostCapacity};
pub use logs::LogChunk;
pub use outputs::{Collected, sealed_file};
pub use profile::profile;
pub use remains::{Found, FoundState};
pub use run::Exit;
pub use socket::Sandbox;
pub use start::StartedAt;

use sublet_protocol::ids::{LeaseId, RigId};
use sublet_protocol::offer::{HostLimits, SandboxFacts};

/// On whose behalf a job runs here, and within which bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxTerms {
    /// This rig; its containers carry it as a label.
    pub rig: RigId,
    /// The lease; it names the container.
    pub lease: LeaseId,
    /// NVML UUIDs of the leased NVIDIA GPUs; empty for a software adapter.
    pub gpus: Vec<String>,
    /// The owner's bounds. A job that asks for more gets this much.
    pub limits: HostLimits,
    /// What the engine was found to offer, from [`Sandbox::facts`].
    pub facts: SandboxFacts,
}
