//! What shall be done. Every effect may be carried out twice without harm.

use crate::lease::Lease;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::job::JobSpec;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Bring the image here.
    Pull {
        /// For which lease.
        lease: LeaseId,
        /// Which image, and the rest of the job.
        spec: JobSpec,
    },
    /// Make the container and start it, or find it already there; then watch it until it ends.
    Start {
        /// Which lease.
        lease: LeaseId,
        /// What to run.
        spec: JobSpec,
        /// On which GPUs.
        gpus: Vec<GpuId>,
    },
    /// Watch a container that already runs.
    Watch {
        /// Which lease.
        lease: LeaseId,
    },
    /// Freeze and kill the container, and stop every task for it.
    Kill {
        /// Which lease.
        lease: LeaseId,
    },
    /// Seal the outputs.
    Collect {
        /// Which lease.
        lease: LeaseId,
        /// Which outputs.
        spec: JobSpec,
    },
    /// Bring the sealed outputs to the marketplace.
    Upload {
        /// Which lease.
        lease: LeaseId,
        /// What was sealed.
        outputs: Vec<sublet_protocol::lease::Output>,
    },
    /// Remove container, volume and sealed files.
    Remove {
        /// Which lease.
        lease: LeaseId,
    },
    /// Keep a closed lease in the history; it has left the memory.
    Archive(Box<Lease>),
    /// Something changed that the marketplace should hear now rather than at the next heartbeat.
    Report,
}

impl Effect {
    /// Whether it gives the GPU back: such effects run even if the decision could not be saved.
    pub fn gives_back(&self) -> bool {
        matches!(self, Self::Kill { .. } | Self::Remove { .. } | Self::Report)
    }
}
