//! What waiting orders would pay a rig, so that its owner can tell a floor that is too high from a quiet market.

use super::fit::{NEEDS, Need};
use super::{Order, Standing};
use crate::leases::grant::can_start;
use std::collections::BTreeMap;
use sublet_protocol::ids::RenterId;
use sublet_protocol::money::{HourlyPrice, MicroUsd};

/// The orders that wait and could be paid for, the best payer first.
#[derive(Default)]
pub struct Demand(Vec<(HourlyPrice, Order)>);

impl Demand {
    /// Of orders that nobody took, with their renters' free money.
    pub fn of(orders: impl Iterator<Item = Order>, free: &BTreeMap<RenterId, MicroUsd>) -> Self {
        let affordable = orders.filter(|order| {
            let money = free.get(&order.renter).copied().unwrap_or_default();
            can_start(order.spec.max_price, order.spec.deadline_ms, money)
        });
        let mut priced: Vec<_> = affordable
            .filter_map(|order| Some((for_one(&order)?, order)))
            .collect();
        priced.sort_by(|(a, _), (b, _)| b.cmp(a));
        Self(priced)
    }

    /// The most that one of them pays for an hour of one of the rig's GPUs, if they fit it but for the price.
    pub fn best_for(&self, standing: &Standing) -> Option<HourlyPrice> {
        let fits = |order: &Order| {
            let fitting = standing.gpus.iter().filter(|offer| {
                let mut needs = NEEDS.iter().filter(|need| **need != Need::Price);
                needs.all(|need| need.met(&order.spec, offer, standing))
            });
            !order.resting.contains(&standing.rig)
                && usize::try_from(order.spec.gpu.count).is_ok_and(|count| fitting.count() >= count)
        };
        let best = self.0.iter().find(|(_, order)| fits(order));
        best.map(|(price, _)| *price)
    }
}

/// What an order pays for each of its GPUs.
fn for_one(order: &Order) -> Option<HourlyPrice> {
    let price = order.spec.max_price.0.0;
    price
        .checked_div(u64::from(order.spec.gpu.count))
        .map(|price| HourlyPrice(MicroUsd(price)))
}
