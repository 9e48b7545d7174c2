//! What must hold at every moment, whatever the event was.

use super::Turn;
use crate::effect::Effect;
use crate::facts::{Facts, Moment};
use crate::lease::{Lease, Signal, Stage};
use crate::policy;
use crate::settings::Settings;
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::EndCode;
use sublet_protocol::reason::{Reason, ReasonCode};

/// Why a lease is stopped, and how long its job may take to end in order.
struct Cause {
    code: EndCode,
    /// What the renter reads.
    message: String,
    /// What the owner reads.
    reason: Option<Reason>,
    grace_ms: u64,
}

impl Turn<'_> {
    fn end_pauses(&mut self) {
        let now = self.now;
        let memory = &mut self.memory;
        let before = (memory.pause.is_some(), memory.pauses.len());
        memory.pause = memory.pause.filter(|pause| !pause.is_over(now));
        memory.pauses.retain(|_, pause| !pause.is_over(now));
        if (memory.pause.is_some(), memory.pauses.len()) != before {
            self.effects.push(Effect::Report);
        }
    }

    pub(super) fn enforce(&mut self) {
        let now = self.now;
        self.end_pauses();
        let silent_ms = self.silent_ms();
        let fenced = self.memory.fence_ms.is_some_and(|fence| silent_ms > fence);
        let ids: Vec<LeaseId> = self.memory.leases.keys().cloned().collect();
        for id in ids {
            let Some(lease) = self.memory.leases.get_mut(&id) else {
                continue;
            };
            if lease.meter.is_running() {
                lease.meter.settle(now);
            }
            let cause = self.cause(&id, fenced.then_some(silent_ms));
            let Some(lease) = self.memory.leases.get_mut(&id) else {
                continue;
            };
            if let Some(cause) = cause {
                let limit = lease.limit_ms();
                lease.meter.cap(limit);
                lease.reason = cause.reason;
                self.stop(&id, cause.code, cause.message, cause.grace_ms);
            } else if lease.grace_until_ms.is_some_and(|at| now.mono_ms >= at) {
                lease.grace_until_ms = None;
                if lease.stage == Stage::Interrupting {
                    self.advance(&id, Signal::EndNow);
                }
            } else if lease.retry_at_ms.is_some_and(|at| now.mono_ms >= at) {
                lease.retry_at_ms = None;
                let effect = lease.work();
                self.effects.push(effect);
            } else if let Some(effect) = lease.checkpoint_due(now) {
                self.effects.push(effect);
            }
        }
        self.clear_strays();
        self.look_after_gpus();
    }

    /// Why a lease must end now, if it must: by its own terms, or because its owner wants the GPU back. Sealing and
    /// sending need no GPU, and so go on without the owner.
    fn cause(&self, id: &LeaseId, silent_ms: Option<u64>) -> Option<Cause> {
        let lease = self.memory.leases.get(id)?;
        lease.stage.after(Signal::Stop)?;
        let by_terms = stop_cause(lease, self.settings, self.facts, self.now, silent_ms);
        if let Some((code, message)) = by_terms {
            return Some(Cause {
                code,
                message,
                reason: None,
                grace_ms: 0,
            });
        }
        if !lease.stage.may_run() {
            return None;
        }
        let reason = policy::ends(&self.memory, self.settings, self.facts, self.now, lease)?;
        Some(Cause {
            code: end_code(reason.code),
            grace_ms: grace_ms(lease, self.settings, reason.code),
            message: policy::outside(reason.code).text,
            reason: Some(reason),
        })
    }

    /// GPUs on their way back are looked at, and looked at again.
    fn look_after_gpus(&mut self) {
        if !self.memory.reconciled {
            return;
        }
        let now = self.now;
        let looks = self.memory.custody.iter_mut();
        let looks: Vec<Effect> = looks
            .filter_map(|(gpu, kept)| kept.look(gpu, now))
            .collect();
        self.effects.extend(looks);
    }
}

/// How a lease counts that its owner ended for this reason.
pub(super) fn end_code(reason: ReasonCode) -> EndCode {
    match reason {
        ReasonCode::GpuLost => EndCode::SandboxFailed,
        _ => EndCode::Reclaimed,
    }
}

/// How long a job may take to end in order: never longer than both its owner and its renter said, and not at all
/// where the GPU is needed, too hot or gone.
pub(super) fn grace_ms(lease: &Lease, settings: &Settings, reason: ReasonCode) -> u64 {
    match reason {
        ReasonCode::ProgramRuns
        | ReasonCode::GpuInUse
        | ReasonCode::TooHot
        | ReasonCode::GpuLost => 0,
        _ => settings
            .reclaim_grace_ms
            .min(lease.grant.spec.reclaim_grace_ms),
    }
}

/// Why a lease cannot go on by its own terms.
fn stop_cause(
    lease: &Lease,
    settings: &Settings,
    facts: &Facts,
    now: Moment,
    silent_ms: Option<u64>,
) -> Option<(EndCode, String)> {
    let used = lease.meter.used_ms(now);
    if lease.settled {
        return Some((
            EndCode::Fenced,
            "The marketplace closed the lease.".to_owned(),
        ));
    }
    if let Some(silent_ms) = silent_ms {
        let seconds = silent_ms / 1_000;
        return Some((
            EndCode::Fenced,
            format!(
                "The marketplace did not answer for {seconds} s, and would have given the job away."
            ),
        ));
    }
    if lease.stage != Stage::Running {
        return None;
    }
    if used >= lease.grant.spec.deadline_ms {
        let seconds = lease.grant.spec.deadline_ms / 1_000;
        return Some((
            EndCode::DeadlineReached,
            format!("The job ran for {seconds} s, its deadline."),
        ));
    }
    if used >= lease.funded_ms {
        return Some((
            EndCode::OutOfFunds,
            "The renter's money ran out.".to_owned(),
        ));
    }
    if facts.market.connected && used.saturating_sub(lease.paid_ms) > settings.unpaid_limit_ms {
        let behind = used.saturating_sub(lease.paid_ms) / 1_000;
        return Some((
            EndCode::PaymentBehind,
            format!("The marketplace's vouchers were {behind} s of running time behind."),
        ));
    }
    None
}
