//! A GPU's readings as the core takes them.

use std::time::Instant;

use sublet_core::facts::{GpuProblem, Sensed};

use super::{Card, GpuReading, Reading, SensorError};

impl GpuReading {
    /// What the core needs of the readings, and what is wrong where something is. The age is the temperature's: all
    /// that heat and use rest on are read together.
    #[must_use]
    pub fn sensed(&self, now: Instant) -> (Sensed, Option<GpuProblem>) {
        let telemetry = &self.telemetry;
        let temperature = &telemetry.temperature_c;
        let problem = match &temperature.value {
            Err(SensorError::GpuLost) => Some(GpuProblem::Lost(SensorError::GpuLost.to_string())),
            Err(error) if *error != SensorError::NotSupported => {
                Some(GpuProblem::Unreadable(error.to_string()))
            }
            _ => None,
        };
        let sensed = Sensed {
            age_ms: u64::try_from(temperature.age(now).as_millis()).unwrap_or(u64::MAX),
            temperature_c: celsius(temperature),
            hotspot_c: celsius(&telemetry.hotspot_c),
            fan_percent: percent(&telemetry.fan_percent),
            power_mw: value(&telemetry.power_draw_mw),
            power_limit_mw: value(&telemetry.power_limit_mw),
            load_percent: percent(&telemetry.utilization_percent),
            heat_throttled: value(&telemetry.heat_throttled),
            memory_used_bytes: value(&telemetry.memory).map(|memory| memory.used_bytes),
            unclaimed_bytes: self.unclaimed_bytes(),
            users: value(&telemetry.users),
        };
        (sensed, problem)
    }

    /// Memory in use that no listed process accounts for, in bytes: the driver's own. What stays of it after a job,
    /// above what it was before, is still held. Absent where the memory could not be read.
    #[must_use]
    pub fn unclaimed_bytes(&self) -> Option<u64> {
        let memory = self.telemetry.memory.value.as_ref().ok()?;
        let processes = self.telemetry.processes.value.as_ref().ok()?;
        let claimed: u64 = processes.iter().filter_map(|it| it.memory_bytes).sum();
        Some(memory.used_bytes.saturating_sub(claimed))
    }
}

impl Card {
    /// Which power limits it takes.
    #[must_use]
    pub fn power_range(&self) -> Option<sublet_core::facts::PowerRange> {
        self.power_limits
            .map(|range| sublet_core::facts::PowerRange {
                lowest_mw: range.lowest_mw,
                highest_mw: range.highest_mw,
                default_mw: range.default_mw,
            })
    }

    /// From which core temperature its driver slows it down, in °C.
    #[must_use]
    pub fn slowdown_c(&self) -> Option<i32> {
        i32::try_from(self.slowdown_temperature_c?).ok()
    }
}

fn value<T: Clone>(reading: &Reading<T>) -> Option<T> {
    reading.value.as_ref().ok().cloned()
}

fn percent(reading: &Reading<u32>) -> Option<u8> {
    u8::try_from(value(reading)?).ok()
}

fn celsius(reading: &Reading<u32>) -> Option<i32> {
    i32::try_from(value(reading)?).ok()
}
