//! Never at a loss: what electricity a GPU costs, and the least price that covers it after the marketplace's fee.
//! Whole micro-USD throughout, rounded against the owner's loss.

use crate::facts::{FRESH_MS, Facts, GpuFacts, Moment, Sensed};
use crate::lease::Lease;
use crate::memory::Memory;
use crate::settings::Settings;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

/// mW in a kW.
const MW_A_KW: u128 = 1_000_000;
/// A least price is rounded up to a tenth of a cent: the offer shall not change with every watt.
const STEP: u64 = 1_000;

/// What a GPU draws while it works, in mW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Measured over the jobs it ran.
    Measured(u32),
    /// Never measured yet: its power limit in force, which it cannot exceed.
    AtMost(u32),
}

impl Draw {
    /// In mW.
    pub fn mw(self) -> u32 {
        match self {
            Self::Measured(mw) | Self::AtMost(mw) => mw,
        }
    }
}

/// What a GPU draws while it works; absent where nothing tells. A software adapter adds nothing that can be told
/// apart from the machine, so it counts as none.
pub fn draw(memory: &Memory, gpu: &GpuFacts) -> Option<Draw> {
    if gpu.info.software {
        return Some(Draw::Measured(0));
    }
    if let Some(mw) = memory.drawn_mw.get(&gpu.info.id) {
        return Some(Draw::Measured(*mw));
    }
    let fresh = |sensed: &&Sensed| sensed.age_ms <= FRESH_MS;
    gpu.sensed
        .as_ref()
        .filter(fresh)
        .and_then(|sensed| sensed.power_limit_mw)
        .or(gpu.power_range.map(|range| range.highest_mw))
        .map(Draw::AtMost)
}

/// What an hour at this power costs, rounded up.
pub fn electricity(mw: u32, kwh: MicroUsd) -> MicroUsd {
    let exact = (u128::from(mw) * u128::from(kwh.0)).div_ceil(MW_A_KW);
    MicroUsd(u64::try_from(exact).unwrap_or(u64::MAX))
}

/// The least price whose net, after the fee, covers the cost of an hour; rounded up to a tenth of a cent. None where no
/// price does: the marketplace keeps everything.
pub fn break_even(cost: MicroUsd, fee: BasisPoints) -> Option<HourlyPrice> {
    if cost == MicroUsd::ZERO {
        return Some(HourlyPrice::default());
    }
    let kept = 10_000 - u128::from(fee.get());
    if kept == 0 {
        return None;
    }
    let gross = u64::try_from((u128::from(cost.0) * 10_000).div_ceil(kept)).ok()?;
    let rounded = gross.div_ceil(STEP).checked_mul(STEP)?;
    Some(HourlyPrice(MicroUsd(rounded)))
}

/// What an hour of a GPU costs and must pay, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reckoning {
    /// What it draws.
    pub draw: Draw,
    /// What a kilowatt-hour costs now.
    pub kwh: MicroUsd,
    /// What its hour costs.
    pub cost: MicroUsd,
    /// The least price that covers it; none: no price does.
    pub least: Option<HourlyPrice>,
}

/// Reckons for one GPU. None where electricity has a price and nothing tells what the GPU draws.
pub fn reckon(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> Option<Reckoning> {
    let kwh = settings.tariff.at(now, facts.utc_offset_s);
    let draw = match draw(memory, gpu) {
        Some(draw) => draw,
        None if kwh == MicroUsd::ZERO => Draw::AtMost(0),
        None => return None,
    };
    let cost = electricity(draw.mw(), kwh);
    // Before the first session no fee is known; nothing is granted before it either.
    let least = break_even(cost, facts.market.fee.unwrap_or_default());
    Some(Reckoning {
        draw,
        kwh,
        cost,
        least,
    })
}

/// The least that is asked for an hour of a GPU: the owner's floor, or what covers its electricity where that is more.
/// None: no price covers it, or nobody knows which would.
pub fn floor(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> Option<HourlyPrice> {
    let least = reckon(memory, settings, facts, now, gpu)?.least?;
    Some(settings.gpu(&gpu.info.id).floor.max(least))
}

/// What the electricity of a lease's GPUs costs in an hour, as far as it is known.
pub fn lease_cost(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    lease: &Lease,
) -> MicroUsd {
    facts
        .gpus
        .iter()
        .filter(|gpu| lease.grant.gpus.contains(&gpu.info.id))
        .filter_map(|gpu| reckon(memory, settings, facts, now, gpu))
        .map(|reckoned| reckoned.cost)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_kilowatt_for_an_hour_is_a_kilowatt_hour() {
        let kwh = MicroUsd(350_000);
        assert_eq!(electricity(1_000_000, kwh), kwh);
        assert_eq!(electricity(312_000, kwh), MicroUsd(109_200));
        assert_eq!(electricity(1, MicroUsd(1)), MicroUsd(1), "rounded up");
        assert_eq!(electricity(0, kwh), MicroUsd::ZERO);
    }

    #[test]
    fn the_least_price_has_the_fee_in_it() {
        let fee = |points| BasisPoints::new(points).unwrap();
        let least = |cost, points| break_even(MicroUsd(cost), fee(points)).map(|price| price.0.0);
        assert_eq!(least(95_000, 500), Some(100_000));
        assert_eq!(least(95_001, 500), Some(101_000));
        assert_eq!(least(0, 10_000), Some(0));
        assert_eq!(least(1, 10_000), None);
    }

    proptest! {
        #[test]
        fn an_hour_at_the_least_price_is_never_a_loss(cost in 0u64..1_000_000_000_000, points in 0u16..=10_000) {
            let (cost, fee) = (MicroUsd(cost), BasisPoints::new(points).unwrap());
            if let Some(least) = break_even(cost, fee) {
                prop_assert!(fee.net(least.0) >= cost);
                // And it is the least, to a step.
                if let Some(below) = least.0.checked_sub(MicroUsd(STEP)) {
                    prop_assert!(fee.net(below) <= cost);
                }
            } else {
                prop_assert_eq!(points, 10_000);
            }
        }

        #[test]
        fn more_power_and_dearer_hours_never_cost_less(mw in 0u32..2_000_000, more in 0u32..1_000_000, kwh in 0u64..5_000_000, dearer in 0u64..5_000_000) {
            let cost = electricity(mw, MicroUsd(kwh));
            prop_assert!(electricity(mw + more, MicroUsd(kwh)) >= cost);
            prop_assert!(electricity(mw, MicroUsd(kwh + dearer)) >= cost);
        }
    }
}
