//! What was seen of the market: what an hour paid, and how much of the time on offer was asked for.

use super::minute::Quarter;
use std::collections::BTreeMap;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// So many days must have been on offer before their demand counts.
const DAYS: usize = 3;
/// A day counts once it was on offer or rented for so long, in ms.
const DAY_COUNTS_MS: u64 = 3_600_000;
/// What is assumed where nothing was seen, in per cent, as a trace does.
const ASSUMED: [u8; 2] = [30, 90];
/// What lies in the lowest and in the highest of so many parts is left out of a range.
const TAIL: u64 = 10;

/// Of the hours in which a GPU can be rented, how many are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// In per cent, at least and at most.
    pub percent: [u8; 2],
    /// Where that is from.
    pub from: DemandFrom,
}

/// Where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemandFrom {
    /// So many days on offer.
    Seen {
        /// How many.
        days: usize,
    },
    /// Nobody knows.
    Assumed,
}

/// What was asked for, day by day, without the best and the worst tenth of the time. `day` tells which day a time, in ms since 1970,
/// lies in.
pub fn demand<'a>(
    quarters: impl IntoIterator<Item = &'a Quarter>,
    day: impl Fn(u64) -> u64,
) -> Demand {
    let mut days: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for quarter in quarters {
        let (asked, open) = days.entry(day(quarter.from_ms)).or_default();
        *asked += quarter.rented_ms + quarter.asked_ms;
        *open += quarter.rented_ms + quarter.offered_ms;
    }
    let shares: Vec<(u64, u64)> = days
        .into_values()
        .filter(|(_, open)| *open >= DAY_COUNTS_MS)
        .map(|(asked, open)| ((asked * 100 / open).min(100), open))
        .collect();
    let days = shares.len();
    match range(shares) {
        Some((low, high)) if days >= DAYS => Demand {
            percent: [low, high].map(|percent| u8::try_from(percent).unwrap_or(100)),
            from: DemandFrom::Seen { days },
        },
        _ => Demand {
            percent: ASSUMED,
            from: DemandFrom::Assumed,
        },
    }
}

/// What leases and waiting orders paid for an hour, without the lowest and the highest tenth of the time.
pub fn prices<'a>(
    quarters: impl IntoIterator<Item = &'a Quarter>,
) -> Option<(HourlyPrice, HourlyPrice)> {
    let seen = quarters.into_iter().filter_map(|quarter| {
        let ms = quarter.rented_ms + quarter.asked_ms;
        quarter.pays.filter(|_| ms > 0).map(|pays| (pays.0.0, ms))
    });
    let (low, high) = range(seen.collect())?;
    Some((HourlyPrice(MicroUsd(low)), HourlyPrice(MicroUsd(high))))
}

/// The values at the lower and at the upper tenth of all weight.
fn range(mut weighed: Vec<(u64, u64)>) -> Option<(u64, u64)> {
    weighed.sort_unstable();
    let all: u64 = weighed.iter().map(|(_, weight)| weight).sum();
    let at = |part: u64| {
        let mut sum = 0;
        weighed
            .iter()
            .find(|(_, weight)| {
                sum += weight;
                sum > part
            })
            .map(|(value, _)| *value)
    };
    let highest = all.checked_sub(1)?;
    Some((at(all / TAIL)?, at(highest - all / TAIL)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn quarter(day: u64, offered: u64, asked: u64, pays: Option<u64>) -> Quarter {
        Quarter {
            from_ms: day,
            offered_ms: offered,
            asked_ms: asked,
            pays: pays.map(|pays| HourlyPrice(MicroUsd(pays))),
            ..Quarter::default()
        }
    }

    #[test]
    fn a_price_is_seen_where_somebody_asked() {
        let usd = |amount| HourlyPrice(MicroUsd(amount));
        assert_eq!(prices(&[quarter(0, HOUR, 0, None)]), None);
        let one = [quarter(0, HOUR, HOUR, Some(7))];
        assert_eq!(prices(&one), Some((usd(7), usd(7))));
        // One odd quarter in twenty does not make a range.
        let mut many: Vec<Quarter> = (0..18)
            .map(|at| quarter(at, HOUR, HOUR, Some(100 + at)))
            .collect();
        many.push(quarter(18, HOUR, HOUR, Some(1)));
        many.push(quarter(19, HOUR, HOUR, Some(9_999)));
        let (low, high) = prices(&many).unwrap();
        assert!(low >= usd(100) && high <= usd(117), "{low} {high}");
    }

    #[test]
    fn demand_needs_days() {
        let days = |n| (0..n).map(|day| quarter(day, 2 * HOUR, HOUR * (day % 2), None));
        let two: Vec<Quarter> = days(2).collect();
        assert_eq!(demand(&two, |ms| ms).from, DemandFrom::Assumed);
        let four: Vec<Quarter> = days(4).collect();
        let seen = demand(&four, |ms| ms);
        assert_eq!(seen.percent, [0, 50]);
        assert_eq!(seen.from, DemandFrom::Seen { days: 4 });
    }
}
