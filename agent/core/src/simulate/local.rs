//! Local time as it is written in a trace: `2026-11-02T18:05`, with seconds where they matter.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const BEGINNING: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const TO_MINUTES: &str = "%Y-%m-%dT%H:%M";
const TO_SECONDS: &str = "%Y-%m-%dT%H:%M:%S";

/// A point on the clock on the wall, in seconds since 1970 began there.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(pub u64);

/// A text that is no local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a local time: write it as 2026-11-02T18:05 or 2026-11-02T18:05:30")]
pub struct LocalTimeError(String);

impl LocalTime {
    /// So much later.
    #[must_use]
    pub fn plus_s(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// In ms since 1970 in UTC, where local time is `utc_offset_s` ahead of it.
    pub fn wall_ms(self, utc_offset_s: i32) -> u64 {
        let utc_s = self.0.saturating_add_signed(-i64::from(utc_offset_s));
        utc_s.saturating_mul(1_000)
    }

    /// Reads it exactly as it is written here; the calendar's library takes other forms too.
    fn read(text: &str) -> Option<Self> {
        let time: DateTime = text.parse().ok()?;
        let written = [TO_MINUTES, TO_SECONDS].map(|form| time.strftime(form).to_string());
        let seconds = time.duration_since(BEGINNING).as_secs();
        let seconds = u64::try_from(seconds).ok()?;
        written
            .iter()
            .any(|written| written == text)
            .then_some(Self(seconds))
    }

    /// On the calendar; the last second of the year 9999 for any that is later.
    fn on_calendar(self) -> DateTime {
        i64::try_from(self.0)
            .ok()
            .and_then(|seconds| {
                BEGINNING
                    .checked_add(SignedDuration::from_secs(seconds))
                    .ok()
            })
            .unwrap_or(DateTime::MAX)
    }
}

impl FromStr for LocalTime {
    type Err = LocalTimeError;

    fn from_str(text: &str) -> Result<Self, LocalTimeError> {
        Self::read(text).ok_or_else(|| LocalTimeError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = LocalTimeError;

    fn try_from(text: String) -> Result<Self, LocalTimeError> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.on_calendar();
        let form = match time.second() {
            0 => TO_MINUTES,
            _ => TO_SECONDS,
        };
        write!(f, "{}", time.strftime(form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_reads_and_writes_like_a_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00", 0),
            ("2000-02-29T12:00:01", 951_825_601),
            ("2026-11-02T18:05", 1_793_642_700),
            ("2100-03-01T00:00", 4_107_542_400),
        ] {
            let time: LocalTime = text.parse().unwrap();
            assert_eq!((time.0, time.to_string()), (seconds, text.to_owned()));
        }
        for bad in [
            "",
            "2026-11-02",
            "2026-11-02 18:05",
            "2026-11-02T18",
            "2026-11-02T18:05:00:00",
            "2026-02-29T00:00",
            "2026-13-01T00:00",
            "2026-00-01T00:00",
            "2026-11-31T00:00",
            "1969-12-31T23:59",
            "2026-11-02T24:00",
            "2026-11-2T18:05",
            "+026-11-02T18:05",
            "20261102T1805",
            "2026-11-02T18:05:30.5",
            "2026-11-02T18:05:60",
            "2026-11-02t18:05",
            "2026-11-02T18:05Z",
            "2026-11-02T18:05[UTC]",
        ] {
            assert!(bad.parse::<LocalTime>().is_err(), "{bad}");
        }
        let five = "2026-11-02T18:05".parse::<LocalTime>().unwrap();
        assert_eq!(five.wall_ms(3_600), 1_793_639_100_000);
        assert_eq!(LocalTime(u64::MAX).to_string(), "9999-12-31T23:59:59");
    }

    proptest! {
        #[test]
        fn text_round_trips(seconds in 0u64..253_402_300_800) {
            let time = LocalTime(seconds);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
