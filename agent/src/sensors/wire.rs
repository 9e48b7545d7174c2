//! What GPUs look like to the marketplace and to the owner's window.

use std::time::Instant;

use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor, Telemetry};
use sublet_protocol::ids::GpuId;

use super::{Gpu, GpuKind, GpuTelemetry, Reading, SensorError};

impl Gpu {
    /// The description that goes over the wire, with the benchmark's result if there is one.
    #[must_use]
    pub fn info(&self, score: Option<BenchScore>) -> GpuInfo {
        GpuInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            vendor: self.vendor(),
            software: self.kind == GpuKind::Software,
            memory_bytes: self.card.as_ref().map(|card| card.memory_total_bytes),
            driver: self.driver(),
            pci: self.pci.map(|address| address.to_string()),
            score,
        }
    }

    /// The version of what computes: NVIDIA's driver is one piece, while AMD's kernel part says nothing of the rest.
    fn driver(&self) -> Option<String> {
        let adapter = self
            .adapter
            .as_ref()
            .map(crate::probe::Adapter::driver_version);
        let card = self.card.as_ref().map(|card| card.driver_version.clone());
        match self.vendor() {
            GpuVendor::Nvidia => card.or(adapter),
            _ => adapter.or(card),
        }
    }

    fn vendor(&self) -> GpuVendor {
        if self.kind == GpuKind::Software {
            return GpuVendor::Software;
        }
        if let Some(card) = &self.card {
            return card.vendor;
        }
        // PCI vendor ids, as listed by the PCI-SIG.
        match self.adapter.as_ref().map(|adapter| adapter.vendor) {
            Some(0x10DE) => GpuVendor::Nvidia,
            Some(0x1002) => GpuVendor::Amd,
            Some(0x8086) => GpuVendor::Intel,
            Some(0x106B) => GpuVendor::Apple,
            _ => GpuVendor::Other,
        }
    }
}

impl GpuTelemetry {
    /// The readings that go over the wire, with their age at `now`.
    #[must_use]
    pub fn to_wire(&self, gpu: GpuId, now: Instant) -> Telemetry {
        Telemetry {
            gpu,
            temperature_c: read(&self.temperature_c)
                .and_then(|celsius| i32::try_from(celsius).ok()),
            power_mw: read(&self.power_draw_mw),
            power_limit_mw: read(&self.power_limit_mw),
            load_percent: read(&self.utilization_percent).map(percent),
            memory_used_bytes: self
                .memory
                .value
                .as_ref()
                .ok()
                .map(|memory| memory.used_bytes),
            fan_percent: read(&self.fan_percent).map(percent),
            age_ms: u64::try_from(self.temperature_c.age(now).as_millis()).unwrap_or(u64::MAX),
            problem: self.problem().map(ToString::to_string),
        }
    }

    /// The first error that is not merely a sensor that this card lacks, or that it sleeps.
    fn problem(&self) -> Option<&SensorError> {
        self.errors()
            .find(|error| !matches!(error, SensorError::NotSupported | SensorError::Asleep))
    }
}

fn read<T: Copy>(reading: &Reading<T>) -> Option<T> {
    reading.value.as_ref().ok().copied()
}

fn percent(share: u32) -> u8 {
    u8::try_from(share.min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn telemetry(now: Instant) -> GpuTelemetry {
        let mut telemetry = GpuTelemetry::unreachable(&SensorError::NotSupported, now);
        telemetry.temperature_c = Reading::new(Ok(61), now);
        telemetry.utilization_percent = Reading::new(Ok(101), now);
        telemetry
    }

    #[test]
    fn a_sensor_that_a_card_lacks_is_null_and_no_problem() {
        let taken = Instant::now();
        let wire = telemetry(taken).to_wire(
            GpuId::new("GPU-1").unwrap(),
            taken + Duration::from_millis(1500),
        );
        assert_eq!(
            (wire.temperature_c, wire.power_mw, wire.load_percent),
            (Some(61), None, Some(100))
        );
        assert_eq!((wire.age_ms, wire.problem), (1500, None));
    }

    #[test]
    fn a_lost_card_says_so_and_has_no_numbers() {
        let now = Instant::now();
        let wire = GpuTelemetry::unreachable(&SensorError::GpuLost, now)
            .to_wire(GpuId::new("GPU-1").unwrap(), now);
        assert_eq!((wire.temperature_c, wire.memory_used_bytes), (None, None));
        assert!(wire.problem.unwrap().contains("no longer answers"));
    }
}
