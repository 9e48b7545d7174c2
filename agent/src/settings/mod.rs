//! The owner's choices in `settings.toml`: read, checked, never overwritten with what the owner did not ask for.
//!
//! [`key::KEYS`] is the one list of what can be chosen: reading, checking, showing and documenting all go by it.

mod assemble;
mod change;
mod document;
mod edit;
mod fault;
mod hours;
mod key;
mod kind;
mod lists;
mod preset;
mod reference;
mod sentence;
mod value;
mod view;
mod watched;

#[cfg(test)]
mod tests;

pub use assemble::{Parsed, parse_text, parse_under};
pub use change::{ChangeError, revision};
pub use fault::Fault;
pub use hours::{BandRule, Days, HoursRule};
pub use key::{Address, KEYS, Key};
pub use kind::Kind;
pub use preset::{PRESETS, Preset};
pub use reference::reference;
pub use value::Value;
pub use view::{faults as told, preset_of};
pub use watched::{SettingsError, Watched};

use sublet_core::Settings;
use sublet_core::facts::{GpuFacts, PowerRange};
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "settings.toml";
/// Where the last text that held is kept, in the data folder: it stays in force across a restart with a bad file.
pub const GOOD_FILE_NAME: &str = "settings.good";
/// The highest `version` that this program reads.
pub const VERSION: u32 = 1;

/// Everything that the owner chose, read and checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choices {
    /// What the core decides by.
    pub settings: Settings,
    /// The hours of mode `schedule`, as they were written.
    pub hours: Vec<HoursRule>,
    /// What a job may take beside its GPUs.
    pub limits: Limits,
    /// Programs that the owner wants the machine for: names (`blender`), or folders (`/opt/games`) whose programs all
    /// count.
    pub programs: Vec<String>,
    /// The marketplace's address.
    pub market: Option<String>,
}

/// What a job may take beside its GPUs, where the owner says so.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Limits {
    /// CPU cores, such as 2 or 1.5.
    pub cpus: Option<f64>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// All outputs of a job together, in MiB.
    pub output_mib: Option<u64>,
    /// All that a job writes on the disk, in MiB.
    pub disk_mib: Option<u64>,
    /// What stays free on the disk, in MiB.
    pub reserve_mib: Option<u64>,
    /// All images that were pulled for jobs, in MiB.
    pub image_cache_mib: Option<u64>,
    /// The longest that a job may ask to run, in minutes.
    pub run_minutes: Option<u64>,
}

/// What the command line says; it goes before the file, but not before what the file says of a single GPU.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    /// `--preset`
    pub preset: Option<Preset>,
    /// `--floor`
    pub floor: Option<HourlyPrice>,
    /// `--allow-software-gpu`
    pub allow_software_gpu: bool,
    /// `--away-ms`, for tests and benchmarks: a minute is long there.
    pub away_ms: Option<u64>,
    /// `--market`
    pub market: Option<String>,
}

/// Reads `--floor`, within the bounds of `price.floor`.
///
/// # Errors
/// What it is and what is allowed, in words.
pub fn floor(text: &str) -> Result<MicroUsd, String> {
    let amount: MicroUsd = text
        .parse()
        .map_err(|error: sublet_protocol::money::AmountError| error.to_string())?;
    match key::FLOOR {
        Kind::Money { most, .. } if amount > most => Err(format!(
            "{amount} is more than any GPU earns: it must be {}",
            key::FLOOR
        )),
        _ => Ok(amount),
    }
}

/// A GPU that was found, as far as it bounds what can be chosen for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGpu {
    /// Which.
    pub id: GpuId,
    /// What people call it.
    pub name: String,
    /// The core temperature from which its driver slows it down, in °C.
    pub slowdown_c: Option<i32>,
    /// Which power limits it takes.
    pub power: Option<PowerRange>,
}

impl From<&GpuFacts> for KnownGpu {
    fn from(gpu: &GpuFacts) -> Self {
        Self {
            id: gpu.info.id.clone(),
            name: gpu.info.name.clone(),
            slowdown_c: gpu.slowdown_c,
            power: gpu.power_range,
        }
    }
}
