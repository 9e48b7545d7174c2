//! What came in since a day, a week and a month began, by the owner's calendar.

use jiff::Zoned;
use jiff::tz::TimeZone;
use sublet_protocol::local::{Period, Since};
use sublet_protocol::money::MicroUsd;

use super::earning::money;
use super::journal::{QUARTER_MS, stored};
use super::view::Book;

impl Book<'_> {
    /// Today, this week (from Monday), this month, by the calendar of `zone`, and all. What electricity took is not
    /// the ledger's to know.
    pub(super) fn periods(&self, now_ms: u64, zone: &TimeZone) -> rusqlite::Result<Vec<Period>> {
        [Since::Today, Since::Week, Since::Month, Since::All]
            .into_iter()
            .map(|since| self.period(since, now_ms, zone))
            .collect()
    }

    /// What was metered since `since` began. A lease that runs over its edge counts with what it earned within.
    pub(super) fn period(
        &self,
        since: Since,
        now_ms: u64,
        zone: &TimeZone,
    ) -> rusqlite::Result<Period> {
        let from_ms = match since {
            Since::All => self.began_ms()?,
            _ => began_ms(since, now_ms, zone),
        };
        let (gross, fee) = self.between(from_ms, u64::MAX)?;
        Ok(Period {
            since,
            from_ms,
            gross,
            fee,
            net: gross.saturating_sub(fee),
            electricity: None,
            left: None,
        })
    }

    /// Gross and fee of what was metered from one time to another, to the quarter of an hour.
    pub fn between(&self, from_ms: u64, to_ms: u64) -> rusqlite::Result<(MicroUsd, MicroUsd)> {
        let quarters = (
            stored(from_ms / QUARTER_MS),
            stored(to_ms.div_ceil(QUARTER_MS)),
        );
        let credit = |account: &str| {
            self.connection
                .prepare_cached(
                    "SELECT abs(coalesce(sum(amount), 0)) FROM entry JOIN posting ON posting.entry = entry.id
                     WHERE quarter >= ?1 AND quarter < ?2 AND kind = 'accrue' AND account = ?3",
                )?
                .query_row((quarters.0, quarters.1, account), |row| money(row, 0))
        };
        Ok((credit("income")?, credit("fee")?))
    }

    /// When the first thing was metered, to the quarter of an hour; the end of time where nothing was.
    fn began_ms(&self) -> rusqlite::Result<u64> {
        let first: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(quarter) FROM entry WHERE kind = 'accrue'")?
            .query_row([], |row| row.get(0))?;
        let first = first.and_then(|first| u64::try_from(first).ok());
        Ok(first.map_or(u64::MAX, |quarter| quarter * QUARTER_MS))
    }
}

/// When it began, ms since 1970. A clock outside of any calendar has a day of its own, so nothing is shown as earned
/// in it.
fn began_ms(since: Since, now_ms: u64, zone: &TimeZone) -> u64 {
    let now = i64::try_from(now_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|now| now.to_zoned(zone.clone()));
    now.and_then(|now| first_day(since, &now))
        .and_then(|day| day.start_of_day().ok())
        .and_then(|start| u64::try_from(start.timestamp().as_millisecond()).ok())
        .unwrap_or(now_ms)
}

fn first_day(since: Since, now: &Zoned) -> Option<Zoned> {
    match since {
        Since::Today => Some(now.clone()),
        Since::Week => {
            let days = i64::from(now.weekday().to_monday_zero_offset());
            now.checked_sub(jiff::Span::new().days(days)).ok()
        }
        Since::Month => now.first_of_month().ok(),
        Since::All => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: &str) -> u64 {
        let at: Zoned = at.parse().unwrap();
        u64::try_from(at.timestamp().as_millisecond()).unwrap()
    }

    #[test]
    fn days_weeks_and_months_begin_at_local_midnight() {
        // A Tuesday, in a zone of +05:45.
        let now = ms("2026-03-03T00:10[Asia/Kathmandu]");
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        for (since, began) in [
            (Since::Today, "2026-03-03T00:00[Asia/Kathmandu]"),
            (Since::Week, "2026-03-02T00:00[Asia/Kathmandu]"),
            (Since::Month, "2026-03-01T00:00[Asia/Kathmandu]"),
        ] {
            assert_eq!(began_ms(since, now, &zone), ms(began), "{since:?}");
            assert_eq!(began_ms(since, now, &zone) % QUARTER_MS, 0);
            assert_eq!(began_ms(since, u64::MAX, &zone), u64::MAX);
        }
    }
}
