//! The hours of the week in which renting is wanted.

use crate::facts::Moment;

/// Quarters of an hour in a day.
pub const SLOTS_A_DAY: usize = 96;
/// Quarters of an hour in a week.
pub const SLOTS: usize = 7 * SLOTS_A_DAY;
const SLOT_MS: u64 = 15 * 60_000;
const WEEK_MS: u64 = SLOTS as u64 * SLOT_MS;
/// From Thursday, 1 January 1970, back to the Monday before it.
const MONDAY_MS: u64 = 3 * 24 * 3_600_000;

/// One bit for each quarter of an hour of a week, in local time; the first is Monday, 00:00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeekGrid([bool; SLOTS]);

impl Default for WeekGrid {
    /// No hour at all.
    fn default() -> Self {
        Self([false; SLOTS])
    }
}

/// Local time as milliseconds into the week; 0 is Monday, 00:00.
pub fn week_ms(now: Moment, utc_offset_s: i32) -> u64 {
    let local = now
        .wall_ms
        .saturating_add_signed(i64::from(utc_offset_s) * 1_000);
    (local + MONDAY_MS) % WEEK_MS
}

impl WeekGrid {
    /// Marks the quarters from `from` up to `to`, both in `0..SLOTS`. False, and nothing marked, where one of them was
    /// marked already.
    pub fn mark(&mut self, from: usize, to: usize) -> bool {
        let slots = self.0.get_mut(from..to);
        let Some(slots) = slots.filter(|slots| !slots.contains(&true)) else {
            return false;
        };
        slots.fill(true);
        true
    }

    /// Whether the hour is marked.
    pub fn holds(&self, now: Moment, utc_offset_s: i32) -> bool {
        self.0[(week_ms(now, utc_offset_s) / SLOT_MS) as usize % SLOTS]
    }

    /// Milliseconds until the next marked quarter begins; 0 inside one, none where no quarter is marked.
    pub fn opens_in_ms(&self, now: Moment, utc_offset_s: i32) -> Option<u64> {
        let at = week_ms(now, utc_offset_s);
        let slot = (at / SLOT_MS) as usize;
        (0..SLOTS).find_map(|ahead| {
            self.0[(slot + ahead) % SLOTS].then(|| {
                (ahead as u64 * SLOT_MS).saturating_sub(if ahead == 0 { 0 } else { at % SLOT_MS })
            })
        })
    }
}
