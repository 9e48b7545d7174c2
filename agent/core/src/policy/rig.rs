//! What keeps the whole rig from renting, whichever GPU.

use super::words::{capital, reason, when};
use crate::facts::{Docker, Facts, GpuFacts, Moment};
use crate::memory::{Memory, Pause};
use sublet_protocol::reason::{Reason, ReasonCode};

/// The owner's word for all GPUs.
pub(super) fn paused(memory: &Memory, facts: &Facts, now: Moment) -> Option<Reason> {
    Some(said(memory.pause?, "You paused renting.", facts, now))
}

/// The owner's word for one GPU.
pub(super) fn paused_alone(
    memory: &Memory,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> Option<Reason> {
    let (pause, name) = (memory.pauses.get(&gpu.info.id)?, &gpu.info.name);
    let text = format!("You paused renting of {name}.");
    Some(said(*pause, &text, facts, now).name("gpu", name))
}

fn said(pause: Pause, text: &str, facts: &Facts, now: Moment) -> Reason {
    match pause.until_wall_ms {
        Some(until) => {
            let when = when(until, now, facts.utc_offset_s);
            let remedy = format!("Rents again {when}, or when you resume.");
            reason(ReasonCode::PausedByOwner, text, remedy).number("until_ms", until)
        }
        None => reason(
            ReasonCode::PausedByOwner,
            text,
            "Rents again when you resume.",
        ),
    }
}

/// The agent's own means: settings, keys, ledger, container engine, marketplace.
pub(super) fn means(memory: &Memory, facts: &Facts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !facts.set_up {
        reasons.push(reason(
            ReasonCode::NotSetUp,
            "You have not said yet when to rent.",
            "Open the window to choose, or choose with `sublet settings preset`: gamer, studio, farm or laptop.",
        ));
    }
    if let Some(problem) = &facts.settings_problem {
        reasons.push(
            reason(
                ReasonCode::SettingsUnreadable,
                format!("The settings could not be read: {problem}"),
                "Mend the settings file; it is read again by itself.",
            )
            .name("problem", problem),
        );
    }
    if let Some(needed) = &facts.owner_needed {
        reasons.push(
            reason(
                ReasonCode::NeedsOwner,
                needed.clone(),
                "Run `sublet doctor` to see what to do.",
            )
            .name("problem", needed),
        );
    }
    if let Some(problem) = &facts.ledger_problem {
        reasons.push(
            reason(
                ReasonCode::LedgerUnwritable,
                format!("The ledger cannot be written: {problem}"),
                "Free some disk space or make the data folder writable; it is tried again by itself.",
            )
            .name("problem", problem),
        );
    }
    match &facts.docker {
        Docker::Here(_) if memory.reconciled => {}
        Docker::Here(_) | Docker::Unknown => reasons.push(reason(
            ReasonCode::DockerUnavailable,
            "Docker is being asked what is there.",
            "Goes on in a moment.",
        )),
        Docker::Away(why) => reasons.push(
            reason(
                ReasonCode::DockerUnavailable,
                capital(why),
                "It is asked again by itself.",
            )
            .name("problem", why),
        ),
    }
    if !facts.market.connected {
        let why = facts.market.problem.as_deref();
        let mut away = reason(
            ReasonCode::MarketUnreachable,
            capital(why.unwrap_or("the marketplace has not answered yet")),
            "It is asked again by itself.",
        );
        if let Some(why) = why {
            away = away.name("problem", why);
        }
        reasons.push(away);
    }
    reasons
}
