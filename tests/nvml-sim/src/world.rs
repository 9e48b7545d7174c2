//! The world as it is now: the scenario file, read again when it changed.

use std::env;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use crate::own_path::own_path;
use crate::{Applied, Code, Gpu, SCENARIO_FILE, Scenario};

#[derive(Clone, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    file: u64,
}

struct Seen {
    stamp: Stamp,
    scenario: Arc<Scenario>,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

/// The scenario's path, settled at the first call.
fn path() -> Result<&'static Path, Code> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| match env::var_os("NVML_SIM_SCENARIO") {
        Some(named) => Some(PathBuf::from(named)),
        None => Some(own_path()?.parent()?.join(SCENARIO_FILE)),
    })
    .as_deref()
    .ok_or(Code::Unknown)
}

fn stamp(metadata: &Metadata) -> Stamp {
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let file = 0;
    Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        file,
    }
}

/// The scenario as the file now tells it. A file that cannot be read is a broken test, so it is said on standard
/// error, and every call answers `UNKNOWN`.
pub(crate) fn now() -> Result<Arc<Scenario>, Code> {
    let path = path()?;
    let complain = |error: std::io::Error| {
        eprintln!(
            "nvml-sim: the scenario {} cannot be used: {error}",
            path.display()
        );
        Code::Unknown
    };
    let stamp = stamp(&fs::metadata(path).map_err(complain)?);
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(seen) = seen.as_ref().filter(|seen| seen.stamp == stamp) {
        return Ok(Arc::clone(&seen.scenario));
    }
    let scenario = Arc::new(Scenario::read(path).map_err(complain)?);
    *seen = Some(Seen {
        stamp,
        scenario: Arc::clone(&scenario),
    });
    Ok(scenario)
}

/// Runs `answer` on the library, unless the scenario has an error for `call`.
pub(crate) fn on_library<T>(
    call: &str,
    answer: impl FnOnce(&Scenario) -> Result<T, Code>,
) -> Result<T, Code> {
    let scenario = now()?;
    match error(&scenario.errors, call) {
        Some(code) => Err(code),
        None => answer(&scenario),
    }
}

/// Runs `answer` on the GPU at `index`, unless the scenario has an error for `call`. A GPU that the scenario no longer
/// has fell off the bus.
pub(crate) fn on_gpu<T>(
    call: &str,
    index: usize,
    answer: impl FnOnce(&Gpu) -> Result<T, Code>,
) -> Result<T, Code> {
    on_library(call, |scenario| {
        let gpu = scenario.gpus.get(index).ok_or(Code::GpuIsLost)?;
        match error(&gpu.errors, call) {
            Some(code) => Err(code),
            None => answer(gpu),
        }
    })
}

fn error(errors: &std::collections::BTreeMap<String, Code>, call: &str) -> Option<Code> {
    errors.get(call).or_else(|| errors.get("*")).copied()
}

/// The power limit in force: the one that was set, otherwise the scenario's.
pub(crate) fn power_limit(gpu: &Gpu) -> Result<u32, Code> {
    let applied = Applied::read(path()?).map_err(|_| Code::Unknown)?;
    Ok(applied
        .power_limits_mw
        .get(&gpu.uuid)
        .copied()
        .unwrap_or(gpu.power_limit_mw))
}

/// Sets the power limit and records it.
pub(crate) fn set_power_limit(gpu: &Gpu, limit_mw: u32) -> Result<(), Code> {
    let (lowest, highest) = gpu.power_limit_range_mw;
    if !(lowest..=highest).contains(&limit_mw) {
        return Err(Code::InvalidArgument);
    }
    let path = path()?;
    let mut applied = Applied::read(path).map_err(|_| Code::Unknown)?;
    applied.power_limits_mw.insert(gpu.uuid.clone(), limit_mw);
    applied.write(path).map_err(|_| Code::Unknown)
}
