//! The one function that moves the agent's state.

mod container;
mod enforce;
mod heat;
mod marketplace;
mod startup;

use crate::effect::Effect;
use crate::event::{Event, GpuNews};
use crate::facts::{Facts, Moment};
use crate::lease::Stage;
use crate::memory::Memory;
use crate::policy;
use crate::settings::Settings;
use sublet_protocol::ids::{GpuId, LeaseId};

/// Takes one event in. Deterministic: the same arguments give the same answer.
///
/// The new memory must be stored before any effect that does not [hurry](Effect::hurries) runs; those that
/// [give the GPU back](Effect::gives_back) run even where it cannot be stored.
pub fn step(
    memory: Memory,
    settings: &Settings,
    facts: &Facts,
    event: Event,
    now: Moment,
) -> (Memory, Vec<Effect>) {
    let mut turn = Turn {
        memory,
        settings,
        facts,
        now,
        effects: Vec::new(),
    };
    policy::observe(&mut turn.memory, settings, facts, now);
    turn.take(event);
    turn.enforce();
    turn.archive();
    (turn.memory, turn.effects)
}

struct Turn<'a> {
    memory: Memory,
    settings: &'a Settings,
    facts: &'a Facts,
    now: Moment,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Tick => self.govern(),
            Event::Pause(pause) => {
                self.memory.pause = Some(pause);
                self.effects.push(Effect::Report);
            }
            Event::Resume => {
                self.memory.pause = None;
                self.memory.pauses.clear();
                self.effects.push(Effect::Report);
            }
            Event::PauseGpu(gpu, pause) => {
                self.memory.pauses.insert(gpu, pause);
                self.effects.push(Effect::Report);
            }
            Event::ResumeGpu(gpu) => {
                self.memory.pauses.remove(&gpu);
                self.effects.push(Effect::Report);
            }
            Event::Command(command) => self.command(command),
            Event::SessionOpened { fence_ms } => {
                self.memory.fence_ms = Some(fence_ms);
                self.heard();
            }
            Event::Answered { funding, settled } => self.answered(funding, settled),
            Event::Paid { lease, paid_ms } => {
                if let Some(lease) = self.memory.leases.get_mut(&lease) {
                    lease.paid_ms = lease.paid_ms.max(paid_ms);
                }
            }
            Event::Container { lease, news } => self.news(&lease, news),
            Event::Gpu { gpu, news } => self.gpu_news(&gpu, news),
            Event::GoingDown => self.put_back(),
            Event::Reconciled(found) => self.reconcile(found),
        }
    }

    fn gpu_news(&mut self, gpu: &GpuId, news: GpuNews) {
        match news {
            GpuNews::Freed { .. } => {
                if self.memory.custody.remove(gpu).is_some() {
                    self.effects.push(Effect::Report);
                }
            }
            GpuNews::Held(held) => {
                if let Some(kept) = self.memory.custody.get_mut(gpu) {
                    kept.hold(held, self.now);
                    self.effects.push(Effect::Report);
                }
            }
            // What is not known is not rented: it is looked at again in a while.
            GpuNews::Unread { .. } => {}
            GpuNews::LimitSet => {}
            GpuNews::LimitRestored => {
                if let Some(governor) = self.memory.governors.get_mut(gpu) {
                    governor.restored();
                }
            }
            GpuNews::LimitRefused { .. } => {
                if let Some(governor) = self.memory.governors.get_mut(gpu) {
                    governor.refused();
                }
            }
        }
    }

    fn archive(&mut self) {
        let closed: Vec<LeaseId> = self
            .memory
            .leases
            .iter()
            .filter(|(_, lease)| lease.stage == Stage::Over && lease.removed && lease.settled)
            .map(|(id, _)| id.clone())
            .collect();
        for id in closed {
            if let Some(lease) = self.memory.leases.remove(&id) {
                self.effects.push(Effect::Archive(Box::new(lease)));
            }
        }
    }
}
