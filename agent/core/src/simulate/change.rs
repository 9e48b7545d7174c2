//! The lines of a trace: the head, and then what changes, when.

use super::local::LocalTime;
use crate::facts::{InputKind, Program, Watching};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;
use sublet_protocol::money::{AmountError, BasisPoints, HourlyPrice, MicroUsd};

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The format's version: 1.
    pub sublet_trace: u32,
    /// What it is a trace of.
    pub name: String,
    /// When it begins.
    pub from: LocalTime,
    /// When it ends.
    pub to: LocalTime,
    /// Local time minus UTC, in minutes; it stays the same for the whole trace.
    #[serde(default)]
    pub utc_offset_min: i32,
    /// The GPUs.
    pub gpus: Vec<Card>,
    /// What the marketplace keeps, in hundredths of a per cent.
    #[serde(default)]
    pub fee: BasisPoints,
    /// Of the hours in which an order pays enough, how many per cent become ours, at least and at most: other rigs bid
    /// too.
    #[serde(default = "usual_demand")]
    pub demand_percent: [u8; 2],
}

fn usual_demand() -> [u8; 2] {
    [30, 90]
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its id, as the settings may name it.
    pub id: GpuId,
    /// What people call it.
    pub name: String,
    /// It is no hardware: the CPU does its work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub software: bool,
    /// The factory's power limit, in W.
    pub limit_w: u32,
    /// The lowest power limit that it takes, in W; absent: it takes none, and is slowed by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_w: Option<u32>,
    /// What it draws while a job runs, in W.
    pub job_w: u32,
    /// What it draws at rest, in W.
    #[serde(default = "usual_idle")]
    pub idle_w: u32,
    /// The room's temperature in °C.
    #[serde(default = "usual_ambient")]
    pub ambient_c: i32,
    /// By how many °C each W warms it in the end.
    pub c_per_w: f64,
    /// In how many seconds it gets two thirds of the way there.
    #[serde(default = "usual_tau")]
    pub tau_s: u32,
}

fn usual_idle() -> u32 {
    15
}

fn usual_ambient() -> i32 {
    22
}

fn usual_tau() -> u32 {
    60
}

/// Every other line: a time, and only what changes then. Before the first one the machine is on, on mains and on a
/// network that costs nothing; it was last touched an hour ago, nothing runs, and nothing is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When.
    pub at: LocalTime,
    /// The machine is on and awake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Somebody uses it from now on, with what; `null`: nobody from now on. Between, idle time grows by itself.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "told"
    )]
    pub using: Option<Option<InputKind>>,
    /// It has a keyboard, a mouse, a display: somebody can sit at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<bool>,
    /// Nothing tells whether somebody uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<bool>,
    /// The screen is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// The displays are off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_off: Option<bool>,
    /// What is watched without input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watching: Option<Vec<Watching>>,
    /// Games and chosen programs that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs: Option<Vec<Program>>,
    /// On battery, with so many per cent left; `null`: on mains.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "told"
    )]
    pub battery: Option<Option<u8>>,
    /// The network is metered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered: Option<bool>,
    /// The owner paused renting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// What the best order waiting pays for an hour of one GPU, in US dollars; `null`: none waits.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "told"
    )]
    pub pays: Option<Option<Usd>>,
    /// Docker answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<bool>,
    /// The marketplace answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<bool>,
    /// What changes on single GPUs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gpus: BTreeMap<GpuId, CardChange>,
}

/// What changes on one GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardChange {
    /// Programs that use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
    /// What they make it draw, in W; 0: it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_w: Option<u32>,
    /// The room's temperature in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambient_c: Option<i32>,
    /// It fell off the bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<bool>,
    /// The owner paused it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// `null` is something that is said; only a key that is not there says nothing.
fn told<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// An amount in US dollars, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Usd(pub HourlyPrice);

impl TryFrom<String> for Usd {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        text.parse::<MicroUsd>()
            .map(|amount| Self(HourlyPrice(amount)))
    }
}

impl From<Usd> for String {
    fn from(usd: Usd) -> Self {
        usd.0.0.to_string().trim_start_matches('$').to_owned()
    }
}
