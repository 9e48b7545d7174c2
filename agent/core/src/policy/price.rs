//! Why nothing comes of an offer that stands: what is paid is too little, or nobody asks.

use super::reading::{Needed, unknown};
use super::words::reason;
use crate::facts::{Facts, GpuFacts, Moment};
use crate::lease::Lease;
use crate::memory::Memory;
use crate::profit::{self, Draw, Reckoning};
use crate::settings::Settings;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::{Reason, ReasonCode};

/// What is to be said of a GPU's price. Bars only where nobody can know what it costs.
pub(super) fn reasons(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    gpu: &GpuFacts,
) -> Option<Reason> {
    if let Some(lease) = memory.holder(&gpu.info.id) {
        return below_cost_of(memory, settings, facts, now, lease);
    }
    let Some(reckoned) = profit::reckon(memory, settings, facts, now, gpu) else {
        let why = "it tells neither its power nor a limit";
        return Some(unknown(Needed::PowerDraw, Some(gpu), why));
    };
    let name = &gpu.info.name;
    let Some(least) = reckoned.least else {
        let text =
            format!("The marketplace keeps everything: no price covers the electricity of {name}.");
        let remedy = "Rents again when its fee is lower.";
        let barred = reason(ReasonCode::BelowCost, text, remedy).name("gpu", name);
        return Some(figures(barred, &reckoned));
    };
    let floor = settings.gpu(&gpu.info.id).floor;
    match facts.market.best_order {
        None => Some(no_demand(name, floor.max(least))),
        Some(best) if best < least => Some(below_cost(name, best, least, &reckoned)),
        Some(best) if best < floor => Some(below_floor(name, best, floor)),
        Some(_) => None,
    }
}

fn no_demand(name: &str, floor: HourlyPrice) -> Reason {
    reason(
        ReasonCode::NoDemand,
        format!("No job asked for {name} yet."),
        format!("Rents when one comes that pays {floor} or more."),
    )
    .name("gpu", name)
    .number("floor", floor.0.0)
}

fn below_floor(name: &str, best: HourlyPrice, floor: HourlyPrice) -> Reason {
    reason(
        ReasonCode::BelowFloor,
        format!("The best order waiting pays {best} for {name}; your floor is {floor}."),
        "Rents when an order pays that, or with a lower floor.",
    )
    .name("gpu", name)
    .number("price", best.0.0)
    .number("floor", floor.0.0)
}

fn below_cost(name: &str, best: HourlyPrice, least: HourlyPrice, reckoned: &Reckoning) -> Reason {
    let short = least.0.saturating_sub(best.0);
    let text = format!(
        "The best order waiting pays {best} for {name}: {short} too little for its electricity, {}.",
        said(reckoned)
    );
    let remedy = format!("Rents from {least} on, which covers it after the marketplace's fee.");
    let found = reason(ReasonCode::BelowCost, text, remedy)
        .name("gpu", name)
        .number("price", best.0.0)
        .number("short", short.0)
        .number("least", least.0.0);
    figures(found, reckoned)
}

/// `312 W as measured at $0.35 for a kWh`
fn said(reckoned: &Reckoning) -> String {
    let watts = watts(reckoned.draw);
    let how = match reckoned.draw {
        Draw::Measured(_) => format!("{watts} W as measured"),
        Draw::AtMost(_) => format!("up to {watts} W by its power limit"),
    };
    format!("{how} at {} for a kWh", reckoned.kwh)
}

fn watts(draw: Draw) -> u32 {
    draw.mw().div_ceil(1_000)
}

fn figures(reason: Reason, reckoned: &Reckoning) -> Reason {
    let how = match reckoned.draw {
        Draw::Measured(_) => "measured",
        Draw::AtMost(_) => "at_most",
    };
    reason
        .number("watts", watts(reckoned.draw))
        .name("power", how)
        .number("kwh", reckoned.kwh.0)
}

/// A job that runs and no longer pays for the electricity of its GPUs.
pub(super) fn below_cost_of(
    memory: &Memory,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    lease: &Lease,
) -> Option<Reason> {
    let cost = profit::lease_cost(memory, settings, facts, now, lease);
    let net = lease.grant.fee.net(lease.grant.price.0);
    let short = cost
        .checked_sub(net)
        .filter(|short| *short > MicroUsd::ZERO)?;
    let (net, cost) = (HourlyPrice(net), HourlyPrice(cost));
    let kwh = settings.tariff.at(now, facts.utc_offset_s);
    Some(
        reason(
            ReasonCode::BelowCost,
            format!("The job pays {net} after the fee, {short} less than its electricity costs: {cost} at {kwh} for a kWh."),
            "Rents again at a price that covers it.",
        )
        .number("net", net.0.0)
        .number("short", short.0)
        .number("cost", cost.0.0)
        .number("kwh", kwh.0),
    )
}
