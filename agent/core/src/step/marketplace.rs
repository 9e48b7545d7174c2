//! The marketplace asks: leases are taken or refused, and ended.

use super::Turn;
use crate::effect::Effect;
use crate::facts::Docker;
use crate::lease::Lease;
use crate::policy;
use sublet_protocol::heartbeat::{Action, Command, Funding, StopWhy};
use sublet_protocol::ids::{GpuId, LeaseId};
use sublet_protocol::job::{Isolation, JobSpec};
use sublet_protocol::lease::{EndCode, LeaseGrant};
use sublet_protocol::money::{HourlyPrice, MicroUsd};
use sublet_protocol::reason::Reason;

impl Turn<'_> {
    /// Keeps the time of an answer while it matters to a lease; at rest nothing needs to be stored.
    pub(super) fn heard(&mut self) {
        if !self.memory.leases.is_empty() {
            self.memory.heard_wall_ms = self.now.wall_ms.saturating_sub(self.silent_ms());
        }
    }

    /// For how long the marketplace has been silent. Before its first answer since the agent started only the wall
    /// clock can tell; it may have been set, but a restart may not give a lost job more time.
    pub(super) fn silent_ms(&self) -> u64 {
        match self.facts.market.last_answer_boot_ms {
            Some(last) => self.now.boot_ms.saturating_sub(last),
            None => self
                .now
                .boot_ms
                .max(self.now.wall_ms.saturating_sub(self.memory.heard_wall_ms)),
        }
    }

    /// The marketplace answered a heartbeat.
    pub(super) fn answered(&mut self, funding: Vec<Funding>, settled: Vec<LeaseId>) {
        self.heard();
        for funding in funding {
            if let Some(lease) = self.memory.leases.get_mut(&funding.lease) {
                lease.funded_ms = lease.funded_ms.max(funding.funded_ms);
            }
        }
        for lease in settled {
            if let Some(lease) = self.memory.leases.get_mut(&lease) {
                // A marketplace that settles what still runs has given it up; we stop below.
                lease.settled = true;
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        if command.id <= self.memory.commands_seen {
            return;
        }
        self.memory.commands_seen = command.id;
        match command.action {
            Action::Grant { grant } => self.grant(*grant),
            Action::Stop { lease, why } => {
                let (code, message) = match why {
                    StopWhy::Cancelled => (EndCode::Cancelled, "The renter cancelled the job."),
                    StopWhy::Lost => (
                        EndCode::Fenced,
                        "The marketplace gave the job to another rig.",
                    ),
                };
                self.stop(&lease, code, message, 0);
            }
        }
    }

    fn grant(&mut self, grant: LeaseGrant) {
        if self.memory.leases.contains_key(&grant.lease) {
            return;
        }
        let id = grant.lease.clone();
        let lease = match self.objection(&grant) {
            Some(Objection {
                code,
                message,
                reason,
            }) => Lease::refused(grant, self.now, code, message, reason),
            None => {
                let lease = self.taken(grant);
                self.effects.push(lease.work());
                lease
            }
        };
        self.memory.leases.insert(id, lease);
        self.heard();
        self.effects.push(Effect::Report);
    }

    /// A new lease, with what its GPUs' memory held before it. What programs hold comes and goes with them; the rest is
    /// the driver's own, and must be what it was once the job is gone.
    fn taken(&self, grant: LeaseGrant) -> Lease {
        let used = |id: &GpuId| {
            let gpu = self.facts.gpus.iter().find(|gpu| gpu.info.id == *id)?;
            gpu.sensed.as_ref()?.unclaimed_bytes
        };
        let baseline = grant
            .gpus
            .iter()
            .filter_map(|id| Some((id.clone(), used(id)?)))
            .collect();
        let mut lease = Lease::new(grant, self.now);
        lease.baseline_bytes = baseline;
        lease
    }

    /// Why a grant is not taken, if it is not.
    fn objection(&self, grant: &LeaseGrant) -> Option<Objection> {
        self.objection_to_terms(grant)
            .or_else(|| self.objection_to_job(&grant.spec, &grant.gpus))
    }

    fn objection_to_terms(&self, grant: &LeaseGrant) -> Option<Objection> {
        let offers = policy::offers(&self.memory, self.settings, self.facts, self.now);
        if grant.gpus.is_empty() {
            return Some("The lease names no GPU.".to_owned().into());
        }
        let mut floor = MicroUsd::ZERO;
        for (at, gpu) in grant.gpus.iter().enumerate() {
            if grant.gpus[..at].contains(gpu) {
                return Some(format!("The lease names GPU {gpu} twice.").into());
            }
            let Some(offer) = offers.iter().find(|offer| offer.gpu.id == *gpu) else {
                return Some(self.why_not(gpu));
            };
            floor = floor.saturating_add(offer.floor.0);
        }
        if grant.price < HourlyPrice(floor) {
            let text = format!(
                "The price of {} is below the floor of {}.",
                grant.price,
                HourlyPrice(floor)
            );
            return Some(text.into());
        }
        None
    }

    /// What the job itself asks for and does not get here.
    fn objection_to_job(&self, spec: &JobSpec, gpus: &[GpuId]) -> Option<Objection> {
        let host = &self.facts.host;
        let objection = |code, message: &str| {
            Some(Objection {
                code,
                message: message.to_owned(),
                reason: None,
            })
        };
        if let Some(refusal) = self.settings.work.refuses(spec) {
            return objection(refusal.end_code(), &refusal.text(spec));
        }
        if spec.cpu_milli > host.cpu_milli || spec.memory_bytes > host.memory_bytes {
            return objection(
                EndCode::BeyondLimits,
                "The job asks for more CPU or memory than is on offer.",
            );
        }
        if host.longest_ms.is_some_and(|most| spec.deadline_ms > most) {
            return objection(
                EndCode::BeyondLimits,
                "The job asks for more time than the rig's owner gives a job.",
            );
        }
        let gvisor = match &self.facts.docker {
            Docker::Here(sandbox) => sandbox.gvisor(),
            _ => false,
        };
        let hardware = |id: &GpuId| {
            let gpu = self.facts.gpus.iter().find(|gpu| gpu.info.id == *id);
            gpu.is_none_or(|gpu| !gpu.info.software)
        };
        if spec.isolation == Isolation::Gvisor && (!gvisor || gpus.iter().any(hardware)) {
            return objection(
                EndCode::IsolationMissing,
                "The job asks for gVisor, which the rig has not, or not for its GPUs.",
            );
        }
        None
    }

    fn why_not(&self, gpu: &GpuId) -> Objection {
        if self.memory.holder(gpu).is_some() {
            return format!("GPU {gpu} is already rented.").into();
        }
        let decision = policy::decide(&self.memory, self.settings, self.facts, self.now);
        let decided = decision.gpus.into_iter().find(|one| one.gpu == *gpu);
        match decided.and_then(|decided| decided.reasons.into_iter().next()) {
            Some(reason) => Objection {
                code: EndCode::NotAccepted,
                message: policy::outside(reason.code).text,
                reason: Some(reason),
            },
            None => format!("There is no GPU {gpu} here.").into(),
        }
    }
}

/// Why a grant is not taken.
struct Objection {
    /// The code that the lease ends with.
    code: EndCode,
    /// What the marketplace hears.
    message: String,
    /// What the owner reads, where that says more.
    reason: Option<Reason>,
}

impl From<String> for Objection {
    fn from(message: String) -> Self {
        Self {
            code: EndCode::NotAccepted,
            message,
            reason: None,
        }
    }
}
