//! The owner's choices, already read and checked.

use crate::schedule::WeekGrid;
use crate::tariff::Tariff;
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::offer::WorkRules;

/// What the owner wants. Every field has a default that rents nothing by surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What holds for every GPU that has no entry of its own.
    pub each: GpuSettings,
    /// What holds for single GPUs, whole.
    pub gpus: BTreeMap<GpuId, GpuSettings>,
    /// The hours of mode [`Mode::Schedule`].
    pub hours: WeekGrid,
    /// How long nobody may have touched anything before [`Mode::Away`] rents, in ms.
    pub away_ms: u64,
    /// How long the owner, the programs, heat and power must have left a GPU alone before it rents, in ms.
    pub settle_ms: u64,
    /// A job that runs is left alone for so long, but for the owner, heat and power; in ms of running time.
    pub min_slice_ms: u64,
    /// What electricity costs.
    pub tariff: Tariff,
    /// Whether it rents on battery.
    pub on_battery: bool,
    /// Whether it rents on a metered network.
    pub on_metered: bool,
    /// How long a job may take to end in order when the owner comes back, in ms; never more than the renter asked
    /// for, and none when a game starts.
    pub reclaim_grace_ms: u64,
    /// Whether an adapter without hardware may be rented.
    pub allow_software_gpu: bool,
    /// How far the marketplace's vouchers may fall behind our own meter, in ms of running time.
    pub unpaid_limit_ms: u64,
    /// Which work is taken.
    pub work: WorkRules,
}

/// What holds for one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuSettings {
    /// When it rents.
    pub mode: Mode,
    /// The least for one hour of it.
    pub floor: HourlyPrice,
    /// How warm it may get.
    pub heat: Heat,
    /// Bounds that keep it quiet; absent: none.
    pub quiet: Option<Quiet>,
}

/// When a GPU rents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// While its owner is away from the machine.
    Away,
    /// While nobody else uses this GPU, even with the owner at the machine.
    GpuIdle,
    /// In the hours of the week that the owner chose.
    Schedule,
    /// Always: a rig that is there for renting.
    Always,
    /// Never.
    Off,
}

/// How warm a GPU may get while it rents, in °C of its core. `cool_c < target_c < hot_c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heat {
    /// What the governor holds.
    pub target_c: i32,
    /// From here on it does not rent.
    pub hot_c: i32,
    /// Once too hot, it rents again below this.
    pub cool_c: i32,
}

/// Bounds that keep a GPU quiet. It offers the lower score that goes with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// The most power, in per cent of the factory's limit, 30 to 100.
    pub power_percent: u8,
    /// The most fan speed, 0 to 100; absent: any.
    pub fan_percent: Option<u8>,
}

impl Settings {
    /// What holds for a GPU.
    pub fn gpu(&self, id: &GpuId) -> &GpuSettings {
        self.gpus.get(id).unwrap_or(&self.each)
    }
}

impl Default for Heat {
    fn default() -> Self {
        Self {
            target_c: 80,
            hot_c: 83,
            cool_c: 76,
        }
    }
}

impl Default for GpuSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Away,
            floor: HourlyPrice(MicroUsd(200_000)),
            heat: Heat::default(),
            quiet: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            each: GpuSettings::default(),
            gpus: BTreeMap::new(),
            hours: WeekGrid::default(),
            away_ms: 5 * 60_000,
            settle_ms: 15_000,
            min_slice_ms: 5 * 60_000,
            tariff: Tariff::default(),
            on_battery: false,
            on_metered: false,
            reclaim_grace_ms: 0,
            allow_software_gpu: false,
            unpaid_limit_ms: 120_000,
            work: WorkRules::default(),
        }
    }
}
