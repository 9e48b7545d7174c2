//! The structures of NVML's header that cross the border, as far as this simulator fills them in.

use std::ffi::{c_char, c_longlong, c_uint, c_ulonglong};

#[repr(C)]
pub(crate) struct PciInfo {
    pub(crate) bus_id_legacy: [c_char; 16],
    pub(crate) domain: c_uint,
    pub(crate) bus: c_uint,
    pub(crate) device: c_uint,
    pub(crate) pci_device_id: c_uint,
    pub(crate) pci_sub_system_id: c_uint,
    pub(crate) bus_id: [c_char; 32],
}

#[repr(C)]
pub(crate) struct MemoryV2 {
    pub(crate) version: c_uint,
    pub(crate) total: c_ulonglong,
    pub(crate) reserved: c_ulonglong,
    pub(crate) free: c_ulonglong,
    pub(crate) used: c_ulonglong,
}

#[repr(C)]
pub(crate) struct Utilization {
    pub(crate) gpu: c_uint,
    pub(crate) memory: c_uint,
}

#[repr(C)]
pub(crate) struct ProcessInfo {
    pub(crate) pid: c_uint,
    pub(crate) used_gpu_memory: c_ulonglong,
    pub(crate) gpu_instance_id: c_uint,
    pub(crate) compute_instance_id: c_uint,
}

#[repr(C)]
pub(crate) struct ProcessShare {
    pub(crate) pid: c_uint,
    pub(crate) time_stamp: c_ulonglong,
    pub(crate) sm_util: c_uint,
    pub(crate) mem_util: c_uint,
    pub(crate) enc_util: c_uint,
    pub(crate) dec_util: c_uint,
}

/// NVML's union of value kinds; this simulator answers unsigned integers only.
#[repr(C)]
pub(crate) union Value {
    pub(crate) unsigned: c_uint,
    pub(crate) widest: c_ulonglong,
}

#[repr(C)]
pub(crate) struct FieldValue {
    pub(crate) field_id: c_uint,
    pub(crate) scope_id: c_uint,
    pub(crate) timestamp: c_longlong,
    pub(crate) latency_usec: c_longlong,
    pub(crate) value_type: c_uint,
    pub(crate) nvml_return: c_uint,
    pub(crate) value: Value,
}

pub(crate) const VALUE_TYPE_UNSIGNED_INT: c_uint = 1;
pub(crate) const FIELD_MEMORY_TEMPERATURE: c_uint = 82;
pub(crate) const NOT_IN_AN_INSTANCE: c_uint = u32::MAX;
pub(crate) const MIB: u64 = 1024 * 1024;
