//! What the agent recorded: what each GPU did and why, what its sensors said, and what electricity cost.

use crate::ids::{GpuId, LeaseId};
use crate::money::MicroUsd;
use crate::reason::{Reason, ReasonCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `GET /local/v1/history`: the last days of the owner's calendar, today included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Local midnight at which the first day began, ms since 1970.
    pub from_ms: u64,
    /// Now, likewise.
    pub to_ms: u64,
    /// Since when there is a record; absent where there is none yet.
    pub recorded_from_ms: Option<u64>,
    /// Why recording stands still, where it does.
    pub problem: Option<String>,
    /// What each GPU did.
    pub gpus: Vec<GpuHistory>,
    /// Day by day, the oldest first.
    pub days: Vec<Total>,
    /// Week by week from Monday on, the oldest first; the first one begins no sooner than the first day.
    pub weeks: Vec<Total>,
}

/// The timeline of one GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GpuHistory {
    /// Which.
    pub gpu: GpuId,
    /// Its name; its id where it is not in the machine any more.
    pub name: String,
    /// In order, without gaps and without overlaps.
    pub segments: Vec<Segment>,
}

/// A time in which one GPU did one thing for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// When it began, ms since 1970.
    pub from_ms: u64,
    /// When it ended; now, where it goes on.
    pub to_ms: u64,
    /// What it did.
    pub kind: SegmentKind,
    /// Every reason, the most important first.
    pub reasons: Vec<ReasonCode>,
    /// The leading one, as it was when this began.
    pub reason: Option<Reason>,
    /// The lease that held it, while it was rented.
    pub lease: Option<LeaseId>,
}

/// What a GPU did for a while.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// A job held it.
    Renting,
    /// It was on offer, and nobody asked.
    NoDemand,
    /// It was on offer, and what waited paid less than its owner's floor or its electricity.
    BelowFloor,
    /// Its owner or somebody's program used it or the machine.
    InUse,
    /// Too hot.
    TooHot,
    /// The owner paused renting.
    Paused,
    /// The owner switched it off for renting.
    Off,
    /// The settings keep it: hours, battery, metered network, no hardware.
    BySettings,
    /// What stood in the way had only just gone, or its memory was being verified free.
    Settling,
    /// Something it needs was not there: Docker, the marketplace, the GPU, the ledger, its owner.
    Unavailable,
    /// A reading that the decision needs was missing.
    Unknown,
    /// There is no record: the agent did not run, or the machine was off or asleep.
    NotRunning,
}

impl SegmentKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Renting,
        Self::NoDemand,
        Self::BelowFloor,
        Self::InUse,
        Self::TooHot,
        Self::Paused,
        Self::Off,
        Self::BySettings,
        Self::Settling,
        Self::Unavailable,
        Self::Unknown,
        Self::NotRunning,
    ];
}

/// A day or a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// When it began, ms since 1970.
    pub from_ms: u64,
    /// When it ended; now, where it goes on.
    pub to_ms: u64,
    /// What the GPUs did in it, all of them together, in ms.
    pub hours_ms: BTreeMap<SegmentKind, u64>,
    /// Price times time.
    pub gross: MicroUsd,
    /// What the marketplace kept of it.
    pub fee: MicroUsd,
    /// The rest.
    pub net: MicroUsd,
    /// What it took; absent where nothing was recorded.
    pub electricity: Option<Electricity>,
    /// The net without the electricity, in micro-USD; absent where that is not known.
    pub left: Option<i64>,
}

/// Electricity drawn while renting, as measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Electricity {
    /// At the prices that held then.
    pub cost: MicroUsd,
    /// Drawn by the GPUs while they were rented, in Wh.
    pub energy_wh: u64,
    /// For how long they were rented, in ms.
    pub rented_ms: u64,
    /// How much of that without a reading of power: neither its energy nor its cost is known.
    pub unmeasured_ms: u64,
    /// How much of it without a price of electricity: its cost is not known.
    pub unpriced_ms: u64,
}

impl Electricity {
    /// The net without this electricity; absent where nothing is known of its cost. Where a part is unknown it is the
    /// most that is left.
    pub fn left_of(&self, net: MicroUsd) -> Option<i64> {
        let unknown = self.unmeasured_ms.max(self.unpriced_ms);
        if self.rented_ms > 0 && unknown >= self.rented_ms {
            return None;
        }
        let signed = |amount: MicroUsd| i64::try_from(amount.0).unwrap_or(i64::MAX);
        Some(signed(net).saturating_sub(signed(self.cost)))
    }
}

/// `GET /local/v1/history/telemetry`: columns of equal length. A bucket without a record is absent in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TelemetryHistory {
    /// Which GPU.
    pub gpu: GpuId,
    /// How long each bucket is, in ms: whole minutes, or whole quarters of an hour.
    pub bucket_ms: u64,
    /// When each one begins, ms since 1970.
    pub at_ms: Vec<u64>,
    /// Core temperature in °C.
    pub temperature_c: Course,
    /// Power drawn, in W.
    pub power_w: Course,
    /// Load of the compute units, 0 to 100.
    pub load_percent: Course,
    /// Memory in use, in MiB.
    pub memory_mib: Course,
    /// Earned in it after the fee, in micro-USD.
    pub earned: Vec<Option<u64>>,
    /// Rented for so many thousandths of the time that was recorded.
    pub rented_permille: Vec<Option<u16>>,
}

/// One reading over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Course {
    /// The lowest mean of a minute in each bucket.
    pub min: Vec<Option<f64>>,
    /// The mean.
    pub mean: Vec<Option<f64>>,
    /// The highest mean of a minute.
    pub max: Vec<Option<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_as_far_as_it_is_known() {
        let net = MicroUsd(1_000);
        let took = |unmeasured_ms, unpriced_ms| Electricity {
            cost: MicroUsd(1_200),
            energy_wh: 4,
            rented_ms: 60_000,
            unmeasured_ms,
            unpriced_ms,
        };
        assert_eq!(took(0, 0).left_of(net), Some(-200));
        assert_eq!(took(59_999, 0).left_of(net), Some(-200));
        assert_eq!(took(60_000, 0).left_of(net), None);
        assert_eq!(took(0, 60_000).left_of(net), None);
        assert_eq!(Electricity::default().left_of(net), Some(1_000));
    }

    #[test]
    fn the_kinds_are_all_there() {
        assert!(SegmentKind::ALL.is_sorted());
        assert_eq!(SegmentKind::NotRunning as usize + 1, SegmentKind::ALL.len());
    }
}
