//! How figures read in a reason.

use crate::facts::Moment;
use crate::schedule::week_ms;
use sublet_protocol::reason::{Reason, ReasonCode};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A reason whose text ends as a sentence: the remedy follows as one of its own.
pub(super) fn reason(
    code: ReasonCode,
    text: impl Into<String>,
    remedy: impl Into<String>,
) -> Reason {
    Reason::new(code, ended(text.into()), remedy)
}

/// As a sentence: what others report begins small.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    sentence.push_str(letters.as_str());
    sentence
}

fn ended(mut text: String) -> String {
    if !text.ends_with(['.', '?']) {
        text.push('.');
    }
    text
}

/// A span as it is said: `15 s`, `5 min`, `1 h 30 min`. What is left of a second counts as one.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms.div_ceil(SECOND);
    let parts = [
        (seconds / 3_600, "h"),
        (seconds % 3_600 / 60, "min"),
        (seconds % 60, "s"),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if said.is_empty() {
        "0 s".to_owned()
    } else {
        said.join(" ")
    }
}

/// Rounded up to whole minutes: a figure that is said should not change each second.
pub(super) fn whole_minutes(ms: u64) -> u64 {
    ms.div_ceil(MINUTE) * MINUTE
}

/// A time to come as people say it, in local time: `at 18:00`, `tomorrow at 08:00`, `on Friday at 08:00`; with days
/// from a week on.
pub(super) fn when(at_wall_ms: u64, now: Moment, utc_offset_s: i32) -> String {
    let local = |wall_ms: u64| wall_ms.saturating_add_signed(i64::from(utc_offset_s) * 1_000);
    let days = (local(at_wall_ms) / DAY).saturating_sub(local(now.wall_ms) / DAY);
    let at = Moment {
        wall_ms: at_wall_ms,
        ..now
    };
    let week = week_ms(at, utc_offset_s);
    let clock = format!("at {:02}:{:02}", week % DAY / HOUR, week % HOUR / MINUTE);
    const NAMES: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    match days {
        0 => clock,
        1 => format!("tomorrow {clock}"),
        2..7 => format!("on {} {clock}", NAMES[(week / DAY) as usize % 7]),
        _ => format!("in {days} days {clock}"),
    }
}

/// The remedy of what has to end first: `Rents again 5 min after it closes.`
pub(super) fn again(after_ms: u64, event: &str) -> String {
    if after_ms == 0 {
        format!("Rents again when {event}.")
    } else {
        format!("Rents again {} after {event}.", span(after_ms))
    }
}

/// The first of several names: ` and 2 more`.
pub(super) fn and_more(more: usize) -> String {
    if more == 0 {
        String::new()
    } else {
        format!(" (and {more} more)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        for (ms, said) in [
            (0, "0 s"),
            (1, "1 s"),
            (15_000, "15 s"),
            (300_000, "5 min"),
            (90_000, "1 min 30 s"),
            (5_400_000, "1 h 30 min"),
            (86_400_000, "24 h"),
        ] {
            assert_eq!(span(ms), said);
        }
        assert_eq!(whole_minutes(60_001), 120_000);
        assert_eq!(again(0, "it closes"), "Rents again when it closes.");
    }

    #[test]
    fn a_time_to_come_is_named_by_its_day() {
        // Tuesday, 14 November 2023, 22:13:20 UTC
        let now = Moment {
            mono_ms: 0,
            boot_ms: 0,
            wall_ms: 1_700_000_000_000,
        };
        let at = |hours: u64| when(now.wall_ms + hours * HOUR, now, 0);
        assert_eq!(at(1), "at 23:13");
        assert_eq!(at(2), "tomorrow at 00:13");
        assert_eq!(at(48), "on Thursday at 22:13");
        assert_eq!(at(24 * 30), "in 30 days at 22:13");
        let east = when(now.wall_ms + HOUR, now, 2 * 3_600);
        assert_eq!(east, "at 01:13", "it is Wednesday there already");
    }
}
