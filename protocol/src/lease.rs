//! The life of a lease as both sides name it, and how it ended.

use crate::blob::BlobId;
use crate::ids::{GpuId, JobId, LeaseId};
use crate::job::JobSpec;
use crate::money::{BasisPoints, HourlyPrice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a lease stands. A rig reports up to `finished`, `failed` or `refused`; the rest is the marketplace's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// Granted by the marketplace, not yet answered by the rig.
    Offered,
    /// The rig took it.
    Accepted,
    /// The image is on its way.
    Pulling,
    /// The container is being made.
    Starting,
    /// The container runs; this is the only state in which time is billed.
    Running,
    /// Frozen; not billed.
    Paused,
    /// Being stopped, by whoever.
    Reclaiming,
    /// Outputs are on their way to the marketplace.
    Uploading,
    /// The rig is done, and reports how it ended.
    Finished,
    /// The marketplace holds every output under the CID that the rig named.
    Verified,
    /// The last voucher is out; nothing more will change.
    Settled,
    /// The job or the rig could not go on.
    Failed,
    /// The rig did not take it.
    Refused,
    /// The rig fell silent; the job was given to another.
    Lost,
}

impl LeaseState {
    /// Whether the rig has said its last word on it.
    pub fn is_over_for_rig(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Verified
                | Self::Settled
                | Self::Failed
                | Self::Refused
                | Self::Lost
        )
    }

    /// The name on the wire and on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Pulling => "pulling",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Reclaiming => "reclaiming",
            Self::Uploading => "uploading",
            Self::Finished => "finished",
            Self::Verified => "verified",
            Self::Settled => "settled",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Lost => "lost",
        }
    }
}

/// Why a lease ended. Stable codes; anyone may branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCode {
    /// Exit code 0 and every output sealed.
    Completed,
    /// The job ended with another exit code, or by a signal.
    JobFailed,
    /// The job outgrew its memory limit.
    OutOfMemory,
    /// The renter cancelled it.
    Cancelled,
    /// The renter's money ran out.
    OutOfFunds,
    /// It ran as long as its deadline allows.
    DeadlineReached,
    /// The owner took the GPU back.
    Reclaimed,
    /// The marketplace's vouchers fell too far behind the rig's own meter.
    PaymentBehind,
    /// The rig could not reach the marketplace and stopped the job before it would be given away.
    Fenced,
    /// No such image, or no such digest.
    ImageNotFound,
    /// The registry sent bytes that do not match the digest.
    ImageTampered,
    /// There is no such input at the marketplace.
    InputNotFound,
    /// The marketplace sent bytes that do not match an input's CID.
    InputTampered,
    /// An output is missing, too large, or not a plain file.
    OutputRefused,
    /// This rig does not take such a job (its rules, or what its sandbox can enforce).
    NotAccepted,
    /// The job asks for more CPU, memory or time than the owner gives a job.
    BeyondLimits,
    /// The job asks to be kept apart in a way that this rig has not.
    IsolationMissing,
    /// The owner does not take work of the job's category.
    CategoryRefused,
    /// The owner does not take images of this publisher.
    PublisherRefused,
    /// Docker was away, or restarted under the job.
    SandboxFailed,
}

impl EndCode {
    /// Whether the job may be given to another rig: the job itself was not at fault.
    pub fn may_retry(self) -> bool {
        self.is_refusal()
            || matches!(
                self,
                Self::Reclaimed | Self::Fenced | Self::SandboxFailed | Self::PaymentBehind
            )
    }

    /// Whether the rig did not take the job: nothing of it ran there.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::NotAccepted
                | Self::BeyondLimits
                | Self::IsolationMissing
                | Self::CategoryRefused
                | Self::PublisherRefused
        )
    }
}

impl Ending {
    /// The signal that ended the job, by the convention that its exit code is 128 more; none where the code says
    /// something else.
    pub fn signal(&self) -> Option<u8> {
        let code = self.exit_code?.checked_sub(128)?;
        u8::try_from(code).ok().filter(|n| (1..=64).contains(n))
    }
}

/// The name of a signal, as people know it; none for those that hardly end a job.
pub fn signal_name(signal: u8) -> Option<&'static str> {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    };
    Some(name)
}

/// One sealed output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Output {
    /// Where the job wrote it, as in its spec.
    pub path: String,
    /// Its content.
    pub cid: BlobId,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a job goes on from: the files of its checkpoint folder, as one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// The archive: POSIX tar with plain files only, none in a folder.
    pub cid: BlobId,
    /// Its length in bytes.
    pub bytes: u64,
    /// How long the job had run in its lease when it was made, in ms.
    pub used_ms: u64,
}

/// Bytes on their way to a rig or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transfer {
    /// What is on its way.
    pub what: TransferKind,
    /// Bytes that have arrived.
    pub done_bytes: u64,
    /// Bytes in all, as far as that is known yet.
    pub total_bytes: u64,
}

/// What can be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// The image, from its registry.
    Image,
    /// Inputs, from the marketplace.
    Inputs,
    /// Outputs, to the marketplace.
    Outputs,
    /// A checkpoint, either way.
    Checkpoint,
}

/// How a lease ended, as the rig says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ending {
    /// The code.
    pub code: EndCode,
    /// The container's exit code, where it ran to an end (137 after SIGKILL).
    pub exit_code: Option<i64>,
    /// For people: what happened, and why.
    pub message: String,
    /// What the job made, in the order of its spec; only after [`EndCode::Completed`].
    pub outputs: Vec<Output>,
}

/// The marketplace gives a lease to a rig whose standing offer won.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaseGrant {
    /// The lease.
    pub lease: LeaseId,
    /// The renter's job.
    pub job: JobId,
    /// Which of the rig's GPUs.
    pub gpus: Vec<GpuId>,
    /// What to run.
    pub spec: JobSpec,
    /// What the renter pays for an hour of running.
    pub price: HourlyPrice,
    /// The marketplace's share of it.
    pub fee: BasisPoints,
    /// Running time already covered by the renter's reserved money, in ms. The rig stops there by itself;
    /// heartbeat replies may raise it.
    pub funded_ms: u64,
    /// What the job goes on from, where an earlier lease of it left a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_from_an_exit_code() {
        let ending = |exit_code| Ending {
            code: EndCode::JobFailed,
            exit_code,
            message: String::new(),
            outputs: Vec::new(),
        };
        for (code, signal) in [
            (None, None),
            (Some(0), None),
            (Some(1), None),
            (Some(127), None),
            (Some(128), None),
            (Some(134), Some(6)),
            (Some(139), Some(11)),
            (Some(193), None),
            (Some(255), None),
            (Some(-1), None),
            (Some(i64::MIN), None),
        ] {
            assert_eq!(ending(code).signal(), signal, "{code:?}");
        }
        assert_eq!(signal_name(11), Some("SIGSEGV"));
    }
}
