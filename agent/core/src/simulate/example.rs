//! Four weeks of four kinds of owner, made up: the same seed gives the same weeks. They show what a trace looks like,
//! and what settings do, before anybody has weeks of their own.

mod farm;
mod gamer;
mod laptop;
mod studio;

use super::change::{Card, CardChange, Change, Head, Usd};
use super::local::LocalTime;
use super::trace::{Trace, VERSION};
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{BasisPoints, HourlyPrice, MicroUsd};

/// The kinds of owner.
pub const EXAMPLES: [Example; 4] = [
    Example::Gamer,
    Example::Studio,
    Example::Farm,
    Example::Laptop,
];

/// A kind of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Example {
    /// One card; games on weeknights and longer at the weekend, a film now and then.
    Gamer,
    /// A workstation with two cards; work from nine to six, renders into the night.
    Studio,
    /// Six cards in a warm hall, that nobody sits at.
    Farm,
    /// A laptop that comes and goes: batteries, other people's networks, nights with its lid closed.
    Laptop,
}

impl Example {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gamer => "gamer",
            Self::Studio => "studio",
            Self::Farm => "farm",
            Self::Laptop => "laptop",
        }
    }

    /// Four weeks of it.
    pub fn trace(self, seed: u64) -> Trace {
        let mut weeks = Weeks::new(seed);
        let (name, cards) = match self {
            Self::Gamer => gamer::live(&mut weeks),
            Self::Studio => studio::live(&mut weeks),
            Self::Farm => farm::live(&mut weeks),
            Self::Laptop => laptop::live(&mut weeks),
        };
        weeks.finish(name, cards)
    }
}

/// Monday, 2 November 2026, 00:00.
const BEGIN: LocalTime = LocalTime(1_793_577_600);
const DAYS: u64 = 28;
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// Weeks being written, in minutes since they begin.
struct Weeks {
    chance: Chance,
    changes: Vec<Change>,
}

impl Weeks {
    fn new(seed: u64) -> Self {
        Self {
            chance: Chance(seed),
            changes: Vec::new(),
        }
    }

    /// Something changes at a minute; what lies beyond the end is left out.
    fn at(&mut self, minute: u64, change: Change) {
        if minute < DAYS * DAY {
            let at = BEGIN.plus_s(minute * 60);
            self.changes.push(Change { at, ..change });
        }
    }

    /// Prices that wander from hour to hour between two bounds, in cents; `dry` per cent of the hours have no order.
    fn market(&mut self, low: u64, high: u64, dry: u64) {
        let mut cents = (low + high) / 2;
        let mut last = None;
        for hour in 0..DAYS * 24 {
            let step = self.chance.between(0, 4);
            cents = (cents + step).saturating_sub(2).clamp(low, high);
            // In the evening there are more orders, and better ones.
            let busy = u64::from((17..23).contains(&(hour % 24))) * 2;
            let price = HourlyPrice(MicroUsd((cents + busy) * 10_000));
            let pays = (!self.chance.of(dry)).then_some(Usd(price));
            if last != Some(pays) {
                let change = Change {
                    pays: Some(pays),
                    ..Change::default()
                };
                self.at(hour * HOUR, change);
                last = Some(pays);
            }
        }
    }

    fn finish(mut self, name: &str, gpus: Vec<Card>) -> Trace {
        self.changes.sort_by_key(|change| change.at);
        Trace {
            head: Head {
                sublet_trace: VERSION,
                name: name.to_owned(),
                from: BEGIN,
                to: BEGIN.plus_s(DAYS * DAY * 60),
                utc_offset_min: 60,
                gpus,
                fee: BasisPoints::new(500).unwrap_or_default(),
                demand_percent: [30, 90],
            },
            changes: self.changes,
        }
    }
}

/// Whether a day, from 0, is a Saturday or a Sunday.
fn weekend(day: u64) -> bool {
    day % 7 >= 5
}

/// What changes on one GPU. Ids that do not read are none of ours.
fn on_gpu(id: &str, change: CardChange) -> BTreeMap<GpuId, CardChange> {
    GpuId::new(id)
        .ok()
        .map(|id| (id, change))
        .into_iter()
        .collect()
}

/// Somebody's program begins or ends on one GPU.
fn used_by(id: &str, user: Option<(&str, u32)>) -> BTreeMap<GpuId, CardChange> {
    let change = CardChange {
        users: Some(user.iter().map(|(name, _)| (*name).to_owned()).collect()),
        own_w: Some(user.map_or(0, |(_, watts)| watts)),
        ..CardChange::default()
    };
    on_gpu(id, change)
}

/// A card by what a shop says of it: its factory limit and the least that it takes, what a job draws of it, in W, and
/// by how many °C each W warms it.
fn card(id: &str, name: &str, [limit_w, lowest_w, job_w]: [u32; 3], c_per_w: f64) -> Option<Card> {
    Some(Card {
        id: GpuId::new(id).ok()?,
        name: name.to_owned(),
        software: false,
        limit_w,
        lowest_w: Some(lowest_w),
        job_w,
        idle_w: 12,
        ambient_c: 22,
        c_per_w,
        tau_s: 60,
    })
}

/// Chance that can be had again: the SplitMix64 sequence (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From one to the other, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True in so many of a hundred cases.
    fn of(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
