//! Why a rig does not rent. The order is the order of importance: the first one leads every display.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// The owner switched this GPU off for renting.
    SwitchedOff,
    /// The owner has not said yet when to rent: there is no settings file, and no preset was named.
    NotSetUp,
    /// Settings could not be read.
    SettingsUnreadable,
    /// Something only the owner can mend (a key that cannot be unlocked, a marketplace that changed its key).
    NeedsOwner,
    /// The ledger cannot be written (disk full, read-only).
    LedgerUnwritable,
    /// The GPU fell off the bus or its driver does not answer.
    GpuLost,
    /// A job ended and its GPU memory did not become free: nothing new runs there until it does.
    MemoryHeld,
    /// A reading that the decision needs is missing or too old.
    ReadingUnknown,
    /// A game runs, or a program that the owner chose.
    ProgramRuns,
    /// Somebody uses the machine.
    OwnerPresent,
    /// Something is watched or shown, without any input.
    Watching,
    /// Something else uses the GPU.
    GpuInUse,
    /// A job ended; its GPU memory is being verified free.
    Returning,
    /// Too hot.
    TooHot,
    /// The machine runs on its battery.
    OnBattery,
    /// The network in use is metered.
    MeteredNetwork,
    /// Not an hour that the owner chose.
    OutsideHours,
    /// What stood in the way has only just gone; it must stay so for a while.
    Settling,
    /// Only software renders here, and the owner did not allow it.
    SoftwareGpu,
    /// No benchmark under this driver yet.
    NotBenchmarked,
    /// Docker does not answer.
    DockerUnavailable,
    /// The marketplace does not answer.
    MarketUnreachable,
    /// What is paid would not cover the electricity.
    BelowCost,
    /// Orders wait, but pay less than the owner's floor.
    BelowFloor,
    /// No job asked for this GPU yet.
    NoDemand,
}

impl ReasonCode {
    /// Every code, the most important first.
    pub const ALL: [Self; 27] = [
        Self::AgentAway,
        Self::PausedByOwner,
        Self::SwitchedOff,
        Self::NotSetUp,
        Self::SettingsUnreadable,
        Self::NeedsOwner,
        Self::LedgerUnwritable,
        Self::GpuLost,
        Self::MemoryHeld,
        Self::ReadingUnknown,
        Self::ProgramRuns,
        Self::OwnerPresent,
        Self::Watching,
        Self::GpuInUse,
        Self::Returning,
        Self::TooHot,
        Self::OnBattery,
        Self::MeteredNetwork,
        Self::OutsideHours,
        Self::Settling,
        Self::SoftwareGpu,
        Self::NotBenchmarked,
        Self::DockerUnavailable,
        Self::MarketUnreachable,
        Self::BelowCost,
        Self::BelowFloor,
        Self::NoDemand,
    ];

    /// Whether it keeps the GPU from being offered at all. The others only say why nothing came of the offer, which
    /// stands: a better order may arrive at any moment.
    pub fn bars(self) -> bool {
        !matches!(self, Self::BelowCost | Self::BelowFloor | Self::NoDemand)
    }
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
    /// The figures and names in both texts, by name, for whoever says them in other words or another language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, Figure>,
}

/// A figure or a name in a reason. Times are ms since 1970, spans ms, temperatures °C, money micro-USD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Figure {
    /// A whole number.
    Number(i64),
    /// A name.
    Text(String),
}

impl Reason {
    /// A reason without figures.
    pub fn new(code: ReasonCode, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            remedy: remedy.into(),
            figures: BTreeMap::new(),
        }
    }

    /// With one more number; one beyond what fits is held at the largest that does.
    #[must_use]
    pub fn number(mut self, name: &str, value: impl TryInto<i64>) -> Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.figures.insert(name.to_owned(), Figure::Number(value));
        self
    }

    /// With one more name.
    #[must_use]
    pub fn name(mut self, name: &str, value: impl Into<String>) -> Self {
        self.figures
            .insert(name.to_owned(), Figure::Text(value.into()));
        self
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        assert!(ReasonCode::ALL.is_sorted());
        assert_eq!(ReasonCode::NoDemand as usize + 1, ReasonCode::ALL.len());
    }

    #[test]
    fn figures_stand_beside_the_words() {
        let reason = Reason::new(
            ReasonCode::TooHot,
            "It is at 84 °C.",
            "Rents again below 76 °C.",
        )
        .name("gpu", "RTX 4090")
        .number("celsius", 84);
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(
            json["figures"],
            serde_json::json!({"gpu": "RTX 4090", "celsius": 84})
        );
        assert_eq!(serde_json::from_value::<Reason>(json).unwrap(), reason);
    }
}
