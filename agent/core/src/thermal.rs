//! Keeps a GPU that rents at its target temperature: first by lowering its power limit, where that is permitted, then
//! by freezing the job for a part of each ten seconds, and at last by stopping it. What it changes on the card it
//! remembers, and puts back.
//!
//! Call [`govern`] once a second for each GPU on which a job runs, and [`release`] for each on which none does.

mod duty;
mod limit;
#[cfg(test)]
mod proofs;
mod quiet;
#[cfg(test)]
mod stories;
mod track;

pub use quiet::quiet_score;

use crate::facts::{FRESH_MS, GpuFacts, Moment, PowerRange, Sensed};
use crate::policy::heat::{self, HOTSPOT_ABOVE_C};
use crate::settings::{GpuSettings, Quiet};
use duty::Duty;
use limit::CALM_BELOW_C;
use serde::{Deserialize, Serialize};
use track::Track;

/// A fan comes down this far below its ceiling before power comes back, in per cent.
const CALM_BELOW_FAN: u8 = 5;
/// The least time between two changes of the power limit, in ms.
const BETWEEN_CHANGES_MS: u64 = 5_000;
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

    /// Whether the driver may still take a power limit, as far as it is known.
    pub fn may_set_limit(&self) -> bool {
        !self.refused
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
/// [`HOTSPOT_ABOVE_C`] where that is more. Absent where the core does not tell.
pub fn warmth_c(sensed: &Sensed) -> Option<i32> {
    let core = sensed.temperature_c?;
    let spot = sensed.hotspot_c.map(|spot| spot - HOTSPOT_ABOVE_C);
    Some(spot.map_or(core, |spot| spot.max(core)))
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
        stop_c: heat::bounds(settings.heat, gpu.slowdown_c).hot_c,
        target_c: settings.heat.target_c,
        now,
        acts: Vec::new(),
    };
    turn.target_c = turn.target_c.min(turn.stop_c - 1);
    let sensed_ms = now.mono_ms.saturating_sub(turn.sensed.age_ms);
    let warmth = warmth_c(&turn.sensed).filter(|_| turn.sensed.age_ms <= FRESH_MS);
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
            .filter(|_| settled && sensed.age_ms <= FRESH_MS)
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
}
