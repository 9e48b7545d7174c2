//! Why a lease must give its GPUs back.

use super::{gpu, price, rig, standing, switched_off};
use crate::facts::{FRESH_MS, Facts, Moment};
use crate::lease::Lease;
use crate::memory::Memory;
use crate::settings::Settings;
use sublet_protocol::reason::{Reason, ReasonCode};

/// Why a lease that uses its GPUs, or is about to, must end now; the most important reason alone. To be asked only of
/// leases that still need their GPUs: sealing and sending go on under every reason. `memory` must have
/// [seen](super::observe) the facts.
///
/// At once: for the owner (pause, mode off, their programs, presence, films, other use of the GPU), for heat, for
/// the battery, for a GPU that is gone, and for a reading that is missing. Only after
/// [`Settings::min_slice_ms`] of running time: for hours that end, a metered network, and a price that no longer
/// covers the electricity. Never for settings that do not read (the last good ones stand) or are not there, the ledger, the container
/// engine or the marketplace: those have ends of their own.
///
/// An agent that has only just started has no readings yet, and does not end jobs for that: they get as long as a
/// reading counts. What is known ends them all the same.
pub fn ends(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    lease: &Lease,
) -> Option<Reason> {
    let mut reasons: Vec<Reason> = rig::paused(memory, facts, now).into_iter().collect();
    for id in &lease.grant.gpus {
        match facts.gpus.iter().find(|gpu| gpu.info.id == *id) {
            None => reasons.push(gpu::gone(&format!("GPU {id}"), "it is no longer found")),
            Some(gpu) => {
                reasons.extend(rig::paused_alone(memory, facts, now, gpu));
                reasons.extend(switched_off(settings, gpu));
                reasons.extend(gpu::lost(gpu));
                reasons.extend(standing(memory, settings, facts, now, gpu));
                reasons.extend(gpu::software(settings, gpu));
            }
        }
    }
    let had_its_slice = lease.meter.used_ms(now) >= settings.min_slice_ms;
    if had_its_slice {
        reasons.extend(price::below_cost_of(memory, settings, facts, now, lease));
    } else {
        reasons.retain(|reason| !waits(reason.code));
    }
    if now.mono_ms < FRESH_MS {
        reasons.retain(|reason| reason.code != ReasonCode::ReadingUnknown);
    }
    reasons.into_iter().min_by_key(|reason| reason.code)
}

/// What a job's minimum slice is kept from.
fn waits(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::OutsideHours | ReasonCode::MeteredNetwork | ReasonCode::BelowCost
    )
}
