//! What a lease's things are called in Docker, and the labels they are found by.

use std::collections::HashMap;
use sublet_protocol::ids::{LeaseId, RigId};

/// Label: the rig that a thing belongs to.
pub(super) const RIG: &str = "sublet.rig";
/// Label: the lease that a thing belongs to.
pub(super) const LEASE: &str = "sublet.lease";
/// Label: what a thing is for.
pub(super) const ROLE: &str = "sublet.role";

/// What a container or volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The renter's container.
    Job,
    /// A container that is never started; through it volumes get their owner, and are filled and read.
    Prepare,
    /// The volume that holds the outputs.
    Outputs,
    /// The volume that holds the inputs.
    Inputs,
    /// The volume that holds what the job goes on from.
    Checkpoint,
    /// A container or volume of the probe; of no lease.
    Probe,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Prepare => "prepare",
            Self::Outputs => "outputs",
            Self::Inputs => "inputs",
            Self::Checkpoint => "checkpoint",
            Self::Probe => "probe",
        }
    }
}

/// The container that runs the job.
pub(super) fn container(lease: &LeaseId) -> String {
    format!("sublet-{lease}")
}

/// The container that prepares the volumes.
pub(super) fn preparer(lease: &LeaseId) -> String {
    format!("sublet-{lease}-prepare")
}

/// The volume that holds the outputs.
pub(super) fn volume(lease: &LeaseId) -> String {
    format!("sublet-{lease}-out")
}

/// The volume that holds the inputs.
pub(super) fn input_volume(lease: &LeaseId) -> String {
    format!("sublet-{lease}-in")
}

/// The volume that holds what the job goes on from.
pub(super) fn checkpoint_volume(lease: &LeaseId) -> String {
    format!("sublet-{lease}-checkpoint")
}

/// The labels of a thing.
pub(super) fn labels(rig: &RigId, lease: &LeaseId, role: Role) -> HashMap<String, String> {
    HashMap::from([
        (RIG.to_owned(), rig.to_string()),
        (LEASE.to_owned(), lease.to_string()),
        (ROLE.to_owned(), role.name().to_owned()),
    ])
}

/// A name for a thing of the probe: another one each time, so that two agents do not meet.
pub(super) fn probe() -> String {
    let mut random = [0; 8];
    // Without randomness the process's number tells apart whoever probes at once.
    if getrandom::fill(&mut random).is_err() {
        random[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    }
    format!("sublet-probe-{}", hex::encode(random))
}

/// The label of the probe's things.
pub(super) fn probe_labels() -> HashMap<String, String> {
    HashMap::from([(ROLE.to_owned(), Role::Probe.name().to_owned())])
}
