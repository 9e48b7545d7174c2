//! `sublet pause` and `sublet resume`: what the owner writes as a time, and what was agreed.

use super::look::Look;
use super::page::Page;
use super::words;
use jiff::civil::Time;
use jiff::{Span, Timestamp, Zoned};
use sublet_protocol::local::{PauseRequest, PauseView};

/// Why a text is no time to pause for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time to pause for: write 30m, 2h, 1h30m, 3 days, until 18:00 or until tomorrow; or nothing, to pause until you resume"
)]
pub struct PauseError(String);

/// Reads the words behind `sublet pause`. Days are calendar days in the owner's time zone.
///
/// # Errors
/// [`PauseError`] for anything else, and for times that are over.
pub fn read(words: &[String], look: &Look) -> Result<PauseRequest, PauseError> {
    let text = words.join(" ").trim().to_lowercase();
    if text.is_empty() {
        return Ok(PauseRequest { for_ms: None });
    }
    let bad = || PauseError(text.chars().take(60).collect());
    let now_ms = i64::try_from(look.now_ms).map_err(|_| bad())?;
    let now = Timestamp::from_millisecond(now_ms)
        .map_err(|_| bad())?
        .to_zoned(look.zone.clone());
    let end = match text.strip_prefix("until ") {
        Some(point) => next(point.trim(), &now),
        None => after(&text, &now),
    };
    let wait = end.ok_or_else(bad)?.timestamp().as_millisecond() - now_ms;
    match u64::try_from(wait) {
        Ok(ms) if ms > 0 => Ok(PauseRequest { for_ms: Some(ms) }),
        _ => Err(bad()),
    }
}

/// The next time the clock shows `point`; `tomorrow` begins at midnight.
fn next(point: &str, now: &Zoned) -> Option<Zoned> {
    if point == "tomorrow" {
        return now.tomorrow().ok()?.start_of_day().ok();
    }
    let time = Time::strptime("%H:%M", point).ok()?;
    let today = now
        .date()
        .to_datetime(time)
        .to_zoned(now.time_zone().clone())
        .ok()?;
    if today > *now {
        return Some(today);
    }
    let tomorrow = now.date().tomorrow().ok()?.to_datetime(time);
    tomorrow.to_zoned(now.time_zone().clone()).ok()
}

fn after(text: &str, now: &Zoned) -> Option<Zoned> {
    now.checked_add(text.parse::<Span>().ok()?).ok()
}

/// The page after a pause began.
pub fn render(pause: &PauseView, look: &Look) -> String {
    let sentence = match pause.until_ms {
        Some(until) => format!("Paused until {}.", words::moment(until, look)),
        None => "Paused until you resume.".to_owned(),
    };
    let mut page = Page::led_by(look, &sentence);
    page.hint("`sublet resume` ends the pause.");
    page.finish()
}

/// The page after a pause ended.
pub fn render_resumed(look: &Look) -> String {
    let sentence = "Resumed: your GPUs are on offer where nothing else stands in the way.";
    let mut page = Page::led_by(look, sentence);
    page.hint("`sublet status` shows what does.");
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn read_at_1330(text: &str) -> Result<Option<u64>, PauseError> {
        let look = Look {
            unicode: true,
            zone: TimeZone::fixed(jiff::tz::offset(2)),
            // 2026-11-21 13:30 there
            now_ms: 1_795_260_600_000,
        };
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        read(&words, &look).map(|request| request.for_ms)
    }

    #[test]
    fn times_read_as_people_write_them() {
        const MINUTE: u64 = 60_000;
        for (text, minutes) in [
            ("30m", 30),
            ("1h", 60),
            ("1h30m", 90),
            ("2 hours", 120),
            ("3 days", 3 * 24 * 60),
            ("until 18:00", 4 * 60 + 30),
            ("until 13:30", 24 * 60),
            ("until 09:15", 19 * 60 + 45),
            ("Until Tomorrow", 10 * 60 + 30),
        ] {
            assert_eq!(read_at_1330(text), Ok(Some(minutes * MINUTE)), "{text}");
        }
        assert_eq!(read_at_1330(""), Ok(None));
    }

    #[test]
    fn what_is_no_time_is_said_with_examples() {
        for bad in [
            "soon",
            "until",
            "until noon",
            "until 25:00",
            "-1h",
            "0m",
            "1h ago",
            "5",
            "99999999999y",
        ] {
            let error = read_at_1330(bad).unwrap_err();
            assert!(error.to_string().contains("30m"), "{bad}");
        }
    }
}
