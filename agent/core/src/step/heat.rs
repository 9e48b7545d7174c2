//! The heat governor's word is carried out, and what it changed on a card is put back.

use super::Turn;
use super::enforce::{end_code, grace_ms};
use crate::effect::Effect;
use crate::lease::{Lease, Signal, Stage};
use crate::policy;
use crate::thermal::{self, Act, Governor};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::reason::ReasonCode;

impl Turn<'_> {
    /// Every second: each GPU on which a job runs is governed, each other one is left as its owner had it.
    pub(super) fn govern(&mut self) {
        for gpu in self.facts.gpus.iter().filter(|gpu| !gpu.info.software) {
            let id = &gpu.info.id;
            let job = self.job_on(id);
            let governor = self.memory.governors.get(id).cloned().unwrap_or_default();
            let (governor, acts) = match job {
                Some(_) => thermal::govern(&governor, gpu, self.settings.gpu(id), self.now),
                None => thermal::release(&governor, gpu, self.now),
            };
            self.memory.governors.insert(id.clone(), governor);
            for act in acts {
                match (act, &job) {
                    (Act::Stop, Some(lease)) => self.too_hot(lease, &gpu.info.name),
                    // Whether a job stands still is settled below, over all of its GPUs.
                    (Act::Stop | Act::Freeze | Act::Thaw, _) => {}
                    (act, _) => self.effects.extend(limit(id, act)),
                }
            }
        }
        let jobs: Vec<LeaseId> = self.memory.leases.keys().cloned().collect();
        for id in jobs {
            let Some(lease) = self.memory.leases.get(&id) else {
                continue;
            };
            let held = self.shall_stand_still(lease);
            match (lease.stage, held) {
                (Stage::Running | Stage::Thawing, true) => self.advance(&id, Signal::Hold),
                (Stage::Paused, false) => self.advance(&id, Signal::Release),
                _ => {}
            }
        }
    }

    /// The agent goes down: nobody will hold the temperature, so the cards are as their owner had them.
    pub(super) fn put_back(&mut self) {
        for (gpu, governor) in &self.memory.governors {
            let act = governor.leftover();
            self.effects.extend(act.and_then(|act| limit(gpu, act)));
        }
    }

    /// The lease whose job is in a container on this GPU.
    fn job_on(&self, gpu: &GpuId) -> Option<LeaseId> {
        let runs = |lease: &&Lease| {
            matches!(lease.stage, Stage::Running | Stage::Paused | Stage::Thawing)
                && lease.grant.gpus.contains(gpu)
        };
        Some(self.memory.leases.values().find(runs)?.id().clone())
    }

    fn shall_stand_still(&self, lease: &Lease) -> bool {
        let mut gpus = lease.grant.gpus.iter();
        gpus.any(|gpu| self.memory.governors.get(gpu).is_some_and(Governor::frozen))
    }

    fn too_hot(&mut self, id: &LeaseId, name: &str) {
        let Some(lease) = self.memory.leases.get(id) else {
            return;
        };
        let why = ReasonCode::TooHot;
        let grace = grace_ms(lease, self.settings, why);
        let text = format!("{name} grew too hot, and nothing less than ending the job cools it.");
        let reason = policy::ends(&self.memory, self.settings, self.facts, self.now, lease);
        self.stop(id, end_code(why), text, grace);
        if let Some(lease) = self.memory.leases.get_mut(id) {
            lease.reason = reason;
        }
    }
}

/// The effect that changes a power limit.
fn limit(gpu: &GpuId, act: Act) -> Option<Effect> {
    let gpu = gpu.clone();
    match act {
        Act::SetPowerLimit { limit_mw } => Some(Effect::SetPowerLimit { gpu, limit_mw }),
        Act::RestorePowerLimit { limit_mw } => Some(Effect::RestorePowerLimit { gpu, limit_mw }),
        Act::Freeze | Act::Thaw | Act::Stop => None,
    }
}
