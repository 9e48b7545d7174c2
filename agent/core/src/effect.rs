//! What shall be done. Every effect may be carried out twice without harm.

use crate::lease::Lease;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::Checkpoint;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Bring the image here, the inputs, and what the job goes on from.
    Pull {
        /// For which lease.
        lease: LeaseId,
        /// Which image, and the rest of the job.
        spec: JobSpec,
        /// What the job goes on from.
        checkpoint: Option<Checkpoint>,
    },
    /// Make the container and start it, or find it already there.
    Start {
        /// Which lease.
        lease: LeaseId,
        /// What to run.
        spec: JobSpec,
        /// On which GPUs.
        gpus: Vec<GpuId>,
        /// What the job goes on from.
        checkpoint: Option<Checkpoint>,
    },
    /// Watch a container until it ends.
    Watch {
        /// Which lease.
        lease: LeaseId,
    },
    /// Stop every process of the container where it stands, and any attempt to start it.
    Freeze {
        /// Which lease.
        lease: LeaseId,
    },
    /// Let a frozen container go on.
    Thaw {
        /// Which lease.
        lease: LeaseId,
    },
    /// Let a frozen container go on, ask it to end, and tell when its time is over.
    Interrupt {
        /// Which lease.
        lease: LeaseId,
        /// How long it may take, in ms.
        grace_ms: u64,
    },
    /// Kill the container, and stop every task for it.
    Kill {
        /// Which lease.
        lease: LeaseId,
    },
    /// Seal what lies in the job's checkpoint folder, and bring it to the marketplace.
    Save {
        /// Which lease.
        lease: LeaseId,
        /// Where the folder is, and the rest of the job.
        spec: JobSpec,
        /// How long the job had run, in ms.
        used_ms: u64,
        /// The job has ended, and its lease waits for this.
        last: bool,
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
    /// Look at a GPU until its memory is free of a job that ended, and tell.
    AwaitFree {
        /// Which GPU.
        gpu: GpuId,
        /// Whose job ended.
        lease: LeaseId,
        /// How much may be in use, in bytes, beside what other programs hold; absent: no process of the job may be
        /// left, and that is all that can be told.
        at_most_bytes: Option<u64>,
        /// How long to look on, in ms; 0 is one look.
        within_ms: u64,
    },
    /// Lower a GPU's power limit, to keep it cool or quiet.
    SetPowerLimit {
        /// Which GPU.
        gpu: GpuId,
        /// To what, in mW.
        limit_mw: u32,
    },
    /// Put a GPU's power limit back to what the owner had.
    RestorePowerLimit {
        /// Which GPU.
        gpu: GpuId,
        /// To what, in mW.
        limit_mw: u32,
    },
    /// Keep a closed lease in the history; it has left the memory.
    Archive(Box<Lease>),
    /// Something changed that the marketplace should hear now rather than at the next heartbeat.
    Report,
}

impl Effect {
    /// Whether it gives the GPU back: such effects run even if the decision could not be saved.
    pub fn gives_back(&self) -> bool {
        matches!(
            self,
            Self::Freeze { .. }
                | Self::Interrupt { .. }
                | Self::Kill { .. }
                | Self::Remove { .. }
                | Self::AwaitFree { .. }
                | Self::RestorePowerLimit { .. }
                | Self::Report
        )
    }

    /// Whether it is begun even before the decision is saved: the disk may not stand between the owner's hand and a
    /// frozen job. Only what a restart can tell from outside may be so: a container that is found frozen, with
    /// nothing stored that says why, was on its way back to the owner.
    pub fn hurries(&self) -> bool {
        matches!(self, Self::Freeze { .. })
    }
}
