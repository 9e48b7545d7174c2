//! What the owner does and what the machine is in, as a trace tells it.

use super::recorder::Sight;
use crate::facts::{
    Docker, Facts, GpuFacts, GpuProblem, InputKind, Power, Program, Touch, Watching,
};
use crate::memory::Memory;
use crate::policy;
use crate::simulate::{CardChange, Change, LocalTime};
use std::collections::BTreeMap;
use sublet_protocol::ids::GpuId;

/// Somebody whose last touch is no older than this still uses the machine, in ms: the least that the settings take
/// for being away.
const USING_MS: u64 = 60_000;

/// A line of a trace to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When, ms since 1970.
    pub at_ms: u64,
    /// It says everything, not only what changed: what came before it is not needed for what comes after.
    pub whole: bool,
    /// What changes. Its own time says nothing.
    pub change: Change,
}

/// Everything that a trace can tell of a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    using: Option<InputKind>,
    idle_ms: u64,
    seat: bool,
    blind: bool,
    locked: bool,
    display_off: bool,
    watching: Vec<Watching>,
    programs: Vec<Program>,
    battery: Option<u8>,
    metered: bool,
    paused: bool,
    docker: bool,
    market: bool,
    gpus: BTreeMap<GpuId, OnCard>,
}

#[derive(Debug, Clone, PartialEq)]
struct OnCard {
    users: Vec<String>,
    lost: bool,
    paused: bool,
}

impl Scene {
    pub fn of(sight: &Sight<'_>) -> Self {
        let Sight { facts, memory, .. } = sight;
        let touch = facts.owner.touch.as_ref().and_then(|touch| touch.fresh());
        let (using, idle_ms) = match touch {
            Some(Touch::Ago { idle_ms, by }) => ((*idle_ms < USING_MS).then_some(*by), *idle_ms),
            _ => (None, 0),
        };
        let session = fresh(&facts.owner.session).unwrap_or_default();
        Self {
            using,
            idle_ms,
            seat: touch != Some(&Touch::NoSeat),
            blind: touch.is_none(),
            locked: session.locked,
            display_off: session.display_off,
            watching: fresh(&facts.owner.watching).unwrap_or_default(),
            programs: fresh(&facts.programs).unwrap_or_default(),
            battery: match fresh(&facts.machine.power) {
                Some(Power::Battery { percent }) => Some(percent.unwrap_or(0).min(100)),
                _ => None,
            },
            metered: fresh(&facts.machine.metered).unwrap_or_default(),
            paused: memory.pause.is_some(),
            docker: matches!(facts.docker, Docker::Here(_)),
            market: facts.market.connected,
            gpus: on_cards(facts, memory),
        }
    }

    /// What tells this from the one before; everything where there was none. `begins`: nothing was watched just before.
    pub fn lines(&self, before: Option<&Self>, at_ms: u64, begins: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut change = self.change(before);
        if begins {
            change.on = Some(true);
        }
        // It was over with the last touch, not when that was noticed.
        if before.is_some_and(|before| before.using.is_some()) && self.using.is_none() {
            change.using = None;
            lines.push(Line {
                at_ms: at_ms.saturating_sub(self.idle_ms),
                whole: false,
                change: Change {
                    using: Some(None),
                    ..Change::default()
                },
            });
        }
        if change != Change::default() {
            lines.push(Line {
                at_ms,
                whole: before.is_none(),
                change,
            });
        }
        lines
    }

    fn change(&self, before: Option<&Self>) -> Change {
        fn told<T: PartialEq + Clone>(now: &T, before: Option<&T>) -> Option<T> {
            (before != Some(now)).then(|| now.clone())
        }
        // How full the battery is changes nothing.
        let same_source =
            before.is_some_and(|before| before.battery.is_some() == self.battery.is_some());
        let gpus = self.gpus.iter().filter_map(|(id, now)| {
            let before = before.and_then(|before| before.gpus.get(id));
            let change = CardChange {
                users: told(&now.users, before.map(|card| &card.users)),
                lost: told(&now.lost, before.map(|card| &card.lost)),
                paused: told(&now.paused, before.map(|card| &card.paused)),
                ..CardChange::default()
            };
            (change != CardChange::default()).then(|| (id.clone(), change))
        });
        Change {
            at: LocalTime::default(),
            on: None,
            using: told(&self.using, before.map(|before| &before.using)),
            seat: told(&self.seat, before.map(|before| &before.seat)),
            blind: told(&self.blind, before.map(|before| &before.blind)),
            locked: told(&self.locked, before.map(|before| &before.locked)),
            display_off: told(&self.display_off, before.map(|before| &before.display_off)),
            watching: told(&self.watching, before.map(|before| &before.watching)),
            programs: told(&self.programs, before.map(|before| &before.programs)),
            battery: (!same_source).then_some(self.battery),
            metered: told(&self.metered, before.map(|before| &before.metered)),
            paused: told(&self.paused, before.map(|before| &before.paused)),
            pays: None,
            docker: told(&self.docker, before.map(|before| &before.docker)),
            market: told(&self.market, before.map(|before| &before.market)),
            gpus: gpus.collect(),
        }
    }
}

fn fresh<T: Clone>(reading: &Option<crate::facts::Aged<T>>) -> Option<T> {
    reading
        .as_ref()
        .and_then(|reading| reading.fresh())
        .cloned()
}

/// Who uses each card, by the rule that the policy goes by.
fn on_cards(facts: &Facts, memory: &Memory) -> BTreeMap<GpuId, OnCard> {
    let on_card = |gpu: &GpuFacts| OnCard {
        users: gpu
            .sensed
            .as_ref()
            .map(|sensed| {
                let ours = memory.holder(&gpu.info.id).is_some();
                let load = sensed.load_percent.filter(|_| !ours);
                let users = sensed.users.iter().flatten();
                users
                    .filter(|user| policy::uses(user, load))
                    .map(|user| user.name.clone())
                    .collect()
            })
            .unwrap_or_default(),
        lost: matches!(gpu.problem, Some(GpuProblem::Lost(_))),
        paused: memory.pauses.contains_key(&gpu.info.id),
    };
    facts
        .gpus
        .iter()
        .map(|gpu| (gpu.info.id.clone(), on_card(gpu)))
        .collect()
}
