//! One NVIDIA GPU: what never changes about it, and what it measures now.

use std::sync::Arc;
use std::time::Instant;

use nvml_wrapper::Device;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor, TemperatureThreshold};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;

use super::{PciAddress, Reading, SensorError};

/// What stays the same about a GPU for as long as its driver runs.
#[derive(Clone, Debug, PartialEq)]
pub struct NvidiaGpu {
    /// NVML's identifier: `GPU-` and a UUID. The same after a restart, and in another slot.
    pub uuid: String,
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
    pub gpu: Arc<NvidiaGpu>,
    /// What it measures.
    pub telemetry: GpuTelemetry,
}

/// What a GPU measures. A sensor that failed stands beside others that did not.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuTelemetry {
    /// Core temperature in degrees Celsius.
    pub temperature_c: Reading<u32>,
    /// Memory temperature in degrees Celsius.
    pub memory_temperature_c: Reading<u32>,
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
    /// Why the clocks are lower than they could be.
    pub throttle_reasons: Reading<ThrottleReasons>,
    /// Memory in bytes.
    pub memory: Reading<MemoryUse>,
    /// Processes with a compute or a graphics context.
    pub processes: Reading<Vec<ProcessUse>>,
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
    /// It computes; otherwise it draws.
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
            memory_temperature_c: none(error, at),
            power_draw_mw: none(error, at),
            power_limit_mw: none(error, at),
            energy_mj: none(error, at),
            fan_percent: none(error, at),
            utilization_percent: none(error, at),
            graphics_clock_mhz: none(error, at),
            memory_clock_mhz: none(error, at),
            throttle_reasons: none(error, at),
            memory: none(error, at),
            processes: none(error, at),
        }
    }

    /// Every error that a sensor met.
    pub(super) fn errors(&self) -> impl Iterator<Item = &SensorError> {
        [
            self.temperature_c.value.as_ref().err(),
            self.memory_temperature_c.value.as_ref().err(),
            self.power_draw_mw.value.as_ref().err(),
            self.power_limit_mw.value.as_ref().err(),
            self.energy_mj.value.as_ref().err(),
            self.fan_percent.value.as_ref().err(),
            self.utilization_percent.value.as_ref().err(),
            self.graphics_clock_mhz.value.as_ref().err(),
            self.memory_clock_mhz.value.as_ref().err(),
            self.throttle_reasons.value.as_ref().err(),
            self.memory.value.as_ref().err(),
            self.processes.value.as_ref().err(),
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

/// Reads what never changes. Only identity and memory are required; the rest depends on the card.
pub(super) fn describe(
    device: &Device<'_>,
    driver_version: &str,
) -> Result<NvidiaGpu, SensorError> {
    let pci = device.pci_info()?;
    let capability = optional(device.cuda_compute_capability())?;
    let limits = optional(device.power_management_limit_constraints())?;
    let default_mw = optional(device.power_management_limit_default())?;
    Ok(NvidiaGpu {
        uuid: device.uuid()?,
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

/// Reads every sensor of one GPU.
pub(super) fn measure(device: &Device<'_>, gpu: &NvidiaGpu, at: Instant) -> GpuTelemetry {
    fn reading<T>(answer: Result<T, NvmlError>, at: Instant) -> Reading<T> {
        Reading::new(answer.map_err(SensorError::from), at)
    }
    GpuTelemetry {
        temperature_c: reading(device.temperature(TemperatureSensor::Gpu), at),
        memory_temperature_c: Reading::new(memory_temperature(device), at),
        power_draw_mw: reading(device.power_usage(), at),
        power_limit_mw: reading(device.enforced_power_limit(), at),
        energy_mj: reading(device.total_energy_consumption(), at),
        fan_percent: Reading::new(fastest_fan(device, gpu.fans), at),
        utilization_percent: reading(device.utilization_rates().map(|share| share.gpu), at),
        graphics_clock_mhz: reading(device.clock_info(Clock::Graphics), at),
        memory_clock_mhz: reading(device.clock_info(Clock::Memory), at),
        throttle_reasons: reading(device.current_throttle_reasons(), at),
        memory: reading(
            device.memory_info().map(|memory| MemoryUse {
                used_bytes: memory.used.saturating_add(memory.reserved),
                free_bytes: memory.free,
            }),
            at,
        ),
        processes: Reading::new(processes(device), at),
    }
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

fn processes(device: &Device<'_>) -> Result<Vec<ProcessUse>, SensorError> {
    let of = |computes: bool| {
        move |process: ProcessInfo| ProcessUse {
            pid: process.pid,
            memory_bytes: match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            },
            computes,
        }
    };
    let computing = device
        .running_compute_processes()?
        .into_iter()
        .map(of(true));
    let drawing = device
        .running_graphics_processes()?
        .into_iter()
        .map(of(false));
    Ok(computing.chain(drawing).collect())
}
