//! The owner's calendar.

use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

/// A day from midnight to midnight, in ms since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// When it began.
    pub from_ms: u64,
    /// When the next one begins.
    pub to_ms: u64,
    /// It is a Monday.
    pub monday: bool,
}

/// The last days, the one of `now_ms` included, the oldest first. Empty for a clock outside of any calendar.
pub fn days(now_ms: u64, count: u32, zone: &TimeZone) -> Vec<Day> {
    let Some(now) = zoned(now_ms, zone) else {
        return Vec::new();
    };
    (0..i64::from(count))
        .rev()
        .filter_map(|ago| {
            let day = now.checked_sub(ago.days()).ok()?;
            let begins = day.start_of_day().ok()?;
            let next = begins.checked_add(1.day()).ok()?.start_of_day().ok()?;
            Some(Day {
                from_ms: millis(&begins)?,
                to_ms: millis(&next)?,
                monday: begins.weekday() == jiff::civil::Weekday::Monday,
            })
        })
        .collect()
}

fn zoned(at_ms: u64, zone: &TimeZone) -> Option<Zoned> {
    let ms = i64::try_from(at_ms).ok()?;
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(at.to_zoned(zone.clone()))
}

fn millis(at: &Zoned) -> Option<u64> {
    u64::try_from(at.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_follow_each_other_and_a_clock_that_changes_makes_one_longer() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // The Tuesday after the Sunday on which summer time ended.
        let now: Zoned = "2026-10-27T09:00[Europe/Berlin]".parse().unwrap();
        let days = days(millis(&now).unwrap(), 4, &zone);
        assert_eq!(days.len(), 4);
        for pair in days.windows(2) {
            assert_eq!(pair[0].to_ms, pair[1].from_ms);
        }
        let hours: Vec<u64> = days
            .iter()
            .map(|day| (day.to_ms - day.from_ms) / 3_600_000)
            .collect();
        assert_eq!(hours, [24, 25, 24, 24]);
        assert_eq!(
            days.iter().map(|day| day.monday).collect::<Vec<_>>(),
            [false, false, true, false]
        );
    }
}
