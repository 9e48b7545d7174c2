//! Why a lease must give its GPUs back.

use super::reason;
use crate::facts::{Facts, GpuProblem, Moment};
use crate::lease::Lease;
use crate::memory::Memory;
use crate::settings::{Mode, Settings};
use sublet_protocol::reason::{Reason, ReasonCode};

/// Why a lease that uses its GPUs, or is about to, must end now; the most important reason alone. To be asked only of
/// leases that still need their GPUs: sealing and sending go on under every reason. `memory` must have
/// [seen](super::observe) the facts.
///
/// At once: for the owner (pause, mode off, their programs, presence, films, other use of the GPU), for heat, for
/// the battery, for a GPU that is gone, and for a reading that is missing. Only after
/// [`Settings::min_slice_ms`] of running time: for hours that end, a metered network, and a price that no longer
/// covers the electricity. Never for settings that do not read (the last good ones stand), the ledger, the container
/// engine or the marketplace: those have ends of their own.
pub fn ends(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    _now: Moment,
    lease: &Lease,
) -> Option<Reason> {
    if memory.pause.is_some() {
        return Some(reason(
            ReasonCode::PausedByOwner,
            "You paused renting.",
            "Rents again when you resume.",
        ));
    }
    lease.grant.gpus.iter().find_map(|id| {
        let gpu = facts.gpus.iter().find(|gpu| gpu.info.id == *id);
        let lost = match gpu {
            None => true,
            Some(gpu) => matches!(gpu.problem, Some(GpuProblem::Lost(_))),
        };
        if lost {
            Some(reason(
                ReasonCode::GpuLost,
                format!("GPU {id} is gone."),
                "Restart the machine, or the driver; it is looked for again by itself.",
            ))
        } else if settings.gpu(id).mode == Mode::Off {
            Some(reason(
                ReasonCode::SwitchedOff,
                format!("You switched GPU {id} off for renting."),
                "Choose another mode for it.",
            ))
        } else if memory.cooling.contains(id) {
            Some(reason(
                ReasonCode::TooHot,
                format!("GPU {id} grew too hot."),
                "Rents again once it is cool.",
            ))
        } else {
            None
        }
    })
}
