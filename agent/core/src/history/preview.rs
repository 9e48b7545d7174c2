//! What settings would have made of a trace, as figures of one week.

use crate::settings::Settings;
use crate::simulate::{GpuReport, Report, Sums, Trace, Usd, simulate};
use std::collections::BTreeMap;
use sublet_protocol::local::preview::{Outcome, Range};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::RigState;

const WEEK_MS: u64 = 7 * 24 * 3_600_000;

/// What an hour is taken to pay, and how much of what can be rented is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// At least.
    pub low: HourlyPrice,
    /// At most.
    pub high: HourlyPrice,
    /// In per cent, at least and at most.
    pub demand_percent: [u8; 2],
    /// Whether what the cards draw is known.
    pub power_known: bool,
}

/// Replays the trace under the settings: at the lower price with the lower demand, and at the higher with the higher.
pub fn outcome(trace: &Trace, settings: &Settings, asked: &Asked) -> Outcome {
    let high = simulate(&paying(trace, asked.high), settings);
    let low = match asked.low == asked.high {
        true => high.clone(),
        false => simulate(&paying(trace, asked.low), settings),
    };
    let length_ms = (high.to_ms - high.from_ms).max(1);
    let [least, most] = asked.demand_percent;
    let money = |part: fn(&Sums) -> i128| {
        let few = part(&low.total) * i128::from(least) / 100;
        let many = part(&high.total) * i128::from(most) / 100;
        let (few, many) = (weekly(few, length_ms), weekly(many, length_ms));
        Range {
            low: few.min(many),
            high: few.max(many),
        }
    };
    let priced = settings.tariff.base > MicroUsd::ZERO
        || settings
            .tariff
            .bands
            .iter()
            .any(|band| band.price > MicroUsd::ZERO);
    let known = asked.power_known || !priced;
    let gross = |sums: &Sums| i128::from(sums.gross.0);
    let fee = |sums: &Sums| i128::from(sums.fee.0);
    let electricity = |sums: &Sums| i128::from(sums.electricity.0);
    let net = |sums: &Sums| {
        i128::from(sums.gross.0) - i128::from(sums.fee.0) - i128::from(sums.electricity.0)
    };
    Outcome {
        time_ms: natural(weekly(i128::from(high.total.time_ms), length_ms)),
        rentable_ms: rentable(&high, length_ms),
        gross: money(gross),
        fee: money(fee),
        electricity: known.then(|| money(electricity)),
        net: known.then(|| money(net)),
        lost_ms: lost(&high, length_ms),
    }
}

fn paying(trace: &Trace, pays: HourlyPrice) -> Trace {
    let mut trace = trace.clone();
    for change in &mut trace.changes {
        change.pays = change.pays.map(|paid| paid.map(|_| Usd(pays)));
    }
    trace
}

/// Of the whole weeks at the end of the trace, the one with the least and the one with the most; without two of them,
/// what all of it comes to in a week.
fn rentable(report: &Report, length_ms: u64) -> Range {
    let mut weeks = Vec::new();
    let mut to_ms = report.to_ms;
    while to_ms >= report.from_ms + WEEK_MS {
        let from_ms = to_ms - WEEK_MS;
        let all = report.gpus.iter().map(|gpu| within(gpu, from_ms, to_ms));
        weeks.push(whole(i128::from(all.sum::<u64>())));
        to_ms = from_ms;
    }
    match (weeks.iter().min(), weeks.iter().max()) {
        (Some(low), Some(high)) if weeks.len() > 1 => Range {
            low: *low,
            high: *high,
        },
        _ => {
            let mean = weekly(i128::from(report.total.rentable_ms), length_ms);
            Range {
                low: mean,
                high: mean,
            }
        }
    }
}

/// How long nothing stood in a GPU's way, in ms.
fn within(gpu: &GpuReport, from_ms: u64, to_ms: u64) -> u64 {
    gpu.timeline
        .iter()
        .filter(|span| {
            let bars = span
                .reason
                .as_ref()
                .is_some_and(|reason| reason.code.bars());
            span.state == RigState::Renting || !bars
        })
        .map(|span| {
            span.to_ms
                .min(to_ms)
                .saturating_sub(span.from_ms.max(from_ms))
        })
        .sum()
}

fn lost(report: &Report, length_ms: u64) -> BTreeMap<sublet_protocol::reason::ReasonCode, u64> {
    let (barred, waited) = (&report.total.barred_ms, &report.total.waited_ms);
    barred
        .iter()
        .chain(waited)
        .map(|(code, ms)| (*code, natural(weekly(i128::from(*ms), length_ms))))
        .filter(|(_, ms)| *ms > 0)
        .collect()
}

/// What it comes to in a week.
fn weekly(all: i128, length_ms: u64) -> i64 {
    whole(all * i128::from(WEEK_MS) / i128::from(length_ms))
}

fn whole(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
