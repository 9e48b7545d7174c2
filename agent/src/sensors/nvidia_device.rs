//! One NVIDIA GPU through its library: what never changes about it, and what it measures now.

use std::time::Instant;

use nvml_wrapper::Device;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor, TemperatureThreshold};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;
use sublet_protocol::gpu::GpuVendor;

use super::{Card, GpuTelemetry, MemoryUse, PowerLimits, ProcessUse, Reading, SensorError};

/// Reads what never changes. Only identity and memory are required; the rest depends on the card.
pub(super) fn describe(device: &Device<'_>, driver_version: &str) -> Result<Card, SensorError> {
    let pci = device.pci_info()?;
    let capability = optional(device.cuda_compute_capability())?;
    let limits = optional(device.power_management_limit_constraints())?;
    let default_mw = optional(device.power_management_limit_default())?;
    Ok(Card {
        uuid: device.uuid()?,
        vendor: GpuVendor::Nvidia,
        name: device.name()?,
        pci: pci
            .bus_id
            .parse()
            .map_err(|error| SensorError::Other(format!("{error}")))?,
        memory_total_bytes: device.memory_info()?.total,
        driver_version: driver_version.to_owned(),
        compute_capability: capability.and_then(|found| {
            Some((
                u32::try_from(found.major).ok()?,
                u32::try_from(found.minor).ok()?,
            ))
        }),
        power_limits: limits
            .zip(default_mw)
            .map(|(range, default_mw)| PowerLimits {
                lowest_mw: range.min_limit,
                highest_mw: range.max_limit,
                default_mw,
            }),
        slowdown_temperature_c: optional(
            device.temperature_threshold(TemperatureThreshold::Slowdown),
        )?,
        shutdown_temperature_c: optional(
            device.temperature_threshold(TemperatureThreshold::Shutdown),
        )?,
        fans: optional(device.num_fans())?.unwrap_or(0),
    })
}

/// Keeps apart a card that lacks something from a driver that fails.
fn optional<T>(answer: Result<T, NvmlError>) -> Result<Option<T>, SensorError> {
    match answer.map_err(SensorError::from) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.needs_reopening() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Reads every sensor of one GPU. `sampled_us` is the driver's time of the last sample of its processes' shares that was
/// seen, and is brought up to date; 0 at first.
pub(super) fn measure(
    device: &Device<'_>,
    gpu: &Card,
    sampled_us: &mut u64,
    at: Instant,
) -> GpuTelemetry {
    fn reading<T>(answer: Result<T, NvmlError>, at: Instant) -> Reading<T> {
        Reading::new(answer.map_err(SensorError::from), at)
    }
    GpuTelemetry {
        temperature_c: reading(device.temperature(TemperatureSensor::Gpu), at),
        hotspot_c: Reading::new(memory_temperature(device), at),
        power_draw_mw: reading(device.power_usage(), at),
        power_limit_mw: reading(device.enforced_power_limit(), at),
        energy_mj: reading(device.total_energy_consumption(), at),
        fan_percent: Reading::new(fastest_fan(device, gpu.fans), at),
        utilization_percent: reading(device.utilization_rates().map(|share| share.gpu), at),
        graphics_clock_mhz: reading(device.clock_info(Clock::Graphics), at),
        memory_clock_mhz: reading(device.clock_info(Clock::Memory), at),
        heat_throttled: reading(
            device
                .current_throttle_reasons()
                .map(|reasons| reasons.intersects(HEAT)),
            at,
        ),
        memory: Reading::new(memory(device), at),
        processes: Reading::new(processes_with_shares(device, sampled_us), at),
        users: Reading::new(Err(SensorError::NotSupported), at),
    }
}

/// The reasons that are heat and nothing else. The general hardware slowdown is left out: a power brake sets it too.
const HEAT: ThrottleReasons =
    ThrottleReasons::SW_THERMAL_SLOWDOWN.union(ThrottleReasons::HW_THERMAL_SLOWDOWN);

/// How the memory stands.
pub(super) fn memory(device: &Device<'_>) -> Result<MemoryUse, SensorError> {
    let memory = device.memory_info()?;
    Ok(MemoryUse {
        used_bytes: memory.used.saturating_add(memory.reserved),
        free_bytes: memory.free,
    })
}

fn memory_temperature(device: &Device<'_>) -> Result<u32, SensorError> {
    let answers = device.field_values_for(&[FieldId(NVML_FI_DEV_MEMORY_TEMP)])?;
    let sample = answers
        .into_iter()
        .next()
        .ok_or(SensorError::NotSupported)??;
    match sample.value? {
        // A card without this sensor may answer zero and no error.
        SampleValue::U32(0) => Err(SensorError::NotSupported),
        SampleValue::U32(celsius) => Ok(celsius),
        other => Err(SensorError::Other(format!(
            "a memory temperature of an unexpected kind, {other:?}"
        ))),
    }
}

fn fastest_fan(device: &Device<'_>, fans: u32) -> Result<u32, SensorError> {
    let mut fastest = Err(SensorError::NotSupported);
    for fan in 0..fans {
        let speed = device.fan_speed(fan)?;
        fastest = fastest.map_or(Ok(speed), |other: u32| Ok(other.max(speed)));
    }
    fastest
}

/// Every process that holds the card, without its share.
pub(super) fn processes(device: &Device<'_>) -> Result<Vec<ProcessUse>, SensorError> {
    let mut found: Vec<ProcessUse> = Vec::new();
    let computing = device.running_compute_processes()?;
    let drawing = device.running_graphics_processes()?;
    let listed = computing
        .iter()
        .map(|process| (process, true))
        .chain(drawing.iter().map(|process| (process, false)));
    for (process, computes) in listed {
        let memory_bytes = match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        // One that computes and draws is in both lists, with the same memory.
        match found.iter_mut().find(|known| known.pid == process.pid) {
            Some(known) => known.memory_bytes = known.memory_bytes.max(memory_bytes),
            None => found.push(ProcessUse {
                pid: process.pid,
                memory_bytes,
                load_percent: None,
                computes,
            }),
        }
    }
    Ok(found)
}

fn processes_with_shares(
    device: &Device<'_>,
    sampled_us: &mut u64,
) -> Result<Vec<ProcessUse>, SensorError> {
    let mut found = processes(device)?;
    if found.is_empty() {
        return Ok(found);
    }
    let samples = match device.process_utilization_stats(*sampled_us) {
        Ok(samples) => samples,
        // No process did anything since the last look.
        Err(NvmlError::NotFound) => Vec::new(),
        Err(error) => {
            return match SensorError::from(error) {
                error if error.needs_reopening() => Err(error),
                _ => Ok(found),
            };
        }
    };
    for process in &mut found {
        let newest = samples
            .iter()
            .filter(|sample| sample.pid == process.pid)
            .max_by_key(|sample| sample.timestamp);
        // Encoding a film keeps the card as busy as computing does.
        let share = newest.map_or(0, |s| s.sm_util.max(s.enc_util).max(s.dec_util));
        // Some drivers answer nonsense for a process that has just ended.
        process.load_percent = u8::try_from(share).ok().filter(|share| *share <= 100);
    }
    let newest = samples.iter().map(|sample| sample.timestamp).max();
    *sampled_us = newest.unwrap_or(*sampled_us).max(*sampled_us);
    Ok(found)
}
