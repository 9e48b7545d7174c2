//! What electricity costs, by the hour of the day.

use crate::facts::Moment;
use crate::schedule::week_ms;
use sublet_protocol::money::MicroUsd;

const MINUTES_A_DAY: u64 = 24 * 60;

/// What a kilowatt-hour costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tariff {
    /// Outside of every band. Zero: electricity is not reckoned.
    pub base: MicroUsd,
    /// Hours with a price of their own; they do not overlap.
    pub bands: Vec<Band>,
}

/// Hours of every day with a price of their own, in minutes of local time; `from > to` runs over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The first minute, 0 to 1439.
    pub from_min: u16,
    /// The minute after the last, 1 to 1440.
    pub to_min: u16,
    /// What a kilowatt-hour costs.
    pub price: MicroUsd,
}

impl Band {
    fn holds(&self, minute: u16) -> bool {
        if self.from_min < self.to_min {
            (self.from_min..self.to_min).contains(&minute)
        } else {
            minute >= self.from_min || minute < self.to_min
        }
    }
}

impl Tariff {
    /// What a kilowatt-hour costs now.
    pub fn at(&self, now: Moment, utc_offset_s: i32) -> MicroUsd {
        let minute = (week_ms(now, utc_offset_s) / 60_000 % MINUTES_A_DAY) as u16;
        self.bands
            .iter()
            .find(|band| band.holds(minute))
            .map_or(self.base, |band| band.price)
    }
}
