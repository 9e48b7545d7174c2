//! What would these settings have made of these weeks? Replays recorded or made-up facts through the same policy that
//! decides every second on a real machine.
//!
//! Looks once a minute, and whenever something changes or has settled. A GPU that may rent does so from the moment
//! that an order pays enough until the trace says that none does, another price holds, or the policy ends the job.

mod change;
mod example;
mod local;
mod report;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use change::{Card, CardChange, Change, Head, Usd};
pub use example::{EXAMPLES, Example};
pub use local::{LocalTime, LocalTimeError};
pub use report::{GpuReport, Net, Report, Span, Sums, Wait};
pub use trace::{Trace, TraceError, VERSION};

use crate::facts::{GpuFacts, Moment};
use crate::lease::{Lease, Stage};
use crate::memory::{Memory, Pause};
use crate::policy;
use crate::settings::Settings;
use report::{Books, Doing};
use std::collections::BTreeSet;
use sublet_protocol::ids::{JobId, LeaseId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::lease::LeaseGrant;
use sublet_protocol::money::HourlyPrice;
use sublet_protocol::reason::{Reason, ReasonCode, RigState};
use world::World;

/// Between two looks, in ms.
const STEP_MS: u64 = 60_000;
/// Between two of our looks nothing changed, so that a later one by the agent, this long before ours, would have seen the
/// same. It is no gap that the policy would take for sleep.
const LOOKED_AGO_MS: u64 = 20_000;

/// Replays a trace under settings. Deterministic; four weeks of one GPU take well under a second.
pub fn simulate(trace: &Trace, settings: &Settings) -> Report {
    let mut run = Run::new(trace, settings);
    let mut changes = trace.changes.iter().peekable();
    let points = points(trace, settings);
    for (from_ms, to_ms) in points.iter().zip(points.iter().skip(1)) {
        run.arrive(*from_ms);
        while let Some(change) = changes.next_if(|change| change.at.0 * 1_000 <= *from_ms) {
            run.take(change);
        }
        run.stay(*from_ms, *to_ms);
    }
    run.report()
}

/// Every point of local time at which to look, in ms, the trace's end among them.
fn points(trace: &Trace, settings: &Settings) -> Vec<u64> {
    let (from_ms, to_ms) = (trace.head.from.0 * 1_000, trace.head.to.0 * 1_000);
    let mut points: BTreeSet<u64> = (from_ms..to_ms)
        .step_by(usize::try_from(STEP_MS).unwrap_or(60_000))
        .collect();
    let (away, settle) = (settings.away_ms, settings.settle_ms);
    for change in &trace.changes {
        let at_ms = change.at.0 * 1_000;
        for later in [0, settle, away, away.saturating_add(settle)] {
            points.insert(at_ms.saturating_add(later));
        }
    }
    points.insert(to_ms);
    points.range(from_ms..=to_ms).copied().collect()
}

struct Run<'a> {
    trace: &'a Trace,
    settings: &'a Settings,
    world: World,
    memory: Memory,
    books: Vec<Books>,
    /// Which GPUs rent.
    rents: Vec<bool>,
    off_ms: u64,
    last_ms: u64,
    leases: u64,
}

impl<'a> Run<'a> {
    fn new(trace: &'a Trace, settings: &'a Settings) -> Self {
        let gpus = trace.head.gpus.len();
        Self {
            trace,
            settings,
            world: World::new(&trace.head),
            memory: Memory {
                reconciled: true,
                ..Memory::default()
            },
            books: std::iter::repeat_with(Books::default).take(gpus).collect(),
            rents: vec![false; gpus],
            off_ms: 0,
            last_ms: trace.head.from.0 * 1_000,
            leases: 0,
        }
    }

    /// Time has come so far.
    fn arrive(&mut self, at_ms: u64) {
        if !self.world.on {
            self.off_ms += at_ms - self.last_ms;
        }
        self.last_ms = at_ms;
        let now = world::moment(&self.trace.head, at_ms, self.off_ms);
        self.world.pass(now, self.settings, &self.rents);
    }

    fn take(&mut self, change: &Change) {
        if change.pays.is_some() || change.on.is_some() {
            // Jobs of one price end with it; a machine that goes off ends them all.
            self.memory.leases.clear();
        }
        if change.on == Some(true) && !self.world.on {
            // What was seen before says nothing about now.
            self.memory.looked = None;
        }
        self.world.apply(change);
    }

    /// Decides, and enters what that means until the next point.
    fn stay(&mut self, from_ms: u64, to_ms: u64) {
        let now = self.world.now;
        let wall = |at_ms: u64| now.wall_ms + (at_ms - from_ms);
        let (from, to) = (now.wall_ms, wall(to_ms));
        let doings = if self.world.on {
            self.decide(now)
        } else {
            vec![off(); self.books.len()]
        };
        for (at, doing) in doings.into_iter().enumerate() {
            if let (Some(books), Some(rents)) = (self.books.get_mut(at), self.rents.get_mut(at)) {
                *rents = matches!(doing, Doing::Renting { .. });
                books.enter(from, to, doing);
            }
        }
    }

    fn decide(&mut self, now: Moment) -> Vec<Doing> {
        self.world.look(self.settings, &self.rents);
        self.memory.pause = self.world.paused.then_some(Pause::UNTIL_RESUMED);
        if let Some(looked) = &mut self.memory.looked {
            let back = |clock: u64| clock.saturating_sub(LOOKED_AGO_MS);
            *looked = Moment {
                mono_ms: back(now.mono_ms),
                boot_ms: back(now.boot_ms),
                wall_ms: back(now.wall_ms),
            };
        }
        let facts = &self.world.facts;
        policy::observe(&mut self.memory, self.settings, facts, now);
        let (memory, settings) = (&self.memory, self.settings);
        let ended: Vec<LeaseId> = memory
            .leases
            .values()
            .filter(|lease| policy::ends(memory, settings, facts, now, lease).is_some())
            .map(|lease| lease.id().clone())
            .collect();
        self.memory.leases.retain(|id, _| !ended.contains(id));
        let decision = policy::decide(&self.memory, self.settings, facts, now);
        let kwh = self.settings.tariff.at(now, facts.utc_offset_s);
        let mut doings = Vec::with_capacity(self.books.len());
        for (at, (gpu, decided)) in facts.gpus.iter().zip(decision.gpus).enumerate() {
            let held = self.memory.holder(&gpu.info.id);
            let mut price = held.map(|lease| lease.grant.price);
            let first = decided.reasons.into_iter().next();
            if price.is_none() && first.is_none() {
                price = facts.market.best_order;
                if let Some(price) = price {
                    self.leases += 1;
                    let lease = lease(self.leases, gpu, price, &self.trace.head, now);
                    self.memory
                        .leases
                        .extend(lease.map(|lease| (lease.id().clone(), lease)));
                }
            }
            doings.push(match price {
                Some(price) => Doing::Renting {
                    price,
                    mw: self.world.job_mw(at, self.settings),
                    kwh,
                },
                None => Doing::Not {
                    state: decided.state,
                    reason: first.unwrap_or_else(no_demand),
                },
            });
        }
        doings
    }

    fn report(self) -> Report {
        let head = &self.trace.head;
        let utc_offset_s = head.utc_offset_min * 60;
        let to_ms = head.to.wall_ms(utc_offset_s);
        let cards = self.books.into_iter().zip(&head.gpus);
        let gpus: Vec<GpuReport> = cards
            .map(|(books, card)| books.close(to_ms, head, card.id.clone(), card.name.clone()))
            .collect();
        let mut total = Sums::default();
        for gpu in &gpus {
            total.add(&gpu.sums);
        }
        Report {
            name: head.name.clone(),
            from_ms: head.from.wall_ms(utc_offset_s),
            to_ms,
            utc_offset_s,
            demand_percent: head.demand_percent,
            total,
            gpus,
        }
    }
}

fn off() -> Doing {
    Doing::Not {
        state: RigState::Yours,
        reason: Reason::new(
            ReasonCode::AgentAway,
            "The machine is off or asleep.",
            "Rents again when it is on.",
        ),
    }
}

fn no_demand() -> Reason {
    Reason::new(
        ReasonCode::NoDemand,
        "No job asked for it.",
        "Rents when one comes that pays enough.",
    )
}

/// A job that runs from now on. Its texts are ours and always read; without them it would not be held, and rent anew
/// at every look.
fn lease(
    number: u64,
    gpu: &GpuFacts,
    price: HourlyPrice,
    head: &Head,
    now: Moment,
) -> Option<Lease> {
    let image = format!("simulated@sha256:{}", "0".repeat(64));
    let grant = LeaseGrant {
        lease: LeaseId::new(format!("simulated-{number}")).ok()?,
        job: JobId::new(format!("simulated-{number}")).ok()?,
        gpus: vec![gpu.info.id.clone()],
        spec: JobSpec {
            name: "simulated".to_owned(),
            image: image.parse().ok()?,
            command: None,
            environment: std::collections::BTreeMap::new(),
            gpu: sublet_protocol::job::GpuNeed {
                count: 1,
                vram_min_bytes: 0,
                score_min: 0,
                model: None,
                allow_software: false,
            },
            cpu_milli: 1,
            memory_bytes: 1,
            pids: 1,
            max_price: price,
            deadline_ms: u64::MAX,
            retries: 0,
            outputs: Vec::new(),
            reclaim_grace_ms: 0,
        },
        price,
        fee: head.fee,
        funded_ms: u64::MAX,
    };
    let mut lease = Lease::new(grant, now);
    lease.stage = Stage::Running;
    lease.meter.start(now);
    Some(lease)
}
