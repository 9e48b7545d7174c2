//! The heartbeat and what it brings back. Every counter is cumulative: a lost heartbeat costs nothing.

use crate::gpu::Telemetry;
use crate::ids::LeaseId;
use crate::lease::{Checkpoint, Ending, LeaseGrant, LeaseState, Transfer};
use crate::money::HourlyPrice;
use crate::problem::Problem;
use crate::reason::{Reason, RigState};
use crate::usage::SignedUsage;
use crate::voucher::VoucherStatement;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/rigs/{rig}/heartbeat`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// The session's epoch; an older one is refused with `stale_epoch`.
    pub epoch: u64,
    /// Grows within the epoch; one not above the last is refused with `stale_seq`.
    pub seq: u64,
    /// The rig's clock, ms since 1970. More than [`CLOCK_TOLERANCE_MS`] off is refused with `clock_off`.
    pub sent_at_ms: u64,
    /// The rig's state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first.
    pub reasons: Vec<Reason>,
    /// One look at each GPU.
    pub gpus: Vec<Telemetry>,
    /// Every lease the marketplace has not settled yet, as far as the rig knows it.
    pub leases: Vec<LeaseReport>,
    /// The highest command id taken in; the marketplace forgets commands up to it.
    pub commands_seen: u64,
}

/// How far apart the two clocks may be: 10 minutes.
pub const CLOCK_TOLERANCE_MS: u64 = 10 * 60 * 1000;

/// One lease, as its rig sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaseReport {
    /// Which.
    pub lease: LeaseId,
    /// Where it stands.
    pub state: LeaseState,
    /// How long it ran, signed.
    pub usage: SignedUsage,
    /// The job's own progress, 0 to 1000 thousandths, where it says any.
    pub progress_permille: Option<u16>,
    /// How it ended, once it did.
    pub ending: Option<Ending>,
    /// The newest checkpoint of it that this rig has uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// What is on its way for it right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatReply {
    /// The marketplace's clock, ms since 1970.
    pub server_time_ms: u64,
    /// When to send the next one, in ms from now.
    pub next_ms: u64,
    /// What the rig shall do, oldest first.
    pub commands: Vec<Command>,
    /// What is owed, while anything is unsettled.
    pub statement: Option<VoucherStatement>,
    /// How far each running lease is covered by reserved money.
    pub funding: Vec<Funding>,
    /// Leases the marketplace has settled: the rig need not report them again.
    pub settled: Vec<LeaseId>,
    /// Lease reports that were not taken, each with the reason. The other reports of the same heartbeat were
    /// taken all the same, and the heartbeat as a whole counts: one bad report costs no other lease its usage.
    #[serde(default)]
    pub refused: Vec<LeaseProblem>,
    /// The most that a waiting order which one of the rig's offered GPUs fits, but for the price, pays for an hour of
    /// it; absent where none waits. A rig on offer that is asked for nothing learns from it whether its floor is why.
    #[serde(default)]
    pub best_order: Option<HourlyPrice>,
}

/// One lease report that was not taken: what is stored of that lease stays as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseProblem {
    /// Which lease.
    pub lease: LeaseId,
    /// Why: `usage_went_back`, `usage_too_far`, `bad_signature`, `conflict` (an impossible change of state, or
    /// outputs that are not here yet), `not_found` (not a lease of this rig: it may forget it), `bad_request`.
    pub problem: Problem,
}

/// Running time of a lease that is covered, in ms since it began. Never shrinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Funding {
    /// Which lease.
    pub lease: LeaseId,
    /// How long it may run.
    pub funded_ms: u64,
}

/// An order from the marketplace. Delivered at least once: by heartbeat reply and by long poll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Command {
    /// Grows per rig; taken in once.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
}

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Take a lease.
    Grant {
        /// Its terms.
        grant: Box<LeaseGrant>,
    },
    /// End a lease.
    Stop {
        /// Which.
        lease: LeaseId,
        /// Why.
        why: StopWhy,
    },
}

/// Why the marketplace ends a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopWhy {
    /// The renter said so.
    Cancelled,
    /// It was given to another rig.
    Lost,
}

/// `GET /v1/rigs/{rig}/commands?after=…&wait_ms=…`: returns at once when there is a command, else after the wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandBatch {
    /// Oldest first; empty after a wait without any.
    pub commands: Vec<Command>,
}
