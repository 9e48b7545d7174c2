//! What came of it: hours, money, energy, and the line of time.

use super::change::Head;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::{Figure, Reason, ReasonCode, RigState};

/// What the settings would have made of the trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it was a trace of.
    pub name: String,
    /// When it began, ms since 1970 in UTC.
    pub from_ms: u64,
    /// When it ended, likewise.
    pub to_ms: u64,
    /// Local time minus UTC, in s.
    pub utc_offset_s: i32,
    /// Of the hours in which an order paid enough, how many per cent become ours, at least and at most: what the
    /// range of [`Sums::net`] rests on.
    pub demand_percent: [u8; 2],
    /// All GPUs together.
    pub total: Sums,
    /// One by one.
    pub gpus: Vec<GpuReport>,
}

/// What became of one GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuReport {
    /// Which.
    pub gpu: GpuId,
    /// What people call it.
    pub name: String,
    /// Its hours and its money.
    pub sums: Sums,
    /// The longest time in which it did not rent; absent where it always did.
    pub longest_wait: Option<Wait>,
    /// Everything, in order and without gaps.
    pub timeline: Vec<Span>,
}

/// Hours and money. Money and energy are as if every order that paid enough had been ours; only [`Self::net`] is a
/// range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// The whole time, in ms: rentable and barred.
    pub time_ms: u64,
    /// Nothing stood in the way, in ms: rented, or waiting for an order.
    pub rentable_ms: u64,
    /// An order paid enough, in ms.
    pub rented_ms: u64,
    /// Rentable, but without an order that paid enough, by why, in ms.
    pub waited_ms: BTreeMap<ReasonCode, u64>,
    /// Not rentable, by the first reason that barred it, in ms.
    pub barred_ms: BTreeMap<ReasonCode, u64>,
    /// Drawn while renting, in Wh. What the rest of the machine draws is not in it.
    pub energy_wh: u64,
    /// What renters paid.
    pub gross: MicroUsd,
    /// What the marketplace kept of it.
    pub fee: MicroUsd,
    /// What that energy cost.
    pub electricity: MicroUsd,
    /// What is left.
    pub net: Net,
}

/// What is left of the gross after fee and electricity, in micro-USD; below zero it was a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// If as few orders became ours as the trace expects at least.
    pub low: i64,
    /// If as many did as it expects at most.
    pub high: i64,
}

/// A time without renting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// When it began, ms since 1970 in UTC.
    pub from_ms: u64,
    /// When it ended, likewise.
    pub to_ms: u64,
    /// What led for most of it.
    pub mostly: ReasonCode,
}

/// A time of one state for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// When it began, ms since 1970 in UTC.
    pub from_ms: u64,
    /// When it ended, likewise.
    pub to_ms: u64,
    /// The state.
    pub state: RigState,
    /// The first reason as it was when the span began; absent while it rents.
    pub reason: Option<Reason>,
}

/// What a GPU does for a while.
#[derive(Debug, Clone)]
pub(super) enum Doing {
    /// It rents.
    Renting {
        price: HourlyPrice,
        mw: u32,
        /// What a kWh costs.
        kwh: MicroUsd,
    },
    /// It does not.
    Not { state: RigState, reason: Reason },
}

/// One GPU's books while time goes by.
#[derive(Debug, Default)]
pub(super) struct Books {
    sums: Sums,
    timeline: Vec<Span>,
    /// In micro-USD an hour times ms.
    gross: u128,
    /// In mW times ms.
    energy: u128,
    /// In mW times ms times micro-USD for a kWh.
    electricity: u128,
    wait: BTreeMap<ReasonCode, u64>,
    wait_from_ms: Option<u64>,
    longest: Option<Wait>,
}

const HOUR_MS: u128 = 3_600_000;
const MW_A_KW: u128 = 1_000_000;

impl Books {
    /// Enters what it did from then to then, in ms since 1970.
    pub fn enter(&mut self, from_ms: u64, to_ms: u64, doing: Doing) {
        let ms = to_ms - from_ms;
        self.sums.time_ms += ms;
        match doing {
            Doing::Renting { price, mw, kwh } => {
                self.sums.rentable_ms += ms;
                self.sums.rented_ms += ms;
                self.gross += u128::from(price.0.0) * u128::from(ms);
                let energy = u128::from(mw) * u128::from(ms);
                self.energy += energy;
                self.electricity += energy * u128::from(kwh.0);
                self.end_wait(from_ms);
                self.draw(from_ms, to_ms, RigState::Renting, None);
            }
            Doing::Not { state, reason } => {
                let why = if reason.code.bars() {
                    &mut self.sums.barred_ms
                } else {
                    self.sums.rentable_ms += ms;
                    &mut self.sums.waited_ms
                };
                *why.entry(reason.code).or_default() += ms;
                self.wait_from_ms.get_or_insert(from_ms);
                *self.wait.entry(reason.code).or_default() += ms;
                self.draw(from_ms, to_ms, state, Some(reason));
            }
        }
    }

    fn draw(&mut self, from_ms: u64, to_ms: u64, state: RigState, reason: Option<Reason>) {
        match self.timeline.last_mut() {
            Some(last) if last.state == state && alike(last.reason.as_ref(), reason.as_ref()) => {
                last.to_ms = to_ms;
            }
            _ => self.timeline.push(Span {
                from_ms,
                to_ms,
                state,
                reason,
            }),
        }
    }

    fn end_wait(&mut self, to_ms: u64) {
        let wait = std::mem::take(&mut self.wait);
        let (Some(from_ms), Some((mostly, _))) = (
            self.wait_from_ms.take(),
            wait.into_iter().max_by_key(|(_, ms)| *ms),
        ) else {
            return;
        };
        let longer = |longest: &Wait| longest.to_ms - longest.from_ms < to_ms - from_ms;
        if self.longest.as_ref().is_none_or(longer) {
            self.longest = Some(Wait {
                from_ms,
                to_ms,
                mostly,
            });
        }
    }

    /// Closes them at the end of the trace.
    pub fn close(mut self, to_ms: u64, head: &Head, gpu: GpuId, name: String) -> GpuReport {
        self.end_wait(to_ms);
        let whole = |exact: u128| MicroUsd(u64::try_from(exact).unwrap_or(u64::MAX));
        let sums = &mut self.sums;
        sums.gross = whole(self.gross / HOUR_MS);
        sums.fee = head.fee.fee(sums.gross);
        // Against the owner's gain: what is begun counts.
        sums.electricity = whole(self.electricity.div_ceil(HOUR_MS * MW_A_KW));
        sums.energy_wh = u64::try_from(self.energy / HOUR_MS / 1_000).unwrap_or(u64::MAX);
        sums.net = Net::of(sums, head.demand_percent);
        GpuReport {
            gpu,
            name,
            sums: self.sums,
            longest_wait: self.longest,
            timeline: self.timeline,
        }
    }
}

/// Whether two reasons are one on the line of time: figures go on, names do not.
fn alike(a: Option<&Reason>, b: Option<&Reason>) -> bool {
    fn names(reason: &Reason) -> impl Iterator<Item = (&String, &Figure)> {
        let names = reason.figures.iter();
        names.filter(|(_, figure)| matches!(figure, Figure::Text(_)))
    }
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.code == b.code && names(a).eq(names(b)),
        _ => false,
    }
}

impl Net {
    fn of(sums: &Sums, [least, most]: [u8; 2]) -> Self {
        let paid = i128::from(sums.gross.0);
        let left = paid - i128::from(sums.fee.0) - i128::from(sums.electricity.0);
        let share =
            |percent: u8| i64::try_from(left * i128::from(percent) / 100).unwrap_or(i64::MAX);
        let (few, many) = (share(least), share(most));
        Self {
            low: few.min(many),
            high: few.max(many),
        }
    }
}

impl Sums {
    /// Adds another GPU's.
    pub(super) fn add(&mut self, other: &Self) {
        self.time_ms += other.time_ms;
        self.rentable_ms += other.rentable_ms;
        self.rented_ms += other.rented_ms;
        for (mine, theirs) in [
            (&mut self.waited_ms, &other.waited_ms),
            (&mut self.barred_ms, &other.barred_ms),
        ] {
            for (code, ms) in theirs {
                *mine.entry(*code).or_default() += ms;
            }
        }
        self.energy_wh += other.energy_wh;
        self.gross = self.gross.saturating_add(other.gross);
        self.fee = self.fee.saturating_add(other.fee);
        self.electricity = self.electricity.saturating_add(other.electricity);
        self.net.low = self.net.low.saturating_add(other.net.low);
        self.net.high = self.net.high.saturating_add(other.net.high);
    }
}
