//! What keeps a GPU for its owner: programs, presence, films, hours, battery, a network that costs.

use super::reading::{Needed, known};
use super::words::{again, and_more, reason, span, when, whole_minutes};
use crate::facts::{
    Facts, InputKind, Moment, Power, ProgramKind, Session, Touch, Watching, WatchingHow,
};
use crate::settings::{Mode, Settings};
use sublet_protocol::reason::{Reason, ReasonCode};

/// Everything about owner and machine that keeps a GPU in this mode from renting. A reading that the mode does not
/// need is not asked for.
pub(super) fn reasons(mode: Mode, settings: &Settings, facts: &Facts, now: Moment) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(program(mode, settings, facts));
    if mode == Mode::Away {
        presence(settings, facts, &mut reasons);
    }
    reasons.extend(battery(settings, facts));
    reasons.extend(metered(settings, facts));
    if mode == Mode::Schedule {
        reasons.extend(hours(settings, facts, now));
    }
    reasons
}

/// How long after its owner's last touch or program a GPU rents again, in ms.
pub(super) fn after_ms(mode: Mode, settings: &Settings) -> u64 {
    match mode {
        Mode::Away => settings.away_ms.max(settings.settle_ms),
        _ => settings.settle_ms,
    }
}

fn program(mode: Mode, settings: &Settings, facts: &Facts) -> Option<Reason> {
    let programs = match known(&facts.programs, Needed::Programs) {
        Ok(programs) => programs,
        Err(unknown) => return Some(unknown),
    };
    let (first, others) = programs.split_first()?;
    let after = after_ms(mode, settings);
    let verb = if others.is_empty() { "runs" } else { "run" };
    let text = format!("{}{} {verb}.", first.name, and_more(others.len()));
    let kind = match first.kind {
        ProgramKind::Game => "game",
        ProgramKind::Chosen => "chosen",
    };
    Some(
        reason(ReasonCode::ProgramRuns, text, again(after, "it closes"))
            .name("program", &first.name)
            .name("kind", kind)
            .number("more", others.len())
            .number("after_ms", after),
    )
}

/// Somebody at the machine, or looking at it. A locked session counts as away: nobody can use it without unlocking.
fn presence(settings: &Settings, facts: &Facts, reasons: &mut Vec<Reason>) {
    let session = facts
        .owner
        .session
        .as_ref()
        .and_then(|session| session.fresh())
        .copied()
        .unwrap_or_default();
    if session.locked && !session.remote {
        return;
    }
    match known(&facts.owner.touch, Needed::Touch) {
        Ok(Touch::NoSeat) => return,
        Ok(Touch::Ago { idle_ms, by }) => {
            let age = facts.owner.touch.as_ref().map_or(0, |touch| touch.age_ms);
            reasons.extend(present(settings, idle_ms.saturating_add(age), *by));
        }
        Err(unknown) => reasons.push(unknown),
    }
    reasons.extend(watching(settings, facts, session));
}

fn present(settings: &Settings, idle_ms: u64, by: InputKind) -> Option<Reason> {
    if idle_ms >= settings.away_ms {
        return None;
    }
    let (text, name) = match by {
        InputKind::Desk => ("Keyboard or mouse are in use.", "desk"),
        InputKind::Gamepad => ("A gamepad is in use.", "gamepad"),
        InputKind::Remote => ("Somebody uses this machine from another one.", "remote"),
    };
    let left = whole_minutes(settings.away_ms - idle_ms);
    let remedy = format!(
        "Rents again after {} without a touch: in {} if nobody comes back.",
        span(settings.away_ms),
        span(left)
    );
    Some(
        reason(ReasonCode::OwnerPresent, text, remedy)
            .name("by", name)
            .number("away_ms", settings.away_ms)
            .number("left_ms", left),
    )
}

/// A film is not absence; but nobody watches behind a dark or locked screen.
fn watching(settings: &Settings, facts: &Facts, session: Session) -> Option<Reason> {
    if session.display_off || session.locked {
        return None;
    }
    let watched = match known(&facts.owner.watching, Needed::Watching) {
        Ok(watched) => watched,
        Err(unknown) => return Some(unknown),
    };
    let (Watching { program, how }, others) = watched.split_first()?;
    let (does, how) = match how {
        WatchingHow::Inhibits => ("keeps the display on", "inhibits"),
        WatchingHow::FullScreen => ("fills the screen", "full_screen"),
    };
    let text = format!("{program} {does}{}.", and_more(others.len()));
    let remedy = again(
        settings.settle_ms,
        "it ends, or after the screen is locked or off",
    );
    Some(
        reason(ReasonCode::Watching, text, remedy)
            .name("program", program)
            .name("how", how)
            .number("more", others.len())
            .number("after_ms", settings.settle_ms),
    )
}

fn battery(settings: &Settings, facts: &Facts) -> Option<Reason> {
    if settings.on_battery {
        return None;
    }
    let percent = match known(&facts.machine.power, Needed::Power) {
        Ok(Power::Mains) => return None,
        Ok(Power::Battery { percent }) => percent,
        Err(unknown) => return Some(unknown),
    };
    let text = match percent {
        Some(percent) => format!("The machine runs on its battery, at {percent} %."),
        None => "The machine runs on its battery.".to_owned(),
    };
    let remedy = again(settings.settle_ms, "it is plugged in");
    let mut found =
        reason(ReasonCode::OnBattery, text, remedy).number("after_ms", settings.settle_ms);
    if let Some(percent) = percent {
        found = found.number("percent", *percent);
    }
    Some(found)
}

fn metered(settings: &Settings, facts: &Facts) -> Option<Reason> {
    if settings.on_metered {
        return None;
    }
    match known(&facts.machine.metered, Needed::Metered) {
        Ok(false) => None,
        Ok(true) => Some(
            reason(
                ReasonCode::MeteredNetwork,
                "The network in use is marked as metered.",
                again(settings.settle_ms, "another network is in use"),
            )
            .number("after_ms", settings.settle_ms),
        ),
        Err(unknown) => Some(unknown),
    }
}

fn hours(settings: &Settings, facts: &Facts, now: Moment) -> Option<Reason> {
    match settings.hours.opens_in_ms(now, facts.utc_offset_s) {
        Some(0) => None,
        Some(wait) => {
            let opens = now.wall_ms.saturating_add(wait);
            let remedy = format!("Rents again {}.", when(opens, now, facts.utc_offset_s));
            let outside = reason(
                ReasonCode::OutsideHours,
                "This is not an hour that you chose.",
                remedy,
            );
            Some(outside.number("opens_ms", opens))
        }
        None => Some(reason(
            ReasonCode::OutsideHours,
            "You chose renting by the hour, but no hours.",
            "Choose hours in the settings.",
        )),
    }
}
