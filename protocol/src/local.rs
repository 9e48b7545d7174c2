//! What the agent says to its own window, tray, command line and dashboards: HTTP/JSON on a Unix socket or a
//! named pipe. Every client is equal.

pub mod history;
pub mod preview;
pub mod settings;

use crate::gpu::{GpuInfo, Telemetry};
use crate::ids::{GpuId, JobId, LeaseId, RigId};
use crate::lease::{Ending, LeaseState, Transfer};
use crate::money::{BasisPoints, HourlyPrice, MicroUsd};
use crate::offer::SandboxFacts;
use crate::reason::{Figure, Reason, RigState};
use crate::voucher::SignedVoucher;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `GET /local/v1/status`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The one sentence: is the GPU mine or rented, why, and what did it earn.
    pub sentence: String,
    /// The state in one word.
    pub state: RigState,
    /// The agent's version.
    pub version: String,
    /// The rig's id.
    pub rig: RigId,
    /// Where the marketplace is, and how the talk goes.
    pub market: MarketView,
    /// Every GPU, with its reasons.
    pub gpus: Vec<GpuView>,
    /// Leases that are not over.
    pub leases: Vec<LeaseView>,
    /// What the owner asked for.
    pub pause: Option<PauseView>,
    /// Earned today, local time, after fees.
    pub today: MicroUsd,
    /// What holds a job in here, found by looking; absent while Docker does not answer.
    pub sandbox: Option<SandboxFacts>,
    /// The owner has said when to rent, in the settings file or by a preset. Nothing rents before.
    #[serde(default = "yes")]
    pub set_up: bool,
}

/// An agent that does not say is older than the question.
fn yes() -> bool {
    true
}

/// The talk with the marketplace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MarketView {
    /// Its address.
    pub url: String,
    /// A session is open and the last heartbeat was answered.
    pub connected: bool,
    /// When it last answered, ms since 1970.
    pub last_answer_ms: Option<u64>,
    /// Its fee, once known.
    pub fee: Option<BasisPoints>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
}

/// One GPU as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GpuView {
    /// What it is.
    pub info: GpuInfo,
    /// Its own state.
    pub state: RigState,
    /// Why it does not rent, most important first; empty when it may.
    pub reasons: Vec<Reason>,
    /// The last look at it.
    pub telemetry: Option<Telemetry>,
    /// The least its owner takes for an hour.
    pub floor: HourlyPrice,
    /// From this warmth of its core on it does not rent, in °C; absent where nothing tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot_c: Option<i32>,
    /// What the owner asked for this GPU alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseView>,
}

/// One lease as the owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    /// Which.
    pub lease: LeaseId,
    /// The renter's job.
    pub job: JobId,
    /// The service's name in its spec.
    pub name: String,
    /// The image, by digest.
    pub image: String,
    /// On which GPUs.
    pub gpus: Vec<GpuId>,
    /// Where it stands.
    pub state: LeaseState,
    /// What an hour pays, before the fee.
    pub price: HourlyPrice,
    /// Running time so far, in ms.
    pub used_ms: u64,
    /// Earned so far, after the fee.
    pub earned: MicroUsd,
    /// The job's own progress in thousandths.
    pub progress_permille: Option<u16>,
    /// When it was granted, ms since 1970.
    pub granted_at_ms: u64,
    /// How it ended, as the marketplace heard it.
    pub ending: Option<Ending>,
    /// Why this machine ended it or did not take it, where it did: what was so at that moment. Nobody else hears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What it may reach, in words: "no network", "2 GiB of memory".
    pub may_reach: Vec<String>,
    /// The same in figures, for whoever says it in other words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// What is on its way for it right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
}

/// What a job may reach beside its GPUs. There is no network in it: a job has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processor cores, in thousandths.
    pub cpu_milli: u32,
    /// The one folder that it writes and that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// `GET /local/v1/jobs`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// Newest first; running ones too.
    pub leases: Vec<LeaseView>,
}

/// `GET /local/v1/gpus`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gpus {
    /// All that were found.
    pub gpus: Vec<GpuView>,
    /// What could not be looked at, in words: a crashed driver, a missing library.
    pub problems: Vec<String>,
}

/// `GET /local/v1/wallet`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Wallet {
    /// Price times time, all leases.
    pub gross: MicroUsd,
    /// What the marketplace kept of it.
    pub fee: MicroUsd,
    /// The rest.
    pub net: MicroUsd,
    /// How much of it a voucher proves.
    pub proven: MicroUsd,
    /// Metered here, no voucher yet.
    pub unproven: MicroUsd,
    /// Metered here, but the marketplace closed the lease without paying it.
    pub written_off: MicroUsd,
    /// Net earned today, local time.
    pub today: MicroUsd,
    /// The channel's highest voucher.
    pub voucher: Option<SignedVoucher>,
    /// What came in of late: today, this week, this month, and all.
    #[serde(default)]
    pub periods: Vec<Period>,
    /// Every earning, newest first.
    pub earnings: Vec<Earning>,
    /// Where a chain would pay to: the address of the payout key, `0x` and 40 hexadecimal digits.
    #[serde(default)]
    pub payout_address: Option<String>,
}

/// What was metered since a day, a week or a month began, in local time, or ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Period {
    /// Which.
    pub since: Since,
    /// When it began, ms since 1970; of all: when the first thing was earned or recorded, 0 where nothing was.
    pub from_ms: u64,
    /// Price times time.
    pub gross: MicroUsd,
    /// What the marketplace kept of it.
    pub fee: MicroUsd,
    /// The rest.
    pub net: MicroUsd,
    /// What it took; absent where nothing was recorded.
    #[serde(default)]
    pub electricity: Option<history::Electricity>,
    /// The net without the electricity, in micro-USD; absent where that is not known.
    #[serde(default)]
    pub left: Option<i64>,
}

/// A stretch of the owner's calendar that lasts until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// Since midnight.
    Today,
    /// Since Monday.
    Week,
    /// Since the first.
    Month,
    /// Since there is anything.
    All,
}

/// What one lease earned, and the voucher that proves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Earning {
    /// Which lease.
    pub lease: LeaseId,
    /// The job's name.
    pub name: String,
    /// When its last second was earned, ms since 1970.
    pub at_ms: u64,
    /// Running time, in ms.
    pub used_ms: u64,
    /// What an hour paid.
    pub price: HourlyPrice,
    /// Price times time.
    pub gross: MicroUsd,
    /// What the marketplace kept.
    pub fee: MicroUsd,
    /// The rest.
    pub net: MicroUsd,
    /// How much of it is proven.
    pub proven: MicroUsd,
    /// The cumulative amount of the voucher that proves its last micro-USD.
    pub voucher: Option<MicroUsd>,
}

/// `PUT /local/v1/pause`; `DELETE` resumes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseRequest {
    /// For how long, in ms; absent, and without `until_ms`, is until the owner resumes. It keeps its length when the
    /// clock is set.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// Until when, ms since 1970, as the clock on the wall shows it. Not together with `for_ms`.
    #[serde(default)]
    pub until_ms: Option<u64>,
    /// For this GPU alone; absent: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuId>,
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseView {
    /// When it ends, ms since 1970; absent is when the owner resumes.
    pub until_ms: Option<u64>,
}

/// `POST /local/v1/bench` starts one; `GET` tells how it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BenchView {
    /// One is running.
    pub running: bool,
    /// 0 to 1000 over all GPUs.
    pub progress_permille: u16,
    /// What is measured now, in words.
    pub step: String,
    /// Per GPU: the figures, or why there are none.
    pub results: Vec<BenchOutcome>,
}

/// The benchmark of one GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BenchOutcome {
    /// Which.
    pub gpu: GpuId,
    /// Its name.
    pub name: String,
    /// The figures.
    pub score: Option<crate::gpu::BenchScore>,
    /// Spread of the timed runs, in thousandths of the median.
    pub spread_permille: Option<u32>,
    /// Why there are none.
    pub problem: Option<String>,
}

/// `GET /local/v1/doctor`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doctor {
    /// Every check, in order.
    pub checks: Vec<Check>,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What is looked at.
    pub name: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found, with its figure.
    pub found: String,
    /// Why it matters.
    pub purpose: String,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
    /// Stands for what was found: `docker_away`. Stable, for whoever says it in other words or another language.
    #[serde(default)]
    pub code: String,
    /// The figures and names of `found`, by name; sizes are in bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, Figure>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Works, but less well than it could.
    Warning,
    /// In the way of renting.
    Bad,
}
