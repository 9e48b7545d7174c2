//! What other settings would have made of the last weeks.

use super::settings::{SettingsChange, SettingsFault};
use crate::money::HourlyPrice;
use crate::reason::{Figure, ReasonCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `POST /local/v1/preview`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewRequest {
    /// What would be changed; absent: nothing, and only the settings in force are replayed.
    #[serde(default)]
    pub change: Option<SettingsChange>,
    /// Over how many of the last days at most, 1 to 90; 28 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 90)]
    pub days: Option<u32>,
}

/// What settings would have made of the last weeks, or of weeks that are made up. Figures are for one week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Why the changed settings would not hold, where they would not.
    pub faults: Vec<SettingsFault>,
    /// Which weeks were replayed.
    pub basis: Basis,
    /// What an hour was taken to pay.
    pub price: PriceRange,
    /// Of the hours in which a GPU could be rented, how many per cent were taken to be, at least and at most.
    pub demand_percent: [u8; 2],
    /// Under the settings in force.
    pub before: Outcome,
    /// Under the changed ones; absent where nothing is changed, or they would not hold.
    pub after: Option<Outcome>,
    /// What all of it rests on.
    pub notes: Vec<Note>,
}

/// Which weeks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Basis {
    /// Whose weeks.
    pub kind: BasisKind,
    /// Which kind of owner was made up, where one was: `gamer`, `studio`, `farm` or `laptop`.
    pub example: Option<String>,
    /// When they began, ms since 1970.
    pub from_ms: u64,
    /// When they ended, likewise.
    pub to_ms: u64,
    /// How much of the owner's own time is recorded, in ms.
    pub recorded_ms: u64,
    /// How much of it is needed before it is used, in ms.
    pub needed_ms: u64,
}

/// Whose weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BasisKind {
    /// The owner's own, as recorded.
    Recorded,
    /// Made up.
    Example,
}

/// What an hour pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceRange {
    /// At least.
    pub low: HourlyPrice,
    /// At most.
    pub high: HourlyPrice,
    /// Where it is from.
    pub from: PriceFrom,
}

/// Where a price is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceFrom {
    /// Leases and waiting orders that were recorded, without the lowest and the highest tenth.
    Seen,
    /// Nothing was seen: what the owner asks at least.
    Floor,
}

/// One week, all GPUs together. Money in micro-USD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// The hours that the GPUs have, in ms.
    pub time_ms: u64,
    /// Nothing stands in the way of renting, in ms: in the least and the best of the weeks.
    pub rentable_ms: Range,
    /// What renters pay.
    pub gross: Range,
    /// What the marketplace keeps of it.
    pub fee: Range,
    /// What the GPUs' electricity costs; absent where nobody knows.
    pub electricity: Option<Range>,
    /// What is left; below zero it is a loss. Absent where the electricity is not known.
    pub net: Option<Range>,
    /// Hours lost, by the reason that led, in ms.
    pub lost_ms: BTreeMap<ReasonCode, u64>,
}

/// From here to there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// The lower end.
    pub low: i64,
    /// The upper end.
    pub high: i64,
}

/// Something that a preview rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// What kind.
    pub code: NoteCode,
    /// As a sentence.
    pub text: String,
    /// Its figures and names, for whoever says it in other words. Money is micro-USD.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, Figure>,
}

/// What a preview may rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteCode {
    /// Weeks that are made up: `example`.
    ExampleWeeks,
    /// The owner's own weeks: `days`.
    OwnWeeks,
    /// Prices that were seen: `low`, `high`.
    PriceSeen,
    /// No price was seen; the owner's floor stands for it: `price`.
    PriceFloor,
    /// How much of the time on offer was asked for: `low`, `high`, `days`.
    DemandSeen,
    /// Nobody knows yet how much will be asked for: `low`, `high`.
    DemandAssumed,
    /// The marketplace has not told its fee yet: `permyriad` stands for it.
    FeeAssumed,
    /// Power as measured while it worked: `gpu`, `watts`.
    PowerMeasured,
    /// Power was never measured; its limit stands for it: `gpu`, `watts`.
    PowerAtMost,
    /// Nothing tells what a GPU draws: `gpu`.
    PowerUnknown,
    /// No price of electricity is set, so none is taken off.
    ElectricityUnpriced,
}
