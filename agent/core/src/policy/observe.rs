//! What the policy keeps from one look to the next: hysteresis, and since when nothing stands in the way.

use crate::facts::{Facts, Moment};
use crate::memory::Memory;
use crate::settings::Settings;

/// A snooze that was asked for as a span keeps its length when the clock is set by more than this against the one
/// that never jumps, in ms. Less is how clocks drift and are brought back.
const CLOCK_SET_MS: u64 = 60_000;

/// Takes the facts in. Called once at the start of each step, before anything is decided.
pub fn observe(memory: &mut Memory, settings: &Settings, facts: &Facts, now: Moment) {
    keep_snooze(memory, now);
    cool_down(memory, settings, facts);
    memory.looked = Some(now);
}

/// "1 hour" stays an hour, whatever the clock on the wall is set to. Sleep counts: both clocks go on in it.
fn keep_snooze(memory: &mut Memory, now: Moment) {
    let Some(last) = memory.looked else {
        return;
    };
    let Some(pause) = &mut memory.pause else {
        return;
    };
    let Some(until) = &mut pause.until_wall_ms else {
        return;
    };
    let expected = last
        .wall_ms
        .saturating_add(now.boot_ms.saturating_sub(last.boot_ms));
    if pause.span && now.wall_ms.abs_diff(expected) > CLOCK_SET_MS {
        *until = if now.wall_ms > expected {
            until.saturating_add(now.wall_ms - expected)
        } else {
            until.saturating_sub(expected - now.wall_ms)
        };
    }
}

/// Hot at `hot_c`, and hot it stays until below `cool_c`. A silent sensor changes nothing.
fn cool_down(memory: &mut Memory, settings: &Settings, facts: &Facts) {
    for gpu in &facts.gpus {
        let Some(celsius) = gpu.sensed.as_ref().and_then(|s| s.temperature_c) else {
            continue;
        };
        let heat = settings.gpu(&gpu.info.id).heat;
        if celsius >= heat.hot_c {
            memory.cooling.insert(gpu.info.id.clone());
        } else if celsius < heat.cool_c {
            memory.cooling.remove(&gpu.info.id);
        }
    }
}
