//! What was observed. Facts are read only; a reading that could not be had is absent, never invented, and one that
//! is too old counts as absent.

use serde::{Deserialize, Serialize};
use sublet_protocol::gpu::GpuInfo;
use sublet_protocol::money::HourlyPrice;
use sublet_protocol::offer::{HostLimits, SandboxFacts};

/// A reading older than this counts as unknown, in ms.
pub const FRESH_MS: u64 = 10_000;

/// A point in time on every clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the agent started, on a clock that never jumps and stands while the machine sleeps.
    /// Running time is counted on it.
    pub mono_ms: u64,
    /// As `mono_ms`, but it goes on while the machine sleeps: how long others waited for us.
    pub boot_ms: u64,
    /// Milliseconds since 1970, on the clock that people set. For display and for what must outlive a restart.
    pub wall_ms: u64,
}

/// A reading and how old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aged<T> {
    /// What was read.
    pub value: T,
    /// How long ago, in ms.
    pub age_ms: u64,
}

impl<T> Aged<T> {
    /// A reading of this moment.
    pub fn now(value: T) -> Self {
        Self { value, age_ms: 0 }
    }

    /// The value, unless it is too old to rest a decision on.
    pub fn fresh(&self) -> Option<&T> {
        (self.age_ms <= FRESH_MS).then_some(&self.value)
    }
}

/// Everything the decision rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The GPUs that were found.
    pub gpus: Vec<GpuFacts>,
    /// Whether somebody sits at this machine.
    pub owner: OwnerFacts,
    /// What the machine runs on.
    pub machine: MachineFacts,
    /// Programs that run and that the owner wants the machine for: games, and those of the settings. Absent where
    /// the list of processes could not be read.
    pub programs: Option<Aged<Vec<Program>>>,
    /// The container engine.
    pub docker: Docker,
    /// The talk with the marketplace.
    pub market: MarketFacts,
    /// What a job may take of the machine beside its GPUs.
    pub host: HostLimits,
    /// Local time minus UTC, in s: schedules and tariffs are in local time.
    pub utc_offset_s: i32,
    /// The owner said when to rent: there is a settings file, or a preset was named. Nothing is rented before.
    pub set_up: bool,
    /// Why the settings file does not count, where it does not.
    pub settings_problem: Option<String>,
    /// Why the ledger cannot be written, where it cannot.
    pub ledger_problem: Option<String>,
    /// What only the owner can mend, where there is such a thing.
    pub owner_needed: Option<String>,
}

/// Whether somebody sits at this machine. Each reading is absent where no sensor can tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerFacts {
    /// When a person last touched something.
    pub touch: Option<Aged<Touch>>,
    /// How the desktop session stands.
    pub session: Option<Aged<Session>>,
    /// What is being watched or shown without any input: films, presentations, full-screen programs.
    pub watching: Option<Aged<Vec<Watching>>>,
}

/// When a person last touched something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "seen")]
pub enum Touch {
    /// So long before the reading.
    Ago {
        /// In ms.
        idle_ms: u64,
        /// With what.
        by: InputKind,
    },
    /// There is nothing to touch: no display, no keyboard or mouse, nobody logged in.
    NoSeat,
}

/// With what somebody touched the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Keyboard, mouse, touch pad, touch screen, pen.
    Desk,
    /// Gamepad, wheel, joystick.
    Gamepad,
    /// A session from another machine.
    Remote,
}

/// How the desktop session stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The screen is locked.
    pub locked: bool,
    /// Somebody is on it from another machine.
    pub remote: bool,
    /// The displays are switched off.
    pub display_off: bool,
}

/// Something that is looked at without input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Which program, as it calls itself.
    pub program: String,
    /// How that is known.
    pub how: WatchingHow,
}

/// How it is known that something is being watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchingHow {
    /// It asked the system to keep the display on.
    Inhibits,
    /// It fills a screen.
    FullScreen,
}

/// What the machine runs on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MachineFacts {
    /// Mains or battery; absent where it cannot be told. A machine without a battery is on mains.
    pub power: Option<Aged<Power>>,
    /// Whether the network in use is marked as metered; absent where it cannot be told. Where nothing marks networks,
    /// none is.
    pub metered: Option<Aged<bool>>,
}

/// Where the machine's power comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Power {
    /// The wall.
    Mains,
    /// A battery.
    Battery {
        /// What is left, 0 to 100, where it tells.
        percent: Option<u8>,
    },
}

/// A program that the owner wants the machine for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What people call it.
    pub name: String,
    /// Why it counts.
    pub kind: ProgramKind,
}

/// Why a program makes the machine its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramKind {
    /// It lies in a game library, or said so to GameMode.
    Game,
    /// The owner named it.
    Chosen,
}

/// One GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuFacts {
    /// What it is, with its last benchmark.
    pub info: GpuInfo,
    /// The last look at its sensors; absent where nothing watches it.
    pub sensed: Option<Sensed>,
    /// Why its sensors are silent, where they are.
    pub problem: Option<GpuProblem>,
    /// Which power limits it takes; absent where it takes none.
    pub power_range: Option<PowerRange>,
    /// The core temperature from which the driver itself slows it down, in °C.
    pub slowdown_c: Option<i32>,
}

/// Which power limits a GPU takes, in mW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerRange {
    /// The lowest.
    pub lowest_mw: u32,
    /// The highest.
    pub highest_mw: u32,
    /// The factory's.
    pub default_mw: u32,
}

/// One look at a GPU's sensors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sensed {
    /// How old it is, in ms.
    pub age_ms: u64,
    /// Core temperature in °C.
    pub temperature_c: Option<i32>,
    /// The hottest of memory and hot spot in °C, where the card has such sensors.
    pub hotspot_c: Option<i32>,
    /// The fastest fan, 0 to 100 of its highest speed.
    pub fan_percent: Option<u8>,
    /// Power drawn, in mW.
    pub power_mw: Option<u32>,
    /// Power limit in force, in mW.
    pub power_limit_mw: Option<u32>,
    /// Load of the compute units, 0 to 100.
    pub load_percent: Option<u8>,
    /// The driver slows it down for heat.
    pub heat_throttled: Option<bool>,
    /// Memory in use, in bytes.
    pub memory_used_bytes: Option<u64>,
    /// Memory in use that no listed process accounts for, in bytes: the driver's own.
    pub unclaimed_bytes: Option<u64>,
    /// Programs that hold it and are neither jobs of ours nor what draws the desktop; absent where that cannot be told.
    pub users: Option<Vec<GpuUser>>,
}

/// A program that holds a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuUser {
    /// What it is called.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Its GPU memory in bytes, where the driver tells.
    pub memory_bytes: Option<u64>,
    /// Its share of the GPU's time, 0 to 100, where the driver tells.
    pub load_percent: Option<u8>,
    /// It computes; otherwise it only draws.
    pub computes: bool,
}

/// What is wrong with a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuProblem {
    /// It fell off the bus, or its driver is gone.
    Lost(String),
    /// A reading failed, for a reason that may pass.
    Unreadable(String),
}

/// The container engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Docker {
    /// Not asked yet.
    Unknown,
    /// It does not answer, and why.
    Away(String),
    /// It answers, and this is what it can enforce.
    Here(SandboxFacts),
}

/// The talk with the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketFacts {
    /// The last request was answered within a session.
    pub connected: bool,
    /// When it last answered, on the clock that goes on in sleep; absent where it has not since the agent started.
    pub last_answer_boot_ms: Option<u64>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
    /// What the marketplace keeps of each payment; absent before the first session.
    pub fee: Option<sublet_protocol::money::BasisPoints>,
    /// The most that a waiting order which one of our GPUs could serve pays for an hour of it; absent: none waits.
    pub best_order: Option<HourlyPrice>,
}
