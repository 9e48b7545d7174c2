//! Why a rig does not rent. The order is the order of importance: the first one leads every display.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A cause with a stable code. Later causes are shown below earlier ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The agent does not run, or does not answer.
    AgentAway,
    /// The owner paused renting.
    PausedByOwner,
    /// Settings could not be read.
    SettingsUnreadable,
    /// Something only the owner can mend (a key that cannot be unlocked, a marketplace that changed its key).
    NeedsOwner,
    /// The ledger cannot be written (disk full, read-only).
    LedgerUnwritable,
    /// The GPU fell off the bus or its driver does not answer.
    GpuLost,
    /// A reading that the decision needs is missing or too old.
    ReadingUnknown,
    /// Too hot.
    TooHot,
    /// Something else uses the GPU.
    GpuInUse,
    /// Only software renders here, and the owner did not allow it.
    SoftwareGpu,
    /// No benchmark under this driver yet.
    NotBenchmarked,
    /// Docker does not answer.
    DockerUnavailable,
    /// The marketplace does not answer.
    MarketUnreachable,
    /// No job asked for this GPU yet.
    NoDemand,
}

/// One cause with its figure and what would change it, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// What is so, with its figure: "The GPU is at 84 °C."
    pub text: String,
    /// What would change it: "Rents again below 76 °C."
    pub remedy: String,
}

/// The five states, the same in window, tray, terminal and charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RigState {
    /// The owner's: nothing is rented, and nothing will be until something changes.
    Yours,
    /// Free to rent, and offered.
    Ready,
    /// A job runs.
    Renting,
    /// Waiting for something that passes by itself (heat, a marketplace that is away).
    Waiting,
    /// Only the owner can go on.
    NeedsYou,
}
