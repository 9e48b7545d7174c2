//! NVIDIA's management library, kept open: opened once, read often, and opened again at a bounded pace after the driver
//! went away or a GPU fell off the bus.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nvml_wrapper::Nvml;

use super::SensorError;
use super::nvidia_device::{self, describe, measure};
use super::{Card, GpuReading, GpuTelemetry, MemoryUse, ProcessUse};

/// The environment variable that names another library in place of NVIDIA's. It makes the agent load code from that
/// file, so it is read from the environment or the command line alone and never from a settings file.
pub const LIBRARY_VARIABLE: &str = "SUBLET_NVML_LIBRARY";

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Which library to load.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Library(Option<PathBuf>);

impl Library {
    /// The one that NVIDIA's driver installs.
    #[must_use]
    pub fn installed() -> Self {
        Self(None)
    }

    /// Another one. Loading it runs its code with the agent's rights: take the path only from whoever started the
    /// agent.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// The one that [`LIBRARY_VARIABLE`] names, otherwise the installed one.
    #[must_use]
    pub fn from_env() -> Self {
        Self(
            std::env::var_os(LIBRARY_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        )
    }

    fn path(&self) -> OsString {
        match &self.0 {
            Some(path) => path.clone().into_os_string(),
            None => installed_path(),
        }
    }
}

#[cfg(not(windows))]
fn installed_path() -> OsString {
    OsString::from("libnvidia-ml.so.1")
}

/// By its full path: a bare name would also be looked for in the folder that the agent was started in.
#[cfg(windows)]
fn installed_path() -> OsString {
    let windows =
        std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    windows.join("System32").join("nvml.dll").into_os_string()
}

/// All NVIDIA GPUs at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The driver's version, or why it cannot be spoken to.
    pub driver: Result<String, SensorError>,
    /// Every GPU that was ever seen. One that is gone stays in the list, with errors for readings.
    pub gpus: Vec<GpuReading>,
    /// When this was read.
    pub at: Instant,
}

/// Reads NVIDIA GPUs. Blocks for as long as the driver takes: see [`super::GpuWatch`] for a reader that does not.
#[derive(Debug)]
pub struct NvidiaSensor {
    library: Library,
    state: Result<Open, SensorError>,
    seen: Vec<Arc<Card>>,
    /// When the last sample of processes' shares was taken, by card, on the driver's clock.
    sampled_us: HashMap<String, u64>,
    /// Present while something is wrong that opening the library again may cure.
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Open {
    nvml: Nvml,
    driver_version: String,
    /// By NVML's index; the error is why that GPU could not be described.
    gpus: Vec<Result<Arc<Card>, SensorError>>,
}

/// When to open the library again: soon at first, then ever more seldom.
#[derive(Debug)]
struct Pace {
    next: Option<Instant>,
    pause: Duration,
}

impl Pace {
    /// The first attempt may come at once.
    fn new() -> Self {
        Self {
            next: None,
            pause: FIRST_PAUSE,
        }
    }

    fn due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    fn wait(&mut self, now: Instant) {
        self.next = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl NvidiaSensor {
    /// A reader that opens the library at the first reading.
    #[must_use]
    pub fn new(library: Library) -> Self {
        Self {
            library,
            state: Err(SensorError::DriverNotLoaded),
            seen: Vec::new(),
            sampled_us: HashMap::new(),
            pace: Some(Pace::new()),
        }
    }

    /// Reads every GPU. `now` is the moment that the readings carry; it also paces opening the library again.
    pub fn read(&mut self, now: Instant) -> Snapshot {
        if let Some(pace) = &mut self.pace
            && pace.due(now)
        {
            pace.wait(now);
            self.reopen();
        }
        let mut gpus = self.measure(now);
        if !self.sick(&gpus) {
            self.pace = None;
        } else if self.pace.is_none() {
            let mut pace = Pace::new();
            pace.wait(now);
            self.pace = Some(pace);
        }
        gpus.sort_by_key(|reading| reading.gpu.pci);
        Snapshot {
            driver: self
                .state
                .as_ref()
                .map(|open| open.driver_version.clone())
                .map_err(Clone::clone),
            gpus,
            at: now,
        }
    }

    /// Sets the power limit of one GPU, in milliwatts, and reads back which one is in force. It lasts until it is set
    /// again or the driver is unloaded.
    ///
    /// # Errors
    /// [`SensorError::NoPermission`] without administrator rights; [`SensorError::Other`] outside the card's range.
    pub fn set_power_limit(&mut self, uuid: &str, limit_mw: u32) -> Result<u32, SensorError> {
        self.open_again();
        let mut device = self.named(uuid)?;
        device.set_power_management_limit(limit_mw)?;
        Ok(device.power_management_limit()?)
    }

    /// How the memory of one GPU stands, and which processes hold it, without their shares: read so as to be read
    /// often.
    ///
    /// # Errors
    /// See [`SensorError`].
    pub fn holding(&mut self, uuid: &str) -> Result<(MemoryUse, Vec<ProcessUse>), SensorError> {
        self.open_again();
        let device = self.named(uuid)?;
        Ok((
            nvidia_device::memory(&device)?,
            nvidia_device::processes(&device)?,
        ))
    }

    /// Closes the library, so that it keeps no card awake. Whatever is asked next opens it again.
    pub fn close(&mut self) {
        self.state = Err(SensorError::Asleep);
        self.pace = Some(Pace::new());
    }

    fn open_again(&mut self) {
        if matches!(self.state, Err(SensorError::Asleep)) {
            self.pace = None;
            self.reopen();
        }
    }

    fn sick(&self, gpus: &[GpuReading]) -> bool {
        match &self.state {
            Err(_) => true,
            Ok(open) => {
                open.gpus.iter().any(Result::is_err)
                    || gpus
                        .iter()
                        .any(|reading| reading.telemetry.reopening_error().is_some())
            }
        }
    }

    fn reopen(&mut self) {
        // The old one is shut down first: NVML counts how often it was initialised and only starts afresh from zero.
        self.state = Err(SensorError::DriverNotLoaded);
        self.state = open(&self.library);
        let Ok(open) = &self.state else { return };
        for gpu in open.gpus.iter().flatten() {
            match self.seen.iter_mut().find(|seen| seen.uuid == gpu.uuid) {
                Some(seen) => *seen = Arc::clone(gpu),
                None => self.seen.push(Arc::clone(gpu)),
            }
        }
    }

    fn measure(&mut self, now: Instant) -> Vec<GpuReading> {
        let mut sampled_us = std::mem::take(&mut self.sampled_us);
        let readings = self
            .seen
            .iter()
            .map(|gpu| GpuReading {
                gpu: Arc::clone(gpu),
                telemetry: match self.named(&gpu.uuid) {
                    Ok(device) => {
                        let sampled = sampled_us.entry(gpu.uuid.clone()).or_default();
                        measure(&device, gpu, sampled, now)
                    }
                    Err(SensorError::NoSuchGpu(_)) => {
                        GpuTelemetry::unreachable(&SensorError::GpuLost, now)
                    }
                    Err(error) => GpuTelemetry::unreachable(&error, now),
                },
            })
            .collect();
        self.sampled_us = sampled_us;
        readings
    }

    fn named(&self, uuid: &str) -> Result<nvml_wrapper::Device<'_>, SensorError> {
        let open = self.state.as_ref().map_err(Clone::clone)?;
        let index = open
            .gpus
            .iter()
            .position(|known| known.as_ref().is_ok_and(|known| known.uuid == uuid))
            .ok_or_else(|| SensorError::NoSuchGpu(uuid.to_owned()))?;
        Ok(open.nvml.device_by_index(place(index))?)
    }
}

fn open(library: &Library) -> Result<Open, SensorError> {
    let nvml = Nvml::builder().lib_path(&library.path()).init()?;
    let driver_version = nvml.sys_driver_version()?;
    let gpus = (0..nvml.device_count()?)
        .map(|index| {
            let device = nvml.device_by_index(index)?;
            describe(&device, &driver_version).map(Arc::new)
        })
        .collect();
    Ok(Open {
        nvml,
        driver_version,
        gpus,
    })
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
