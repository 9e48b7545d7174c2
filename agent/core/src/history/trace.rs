//! The record as a trace; and made-up weeks on the machine's own cards, for as long as there is no record.

use super::scene::Line;
use crate::simulate::{Card, Change, Example, Head, LocalTime, Trace, Usd, VERSION};
use sublet_protocol::money::{BasisPoints, HourlyPrice};

/// An agent that is back within this was only started anew; longer is a machine that was off, in ms.
const RESTART_MS: u64 = 2 * 60_000;
/// Made-up weeks are the same every time.
const SEED: u64 = 1;

/// Some time of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When the agent ran, in order and apart from each other; ms since 1970.
    pub ran: Vec<(u64, u64)>,
    /// What the owner did, in order, from a whole line on.
    pub lines: Vec<Line>,
    /// Local time minus UTC now, in s. A trace knows no summer time.
    pub utc_offset_s: i32,
}

/// The record as a trace of these cards, in which every hour pays `pays`.
pub fn recorded(
    record: &Record,
    cards: Vec<Card>,
    pays: HourlyPrice,
    fee: BasisPoints,
    demand_percent: [u8; 2],
) -> Option<Trace> {
    let (from_ms, _) = *record.ran.first()?;
    let (_, to_ms) = *record.ran.last()?;
    let utc_offset_min = record.utc_offset_s / 60;
    let local =
        |ms: u64| LocalTime((ms / 1_000).saturating_add_signed(i64::from(utc_offset_min) * 60));
    let (from, to) = (local(from_ms), local(to_ms));
    if to <= from || cards.is_empty() {
        return None;
    }
    let mut changes = vec![Change {
        at: from,
        pays: Some(Some(Usd(pays))),
        ..Change::default()
    }];
    for line in &record.lines {
        let mut change = line.change.clone();
        change.at = local(line.at_ms).max(from);
        // Whether the machine was on is told by when the agent ran.
        change.on = None;
        change
            .gpus
            .retain(|id, _| cards.iter().any(|card| card.id == *id));
        changes.push(change);
    }
    for pair in record.ran.windows(2) {
        let [(_, off_ms), (on_ms, _)] = pair else {
            continue;
        };
        if on_ms.saturating_sub(*off_ms) < RESTART_MS {
            continue;
        }
        for (at_ms, on) in [(off_ms, false), (on_ms, true)] {
            changes.push(Change {
                at: local(*at_ms),
                on: Some(on),
                ..Change::default()
            });
        }
    }
    changes.retain(|change| change.at < to);
    changes.sort_by_key(|change| change.at);
    let head = Head {
        sublet_trace: VERSION,
        name: "Your own record".to_owned(),
        from,
        to,
        utc_offset_min,
        gpus: cards,
        fee,
        demand_percent,
    };
    Some(Trace { head, changes })
}

/// Four made-up weeks of a kind of owner on these cards, in which every hour pays `pays`.
pub fn exemplary(
    example: Example,
    cards: Vec<Card>,
    pays: HourlyPrice,
    fee: BasisPoints,
    demand_percent: [u8; 2],
) -> Option<Trace> {
    if cards.is_empty() {
        return None;
    }
    let mut trace = example.trace(SEED);
    let theirs: Vec<_> = trace.head.gpus.iter().map(|card| card.id.clone()).collect();
    for change in &mut trace.changes {
        change.pays = None;
        let on_theirs = std::mem::take(&mut change.gpus);
        for (card, like) in cards.iter().zip(theirs.iter().cycle()) {
            if let Some(on_card) = on_theirs.get(like) {
                let mut on_card = on_card.clone();
                on_card.own_w = on_card.own_w.map(|watts| watts.min(card.limit_w));
                change.gpus.insert(card.id.clone(), on_card);
            }
        }
    }
    let first = Change {
        at: trace.head.from,
        pays: Some(Some(Usd(pays))),
        ..Change::default()
    };
    trace.changes.insert(0, first);
    trace.head.gpus = cards;
    trace.head.fee = fee;
    trace.head.demand_percent = demand_percent;
    Some(trace)
}
