//! Local time as it is written in a trace: `2026-11-02T18:05`, with seconds where they matter.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const DAY_S: u64 = 24 * 3_600;
const FIRST_YEAR: u64 = 1970;
const LAST_YEAR: u64 = 9999;
/// Days before each month of a year that is no leap year.
const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

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

    fn read(text: &str) -> Option<Self> {
        let (date, clock) = text.split_once('T')?;
        let mut date = date.split('-');
        let (year, month, day) = (
            number(date.next()?, 4)?,
            number(date.next()?, 2)?,
            number(date.next()?, 2)?,
        );
        let mut clock = clock.split(':');
        let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
        let second = match clock.next() {
            Some(second) => number(second, 2)?,
            None => 0,
        };
        let fits = date.next().is_none()
            && clock.next().is_none()
            && (FIRST_YEAR..=LAST_YEAR).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        let days = days_before(year) + before_month(year, month) + day - 1;
        fits.then_some(Self(days * DAY_S + hour * 3_600 + minute * 60 + second))
    }
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let fits = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970 to the beginning of a year; 0 before it.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = year.saturating_sub(FIRST_YEAR);
    years * 365 + leaps((FIRST_YEAR + years).saturating_sub(1)) - leaps(FIRST_YEAR - 1)
}

/// Days of the year before a month, 1 to 12; another counts as the nearest.
fn before_month(year: u64, month: u64) -> u64 {
    let at = usize::try_from(month.clamp(1, 12)).unwrap_or(1) - 1;
    BEFORE_MONTH[at] + u64::from(month > 2 && is_leap(year))
}

fn month_days(year: u64, month: u64) -> u64 {
    let whole = 365 + u64::from(is_leap(year));
    let next = if month == 12 {
        whole
    } else {
        before_month(year, month + 1)
    };
    next - before_month(year, month)
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
        let (days, clock) = (self.0 / DAY_S, self.0 % DAY_S);
        let mut year = FIRST_YEAR + days / 366;
        while days_before(year + 1) <= days {
            year += 1;
        }
        let of_year = days - days_before(year);
        let mut month = 12;
        while before_month(year, month) > of_year {
            month -= 1;
        }
        let day = of_year - before_month(year, month) + 1;
        let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")?;
        if second > 0 {
            write!(f, ":{second:02}")?;
        }
        Ok(())
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
        ] {
            assert!(bad.parse::<LocalTime>().is_err(), "{bad}");
        }
        let five = "2026-11-02T18:05".parse::<LocalTime>().unwrap();
        assert_eq!(five.wall_ms(3_600), 1_793_639_100_000);
    }

    proptest! {
        #[test]
        fn text_round_trips(seconds in 0u64..253_402_300_800) {
            let time = LocalTime(seconds);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
