//! What the policy keeps from one look to the next: hysteresis, since when nothing stands in the way, and what each
//! GPU draws while it works.

use super::{heat, standing};
use crate::facts::{FRESH_MS, Facts, GpuFacts, Moment, Sensed};
use crate::lease::Stage;
use crate::memory::{Drawing, Memory};
use crate::settings::Settings;
use sublet_protocol::ids::GpuId;

/// After a longer gap between two looks, in ms, the machine slept or the agent stood still: what was seen before
/// says nothing about now, and settling begins anew.
pub const GAP_MS: u64 = 30_000;
/// A snooze that was asked for as a span keeps its length when the clock is set by more than this against the one
/// that never jumps, in ms. Less is how clocks drift and are brought back.
const CLOCK_SET_MS: u64 = 60_000;
/// The average of a GPU's power is over about so much working time, in ms.
const AVERAGE_MS: u64 = 5 * 60_000;
/// So much working time has to be measured before the average counts, in ms.
const MEASURED_MS: u64 = 60_000;

/// Takes the facts in. Called once at the start of each step, before anything is decided; the more often, the sooner
/// a GPU settles, but no less often than every [`GAP_MS`].
pub fn observe(memory: &mut Memory, settings: &Settings, facts: &Facts, now: Moment) {
    keep_snooze(memory, now);
    cool_down(memory, settings, facts);
    settle(memory, settings, facts, now);
    measure(memory, facts, now);
    memory.looked = Some(now);
}

/// "1 hour" stays an hour, whatever the clock on the wall is set to. Sleep counts: both clocks go on in it.
fn keep_snooze(memory: &mut Memory, now: Moment) {
    let Some(last) = memory.looked else {
        return;
    };
    let went_ms = now.boot_ms.saturating_sub(last.boot_ms);
    let expected = last.wall_ms.saturating_add(went_ms);
    if now.wall_ms.abs_diff(expected) <= CLOCK_SET_MS {
        return;
    }
    for pause in memory.pause.iter_mut().chain(memory.pauses.values_mut()) {
        if let Some(until) = pause.until_wall_ms.as_mut().filter(|_| pause.span) {
            *until = until.saturating_add(now.wall_ms).saturating_sub(expected);
        }
    }
}

/// Hot it is from its upper bound on, and hot it stays until below the lower one. A silent sensor changes nothing.
fn cool_down(memory: &mut Memory, settings: &Settings, facts: &Facts) {
    for gpu in &facts.gpus {
        let Some(sensed) = fresh(gpu) else {
            continue;
        };
        let bounds = heat::bounds(settings.gpu(&gpu.info.id).heat, gpu.slowdown_c);
        if bounds.too_hot(sensed) {
            memory.cooling.insert(gpu.info.id.clone());
        } else if bounds.is_cool(sensed) {
            memory.cooling.remove(&gpu.info.id);
        }
    }
}

fn settle(memory: &mut Memory, settings: &Settings, facts: &Facts, now: Moment) {
    if slept(memory, now) {
        memory.free_since_boot_ms.clear();
    }
    for gpu in &facts.gpus {
        let id = &gpu.info.id;
        if standing(memory, settings, facts, now, gpu).is_empty() {
            memory
                .free_since_boot_ms
                .entry(id.clone())
                .or_insert(now.boot_ms);
        } else {
            memory.free_since_boot_ms.remove(id);
        }
    }
}

/// Whether the last look is too long ago to go on from, or there was none since the agent started.
fn slept(memory: &Memory, now: Moment) -> bool {
    memory
        .looked
        .is_none_or(|last| now.boot_ms.saturating_sub(last.boot_ms) > GAP_MS)
}

/// Whether nothing has stood in the GPU's way for long enough.
pub(super) fn settled(memory: &Memory, settings: &Settings, gpu: &GpuId, now: Moment) -> bool {
    if settings.settle_ms == 0 {
        return true;
    }
    !slept(memory, now)
        && memory
            .free_since_boot_ms
            .get(gpu)
            .is_some_and(|since| now.boot_ms.saturating_sub(*since) >= settings.settle_ms)
}

fn measure(memory: &mut Memory, facts: &Facts, now: Moment) {
    let went_ms = match memory.looked {
        Some(last) if !slept(memory, now) => now.boot_ms.saturating_sub(last.boot_ms),
        _ => return,
    };
    for gpu in &facts.gpus {
        let id = &gpu.info.id;
        let works = memory
            .holder(id)
            .is_some_and(|lease| lease.stage == Stage::Running);
        let Some(mw) = fresh(gpu)
            .and_then(|sensed| sensed.power_mw)
            .filter(|_| works)
        else {
            continue;
        };
        let known = memory.drawn_mw.get(id).copied();
        let drawing = memory.drawing.entry(id.clone()).or_insert_with(|| {
            // What is remembered counts as if it had just been measured.
            known.map_or(Drawing::default(), |known| Drawing {
                average_uw: u64::from(known) * 1_000,
                measured_ms: AVERAGE_MS,
            })
        });
        drawing.take(mw, went_ms);
        let average = drawing.average_mw();
        if drawing.measured_ms >= MEASURED_MS && known.is_none_or(|known| moved(known, average)) {
            memory.drawn_mw.insert(id.clone(), average);
        }
    }
}

/// Whether a figure moved by more than a twentieth: less is not worth writing the memory for.
fn moved(known: u32, now: u32) -> bool {
    u64::from(known.abs_diff(now)) * 20 > u64::from(known)
}

impl Drawing {
    /// The mean until there is enough for an average that forgets.
    fn take(&mut self, mw: u32, went_ms: u64) {
        if went_ms == 0 {
            return;
        }
        self.measured_ms = (self.measured_ms + went_ms).min(AVERAGE_MS);
        let (old, new) = (self.average_uw, u64::from(mw) * 1_000);
        let share = |apart: u64| {
            let share = u128::from(apart) * u128::from(went_ms.min(self.measured_ms));
            u64::try_from(share / u128::from(self.measured_ms)).unwrap_or(apart)
        };
        self.average_uw = if new >= old {
            old + share(new - old)
        } else {
            old - share(old - new)
        };
    }

    fn average_mw(self) -> u32 {
        u32::try_from(self.average_uw.div_ceil(1_000)).unwrap_or(u32::MAX)
    }
}

fn fresh(gpu: &GpuFacts) -> Option<&Sensed> {
    gpu.sensed
        .as_ref()
        .filter(|sensed| sensed.age_ms <= FRESH_MS && gpu.problem.is_none())
}
