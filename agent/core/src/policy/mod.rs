//! May each GPU rent now, and if not, why not: one ordered list of reasons, each with its figure and what
//! would change it. What is not known counts as no.

mod ends;
mod observe;

pub use ends::ends;
pub use observe::observe;

use crate::facts::{Docker, FRESH_MS, Facts, GpuFacts, GpuProblem, Moment};
use crate::memory::Memory;
use crate::settings::Settings;
use sublet_protocol::gpu::GpuVendor;
use sublet_protocol::ids::GpuId;
use sublet_protocol::offer::GpuOffer;
use sublet_protocol::reason::{Reason, ReasonCode, RigState};

/// The decision for one GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuDecision {
    /// Which.
    pub gpu: GpuId,
    /// Its state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first. Empty: it may, or it does.
    pub reasons: Vec<Reason>,
}

/// The decision for the rig.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Its state in one word.
    pub state: RigState,
    /// Why it does not rent, most important first.
    pub reasons: Vec<Reason>,
    /// One by one.
    pub gpus: Vec<GpuDecision>,
}

/// Decides for every GPU. `memory` must have seen the facts already (see [`crate::step`]), for hysteresis.
pub fn decide(memory: &Memory, settings: &Settings, facts: &Facts, now: Moment) -> Decision {
    let common = rig_reasons(memory, facts, now);
    let gpus: Vec<GpuDecision> = facts
        .gpus
        .iter()
        .map(|gpu| {
            let mut reasons = common.clone();
            reasons.extend(gpu_reasons(memory, settings, gpu));
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
        })
        .collect();
    let mut reasons = common;
    let all_barred = gpus.iter().all(|gpu| !gpu.reasons.is_empty());
    if all_barred {
        // With one GPU its reasons are the rig's; with several, those of the one that is nearest to renting.
        if let Some(nearest) = gpus.iter().min_by_key(|gpu| gpu.reasons.len()) {
            reasons = nearest.reasons.clone();
        }
    }
    let state = if memory.is_renting() {
        RigState::Renting
    } else if gpus.is_empty() {
        RigState::NeedsYou
    } else if !all_barred {
        RigState::Ready
    } else {
        reasons
            .first()
            .map_or(RigState::Ready, |first| state_for(first.code))
    };
    Decision {
        state,
        reasons,
        gpus,
    }
}

/// What the rig sells right now: GPUs that may rent and that nobody holds.
pub fn offers(memory: &Memory, settings: &Settings, facts: &Facts, now: Moment) -> Vec<GpuOffer> {
    let decision = decide(memory, settings, facts, now);
    facts
        .gpus
        .iter()
        .zip(&decision.gpus)
        .filter(|(gpu, decided)| {
            decided.reasons.is_empty() && memory.holder(&gpu.info.id).is_none()
        })
        .map(|(gpu, _)| GpuOffer {
            gpu: gpu.info.clone(),
            floor: settings.gpu(&gpu.info.id).floor,
        })
        .collect()
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
        C::SettingsUnreadable
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

fn reason(code: ReasonCode, text: impl Into<String>, remedy: impl Into<String>) -> Reason {
    Reason::new(code, ended(text.into()), remedy)
}

/// As a sentence: what others report begins small.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    sentence.push_str(letters.as_str());
    sentence
}

/// With a full stop: the remedy follows as a sentence of its own.
fn ended(mut text: String) -> String {
    if !text.ends_with(['.', '?']) {
        text.push('.');
    }
    text
}

fn rig_reasons(memory: &Memory, facts: &Facts, now: Moment) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(pause) = memory.pause {
        let remedy = match pause.until_wall_ms {
            Some(until) => {
                let minutes = until.saturating_sub(now.wall_ms).div_ceil(60_000);
                format!("Rents again in {minutes} min, or when you resume.")
            }
            None => "Rents again when you resume.".to_owned(),
        };
        reasons.push(reason(
            ReasonCode::PausedByOwner,
            "You paused renting.",
            remedy,
        ));
    }
    if let Some(problem) = &facts.settings_problem {
        reasons.push(reason(
            ReasonCode::SettingsUnreadable,
            format!("The settings could not be read: {problem}"),
            "Mend the settings file; it is read again by itself.",
        ));
    }
    if let Some(needed) = &facts.owner_needed {
        reasons.push(reason(
            ReasonCode::NeedsOwner,
            needed.clone(),
            "Run `sublet doctor` to see what to do.",
        ));
    }
    if let Some(problem) = &facts.ledger_problem {
        reasons.push(reason(
            ReasonCode::LedgerUnwritable,
            format!("The ledger cannot be written: {problem}"),
            "Free some disk space or make the data folder writable; it is tried again by itself.",
        ));
    }
    match &facts.docker {
        Docker::Here(_) if memory.reconciled => {}
        Docker::Here(_) | Docker::Unknown => reasons.push(reason(
            ReasonCode::DockerUnavailable,
            "Docker is being asked what is there.",
            "Goes on in a moment.",
        )),
        Docker::Away(why) => reasons.push(reason(
            ReasonCode::DockerUnavailable,
            capital(why),
            "It is asked again by itself.",
        )),
    }
    if !facts.market.connected {
        let why = facts.market.problem.as_deref();
        reasons.push(reason(
            ReasonCode::MarketUnreachable,
            capital(why.unwrap_or("the marketplace has not answered yet")),
            "It is asked again by itself.",
        ));
    }
    reasons
}

fn gpu_reasons(memory: &Memory, settings: &Settings, gpu: &GpuFacts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if gpu.info.software {
        if !settings.allow_software_gpu {
            reasons.push(reason(
                ReasonCode::SoftwareGpu,
                format!(
                    "{} is not a graphics card: the CPU does its work.",
                    gpu.info.name
                ),
                "Start the agent with --allow-software-gpu to rent it all the same.",
            ));
        }
    } else {
        reasons.extend(sensor_reasons(memory, settings, gpu));
    }
    if gpu.info.score.is_none() {
        reasons.push(reason(
            ReasonCode::NotBenchmarked,
            format!("{} has no benchmark under this driver.", gpu.info.name),
            "Run `sublet bench`.",
        ));
    }
    reasons
}

fn sensor_reasons(memory: &Memory, settings: &Settings, gpu: &GpuFacts) -> Vec<Reason> {
    match &gpu.problem {
        Some(GpuProblem::Lost(why)) => {
            return vec![reason(
                ReasonCode::GpuLost,
                format!("{} is gone: {why}", gpu.info.name),
                "Restart the machine, or the driver; it is looked for again by itself.",
            )];
        }
        Some(GpuProblem::Unreadable(why)) => {
            return vec![unknown(gpu, why)];
        }
        None => {}
    }
    let Some(sensed) = &gpu.sensed else {
        let why = match gpu.info.vendor {
            GpuVendor::Nvidia => "its driver's library has not been read yet",
            _ => "this version reads NVIDIA's sensors only",
        };
        return vec![unknown(gpu, why)];
    };
    if sensed.age_ms > FRESH_MS {
        return vec![unknown(
            gpu,
            &format!("the last reading is {} s old", sensed.age_ms / 1_000),
        )];
    }
    let mut reasons = Vec::new();
    match sensed.temperature_c {
        None => reasons.push(unknown(gpu, "it does not tell its temperature")),
        Some(celsius) => {
            if celsius >= settings.gpu(&gpu.info.id).heat.hot_c
                || memory.cooling.contains(&gpu.info.id)
            {
                reasons.push(reason(
                    ReasonCode::TooHot,
                    format!("{} is at {celsius} °C.", gpu.info.name),
                    format!(
                        "Rents again below {} °C.",
                        settings.gpu(&gpu.info.id).heat.cool_c
                    ),
                ));
            }
        }
    }
    match &sensed.users {
        None => reasons.push(unknown(gpu, "it does not tell who uses it")),
        Some(users) => {
            if let Some(first) = users.first() {
                reasons.push(reason(
                    ReasonCode::GpuInUse,
                    format!("{} uses {}.", first.name, gpu.info.name),
                    "Rents again when it has closed.",
                ));
            }
        }
    }
    reasons
}

fn unknown(gpu: &GpuFacts, why: &str) -> Reason {
    reason(
        ReasonCode::ReadingUnknown,
        format!("{} cannot be watched: {why}", gpu.info.name),
        "It is read again by itself; `sublet doctor` says more.",
    )
}
