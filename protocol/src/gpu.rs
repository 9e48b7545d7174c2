//! What a GPU is, and how it is doing.

use crate::ids::GpuId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who makes a GPU, as far as renting cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GpuVendor {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
    /// Intel.
    Intel,
    /// Apple.
    Apple,
    /// No hardware: the CPU computes (lavapipe, SwiftShader, WARP).
    Software,
    /// Anything else.
    Other,
}

/// What a rig says of one GPU: it does not change while the driver stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GpuInfo {
    /// Stable across restarts.
    pub id: GpuId,
    /// The driver's name for it, such as `NVIDIA GeForce RTX 4090`.
    pub name: String,
    /// Who made it.
    pub vendor: GpuVendor,
    /// A software adapter is never rented unless its owner allows it by name, and renters are told.
    pub software: bool,
    /// Its own memory in bytes, where known.
    pub memory_bytes: Option<u64>,
    /// The driver's version, where known.
    pub driver: Option<String>,
    /// `dddd:bb:dd.f`, where known.
    pub pci: Option<String>,
    /// The last benchmark under this driver, where there is one.
    pub score: Option<BenchScore>,
}

/// The benchmark's figures, measured, for one adapter under one driver version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BenchScore {
    /// One figure to compare GPUs by; see docs/protocol.md for its formula. 1000 is the reference card.
    pub score: u32,
    /// fp32 matrix product, in MFLOP/s (median).
    pub fp32_mflops: u64,
    /// Memory triad, in MB/s (median).
    pub bandwidth_mb_s: u64,
}

/// One look at a GPU. A reading that could not be had is `null`, never a made-up number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Telemetry {
    /// Which GPU.
    pub gpu: GpuId,
    /// Core temperature in °C.
    pub temperature_c: Option<i32>,
    /// Power drawn, in mW.
    pub power_mw: Option<u32>,
    /// Power limit in force, in mW.
    pub power_limit_mw: Option<u32>,
    /// Load of the compute units, 0 to 100.
    pub load_percent: Option<u8>,
    /// Memory in use, in bytes.
    pub memory_used_bytes: Option<u64>,
    /// Fan, 0 to 100 of its highest speed.
    pub fan_percent: Option<u8>,
    /// How old the readings are, in ms.
    pub age_ms: u64,
    /// Why readings are missing, in words, when something is wrong.
    pub problem: Option<String>,
}
