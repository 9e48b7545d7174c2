//! Watches what the daemon decides and sees, and gathers it.

use super::kind::kind_of;
use super::minute::{Gathering, Look, MINUTE_MS, Minute};
use super::scene::{Line, Scene};
use crate::facts::{Facts, Moment};
use crate::memory::Memory;
use crate::policy::{Decision, GAP_MS, GpuDecision};
use crate::settings::Settings;
use std::collections::BTreeMap;
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::local::history::{Segment, SegmentKind};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::Reason;

/// A clock on the wall that is set back by no more than this is waited for; by more, and what was recorded for times
/// to come is written over as they come. In ms.
const WAITS_MS: u64 = 60_000;
/// Between two looks at what the owner does, in ms, while nothing else changes.
const SCENE_MS: u64 = 5_000;
/// The whole scene is written down so often, in ms, so that old lines can go.
const WHOLE_MS: u64 = 24 * 3_600_000;

/// Everything that is looked at. The decision is of these facts.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// What was decided.
    pub decision: &'a Decision,
    /// What was observed.
    pub facts: &'a Facts,
    /// The core's memory.
    pub memory: &'a Memory,
    /// What the owner chose.
    pub settings: &'a Settings,
}

/// What has been gathered and is to be stored. Storing the same again changes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// What GPUs did. One that goes on is there with what there is of it; it comes again, longer, from the same
    /// beginning.
    pub segments: Vec<(GpuId, Segment)>,
    /// Minutes that are over.
    pub minutes: Vec<(GpuId, Minute)>,
    /// What the owner did.
    pub lines: Vec<Line>,
}

impl Batch {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.minutes.is_empty() && self.lines.is_empty()
    }
}

/// Gathers. One per run of the agent; a new one goes on from nothing.
#[derive(Debug, Default)]
pub struct Recorder {
    last: Option<Last>,
    tracks: BTreeMap<GpuId, Track>,
    used_ms: BTreeMap<LeaseId, u64>,
    scene: Option<Scene>,
    scene_boot_ms: u64,
    whole_boot_ms: u64,
    gathered: Batch,
    /// Renting began or ended since the last batch was taken.
    turned: bool,
}

/// The last look.
#[derive(Debug, Clone, Copy)]
struct Last {
    now: Moment,
    /// How far the record goes: the clock on the wall, but never back.
    at_ms: u64,
}

#[derive(Debug)]
struct Track {
    open: Segment,
    minute: Gathering,
    look: Look,
}

impl Recorder {
    /// Looks. The time since the last look belongs to what was seen then.
    pub fn look(&mut self, now: Moment, sight: &Sight<'_>) {
        let went_on = self.last.and_then(|last| goes_on(last, now));
        let at_ms = went_on.unwrap_or(now.wall_ms);
        match (went_on, self.last) {
            (Some(at_ms), Some(last)) => self.pass(last.at_ms, at_ms),
            _ => self.begin_anew(),
        }
        self.last = Some(Last { now, at_ms });
        self.earn(sight, now);
        let mut changed = went_on.is_none();
        let gpus = sight.facts.gpus.iter().zip(&sight.decision.gpus);
        for (gpu, decided) in gpus {
            let next = segment(at_ms, decided, sight.memory);
            let kind = next.kind;
            let held = sight.memory.holder(&decided.gpu);
            let pays = match held {
                Some(lease) => Some(share(lease.grant.price, lease.grant.gpus.len())),
                None => sight.facts.market.best_order,
            };
            let kwh = sight.settings.tariff.at(now, sight.facts.utc_offset_s);
            let look = Look::at(gpu, kind, pays, kwh);
            match self.tracks.get_mut(&decided.gpu) {
                Some(track) => {
                    track.look = look;
                    if !same(&track.open, &next) {
                        changed = true;
                        self.turned |= (track.open.kind == SegmentKind::Renting)
                            != (kind == SegmentKind::Renting);
                        let over = std::mem::replace(&mut track.open, next);
                        keep(&mut self.gathered, &decided.gpu, over);
                    }
                }
                None => {
                    let track = Track {
                        open: next,
                        minute: Gathering::of(at_ms / MINUTE_MS),
                        look,
                    };
                    self.tracks.insert(decided.gpu.clone(), track);
                }
            }
        }
        self.watch(now, at_ms, sight, changed, went_on.is_none());
    }

    /// Everything gathered so far, with what goes on as far as it went.
    pub fn gathered(&self) -> Batch {
        let mut batch = self.gathered.clone();
        for (gpu, track) in &self.tracks {
            keep(&mut batch, gpu, track.open.clone());
        }
        batch
    }

    /// Renting began or ended since the last [`Self::stored`]: worth storing soon.
    pub fn turned(&self) -> bool {
        self.turned
    }

    /// What was [gathered](Self::gathered) is stored, or given up.
    pub fn stored(&mut self) {
        self.gathered = Batch::default();
        self.turned = false;
    }

    /// The agent ends: minutes under way are over.
    pub fn end(&mut self) {
        self.begin_anew();
        self.last = None;
    }

    fn begin_anew(&mut self) {
        for (gpu, track) in std::mem::take(&mut self.tracks) {
            if let Some(minute) = track.minute.close() {
                self.gathered.minutes.push((gpu.clone(), minute));
            }
            keep(&mut self.gathered, &gpu, track.open);
        }
        self.used_ms.clear();
        self.scene = None;
    }

    /// The time from then to then was as it was seen last.
    fn pass(&mut self, from_ms: u64, to_ms: u64) {
        for (gpu, track) in &mut self.tracks {
            track.open.to_ms = to_ms;
            let mut at_ms = from_ms;
            loop {
                let minute = at_ms / MINUTE_MS;
                if minute != track.minute.minute() {
                    let over = std::mem::replace(&mut track.minute, Gathering::of(minute));
                    if let Some(over) = over.close() {
                        self.gathered.minutes.push((gpu.clone(), over));
                    }
                }
                if at_ms >= to_ms {
                    break;
                }
                let next_ms = ((minute + 1) * MINUTE_MS).min(to_ms);
                track.minute.add(&track.look, next_ms - at_ms);
                at_ms = next_ms;
            }
        }
    }

    /// What the meters earned since the last look, shared among each lease's GPUs.
    fn earn(&mut self, sight: &Sight<'_>, now: Moment) {
        let mut used_ms = BTreeMap::new();
        for lease in sight.memory.leases.values() {
            let used = lease.used_ms(now);
            used_ms.insert(lease.id().clone(), used);
            let Some(before) = self.used_ms.get(lease.id()) else {
                continue;
            };
            let grant = &lease.grant;
            let net = |ms| grant.fee.net(grant.price.cost(ms));
            let earned = net(used).saturating_sub(net(*before)).0;
            let gpus = u64::try_from(grant.gpus.len()).unwrap_or(1).max(1);
            for (at, gpu) in (0u64..).zip(&grant.gpus) {
                // What does not divide goes to the first ones.
                let part = earned / gpus + u64::from(at < earned % gpus);
                if let Some(track) = self.tracks.get_mut(gpu) {
                    track.minute.earn(MicroUsd(part));
                }
            }
        }
        self.used_ms = used_ms;
    }

    /// What the owner does, for trying other settings on it.
    fn watch(&mut self, now: Moment, at_ms: u64, sight: &Sight<'_>, changed: bool, begins: bool) {
        let due = now.boot_ms.saturating_sub(self.scene_boot_ms) >= SCENE_MS;
        if !(changed || due || self.scene.is_none()) {
            return;
        }
        self.scene_boot_ms = now.boot_ms;
        if now.boot_ms.saturating_sub(self.whole_boot_ms) >= WHOLE_MS {
            self.scene = None;
        }
        let scene = Scene::of(sight);
        let whole = self.scene.is_none();
        if whole {
            self.whole_boot_ms = now.boot_ms;
        }
        let lines = scene.lines(self.scene.as_ref(), at_ms, begins);
        self.gathered.lines.extend(lines);
        self.scene = Some(scene);
    }
}

/// How far the record goes at `now`, where it goes on from the last look: neither did the machine sleep, nor was the
/// clock set.
fn goes_on(last: Last, now: Moment) -> Option<u64> {
    let went_ms = now.boot_ms.saturating_sub(last.now.boot_ms);
    if went_ms > GAP_MS {
        return None;
    }
    let expected = last.at_ms.saturating_add(went_ms);
    if now.wall_ms > expected.saturating_add(WAITS_MS)
        || now.wall_ms.saturating_add(WAITS_MS) < last.at_ms
    {
        return None;
    }
    Some(now.wall_ms.max(last.at_ms))
}

fn segment(at_ms: u64, decided: &GpuDecision, memory: &Memory) -> Segment {
    let kind = kind_of(decided);
    let rents = kind == SegmentKind::Renting;
    let held = memory.holder(&decided.gpu).filter(|_| rents);
    let reasons = decided.reasons.iter().filter(|_| !rents);
    Segment {
        from_ms: at_ms,
        to_ms: at_ms,
        kind,
        reasons: reasons.clone().map(|reason| reason.code).collect(),
        reason: reasons.clone().next().cloned(),
        lease: held.map(|lease| lease.id().clone()),
    }
}

/// Whether one goes on in the other: the same for the same reason, of the same program. Figures may go on.
pub(super) fn same(a: &Segment, b: &Segment) -> bool {
    fn whose(reason: &Reason) -> impl Iterator<Item = Option<&sublet_protocol::reason::Figure>> {
        ["program", "reading"]
            .into_iter()
            .map(|name| reason.figures.get(name))
    }
    let alike = match (&a.reason, &b.reason) {
        (None, None) => true,
        (Some(a), Some(b)) => a.code == b.code && whose(a).eq(whose(b)),
        _ => false,
    };
    alike && a.kind == b.kind && a.lease == b.lease
}

fn share(price: HourlyPrice, gpus: usize) -> HourlyPrice {
    let gpus = u64::try_from(gpus).unwrap_or(1).max(1);
    HourlyPrice(MicroUsd(price.0.0 / gpus))
}

fn keep(batch: &mut Batch, gpu: &GpuId, segment: Segment) {
    if segment.to_ms > segment.from_ms {
        batch.segments.push((gpu.clone(), segment));
    }
}
