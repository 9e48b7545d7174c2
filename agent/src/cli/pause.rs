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
        return Ok(PauseRequest::default());
    }
    let bad = || PauseError(text.chars().take(60).collect());
    let now_ms = i64::try_from(look.now_ms).map_err(|_| bad())?;
    let now = Timestamp::from_millisecond(now_ms)
        .map_err(|_| bad())?
        .to_zoned(look.zone.clone());
    let point = text.strip_prefix("until ");
    let end = match point {
        Some(point) => next(point.trim(), &now),
        None => after(&text, &now),
    };
    let end_ms = end.ok_or_else(bad)?.timestamp().as_millisecond();
    let wait = u64::try_from(end_ms - now_ms).map_err(|_| bad())?;
    if wait == 0 {
        return Err(bad());
    }
    // A span keeps its length when the clock is set; a time of day moves with it.
    Ok(match point {
        Some(_) => PauseRequest {
            until_ms: Some(look.now_ms + wait),
            ..PauseRequest::default()
        },
        None => PauseRequest {
            for_ms: Some(wait),
            ..PauseRequest::default()
        },
    })
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

    const NOW_MS: u64 = 1_795_260_600_000;

    fn read_at_1330(text: &str) -> Result<PauseRequest, PauseError> {
        let look = Look {
            unicode: true,
            zone: TimeZone::fixed(jiff::tz::offset(2)),
            // 2026-11-21 13:30 there
            now_ms: NOW_MS,
        };
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        read(&words, &look)
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
            let wait = minutes * MINUTE;
            let is_point = text.to_lowercase().starts_with("until");
            let meant = PauseRequest {
                for_ms: (!is_point).then_some(wait),
                until_ms: is_point.then_some(NOW_MS + wait),
                gpu: None,
            };
            assert_eq!(read_at_1330(text), Ok(meant), "{text}");
        }
        assert_eq!(read_at_1330(""), Ok(PauseRequest::default()));
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
