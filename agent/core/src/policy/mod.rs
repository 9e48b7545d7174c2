//! May each GPU rent now, and if not, why not: one ordered list of reasons, each with its figure and what
//! would change it. What is not known counts as no.
//!
//! [`observe`] takes the facts in, [`decide`] and [`offers`] say what may be rented, [`ends`] what must stop.

mod ends;
#[cfg(test)]
mod figures;
mod gpu;
pub mod heat;
mod observe;
mod outside;
mod owner;
mod price;
#[cfg(test)]
mod proofs;
mod reading;
mod rig;
#[cfg(test)]
mod tests;
mod words;

pub use ends::ends;
pub use gpu::uses;
pub use observe::{GAP_MS, observe};
pub use outside::outside;

use crate::facts::{Facts, GpuFacts, Moment};
use crate::memory::Memory;
use crate::profit;
use crate::settings::{Mode, Settings};
use crate::thermal::{self, Governor};
use sublet_protocol::gpu::GpuInfo;
use sublet_protocol::ids::GpuId;
use sublet_protocol::offer::GpuOffer;
use sublet_protocol::reason::{Reason, ReasonCode, RigState};
use words::{reason, span};

/// The decision for one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuDecision {
    /// Which.
    pub gpu: GpuId,
    /// Its state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first. Those that [bar](ReasonCode::bars) it come before those that only
    /// say why nothing came of its offer.
    pub reasons: Vec<Reason>,
}

impl GpuDecision {
    /// Whether nothing bars it: it may rent, or does.
    pub fn may_rent(&self) -> bool {
        !self.reasons.iter().any(|reason| reason.code.bars())
    }
}

/// The decision for the rig.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first: the reasons of the GPU that is nearest to renting.
    pub reasons: Vec<Reason>,
    /// One by one.
    pub gpus: Vec<GpuDecision>,
}

/// Decides for every GPU. `memory` must have [seen](observe) the facts already.
pub fn decide(memory: &Memory, settings: &Settings, facts: &Facts, now: Moment) -> Decision {
    let decided = |gpu| decide_gpu(memory, settings, facts, now, gpu);
    let gpus: Vec<GpuDecision> = facts.gpus.iter().map(decided).collect();
    let nearest = gpus.iter().min_by_key(|gpu| {
        let first = gpu.reasons.first().map(|reason| reason.code);
        // No reason at all is nearest, then the least important first one, then the fewest.
        (first.map(std::cmp::Reverse), gpu.reasons.len())
    });
    let (state, reasons) = match nearest {
        Some(nearest) => (nearest.state, nearest.reasons.clone()),
        None => (RigState::NeedsYou, rig_reasons(memory, facts, now)),
    };
    Decision {
        state: if memory.is_renting() {
            RigState::Renting
        } else {
            state
        },
        reasons,
        gpus,
    }
}

/// What the rig sells right now: GPUs that may rent and that nobody holds, each for no less than its electricity.
pub fn offers(memory: &Memory, settings: &Settings, facts: &Facts, now: Moment) -> Vec<GpuOffer> {
    facts
        .gpus
        .iter()
        .filter(|gpu| memory.holder(&gpu.info.id).is_none())
        .filter(|gpu| decide_gpu(memory, settings, facts, now, gpu).may_rent())
        .filter_map(|gpu| {
            Some(GpuOffer {
                gpu: on_sale(memory, settings, gpu),
                floor: profit::floor(memory, settings, facts, now, gpu)?,
            })
        })
        .collect()
}

/// What a GPU is sold as: under quiet bounds, with the score that they leave.
fn on_sale(memory: &Memory, settings: &Settings, gpu: &GpuFacts) -> GpuInfo {
    let mut info = gpu.info.clone();
    if let (Some(score), Some(quiet)) = (info.score, settings.gpu(&info.id).quiet) {
        let governor = memory.governors.get(&info.id);
        let may_set = governor.is_none_or(Governor::may_set_limit);
        let range = gpu.power_range.filter(|_| may_set);
        info.score = Some(thermal::quiet_score(score, &quiet, range));
    }
    info
}

fn decide_gpu(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> GpuDecision {
    let mut reasons = rig_reasons(memory, facts, now);
    reasons.extend(rig::paused_alone(memory, facts, now, gpu));
    if let Some(off) = switched_off(settings, gpu) {
        reasons.push(off);
    } else {
        let standing = standing(memory, settings, facts, now, gpu);
        if standing.is_empty() {
            reasons.extend(settling(memory, settings, gpu, now));
        }
        reasons.extend(standing);
        reasons.extend(gpu::software(settings, gpu));
        reasons.extend(gpu::unmeasured(gpu));
    }
    let custody = memory.custody.get(&gpu.info.id);
    reasons.extend(custody.map(|custody| custody.reason(&gpu.info.name, now)));
    let price = price::reasons(memory, settings, facts, now, gpu);
    // While something bars it, its price is not what it waits for.
    reasons.extend(price.filter(|price| price.code.bars() || reasons.is_empty()));
    reasons.sort_by_key(|reason| reason.code);
    let state = if memory.holder(&gpu.info.id).is_some() {
        RigState::Renting
    } else {
        reasons
            .first()
            .map_or(RigState::Ready, |first| state_for(first.code))
    };
    GpuDecision {
        gpu: gpu.info.id.clone(),
        state,
        reasons,
    }
}

fn rig_reasons(memory: &Memory, facts: &Facts, now: Moment) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = rig::paused(memory, facts, now).into_iter().collect();
    reasons.extend(rig::means(memory, facts));
    reasons
}

/// What a GPU has to be free of for a while before it rents: the owner's programs and presence, other use, heat,
/// power, hours, and readings that are not there.
fn standing(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> Vec<Reason> {
    let mode = settings.gpu(&gpu.info.id).mode;
    if mode == Mode::Off {
        return Vec::new();
    }
    let mut reasons = owner::reasons(mode, settings, facts, now);
    match gpu::lost(gpu) {
        Some(lost) => reasons.push(lost),
        None => reasons.extend(gpu::sensors(memory, settings, gpu)),
    }
    reasons
}

fn switched_off(settings: &Settings, gpu: &GpuFacts) -> Option<Reason> {
    let name = &gpu.info.name;
    (settings.gpu(&gpu.info.id).mode == Mode::Off).then(|| {
        reason(
            ReasonCode::SwitchedOff,
            format!("You switched {name} off for renting."),
            "Rents again when you choose another mode for it.",
        )
        .name("gpu", name)
    })
}

fn settling(memory: &Memory, settings: &Settings, gpu: &GpuFacts, now: Moment) -> Option<Reason> {
    let (name, settle_ms) = (&gpu.info.name, settings.settle_ms);
    (!observe::settled(memory, settings, &gpu.info.id, now)).then(|| {
        reason(
            ReasonCode::Settling,
            format!("What stood in the way of {name} has only just gone."),
            format!("Rents once it has stayed away for {}.", span(settle_ms)),
        )
        .name("gpu", name)
        .number("settle_ms", settle_ms)
    })
}

fn state_for(first: ReasonCode) -> RigState {
    use ReasonCode as C;
    match first {
        C::PausedByOwner
        | C::SwitchedOff
        | C::ProgramRuns
        | C::OwnerPresent
        | C::Watching
        | C::GpuInUse
        | C::OutsideHours
        | C::SoftwareGpu => RigState::Yours,
        C::NotSetUp
        | C::SettingsUnreadable
        | C::NeedsOwner
        | C::LedgerUnwritable
        | C::GpuLost
        | C::MemoryHeld
        | C::NotBenchmarked => RigState::NeedsYou,
        C::AgentAway
        | C::ReadingUnknown
        | C::Returning
        | C::TooHot
        | C::OnBattery
        | C::MeteredNetwork
        | C::Settling
        | C::DockerUnavailable
        | C::MarketUnreachable
        | C::BelowCost => RigState::Waiting,
        C::BelowFloor | C::NoDemand => RigState::Ready,
    }
}
