//! AMD's cards, through the files of Linux' amdgpu driver. No library, no process of its own, and no rights needed to
//! read; to set a power limit, the administrator's.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sublet_protocol::gpu::GpuVendor;

use super::amd_users::DrmClients;
use super::{
    Card, GpuReading, GpuTelemetry, MemoryUse, PciAddress, PowerLimits, ProcessUse, Reading,
    SensorError,
};

const AMD: &str = "0x1002";

/// Reads AMD's cards.
#[derive(Debug)]
pub struct AmdSensor {
    cards: Vec<Files>,
    clients: DrmClients,
}

/// Where one card's files lie.
#[derive(Debug)]
struct Files {
    card: Arc<Card>,
    device: PathBuf,
    /// The folder of its sensors, where it has any.
    sensors: Option<PathBuf>,
    /// Which temperature is which, by what the driver calls them.
    temperatures: HashMap<String, PathBuf>,
}

impl AmdSensor {
    /// Finds the cards below `sys`; their processes are looked for in `proc`.
    #[must_use]
    pub fn new(sys: &Path, proc: PathBuf) -> Self {
        Self {
            cards: find(sys),
            clients: DrmClients::new(proc),
        }
    }

    /// The cards that were found.
    pub(super) fn cards(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.cards.iter().map(|files| &files.card)
    }

    /// Reads every card for which `awake` is true.
    pub(super) fn read(&mut self, now: Instant, awake: impl Fn(&Card) -> bool) -> Vec<GpuReading> {
        let (clients, cards) = (&mut self.clients, &self.cards);
        let awake: Vec<&Files> = cards.iter().filter(|files| awake(&files.card)).collect();
        if awake.is_empty() {
            return Vec::new();
        }
        let mut users = clients.look(now);
        awake
            .into_iter()
            .map(|files| GpuReading {
                gpu: Arc::clone(&files.card),
                telemetry: files.read(
                    now,
                    users
                        .as_mut()
                        .map(|users| users.remove(&files.card.pci).unwrap_or_default()),
                ),
            })
            .collect()
    }

    /// How the memory of one card stands, and which processes hold it.
    pub(super) fn holding(
        &mut self,
        uuid: &str,
        now: Instant,
    ) -> Result<(MemoryUse, Vec<ProcessUse>), SensorError> {
        let files = self.files(uuid)?;
        let (pci, memory) = (files.card.pci, files.memory()?);
        let mut users = self.clients.look(now).ok_or(SensorError::OtherProcesses)?;
        Ok((memory, users.remove(&pci).unwrap_or_default()))
    }

    /// Sets the power limit of one card, in milliwatts, and reads back which one is in force.
    pub(super) fn set_power_limit(&self, uuid: &str, limit_mw: u32) -> Result<u32, SensorError> {
        let files = self.files(uuid)?;
        let sensors = files.sensors.as_deref().ok_or(SensorError::NotSupported)?;
        let limit = sensors.join("power1_cap");
        let microwatts = u64::from(limit_mw) * 1000;
        fs::write(&limit, microwatts.to_string()).map_err(|error| unreadable(&error))?;
        files.milliwatts("power1_cap")
    }

    fn files(&self, uuid: &str) -> Result<&Files, SensorError> {
        self.cards
            .iter()
            .find(|files| files.card.uuid == uuid)
            .ok_or_else(|| SensorError::NoSuchGpu(uuid.to_owned()))
    }
}

impl Files {
    fn read(&self, at: Instant, processes: Option<Vec<ProcessUse>>) -> GpuTelemetry {
        if !self.device.exists() {
            return GpuTelemetry::unreachable(&SensorError::GpuLost, at);
        }
        fn reading<T>(value: Result<T, SensorError>, at: Instant) -> Reading<T> {
            Reading::new(value, at)
        }
        let clock = |name: &str| Ok(u32::try_from(self.sensor(name)? / 1_000_000).unwrap_or(0));
        let power = self
            .milliwatts("power1_average")
            .or_else(|_| self.milliwatts("power1_input"));
        // Cards for data centres have no sensor at the edge.
        let core = self.celsius("edge").or_else(|_| self.celsius("junction"));
        let hottest = match (self.celsius("junction"), self.celsius("mem")) {
            (Ok(one), Ok(other)) => Ok(one.max(other)),
            (one, other) => one.or(other),
        };
        GpuTelemetry {
            temperature_c: reading(core, at),
            hotspot_c: reading(hottest, at),
            power_draw_mw: reading(power, at),
            power_limit_mw: reading(self.milliwatts("power1_cap"), at),
            energy_mj: reading(Err(SensorError::NotSupported), at),
            fan_percent: reading(self.fan(), at),
            utilization_percent: reading(
                number(&self.device.join("gpu_busy_percent"))
                    .map(|share| u32::try_from(share.min(100)).unwrap_or(100)),
                at,
            ),
            graphics_clock_mhz: reading(clock("freq1_input"), at),
            memory_clock_mhz: reading(clock("freq2_input"), at),
            heat_throttled: reading(Err(SensorError::NotSupported), at),
            memory: reading(self.memory(), at),
            processes: reading(processes.ok_or(SensorError::OtherProcesses), at),
            users: reading(Err(SensorError::NotSupported), at),
        }
    }

    fn memory(&self) -> Result<MemoryUse, SensorError> {
        let used_bytes = number(&self.device.join("mem_info_vram_used"))?;
        let total = number(&self.device.join("mem_info_vram_total"))?;
        Ok(MemoryUse {
            used_bytes,
            free_bytes: total.saturating_sub(used_bytes),
        })
    }

    /// Of its highest speed where the driver tells that, otherwise of the power that it gets.
    fn fan(&self) -> Result<u32, SensorError> {
        let share = |value: u64, of: u64| match of {
            0 => Err(SensorError::NotSupported),
            _ => Ok(u32::try_from((value * 100 / of).min(100)).unwrap_or(100)),
        };
        match (self.sensor("fan1_input"), self.sensor("fan1_max")) {
            (Ok(speed), Ok(highest)) if highest > 0 => share(speed, highest),
            _ => share(self.sensor("pwm1")?, self.sensor("pwm1_max").unwrap_or(255)),
        }
    }

    fn sensor(&self, name: &str) -> Result<u64, SensorError> {
        let sensors = self.sensors.as_deref().ok_or(SensorError::NotSupported)?;
        number(&sensors.join(name))
    }

    /// The driver tells microwatts.
    fn milliwatts(&self, name: &str) -> Result<u32, SensorError> {
        Ok(u32::try_from(self.sensor(name)? / 1000).unwrap_or(u32::MAX))
    }

    /// The driver tells thousandths of a degree.
    fn celsius(&self, label: &str) -> Result<u32, SensorError> {
        let file = self
            .temperatures
            .get(label)
            .ok_or(SensorError::NotSupported)?;
        Ok(u32::try_from(number(file)? / 1000).unwrap_or(u32::MAX))
    }
}

fn find(sys: &Path) -> Vec<Files> {
    let entries = fs::read_dir(sys.join("class/drm")).into_iter().flatten();
    let mut found: Vec<Files> = entries
        .flatten()
        .filter(|entry| {
            // `card0` is a card, `card0-DP-1` is one of its sockets.
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("card"));
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .filter_map(|entry| describe(&entry.path().join("device"), sys))
        .collect();
    found.sort_by_key(|files| files.card.pci);
    found
}

fn describe(device: &Path, sys: &Path) -> Option<Files> {
    let text = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned())
    };
    if text(&device.join("vendor"))? != AMD {
        return None;
    }
    let facts = text(&device.join("uevent"))?;
    let fact = |name: &str| {
        let mut lines = facts.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    if fact("DRIVER")? != "amdgpu" {
        return None;
    }
    let pci: PciAddress = fact("PCI_SLOT_NAME")?.parse().ok()?;
    let sensors = fs::read_dir(device.join("hwmon"))
        .ok()
        .and_then(|mut folders| Some(folders.next()?.ok()?.path()));
    let temperatures: HashMap<String, PathBuf> = (1..=4)
        .filter_map(|place| {
            let sensors = sensors.as_deref()?;
            let label = text(&sensors.join(format!("temp{place}_label")))?;
            Some((label, sensors.join(format!("temp{place}_input"))))
        })
        .collect();
    let sensor = |name: &str| number(&sensors.as_deref()?.join(name)).ok();
    let milliwatts = |name| Some(u32::try_from(sensor(name)? / 1000).unwrap_or(u32::MAX));
    let limits = milliwatts("power1_cap_min")
        .zip(milliwatts("power1_cap_max"))
        .zip(milliwatts("power1_cap_default"))
        .map(|((lowest_mw, highest_mw), default_mw)| PowerLimits {
            lowest_mw,
            highest_mw,
            default_mw,
        });
    let celsius = |name| Some(u32::try_from(sensor(name)? / 1000).unwrap_or(u32::MAX));
    let version = text(&sys.join("module/amdgpu/version"));
    let card = Card {
        uuid: format!("amd-{pci}"),
        vendor: GpuVendor::Amd,
        name: text(&device.join("product_name"))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "AMD GPU".to_owned()),
        pci,
        memory_total_bytes: number(&device.join("mem_info_vram_total")).ok()?,
        driver_version: version.unwrap_or_else(|| "amdgpu".to_owned()),
        compute_capability: None,
        power_limits: limits,
        slowdown_temperature_c: celsius("temp1_crit"),
        shutdown_temperature_c: celsius("temp1_emergency"),
        fans: u32::from(sensor("fan1_input").is_some()),
    };
    Some(Files {
        card: Arc::new(card),
        device: device.to_owned(),
        sensors,
        temperatures,
    })
}

fn number(file: &Path) -> Result<u64, SensorError> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(&error))?;
    let text = text.trim();
    text.parse()
        .map_err(|_| SensorError::Other(format!("{} says '{text}'", file.display())))
}

fn unreadable(error: &io::Error) -> SensorError {
    const INVALID: i32 = 22;
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => SensorError::NotSupported,
        io::ErrorKind::PermissionDenied => SensorError::NoPermission,
        _ if error.raw_os_error() == Some(INVALID) => {
            SensorError::Other("the card does not take this value".to_owned())
        }
        _ => SensorError::Other(error.to_string()),
    }
}
