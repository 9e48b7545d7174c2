//! The facts of a trace as time goes by: what was said, and what grows by itself.

use super::change::{Card, CardChange, Change, Head};
use super::local::LocalTime;
use crate::facts::{
    Aged, Docker, Facts, GpuFacts, GpuProblem, GpuUser, InputKind, MachineFacts, MarketFacts,
    Moment, OwnerFacts, Power, PowerRange, Sensed, Session, Touch,
};
use crate::settings::Settings;
use std::collections::BTreeSet;
use sublet_protocol::gpu::{BenchScore, GpuInfo, GpuVendor};
use sublet_protocol::ids::GpuId;
use sublet_protocol::offer::{HostLimits, SandboxFacts};

/// When the machine was last touched, and since when it is on, before the trace begins, in ms.
const BEFORE_MS: u64 = 3_600_000;
/// A frozen job's share of time at the least, in per cent of what it draws otherwise.
const LEAST_DUTY_PERCENT: u32 = 10;
/// A temperature this near to where it will be no longer moves, in °C.
const STILL_C: f64 = 0.2;

/// The machine as it is at a point of the trace.
pub(super) struct World {
    pub facts: Facts,
    pub on: bool,
    pub paused: bool,
    pub paused_alone: BTreeSet<GpuId>,
    pub now: Moment,
    using: Option<InputKind>,
    touched_ms: u64,
    by: InputKind,
    seat: bool,
    blind: bool,
    cards: Vec<Warmth>,
}

/// A card and its temperature: `T' = (ambient + c_per_w * W - T) / tau`.
struct Warmth {
    card: Card,
    own_w: u32,
    celsius: f64,
}

impl World {
    pub fn new(head: &Head) -> Self {
        let utc_offset_s = head.utc_offset_min * 60;
        Self {
            facts: Facts {
                gpus: head.gpus.iter().map(gpu_facts).collect(),
                owner: OwnerFacts {
                    touch: None,
                    session: Some(Aged::now(Session::default())),
                    watching: Some(Aged::now(Vec::new())),
                },
                machine: MachineFacts {
                    power: Some(Aged::now(Power::Mains)),
                    metered: Some(Aged::now(false)),
                },
                programs: Some(Aged::now(Vec::new())),
                docker: Docker::Here(SandboxFacts::default()),
                market: MarketFacts {
                    connected: true,
                    last_answer_boot_ms: Some(BEFORE_MS),
                    problem: None,
                    fee: Some(head.fee),
                    best_order: None,
                },
                host: HostLimits {
                    cpu_milli: 1_000,
                    memory_bytes: 1 << 30,
                    output_bytes: 1 << 30,
                    disk_bytes: None,
                    longest_ms: None,
                },
                utc_offset_s,
                set_up: true,
                settings_problem: None,
                ledger_problem: None,
                owner_needed: None,
            },
            on: true,
            paused: false,
            paused_alone: BTreeSet::new(),
            now: Moment {
                mono_ms: BEFORE_MS,
                boot_ms: BEFORE_MS,
                wall_ms: head.from.wall_ms(utc_offset_s),
            },
            using: None,
            touched_ms: 0,
            by: InputKind::Desk,
            seat: true,
            blind: false,
            cards: head.gpus.iter().map(Warmth::new).collect(),
        }
    }

    /// What a line says.
    pub fn apply(&mut self, change: &Change) {
        let facts = &mut self.facts;
        self.on = change.on.unwrap_or(self.on);
        self.paused = change.paused.unwrap_or(self.paused);
        self.seat = change.seat.unwrap_or(self.seat);
        self.blind = change.blind.unwrap_or(self.blind);
        if let Some(using) = change.using {
            if using.or(self.using).is_some() {
                self.touched_ms = self.now.boot_ms;
            }
            self.by = using.unwrap_or(self.by);
            self.using = using;
        }
        if let Some(session) = &mut facts.owner.session {
            let session = &mut session.value;
            session.locked = change.locked.unwrap_or(session.locked);
            session.display_off = change.display_off.unwrap_or(session.display_off);
            session.remote = self.using == Some(InputKind::Remote);
        }
        if let Some(watching) = &change.watching {
            facts.owner.watching = Some(Aged::now(watching.clone()));
        }
        if let Some(programs) = &change.programs {
            facts.programs = Some(Aged::now(programs.clone()));
        }
        if let Some(battery) = change.battery {
            let power = battery.map_or(Power::Mains, |percent| Power::Battery {
                percent: Some(percent),
            });
            facts.machine.power = Some(Aged::now(power));
        }
        if let Some(metered) = change.metered {
            facts.machine.metered = Some(Aged::now(metered));
        }
        if let Some(pays) = change.pays {
            facts.market.best_order = pays.map(|usd| usd.0);
        }
        match change.docker {
            Some(true) => facts.docker = Docker::Here(SandboxFacts::default()),
            Some(false) => facts.docker = Docker::Away("Docker does not answer.".to_owned()),
            None => {}
        }
        if let Some(market) = change.market {
            facts.market.connected = market;
            facts.market.problem = (!market).then(|| "the marketplace does not answer".to_owned());
        }
        for (id, change) in &change.gpus {
            match change.paused {
                Some(true) => drop(self.paused_alone.insert(id.clone())),
                Some(false) => drop(self.paused_alone.remove(id)),
                None => {}
            }
            let gpus = facts.gpus.iter_mut().zip(&mut self.cards);
            for (gpu, warmth) in gpus.filter(|(gpu, _)| gpu.info.id == *id) {
                apply_to_card(change, gpu, warmth);
            }
        }
    }

    /// Lets time go by up to a point of the trace; `rents` says which GPUs rent.
    pub fn pass(&mut self, to: Moment, settings: &Settings, rents: &[bool]) {
        let seconds = to.boot_ms.saturating_sub(self.now.boot_ms) as f64 / 1_000.0;
        for (warmth, rents) in self.cards.iter_mut().zip(rents) {
            let watts = warmth.drawn_w(self.on, *rents, settings);
            warmth.pass(seconds, watts);
        }
        self.now = to;
        if self.using.is_some() {
            self.touched_ms = to.boot_ms;
        }
    }

    /// Whether a temperature is not yet what it will be.
    pub fn warms_or_cools(&self, settings: &Settings, rents: &[bool]) -> bool {
        let mut cards = self.cards.iter().zip(rents);
        cards.any(|(warmth, rents)| {
            let balance = warmth.balance(warmth.drawn_w(self.on, *rents, settings));
            (warmth.celsius - balance).abs() > STILL_C
        })
    }

    /// Brings every reading up to now.
    pub fn look(&mut self, settings: &Settings, rents: &[bool]) {
        let touch = match self.seat {
            true => Touch::Ago {
                idle_ms: self.now.boot_ms.saturating_sub(self.touched_ms),
                by: self.by,
            },
            false => Touch::NoSeat,
        };
        self.facts.owner.touch = (!self.blind).then(|| Aged::now(touch));
        self.facts.market.last_answer_boot_ms = Some(self.now.boot_ms);
        let cards = self.facts.gpus.iter_mut().zip(&self.cards).zip(rents);
        for ((gpu, warmth), rents) in cards {
            if let Some(sensed) = &mut gpu.sensed {
                // In the range of a card, by the checks of the trace.
                sensed.temperature_c = Some(warmth.celsius as i32);
                sensed.power_mw = Some(warmth.drawn_w(self.on, *rents, settings) * 1_000);
            }
        }
    }

    /// What a GPU draws while a job runs, in mW.
    pub fn job_mw(&self, at: usize, settings: &Settings) -> u32 {
        self.cards
            .get(at)
            .map_or(0, |warmth| warmth.job_w(settings) * 1_000)
    }
}

impl Warmth {
    fn new(card: &Card) -> Self {
        Self {
            card: card.clone(),
            own_w: 0,
            celsius: f64::from(card.ambient_c) + card.c_per_w * f64::from(card.idle_w),
        }
    }

    /// What it draws, in W.
    fn drawn_w(&self, on: bool, rents: bool, settings: &Settings) -> u32 {
        match (on, rents) {
            (false, _) => 0,
            (true, true) => self.job_w(settings),
            (true, false) => self.own_w.max(self.card.idle_w),
        }
    }

    /// Where its temperature comes to rest, in °C.
    fn balance(&self, watts: u32) -> f64 {
        f64::from(self.card.ambient_c) + self.card.c_per_w * f64::from(watts)
    }

    fn pass(&mut self, seconds: f64, watts: u32) {
        let balance = self.balance(watts);
        let left = (-seconds / f64::from(self.card.tau_s)).exp();
        self.celsius = balance + (self.celsius - balance) * left;
    }

    /// What a job draws, in W: quiet bounds and the heat governor hold it, as far as they can. The governor works by
    /// the second; here stands what it comes to.
    fn job_w(&self, settings: &Settings) -> u32 {
        let card = &self.card;
        let chosen = settings.gpu(&card.id);
        let quiet = chosen.quiet.map_or(100, |quiet| quiet.power_percent);
        let allowed = card.job_w.min(card.limit_w * u32::from(quiet) / 100);
        // Where its balance is the target, to the whole W below.
        let holds = f64::from(chosen.heat.target_c - card.ambient_c) / card.c_per_w;
        let least = match card.lowest_w {
            Some(lowest) => lowest * LEAST_DUTY_PERCENT / 100,
            None => card.job_w * LEAST_DUTY_PERCENT / 100,
        };
        allowed.min((holds.max(0.0) as u32).max(least))
    }
}

fn gpu_facts(card: &Card) -> GpuFacts {
    let limit_mw = card.limit_w * 1_000;
    GpuFacts {
        info: GpuInfo {
            id: card.id.clone(),
            name: card.name.clone(),
            vendor: GpuVendor::Nvidia,
            software: card.software,
            memory_bytes: None,
            driver: None,
            pci: None,
            // Measured, whatever came of it: a trace says what was paid.
            score: Some(BenchScore {
                score: 1_000,
                fp32_mflops: 1,
                bandwidth_mb_s: 1,
            }),
        },
        sensed: Some(Sensed {
            power_limit_mw: Some(limit_mw),
            users: Some(Vec::new()),
            ..Sensed::default()
        }),
        problem: None,
        power_range: card.lowest_w.map(|lowest_w| PowerRange {
            lowest_mw: lowest_w * 1_000,
            highest_mw: limit_mw,
            default_mw: limit_mw,
        }),
        slowdown_c: None,
    }
}

fn apply_to_card(change: &CardChange, gpu: &mut GpuFacts, warmth: &mut Warmth) {
    warmth.own_w = change.own_w.unwrap_or(warmth.own_w);
    warmth.card.ambient_c = change.ambient_c.unwrap_or(warmth.card.ambient_c);
    match change.lost {
        Some(true) => gpu.problem = Some(GpuProblem::Lost("it fell off the bus.".to_owned())),
        Some(false) => gpu.problem = None,
        None => {}
    }
    if let (Some(users), Some(sensed)) = (&change.users, &mut gpu.sensed) {
        let users = users.iter().map(|name| GpuUser {
            name: name.clone(),
            pid: 0,
            memory_bytes: None,
            load_percent: None,
            computes: true,
        });
        sensed.users = Some(users.collect());
    }
}

/// A point of the trace as a moment; the monotonic clock stands while the machine is off.
pub(super) fn moment(head: &Head, local_ms: u64, off_ms: u64) -> Moment {
    let LocalTime(from_s) = head.from;
    let boot_ms = BEFORE_MS + local_ms.saturating_sub(from_s * 1_000);
    Moment {
        mono_ms: boot_ms.saturating_sub(off_ms),
        boot_ms,
        wall_ms: head.from.wall_ms(head.utc_offset_min * 60) + (boot_ms - BEFORE_MS),
    }
}
