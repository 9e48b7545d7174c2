//! Whether the agent can tell that somebody sits at the machine.

use super::{Finding, check};
use crate::sensors::presence::{SourceState, SourceView};
use sublet_protocol::local::Check;

/// Judges what the sources of presence say of themselves. A warning where nobody could tell: with a mode that waits
/// until the owner is away, nothing is rented then.
pub fn presence_check(sources: &[SourceView]) -> Check {
    check(
        "Presence",
        "The GPU is yours while you sit here; the agent must be able to tell.",
        finding(sources),
    )
}

fn finding(sources: &[SourceView]) -> Finding {
    let looking = sources
        .iter()
        .any(|source| source.state == SourceState::Looking);
    if looking {
        return Finding::warning(
            "presence_looking",
            "The sensors have not all answered yet.",
            "Ask again in a moment.",
        );
    }
    let works = |source: &&SourceView| matches!(source.state, SourceState::Works(_));
    let said: Vec<String> = sources
        .iter()
        .filter(works)
        .filter(|source| source.covers_desk)
        .map(in_words)
        .collect();
    if !said.is_empty() {
        let said = said.join(" ");
        return Finding::good("presence_good", &said).name("sources", said);
    }
    let seat = |wanted| sources.iter().any(|source| source.seat == Some(wanted));
    if seat(false) && !seat(true) {
        return Finding::good(
            "presence_no_seat",
            "There is no keyboard, mouse or display here, so nobody can sit at it.",
        );
    }
    let failing = sources
        .iter()
        .filter(|source| matches!(source.state, SourceState::Fails(_)));
    let why: Vec<String> = failing.map(in_words).collect();
    if why.is_empty() {
        let why = "No display and no input device tells whether somebody sits here.";
        return Finding::warning("presence_unknown", why, REMEDY);
    }
    let why = why.join(" ");
    Finding::warning("presence_failing", &why, REMEDY).name("problem", why)
}

#[cfg(unix)]
const REMEDY: &str = "Start the agent in your desktop session, or let its user read input devices: add it to the group `input` and start the agent again. For a machine that nobody sits at, choose the mode `always`.";
#[cfg(windows)]
const REMEDY: &str = "Start the agent at login rather than as a service. For a machine that nobody sits at, choose the mode `always`.";

fn in_words(source: &SourceView) -> String {
    let said = match &source.state {
        SourceState::Looking => "It is being looked for.",
        SourceState::NotHere(said) | SourceState::Works(said) | SourceState::Fails(said) => said,
    };
    format!("{}: {said}", source.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sublet_protocol::local::Verdict;

    fn source(name: &'static str, state: SourceState) -> SourceView {
        SourceView {
            name,
            state,
            covers_desk: false,
            seat: None,
        }
    }

    fn none(name: &'static str) -> SourceView {
        source(name, SourceState::NotHere("It is not here.".into()))
    }

    #[test]
    fn one_source_that_sees_the_desk_is_good() {
        let x11 = SourceView {
            covers_desk: true,
            seat: Some(true),
            ..source(
                "X11",
                SourceState::Works("Display :0: last input 3 s ago.".into()),
            )
        };
        let devices = source(
            "Input devices",
            SourceState::Fails("2 of 2 may not be read.".into()),
        );
        let check = presence_check(&[x11.clone(), none("Wayland"), devices.clone()]);
        assert_eq!(check.verdict, Verdict::Good);
        assert_eq!(check.found, "X11: Display :0: last input 3 s ago.");

        // One that has failed since does not count.
        let gone = SourceView {
            state: SourceState::Fails("Display :0 does not answer.".into()),
            ..x11
        };
        let check = presence_check(&[gone, devices]);
        assert_eq!(check.verdict, Verdict::Warning);
        assert!(check.found.contains("does not answer") && check.found.contains("2 of 2"));
        assert!(check.remedy.is_some());
    }

    #[test]
    fn a_machine_to_sit_at_is_told_from_one_in_a_rack() {
        let devices = |there| SourceView {
            seat: Some(there),
            ..source("Input devices", SourceState::Works("Looked.".into()))
        };
        let check = presence_check(&[none("X11"), devices(false)]);
        assert_eq!(check.verdict, Verdict::Good);
        let check = presence_check(&[none("X11"), devices(true)]);
        assert_eq!(check.verdict, Verdict::Warning);
        let looking = source("X11", SourceState::Looking);
        assert_eq!(
            presence_check(&[looking, devices(false)]).verdict,
            Verdict::Warning
        );
        assert_eq!(presence_check(&[]).verdict, Verdict::Warning);
    }
}
