//! Keeps a GPU that rents at its target temperature: first by lowering its power limit, where that is permitted, then
//! by freezing the job for a part of each ten seconds, and at last by stopping it. What it changes on the card it
//! remembers, and puts back.
//!
//! Call [`govern`] once a second for each GPU on which a job runs, and [`release`] for each on which none does.

mod duty;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod stories;
mod track;

use crate::facts::{GpuFacts, Moment, PowerRange, Sensed};
use crate::settings::{GpuSettings, Heat, Quiet};
use duty::Duty;
use serde::{Deserialize, Serialize};
use sublet_protocol::gpu::BenchScore;
use track::Track;

/// How much hotter than the core the hottest spot or the memory may be: 83 °C of the core go with 103 °C there, and
/// drivers step in at 105 to 110 °C.
pub const HOTSPOT_ABOVE_CORE_C: i32 = 20;
/// The governor stops this far below the temperature from which the driver itself slows the card down.
const BELOW_SLOWDOWN_C: i32 = 2;
/// Power comes back only this far below the target.
const CALM_BELOW_C: i32 = 2;
/// A fan comes down this far below its ceiling before power comes back, in per cent.
const CALM_BELOW_FAN: u8 = 5;
/// The least time between two changes of the power limit, in ms.
const BETWEEN_CHANGES_MS: u64 = 5_000;
/// A fan answers slowly: the least time between two cuts for its sake, in ms.
const BETWEEN_FAN_CUTS_MS: u64 = 15_000;
/// The least time after any change before power comes back, in ms.
const BEFORE_RAISE_MS: u64 = 20_000;
/// What a cut takes for each °C above the target, in per cent of the factory's limit.
const CUT_PERCENT_A_DEGREE: i64 = 3;
/// The most that one cut takes, likewise.
const MOST_CUT_PERCENT: i64 = 20;
/// The most that one raise gives, likewise; it gives one for each °C of calm.
const MOST_RAISE_PERCENT: i64 = 5;
/// Drivers keep limits in whole watts.
const SAME_MW: u32 = 1_000;
/// How long after a change a reading may still show what was before, in ms.
const SHOWS_AFTER_MS: u64 = 1_500;

/// What the governor wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Lower or raise the card's power limit. The memory that holds the governor is stored before.
    SetPowerLimit {
        /// To this, in mW.
        limit_mw: u32,
    },
    /// Put back what was before we came. Report success with [`Governor::restored`].
    RestorePowerLimit {
        /// To this, in mW.
        limit_mw: u32,
    },
    /// Let the job stand still.
    Freeze,
    /// Let it go on.
    Thaw,
    /// Too hot: end the job.
    Stop,
}

/// The governor of one GPU. What must survive a crash is stored, the rest begins anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Governor {
    /// What we changed on the card, until it is put back.
    changed: Option<Changed>,
    #[serde(skip)]
    refused: bool,
    #[serde(skip)]
    track: Track,
    #[serde(skip)]
    duty: Duty,
    /// When the limit was changed last, or was to be put back, on the monotonic clock.
    #[serde(skip)]
    changed_at_ms: Option<u64>,
}

/// A power limit that is not the one we found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    /// In force before we came, in mW.
    before_mw: u32,
    /// What we set, in mW.
    set_mw: u32,
}

impl Governor {
    /// The driver refused a power limit: from now on, until the agent starts again, the governor only freezes.
    pub fn refused(&mut self) {
        self.refused = true;
        // Nothing was changed; where something was, before, a reading will show it.
        self.changed_at_ms = None;
    }

    /// The driver took the limit that was to be put back.
    pub fn restored(&mut self) {
        self.changed = None;
        self.changed_at_ms = None;
    }

    /// The limit that was set on the card and is to be put back some time, in mW.
    pub fn set_mw(&self) -> Option<u32> {
        self.changed.map(|changed| changed.set_mw)
    }

    /// Whether the job shall stand still now. A job on several GPUs stands still when one of them says so.
    pub fn frozen(&self) -> bool {
        self.duty.frozen()
    }

    /// Of ten seconds, in how many the job may run: 1 to 10.
    pub fn duty_tenths(&self) -> u8 {
        self.duty.tenths()
    }

    /// What is to be put back at once, without waiting for a reading: for the agent's exit.
    pub fn leftover(&self) -> Option<Act> {
        self.changed.map(|changed| Act::RestorePowerLimit {
            limit_mw: changed.before_mw,
        })
    }
}

/// How warm a GPU is, in °C of its core: the core itself, or its hottest spot less
/// [`HOTSPOT_ABOVE_CORE_C`] where that is more. Absent where the core does not tell.
pub fn warmth_c(sensed: &Sensed) -> Option<i32> {
    let core = sensed.temperature_c?;
    let spot = sensed.hotspot_c.map(|spot| spot - HOTSPOT_ABOVE_CORE_C);
    Some(spot.map_or(core, |spot| spot.max(core)))
}

/// From which [`warmth_c`] on a job is stopped, in °C: the owner's bound, or just below the driver's own.
pub fn stop_c(heat: &Heat, slowdown_c: Option<i32>) -> i32 {
    slowdown_c.map_or(heat.hot_c, |slowdown| {
        heat.hot_c.min(slowdown - BELOW_SLOWDOWN_C)
    })
}

/// One second of a GPU on which a job runs. Without a fresh reading nothing is given back and no limit changed; when
/// to stop for want of readings is the policy's to say.
pub fn govern(
    governor: &Governor,
    gpu: &GpuFacts,
    settings: &GpuSettings,
    now: Moment,
) -> (Governor, Vec<Act>) {
    let mut turn = Turn {
        governor: governor.clone(),
        sensed: gpu.sensed.clone().unwrap_or_default(),
        range: gpu.power_range.filter(|range| range.default_mw > 0),
        quiet: settings.quiet,
        stop_c: stop_c(&settings.heat, gpu.slowdown_c),
        target_c: settings.heat.target_c,
        now,
        acts: Vec::new(),
    };
    turn.target_c = turn.target_c.min(turn.stop_c - 1);
    let sensed_ms = now.mono_ms.saturating_sub(turn.sensed.age_ms);
    let warmth = warmth_c(&turn.sensed).filter(|_| turn.sensed.age_ms <= crate::facts::FRESH_MS);
    match warmth {
        Some(warmth) => {
            turn.governor.track.add(sensed_ms, warmth);
            turn.judge(warmth);
        }
        None => {
            turn.acts
                .extend(turn.governor.duty.blind(now.mono_ms).then_some(Act::Freeze));
        }
    }
    (turn.governor, turn.acts)
}

/// One look at a GPU on which no job runs: puts back what was changed, also by an agent that died since. A limit that
/// somebody else set meanwhile stays.
pub fn release(governor: &Governor, gpu: &GpuFacts, now: Moment) -> (Governor, Vec<Act>) {
    let mut governor = Governor {
        changed: governor.changed,
        refused: governor.refused,
        changed_at_ms: governor.changed_at_ms,
        ..Governor::default()
    };
    let mut acts = Vec::new();
    let shown = gpu
        .sensed
        .as_ref()
        .and_then(|sensed| governor.shown_mw(sensed, now));
    if let (Some(changed), Some(shown)) = (governor.changed, shown) {
        if !same(shown, changed.set_mw) || same(shown, changed.before_mw) {
            governor.restored();
        } else if governor.rested_ms(now) >= BETWEEN_CHANGES_MS {
            governor.changed_at_ms = Some(now.mono_ms);
            acts.push(Act::RestorePowerLimit {
                limit_mw: changed.before_mw,
            });
        }
    }
    (governor, acts)
}

/// The score that a GPU offers under quiet bounds: the measured one times the share of the factory's power that is
/// allowed (or, where no limit can be set, the share of the time).
///
/// A lower bound, not a measurement. Work per second rises with the clock, while power rises with the clock times the
/// square of a voltage that rises with it too, so near the factory's limit the last watts buy the least: half of the
/// power leaves far more than half of the speed. It would not hold where most of the power were drawn at rest, which
/// is why [`Quiet::power_percent`] begins at 30 and no limit goes below the card's own lowest. A benchmark that was
/// run under the limit is better than this. A fan ceiling promises nothing by itself: what it costs depends on the
/// room, as heat does without it.
pub fn quiet_score(score: BenchScore, quiet: &Quiet, range: Option<PowerRange>) -> BenchScore {
    let (allowed, whole) = match range.filter(|range| range.default_mw > 0) {
        Some(range) => (ceiling_mw(quiet, range), range.default_mw),
        None => (u32::from(duty::most_tenths(quiet)), 10),
    };
    let allowed = allowed.min(whole);
    let part = |figure: u64| {
        let part = u128::from(figure) * u128::from(allowed) / u128::from(whole);
        u64::try_from(part).unwrap_or(figure)
    };
    BenchScore {
        score: u32::try_from(part(score.score.into())).unwrap_or(score.score),
        fp32_mflops: part(score.fp32_mflops),
        bandwidth_mb_s: part(score.bandwidth_mb_s),
    }
}

/// The most power that quiet bounds allow, in mW; never below what the card takes.
fn ceiling_mw(quiet: &Quiet, range: PowerRange) -> u32 {
    percent_mw(range, quiet.power_percent.into()).max(range.lowest_mw)
}

fn percent_mw(range: PowerRange, percent: i64) -> u32 {
    let part = i64::from(range.default_mw) * percent / 100;
    u32::try_from(part).unwrap_or(0)
}

fn same(a_mw: u32, b_mw: u32) -> bool {
    a_mw.abs_diff(b_mw) <= SAME_MW
}

impl Governor {
    /// The limit that a reading shows, where it is new enough to show our last change.
    fn shown_mw(&self, sensed: &Sensed, now: Moment) -> Option<u32> {
        let read_ms = now.mono_ms.saturating_sub(sensed.age_ms);
        let settled = self
            .changed_at_ms
            .is_none_or(|at| read_ms >= at.saturating_add(SHOWS_AFTER_MS));
        sensed
            .power_limit_mw
            .filter(|_| settled && sensed.age_ms <= crate::facts::FRESH_MS)
    }

    /// How long the limit has been left alone, in ms.
    fn rested_ms(&self, now: Moment) -> u64 {
        self.changed_at_ms
            .map_or(u64::MAX, |at| now.mono_ms.saturating_sub(at))
    }
}

struct Turn {
    governor: Governor,
    sensed: Sensed,
    range: Option<PowerRange>,
    quiet: Option<Quiet>,
    stop_c: i32,
    target_c: i32,
    now: Moment,
    acts: Vec<Act>,
}

impl Turn {
    fn judge(&mut self, warmth: i32) {
        if warmth >= self.stop_c {
            self.acts.push(Act::Stop);
            return;
        }
        let ahead = self.governor.track.ahead_c(warmth);
        let limits = self.limits();
        let excess = ahead - self.target_c;
        let fan = self
            .sensed
            .fan_percent
            .zip(self.quiet.and_then(|quiet| quiet.fan_percent));
        let loud = fan.is_some_and(|(fan, most)| fan > most);
        let warm = excess > 0 && !self.governor.track.falls();
        let calm = ahead <= self.target_c - CALM_BELOW_C
            && fan.is_none_or(|(fan, most)| fan.saturating_add(CALM_BELOW_FAN) <= most);

        // Whatever the limit does, it does it slowly; a job that stands still heats nothing from this second on.
        let danger = ahead >= self.stop_c - 1;
        let mut slowed = false;
        if let Some(limits) = limits {
            slowed = self.limit(limits, warm.then_some(excess), loud, calm);
        }
        let at_lowest = limits.is_none_or(|limits| limits.now_mw <= limits.lowest_mw);
        let most_tenths = match (limits, self.quiet) {
            (None, Some(quiet)) => duty::most_tenths(&quiet),
            _ => duty::ALL,
        };
        let look = duty::Look {
            danger,
            over: (warm || loud) && at_lowest && !slowed,
            excess_c: excess,
            cool: warmth <= self.target_c,
            calm,
            most_tenths,
        };
        match self.governor.duty.tick(self.now.mono_ms, look) {
            Some(true) => self.acts.push(Act::Freeze),
            Some(false) => self.acts.push(Act::Thaw),
            None => {}
        }
    }

    /// The bounds of the power limit, where it may be changed and what was before is known.
    fn limits(&mut self) -> Option<Limits> {
        let range = self.range.filter(|_| !self.governor.refused)?;
        let shown = self.governor.shown_mw(&self.sensed, self.now);
        if let (Some(changed), Some(shown)) = (&mut self.governor.changed, shown)
            && !same(shown, changed.set_mw)
        {
            // Somebody else set it, or the driver came back with its own: that is what will be put back.
            *changed = Changed {
                before_mw: shown,
                set_mw: shown,
            };
        }
        let (before_mw, now_mw) = match self.governor.changed {
            Some(changed) => (changed.before_mw, changed.set_mw),
            None => (shown?, shown?),
        };
        let highest_mw = self
            .quiet
            .map_or(before_mw, |quiet| before_mw.min(ceiling_mw(&quiet, range)));
        Some(Limits {
            range,
            before_mw,
            now_mw,
            highest_mw,
            // An owner who set a limit below the card's official range keeps it.
            lowest_mw: range.lowest_mw.min(highest_mw),
        })
    }

    /// Moves the power limit; true where it was lowered.
    fn limit(&mut self, limits: Limits, excess_c: Option<i32>, loud: bool, calm: bool) -> bool {
        let rested = self.governor.rested_ms(self.now);
        if rested < BETWEEN_CHANGES_MS {
            return false;
        }
        let step = |percent: i64| percent_mw(limits.range, percent);
        let wanted = if limits.now_mw > limits.highest_mw {
            limits.highest_mw
        } else if let Some(excess) = excess_c {
            let percent = (i64::from(excess) * CUT_PERCENT_A_DEGREE).min(MOST_CUT_PERCENT);
            self.drawn_mw(limits).saturating_sub(step(percent))
        } else if loud && rested >= BETWEEN_FAN_CUTS_MS {
            self.drawn_mw(limits)
                .saturating_sub(step(CUT_PERCENT_A_DEGREE))
        } else if calm && !self.governor.duty.active() && rested >= BEFORE_RAISE_MS {
            let track = &self.governor.track;
            let calm_c = self.target_c - track.latest_c().unwrap_or(self.target_c);
            let percent = i64::from(calm_c - CALM_BELOW_C + 1).clamp(1, MOST_RAISE_PERCENT);
            limits.now_mw.saturating_add(step(percent))
        } else {
            limits.now_mw
        };
        let mut wanted = wanted.clamp(limits.lowest_mw, limits.highest_mw);
        if same(wanted, limits.before_mw) {
            wanted = limits.before_mw;
        }
        if same(wanted, limits.now_mw) {
            return false;
        }
        self.governor.changed = Some(Changed {
            before_mw: limits.before_mw,
            set_mw: wanted,
        });
        self.governor.changed_at_ms = Some(self.now.mono_ms);
        self.acts.push(if wanted == limits.before_mw {
            Act::RestorePowerLimit { limit_mw: wanted }
        } else {
            Act::SetPowerLimit { limit_mw: wanted }
        });
        wanted < limits.now_mw
    }

    /// From where a cut counts: a limit far above what the card draws slows nothing. One cut halves at most.
    fn drawn_mw(&self, limits: Limits) -> u32 {
        let drawn = self.sensed.power_mw.unwrap_or(limits.now_mw);
        drawn.clamp(limits.now_mw / 2, limits.now_mw)
    }
}

#[derive(Clone, Copy)]
struct Limits {
    range: PowerRange,
    before_mw: u32,
    now_mw: u32,
    /// The most that we give.
    highest_mw: u32,
    lowest_mw: u32,
}
