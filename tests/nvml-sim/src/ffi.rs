//! The C functions, by the names (with their version suffix) that nvml-wrapper looks up, in the layout of NVML's
//! header. Each answers from the world as it is at that moment.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::layout::{
    FIELD_MEMORY_TEMPERATURE, FieldValue, MIB, MemoryV2, NOT_IN_AN_INSTANCE, PciInfo, ProcessInfo,
    ProcessShare, Utilization, VALUE_TYPE_UNSIGNED_INT, Value,
};
use crate::world::{self, on_gpu, on_library};
use crate::{Code, Gpu, Process};

/// A device handle: the GPU's index and one, so that null stays invalid.
type Device = *mut std::ffi::c_void;

const SUCCESS: c_uint = 0;

fn code(result: Result<(), Code>) -> c_uint {
    match result {
        Ok(()) => SUCCESS,
        Err(code) => code as c_uint,
    }
}

fn index(device: Device) -> Result<usize, Code> {
    (device as usize)
        .checked_sub(1)
        .ok_or(Code::InvalidArgument)
}

/// Writes `value` where the caller wants it.
///
/// # Safety
/// `to` is null or valid for writing a `T`.
unsafe fn put<T>(to: *mut T, value: T) -> Result<(), Code> {
    if to.is_null() {
        return Err(Code::InvalidArgument);
    }
    // SAFETY: not null, and valid by this function's contract.
    unsafe { to.write(value) };
    Ok(())
}

/// Writes a C string into a buffer of `length` characters.
///
/// # Safety
/// `to` is null or valid for writing `length` characters.
unsafe fn put_text(to: *mut c_char, length: usize, text: &str) -> Result<(), Code> {
    if to.is_null() {
        return Err(Code::InvalidArgument);
    }
    if text.len() >= length {
        return Err(Code::InsufficientSize);
    }
    // SAFETY: the text and its final zero fit into `length`, and the source is no part of the target.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), to, text.len());
        to.add(text.len()).write(0);
    }
    Ok(())
}

/// One exported function of a GPU that fills in one value of type `$kind`.
macro_rules! gpu_value {
    ($($symbol:ident $call:literal ($($argument:ident: $type:ty),*) -> $kind:ty { $answer:expr })*) => { $(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $symbol(device: Device, $($argument: $type,)* out: *mut $kind) -> c_uint {
            let answer: fn(&Gpu, $($type),*) -> Result<$kind, Code> = $answer;
            code(index(device)
                .and_then(|index| on_gpu($call, index, |gpu| answer(gpu, $($argument),*)))
                // SAFETY: the caller passes where to write the answer, as NVML's header asks.
                .and_then(|value| unsafe { put(out, value) }))
        }
    )* };
}

gpu_value! {
    nvmlDeviceGetTemperature "temperature" (sensor: c_uint) -> c_uint {
        |gpu, sensor| if sensor == 0 { Ok(gpu.temperature_c) } else { Err(Code::InvalidArgument) }
    }
    nvmlDeviceGetTemperatureThreshold "temperature_threshold" (threshold: c_uint) -> c_uint {
        |gpu, threshold| match threshold {
            0 => Ok(gpu.shutdown_temperature_c),
            1 => Ok(gpu.slowdown_temperature_c),
            _ => Err(Code::NotSupported),
        }
    }
    nvmlDeviceGetPowerUsage "power_usage" () -> c_uint { |gpu| Ok(gpu.power_draw_mw) }
    nvmlDeviceGetPowerManagementLimit "power_management_limit" () -> c_uint { world::power_limit }
    nvmlDeviceGetEnforcedPowerLimit "enforced_power_limit" () -> c_uint { world::power_limit }
    nvmlDeviceGetPowerManagementDefaultLimit "power_management_limit_default" () -> c_uint {
        |gpu| Ok(gpu.power_limit_default_mw)
    }
    nvmlDeviceGetTotalEnergyConsumption "total_energy_consumption" () -> c_ulonglong { |gpu| Ok(gpu.energy_mj) }
    nvmlDeviceGetNumFans "num_fans" () -> c_uint { |gpu| Ok(gpu.fans_percent.len() as c_uint) }
    nvmlDeviceGetFanSpeed_v2 "fan_speed" (fan: c_uint) -> c_uint {
        |gpu, fan| gpu.fans_percent.get(fan as usize).copied().ok_or(Code::NotSupported)
    }
    nvmlDeviceGetUtilizationRates "utilization_rates" () -> Utilization {
        |gpu| Ok(Utilization { gpu: gpu.utilization_percent, memory: gpu.memory_utilization_percent })
    }
    nvmlDeviceGetClockInfo "clock_info" (clock: c_uint) -> c_uint {
        |gpu, clock| match clock {
            0 | 1 => Ok(gpu.graphics_clock_mhz),
            2 => Ok(gpu.memory_clock_mhz),
            _ => Err(Code::NotSupported),
        }
    }
    nvmlDeviceGetCurrentClocksThrottleReasons "current_throttle_reasons" () -> c_ulonglong {
        |gpu| Ok(gpu.throttle_reasons)
    }
    nvmlDeviceGetPerformanceState "performance_state" () -> c_uint { |gpu| Ok(gpu.performance_state) }
    nvmlDeviceGetPciInfo_v3 "pci_info" () -> PciInfo { pci_info }
}

fn pci_info(gpu: &Gpu) -> Result<PciInfo, Code> {
    let (domain, rest) = gpu.pci_bus_id.split_once(':').ok_or(Code::Unknown)?;
    let (bus, rest) = rest.split_once(':').ok_or(Code::Unknown)?;
    let (device, _function) = rest.split_once('.').ok_or(Code::Unknown)?;
    let number = |digits| c_uint::from_str_radix(digits, 16).map_err(|_| Code::Unknown);
    let mut info = PciInfo {
        bus_id_legacy: [0; 16],
        domain: number(domain)?,
        bus: number(bus)?,
        device: number(device)?,
        pci_device_id: gpu.pci_device_id,
        pci_sub_system_id: 0,
        bus_id: [0; 32],
    };
    let legacy = format!("{:04X}:{:02X}:{:02X}.0", info.domain, info.bus, info.device);
    // SAFETY: both targets are arrays of the lengths that are passed.
    unsafe {
        put_text(
            info.bus_id_legacy.as_mut_ptr(),
            info.bus_id_legacy.len(),
            &legacy,
        )?;
        put_text(info.bus_id.as_mut_ptr(), info.bus_id.len(), &gpu.pci_bus_id)?;
    }
    Ok(info)
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> c_uint {
    code(world::now().and_then(|scenario| scenario.init_error.map_or(Ok(()), Err)))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_uint {
    nvmlInit_v2()
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> c_uint {
    SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetDriverVersion(to: *mut c_char, length: c_uint) -> c_uint {
    code(on_library("sys_driver_version", |scenario| {
        // SAFETY: the caller passes a buffer and its length.
        unsafe { put_text(to, length as usize, &scenario.driver_version) }
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(out: *mut c_int) -> c_uint {
    // SAFETY: the caller passes where to write the answer.
    code(on_library("sys_cuda_driver_version", |_| unsafe {
        put(out, 12_040)
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount_v2(out: *mut c_uint) -> c_uint {
    // SAFETY: the caller passes where to write the answer.
    code(on_library("device_count", |scenario| unsafe {
        put(out, scenario.gpus.len() as c_uint)
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(wanted: c_uint, out: *mut Device) -> c_uint {
    let wanted = wanted as usize;
    code(on_library("device_by_index", |scenario| {
        match scenario.gpus.get(wanted) {
            None => Err(Code::InvalidArgument),
            // SAFETY: the caller passes where to write the answer.
            Some(_) => on_gpu("device_by_index", wanted, |_| unsafe {
                put(out, (wanted + 1) as Device)
            }),
        }
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, out: *mut Device) -> c_uint {
    if uuid.is_null() {
        return Code::InvalidArgument as c_uint;
    }
    // SAFETY: not null, and the caller passes a C string.
    let uuid = unsafe { CStr::from_ptr(uuid) }.to_bytes();
    code(on_library("device_by_uuid", |scenario| {
        let index = scenario
            .gpus
            .iter()
            .position(|gpu| gpu.uuid.as_bytes() == uuid)
            .ok_or(Code::NotFound)?;
        // SAFETY: the caller passes where to write the answer.
        on_gpu("device_by_uuid", index, |_| unsafe {
            put(out, (index + 1) as Device)
        })
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetName(device: Device, to: *mut c_char, length: c_uint) -> c_uint {
    // SAFETY: the caller passes a buffer and its length.
    let write = |gpu: &Gpu| unsafe { put_text(to, length as usize, &gpu.name) };
    code(index(device).and_then(|index| on_gpu("name", index, write)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUUID(device: Device, to: *mut c_char, length: c_uint) -> c_uint {
    // SAFETY: the caller passes a buffer and its length.
    let write = |gpu: &Gpu| unsafe { put_text(to, length as usize, &gpu.uuid) };
    code(index(device).and_then(|index| on_gpu("uuid", index, write)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: Device,
    major: *mut c_int,
    minor: *mut c_int,
) -> c_uint {
    code(index(device).and_then(|index| {
        on_gpu("cuda_compute_capability", index, |gpu| {
            // SAFETY: the caller passes where to write both numbers.
            unsafe {
                put(major, gpu.compute_capability.0)
                    .and_then(|()| put(minor, gpu.compute_capability.1))
            }
        })
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Device, out: *mut MemoryV2) -> c_uint {
    code(index(device).and_then(|index| {
        on_gpu("memory_info", index, |gpu| {
            let (total, used) = (gpu.memory_total_mib * MIB, gpu.memory_used_mib * MIB);
            // SAFETY: the caller passes a struct of this layout; its version is left as the caller set it.
            unsafe {
                let version = out.as_ref().ok_or(Code::InvalidArgument)?.version;
                put(
                    out,
                    MemoryV2 {
                        version,
                        total,
                        reserved: 0,
                        free: total.saturating_sub(used),
                        used,
                    },
                )
            }
        })
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
    device: Device,
    lowest: *mut c_uint,
    highest: *mut c_uint,
) -> c_uint {
    code(index(device).and_then(|index| {
        on_gpu("power_management_limit_constraints", index, |gpu| {
            // SAFETY: the caller passes where to write both numbers.
            unsafe {
                put(lowest, gpu.power_limit_range_mw.0)
                    .and_then(|()| put(highest, gpu.power_limit_range_mw.1))
            }
        })
    }))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceSetPowerManagementLimit(device: Device, limit_mw: c_uint) -> c_uint {
    let set = |gpu: &Gpu| world::set_power_limit(gpu, limit_mw);
    code(index(device).and_then(|index| on_gpu("set_power_management_limit", index, set)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetFieldValues(
    device: Device,
    count: c_int,
    values: *mut FieldValue,
) -> c_uint {
    code(index(device).and_then(|index| {
        on_gpu("field_values_for", index, |gpu| {
            if values.is_null() {
                return Err(Code::InvalidArgument);
            }
            // SAFETY: not null, and the caller passes the number of values behind the pointer.
            let values = unsafe {
                std::slice::from_raw_parts_mut(values, usize::try_from(count).unwrap_or(0))
            };
            for field in values {
                field.value_type = VALUE_TYPE_UNSIGNED_INT;
                let celsius = gpu
                    .memory_temperature_c
                    .filter(|_| field.field_id == FIELD_MEMORY_TEMPERATURE);
                field.nvml_return = celsius.map_or(Code::NotSupported as c_uint, |_| SUCCESS);
                field.value = Value { widest: 0 };
                field.value.unsigned = celsius.unwrap_or(0);
            }
            Ok(())
        })
    }))
}

/// Answers a list the way NVML does: with too little room, how much is needed and INSUFFICIENT_SIZE.
///
/// # Safety
/// `count` is null or points to the room behind `out`.
unsafe fn put_processes(
    processes: &[Process],
    count: *mut c_uint,
    out: *mut ProcessInfo,
) -> Result<(), Code> {
    // SAFETY: null or valid, by this function's contract.
    let room = unsafe { count.as_mut() }.ok_or(Code::InvalidArgument)?;
    let given = *room as usize;
    *room = processes.len() as c_uint;
    if given < processes.len() {
        return Err(Code::InsufficientSize);
    }
    for (place, process) in processes.iter().enumerate() {
        let info = ProcessInfo {
            pid: process.pid,
            used_gpu_memory: process.memory_mib.map_or(c_ulonglong::MAX, |mib| mib * MIB),
            gpu_instance_id: NOT_IN_AN_INSTANCE,
            compute_instance_id: NOT_IN_AN_INSTANCE,
        };
        // SAFETY: `place` is below the room that the caller gave.
        unsafe { put(out.wrapping_add(place), info)? };
    }
    Ok(())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: Device,
    count: *mut c_uint,
    out: *mut ProcessInfo,
) -> c_uint {
    // SAFETY: the caller passes the room that it made.
    let write = |gpu: &Gpu| unsafe { put_processes(&gpu.compute_processes, count, out) };
    code(index(device).and_then(|index| on_gpu("running_compute_processes", index, write)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    device: Device,
    count: *mut c_uint,
    out: *mut ProcessInfo,
) -> c_uint {
    // SAFETY: the caller passes the room that it made.
    let write = |gpu: &Gpu| unsafe { put_processes(&gpu.graphics_processes, count, out) };
    code(index(device).and_then(|index| on_gpu("running_graphics_processes", index, write)))
}

/// The shares of processes that did something, all sampled now; NOT_FOUND when none did. As NVML, it answers a call
/// without a buffer with the number and INSUFFICIENT_SIZE.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetProcessUtilization(
    device: Device,
    out: *mut ProcessShare,
    count: *mut c_uint,
    _last_seen_us: c_ulonglong,
) -> c_uint {
    let write = |gpu: &Gpu| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_stamp = now.map_or(0, |since| since.as_micros() as c_ulonglong);
        let busy: Vec<_> = gpu
            .compute_processes
            .iter()
            .chain(&gpu.graphics_processes)
            .filter_map(|process| Some((process.pid, process.load_percent?)))
            .collect();
        if busy.is_empty() {
            return Err(Code::NotFound);
        }
        // SAFETY: null or valid, as NVML's header asks.
        let room = unsafe { count.as_mut() }.ok_or(Code::InvalidArgument)?;
        let given = *room as usize;
        *room = busy.len() as c_uint;
        if out.is_null() || given < busy.len() {
            return Err(Code::InsufficientSize);
        }
        for (place, (pid, sm_util)) in busy.into_iter().enumerate() {
            let share = ProcessShare {
                pid,
                time_stamp,
                sm_util,
                mem_util: 0,
                enc_util: 0,
                dec_util: 0,
            };
            // SAFETY: `place` is below the room that the caller gave.
            unsafe { put(out.wrapping_add(place), share)? };
        }
        Ok(())
    };
    code(index(device).and_then(|index| on_gpu("process_utilization_stats", index, write)))
}
