//! A minute of one GPU, and a quarter of an hour of them.

use crate::facts::{FRESH_MS, GpuFacts};
use sublet_protocol::local::history::SegmentKind;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// A minute in ms.
pub const MINUTE_MS: u64 = 60_000;
/// Minutes that are kept together once they are old. No local day begins within a quarter of an hour.
pub const QUARTER_MINUTES: u64 = 15;

/// mW times ms in a kWh.
const MW_MS_A_KWH: u128 = 3_600_000_000_000;

/// What was seen of one GPU in one minute. Readings are means over the time in which they were there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Minute {
    /// Which minute since 1970.
    pub minute: u64,
    /// How much of it was watched, in ms.
    pub ms: u64,
    /// Core temperature in tenths of a °C.
    pub temperature_dc: Option<i64>,
    /// Power drawn, in mW.
    pub power_mw: Option<u64>,
    /// Load in thousandths.
    pub load_permille: Option<u64>,
    /// Memory in use, in MiB.
    pub memory_mib: Option<u64>,
    /// How much of it a job held the GPU, in ms.
    pub rented_ms: u64,
    /// How much of it the GPU was on offer, in ms.
    pub offered_ms: u64,
    /// How much of that an order waited, in ms.
    pub asked_ms: u64,
    /// The most that an hour paid, or would have by the best order waiting.
    pub pays: Option<HourlyPrice>,
    /// Drawn while rented, in mJ.
    pub energy_mj: u64,
    /// Rented without a reading of power, in ms.
    pub unmeasured_ms: u64,
    /// Rented without a price of electricity, in ms.
    pub unpriced_ms: u64,
    /// What the energy cost, in thousandths of a micro-USD.
    pub cost_nano_usd: u64,
    /// Earned after the fee.
    pub earned: MicroUsd,
}

/// What is kept of a quarter of an hour, for what is reckoned over weeks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quarter {
    /// When it began, ms since 1970.
    pub from_ms: u64,
    /// How much of it was watched, in ms.
    pub ms: u64,
    /// Mean core temperature in °C.
    pub temperature_c: Option<f64>,
    /// Mean power in W.
    pub power_w: Option<f64>,
    /// Rented, in ms.
    pub rented_ms: u64,
    /// On offer, in ms.
    pub offered_ms: u64,
    /// On offer while an order waited, in ms.
    pub asked_ms: u64,
    /// The most that an hour paid or would have.
    pub pays: Option<HourlyPrice>,
}

/// What is seen of one GPU at one moment, and held for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    temperature_c: Option<i32>,
    power_mw: Option<u32>,
    load_percent: Option<u8>,
    memory_bytes: Option<u64>,
    kind: SegmentKind,
    pays: Option<HourlyPrice>,
    kwh: MicroUsd,
    software: bool,
}

impl Look {
    /// `pays` is what the job that holds it pays, or the best order waiting; `kwh` what a kWh costs now.
    pub fn at(gpu: &GpuFacts, kind: SegmentKind, pays: Option<HourlyPrice>, kwh: MicroUsd) -> Self {
        let sensed = gpu
            .sensed
            .as_ref()
            .filter(|sensed| sensed.age_ms <= FRESH_MS && gpu.problem.is_none());
        Self {
            temperature_c: sensed.and_then(|sensed| sensed.temperature_c),
            // What a software adapter draws cannot be told apart from the machine, and counts as none.
            power_mw: match gpu.info.software {
                true => Some(0),
                false => sensed.and_then(|sensed| sensed.power_mw),
            },
            load_percent: sensed.and_then(|sensed| sensed.load_percent),
            memory_bytes: sensed.and_then(|sensed| sensed.memory_used_bytes),
            kind,
            pays,
            kwh,
            software: gpu.info.software,
        }
    }
}

/// A reading that adds up to its mean.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: i128,
    ms: u64,
}

impl Mean {
    fn add(&mut self, value: Option<i64>, ms: u64) {
        if let Some(value) = value {
            self.sum += i128::from(value) * i128::from(ms);
            self.ms += ms;
        }
    }

    /// Rounded to the nearest whole.
    fn whole(self) -> Option<i64> {
        let ms = i128::from(self.ms);
        (ms > 0)
            .then(|| (self.sum + ms / 2).div_euclid(ms))
            .and_then(|mean| i64::try_from(mean).ok())
    }

    fn natural(self) -> Option<u64> {
        self.whole().and_then(|mean| u64::try_from(mean).ok())
    }
}

/// A minute that is under way.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    done: Minute,
    temperature: Mean,
    power: Mean,
    load: Mean,
    memory: Mean,
    /// mW times ms while rented.
    energy: u128,
    /// That times micro-USD for a kWh.
    cost: u128,
}

impl Gathering {
    pub fn of(minute: u64) -> Self {
        Self {
            done: Minute {
                minute,
                ..Minute::default()
            },
            ..Self::default()
        }
    }

    pub fn minute(&self) -> u64 {
        self.done.minute
    }

    /// For so long it was like this.
    pub fn add(&mut self, look: &Look, ms: u64) {
        let done = &mut self.done;
        done.ms += ms;
        self.temperature
            .add(look.temperature_c.map(|c| i64::from(c) * 10), ms);
        self.power.add(look.power_mw.map(i64::from), ms);
        self.load
            .add(look.load_percent.map(|load| i64::from(load) * 10), ms);
        let mib = look.memory_bytes.map(|bytes| bytes >> 20);
        self.memory
            .add(mib.and_then(|mib| i64::try_from(mib).ok()), ms);
        match look.kind {
            SegmentKind::Renting => {
                done.rented_ms += ms;
                done.pays = done.pays.max(look.pays);
                match look.power_mw {
                    Some(mw) => {
                        let energy = u128::from(mw) * u128::from(ms);
                        self.energy += energy;
                        self.cost += energy * u128::from(look.kwh.0);
                    }
                    None => done.unmeasured_ms += ms,
                }
                if look.kwh == MicroUsd::ZERO && !look.software {
                    done.unpriced_ms += ms;
                }
            }
            SegmentKind::NoDemand | SegmentKind::BelowFloor => {
                done.offered_ms += ms;
                if look.pays.is_some() {
                    done.asked_ms += ms;
                    done.pays = done.pays.max(look.pays);
                }
            }
            _ => {}
        }
    }

    pub fn earn(&mut self, earned: MicroUsd) {
        self.done.earned = self.done.earned.saturating_add(earned);
    }

    /// What there is of it; none where nothing is.
    pub fn close(self) -> Option<Minute> {
        let whole = |exact: u128| u64::try_from(exact).unwrap_or(u64::MAX);
        (self.done.ms > 0 || self.done.earned > MicroUsd::ZERO).then(|| Minute {
            temperature_dc: self.temperature.whole(),
            power_mw: self.power.natural(),
            load_permille: self.load.natural(),
            memory_mib: self.memory.natural(),
            energy_mj: whole(self.energy / 1_000),
            // Against the owner's gain: what is begun counts.
            cost_nano_usd: whole((self.cost * 1_000).div_ceil(MW_MS_A_KWH)),
            ..self.done
        })
    }
}

impl Minute {
    /// Two parts of one minute.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mean = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => {
                let mut mean = Mean::default();
                mean.add(Some(a), self.ms.max(1));
                mean.add(Some(b), other.ms.max(1));
                mean.whole()
            }
            (a, b) => a.or(b),
        };
        let natural = |a: Option<u64>, b: Option<u64>| {
            let signed = |value: Option<u64>| value.and_then(|value| i64::try_from(value).ok());
            mean(signed(a), signed(b)).and_then(|mean| u64::try_from(mean).ok())
        };
        Self {
            minute: self.minute,
            ms: self.ms + other.ms,
            temperature_dc: mean(self.temperature_dc, other.temperature_dc),
            power_mw: natural(self.power_mw, other.power_mw),
            load_permille: natural(self.load_permille, other.load_permille),
            memory_mib: natural(self.memory_mib, other.memory_mib),
            rented_ms: self.rented_ms + other.rented_ms,
            offered_ms: self.offered_ms + other.offered_ms,
            asked_ms: self.asked_ms + other.asked_ms,
            pays: self.pays.max(other.pays),
            energy_mj: self.energy_mj + other.energy_mj,
            unmeasured_ms: self.unmeasured_ms + other.unmeasured_ms,
            unpriced_ms: self.unpriced_ms + other.unpriced_ms,
            cost_nano_usd: self.cost_nano_usd + other.cost_nano_usd,
            earned: self.earned.saturating_add(other.earned),
        }
    }
}
