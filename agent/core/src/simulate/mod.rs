//! What would these settings have made of these weeks? Replays recorded or made-up facts through the same policy that
//! decides every second on a real machine.
//!
//! Looks whenever something changes, has settled or may have cooled: every minute while anything moves, every quarter
//! of an hour while nothing does, which comes to the same (a test compares). A GPU that may rent does so from the moment
//! that an order pays enough until the trace says that none does, another price holds, or the policy ends the job.

mod change;
mod example;
mod job;
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

use crate::facts::Moment;
use crate::memory::{Memory, Pause};
use crate::policy;
use crate::settings::Settings;
use report::{Books, Doing};
use std::collections::BTreeSet;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::reason::{Reason, ReasonCode, RigState};
use world::World;

/// Between two looks while something moves, in ms.
const STEP_MS: u64 = 60_000;
/// Between two looks while nothing does, in ms: hours are chosen by the quarter.
const LONG_STEP_MS: u64 = 15 * STEP_MS;
/// Between two of our looks nothing changed, so that a later one by the agent, this long before ours, would have seen the
/// same. It is no gap that the policy would take for sleep.
const LOOKED_AGO_MS: u64 = 20_000;

/// Replays a trace under settings. Deterministic; four weeks of one GPU take well under a second.
pub fn simulate(trace: &Trace, settings: &Settings) -> Report {
    replay(trace, settings, LONG_STEP_MS)
}

fn replay(trace: &Trace, settings: &Settings, long_step_ms: u64) -> Report {
    let mut run = Run::new(trace, settings);
    let mut changes = trace.changes.iter().peekable();
    let known = points(trace, settings);
    let (mut at_ms, end_ms) = (trace.head.from.0 * 1_000, trace.head.to.0 * 1_000);
    while at_ms < end_ms {
        run.arrive(at_ms);
        while let Some(change) = changes.next_if(|change| change.at.0 * 1_000 <= at_ms) {
            run.take(change);
        }
        let doings = run.look();
        let step_ms = if run.moves { STEP_MS } else { long_step_ms };
        let next_step = (at_ms / step_ms + 1) * step_ms;
        let next_known = known.range(at_ms + 1..).next().copied();
        let next_ms = next_known
            .map_or(next_step, |known| known.min(next_step))
            .min(end_ms);
        run.enter(next_ms - at_ms, doings);
        at_ms = next_ms;
    }
    run.report()
}

/// The points of local time, in ms, at which something is known to change: lines of the trace and what follows from
/// them, and prices of electricity.
fn points(trace: &Trace, settings: &Settings) -> BTreeSet<u64> {
    let mut points = BTreeSet::new();
    let (away, settle) = (settings.away_ms, settings.settle_ms);
    for change in &trace.changes {
        let at_ms = change.at.0 * 1_000;
        for later in [0, settle, away, away.saturating_add(settle)] {
            points.insert(at_ms.saturating_add(later));
        }
    }
    for day_s in (trace.head.from.0 / DAY_S..=trace.head.to.0 / DAY_S).map(|day| day * DAY_S) {
        for band in &settings.tariff.bands {
            for minute in [band.from_min, band.to_min] {
                points.insert((day_s + u64::from(minute) * 60) * 1_000);
            }
        }
    }
    points
}

const DAY_S: u64 = 24 * 3_600;

struct Run<'a> {
    trace: &'a Trace,
    settings: &'a Settings,
    world: World,
    memory: Memory,
    books: Vec<Books>,
    /// Which GPUs rent.
    rents: Vec<bool>,
    /// Something changes by itself: a temperature, a settling time, a job's last minutes.
    moves: bool,
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
            moves: true,
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

    /// What every GPU does from now on.
    fn look(&mut self) -> Vec<Doing> {
        self.moves = false;
        let doings = if self.world.on {
            self.decide(self.world.now)
        } else {
            vec![off(); self.books.len()]
        };
        for (rents, doing) in self.rents.iter_mut().zip(&doings) {
            *rents = matches!(doing, Doing::Renting { .. });
        }
        self.moves |= self.world.warms_or_cools(self.settings, &self.rents);
        doings
    }

    /// Enters what they did for so long.
    fn enter(&mut self, ms: u64, doings: Vec<Doing>) {
        let from_ms = self.world.now.wall_ms;
        for (books, doing) in self.books.iter_mut().zip(doings) {
            books.enter(from_ms, from_ms + ms, doing);
        }
    }

    fn decide(&mut self, now: Moment) -> Vec<Doing> {
        self.world.look(self.settings, &self.rents);
        self.memory.pause = self.world.paused.then_some(Pause::UNTIL_RESUMED);
        let alone = self.world.paused_alone.iter().cloned();
        self.memory.pauses = alone.map(|gpu| (gpu, Pause::UNTIL_RESUMED)).collect();
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
        // The agent measures every second what its jobs draw, and knows it by now.
        for (at, gpu) in facts
            .gpus
            .iter()
            .enumerate()
            .filter(|(at, _)| self.rents[*at])
        {
            let mw = self.world.job_mw(at, self.settings);
            self.memory.drawn_mw.insert(gpu.info.id.clone(), mw);
        }
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
            let passes = first.as_ref().map(|reason| reason.code);
            self.moves |=
                held.is_some() && passes.is_some() || passes == Some(ReasonCode::Settling);
            if price.is_none() && first.is_none() {
                price = facts.market.best_order;
                if let Some(price) = price {
                    self.leases += 1;
                    let lease = job::lease(self.leases, gpu, price, &self.trace.head, now);
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
