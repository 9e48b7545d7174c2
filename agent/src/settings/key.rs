//! Every key there is: what it takes, what it means, and where its value goes.

use super::hours;
use super::kind::{ELECTRICITY, Kind};
use super::value::Value;
use super::{BandRule, Choices};
use std::fmt;
use std::str::FromStr;
use sublet_core::settings::{GpuSettings, Mode, Quiet};
use sublet_core::tariff::Tariff;
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// One thing that an owner may choose.
#[derive(Debug)]
pub struct Key {
    /// Its name with its table: `heat.hot_c`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means, as a sentence without its full stop.
    pub says: &'static str,
    /// What holds where nothing is chosen and there is no figure for it.
    pub absent: &'static str,
    /// Where it goes.
    pub(super) holds: Holds,
}

type Put<T> = fn(&mut T, &Value);
type Get<T> = fn(&T) -> Option<Value>;

/// Where a value goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// To the rig as a whole.
    Rig(Put<Choices>, Get<Choices>),
    /// To every GPU; `own` is its name under `[gpu."ID"]`, where it holds for that one.
    Gpu {
        own: &'static str,
        put: Put<GpuSettings>,
        get: Get<GpuSettings>,
    },
}

impl Key {
    /// The key of that path.
    pub fn of(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Its name under `[gpu."ID"]`, where it may be chosen for a single GPU.
    pub fn own(&self) -> Option<&'static str> {
        match self.holds {
            Holds::Gpu { own, .. } => Some(own),
            Holds::Rig(..) => None,
        }
    }

    /// What holds, for the rig or for one GPU.
    pub fn value(&self, choices: &Choices, gpu: Option<&GpuId>) -> Option<Value> {
        match self.holds {
            Holds::Rig(_, get) => get(choices),
            Holds::Gpu { get, .. } => {
                get(gpu.map_or(&choices.settings.each, |gpu| choices.settings.gpu(gpu)))
            }
        }
    }
}

/// A key, for the rig or for one GPU: `heat.hot_c`, `gpu.GPU-7f1c.heat.hot_c`.
#[derive(Debug, Clone)]
pub struct Address {
    /// For this one alone.
    pub gpu: Option<GpuId>,
    /// Which.
    pub key: &'static Key,
}

impl Address {
    /// The name at each step from the document's root.
    pub fn steps(&self) -> Vec<&str> {
        let own = self.key.own().unwrap_or(self.key.path);
        match &self.gpu {
            None => self.key.path.split('.').collect(),
            Some(gpu) => ["gpu", gpu.as_str()]
                .into_iter()
                .chain(own.split('.'))
                .collect(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.steps().join("."))
    }
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no setting `{text}`; {hint}")]
pub struct NoSuchKey {
    text: String,
    hint: String,
}

impl FromStr for Address {
    type Err = NoSuchKey;

    fn from_str(text: &str) -> Result<Self, NoSuchKey> {
        if let Some(key) = Key::of(text) {
            return Ok(Self { gpu: None, key });
        }
        let of_a_gpu = text.strip_prefix("gpu.").and_then(|rest| {
            KEYS.iter().find_map(|key| {
                let id = rest.strip_suffix(key.own()?)?.strip_suffix('.')?;
                let gpu = GpuId::new(id.trim_matches('"')).ok()?;
                Some(Self {
                    gpu: Some(gpu),
                    key,
                })
            })
        });
        of_a_gpu.ok_or_else(|| NoSuchKey {
            text: text.chars().take(80).collect(),
            hint: hint(
                text,
                &[],
                &KEYS.iter().map(|key| key.path).collect::<Vec<_>>(),
            ),
        })
    }
}

/// The known name that is meant, else those there are.
pub(super) fn hint(text: &str, known: &[&str], there_are: &[&str]) -> String {
    let likeness = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or_default();
        strsim::jaro_winkler(text, name).max(strsim::jaro_winkler(text, last))
    };
    let all = there_are.iter().chain(known).copied();
    let nearest = all.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) > 0.8) {
        Some(name) => format!("`{name}` may be meant"),
        None => format!("there are {}", there_are.join(", ")),
    }
}

/// The tables of the document.
pub(super) fn tables() -> Vec<&'static str> {
    let mut tables = Vec::new();
    for key in KEYS {
        let table = key.path.split('.').next().unwrap_or_default();
        if tables.last() != Some(&table) {
            tables.push(table);
        }
    }
    tables.push("gpu");
    tables
}

const MODES: &[(&str, &str)] = &[
    ("away", "while you are away from the machine"),
    (
        "gpu-idle",
        "while no program uses the GPU, even with you at the machine",
    ),
    ("schedule", "in the hours of `rent.hours`"),
    ("always", "always: the machine is there for renting"),
    ("off", "never"),
];

fn mode_of(word: &str) -> Option<Mode> {
    Some(match word {
        "away" => Mode::Away,
        "gpu-idle" => Mode::GpuIdle,
        "schedule" => Mode::Schedule,
        "always" => Mode::Always,
        "off" => Mode::Off,
        _ => return None,
    })
}

fn word_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Away => "away",
        Mode::GpuIdle => "gpu-idle",
        Mode::Schedule => "schedule",
        Mode::Always => "always",
        Mode::Off => "off",
    }
}

fn whole(value: &Value) -> u32 {
    match value {
        Value::Whole(number) => *number,
        _ => 0,
    }
}

fn celsius(value: &Value) -> i32 {
    i32::try_from(whole(value)).unwrap_or(i32::MAX)
}

fn percent(value: &Value) -> u8 {
    u8::try_from(whole(value)).unwrap_or(100)
}

fn yes(value: &Value) -> bool {
    matches!(value, Value::YesNo(true))
}

fn money(value: &Value) -> MicroUsd {
    match value {
        Value::Money(amount) => *amount,
        _ => MicroUsd::ZERO,
    }
}

/// Milliseconds as a whole number of a unit.
fn units(ms: u64, unit_ms: u64) -> Option<Value> {
    u32::try_from(ms / unit_ms).ok().map(Value::Whole)
}

fn number(number: impl TryInto<u32>) -> Option<Value> {
    number.try_into().ok().map(Value::Whole)
}

fn quiet(gpu: &mut GpuSettings) -> &mut Quiet {
    gpu.quiet.get_or_insert(Quiet {
        power_percent: 100,
        fan_percent: None,
    })
}

const fn seconds(least: u32, most: u32) -> Kind {
    Kind::Whole {
        least,
        most,
        unit: "seconds",
    }
}

const fn minutes(least: u32, most: u32) -> Kind {
    Kind::Whole {
        least,
        most,
        unit: "minutes",
    }
}

const fn degrees(least: u32, most: u32) -> Kind {
    Kind::Whole {
        least,
        most,
        unit: "°C",
    }
}

const fn per_cent(least: u32) -> Kind {
    Kind::Whole {
        least,
        most: 100,
        unit: "%",
    }
}

const fn mib(least: u32) -> Kind {
    Kind::Whole {
        least,
        most: 16 << 20,
        unit: "MiB",
    }
}

const fn rig(
    path: &'static str,
    kind: Kind,
    says: &'static str,
    put: Put<Choices>,
    get: Get<Choices>,
) -> Key {
    Key {
        path,
        kind,
        says,
        absent: "",
        holds: Holds::Rig(put, get),
    }
}

const fn gpu(
    path: &'static str,
    own: &'static str,
    kind: Kind,
    says: &'static str,
    put: Put<GpuSettings>,
    get: Get<GpuSettings>,
) -> Key {
    Key {
        path,
        kind,
        says,
        absent: "",
        holds: Holds::Gpu { own, put, get },
    }
}

impl Key {
    const fn or_else(mut self, absent: &'static str) -> Self {
        self.absent = absent;
        self
    }
}

/// The most that an hour of one GPU may be said to cost: far above what any card earns, and below any slip of the
/// decimal point that would keep it from ever renting.
pub const FLOOR: Kind = Kind::Money {
    most: MicroUsd(100_000_000),
    per: "an hour",
};

/// All of them, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    gpu(
        "rent.mode",
        "mode",
        Kind::Word(MODES),
        "When a GPU rents",
        |gpu, value| {
            if let Value::Word(word) = value {
                gpu.mode = mode_of(word).unwrap_or(Mode::Off);
            }
        },
        |gpu| Some(Value::Word(word_of(gpu.mode))),
    ),
    rig(
        "rent.away_minutes",
        minutes(1, 1440),
        "Mode `away` begins so long after the last touch of keyboard, mouse or gamepad",
        |all, value| all.settings.away_ms = u64::from(whole(value)) * 60_000,
        |all| units(all.settings.away_ms, 60_000),
    ),
    rig(
        "rent.hours",
        Kind::Hours,
        "The hours of mode `schedule`, in local time; `from` later than `to` runs into the next day",
        |all, value| {
            if let Value::Hours(rules) = value {
                all.hours = rules.clone();
                all.settings.hours = hours::week(rules).unwrap_or_default();
            }
        },
        |all| Some(Value::Hours(all.hours.clone())),
    ),
    rig(
        "rent.settle_seconds",
        seconds(0, 3600),
        "Everything must have been in order for so long before a GPU rents",
        |all, value| all.settings.settle_ms = u64::from(whole(value)) * 1_000,
        |all| units(all.settings.settle_ms, 1_000),
    ),
    rig(
        "rent.min_slice_minutes",
        minutes(0, 1440),
        "A job that runs is left alone for so long, but for you, heat and power",
        |all, value| all.settings.min_slice_ms = u64::from(whole(value)) * 60_000,
        |all| units(all.settings.min_slice_ms, 60_000),
    ),
    rig(
        "rent.grace_seconds",
        seconds(0, 600),
        "A job may take so long to end in order when you come back; a game that starts gives none",
        |all, value| all.settings.reclaim_grace_ms = u64::from(whole(value)) * 1_000,
        |all| units(all.settings.reclaim_grace_ms, 1_000),
    ),
    rig(
        "rent.on_battery",
        Kind::YesNo,
        "Rent while the machine runs on its battery",
        |all, value| all.settings.on_battery = yes(value),
        |all| Some(Value::YesNo(all.settings.on_battery)),
    ),
    rig(
        "rent.on_metered",
        Kind::YesNo,
        "Rent while the network is one that is paid by volume",
        |all, value| all.settings.on_metered = yes(value),
        |all| Some(Value::YesNo(all.settings.on_metered)),
    ),
    rig(
        "rent.allow_software_gpu",
        Kind::YesNo,
        "Rent adapters out where the CPU computes; renters are told",
        |all, value| all.settings.allow_software_gpu = yes(value),
        |all| Some(Value::YesNo(all.settings.allow_software_gpu)),
    ),
    gpu(
        "price.floor",
        "floor",
        FLOOR,
        "The least for an hour of one GPU, in US dollars",
        |gpu, value| gpu.floor = HourlyPrice(money(value)),
        |gpu| Some(Value::Money(gpu.floor.0)),
    ),
    rig(
        "price.electricity",
        ELECTRICITY,
        "What a kilowatt-hour costs, in US dollars; 0 leaves electricity out of the reckoning",
        |all, value| all.settings.tariff.base = money(value),
        |all| Some(Value::Money(all.settings.tariff.base)),
    ),
    rig(
        "price.bands",
        Kind::Bands,
        "Hours of every day in which electricity has another price",
        |all, value| {
            if let Value::Bands(bands) = value {
                all.settings.tariff.bands = bands.iter().map(BandRule::band).collect();
            }
        },
        |all| Some(Value::Bands(bands_of(&all.settings.tariff))),
    ),
    gpu(
        "heat.target_c",
        "heat.target_c",
        degrees(35, 100),
        "The temperature of the core that is held while a GPU rents",
        |gpu, value| gpu.heat.target_c = celsius(value),
        |gpu| number(gpu.heat.target_c),
    ),
    gpu(
        "heat.hot_c",
        "heat.hot_c",
        degrees(40, 105),
        "A GPU this hot gives its job up",
        |gpu, value| gpu.heat.hot_c = celsius(value),
        |gpu| number(gpu.heat.hot_c),
    ),
    gpu(
        "heat.cool_c",
        "heat.cool_c",
        degrees(30, 99),
        "Once too hot, it rents again below this",
        |gpu, value| gpu.heat.cool_c = celsius(value),
        |gpu| number(gpu.heat.cool_c),
    ),
    gpu(
        "quiet.power_percent",
        "quiet.power_percent",
        per_cent(30),
        "The most power while it rents, of the factory's limit; less is quieter, and offered with a lower score",
        |gpu, value| quiet(gpu).power_percent = percent(value),
        |gpu| number(gpu.quiet.map_or(100, |quiet| quiet.power_percent)),
    ),
    gpu(
        "quiet.fan_percent",
        "quiet.fan_percent",
        per_cent(0),
        "The most fan speed while it rents",
        |gpu, value| quiet(gpu).fan_percent = Some(percent(value)),
        |gpu| number(gpu.quiet.and_then(|quiet| quiet.fan_percent).unwrap_or(100)),
    ),
    rig(
        "programs.exclusive",
        Kind::Programs,
        "While one of these runs, nothing rents: names, or folders whose programs all count; games are found by themselves",
        |all, value| {
            if let Value::Programs(programs) = value {
                all.programs.clone_from(programs);
            }
        },
        |all| Some(Value::Programs(all.programs.clone())),
    ),
    rig(
        "limits.cpus",
        Kind::Decimal {
            least: 0.1,
            most: 1024.0,
            unit: "cores",
        },
        "The most CPU cores that a job may take",
        |all, value| {
            if let Value::Decimal(cores) = value {
                all.limits.cpus = Some(*cores);
            }
        },
        |all| all.limits.cpus.map(Value::Decimal),
    )
    .or_else("all"),
    rig(
        "limits.memory_mib",
        mib(64),
        "The most memory that a job may take",
        |all, value| all.limits.memory_mib = Some(whole(value).into()),
        |all| all.limits.memory_mib.and_then(number),
    )
    .or_else("half of it"),
    rig(
        "limits.output_mib",
        mib(1),
        "The most that all outputs of a job may take together",
        |all, value| all.limits.output_mib = Some(whole(value).into()),
        |all| all.limits.output_mib.and_then(number),
    )
    .or_else("10240 MiB"),
    rig(
        "limits.disk_mib",
        mib(1),
        "The most of the disk that a job may take with all it writes; one that takes more is stopped",
        |all, value| all.limits.disk_mib = Some(whole(value).into()),
        |all| all.limits.disk_mib.and_then(number),
    )
    .or_else("what its outputs may take"),
    rig(
        "limits.reserve_mib",
        mib(256),
        "What stays free on the disk that Docker lies on, whatever jobs and images want",
        |all, value| all.limits.reserve_mib = Some(whole(value).into()),
        |all| all.limits.reserve_mib.and_then(number),
    )
    .or_else("5120 MiB"),
    rig(
        "limits.image_cache_mib",
        mib(0),
        "The most that images of jobs may take together; the ones that were not used for longest go first",
        |all, value| all.limits.image_cache_mib = Some(whole(value).into()),
        |all| all.limits.image_cache_mib.and_then(number),
    )
    .or_else("61440 MiB"),
    rig(
        "limits.run_minutes",
        minutes(1, 10_080),
        "The longest that a job may ask to run; one that asks for more is refused",
        |all, value| all.limits.run_minutes = Some(whole(value).into()),
        |all| all.limits.run_minutes.and_then(number),
    )
    .or_else("as long as it asks for"),
    rig(
        "work.categories",
        Kind::Categories,
        "Only work of these categories is taken; renters name them in their jobs, and `other` is what names none",
        |all, value| {
            if let Value::Categories(categories) = value {
                all.settings.work.categories.clone_from(categories);
            }
        },
        |all| Some(Value::Categories(all.settings.work.categories.clone())),
    ),
    rig(
        "work.refused_categories",
        Kind::Categories,
        "Work of these categories is refused",
        |all, value| {
            if let Value::Categories(categories) = value {
                all.settings.work.refused_categories.clone_from(categories);
            }
        },
        |all| Some(Value::Categories(all.settings.work.refused_categories.clone())),
    ),
    rig(
        "work.publishers",
        Kind::Publishers,
        "Only images of these publishers are taken: a registry, or the beginning of an image's name in whole parts",
        |all, value| {
            if let Value::Publishers(publishers) = value {
                all.settings.work.publishers.clone_from(publishers);
            }
        },
        |all| Some(Value::Publishers(all.settings.work.publishers.clone())),
    ),
    rig(
        "work.refused_publishers",
        Kind::Publishers,
        "Images of these publishers are refused",
        |all, value| {
            if let Value::Publishers(publishers) = value {
                all.settings.work.refused_publishers.clone_from(publishers);
            }
        },
        |all| Some(Value::Publishers(all.settings.work.refused_publishers.clone())),
    ),
    rig(
        "market.url",
        Kind::Address,
        "The marketplace to rent out on; read when the agent starts",
        |all, value| {
            if let Value::Address(url) = value {
                all.market = Some(url.clone());
            }
        },
        |all| all.market.clone().map(Value::Address),
    )
    .or_else("none"),
    rig(
        "market.unpaid_limit_seconds",
        seconds(10, 86_400),
        "How far the marketplace's vouchers may fall behind the meter before a job is stopped",
        |all, value| all.settings.unpaid_limit_ms = u64::from(whole(value)) * 1_000,
        |all| units(all.settings.unpaid_limit_ms, 1_000),
    ),
];

fn bands_of(tariff: &Tariff) -> Vec<BandRule> {
    tariff
        .bands
        .iter()
        .map(|band| BandRule {
            from: band.from_min,
            to: band.to_min,
            electricity: band.price,
        })
        .collect()
}
