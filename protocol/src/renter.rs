//! What a renter says to the marketplace, and hears.

use crate::ids::{JobId, LeaseId, RenterId, RigId};
use crate::job::JobSpec;
use crate::lease::{Checkpoint, Ending, LeaseState, Transfer};
use crate::money::{HourlyPrice, MicroUsd};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// An open order: no rig has it.
    Queued,
    /// A lease is open.
    Leased,
    /// Done, outputs verified, paid.
    Completed,
    /// Ended without success; see the last lease's ending.
    Failed,
    /// The renter cancelled it.
    Cancelled,
}

impl JobState {
    /// Whether anything can still happen.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// `GET /v1/jobs/{job}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Which.
    pub job: JobId,
    /// What it is.
    pub spec: JobSpec,
    /// Where it stands.
    pub state: JobState,
    /// When it was submitted, ms since 1970.
    pub submitted_at_ms: u64,
    /// Why no rig has it yet, in words, while it is queued.
    pub waiting_for: Option<String>,
    /// Every lease it took, oldest first.
    pub leases: Vec<LeaseView>,
    /// What the renter paid so far.
    pub charged: MicroUsd,
}

/// One lease of a job, as the renter sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    /// Which.
    pub lease: LeaseId,
    /// On which rig.
    pub rig: RigId,
    /// Names of the GPUs; software adapters are named as such.
    pub gpus: Vec<String>,
    /// Where it stands.
    pub state: LeaseState,
    /// What an hour costs.
    pub price: HourlyPrice,
    /// Running time so far, in ms.
    pub used_ms: u64,
    /// What was charged for it.
    pub charged: MicroUsd,
    /// The job's own progress in thousandths.
    pub progress_permille: Option<u16>,
    /// The last reading of the first GPU, while it runs.
    pub telemetry: Option<crate::gpu::Telemetry>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// The newest checkpoint that it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// What is on its way for it right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// `GET /v1/jobs`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The renter's own, newest first, at most 100.
    pub jobs: Vec<JobView>,
}

/// `POST /v1/jobs`: the body is the job spec (YAML, `application/yaml`); this comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    /// The job.
    pub job: JobId,
}

/// `GET /v1/account`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// Whose.
    pub renter: RenterId,
    /// Free to spend.
    pub balance: MicroUsd,
    /// Set aside for running leases.
    pub reserved: MicroUsd,
    /// Spent so far.
    pub spent: MicroUsd,
}

/// `GET /v1/jobs/{job}/logs?lease=…&offset=…&wait_ms=…`: without `lease`, the log of the newest one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogChunk {
    /// Whose log this is; absent while the job has no lease.
    #[serde(default)]
    pub lease: Option<LeaseId>,
    /// Where the text begins, in bytes since the lease's log began.
    pub offset: u64,
    /// Whole lines, stdout and stderr as they came. Bytes that are not UTF-8 are replaced.
    pub text: String,
    /// Where to go on.
    pub next_offset: u64,
    /// No more will come.
    pub end: bool,
}

/// `POST /v1/rigs/{rig}/leases/{lease}/logs`: appended only if `offset` is where the log ends, so a repeat does no harm.
/// The answer is a [`LogPosition`]; an `offset` beyond the end is refused with `conflict`, and a log that is full
/// (the marketplace's limit) with `too_large`: the rig then sends no more of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogAppend {
    /// Where this text begins, in bytes.
    pub offset: u64,
    /// The text.
    pub text: String,
    /// The log is complete.
    pub end: bool,
}

/// Where a lease's log ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPosition {
    /// The next append begins here, in bytes.
    pub next_offset: u64,
}
