//! The scenario file: what the simulated machine looks like, and what goes wrong on it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The scenario's file name when it lies beside the shared library.
pub const SCENARIO_FILE: &str = "scenario.toml";

/// A simulated machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Driver version, as in `550.90.07`.
    pub driver_version: String,
    /// What initialising the library answers, when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_error: Option<Code>,
    /// Errors of calls on every GPU and on the library, by the name of nvml-wrapper's method; `*` stands for all
    /// but initialising.
    pub errors: BTreeMap<String, Code>,
    /// The GPUs, in the order of their NVML index.
    #[serde(rename = "gpu")]
    pub gpus: Vec<Gpu>,
}

/// One simulated GPU.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gpu {
    /// Product name.
    pub name: String,
    /// NVML's identifier, `GPU-` and a UUID.
    pub uuid: String,
    /// PCI address as NVML writes it, with eight digits of domain: `00000000:65:00.0`.
    pub pci_bus_id: String,
    /// PCI device id in the upper, vendor id in the lower 16 bits.
    pub pci_device_id: u32,
    /// Compute capability, major and minor.
    pub compute_capability: (i32, i32),
    /// Memory in MiB.
    pub memory_total_mib: u64,
    /// Memory in use, in MiB.
    pub memory_used_mib: u64,
    /// Core temperature in degrees Celsius.
    pub temperature_c: u32,
    /// Memory temperature in degrees Celsius; absent: not supported, as on most consumer cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_temperature_c: Option<u32>,
    /// Core temperature from which the driver slows the card down.
    pub slowdown_temperature_c: u32,
    /// Core temperature from which the driver shuts the card down.
    pub shutdown_temperature_c: u32,
    /// Power draw in milliwatts.
    pub power_draw_mw: u32,
    /// Power limit in force, in milliwatts, until one is set.
    pub power_limit_mw: u32,
    /// Lowest and highest power limit that may be set, in milliwatts.
    pub power_limit_range_mw: (u32, u32),
    /// Power limit from the factory, in milliwatts.
    pub power_limit_default_mw: u32,
    /// Energy drawn since the driver was loaded, in millijoules.
    pub energy_mj: u64,
    /// Fan speeds in per cent; empty for a card without fans.
    pub fans_percent: Vec<u32>,
    /// Share of time in which a kernel ran, in per cent.
    pub utilization_percent: u32,
    /// Share of time in which memory was read or written, in per cent.
    pub memory_utilization_percent: u32,
    /// Core clock in MHz.
    pub graphics_clock_mhz: u32,
    /// Memory clock in MHz.
    pub memory_clock_mhz: u32,
    /// NVML's bit field of reasons for lowered clocks.
    pub throttle_reasons: u64,
    /// Performance state, 0 (fastest) to 15.
    pub performance_state: u32,
    /// Processes with a compute context.
    pub compute_processes: Vec<Process>,
    /// Processes with a graphics context.
    pub graphics_processes: Vec<Process>,
    /// Errors of calls on this GPU, by the name of nvml-wrapper's method; `*` stands for all.
    pub errors: BTreeMap<String, Code>,
}

/// A process that uses a GPU.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// GPU memory in MiB; absent: not available, as under Windows' display driver model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Share of the GPU's time in per cent; absent: it did nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_percent: Option<u32>,
}

/// NVML's return codes, by the names of its header.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "the names are those of the header that they stand for"
)]
pub enum Code {
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    InsufficientPower = 8,
    DriverNotLoaded = 9,
    Timeout = 10,
    IrqIssue = 11,
    LibraryNotFound = 12,
    FunctionNotFound = 13,
    CorruptedInforom = 14,
    GpuIsLost = 15,
    ResetRequired = 16,
    OperatingSystem = 17,
    LibRmVersionMismatch = 18,
    InUse = 19,
    Memory = 20,
    NoData = 21,
    Unknown = 999,
}

/// What the agent did to the simulated machine, kept in a file beside the scenario.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Applied {
    /// Power limits that were set, in milliwatts, by the GPU's UUID. They replace the scenario's.
    pub power_limits_mw: BTreeMap<String, u32>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            driver_version: "550.90.07".into(),
            init_error: None,
            errors: BTreeMap::new(),
            gpus: Vec::new(),
        }
    }
}

impl Default for Gpu {
    fn default() -> Self {
        Self {
            name: "NVIDIA GeForce RTX 4090".into(),
            uuid: "GPU-00000000-0000-4000-8000-000000000000".into(),
            pci_bus_id: "00000000:65:00.0".into(),
            pci_device_id: 0x2684_10DE,
            compute_capability: (8, 9),
            memory_total_mib: 24_564,
            memory_used_mib: 512,
            temperature_c: 41,
            memory_temperature_c: None,
            slowdown_temperature_c: 90,
            shutdown_temperature_c: 95,
            power_draw_mw: 28_000,
            power_limit_mw: 450_000,
            power_limit_range_mw: (150_000, 600_000),
            power_limit_default_mw: 450_000,
            energy_mj: 1_000_000,
            fans_percent: vec![30],
            utilization_percent: 0,
            memory_utilization_percent: 0,
            graphics_clock_mhz: 210,
            memory_clock_mhz: 405,
            throttle_reasons: 1,
            performance_state: 8,
            compute_processes: Vec::new(),
            graphics_processes: Vec::new(),
            errors: BTreeMap::new(),
        }
    }
}

impl Scenario {
    /// A machine with these GPUs and nothing wrong.
    #[must_use]
    pub fn with_gpus(gpus: impl IntoIterator<Item = Gpu>) -> Self {
        Self {
            gpus: gpus.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else than a scenario.
    pub fn read(path: &Path) -> io::Result<Self> {
        toml::from_str(&fs::read_to_string(path)?).map_err(io::Error::other)
    }

    /// Writes the scenario beside `path` and renames it into place, so that a running simulator reads the old world
    /// or the new one and nothing between.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_atomically(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &toml::to_string(self).map_err(io::Error::other)?)
    }
}

impl Applied {
    /// Where the record of the scenario at `scenario` lies.
    #[must_use]
    pub fn path(scenario: &Path) -> PathBuf {
        scenario.with_extension("applied.toml")
    }

    /// Reads the record of the scenario at `scenario`; empty while nothing was done.
    ///
    /// # Errors
    /// When the record exists and cannot be read.
    pub fn read(scenario: &Path) -> io::Result<Self> {
        match fs::read_to_string(Self::path(scenario)) {
            Ok(text) => toml::from_str(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(&self, scenario: &Path) -> io::Result<()> {
        write_atomically(
            &Self::path(scenario),
            &toml::to_string(self).map_err(io::Error::other)?,
        )
    }
}

fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}
