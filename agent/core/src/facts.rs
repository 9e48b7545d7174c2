//! What was observed. Facts are read only; a reading that could not be had is absent, never invented.

use sublet_protocol::gpu::GpuInfo;
use sublet_protocol::offer::{HostLimits, SandboxFacts};

/// A point in time on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the agent started, on a clock that never jumps. All durations come from it.
    pub mono_ms: u64,
    /// Milliseconds since 1970, on the clock that people set. For display and for what must outlive a restart.
    pub wall_ms: u64,
}

/// Everything the decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The GPUs that were found.
    pub gpus: Vec<GpuFacts>,
    /// The container engine.
    pub docker: Docker,
    /// The talk with the marketplace.
    pub market: MarketFacts,
    /// What a job may take of the machine beside its GPUs.
    pub host: HostLimits,
    /// Why the settings file does not count, where it does not.
    pub settings_problem: Option<String>,
    /// Why the ledger cannot be written, where it cannot.
    pub ledger_problem: Option<String>,
    /// What only the owner can mend, where there is such a thing.
    pub owner_needed: Option<String>,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuFacts {
    /// What it is, with its last benchmark.
    pub info: GpuInfo,
    /// The last look at its sensors; absent where nothing watches it.
    pub sensed: Option<Sensed>,
    /// Why its sensors are silent, where they are.
    pub problem: Option<GpuProblem>,
}

/// One look at a GPU's sensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sensed {
    /// How old it is, in ms.
    pub age_ms: u64,
    /// Core temperature in °C.
    pub temperature_c: Option<i32>,
    /// How many processes that are not ours hold it; absent where that cannot be told.
    pub foreign_processes: Option<u32>,
}

/// What is wrong with a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuProblem {
    /// It fell off the bus, or its driver is gone.
    Lost(String),
    /// A reading failed, for a reason that may pass.
    Unreadable(String),
}

/// The container engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Docker {
    /// Not asked yet.
    Unknown,
    /// It does not answer, and why.
    Away(String),
    /// It answers, and this is what it can enforce.
    Here(SandboxFacts),
}

/// The talk with the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketFacts {
    /// The last request was answered within a session.
    pub connected: bool,
    /// When it last answered, on the monotonic clock; absent where it has not since the agent started.
    pub last_answer_mono_ms: Option<u64>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
}
