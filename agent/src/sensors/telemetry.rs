//! A graphics card as its driver describes it, whoever made it: what never changes, and what it measures now.

use std::sync::Arc;
use std::time::Instant;

use sublet_core::facts::GpuUser;
use sublet_protocol::gpu::GpuVendor;

use super::{PciAddress, Reading, SensorError};

/// What stays the same about a GPU for as long as its driver runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The same after a restart. NVIDIA: NVML's `GPU-` and a UUID, the same in another slot too. AMD: `amd-` and the
    /// PCI address.
    pub uuid: String,
    /// Who made it.
    pub vendor: GpuVendor,
    /// Product name.
    pub name: String,
    /// Where it sits.
    pub pci: PciAddress,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Version of the driver.
    pub driver_version: String,
    /// CUDA compute capability, major and minor, where the driver tells.
    pub compute_capability: Option<(u32, u32)>,
    /// Which power limits may be set, where the card has limits.
    pub power_limits: Option<PowerLimits>,
    /// Core temperature in degrees Celsius from which the driver slows the card down.
    pub slowdown_temperature_c: Option<u32>,
    /// Core temperature in degrees Celsius from which the driver shuts the card down.
    pub shutdown_temperature_c: Option<u32>,
    /// How many fans it has; 0 where they are not the card's own.
    pub fans: u32,
}

/// Power limits in milliwatts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PowerLimits {
    /// Lowest that the driver takes.
    pub lowest_mw: u32,
    /// Highest that the driver takes.
    pub highest_mw: u32,
    /// The factory's.
    pub default_mw: u32,
}

/// Everything about one GPU at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuReading {
    /// Which GPU.
    pub gpu: Arc<Card>,
    /// What it measures.
    pub telemetry: GpuTelemetry,
}

/// What a GPU measures. A sensor that failed stands beside others that did not.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuTelemetry {
    /// Core temperature in degrees Celsius. Of a card that sleeps it is the last one before it fell asleep: without
    /// power it only cools.
    pub temperature_c: Reading<u32>,
    /// The hottest of memory and hot spot in degrees Celsius.
    pub hotspot_c: Reading<u32>,
    /// Power draw in milliwatts.
    pub power_draw_mw: Reading<u32>,
    /// Power limit in force, in milliwatts.
    pub power_limit_mw: Reading<u32>,
    /// Energy drawn since the driver was loaded, in millijoules.
    pub energy_mj: Reading<u64>,
    /// Speed of the fastest fan, in per cent of its highest.
    pub fan_percent: Reading<u32>,
    /// Share of the last period in which a kernel ran, in per cent.
    pub utilization_percent: Reading<u32>,
    /// Core clock in MHz.
    pub graphics_clock_mhz: Reading<u32>,
    /// Memory clock in MHz.
    pub memory_clock_mhz: Reading<u32>,
    /// The driver slows it down for heat.
    pub heat_throttled: Reading<bool>,
    /// Memory in bytes.
    pub memory: Reading<MemoryUse>,
    /// Processes with a compute or a graphics context, each once.
    pub processes: Reading<Vec<ProcessUse>>,
    /// Those of [`Self::processes`] that are neither jobs of ours nor what draws the desktop, by their names.
    pub users: Reading<Vec<GpuUser>>,
}

/// Use of the GPU's memory, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MemoryUse {
    /// Taken, including what the driver keeps for itself.
    pub used_bytes: u64,
    /// Free.
    pub free_bytes: u64,
}

/// A process that uses the GPU.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProcessUse {
    /// Its id, in the machine's own numbering.
    pub pid: u32,
    /// Its GPU memory in bytes, where the driver tells; Windows' display driver model does not.
    pub memory_bytes: Option<u64>,
    /// Its share of the GPU's time over the last moments, 0 to 100, where the driver tells.
    pub load_percent: Option<u8>,
    /// It computes; otherwise it only draws.
    pub computes: bool,
}

impl GpuTelemetry {
    /// Telemetry of a GPU that could not be reached at all.
    #[must_use]
    pub fn unreachable(error: &SensorError, at: Instant) -> Self {
        fn none<T>(error: &SensorError, at: Instant) -> Reading<T> {
            Reading::new(Err(error.clone()), at)
        }
        Self {
            temperature_c: none(error, at),
            hotspot_c: none(error, at),
            power_draw_mw: none(error, at),
            power_limit_mw: none(error, at),
            energy_mj: none(error, at),
            fan_percent: none(error, at),
            utilization_percent: none(error, at),
            graphics_clock_mhz: none(error, at),
            memory_clock_mhz: none(error, at),
            heat_throttled: none(error, at),
            memory: none(error, at),
            processes: none(error, at),
            users: none(error, at),
        }
    }

    /// Every error that a sensor met.
    pub(super) fn errors(&self) -> impl Iterator<Item = &SensorError> {
        [
            self.temperature_c.value.as_ref().err(),
            self.hotspot_c.value.as_ref().err(),
            self.power_draw_mw.value.as_ref().err(),
            self.power_limit_mw.value.as_ref().err(),
            self.energy_mj.value.as_ref().err(),
            self.fan_percent.value.as_ref().err(),
            self.utilization_percent.value.as_ref().err(),
            self.graphics_clock_mhz.value.as_ref().err(),
            self.memory_clock_mhz.value.as_ref().err(),
            self.heat_throttled.value.as_ref().err(),
            self.memory.value.as_ref().err(),
            self.processes.value.as_ref().err(),
            self.users.value.as_ref().err(),
        ]
        .into_iter()
        .flatten()
    }

    /// The error that calls for opening the library again, if one of the sensors met it.
    #[must_use]
    pub fn reopening_error(&self) -> Option<&SensorError> {
        self.errors().find(|error| error.needs_reopening())
    }
}
