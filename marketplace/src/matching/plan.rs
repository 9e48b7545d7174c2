//! The match itself: orders and standing offers in, leases and reasons out. No clock, no database.

use super::fit::{NEEDS, Need};
use crate::leases::LeasedGpu;
use crate::leases::grant::{LEAST_FUNDED_MS, Match, can_start};
use std::collections::{BTreeMap, BTreeSet};
use sublet_protocol::ids::{GpuId, JobId, RenterId, RigId};
use sublet_protocol::job::JobSpec;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::offer::{GpuOffer, HostLimits, SandboxFacts, WorkRules};

/// A job that waits.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub renter: RenterId,
    /// What it needs.
    pub spec: JobSpec,
    /// Rigs that could not finish it: asked last.
    pub tried: BTreeSet<RigId>,
    /// Rigs that refused it or failed at it a moment ago: not asked now.
    pub resting: BTreeSet<RigId>,
}

/// A rig's standing offer.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose.
    pub rig: RigId,
    /// What it sells.
    pub gpus: Vec<GpuOffer>,
    /// What a job may take of its host.
    pub limits: HostLimits,
    /// What holds a job in there.
    pub sandbox: SandboxFacts,
    /// Which work its owner takes.
    pub work: WorkRules,
    /// Those in use by open leases.
    pub busy: BTreeSet<GpuId>,
}

/// What became of one order.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It has a taker.
    Matched(Match),
    /// Nobody takes it now; why, in words.
    Waits(String),
}

/// Fills orders, oldest first, from the standing offers and the renters' free money.
pub fn plan(
    orders: &[Order],
    mut book: Vec<Standing>,
    mut free: BTreeMap<RenterId, MicroUsd>,
) -> Vec<(JobId, Outcome)> {
    let mut outcomes = Vec::with_capacity(orders.len());
    for order in orders {
        let money = free.get(&order.renter).copied().unwrap_or_default();
        let outcome = fill(order, &book, money);
        if let Outcome::Matched(found) = &outcome {
            if let Some(standing) = book.iter_mut().find(|s| s.rig == found.rig) {
                standing
                    .busy
                    .extend(found.gpus.iter().map(|gpu| gpu.id.clone()));
            }
            // What a start takes at least; the grant itself looks at the account again.
            let least = found.price.cost(LEAST_FUNDED_MS);
            free.insert(order.renter.clone(), money.saturating_sub(least));
        }
        outcomes.push((order.job.clone(), outcome));
    }
    outcomes
}

/// A rig's answer to an order.
struct Bid<'a> {
    rig: &'a RigId,
    gpus: Vec<&'a GpuOffer>,
    price: HourlyPrice,
    score: u64,
    tried: bool,
}

fn fill(order: &Order, book: &[Standing], money: MicroUsd) -> Outcome {
    let askable = book.iter().filter(|s| !order.resting.contains(&s.rig));
    let bids = askable.filter_map(|standing| bid(order, standing));
    // Cheapest first; among equals the faster one, then the order of ids, so that the same book always gives the
    // same answer.
    let best = bids.min_by(|a, b| {
        (a.tried, a.price)
            .cmp(&(b.tried, b.price))
            .then(b.score.cmp(&a.score))
            .then(a.rig.cmp(b.rig))
    });
    let Some(best) = best else {
        return Outcome::Waits(why_none(order, book));
    };
    if !can_start(best.price, order.spec.deadline_ms, money) {
        return Outcome::Waits(format!(
            "a rig would take it for {}, but the account's free balance of {money} does not cover {} seconds of it",
            best.price,
            LEAST_FUNDED_MS / 1000
        ));
    }
    Outcome::Matched(Match {
        job: order.job.clone(),
        rig: best.rig.clone(),
        gpus: best.gpus.iter().map(|offer| leased(offer)).collect(),
        price: best.price,
    })
}

fn leased(offer: &GpuOffer) -> LeasedGpu {
    let gpu = &offer.gpu;
    let named = gpu.name.to_lowercase().contains("software");
    LeasedGpu {
        id: gpu.id.clone(),
        name: if gpu.software && !named {
            format!("{} (software)", gpu.name)
        } else {
            gpu.name.clone()
        },
    }
}

/// The cheapest set of this rig's GPUs that meets the order, if there is one.
fn bid<'a>(order: &Order, standing: &'a Standing) -> Option<Bid<'a>> {
    let score = |offer: &GpuOffer| offer.gpu.score.map_or(0, |s| s.score);
    let mut fitting: Vec<&GpuOffer> = standing
        .gpus
        .iter()
        .filter(|offer| {
            NEEDS
                .iter()
                .all(|need| need.met(&order.spec, offer, standing))
        })
        .collect();
    fitting.sort_by(|a, b| {
        (a.floor.cmp(&b.floor))
            .then(score(b).cmp(&score(a)))
            .then(a.gpu.id.cmp(&b.gpu.id))
    });
    let count = usize::try_from(order.spec.gpu.count).ok()?;
    let gpus: Vec<&GpuOffer> = fitting.get(..count)?.to_vec();
    let price = HourlyPrice(gpus.iter().map(|offer| offer.floor.0).sum());
    (price <= order.spec.max_price).then(|| Bid {
        rig: &standing.rig,
        price,
        score: gpus.iter().map(|offer| u64::from(score(offer))).sum(),
        tried: order.tried.contains(&standing.rig),
        gpus,
    })
}

/// "3 GPUs on offer, none under $0.20/h".
fn why_none(order: &Order, book: &[Standing]) -> String {
    let all: Vec<(&Standing, &GpuOffer)> = book
        .iter()
        .flat_map(|standing| standing.gpus.iter().map(move |offer| (standing, offer)))
        .collect();
    let on_offer = match all.len() {
        0 => return "no GPU is on offer right now".into(),
        1 => "1 GPU on offer".to_owned(),
        n => format!("{n} GPUs on offer"),
    };
    let mut left = all;
    for need in NEEDS {
        let before = left.len();
        left.retain(|(standing, offer)| need.met(&order.spec, offer, standing));
        if left.is_empty() {
            // Only where others have fallen away before: "2 of them fit but for that".
            let narrowed = if need > Need::Hardware
                && before > 0
                && !on_offer.starts_with(&format!("{before} "))
            {
                format!(", {before} of them otherwise fitting")
            } else {
                String::new()
            };
            return format!("{on_offer}{narrowed}, {}", need.none(&order.spec));
        }
    }
    left.retain(|(standing, _)| !order.resting.contains(&standing.rig));
    if left.is_empty() {
        return format!(
            "{on_offer}, but the rigs that fit refused the job or failed at it a moment ago"
        );
    }
    let count = order.spec.gpu.count;
    format!(
        "{on_offer}, but no rig has {count} free ones that fit together under {}",
        order.spec.max_price
    )
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
